//! Control embeddings: inputs whose verdict is known, run through the same path as the models.
//!
//! # What
//! Four control embeddings and one set of control labels. [`chance`] says what a predictor that
//! knows nothing scores on a split, [`rules`] checks that every control scores what it must.
//!
//! # Why
//! A score means little until something that cannot be good is seen to score badly, and something
//! that must be perfect is seen to be perfect. Standard tools give a constant embedding full
//! marks for batch mixing; here it has to lose.
//!
//! # What it cannot show
//! That a metric is the right one; only that the path from features to score is in order.
//!
//! # Reference
//! The control methods of openproblems' batch-integration task (shuffles and one-hot embeddings).
//!
//! # Where it fits
//! The run makes the controls of the suite beside the models, scores them on the same splits, and
//! hands the summaries to [`rules::check`]. A new control is one file with a card and two lines
//! here.

use bench_core::{Card, Factor, Layout, Matrix, Seed, suggest};

use crate::Error;

pub mod chance;
pub mod constant;
pub mod noise;
pub mod one_hot_label;
pub mod one_hot_source;
pub mod rules;
pub mod shuffled_labels;

pub use chance::ChanceBand;

/// What a control puts in the place of the real thing.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// Features, to be scored against the real labels; one row per row of the layout.
    Features(Matrix),
    /// Labels, against which the features of a real model are scored; levels as in the real ones.
    Labels(Factor),
}

/// A control embedding.
pub trait Control: Sync {
    /// What it is.
    fn card(&self) -> &'static Card;

    /// Makes it for the rows of `layout`, whose labels are `label`. `seed` is the run's seed.
    ///
    /// # Errors
    /// The reason why these rows cannot have it.
    fn make(&self, layout: &Layout, label: &Factor, seed: Seed) -> Result<Made, String>;
}

/// All controls, in order of report.
pub static CONTROLS: [&dyn Control; 5] = [
    &constant::Constant,
    &noise::Noise,
    &one_hot_label::OneHotLabel,
    &one_hot_source::OneHotSource,
    &shuffled_labels::ShuffledLabels,
];

/// The control of an id.
///
/// # Errors
/// An unknown id, with the closest valid one.
pub fn lookup(id: &str) -> Result<&'static dyn Control, Error> {
    CONTROLS.into_iter().find(|control| control.card().id == id).ok_or_else(|| {
        let ids = CONTROLS.iter().map(|control| control.card().id);
        Error::UnknownId {
            kind: "control",
            id: id.to_owned(),
            suggestion: suggest::closest(id, ids).map(str::to_owned),
        }
    })
}

/// One column per level, one in the column of the row's level.
fn one_hot(factor: &Factor) -> Matrix {
    let mut matrix = Matrix::zeros(factor.len(), factor.level_count());
    let cols = matrix.cols();
    for (row, &code) in factor.codes.iter().enumerate() {
        matrix.data_mut()[row * cols + code as usize] = 1.0;
    }
    matrix
}

#[cfg(test)]
mod path_tests;

/// What `bench new` writes; its test is to fail until it is filled in.
#[cfg(test)]
#[path = "../../../bench-run/src/scaffold/templates/control.rs"]
pub mod template_control;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_is_found_by_its_id_and_a_typo_by_the_closest() {
        for control in CONTROLS {
            assert_eq!(lookup(control.card().id).unwrap().card(), control.card());
        }
        match lookup("one-hot-lable") {
            Err(Error::UnknownId { suggestion, .. }) => assert_eq!(suggestion.as_deref(), Some("one-hot-label")),
            _ => panic!("not a control"),
        }
    }

    #[test]
    fn one_hot_rows_name_their_level() {
        let matrix = one_hot(&Factor { levels: vec!["a".into(), "b".into(), "c".into()], codes: vec![2, 0] });
        assert_eq!(matrix.data(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    }
}
