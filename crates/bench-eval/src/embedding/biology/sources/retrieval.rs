//! Cross-source retrieval: a compound's profile in one source finds it in another.
//!
//! # What
//! The mean profile of a compound in source A ranks the mean profiles of all compounds of source B by cosine distance.
//!
//! # Formula
//! Hit at 1, 5, 10, MRR of the compound itself; as it is the only right answer, its average precision is the
//! reciprocal rank. By label: average precision of B's other compounds with a common label, normalised as in mAP.
//! Expectations over equal distances. Means over queries, then over ordered pairs of sources.
//!
//! # What it cannot show
//! Compounds in one source only take part as wrong answers. A large gallery is harder; parts give `n` queries, and the
//! normalised label value has its chance at 0.
//!
//! # Reference
//! Retrieval as in Arevalo 2024's and JUMP's cross-site matching; Voorhees 1999 for MRR.

use bench_core::Matrix;

use super::super::support::columns::{Centroids, LabelSets, compound, sources};
use super::super::support::profiles::Profiles;
use super::super::support::ranking::{Negatives, Query, Questions, Ranking, normalised, rank};
use super::mean_of;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Groups, MeanOver, Measured, NullCost, Part, Roles, Space};

#[derive(Clone, Copy, Debug)]
enum Reading {
    Hit(usize),
    ReciprocalRank,
    Labels,
}

/// One reading of the ranking of one source by another.
#[derive(Clone, Copy, Debug)]
pub struct CrossSource {
    card: &'static EmbeddingCard,
    reading: Reading,
}

macro_rules! cross_source {
    ($name:ident, $reading:expr, $id:literal, $title:literal, $what:literal, $formula:literal, $range:literal, $best:literal, $constant:literal) => {
        #[doc = $title]
        pub static $name: CrossSource = CrossSource {
            card: &card! {
                id: $id, title: $title, what: $what, formula: $formula, better: "higher", range: $range,
                limits: concat!(
                    "A larger gallery is harder. Compounds of one source only are wrong answers, never questions. \
                     Constant embedding: ",
                    $constant,
                    "."
                ),
                reference: "Voorhees 1999; cross-site matching of JUMP", side: Biology,
                dialect: "mean profiles per compound and source, cosine, ties averaged", best: $best, worst: "one-hot-source",
            },
            reading: $reading,
        };
    };
}

cross_source!(
    HIT_AT_1,
    Reading::Hit(1),
    "cross-source-hit-at-1",
    "Cross-source hit at 1",
    "Whether a compound's profile is nearest to the same compound in another source.",
    "mean over pairs of sources and compounds of P(rank = 1)",
    "0 to 1",
    "one-hot-compound",
    "chance"
);
cross_source!(
    HIT_AT_5,
    Reading::Hit(5),
    "cross-source-hit-at-5",
    "Cross-source hit at 5",
    "Whether the same compound in another source is among the five nearest.",
    "mean over pairs of sources and compounds of P(rank <= 5)",
    "0 to 1",
    "one-hot-compound",
    "chance"
);
cross_source!(
    HIT_AT_10,
    Reading::Hit(10),
    "cross-source-hit-at-10",
    "Cross-source hit at 10",
    "Whether the same compound in another source is among the ten nearest.",
    "mean over pairs of sources and compounds of P(rank <= 10)",
    "0 to 1",
    "one-hot-compound",
    "chance"
);
cross_source!(
    MRR,
    Reading::ReciprocalRank,
    "cross-source-mrr",
    "Cross-source mean reciprocal rank",
    "How early a compound finds itself in another source; its average precision, as there is one right answer.",
    "mean over pairs of sources and compounds of E(1 / rank)",
    "0 to 1",
    "one-hot-compound",
    "chance"
);
cross_source!(
    LABEL_MAP,
    Reading::Labels,
    "cross-source-label-map",
    "Cross-source retrieval by label, normalised mAP",
    "Whether a compound finds other compounds of its label in another source.",
    "mean over pairs of sources and compounds of (AP - mu) / (1 - mu)",
    "-1 to 1",
    "one-hot-label",
    "0"
);

