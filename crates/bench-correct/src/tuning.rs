//! Settings that are left open: several values of a parameter, of which the caller's inner folds choose one.
//!
//! # Grammar
//! `sphere(shrinkage=ridge, ridge=0.01|0.1|1)` is three chains; several open parameters give every combination.
//! `ridge=auto` and `epsilon=auto` stand for the grids of [`GRIDS`], `k=auto` of removed components too; parameters that
//! take `auto` themselves (Harmony's theta) keep it, and are opened by `theta=1|2|4`.
//!
//! # Why
//! A ridge that is chosen by the score that it is judged by is tuned on the test (Arevalo et al. 2024 chose theirs so).
//! This module only says what the candidates are; that no test row takes part in the choice is the caller's promise.
//!
//! # Where it fits
//! Before [`Chain::parse`]: every candidate is a chain of its own.

use crate::{Chain, Error, presets, registry};

/// Most candidates of one text.
pub const MOST: usize = 64;

/// What `auto` stands for, by parameter.
pub const GRIDS: [(&str, &[&str]); 3] = [
    ("ridge", &["0.001", "0.01", "0.1", "1", "10"]),
    ("epsilon", &["1e-6", "1e-3", "0.1", "1"]),
    ("k", &["1", "2", "5", "10"]),
];

/// The chains that a text stands for, in the order of its values; one for a text without open parameters.
///
/// # Errors
/// Text that is no chain, more than [`MOST`] combinations, or a ridge that is left open where no ridge is used.
pub fn candidates(text: &str) -> Result<Vec<Chain>, Error> {
    let refuse = |why: String| Error::Syntax { chain: text.trim().to_owned(), why };
    let mut texts = vec![String::new()];
    let mut rest = text.trim();
    while let Some(open) = rest.find('(') {
        let Some(close) = rest[open..].find(')').map(|at| open + at) else { break };
        let head = &rest[..=open];
        let id = rest[..open].rsplit('>').next().unwrap_or_default().trim();
        let mut lists = vec![head.to_owned()];
        for (at, part) in rest[open + 1..close].split(',').enumerate() {
            let values = open_values(id, part);
            if values.len() > 1 && part.trim().starts_with("ridge") && ridge_is_idle(id, &rest[open + 1..close]) {
                return Err(refuse(format!("`{id}` uses its ridge with `shrinkage=ridge` only")));
            }
            let joint = if at == 0 { "" } else { "," };
            let grown = lists.iter().flat_map(|list| values.iter().map(move |value| format!("{list}{joint}{value}")));
            lists = grown.collect();
        }
        let grown = texts.iter().flat_map(|text| lists.iter().map(move |list| format!("{text}{list})")));
        texts = grown.collect();
        if texts.len() > MOST {
            return Err(refuse(format!("its open parameters have more than {MOST} combinations")));
        }
        rest = &rest[close + 1..];
    }
    texts.iter().map(|text| Chain::parse(&format!("{text}{rest}"))).collect()
}

/// `name=value` for every value that a part of a parameter list stands for.
fn open_values(id: &str, part: &str) -> Vec<String> {
    let closed = || vec![part.to_owned()];
    let Some((name, value)) = part.split_once('=') else { return closed() };
    if value.contains('|') {
        return value.split('|').map(|value| format!("{name}={}", value.trim())).collect();
    }
    let grid = GRIDS.iter().find(|(known, _)| *known == name.trim());
    match grid {
        Some((_, values)) if value.trim() == "auto" && !takes_auto(id, name.trim()) => {
            values.iter().map(|value| format!("{name}={value}")).collect()
        }
        _ => closed(),
    }
}

/// The card's parameter of a step that may be written `mad-plate`.
fn parameter(id: &str, name: &str) -> Option<&'static crate::Parameter> {
    let bare = ["-source", "-batch", "-plate"].into_iter().find_map(|unit| id.strip_suffix(unit));
    let kind = registry::lookup(id).ok().or_else(|| registry::lookup(bare?).ok())?;
    kind.card.parameters.iter().find(|parameter| parameter.name == name)
}

fn takes_auto(id: &str, name: &str) -> bool {
    parameter(id, name).is_some_and(|parameter| parameter.values.contains("auto"))
}

/// Whether a step has a ridge that its other settings leave unused.
fn ridge_is_idle(id: &str, list: &str) -> bool {
    let shrinkage =
        list.split(',').filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim() == "shrinkage");
    parameter(id, "shrinkage").is_some() && shrinkage.is_none_or(|(_, value)| value.trim() != "ridge")
}

/// Whether a text leaves a parameter open.
pub fn is_open(text: &str) -> bool {
    presets::lookup(text.trim()).is_none() && candidates(text).is_ok_and(|chains| chains.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shorts(text: &str) -> Vec<String> {
        candidates(text).unwrap().iter().map(Chain::short).collect()
    }

    #[test]
    fn values_are_combined_in_order_and_closed_chains_are_themselves() {
        assert_eq!(
            shorts("mad-plate > sphere(shrinkage=ridge, ridge=0.01|1)"),
            ["mad > sphere(shrinkage=ridge, ridge=0.01)", "mad > sphere(shrinkage=ridge, ridge=1)"]
        );
        assert_eq!(shorts("sphere(epsilon=0.1|1) > remove-components(k=2|3)").len(), 4, "every combination");
        assert_eq!(shorts("harmony(theta=auto)"), ["harmony"]);
        assert_eq!(shorts("harmony(theta=1|4)").len(), 2);
        assert_eq!(shorts("arevalo2024 > combat").len(), 1);
        assert_eq!(shorts("none"), ["none"]);
        assert!(is_open("tvn(ridge=auto)") && !is_open("tvn") && !is_open("nothing(k=1|2)"));
    }

    #[test]
    fn auto_is_the_grid_of_the_parameter() {
        assert_eq!(shorts("sphere-plate(shrinkage=ridge, ridge=auto)").len(), 5);
        assert_eq!(shorts("tvn(ridge=auto)").len(), 5);
    }

    #[test]
    fn breaches_are_named() {
        let message = |text: &str| candidates(text).unwrap_err().to_string();
        assert!(message("sphere(ridge=auto)").contains("shrinkage=ridge"));
        assert!(message("sphere(epsilon=1|x)").contains("a number of at least 0"));
        let long: Vec<String> = (1..=65).map(|k| k.to_string()).collect();
        assert!(message(&format!("remove-components(k={})", long.join("|"))).contains("more than 64"));
        assert!(message("sphere(epsilon=1|2").contains("not closed"));
        assert!(message("sphere(method=pca|)").contains("not `parameter=value`"));
    }
}
