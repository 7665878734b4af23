//! Residual networks of torchvision and timm.

use candle_core::Tensor;

use super::Converted;
use crate::Result;

/// The classifier, and counters that nothing reads.
pub(super) fn ignored(key: &str) -> bool {
    key.starts_with("fc.") || key.ends_with(".num_batches_tracked")
}

/// Convolutions to `(out, height, width, in)`; a stem of three channels to as many as ours.
pub(super) fn convert(key: &str, tensor: Tensor, want: &[usize]) -> Result<Converted> {
    if tensor.rank() != 4 {
        return Ok((tensor, None));
    }
    let mut tensor = tensor.permute((0, 2, 3, 1))?.contiguous()?;
    let (have, channels) = (tensor.dims()[3], want.last().copied().unwrap_or(0));
    let mut note = None;
    if key == "conv1.weight" && have == 3 && channels != 3 {
        let copies: Vec<u32> = (0..channels as u32).map(|channel| channel % 3).collect();
        tensor = tensor.index_select(&Tensor::new(copies, tensor.device())?, 3)?;
        note =
            Some(format!("`{key}` has 3 input channels; {channels} take copies of R, G, B in turn, without rescaling"));
    }
    Ok((tensor, note))
}
