//! Convolution of images `(n, height, width, channels)` through cuDNN.
//!
//! What: the forward pass and both gradients, each with a plan (descriptors, algorithm, workspace)
//! that is made once per shape and type, without running anything: a step waits for nothing.
//! Algorithms that cuDNN does not call deterministic are left out.
//! Precision: `f32` in full or through TF32 tensor cores; `bf16` with sums in `f32`.
//! Tensor cores want channels in groups of eight, so other inputs (five stains) are widened with
//! zeros first. A kernel of one pixel is a product of matrices and goes to cuBLAS.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};

use candle_core::cuda_backend::cudarc::cudnn::{result, sys};
use candle_core::{DType, Tensor};

use super::machine::{Gpu, Machine, address, failed, one_type};
use super::{gemm, table};
use crate::{Error, Result};

/// Most bytes that an algorithm may use beside its tensors.
const MOST_WORKSPACE: usize = 2 << 30;
/// Numbers that a tensor handed to cuDNN may hold; few in tests on the emulator, so that batches
/// are cut there.
fn most_numbers() -> usize {
    #[cfg(test)]
    if super::emulator::wanted() {
        return 3000;
    }
    i32::MAX as usize
}

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    images: usize,
    height: usize,
    width: usize,
    channels: usize,
    outputs: usize,
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pass {
    Forward,
    Data,
    Filter,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    pass: Pass,
    shape: Shape,
    bf16: bool,
    tf32: bool,
}

#[derive(Clone, Copy)]
enum Algorithm {
    Forward(sys::cudnnConvolutionFwdAlgo_t),
    Data(sys::cudnnConvolutionBwdDataAlgo_t),
    Filter(sys::cudnnConvolutionBwdFilterAlgo_t),
}

#[derive(Clone, Copy)]
struct Plan {
    descriptors: Descriptors,
    algorithm: Algorithm,
    workspace: usize,
}

/// Kept for ever, like the plans.
#[derive(Clone, Copy)]
struct Descriptors {
    x: sys::cudnnTensorDescriptor_t,
    w: sys::cudnnFilterDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    conv: sys::cudnnConvolutionDescriptor_t,
}

/// Handle and plans of a thread.
pub(super) struct Convolutions {
    handle: sys::cudnnHandle_t,
    plans: HashMap<Key, Plan>,
}

fn cudnn<T>(call: &str, result: Result<T, result::CudnnError>) -> Result<T> {
    result.map_err(|error| failed(call, format!("{:?}", error.0)))
}

impl Shape {
    fn new(x: &[usize], w: &[usize], stride: usize, padding: usize) -> Result<Shape> {
        let (&[images, height, width, channels], &[outputs, rows, columns, inputs]) = (x, w) else {
            return Err(Error::shape("conv2d", "images (n, h, w, c) and kernels (o, kh, kw, c)", (x, w)));
        };
        let fits = height + 2 * padding >= rows && width + 2 * padding >= columns;
        if inputs != channels || stride == 0 || !fits || x.contains(&0) || w.contains(&0) {
            return Err(Error::shape("conv2d", "kernels that fit the images", (x, w, stride, padding)));
        }
        Ok(Shape { images, height, width, channels, outputs, kernel: [rows, columns], stride, padding })
    }

    fn out(&self, size: usize, kernel: usize) -> usize {
        (size + 2 * self.padding - kernel) / self.stride + 1
    }

