//! Nearest replicates: hit at k, precision at k, reciprocal rank.
//!
//! # What
//! Every well ranks all wells of the table; right answers are wells of its compound other than itself.
//!
//! # Formula
//! Hit at k: probability that a right answer is among the first k. Precision at k: expected share of right answers
//! among them. MRR: expected reciprocal rank of the first. All are expectations over the orders of equal distances, so
//! that a constant embedding is at chance. Means over the wells of a compound, then over compounds.
//!
//! # What it cannot show
//! Replicates of one batch are usually the nearest: a table with replicates in one batch only is easy. Values depend
//! on how many replicates and how many compounds there are; parts named `chance` say what random order gives.
//!
//! # Reference
//! cytominer-eval `hitk` and `precision_recall`; information retrieval since Voorhees 1999.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::label::by_level;
use super::super::map::PairRule;
use super::super::map::run::{key, ranked};
use super::super::support::columns::compound;
use super::super::support::ranking::Ranking;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, NullCost, Part, Roles, Space};

/// Replicates in other wells, against all other compounds.
pub static RULE: PairRule<'static> =
    PairRule { pos_sameby: &["compound"], pos_diffby: &["well"], neg_sameby: &[], neg_diffby: &["compound"] };

/// The most ranks that a reading asks for.
const FIRST: usize = 10;

#[derive(Clone, Copy, Debug)]
enum Reading {
    Hit(usize),
    Precision(usize),
    ReciprocalRank,
}

/// One reading of the ranking.
#[derive(Clone, Copy, Debug)]
pub struct Nearest {
    card: &'static EmbeddingCard,
    reading: Reading,
}

macro_rules! nearest {
    ($name:ident, $reading:expr, $id:literal, $title:literal, $what:literal, $formula:literal) => {
        #[doc = $title]
        pub static $name: Nearest = Nearest {
            card: &card! {
                id: $id, title: $title, what: $what, formula: $formula, better: "higher", range: "0 to 1",
                limits: "Depends on the number of replicates and compounds, see the part `chance`; replicates of one \
    batch are the easiest. Constant embedding: chance.",
                reference: "cytominer-eval; Voorhees 1999", side: Biology,
                dialect: "all treated rows, replicates in other wells, ties averaged", best: "one-hot-compound", worst: "noise",
            },
            reading: $reading,
        };
    };
}

nearest!(
    HIT_AT_1,
    Reading::Hit(1),
    "hit-at-1",
    "Hit at 1",
    "Probability that the nearest profile is a replicate.",
    "mean over compounds and rows of P(replicate among the first 1)"
);
nearest!(
    HIT_AT_10,
    Reading::Hit(FIRST),
    "hit-at-10",
    "Hit at 10",
    "Probability that a replicate is among the ten nearest.",
    "mean over compounds and rows of P(replicate among the first 10)"
);
nearest!(
    PRECISION_AT_10,
    Reading::Precision(FIRST),
    "precision-at-10",
    "Precision at 10",
    "Share of replicates among the ten nearest.",
    "mean over compounds and rows of E(replicates among the first 10) / 10"
);
nearest!(
    MRR,
    Reading::ReciprocalRank,
    "replicate-mrr",
    "Mean reciprocal rank of replicates",
    "How early the first replicate comes.",
    "mean over compounds and rows of E(1 / rank of the first replicate)"
);

impl Reading {
    fn of(self, ranking: &Ranking) -> f64 {
        match self {
            Reading::Hit(k) => ranking.hit(k),
            Reading::Precision(k) => ranking.precision(k),
            Reading::ReciprocalRank => ranking.reciprocal_rank(),
        }
    }

    /// What random order gives.
    fn chance(self, ranking: &Ranking) -> f64 {
        match self {
            Reading::Hit(k) => ranking.chance_of_a_hit(k),
            Reading::Precision(k) => {
                let all = ranking.positives + ranking.negatives;
                ranking.positives as f64 / all as f64 * k.min(all) as f64 / k as f64
            }
            Reading::ReciprocalRank => ranking.chance_reciprocal_rank(),
        }
    }
}

/// What a ranking of the whole table gives, or why there is none.
type Ranked = Result<Vec<(u32, Ranking)>, String>;

impl EmbeddingMetric for Nearest {
    fn card(&self) -> &'static EmbeddingCard {
        self.card
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        true
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let compounds = compound(roles)?;
        let ranked: Arc<Ranked> = space.remember(&format!("ranks/{}", key(roles, &RULE)?), || {
            ranked(space, roles, &RULE, FIRST, &|row, ranking| (row, ranking))
        });
        let ranked = ranked.as_ref().as_ref().map_err(Clone::clone)?;
        let spread = |value: &dyn Fn(&Ranking) -> f64| -> Vec<f64> {
            let mut rows = vec![f64::NAN; roles.layout.rows];
            ranked.iter().for_each(|(row, ranking)| rows[*row as usize] = value(ranking));
            rows
        };
        let rows = spread(&|ranking| self.reading.of(ranking));
        let mean = |parts: &[Part]| parts.iter().map(|part| part.value).sum::<f64>() / parts.len() as f64;
        let mut parts = by_level(compounds, "compound", &rows);
        let value = mean(&parts);
        // Chance depends on two counts alone, and takes a sum over all negatives.
        let counts = |ranking: &Ranking| (ranking.positives, ranking.negatives);
        let distinct: BTreeMap<(usize, usize), &Ranking> =
            ranked.iter().map(|(_, ranking)| (counts(ranking), ranking)).collect();
        let chances: BTreeMap<(usize, usize), f64> =
            distinct.into_iter().map(|(counts, ranking)| (counts, self.reading.chance(ranking))).collect();
        let chance = by_level(compounds, "compound", &spread(&|ranking| chances[&counts(ranking)]));
        parts.push(Part {
            unit: "chance",
            name: "random order".to_owned(),
            n: ranked.len(),
            value: mean(&chance),
            p: None,
        });
        Ok(Measured { value, n: ranked.len(), rows, mean_over: MeanOver::Compounds, parts })
    }
}