impl EmbeddingMetric for CrossSource {
    fn card(&self) -> &'static EmbeddingCard {
        self.card
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        !matches!(self.reading, Reading::Labels)
    }

    fn labels_compounds(&self) -> bool {
        matches!(self.reading, Reading::Labels)
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let (compounds, factor) = (compound(roles)?, sources(roles)?);
        let centroids = Centroids::of(space, compounds, factor);
        let none = Matrix::zeros(0, space.treated.cols());
        let cells = Space::new(&centroids.matrix, &none);
        let profiles = Profiles::treated(&cells);
        let galleries = centroids.by_source();
        let labels = cell_labels(roles, &centroids);
        let by_label = matches!(self.reading, Reading::Labels);
        let (mut queries, mut positives, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        for (a, asking) in galleries.iter().enumerate() {
            for (b, gallery) in galleries.iter().enumerate().filter(|&(b, _)| b != a) {
                for &row in asking {
                    let same = |other: &u32| centroids.compound[*other as usize] == centroids.compound[row as usize];
                    let right: Vec<u32> = if by_label {
                        let shares = |other: &u32| {
                            let (of, set) = (&labels[*other as usize], &labels[row as usize]);
                            set.iter().any(|label| of.binary_search(label).is_ok())
                        };
                        gallery.iter().copied().filter(|other| !same(other) && shares(other)).collect()
                    } else {
                        gallery.iter().copied().filter(same).collect()
                    };
                    if !right.is_empty() {
                        queries.push(Query { row, group: positives.len() as u32, pool: b as u32 });
                        positives.push(right);
                        pairs.push((a, b));
                    }
                }
            }
        }
        let negatives = if by_label {
            Negatives { differ: vec![&centroids.compound], disjoint: Some(&labels) }
        } else {
            Negatives { differ: vec![&centroids.compound], disjoint: None }
        };
        let questions = Questions { queries: &queries, groups: &positives, apart: &[], pools: &galleries, negatives };
        let rankings = rank(&profiles, &questions, usize::MAX, &|_, ranking| ranking);
        let value = |ranking: &Ranking| match self.reading {
            Reading::Hit(k) => ranking.hit(k),
            Reading::ReciprocalRank => ranking.reciprocal_rank(),
            Reading::Labels => normalised(ranking.average_precision(), ranking.positives, ranking.negatives),
        };
        let mut parts: Vec<Part> = Vec::new();
        let mut groups = Groups { of: "compound", ..Groups::default() };
        for (asked, asking, rankings) in pairs.chunk_by(|a, b| a == b).scan(0, |start, chunk| {
            let from = *start;
            *start += chunk.len();
            Some((chunk[0], &queries[from..*start], &rankings[from..*start]))
        }) {
            let scored = asking.iter().zip(rankings).filter(|(_, ranking)| ranking.counts());
            let (of, counted): (Vec<u32>, Vec<f64>) =
                scored.map(|(query, ranking)| (centroids.compound[query.row as usize], value(ranking))).unzip();
            if !counted.is_empty() {
                groups.within.extend(std::iter::repeat_n(parts.len() as u32, of.len()));
                groups.group.extend(of);
                groups.values.extend(&counted);
                parts.push(Part {
                    unit: "source-source",
                    name: format!("{} > {}", centroids.names[asked.0], centroids.names[asked.1]),
                    n: counted.len(),
                    value: counted.iter().sum::<f64>() / counted.len() as f64,
                    p: None,
                });
            }
        }
        let why = if by_label {
            "no two sources have compounds of a common label"
        } else {
            "no two sources share a compound"
        };
        Ok(Measured {
            value: mean_of(&parts, why)?,
            n: parts.iter().map(|part| part.n).sum(),
            mean_over: MeanOver::Groups(groups),
            parts,
            ..Measured::default()
        })
    }
}

/// Labels of the compound of each cell, ascending.
fn cell_labels(roles: &Roles<'_>, centroids: &Centroids) -> Vec<Vec<u32>> {
    let sets = LabelSets::new(roles.label);
    let compounds = roles.layout.compound.as_ref().map_or(&[][..], |factor| factor.codes.as_slice());
    let mut of = vec![Vec::new(); compounds.iter().max().map_or(0, |&last| last as usize + 1)];
    for (row, &compound) in compounds.iter().enumerate() {
        of[compound as usize].extend_from_slice(&sets.of_level[roles.label.code(row)]);
    }
    of.iter_mut().for_each(|labels: &mut Vec<u32>| {
        labels.sort_unstable();
        labels.dedup();
    });
    centroids.compound.iter().map(|&compound| of[compound as usize].clone()).collect()
}