    /// Places in `x`, `w` and `y` of every product of numbers that the convolution adds up.
    #[cfg(test)]
    pub(super) fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let Shape { height, width, channels, outputs, kernel: [rows, columns], stride, padding, .. } = *self;
        let [images, out_height, out_width, _] = self.y();
        let position =
            |dims: [usize; 4], at: [usize; 4]| ((at[0] * dims[1] + at[1]) * dims[2] + at[2]) * dims[3] + at[3];
        let all = images * out_height * out_width * rows * columns;
        for index in 0..all {
            let (rest, kx) = (index / columns, index % columns);
            let (rest, ky) = (rest / rows, rest % rows);
            let (rest, ox) = (rest / out_width, rest % out_width);
            let (image, oy) = (rest / out_height, rest % out_height);
            let (iy, ix) = ((oy * stride + ky).wrapping_sub(padding), (ox * stride + kx).wrapping_sub(padding));
            if iy >= height || ix >= width {
                continue;
            }
            for (o, c) in (0..outputs).flat_map(|o| (0..channels).map(move |c| (o, c))) {
                let y = position(self.y(), [image, oy, ox, o]);
                f(position(self.x(), [image, iy, ix, c]), position(self.w(), [o, ky, kx, c]), y);
            }
        }
    }

    /// How many numbers `x`, `w` and `y` hold.
    #[cfg(test)]
    pub(super) fn numbers(&self) -> [usize; 3] {
        [self.x(), self.w(), self.y()].map(|dims| dims.iter().product())
    }

    fn x(&self) -> [usize; 4] {
        [self.images, self.height, self.width, self.channels]
    }

    fn w(&self) -> [usize; 4] {
        [self.outputs, self.kernel[0], self.kernel[1], self.channels]
    }

    fn y(&self) -> [usize; 4] {
        let [rows, columns] = self.kernel;
        [self.images, self.out(self.height, rows), self.out(self.width, columns), self.outputs]
    }

    /// Rows, outputs and inputs of the product of matrices that a kernel of one pixel is.
    fn as_product(&self) -> Option<[usize; 3]> {
        let is = self.kernel == [1, 1] && self.stride == 1 && self.padding == 0;
        is.then(|| [self.images * self.height * self.width, self.outputs, self.channels])
    }

    /// Channels after widening.
    fn wide_channels(&self, dtype: DType, tf32: bool) -> usize {
        if dtype == DType::BF16 || tf32 { self.channels.next_multiple_of(8) } else { self.channels }
    }

    /// Images in one call, so that no tensor holds too many numbers.
    fn images_per_call(&self) -> usize {
        let most = |dims: [usize; 4]| most_numbers() / dims[1..].iter().product::<usize>();
        most(self.x()).min(most(self.y())).min(self.images).max(1)
    }
}

/// `y` of images `x` and kernels `w (o, kh, kw, c)`.
pub(crate) fn conv_forward(x: &Tensor, w: &Tensor, stride: usize, padding: usize, tf32: bool) -> Result<Tensor> {
    let shape = Shape::new(x.dims(), w.dims(), stride, padding)?;
    let dtype = one_type("conv2d", &[x, w])?;
    if let Some(sizes) = shape.as_product() {
        return gemm::linear_forward(x, w, sizes, &shape.y(), tf32);
    }
    let wide = Shape { channels: shape.wide_channels(dtype, tf32), ..shape };
    let (x, w) = (widened(x, &wide.x())?, widened(w, &wide.w())?);
    let y = Machine::of(&x)?.empty(&shape.y(), dtype)?;
    run(Pass::Forward, wide, [&x, &w, &y], dtype, tf32)?;
    Ok(y)
}

/// Gradient of the images, of shape `dims`, from that of the output.
pub(crate) fn conv_backward_data(
    dy: &Tensor,
    w: &Tensor,
    dims: &[usize],
    stride: usize,
    padding: usize,
    tf32: bool,
) -> Result<Tensor> {
    let shape = Shape::new(dims, w.dims(), stride, padding)?;
    let dtype = one_type("conv2d", &[dy, w])?;
    if let Some(sizes) = shape.as_product() {
        return gemm::linear_backward_input(dy, w, sizes, dims, tf32);
    }
    let wide = Shape { channels: shape.wide_channels(dtype, tf32), ..shape };
    let w = widened(w, &wide.w())?;
    let dx = Machine::of(dy)?.empty(&wide.x(), dtype)?;
    run(Pass::Data, wide, [&dx, &w, dy], dtype, tf32)?;
    narrowed(dx, dims)
}

/// Gradient of the kernels, of shape `dims`, from that of the output.
pub(crate) fn conv_backward_filter(
    dy: &Tensor,
    x: &Tensor,
    dims: &[usize],
    stride: usize,
    padding: usize,
    tf32: bool,
) -> Result<Tensor> {
    let shape = Shape::new(x.dims(), dims, stride, padding)?;
    let dtype = one_type("conv2d", &[dy, x])?;
    if let Some(sizes) = shape.as_product() {
        return gemm::linear_backward_weight(dy, x, sizes, dims, tf32);
    }
    let wide = Shape { channels: shape.wide_channels(dtype, tf32), ..shape };
    let x = widened(x, &wide.x())?;
    let dw = Machine::of(dy)?.empty(&wide.w(), dtype)?;
    run(Pass::Filter, wide, [&x, &dw, dy], dtype, tf32)?;
    narrowed(dw, dims)
}

