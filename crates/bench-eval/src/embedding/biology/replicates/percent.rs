//! Percent replicating and percent matching.
//!
//! # What
//! Replicating: the share of compounds whose wells correlate more than wells of different compounds do. Matching: the
//! share of labels whose compounds' median profiles correlate more than those of compounds without a common label.
//!
//! # Formula
//! Share of groups whose median pairwise Pearson correlation is above the 95 % quantile of the medians of 1000 random
//! groups of the same size, of whose pairs only those of different compounds (labels) count. Parts carry
//! `p = (1 + count of null medians as large) / 1001`.
//!
//! # Deviations
//! JUMP's notebooks draw groups of different compounds; where a compound has more wells than there are other compounds
//! that is impossible, so rows are drawn and pairs of one compound left out.
//!
//! # What it cannot show
//! By construction 5 % of the groups pass at random. A shared well position replicates too.
//!
//! # Reference
//! Way et al. 2022; the JUMP pilots (Chandrasekaran et al., Nature Methods 21:1114, 2024).

use bench_core::number::quantile_sorted;
use bench_core::{Factor, Matrix, Seed};
use rayon::prelude::*;

use super::super::support::columns::{LabelSets, compound, compound_medians, wells};
use super::super::support::stats::median;
use super::standardised;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, NullCost, Part, Roles, Space};
use bench_geometry::product::products;

/// Random groups per size.
const DRAWS: usize = 1000;
/// Quantile of the null above which a group passes.
const QUANTILE: f64 = 0.95;

/// Either of the two.
#[derive(Clone, Copy, Debug)]
pub struct Percent {
    card: &'static EmbeddingCard,
    matching: bool,
}

const FORMULA: &str = "share of groups with median Pearson correlation above the 95 % quantile of 1000 random groups of \
                       the same size";

/// Wells of a compound.
pub static REPLICATING: Percent = Percent {
    card: &card! {
        id: "percent-replicating", title: "Percent replicating",
        what: "Share of compounds whose wells correlate more than wells of different compounds.", formula: FORMULA,
        better: "higher", range: "0 to 1", limits: "About 5 % pass at random; a shared well position replicates too. \
                 Constant embedding: 0.",
        reference: "Chandrasekaran et al., Nature Methods 21:1114 (2024)", side: Biology,
        dialect: "JUMP pilots, Pearson, size-matched null of 1000", best: "one-hot-compound", worst: "noise",
    },
    matching: false,
};

/// Compounds of a label.
pub static MATCHING: Percent = Percent {
    card: &card! {
        id: "percent-matching", title: "Percent matching",
        what: "Share of labels whose compounds correlate more than compounds without a common label.", formula: FORMULA,
        better: "higher", range: "0 to 1", limits: "About 5 % pass at random; few labels have many compounds. \
                 Constant embedding: 0.",
        reference: "Chandrasekaran et al., Nature Methods 21:1114 (2024)", side: Biology,
        dialect: "JUMP pilots, Pearson of median profiles, size-matched null of 1000", best: "one-hot-label", worst: "noise",
    },
    matching: true,
};

/// Groups of rows; which pairs of a group and which pairs of a random group count.
struct Groups<'a> {
    rows: Vec<(String, Vec<u32>)>,
    counts: &'a (dyn Fn(usize, usize) -> bool + Sync),
    is_null: &'a (dyn Fn(usize, usize) -> bool + Sync),
}

/// Median correlation of the pairs of `rows` that count; `NaN` if none does.
fn median_correlation(data: &[f64], dims: usize, rows: &[u32], counts: &(dyn Fn(usize, usize) -> bool + Sync)) -> f64 {
    let all = correlations(data, dims, rows);
    let mut values = Vec::new();
    for (i, &a) in rows.iter().enumerate() {
        for (j, &b) in rows.iter().enumerate().skip(i + 1) {
            if counts(a as usize, b as usize) {
                values.push(all[i * rows.len() + j]);
            }
        }
    }
    median(&mut values)
}

/// Medians of [`DRAWS`] random groups of every size (ascending), sorted.
///
/// The first rows of a random order are a random group whatever their number: one order per draw serves all sizes.
fn null_medians(
    data: &[f64],
    dims: usize,
    sizes: &[usize],
    is_null: &(dyn Fn(usize, usize) -> bool + Sync),
    unit: &str,
) -> Vec<Vec<f64>> {
    let Some(&largest) = sizes.last() else { return Vec::new() };
    let drawn: Vec<Vec<f64>> = (0..DRAWS)
        .into_par_iter()
        .map(|draw| {
            let mut stream = Seed(0).derive(&format!("percent/{unit}"), draw as u64).stream();
            let rows = stream.sample(data.len() / dims, largest);
            let all = correlations(data, dims, &rows);
            let (mut values, mut next) = (Vec::new(), 1);
            let medians = sizes.iter().map(|&size| {
                for j in next..size {
                    let counted = (0..j).filter(|&i| is_null(rows[i] as usize, rows[j] as usize));
                    values.extend(counted.map(|i| all[i * largest + j]));
                }
                next = size;
                // Selecting only reorders what is there.
                median(&mut values)
            });
            medians.collect()
        })
        .collect();
    let of_size = |at: usize| {
        let mut medians: Vec<f64> = drawn.iter().map(|draw| draw[at]).filter(|median| !median.is_nan()).collect();
        medians.sort_unstable_by(f64::total_cmp);
        medians
    };
    (0..sizes.len()).map(of_size).collect()
}

