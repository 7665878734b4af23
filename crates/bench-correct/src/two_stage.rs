//! A map of the whole table, then one model per group: shared by `tvn` and `pca-cs`.

use bench_core::Matrix;

use crate::correction::{Fitted, check};
use crate::group::{Learner, PerGroup};
use crate::linear::{Affine, Spectrum, moments, transposed};
use crate::{Error, Origin};

/// A map of the whole table, then one model per group.
pub(crate) struct TwoStage<L: Learner> {
    pub(crate) step: &'static str,
    pub(crate) first: Affine,
    pub(crate) second: PerGroup<L>,
    pub(crate) notes: Vec<String>,
}

impl<L: Learner> Fitted for TwoStage<L> {
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        check(self.step, matrix, origin, self.first.before.len(), false)?;
        self.second.apply(&self.first.apply(matrix), origin)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Coordinates along the leading principal components of the rows, with `scaled` after standardising them.
/// `most` is the greatest number of components; those of no variance are left out.
pub(crate) fn principal_axes(step: &str, matrix: &Matrix, scaled: bool, most: Option<usize>) -> Result<Affine, Error> {
    let refuse = |why: String| Error::Fit { step: step.to_owned(), group: "the table".to_owned(), why };
    let d = matrix.cols();
    if matrix.rows() < 2 {
        return Err(refuse(format!("{} reference rows are too few: at least 2 are needed", matrix.rows())));
    }
    let (mean, variance) = moments(matrix);
    let factor: Option<Vec<f64>> =
        scaled.then(|| variance.iter().map(|v| if *v > 0.0 { 1.0 / v.sqrt() } else { 1.0 }).collect());
    let spectrum = Spectrum::of(matrix, &mean, factor.as_deref());
    let k = spectrum.rank().min(most.unwrap_or(usize::MAX));
    if k == 0 {
        return Err(refuse("no feature varies over the reference rows".to_owned()));
    }
    let mut map = transposed(&spectrum.vectors[..k * d], k, d);
    if let Some(factor) = &factor {
        for (row, factor) in map.chunks_exact_mut(k).zip(factor) {
            row.iter_mut().for_each(|value| *value *= factor);
        }
    }
    Ok(Affine { before: mean, matrix: map, after: vec![0.0; k] })
}
