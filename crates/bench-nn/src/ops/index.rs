//! Lists of row numbers, as graphs need them: on the host, on the device, and reversed.
//!
//! Why reversed: the gradient of gathering is scattering, which would add in an order that
//! depends on threads. With the reverse list (for each source row, the positions that read it,
//! ascending) it becomes a sum in a fixed order.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// Numbers kept on the host and, unless the device is the CPU, also on the device.
#[derive(Clone, Debug)]
pub struct IndexList {
    host: Arc<[u32]>,
    device: Option<Tensor>,
}

impl IndexList {
    /// Copies `values` to `device`.
    pub fn new(values: Vec<u32>, device: &Device) -> Result<IndexList> {
        let tensor = if device.is_cpu() { None } else { Some(Tensor::new(values.as_slice(), device)?) };
        Ok(IndexList { host: values.into(), device: tensor })
    }

    /// The numbers.
    pub fn host(&self) -> &[u32] {
        &self.host
    }

    /// The numbers on the device (`u32`); none on the CPU.
    pub fn device(&self) -> Option<&Tensor> {
        self.device.as_ref()
    }

    /// The numbers as a tensor, for kernels on a device.
    #[cfg(feature = "cuda")]
    pub(crate) fn tensor(&self) -> Result<Tensor> {
        match &self.device {
            Some(tensor) => Ok(tensor.clone()),
            None => Ok(Tensor::new(&*self.host, &Device::Cpu)?),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.host.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.host.is_empty()
    }
}

/// For each row, where a list names it: positions `positions[offsets[r]..offsets[r + 1]]`,
/// ascending.
#[derive(Clone, Debug)]
pub(crate) struct Reverse {
    pub(crate) offsets: IndexList,
    pub(crate) positions: IndexList,
}

impl Reverse {
    /// Counting sort of `index`, whose numbers must be below `rows`.
    pub(crate) fn new(op: &'static str, index: &[u32], rows: usize, device: &Device) -> Result<Reverse> {
        let mut offsets = vec![0u32; rows + 1];
        for &row in index {
            match offsets.get_mut(row as usize + 1) {
                Some(count) => *count += 1,
                None => return Err(Error::shape(op, format!("row numbers below {rows}"), row)),
            }
        }
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        let mut next = offsets.clone();
        let mut positions = vec![0u32; index.len()];
        for (position, &row) in index.iter().enumerate() {
            positions[next[row as usize] as usize] = position as u32;
            next[row as usize] += 1;
        }
        Ok(Reverse { offsets: IndexList::new(offsets, device)?, positions: IndexList::new(positions, device)? })
    }
}

/// Which row each output row copies; see [`super::gather_rows`].
#[derive(Clone, Debug)]
pub struct RowIndex {
    rows: usize,
    index: IndexList,
    reverse: Reverse,
}

impl RowIndex {
    /// `index[r]` is the row that output row `r` copies from a table of `rows` rows.
    pub fn new(index: Vec<u32>, rows: usize, device: &Device) -> Result<RowIndex> {
        let reverse = Reverse::new("gather_rows", &index, rows, device)?;
        Ok(RowIndex { rows, index: IndexList::new(index, device)?, reverse })
    }

    /// Rows of the table.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The list.
    pub fn index(&self) -> &IndexList {
        &self.index
    }

    pub(crate) fn reverse(&self) -> &Reverse {
        &self.reverse
    }
}

/// Rows of a table that are added up for each output row; see [`super::embedding_sum`].
#[derive(Clone, Debug)]
pub struct Codes {
    table_rows: usize,
    per_row: usize,
    codes: IndexList,
    reverse: Reverse,
}

impl Codes {
    /// `codes`, row-major `(rows, per_row)`, are row numbers of a table of `table_rows` rows. For
    /// several vocabularies in one table, add the offset of each beforehand.
    pub fn new(codes: Vec<u32>, per_row: usize, table_rows: usize, device: &Device) -> Result<Codes> {
        if per_row == 0 || !codes.len().is_multiple_of(per_row) {
            return Err(Error::shape("embedding_sum", format!("rows of {per_row} codes"), codes.len()));
        }
        let reverse = Reverse::new("embedding_sum", &codes, table_rows, device)?;
        Ok(Codes { table_rows, per_row, codes: IndexList::new(codes, device)?, reverse })
    }

    /// Rows of the table.
    pub fn table_rows(&self) -> usize {
        self.table_rows
    }

    /// Codes of one output row.
    pub fn per_row(&self) -> usize {
        self.per_row
    }

    /// Output rows.
    pub fn rows(&self) -> usize {
        self.codes.len() / self.per_row
    }

    /// The codes, row-major.
    pub fn codes(&self) -> &IndexList {
        &self.codes
    }

    pub(crate) fn reverse(&self) -> &Reverse {
        &self.reverse
    }
}

/// Contiguous runs of rows: segment `s` holds rows `offsets[s]..offsets[s + 1]`.
#[derive(Clone, Debug)]
pub struct Segments {
    offsets: IndexList,
}

impl Segments {
    /// `offsets` start at zero and never decrease; the last is the number of rows.
    pub fn new(offsets: Vec<u32>, device: &Device) -> Result<Segments> {
        if offsets.first() != Some(&0) || !offsets.is_sorted() {
            return Err(Error::shape("segment", "offsets from zero that do not decrease", offsets));
        }
        Ok(Segments { offsets: IndexList::new(offsets, device)? })
    }

    /// How many segments.
    pub fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many rows they cover.
    pub fn rows(&self) -> usize {
        self.offsets.host()[self.count()] as usize
    }

    /// Their borders, `count() + 1` numbers.
    pub fn offsets(&self) -> &IndexList {
        &self.offsets
    }
}
