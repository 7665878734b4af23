//! All corrections by id.

use bench_core::suggest;

use crate::correction::{Correction, CorrectionCard};
use crate::params::{Reader, Setting};
use crate::{Error, presets};

/// A correction that can be named.
pub struct Kind {
    /// Its card.
    pub card: &'static CorrectionCard,
    pub(crate) build: fn(&mut Reader) -> Result<Box<dyn Correction>, Error>,
}

/// A correction with its settings.
pub(crate) struct Built {
    pub(crate) correction: Box<dyn Correction>,
    pub(crate) settings: Vec<Setting>,
}

macro_rules! kinds {
    ($($module:ident),+ $(,)?) => {
        [$(Kind { card: &crate::$module::CARD, build: crate::$module::build }),+]
    };
}

/// All corrections, in order of report.
pub static KINDS: [Kind; 18] = kinds![
    centre,
    standardise,
    robust,
    mad,
    int,
    variant,
    select,
    sphere,
    zca_corr,
    tvn,
    pca_cs,
    coral,
    remove_components,
    combat,
    harmony,
    mnn,
    fast_mnn,
    scanorama,
];

/// Cards of all corrections, in order of report.
pub fn cards() -> impl Iterator<Item = &'static CorrectionCard> {
    KINDS.iter().map(|kind| kind.card)
}

/// Ids of all corrections, in order of report.
pub fn list() -> impl Iterator<Item = &'static str> {
    cards().map(|card| card.card.id)
}

/// The correction of an id.
///
/// # Errors
/// An unknown id, with the closest valid one or preset.
pub fn lookup(id: &str) -> Result<&'static Kind, Error> {
    KINDS.iter().find(|kind| kind.card.card.id == id).ok_or_else(|| Error::UnknownId {
        id: id.to_owned(),
        suggestion: suggest::closest(id, list().chain(presets::list())).map(str::to_owned),
    })
}

/// Builds the correction of an id; `mad-plate` stands for `mad(by=plate)`.
pub(crate) fn build(id: &str, mut given: Vec<(String, String)>) -> Result<(&'static Kind, Built), Error> {
    let short = ["source", "batch", "plate"].into_iter().find_map(|unit| {
        let kind = lookup(id.strip_suffix(unit)?.strip_suffix('-')?).ok()?;
        kind.card.parameters.iter().any(|parameter| parameter.name == "by").then_some((kind, unit))
    });
    let kind = match (lookup(id), short) {
        (Ok(kind), _) => kind,
        (Err(_), Some((kind, unit))) => {
            given.push(("by".to_owned(), unit.to_owned()));
            kind
        }
        (Err(error), None) => return Err(error),
    };
    let mut reader = Reader::new(kind.card.card.id, kind.card.parameters, given)?;
    let correction = (kind.build)(&mut reader)?;
    Ok((kind, Built { correction, settings: reader.finish() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_found_and_its_defaults_build_the_correction() {
        for card in cards() {
            let id = card.card.id;
            assert!(std::ptr::eq(lookup(id).unwrap().card, card));
            let (_, built) = build(id, Vec::new()).unwrap();
            assert_eq!(built.settings.len(), card.parameters.len(), "`{id}` reads every parameter of its card");
            assert!(built.settings.iter().all(|setting| setting.is_default), "{id}: {:?}", built.settings);
            assert!(!card.card.what.is_empty() && !card.card.limits.is_empty() && !card.dialect.is_empty());
            assert_ne!(built.correction.scope(), crate::Scope::Chosen, "{id}");
        }
    }

    #[test]
    fn a_mistyped_correction_is_answered_with_the_closest_one() {
        let suggestion = |id: &str| match lookup(id) {
            Err(Error::UnknownId { suggestion, .. }) => suggestion,
            _ => panic!("`{id}` is no correction"),
        };
        assert_eq!(suggestion("spere").as_deref(), Some("sphere"));
        assert_eq!(suggestion("standardize").as_deref(), Some("standardise"));
        assert_eq!(suggestion("xyzzy"), None);
    }
}
