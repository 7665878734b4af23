//! Rows looked up in a table, and sums of looked-up rows.
//!
//! What: `y_r = x[index_r]` and `y_r = sum_k table[codes_rk]`. The gradient of a table row is the
//! sum over the output rows that read it, in ascending order, from the reversed lists of
//! [`super::RowIndex`] and [`super::Codes`].

use candle_core::{Device, Tensor};

use super::index::{Codes, RowIndex};
use super::shape::{no_kernel, table};
use crate::cpu::table as kernel;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Error, Result, Tape, Value, from_values, view};

/// Copies rows of `x (rows, d)`: output `(index.len(), d)`.
pub fn gather_rows(tape: &mut Tape, x: &Value, index: &RowIndex) -> Result<Value> {
    let output = gather_forward(x.tensor(), index)?;
    let index = index.clone();
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(gather_backward(&dy.contiguous()?, &index)?)])))
}

/// Adds rows of `weights (v, d)`: row `r` of the output `(codes.rows(), d)` is the sum of the rows
/// `codes[r, ..]`.
pub fn embedding_sum(tape: &mut Tape, weights: &Value, codes: &Codes) -> Result<Value> {
    let output = sum_forward(weights.tensor(), codes)?;
    let codes = codes.clone();
    Ok(tape.record(&[weights], output, move |dy| Ok(vec![Some(sum_backward(&dy.contiguous()?, &codes)?)])))
}

fn of_rows(op: &'static str, x: &Tensor, rows: usize) -> Result<usize> {
    if x.rank() != 2 || x.dims()[0] != rows {
        return Err(Error::shape(op, format!("a table of {rows} rows"), x.dims()));
    }
    Ok(table(op, x)?.1)
}

fn gather_forward(x: &Tensor, index: &RowIndex) -> Result<Tensor> {
    let width = of_rows("gather_rows", x, index.rows())?;
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::gather(x, &index.index().tensor()?),
        Device::Cpu => with_element!("gather_rows", x, T => {
            let index = index.index().host();
            from_values(kernel::gather(&view::<T>(x)?, width, index), (index.len(), width))
        }),
        other => no_kernel("gather_rows", other),
    }
}

fn gather_backward(dy: &Tensor, index: &RowIndex) -> Result<Tensor> {
    let (_, width) = table("gather_rows", dy)?;
    let reverse = index.reverse();
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => {
            cuda::sum_listed(dy, &reverse.offsets.tensor()?, &reverse.positions.tensor()?, 1)
        }
        Device::Cpu => with_element!("gather_rows", dy, T => {
            let (offsets, positions) = (reverse.offsets.host(), reverse.positions.host());
            from_values(kernel::sum_listed(&view::<T>(dy)?, width, offsets, positions, 1), (index.rows(), width))
        }),
        other => no_kernel("gather_rows", other),
    }
}

fn sum_forward(weights: &Tensor, codes: &Codes) -> Result<Tensor> {
    let width = of_rows("embedding_sum", weights, codes.table_rows())?;
    match weights.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::sum_groups(weights, &codes.codes().tensor()?, codes.per_row()),
        Device::Cpu => with_element!("embedding_sum", weights, T => {
            let sums = kernel::sum_groups(&view::<T>(weights)?, width, codes.codes().host(), codes.per_row());
            from_values(sums, (codes.rows(), width))
        }),
        other => no_kernel("embedding_sum", other),
    }
}

fn sum_backward(dy: &Tensor, codes: &Codes) -> Result<Tensor> {
    let (_, width) = table("embedding_sum", dy)?;
    let reverse = codes.reverse();
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => {
            cuda::sum_listed(dy, &reverse.offsets.tensor()?, &reverse.positions.tensor()?, codes.per_row())
        }
        Device::Cpu => with_element!("embedding_sum", dy, T => {
            let (offsets, positions) = (reverse.offsets.host(), reverse.positions.host());
            let sums = kernel::sum_listed(&view::<T>(dy)?, width, offsets, positions, codes.per_row());
            from_values(sums, (codes.table_rows(), width))
        }),
        other => no_kernel("embedding_sum", other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_bits, goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    fn draws(seed: u64, count: usize, below: usize) -> Vec<u32> {
        let mut stream = bench_core::seed::Seed(seed).stream();
        (0..count).map(|_| stream.below(below) as u32).collect()
    }

    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        for case in goldens("embedding_sum") {
            let codes = Codes::new(case.list("codes"), case.number("per_row"), 8, &Device::Cpu).unwrap();
            case.check(|tape, x| embedding_sum(tape, &x[0], &codes));
        }
        for case in goldens("gather_rows") {
            let index = RowIndex::new(case.list("index"), 6, &Device::Cpu).unwrap();
            case.check(|tape, x| gather_rows(tape, &x[0], &index));
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let x = normal(1, &[9, 4]).unwrap();
        let codes = Codes::new(draws(1, 24, 9), 3, 9, &Device::Cpu).unwrap();
        assert_gradients(std::slice::from_ref(&x), |tape, x| embedding_sum(tape, &x[0], &codes));
        let index = RowIndex::new(draws(2, 30, 9), 9, &Device::Cpu).unwrap();
        assert_gradients(std::slice::from_ref(&x), |tape, x| gather_rows(tape, &x[0], &index));
        let none = RowIndex::new(vec![], 9, &Device::Cpu).unwrap();
        assert_gradients(&[x], |tape, x| gather_rows(tape, &x[0], &none));
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let x = [singles(1, &[900, 50])];
        let index = RowIndex::new(draws(1, 3000, 900), 900, &Device::Cpu).unwrap();
        assert_same_bits(&x, |tape, x| gather_rows(tape, &x[0], &index));
        let codes = Codes::new(draws(1, 9000, 900), 9, 900, &Device::Cpu).unwrap();
        assert_same_bits(&x, |tape, x| embedding_sum(tape, &x[0], &codes));
    }

    #[test]
    fn rows_outside_the_table_are_refused() {
        assert!(RowIndex::new(vec![0, 5], 5, &Device::Cpu).is_err());
        assert!(Codes::new(vec![0, 5], 2, 5, &Device::Cpu).is_err());
        assert!(Codes::new(vec![0, 1, 2], 2, 5, &Device::Cpu).is_err());
        assert!(Codes::new(vec![], 0, 5, &Device::Cpu).is_err());
        let mut tape = Tape::inference();
        let x = tape.input(singles(1, &[4, 3]));
        assert!(gather_rows(&mut tape, &x, &RowIndex::new(vec![0], 5, &Device::Cpu).unwrap()).is_err());
        assert!(embedding_sum(&mut tape, &x, &Codes::new(vec![0], 1, 5, &Device::Cpu).unwrap()).is_err());
    }
}
