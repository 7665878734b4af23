//! The frame around all embedding metrics: controls, scaling, nulls, intervals, false discovery rates, totals.
//!
//! # What
//! [`measure`] runs a list of metrics on embeddings and on control embeddings made for the same rows, and gives one
//! [`EmbeddingScore`] per embedding, metric and unit: the value, the value scaled between the control embeddings that the
//! metric's card names, its permutation null with z and p, a 95 % interval, the reasons for what is missing of these, and
//! the flag of a guard that makes it doubtful. [`totals`] joins scores as packages and papers do.
//!
//! # Why
//! A batch score alone can be won by an embedding that says nothing: noise is mixed perfectly, and standard tools give a
//! constant embedding full marks. Beside its controls and its null a value can be read, and an embedding that a guard
//! calls collapsed has no scaled value, so that it wins nothing.
//!
//! # Where it fits
//! The metrics are in [`super::batch`], [`super::guard`] and the biology side; the run hands in embeddings that share
//! their rows.

mod controls;
mod interval;
mod jackknife;
mod null;
pub mod preset;
mod score;
mod settings;

#[cfg(test)]
mod interval_tests;
#[cfg(test)]
mod preset_chain_tests;
#[cfg(test)]
mod preset_tests;
#[cfg(test)]
mod tests;

use bench_core::record::EmbeddingScore;
use bench_core::{Factor, Layout, Matrix};

use super::batch::robustness::{self, RobustnessIndex};
use super::batch::robustness_pairs;
use super::{Roles, Space};
use jackknife::Jackknife;

pub use super::biology::map::fdr;
pub use preset::totals;
pub use settings::Settings;

/// One embedding of the rows.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Model.
    pub model: &'a str,
    /// Correction; `none` without one.
    pub correction: &'a str,
    /// Treated rows, `[n, d]`.
    pub treated: &'a Matrix,
    /// Negative controls, `[m, d]`, possibly none.
    pub controls: &'a Matrix,
}

/// What all embeddings share: the rows.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Label of every treated row.
    pub label: &'a Factor,
    /// Origin of every treated row.
    pub layout: &'a Layout,
    /// Origin of every negative control.
    pub controls: &'a Layout,
}

impl<'a> Rows<'a> {
    /// The roles with one nuisance unit.
    pub fn roles(&self, unit_name: &'a str, unit: &'a Factor) -> Roles<'a> {
        Roles { label: self.label, unit, unit_name, layout: self.layout, controls: self.controls }
    }
}

/// Scores of all subjects, then of the control embeddings, in order of metrics and units. `tick(done, total)` is called
/// after each metric of each embedding.
///
/// # Panics
/// If a matrix has not the rows of its layout.
pub fn measure(
    subjects: &[Subject<'_>],
    rows: &Rows<'_>,
    settings: &Settings<'_>,
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Vec<EmbeddingScore> {
    for subject in subjects {
        assert_eq!(subject.treated.rows(), rows.layout.rows, "one row per row of the layout");
        assert_eq!(subject.controls.rows(), rows.controls.rows, "one control per row of their layout");
    }
    let whole = Factor { levels: vec!["all".to_owned()], codes: vec![0; rows.layout.rows] };
    let units: Vec<(&str, &Factor)> =
        settings.units.iter().filter_map(|name| rows.layout.unit(name).map(|factor| (*name, factor))).collect();
    let made = controls::make(rows, &units, settings.seed);
    let spaces: Vec<Space<'_>> = subjects.iter().map(|subject| Space::new(subject.treated, subject.controls)).collect();
    let plates = plates_asked_for(rows, settings);
    let expect = |space: &Space<'_>| {
        if let Some(plates) = plates {
            space.plates.get_or_init(|| plates.clone());
        }
    };
    spaces.iter().for_each(expect);
    let k = shared_k(&spaces, rows, &units, settings);
    let share = |space: &Space<'_>| {
        if let Some(k) = k {
            space.robustness_k.get_or_init(|| k);
        }
    };
    let jackknife = Jackknife::new(rows, settings);
    let tables = score::Tables { rows, units: &units, whole: &whole, made: &made, settings, jackknife: &jackknife };
    // What metrics share about an embedding goes with it, so that memory does not grow with their number.
    let anchor_values: Vec<score::Outcomes> = made
        .iter()
        .map(|made| {
            let space = Space::new(&made.treated, &made.controls);
            expect(&space);
            share(&space);
            score::anchor_values(made, &space, &tables)
        })
        .collect();
    let total = (subjects.len() + made.len()) * settings.metrics.len();
    let mut scores = Vec::new();
    for (at, (subject, space)) in subjects.iter().zip(spaces).enumerate() {
        share(&space);
        let done = at * settings.metrics.len();
        let name = (subject.model, subject.correction);
        scores.extend(score::of_embedding(&space, name, &tables, &anchor_values, &|metric| tick(done + metric, total)));
    }
    for (at, made) in made.iter().enumerate() {
        scores.extend(score::of_control(at, made, &tables, &anchor_values));
        tick((subjects.len() + at + 1) * settings.metrics.len(), total);
    }
    scores
}

/// Metrics that ask for neighbours on other plates.
fn of_other_plates() -> [&'static str; 3] {
    [robustness::PLATE_CARD.card.id, robustness::EARLIER_CARD.card.id, robustness_pairs::CARD.card.id]
}

/// The plates, if a metric asks for neighbours on other ones.
fn plates_asked_for<'a>(rows: &Rows<'a>, settings: &Settings<'_>) -> Option<&'a Factor> {
    let asked = settings.metrics.iter().any(|metric| of_other_plates().contains(&metric.card().card.id));
    rows.layout.plate.as_ref().filter(|_| asked)
}

/// Neighbours of the robustness index: the median over the subjects of the best label vote.
fn shared_k(
    spaces: &[Space<'_>],
    rows: &Rows<'_>,
    units: &[(&str, &Factor)],
    settings: &Settings<'_>,
) -> Option<usize> {
    // Any form and unit in which it is defined: the vote asks for neither.
    let plate = of_other_plates();
    let well = [robustness::WELL_CARD.card.id];
    let forms = [(RobustnessIndex::Plate, plate.as_slice()), (RobustnessIndex::Well, well.as_slice())];
    let asked = |ids: &[&str]| settings.metrics.iter().any(|metric| ids.contains(&metric.card().card.id));
    let wanted = forms.iter().filter(|(_, ids)| asked(ids)).map(|(form, _)| form);
    for form in wanted {
        for &(name, unit) in units {
            let roles = rows.roles(name, unit);
            let best: Vec<usize> = spaces.iter().filter_map(|space| form.best_k(space, &roles).ok()).collect();
            if let Some(k) = robustness::median_k(&best) {
                return Some(k);
            }
        }
    }
    None
}
