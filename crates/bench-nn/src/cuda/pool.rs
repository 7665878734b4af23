//! Pooling of images `(n, height, width, channels)`.

use candle_core::{DType, Tensor};

use super::machine::{Machine, Tiles, int, one_type, pack_suffix, pointer, structure};
use crate::cpu::pool::Window;
use crate::{Error, Result};

/// The structure `Window` of the kernels.
fn sizes(w: Window) -> [i64; 8] {
    [w.height, w.width, w.channels, w.out_height, w.out_width, w.kernel, w.stride, w.padding].map(|size| size as i64)
}

/// The maxima and the place of each in its window (`u8`, row-major).
pub(crate) fn max_forward(x: &Tensor, window: Window) -> Result<(Tensor, Tensor)> {
    let (machine, images) = (Machine::of(x)?, x.dims()[0]);
    let shape = (images, window.out_height, window.out_width, window.channels);
    let (y, places) = (machine.empty(shape, x.dtype())?, machine.empty(shape, DType::U8)?);
    let (suffix, pack) = pack_suffix("max_pool", window.channels, &[x, &y, &places])?;
    let sizes = sizes(window);
    let args = [pointer(x)?, int(images), structure(&sizes), pointer(&y)?, pointer(&places)?];
    machine.launch_each(&format!("max_pool_forward_{suffix}"), y.elem_count() / pack, &args)?;
    Ok((y, places))
}

/// Gradient of the images from that of the maxima.
pub(crate) fn max_backward(dy: &Tensor, places: &Tensor, images: usize, window: Window) -> Result<Tensor> {
    let machine = Machine::of(dy)?;
    let dx = machine.empty((images, window.height, window.width, window.channels), dy.dtype())?;
    let (suffix, pack) = pack_suffix("max_pool", window.channels, &[dy, &dx, places])?;
    let sizes = sizes(window);
    let args = [pointer(dy)?, pointer(places)?, int(images), structure(&sizes), pointer(&dx)?];
    machine.launch_each(&format!("max_pool_backward_{suffix}"), dx.elem_count() / pack, &args)?;
    Ok(dx)
}

/// Mean over the pixels: `(n, pixels, channels)` in any shape to `(n, channels)`.
pub(crate) fn mean_forward(x: &Tensor, images: usize, pixels: usize, channels: usize) -> Result<Tensor> {
    let machine = Machine::of(x)?;
    let y = machine.empty((images, channels), x.dtype())?;
    let (suffix, pack) = pack_suffix("global_average_pool", channels, &[x, &y])?;
    let tiles = Tiles::new(pixels, channels, pack);
    let args = [pointer(x)?, int(pixels), int(channels), int(tiles.across), pointer(&y)?];
    machine.launch(&format!("mean_pool_forward_{suffix}"), [images * tiles.across, 1, 1], tiles.block, &args)?;
    Ok(y)
}

/// Gradient of images of shape `dims` from that of their means.
pub(crate) fn mean_backward(dy: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let &[images, height, width, channels] = dims else {
        return Err(Error::shape("global_average_pool", "images (n, height, width, channels)", dims));
    };
    let machine = Machine::of(dy)?;
    let dx = machine.empty(dims, one_type("global_average_pool", &[dy])?)?;
    let (suffix, pack) = pack_suffix("global_average_pool", channels, &[dy, &dx])?;
    let args = [pointer(dy)?, int(images), int(height * width), int(channels), pointer(&dx)?];
    machine.launch_each(&format!("mean_pool_backward_{suffix}"), dx.elem_count() / pack, &args)?;
    Ok(dx)
}
