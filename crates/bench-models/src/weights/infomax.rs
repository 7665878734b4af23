//! The PNA of 3DInfomax.

use candle_core::Tensor;

use super::Converted;
use crate::Result;

const CHIRALITY: &str = "node_gnn.atom_encoder.atom_embedding_list.1.weight";

/// Counters that nothing reads.
pub(super) fn ignored(key: &str) -> bool {
    key.ends_with(".num_batches_tracked")
}

/// A chirality table of OGB 1.3.3 and before lacks the row `misc`; it gets a copy of the last.
pub(super) fn convert(key: &str, tensor: Tensor, want: &[usize]) -> Result<Converted> {
    let rows = tensor.dims().first().copied().unwrap_or(0);
    if key != CHIRALITY || rows != 4 || want.first() != Some(&5) {
        return Ok((tensor, None));
    }
    let last = tensor.narrow(0, rows - 1, 1)?;
    let note = format!("`{key}` has 4 rows, as in OGB 1.3.3; the fifth is a copy of the last");
    Ok((Tensor::cat(&[&tensor, &last], 0)?, Some(note)))
}