fn widened(x: &Tensor, dims: &[usize; 4]) -> Result<Tensor> {
    if x.dims() == dims { Ok(x.clone()) } else { table::widen(x, dims, 0) }
}

fn narrowed(x: Tensor, dims: &[usize]) -> Result<Tensor> {
    if x.dims() == dims { Ok(x) } else { table::slice(&x, 0, dims[3], dims) }
}

/// Runs one pass over images, kernels and outputs, the last written being the pass's result.
fn run(pass: Pass, shape: Shape, [x, w, y]: [&Tensor; 3], dtype: DType, tf32: bool) -> Result<()> {
    let machine = Machine::of(x)?;
    let size = dtype.size_in_bytes();
    let (x_image, y_image) = (shape.x()[1..].iter().product::<usize>(), shape.y()[1..].iter().product::<usize>());
    let (x, w, y) = (address(x)? as usize, address(w)? as usize, address(y)? as usize);
    let mut first = 0;
    while first < shape.images {
        let images = shape.images_per_call().min(shape.images - first);
        let key = Key { pass, shape: Shape { images, ..shape }, bf16: dtype == DType::BF16, tf32 };
        // Later parts add to the gradient of the kernels.
        let keep = pass == Pass::Filter && first > 0;
        let places = [x + first * x_image * size, w, y + first * y_image * size];
        match machine {
            Machine::Gpu(gpu) => call(gpu, key, places, keep)?,
            #[cfg(test)]
            Machine::Emulator(_) => super::emulator::convolution(key.pass, key.shape, dtype, places, keep),
        }
        first += images;
    }
    Ok(())
}

fn call(gpu: &'static Gpu, key: Key, places: [usize; 3], keep: bool) -> Result<()> {
    let (handle, plan) = plan(gpu, key)?;
    let context = gpu.stream.context();
    context.bind_to_thread().map_err(|error| failed("cuCtxSetCurrent", format!("{error:?}")))?;
    // The workspace goes back to the pool after the call; the stream keeps the order.
    let workspace = Machine::Gpu(gpu).empty(plan.workspace.max(1), DType::U8)?;
    let room = address(&workspace)? as *mut c_void;
    let [x, w, y] = places.map(|place| place as *mut c_void);
    let (alpha, beta) = (1.0f32, if keep { 1.0f32 } else { 0.0 });
    let (alpha, beta): (*const c_void, *const c_void) = ((&raw const alpha).cast(), (&raw const beta).cast());
    let d = plan.descriptors;
    // SAFETY: descriptors and tensors have the same shapes and types, the workspace is as large as
    // the algorithm asked, and all work is in the order of one stream.
    unsafe {
        match plan.algorithm {
            Algorithm::Forward(algorithm) => {
                let done = result::convolution_forward(
                    handle,
                    alpha,
                    d.x,
                    x,
                    d.w,
                    w,
                    d.conv,
                    algorithm,
                    room,
                    plan.workspace,
                    beta,
                    d.y,
                    y,
                );
                cudnn("cudnnConvolutionForward", done)
            }
            Algorithm::Data(algorithm) => {
                let done = result::convolution_backward_data(
                    handle,
                    alpha,
                    d.w,
                    w,
                    d.y,
                    y,
                    d.conv,
                    algorithm,
                    room,
                    plan.workspace,
                    beta,
                    d.x,
                    x,
                );
                cudnn("cudnnConvolutionBackwardData", done)
            }
            Algorithm::Filter(algorithm) => {
                let done = result::convolution_backward_filter(
                    handle,
                    alpha,
                    d.x,
                    x,
                    d.y,
                    y,
                    d.conv,
                    algorithm,
                    room,
                    plan.workspace,
                    beta,
                    d.w,
                    w,
                );
                cudnn("cudnnConvolutionBackwardFilter", done)
            }
        }
    }
}

