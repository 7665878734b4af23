//! Enrichment of related pairs among the most similar ones.
//!
//! # What
//! Of all pairs of wells the 1 % of largest cosine similarity are taken; related pairs (of one compound, or of one
//! label and different compounds) should be among them more often than others.
//!
//! # Formula
//! `log2 of ((a + 1/2)(d + 1/2) / ((b + 1/2)(c + 1/2)))` with `a`, `b` related pairs above and below the threshold,
//! `c`, `d` the others; the half keeps it finite. p of the part is Fisher's exact test, one-sided, of the rounded
//! table; pairs are not independent, so it is a description, not a test. Pairs exactly at the threshold count in part.
//!
//! # What it cannot show
//! Which pairs: a batch with similar wells fills the top with its own.
//!
//! # Reference
//! cytominer-eval `enrichment`, which reports the odds ratio without the half; `scipy.stats.fisher_exact`.

use super::super::support::columns::{LabelSets, compound, wells};
use super::super::support::pairs::{Top, split};
use super::super::support::profiles::Profiles;
use super::super::support::stats::fisher_greater;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Space};

/// Share of pairs that is taken.
pub const TOP: f64 = 0.01;

const FORMULA: &str = "log2((a + 1/2)(d + 1/2) / ((b + 1/2)(c + 1/2))), a related pairs in the top 1 %, b below, c and d \
                       the others";
const LIMITS: &str = "Not which pairs: a batch with similar wells fills the top with its own. Pairs are not independent, \
                      so p only describes. Constant embedding: about 0.";

static CARD: EmbeddingCard = card! {
    id: "enrichment", title: "Enrichment of replicates",
    what: "How much more often pairs of one compound are among the 1 % most similar pairs of wells.",
    formula: FORMULA, better: "higher", range: "no bounds, 0 is chance", limits: LIMITS,
    reference: "cytominer-eval enrichment; Fisher 1922", side: Biology,
    dialect: "cytominer-eval, log2 odds ratio with a half added, ties in part", best: "one-hot-compound", worst: "noise",
};

static LABEL_CARD: EmbeddingCard = card! {
    id: "enrichment-label", title: "Enrichment of labels",
    what: "How much more often pairs of one label and different compounds are among the 1 % most similar pairs of wells.",
    formula: FORMULA, better: "higher", range: "no bounds, 0 is chance", limits: LIMITS,
    reference: "cytominer-eval enrichment; Fisher 1922", side: Biology,
    dialect: "cytominer-eval, log2 odds ratio with a half added, ties in part", best: "one-hot-label", worst: "noise",
};

/// Pairs of one compound.
#[derive(Clone, Copy, Debug)]
pub struct Enrichment;

/// Pairs of one label.
#[derive(Clone, Copy, Debug)]
pub struct LabelEnrichment;

/// The table `[a, b, c, d]` of related and other pairs above and below the threshold.
pub(crate) fn table(
    space: &Space<'_>,
    top: f64,
    related: &(impl Fn(usize, usize) -> Option<bool> + Sync),
) -> Result<[f64; 4], String> {
    let kind = |a: usize, b: usize| related(a, b).map(usize::from);
    // The most similar pairs do not depend on who is related to whom: both metrics and all permutations read them.
    let kept = space.remember(&format!("top-pairs/{top}"), || Top::new(&Profiles::treated(space), top));
    let found = match kept.as_ref().as_ref().and_then(|kept| kept.split(top, 2, &kind)) {
        Some(found) => found,
        None => split(&Profiles::treated(space), top, false, 2, &kind)?,
    };
    let below = |kind: usize| found.total[kind] as f64 - found.above[kind];
    if found.total[1] == 0 || found.total[0] == 0 {
        return Err("there are no related pairs, or no others".to_owned());
    }
    Ok([found.above[1], below(1), found.above[0], below(0)])
}

fn measured(table: [f64; 4]) -> Measured {
    let [a, b, c, d] = table;
    let value = ((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5))).log2();
    let p = fisher_greater(table.map(|count| count.round() as u64));
    let n = (a + b) as usize;
    Measured {
        value,
        n,
        parts: vec![Part { unit: "pairs", name: "related".to_owned(), n, value: a / (a + b), p: Some(p) }],
        ..Measured::default()
    }
}

impl EmbeddingMetric for Enrichment {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        true
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let (compounds, wells) = (compound(roles)?, wells(roles.layout));
        let related = |a: usize, b: usize| (wells[a] != wells[b]).then(|| compounds.codes[a] == compounds.codes[b]);
        Ok(measured(table(space, TOP, &related)?))
    }
}

impl EmbeddingMetric for LabelEnrichment {
    fn card(&self) -> &'static EmbeddingCard {
        &LABEL_CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn labels_compounds(&self) -> bool {
        true
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let compounds = compound(roles)?;
        let sets = LabelSets::new(roles.label);
        let levels = sets.of_level.len();
        let meet = |a: usize, b: usize| {
            a == b || sets.of_level[a].iter().any(|label| sets.of_level[b].binary_search(label).is_ok())
        };
        // Looked up for every pair of rows.
        let table_of_levels: Vec<bool> = (0..levels * levels).map(|at| meet(at / levels, at % levels)).collect();
        let share = |a: usize, b: usize| table_of_levels[roles.label.code(a) * levels + roles.label.code(b)];
        let related = |a: usize, b: usize| (compounds.codes[a] != compounds.codes[b]).then(|| share(a, b));
        Ok(measured(table(space, TOP, &related)?))
    }
}
