//! Silhouettes, clusterings and neighbourhoods against the label.

pub mod agreement;
pub mod asw_label;
pub mod clisi;
pub mod clustering_score;
pub mod clusters;
mod gram_means;
pub mod isolated_labels;
pub mod kni;
pub mod ksim;
pub mod leiden;
pub mod silhouette;

use bench_core::Factor;

use crate::embedding::Part;

/// Rows of one level after the other, with the mean of their values.
pub(crate) fn by_level(factor: &Factor, unit: &'static str, values: &[f64]) -> Vec<Part> {
    factor
        .members()
        .iter()
        .zip(&factor.levels)
        .map(|(rows, name)| {
            let counted: Vec<f64> =
                rows.iter().map(|&row| values[row as usize]).filter(|value| !value.is_nan()).collect();
            (name, counted)
        })
        .filter(|(_, counted)| !counted.is_empty())
        .map(|(name, counted)| Part {
            unit,
            name: name.clone(),
            n: counted.len(),
            value: counted.iter().sum::<f64>() / counted.len() as f64,
            p: None,
        })
        .collect()
}

/// At least two labels, and fewer labels than rows.
pub(crate) fn check_labels(label: &Factor) -> Result<usize, String> {
    let present = label.counts().iter().filter(|&&count| count > 0).count();
    if present < 2 {
        return Err("all rows have the same label".to_owned());
    }
    if present >= label.len() {
        return Err("every row has a label of its own".to_owned());
    }
    Ok(present)
}