fn plan(gpu: &Gpu, key: Key) -> Result<(sys::cudnnHandle_t, Plan)> {
    let mut slot = gpu.convolutions.borrow_mut();
    if slot.is_none() {
        let context = gpu.stream.context();
        context.bind_to_thread().map_err(|error| failed("cuCtxSetCurrent", format!("{error:?}")))?;
        let handle = cudnn("cudnnCreate", result::create_handle())?;
        // SAFETY: both exist as long as the process.
        cudnn("cudnnSetStream", unsafe { result::set_stream(handle, gpu.stream.cu_stream().cast()) })?;
        *slot = Some(Convolutions { handle, plans: HashMap::new() });
    }
    let Some(Convolutions { handle, plans }) = slot.as_mut() else {
        return Err(failed("cudnnCreate", "no handle"));
    };
    if let Some(plan) = plans.get(&key) {
        return Ok((*handle, *plan));
    }
    let plan = Plan::new(*handle, key)?;
    plans.insert(key, plan);
    Ok((*handle, plan))
}

impl Descriptors {
    fn new(key: Key) -> Result<Descriptors> {
        let layout = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let kind =
            if key.bf16 { sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16 } else { sys::cudnnDataType_t::CUDNN_DATA_FLOAT };
        // cuDNN counts (n, c, h, w) whatever the layout.
        let sizes = |[n, h, w, c]: [usize; 4]| [n, c, h, w].map(|size| size as c_int);
        let Shape { stride, padding, .. } = key.shape;
        let (stride, padding) = (stride as c_int, padding as c_int);
        let d = Descriptors {
            x: cudnn("cudnnCreateTensorDescriptor", result::create_tensor_descriptor())?,
            w: cudnn("cudnnCreateFilterDescriptor", result::create_filter_descriptor())?,
            y: cudnn("cudnnCreateTensorDescriptor", result::create_tensor_descriptor())?,
            conv: cudnn("cudnnCreateConvolutionDescriptor", result::create_convolution_descriptor())?,
        };
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let float = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
        // SAFETY: the descriptors were made above.
        unsafe {
            let set = result::set_tensor4d_descriptor(d.x, layout, kind, sizes(key.shape.x()));
            cudnn("cudnnSetTensor4dDescriptor", set)?;
            let set = result::set_filter4d_descriptor(d.w, kind, layout, sizes(key.shape.w()));
            cudnn("cudnnSetFilter4dDescriptor", set)?;
            let set = result::set_tensor4d_descriptor(d.y, layout, kind, sizes(key.shape.y()));
            cudnn("cudnnSetTensor4dDescriptor", set)?;
            let set = result::set_convolution2d_descriptor(d.conv, padding, padding, stride, stride, 1, 1, mode, float);
            cudnn("cudnnSetConvolution2dDescriptor", set)?;
        }
        d.set_math(if key.bf16 || key.tf32 {
            sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH
        } else {
            sys::cudnnMathType_t::CUDNN_FMA_MATH
        })?;
        Ok(d)
    }

    fn set_math(&self, math: sys::cudnnMathType_t) -> Result<()> {
        // SAFETY: the descriptor exists.
        cudnn("cudnnSetConvolutionMathType", unsafe { result::set_convolution_math_type(self.conv, math) })
    }
}

/// Room for what cuDNN says about each of its algorithms; there are at most eight.
const MOST_ALGORITHMS: usize = 10;

/// The first algorithm, in cuDNN's order of expected time, that works, is deterministic and fits
/// the workspace; and the bytes that it needs.
macro_rules! choose {
    ($key:expr, $handle:expr, $set_math:expr, $algorithms:path, $workspace:path, $descriptors:expr) => {{
        let (mut count, (a, b, c, d)) = (0, $descriptors);
        // SAFETY: zero is a value of every field.
        let mut found = unsafe { [std::mem::zeroed(); MOST_ALGORITHMS] };
        // SAFETY: there is room for as many answers as are asked for.
        let asked =
            unsafe { $algorithms($handle, a, b, c, d, MOST_ALGORITHMS as c_int, &mut count, found.as_mut_ptr()) };
        cudnn("cudnnGetConvolutionAlgorithm", asked)?;
        let chosen = found[..count.max(0) as usize].iter().find(|answer| {
            answer.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                && answer.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC
                && answer.memory <= MOST_WORKSPACE
        });
        let Some(answer) = chosen else {
            let what = format!("no deterministic algorithm for {:?} of {:?}", $key.pass, $key.shape);
            return Err(failed("cudnnGetConvolutionAlgorithm", what));
        };
        $set_math(answer.mathType)?;
        // SAFETY: the descriptors are those of the question.
        let room = unsafe { $workspace($handle, a, b, c, d, answer.algo) };
        (answer.algo, cudnn("cudnnGetConvolutionWorkspaceSize", room)?)
    }};
}

