//! Rows that were fitted, and what they became: for corrections without a formula for other rows.
//!
//! A row is known by its values and the name of its group. Equal rows of a group are told apart by their order.

use std::collections::HashMap;

use bench_core::Matrix;

use crate::correction::{Rows, check};
use crate::group::By;
use crate::{Error, Origin};

/// Fitted rows and their corrected values.
pub(crate) struct Memory {
    step: &'static str,
    by: By,
    cols: usize,
    /// Only looked up, never iterated.
    rows: HashMap<u128, Vec<u32>>,
    corrected: Matrix,
}

/// What is remembered of some rows.
pub(crate) struct Recalled {
    /// Corrected values; zeros for the rows that were not fitted.
    pub(crate) matrix: Matrix,
    /// The rows that were not fitted, ascending.
    pub(crate) unknown: Vec<u32>,
}

impl Memory {
    /// Remembers what every row of the fit became.
    pub(crate) fn new(step: &'static str, by: By, rows: &Rows<'_>, corrected: Matrix) -> Result<Self, Error> {
        let mut known: HashMap<u128, Vec<u32>> = HashMap::new();
        for (row, key) in keys(step, by, rows.matrix, rows.origin)?.into_iter().enumerate() {
            known.entry(key).or_default().push(row as u32);
        }
        Ok(Self { step, by, cols: rows.matrix.cols(), rows: known, corrected })
    }

    /// The corrected values of rows that were fitted.
    pub(crate) fn recall(&self, matrix: &Matrix, origin: &Origin) -> Result<Recalled, Error> {
        check(self.step, matrix, origin, self.cols, false)?;
        let mut out = Matrix::zeros(matrix.rows(), self.corrected.cols());
        let (mut unknown, mut met): (Vec<u32>, HashMap<u128, usize>) = (Vec::new(), HashMap::new());
        let cols = out.cols();
        for (row, key) in keys(self.step, self.by, matrix, origin)?.into_iter().enumerate() {
            let Some(fitted) = self.rows.get(&key) else {
                unknown.push(row as u32);
                continue;
            };
            let count = met.entry(key).or_default();
            let from = fitted[*count % fitted.len()] as usize;
            *count += 1;
            out.data_mut()[row * cols..(row + 1) * cols].copy_from_slice(self.corrected.row(from));
        }
        Ok(Recalled { matrix: out, unknown })
    }

    /// The corrected values of rows that must all have been fitted; `why` says why others cannot be corrected.
    pub(crate) fn only_fitted(&self, matrix: &Matrix, origin: &Origin, why: &str) -> Result<Matrix, Error> {
        let recalled = self.recall(matrix, origin)?;
        match recalled.unknown.first() {
            None => Ok(recalled.matrix),
            Some(first) => Err(Error::Transductive {
                step: self.step.to_owned(),
                rows: format!("{} rows that were not fitted, the first of them row {first}", recalled.unknown.len()),
                why: why.to_owned(),
            }),
        }
    }
}

/// One key per row: 128 bits of its values and the name of its group.
fn keys(step: &str, by: By, matrix: &Matrix, origin: &Origin) -> Result<Vec<u128>, Error> {
    let mut keys = vec![0; matrix.rows()];
    for group in by.groups(step, origin)? {
        let mut start = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D_u128;
        group.name.bytes().for_each(|byte| start = fold(start, u128::from(byte)));
        for row in group.rows {
            let key = &mut keys[row as usize];
            *key = matrix.row(row as usize).iter().fold(start, |key, value| fold(key, u128::from(value.to_bits())));
        }
    }
    Ok(keys)
}

/// A step of FNV-1a with 128 bits, four bytes at a time.
fn fold(key: u128, value: u128) -> u128 {
    (key ^ value).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B)
}
