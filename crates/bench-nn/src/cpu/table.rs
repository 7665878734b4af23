//! Rows and columns of tables: copied, gathered, summed by lists.

use rayon::prelude::*;

use super::{collect, rows_per_block};
use crate::Element;

vectorised! {
    fn add_row<T: Element>(out: &mut [T], row: &[T]) {
        for (out, &row) in out.iter_mut().zip(row) {
            *out += row;
        }
    }
}

/// Row `r` of the output is row `index[r]` of `x`.
pub(crate) fn gather<T: Element>(x: &[T], width: usize, index: &[u32]) -> Vec<T> {
    let rows = rows_per_block(width);
    collect(index.len() * width, |out| {
        out.par_chunks_mut(rows * width).zip(index.par_chunks(rows)).for_each(|(out, index)| {
            for (out, &row) in out.chunks_exact_mut(width).zip(index) {
                out.copy_from_slice(&x[row as usize * width..][..width]);
            }
        });
    })
}

/// Row `r` of the output is the sum of rows `index[j] / group` of `x` for `j` in
/// `offsets[r]..offsets[r + 1]`, added in that order.
pub(crate) fn sum_listed<T: Element>(x: &[T], width: usize, offsets: &[u32], index: &[u32], group: usize) -> Vec<T> {
    let rows = rows_per_block(width);
    collect((offsets.len() - 1) * width, |out| {
        out.par_chunks_mut(rows * width).enumerate().for_each(|(block, out)| {
            for (row, out) in out.chunks_exact_mut(width).enumerate() {
                let list = &offsets[block * rows + row..];
                out.fill(T::ZERO);
                for &from in &index[list[0] as usize..list[1] as usize] {
                    add_row(out, &x[from as usize / group * width..][..width]);
                }
            }
        });
    })
}

/// Row `r` of the output is the sum of rows `index[r * group..][..group]` of `x`.
pub(crate) fn sum_groups<T: Element>(x: &[T], width: usize, index: &[u32], group: usize) -> Vec<T> {
    let rows = rows_per_block(width);
    collect(index.len() / group * width, |out| {
        out.par_chunks_mut(rows * width).zip(index.par_chunks(rows * group)).for_each(|(out, index)| {
            for (out, index) in out.chunks_exact_mut(width).zip(index.chunks_exact(group)) {
                out.copy_from_slice(&x[index[0] as usize * width..][..width]);
                for &row in &index[1..] {
                    add_row(out, &x[row as usize * width..][..width]);
                }
            }
        });
    })
}

/// Tables side by side; `widths` are their columns.
pub(crate) fn concat<T: Element>(parts: &[&[T]], widths: &[usize]) -> Vec<T> {
    let width: usize = widths.iter().sum();
    let rows = rows_per_block(width);
    collect(parts.iter().map(|part| part.len()).sum(), |out| {
        out.par_chunks_mut(rows * width).enumerate().for_each(|(block, out)| {
            for (row, mut out) in out.chunks_exact_mut(width).enumerate() {
                for (part, &width) in parts.iter().zip(widths) {
                    let (here, rest) = out.split_at_mut(width);
                    here.copy_from_slice(&part[(block * rows + row) * width..][..width]);
                    out = rest;
                }
            }
        });
    })
}

/// Columns `start..start + len` of a table of `width` columns.
pub(crate) fn columns<T: Element>(x: &[T], width: usize, start: usize, len: usize) -> Vec<T> {
    let rows = rows_per_block(width);
    collect(x.len() / width * len, |out| {
        out.par_chunks_mut(rows * len).zip(x.par_chunks(rows * width)).for_each(|(out, x)| {
            for (out, x) in out.chunks_exact_mut(len).zip(x.chunks_exact(width)) {
                out.copy_from_slice(&x[start..start + len]);
            }
        });
    })
}

/// A table of `width` columns with `x` in columns from `start` and zero elsewhere.
pub(crate) fn widened<T: Element>(x: &[T], width: usize, start: usize, len: usize) -> Vec<T> {
    let rows = rows_per_block(width);
    collect(x.len() / len * width, |out| {
        out.par_chunks_mut(rows * width).zip(x.par_chunks(rows * len)).for_each(|(out, x)| {
            for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(len)) {
                out[..start].fill(T::ZERO);
                out[start..start + len].copy_from_slice(x);
                out[start + len..].fill(T::ZERO);
            }
        });
    })
}