impl Plan {
    fn new(handle: sys::cudnnHandle_t, key: Key) -> Result<Plan> {
        let d = Descriptors::new(key)?;
        // Full precision was asked for with the descriptor and must not be traded for tensor cores.
        let set_math = |math| if key.bf16 || key.tf32 { d.set_math(math) } else { Ok(()) };
        let (algorithm, workspace) = match key.pass {
            Pass::Forward => {
                let (algorithm, room) = choose!(
                    key,
                    handle,
                    set_math,
                    result::get_convolution_forward_algorithm,
                    result::get_convolution_forward_workspace_size,
                    (d.x, d.w, d.conv, d.y)
                );
                (Algorithm::Forward(algorithm), room)
            }
            Pass::Data => {
                let (algorithm, room) = choose!(
                    key,
                    handle,
                    set_math,
                    result::get_convolution_backward_data_algorithm,
                    result::get_convolution_backward_data_workspace_size,
                    (d.w, d.y, d.conv, d.x)
                );
                (Algorithm::Data(algorithm), room)
            }
            Pass::Filter => {
                let (algorithm, room) = choose!(
                    key,
                    handle,
                    set_math,
                    result::get_convolution_backward_filter_algorithm,
                    result::get_convolution_backward_filter_workspace_size,
                    (d.x, d.y, d.conv, d.w)
                );
                (Algorithm::Filter(algorithm), room)
            }
        };
        Ok(Plan { descriptors: d, algorithm, workspace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_a_stem_and_of_one_pixel_kernels() {
        let stem = Shape::new(&[64, 512, 512, 5], &[64, 7, 7, 5], 2, 3).unwrap();
        assert_eq!(stem.y(), [64, 256, 256, 64]);
        assert_eq!((stem.wide_channels(DType::BF16, false), stem.wide_channels(DType::F32, false)), (8, 5));
        assert_eq!(stem.as_product(), None);
        let point = Shape::new(&[2, 3, 4, 6], &[7, 1, 1, 6], 1, 0).unwrap();
        assert_eq!((point.as_product(), point.y()), (Some([24, 7, 6]), [2, 3, 4, 7]));
        assert!(Shape::new(&[2, 3, 3, 6], &[7, 5, 5, 6], 1, 0).is_err());
    }

    #[test]
    fn cudnn_takes_the_descriptors_and_counts_the_same_output() {
        let shapes = [
            Shape::new(&[64, 512, 512, 8], &[64, 7, 7, 8], 2, 3).unwrap(),
            Shape::new(&[3, 17, 12, 16], &[24, 3, 3, 16], 2, 1).unwrap(),
            Shape::new(&[2, 6, 5, 16], &[8, 1, 1, 16], 2, 0).unwrap(),
        ];
        for shape in shapes {
            for (bf16, tf32) in [(false, false), (false, true), (true, false)] {
                let descriptors = match Descriptors::new(Key { pass: Pass::Forward, shape, bf16, tf32 }) {
                    Ok(descriptors) => descriptors,
                    Err(error) => {
                        let message = error.to_string();
                        assert!(message.contains("CUDNN_STATUS_NOT_INITIALIZED"), "{message}");
                        eprintln!("skipped: cuDNN was not found, so no descriptor was made ({message})");
                        return;
                    }
                };
                let [mut n, mut c, mut h, mut w] = [0; 4];
                let Descriptors { x, w: kernels, conv, .. } = descriptors;
                // SAFETY: the descriptors were made above.
                let asked = unsafe {
                    sys::cudnnGetConvolution2dForwardOutputDim(conv, x, kernels, &mut n, &mut c, &mut h, &mut w)
                };
                asked.result().unwrap();
                assert_eq!([n, h, w, c].map(|size| size as usize), shape.y());
            }
        }
    }

    #[test]
    fn large_batches_are_cut() {
        let shape = Shape::new(&[1024, 512, 512, 8], &[64, 7, 7, 8], 2, 3).unwrap();
        assert_eq!(shape.images_per_call(), i32::MAX as usize / (256 * 256 * 64));
        assert_eq!(Shape { images: 3, ..shape }.images_per_call(), 3);
    }
}