/// Correlations between some rows, `[rows, rows]`.
fn correlations(data: &[f64], dims: usize, rows: &[u32]) -> Vec<f64> {
    let mut block = Vec::with_capacity(rows.len() * dims);
    for &row in rows {
        block.extend_from_slice(&data[row as usize * dims..(row as usize + 1) * dims]);
    }
    let mut all = vec![0.0; rows.len() * rows.len()];
    products(&block, &block, dims, &mut all);
    all
}

fn percent(matrix: &Matrix, groups: &Groups<'_>, unit: &'static str) -> Result<Measured, String> {
    let (data, dims) = (standardised(matrix), matrix.cols());
    let observed: Vec<(&str, usize, f64)> = groups
        .rows
        .par_iter()
        .map(|(name, rows)| (name.as_str(), rows.len(), median_correlation(&data, dims, rows, groups.counts)))
        .filter(|(_, _, median)| !median.is_nan())
        .collect();
    let mut sizes: Vec<usize> = observed.iter().map(|group| group.1).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let nulls = null_medians(&data, dims, &sizes, groups.is_null, unit);
    let mut passed = Vec::new();
    let mut parts = Vec::new();
    for (name, n, median) in observed {
        let null = nulls[sizes.partition_point(|&size| size < n)].as_slice();
        if null.is_empty() {
            continue;
        }
        // Rounding must not let a constant embedding pass.
        passed.push(f64::from(u8::from(median > quantile_sorted(null, QUANTILE) + 1e-9)));
        let as_large = null.len() - null.partition_point(|&value| value < median - 1e-9);
        let p = (1 + as_large) as f64 / (1 + null.len()) as f64;
        parts.push(Part { unit, name: name.to_owned(), n, value: median, p: Some(p) });
    }
    if parts.is_empty() {
        return Err(format!("no {unit} has two members that can be compared, or none differs from the others"));
    }
    Ok(Measured {
        value: passed.iter().sum::<f64>() / parts.len() as f64,
        mean_over: MeanOver::Groups(crate::embedding::Groups::one_each(unit, passed)),
        n: parts.iter().map(|part| part.n).sum(),
        parts,
        ..Measured::default()
    })
}

impl EmbeddingMetric for Percent {
    fn card(&self) -> &'static EmbeddingCard {
        self.card
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        !self.matching
    }

    fn labels_compounds(&self) -> bool {
        self.matching
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let compounds = compound(roles)?;
        if self.matching { matching(space, roles, compounds) } else { replicating(space, roles, compounds) }
    }
}

fn replicating(space: &Space<'_>, roles: &Roles<'_>, compounds: &Factor) -> Result<Measured, String> {
    let wells = wells(roles.layout);
    let names = compounds.levels.iter().cloned();
    percent(
        space.treated,
        &Groups {
            rows: names.zip(compounds.members()).filter(|(_, rows)| rows.len() > 1).collect(),
            counts: &|a, b| wells[a] != wells[b],
            is_null: &|a, b| compounds.codes[a] != compounds.codes[b],
        },
        "compound",
    )
}

fn matching(space: &Space<'_>, roles: &Roles<'_>, compounds: &Factor) -> Result<Measured, String> {
    let members: Vec<Vec<u32>> = compounds.members().into_iter().filter(|rows| !rows.is_empty()).collect();
    let consensus = compound_medians(space, compounds);
    let sets = LabelSets::new(roles.label);
    let of: Vec<&[u32]> =
        members.iter().map(|rows| sets.of_level[roles.label.code(rows[0] as usize)].as_slice()).collect();
    let mut rows: Vec<(String, Vec<u32>)> = sets.names.iter().map(|name| (name.clone(), Vec::new())).collect();
    for (at, labels) in of.iter().enumerate() {
        for &label in *labels {
            rows[label as usize].1.push(at as u32);
        }
    }
    rows.retain(|(_, rows)| rows.len() > 1);
    let unrelated = |a: usize, b: usize| of[a].iter().all(|label| of[b].binary_search(label).is_err());
    percent(&consensus, &Groups { rows, counts: &|_, _| true, is_null: &unrelated }, "label")
}
