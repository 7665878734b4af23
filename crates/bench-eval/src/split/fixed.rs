//! Folds that a user brings, as a table or a column of fold ids: protocol `fixed`.
//!
//! Each distinct id is held out in turn and the predictions of all folds are pooled, so that
//! anyone's published folds can be scored here. Rows without an id take no part.

use std::cmp::Ordering;
use std::collections::HashMap;

use bench_core::Card;

use super::draw::{MAX_FOLDS, refused};
use crate::{Fold, Role, SplitSet};

/// Card of the protocol's splits; the id is the name of the column.
pub static CARD: Card = Card {
    id: "fixed",
    title: "Fixed folds",
    what: "Holds out each fold id of a user's table in turn; every row with an id is tested once.",
    formula: "One fold per distinct id in natural order (numbers by value, then text), all predictions pooled before scoring.",
    better: "none",
    range: "none",
    limits: "As fair as the folds: the audit counts wells, plates, batches and sources that lie on both sides.",
    reference: "Same meaning as scikit-learn's PredefinedSplit, pooled",
};

/// Pooled folds from one optional fold id per row.
pub fn fixed(name: &str, fold_of_row: &[Option<String>]) -> SplitSet {
    let mut ids: Vec<&str> = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for id in fold_of_row.iter().flatten() {
        seen.entry(id).or_insert_with(|| {
            ids.push(id);
            ids.len()
        });
    }
    ids.sort_by(|a, b| natural(a, b));
    let number: HashMap<&str, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let refused = |reason| refused("fixed", name, "fold", true, reason);
    match ids.len() {
        0 => return refused("no row has a fold id".to_owned()),
        1 => return refused(format!("only one fold: `{}`", ids[0])),
        n if n > MAX_FOLDS => {
            return refused(format!("{n} folds would need as many fits; at most {MAX_FOLDS} are made"));
        }
        _ => {}
    }
    let of_row: Vec<Option<usize>> = fold_of_row.iter().map(|id| id.as_deref().map(|id| number[id])).collect();
    let folds = ids
        .iter()
        .enumerate()
        .map(|(held, id)| Fold {
            repeat: held as u32,
            seed: 0,
            held_out: vec![(*id).to_owned()],
            roles: of_row
                .iter()
                .map(|of_row| match of_row {
                    Some(fold) if *fold == held => Role::Test,
                    Some(_) => Role::Train,
                    None => Role::Unused,
                })
                .collect(),
        })
        .collect();
    SplitSet {
        protocol: "fixed".to_owned(),
        split: name.to_owned(),
        unit: "fold".to_owned(),
        pooled: true,
        folds,
        reason: None,
    }
}

/// Numbers by value before text; digits within text by value too (`fold2` before `fold10`).
fn natural(a: &str, b: &str) -> Ordering {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
    let by_value = match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => pieces(a).cmp(&pieces(b)),
    };
    by_value.then_with(|| a.cmp(b))
}

/// Runs of digits (by value: length without leading zeros, then digits) and of other text.
fn pieces(text: &str) -> Vec<(bool, usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    chars
        .chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit())
        .map(|run| {
            let is_text = !run[0].is_ascii_digit();
            let piece: String = run.iter().collect();
            let piece = if is_text { piece } else { piece.trim_start_matches('0').to_owned() };
            (is_text, if is_text { 0 } else { piece.len() }, piece)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_held_out_in_natural_order_and_rows_without_id_are_unused() {
        let ids = ["10", "2", "b", "fold10", "fold2", "", "2"];
        let ids: Vec<Option<String>> = ids.iter().map(|id| (!id.is_empty()).then(|| (*id).to_owned())).collect();
        let set = fixed("mine", &ids);
        let held: Vec<&str> = set.folds.iter().map(|fold| fold.held_out[0].as_str()).collect();
        assert_eq!(held, ["2", "10", "b", "fold2", "fold10"]);
        assert!(set.folds.iter().all(|fold| fold.roles[5] == Role::Unused));
        assert_eq!(set.folds[0].rows(Role::Test), [1, 6]);
        assert_eq!(set.folds[0].count(Role::Train), 4);
        assert!(set.pooled && set.reason.is_none());
    }

    #[test]
    fn one_fold_or_none_gives_a_reason() {
        assert_eq!(fixed("x", &[Some("1".to_owned())]).reason.as_deref(), Some("only one fold: `1`"));
        assert_eq!(fixed("x", &[None]).reason.as_deref(), Some("no row has a fold id"));
    }
}
