//! Which of two models retrieves better, on the same galleries and images.
//!
//! The difference of every metric that is a mean over compounds, its interval from a bootstrap shared by the two,
//! and p from the sign-flip test by compound (see [`crate::aggregate::permutation`]). Holm's correction runs over
//! all comparisons returned: choose few metrics.

use bench_core::Seed;
use bench_core::record::Comparison;

use super::Retrieval;
use super::input::refuse;
use super::summarise::{bootstrap_seed, of_groups};
use crate::Error;
use crate::aggregate::{self, Outcomes, bootstrap};

/// Compares all pairs of models in every direction and in each of `metrics` that both were scored on. In the
/// result `split` is the direction and the size of the gallery, `probe` is `retrieval`.
///
/// # Errors
/// The models were not scored on the same plan and seed.
pub fn compare(results: &[&Retrieval], metrics: &[&str], permutations: usize) -> Result<Vec<Comparison>, Error> {
    let [first, rest @ ..] = results else { return Ok(Vec::new()) };
    for other in rest {
        let (a, b) = (&first.settings, &other.settings);
        if first.plan != other.plan || (a.seed, a.bootstrap, a.ties) != (b.seed, b.bootstrap, b.ties) {
            let (a, b) = (&first.model, &other.model);
            return Err(refuse(format!("models `{a}` and `{b}` were scored on different galleries or settings")));
        }
    }
    let cells: Vec<Outcomes> = results
        .iter()
        .flat_map(|result| &result.by_compound)
        .filter(|cell| metrics.contains(&cell.probe.as_str()))
        .cloned()
        .collect();
    let references: Vec<&Outcomes> = cells.iter().collect();
    let seed = bootstrap_seed(first.settings.seed);
    let draws = bootstrap(&of_groups(&first.unit_group), &references, first.settings.bootstrap, seed);
    let models: Vec<&str> = results.iter().map(|result| result.model.as_str()).collect();
    let permutation = Seed(first.settings.seed).derive("retrieval/permutation", 0);
    let mut comparisons = aggregate::compare(&cells, &draws, &models, permutations, permutation)?;
    for comparison in &mut comparisons {
        comparison.metric = std::mem::replace(&mut comparison.probe, "retrieval".to_owned());
    }
    Ok(comparisons)
}
