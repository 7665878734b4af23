//! Agreement of two partitions: normalised mutual information and the adjusted Rand index.
//!
//! # Formula
//! `NMI = I(A; B) / ((H(A) + H(B)) / 2)`, 1 if both have one class. `ARI = (index - expected) / (maximum - expected)`
//! over pairs of rows, 1 if both partitions are the same trivial one.
//!
//! # Reference
//! Strehl and Ghosh 2002; Hubert and Arabie 1985; scikit-learn 1.9 `normalized_mutual_info_score` (arithmetic),
//! `adjusted_rand_score`.

use std::collections::BTreeMap;

/// Counts of two codings of the same rows.
struct Table {
    cells: Vec<f64>,
    rows: Vec<f64>,
    columns: Vec<f64>,
    n: f64,
}

impl Table {
    fn new(a: &[u32], b: &[u32]) -> Self {
        let (mut cells, mut rows, mut columns) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (&a, &b) in a.iter().zip(b) {
            *cells.entry((a, b)).or_insert(0.0) += 1.0;
            *rows.entry(a).or_insert(0.0) += 1.0;
            *columns.entry(b).or_insert(0.0) += 1.0;
        }
        Self {
            cells: sorted(cells.into_values()),
            rows: sorted(rows.into_values()),
            columns: sorted(columns.into_values()),
            n: a.len() as f64,
        }
    }
}

/// In the order of size: then no renaming of classes changes the rounding of a sum.
fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn entropy(counts: &[f64], n: f64) -> f64 {
    counts.iter().map(|&count| -(count / n) * (count / n).ln()).sum()
}

/// Normalised mutual information, arithmetic mean of the entropies.
pub fn nmi(a: &[u32], b: &[u32]) -> f64 {
    let table = Table::new(a, b);
    if table.rows.len() <= 1 && table.columns.len() <= 1 {
        return 1.0;
    }
    let (of_a, of_b) = (entropy(&table.rows, table.n), entropy(&table.columns, table.n));
    let shared = (of_a + of_b - entropy(&table.cells, table.n)).max(0.0);
    if shared < 1e-14 { 0.0 } else { (2.0 * shared / (of_a + of_b)).min(1.0) }
}

/// Adjusted Rand index.
pub fn ari(a: &[u32], b: &[u32]) -> f64 {
    let table = Table::new(a, b);
    let pairs = |counts: &[f64]| counts.iter().map(|count| count * (count - 1.0) / 2.0).sum::<f64>();
    let (both, of_a, of_b) = (pairs(&table.cells), pairs(&table.rows), pairs(&table.columns));
    let expected = of_a * of_b / (table.n * (table.n - 1.0) / 2.0).max(1.0);
    let maximum = (of_a + of_b) / 2.0;
    if maximum == expected { 1.0 } else { (both - expected) / (maximum - expected) }
}
