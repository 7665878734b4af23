//! Cross-modal retrieval: does an image find its molecule, and a molecule its images?
//!
//! # What it computes
//! Compounds are put into galleries of n ([`Plan`]). In a gallery each image ranks the molecules
//! ([`Direction::ImageToMolecule`]) and each molecule the images ([`Direction::MoleculeToImage`]) by
//! [`Similarity`]; [`Measure`]s say how far up the right answer came: hit rates, reciprocal ranks, precision, gain.
//!
//! # Path
//! [`Plan::new`] looks at keys and ids alone, so that all models meet the same galleries and images. [`evaluate`] ranks
//! with a model's embeddings and returns a [`Retrieval`]: every query's ranks, scores per draw, summaries with
//! chance level and intervals, and the random baseline. [`compare()`] tests pairs of models. [`compound_split`] holds
//! compounds out of training.
//!
//! # Why it is here
//! It is the first of the two tasks of Watkinson et al. 2023 (tables 1 and 2: galleries of 100).
//!
//! # Parity
//! The reference code passes distances as similarities, counts duplicates as wrong answers, averages a short last gallery
//! as if it were full, keeps metric state between models, and seeds nothing; none of this is repeated.
//!
//! # What it cannot show
//! A hit rate depends on the size of the gallery and on how alike its compounds are: compare within a plan only.
//!
//! # Example
//! ```
//! use bench_core::Matrix;
//! use bench_eval::retrieval::{Amount, Images, Molecules, Plan, Settings, evaluate};
//!
//! let keys: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
//! let molecule = Matrix::new(4, 2, vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0]);
//! let image = Matrix::new(4, 2, vec![0.9, 0.1, 0.1, 0.9, -0.9, 0.1, 0.9, -0.1]);
//! let molecules = Molecules { keys: &keys, identities: None, matrix: &molecule };
//! let images = Images { compounds: &keys, ids: &keys, matrix: &image };
//! let settings = Settings { gallery: Amount::All, metrics: vec!["hit-rate@1".into()], ..Settings::default() };
//! let plan = Plan::new(&molecules, &images, None, &settings)?;
//! let result = evaluate("mine", &plan, &molecules, &images, &settings)?;
//! assert_eq!(result.summaries[0].value, Some(0.75)); // the image of `d` looks like `a`
//! assert_eq!(result.baseline[0].value, Some(0.25));
//! # Ok::<(), bench_eval::Error>(())
//! ```

pub mod cards;
pub mod compare;
pub mod compound_split;
pub mod input;
pub mod measure;
pub mod plan;
pub mod query;
mod rank;
pub mod scores;
mod series;
pub mod settings;
mod similarity;
mod summarise;

pub use cards::{CARDS, DEFAULT_METRICS};
pub use compare::compare;
pub use input::{Images, Molecules};
pub use measure::Measure;
pub use plan::{Gallery, ImageName, Plan, Population};
pub use query::{Level, Query};
pub use scores::{RANDOM, Retrieval, RetrievalScore, RetrievalSummary};
pub use settings::{Amount, Direction, Duplicates, Protocol, Settings, Similarity, Ties};

use crate::Error;

/// Ranks and scores one model on a plan. `settings` are those of the plan.
///
/// # Errors
/// Settings out of range; an embedding of the plan is missing or not finite (it is named); molecules and images
/// have different numbers of dimensions.
pub fn evaluate(
    model: &str,
    plan: &Plan,
    molecules: &Molecules<'_>,
    images: &Images<'_>,
    settings: &Settings,
) -> Result<Retrieval, Error> {
    let measures = settings.check()?;
    let resolved = input::resolve(plan, molecules, images)?;
    let molecule = similarity::Side::new(molecules.matrix, &resolved.molecule_row);
    let image = similarity::Side::new(images.matrix, &resolved.image_row);
    let mut result = Retrieval {
        model: model.to_owned(),
        settings: settings.clone(),
        plan: plan.digest(),
        population: plan.population.clone(),
        masked: 0,
        zero_embeddings: molecule.zeros() + image.zeros(),
        queries: Vec::new(),
        scores: Vec::new(),
        summaries: Vec::new(),
        baseline: Vec::new(),
        by_compound: Vec::new(),
        unit_group: Vec::new(),
    };
    for &direction in &settings.directions {
        let queries = rank::rank(plan, &molecule, &image, direction, settings.similarity);
        let scored = summarise::summarise(model, plan, settings, &measures, direction, &queries);
        result.queries.extend(queries);
        result.scores.extend(scored.scores);
        result.summaries.extend(scored.summaries);
        result.baseline.extend(scored.baseline);
        result.by_compound.extend(scored.by_compound);
    }
    result.masked = result.queries.iter().map(|query| u64::from(query.masked)).sum();
    let (queried, _) = summarise::clusters(plan);
    result.unit_group = queried.iter().map(|&compound| plan.group[compound as usize]).collect();
    Ok(result)
}

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;
