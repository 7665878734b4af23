//! A device as the operations see it: memory, kernels, library handles.
//!
//! What: [`Machine::of`] finds the state that belongs to a tensor's device: the compiled kernels
//! and the handles. It is made on first use and kept by the thread.
//! Why kept for ever: it lives as long as the process, and the driver may be gone before the
//! destructors of a thread's variables run.
//! In tests a tensor on the CPU stands for one on a device; see [`super::emulator`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaModule, CudaStream, DevicePtr, result, sys};
use candle_core::cuda_backend::cudarc::{cudnn, nvrtc};
use candle_core::cuda_backend::{CudaDevice, CudaStorageSlice, DeviceId};
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Shape, Storage, Tensor};

use super::{compile, conv};
use crate::{Error, Result};

/// Opens the CUDA device of a number, or says why it cannot be used.
///
/// All threads share one stream, so work is done in the order in which it was asked for, and
/// memory that was freed is kept for the next allocation instead of going back to the driver.
pub fn open(number: usize) -> Result<Device, String> {
    // The first call of all; without a driver it is the shim of the build that answers.
    let count = result::init().and_then(|()| result::device::get_count());
    let count = count.map_err(|error| format!("no CUDA device is available ({})", reason(error.0)))?;
    if number >= count as usize {
        return Err(format!("the driver knows {count} CUDA devices"));
    }
    need_libraries()?;
    let device = Device::new_cuda_with_stream(number).map_err(|error| error.to_string())?;
    let cuda = device.as_cuda_device().map_err(|error| error.to_string())?;
    // SAFETY: the events order the work of several streams; there is one.
    unsafe { cuda.disable_event_tracking() };
    keep_memory(number).map_err(|error| format!("its memory pool cannot be set up ({})", reason(error.0)))?;
    Ok(device)
}

/// Libraries that are first called in the middle of a training step. They must be found before.
fn need_libraries() -> Result<(), String> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: room for two numbers.
    let nvrtc = unsafe { nvrtc::sys::nvrtcVersion(&mut major, &mut minor) }.result();
    for (found, library) in [(nvrtc.is_ok(), "libnvrtc.so"), (cudnn::result::get_version() >= 90_000, "libcudnn.so.9")]
    {
        if !found {
            return Err(format!("`{library}` was not found; add its folder to LD_LIBRARY_PATH"));
        }
    }
    Ok(())
}

fn reason(status: sys::CUresult) -> String {
    format!("{status:?}").trim_start_matches("CUDA_ERROR_").to_lowercase().replace('_', " ")
}

/// The pool that memory comes from, where the device has one.
fn pool(number: usize) -> Result<Option<sys::CUmemoryPool>, result::DriverError> {
    let mut pool = std::ptr::null_mut();
    let device = result::device::get(number as i32)?;
    // SAFETY: the device exists.
    unsafe {
        let supported =
            result::device::get_attribute(device, sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED)?;
        if supported == 0 {
            return Ok(None);
        }
        sys::cuDeviceGetDefaultMemPool(&mut pool, device).result()?;
    }
    Ok(Some(pool))
}

fn keep_memory(number: usize) -> Result<(), result::DriverError> {
    let mut threshold = u64::MAX;
    let attribute = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    match pool(number)? {
        // SAFETY: the pool exists, and the attribute is an unsigned number of 64 bits.
        Some(pool) => unsafe { sys::cuMemPoolSetAttribute(pool, attribute, (&raw mut threshold).cast()).result() },
        None => Ok(()),
    }
}

/// What the driver calls a device.
pub fn name(device: &Device) -> Result<String> {
    let stream = device.as_cuda_device()?.cuda_stream();
    stream.context().name().map_err(|error| failed("cuDeviceGetName", reason(error.0)))
}

/// Most bytes of tensors that were on `device` at once since the last call (or ever). Waits for the
/// device. `None` where it does not count.
pub fn take_peak_memory(device: &Device) -> Result<Option<u64>> {
    device.synchronize()?;
    let stream = device.as_cuda_device()?.cuda_stream();
    let unknown = |error: result::DriverError| failed("cuMemPoolGetAttribute", reason(error.0));
    let Some(pool) = pool(stream.context().ordinal()).map_err(unknown)? else {
        return Ok(None);
    };
    let attribute = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
    let (mut peak, mut zero) = (0u64, 0u64);
    // SAFETY: the pool exists, and the attribute is an unsigned number of 64 bits; writing zero
    // starts it again.
    unsafe {
        sys::cuMemPoolGetAttribute(pool, attribute, (&raw mut peak).cast()).result().map_err(unknown)?;
        sys::cuMemPoolSetAttribute(pool, attribute, (&raw mut zero).cast()).result().map_err(unknown)?;
    }
    Ok(Some(peak))
}

/// State of a device in this thread.
pub(super) struct Gpu {
    pub(super) device: CudaDevice,
    pub(super) stream: Arc<CudaStream>,
    module: Arc<CudaModule>,
    functions: RefCell<HashMap<String, CudaFunction>>,
    /// Handle and plans of cuDNN, made by the first convolution.
    pub(super) convolutions: RefCell<Option<conv::Convolutions>>,
}

/// Where kernels run.
#[derive(Clone, Copy)]
pub(super) enum Machine {
    Gpu(&'static Gpu),
    #[cfg(test)]
    Emulator(&'static super::emulator::Emulator),
}

/// A value handed to a kernel; each has the width that the kernel expects.
#[derive(Clone, Copy)]
pub(super) enum Arg {
    /// Address of a tensor's first number, or null.
    Pointer(u64),
    /// A size or a flag.
    Int(i64),
    Seed(u64),
    Float(f32),
    Double(f64),
    /// A structure that the kernel takes by value.
    Struct(*const c_void),
}

impl Arg {
    fn address(&self) -> *mut c_void {
        match self {
            Arg::Pointer(value) | Arg::Seed(value) => (&raw const *value).cast_mut().cast(),
            Arg::Int(value) => (&raw const *value).cast_mut().cast(),
            Arg::Float(value) => (&raw const *value).cast_mut().cast(),
            Arg::Double(value) => (&raw const *value).cast_mut().cast(),
            Arg::Struct(value) => value.cast_mut(),
        }
    }
}

/// The size of a structure's contents as a count.
pub(super) fn int(value: usize) -> Arg {
    Arg::Int(value as i64)
}

/// A structure that must outlive the launch.
pub(super) fn structure<T>(value: &T) -> Arg {
    Arg::Struct((&raw const *value).cast())
}

/// Where the numbers of a contiguous tensor start.
pub(super) fn pointer(tensor: &Tensor) -> Result<Arg> {
    Ok(Arg::Pointer(address(tensor)?))
}

/// The same for a tensor that may be missing.
pub(super) fn pointer_or_null(tensor: Option<&Tensor>) -> Result<Arg> {
    tensor.map_or(Ok(Arg::Pointer(0)), pointer)
}

/// Address of the first number of a contiguous tensor.
pub(super) fn address(tensor: &Tensor) -> Result<u64> {
    let unsupported = |what: &str| Error::unsupported("cuda", format!("{what} {:?}", tensor.dtype()));
    let (storage, layout) = tensor.storage_and_layout();
    let (start, _) = layout.contiguous_offsets().ok_or_else(|| unsupported("a tensor that is not contiguous,"))?;
    let base = match &*storage {
        Storage::Cuda(storage) => {
            let stream = storage.device.cuda_stream();
            match &storage.slice {
                CudaStorageSlice::F32(slice) => slice.device_ptr(&stream).0,
                CudaStorageSlice::BF16(slice) => slice.device_ptr(&stream).0,
                CudaStorageSlice::F64(slice) => slice.device_ptr(&stream).0,
                CudaStorageSlice::U32(slice) => slice.device_ptr(&stream).0,
                CudaStorageSlice::U8(slice) => slice.device_ptr(&stream).0,
                _ => return Err(unsupported("the type")),
            }
        }
        #[cfg(test)]
        Storage::Cpu(storage) => super::emulator::address(storage).ok_or_else(|| unsupported("the type"))?,
        _ => return Err(unsupported("a tensor on another device,")),
    };
    Ok(base + (start * tensor.dtype().size_in_bytes()) as u64)
}

/// Whether the operations on `device` are those of this module.
pub(crate) fn handles(device: &Device) -> bool {
    #[cfg(test)]
    if device.is_cpu() {
        return super::emulator::wanted();
    }
    device.is_cuda()
}

/// An error of a library call.
pub(super) fn failed(call: impl Display, reason: impl Display) -> Error {
    Error::Device { call: call.to_string(), reason: reason.to_string() }
}

thread_local! {
    static GPUS: RefCell<HashMap<DeviceId, &'static Gpu>> = RefCell::default();
}

impl Machine {
    /// The machine that holds a tensor.
    pub(super) fn of(tensor: &Tensor) -> Result<Machine> {
        match tensor.device() {
            Device::Cuda(device) => Ok(Machine::Gpu(gpu(device)?)),
            #[cfg(test)]
            Device::Cpu => Ok(Machine::Emulator(super::emulator::emulator())),
            other => Err(Error::unsupported("cuda", format!("tensors on {other:?}"))),
        }
    }

    /// A tensor whose numbers are arbitrary until a kernel writes them.
    pub(super) fn empty(self, shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
        let shape = shape.into();
        match self {
            Machine::Gpu(gpu) => {
                // The driver gives out no memory of size zero.
                let room = if shape.elem_count() == 0 { Shape::from(1) } else { shape.clone() };
                // SAFETY: all bits are values of the plain numbers that tensors hold.
                let storage = unsafe { gpu.device.alloc_uninit(&room, dtype)? };
                Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
            }
            #[cfg(test)]
            Machine::Emulator(_) => super::emulator::empty(shape, dtype),
        }
    }

    /// A tensor of zeros.
    pub(super) fn zeros(self, shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
        match self {
            Machine::Gpu(gpu) => Ok(Tensor::zeros(shape, dtype, &Device::Cuda(gpu.device.clone()))?),
            #[cfg(test)]
            Machine::Emulator(_) => Ok(Tensor::zeros(shape, dtype, &Device::Cpu)?),
        }
    }

    /// Starts a kernel of `grid` blocks of `block` threads (at most 256); nothing if there are none.
    pub(super) fn launch(self, kernel: &str, grid: [usize; 3], block: [usize; 3], args: &[Arg]) -> Result<()> {
        if grid.contains(&0) {
            return Ok(());
        }
        // Limits of the device: blocks beyond them must be folded by the caller.
        if grid[0] > i32::MAX as usize || grid[1] > 65_535 || block.iter().product::<usize>() > 256 {
            return Err(failed(kernel, format!("a grid of {grid:?} blocks of {block:?} threads is too large")));
        }
        let size = |sizes: [usize; 3]| (sizes[0] as u32, sizes[1] as u32, sizes[2] as u32);
        let mut values: Vec<*mut c_void> = args.iter().map(Arg::address).collect();
        match self {
            Machine::Gpu(gpu) => {
                let function = gpu.function(kernel)?;
                let context = gpu.stream.context();
                context.bind_to_thread().map_err(|error| failed(kernel, reason(error.0)))?;
                // SAFETY: the caller hands the arguments that the kernel declares, and the tensors
                // behind them outlive the launch: memory is freed in the order of the stream.
                let started = unsafe {
                    result::launch_kernel(
                        function.cu_function(),
                        size(grid),
                        size(block),
                        0,
                        gpu.stream.cu_stream(),
                        &mut values,
                    )
                };
                started.map_err(|error| failed(kernel, reason(error.0)))
            }
            #[cfg(test)]
            Machine::Emulator(emulator) => emulator.launch(kernel, size(grid), size(block), &mut values),
        }
    }

    /// Starts a kernel with one thread for each of `count` pieces of work.
    pub(super) fn launch_each(self, kernel: &str, count: usize, args: &[Arg]) -> Result<()> {
        self.launch(kernel, [count.div_ceil(256), 1, 1], [256, 1, 1], args)
    }
}

fn gpu(device: &CudaDevice) -> Result<&'static Gpu> {
    if let Some(gpu) = GPUS.with_borrow(|gpus| gpus.get(&device.id()).copied()) {
        return Ok(gpu);
    }
    let stream = device.cuda_stream();
    let gpu = Gpu {
        module: module(&stream)?,
        device: device.clone(),
        stream,
        functions: RefCell::default(),
        convolutions: RefCell::default(),
    };
    let gpu: &'static Gpu = Box::leak(Box::new(gpu));
    GPUS.with_borrow_mut(|gpus| gpus.insert(device.id(), gpu));
    Ok(gpu)
}

/// The kernels, compiled once per process and device.
fn module(stream: &CudaStream) -> Result<Arc<CudaModule>> {
    static MODULES: Mutex<Vec<(usize, Arc<CudaModule>)>> = Mutex::new(vec![]);
    let context = stream.context();
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, module)) = modules.iter().find(|(number, _)| *number == context.ordinal()) {
        return Ok(module.clone());
    }
    let (major, minor) = context.compute_capability().map_err(|error| failed("compute capability", reason(error.0)))?;
    let binary = compile::compile_for(major as u32, minor as u32)?;
    let module = context.load_module(binary).map_err(|error| failed("load kernels", reason(error.0)))?;
    modules.push((context.ordinal(), module.clone()));
    Ok(module)
}

impl Gpu {
    fn function(&self, kernel: &str) -> Result<CudaFunction> {
        if let Some(function) = self.functions.borrow().get(kernel) {
            return Ok(function.clone());
        }
        let function = self.module.load_function(kernel).map_err(|error| failed(kernel, reason(error.0)))?;
        self.functions.borrow_mut().insert(kernel.to_string(), function.clone());
        Ok(function)
    }
}

/// Ending of the names of a kernel that is made for each type.
pub(super) fn scalar_suffix(op: &'static str, dtype: DType) -> Result<&'static str> {
    match dtype {
        DType::F32 => Ok("f32"),
        DType::BF16 => Ok("bf16"),
        other => Err(Error::unsupported(op, format!("{other:?} on a CUDA device"))),
    }
}

/// Ending and width: packs of four numbers if the tables' rows of `width` numbers can be cut so
/// and every tensor starts where a pack may.
pub(super) fn pack_suffix(op: &'static str, width: usize, tensors: &[&Tensor]) -> Result<(&'static str, usize)> {
    let dtype = tensors.first().map_or(DType::F32, |tensor| tensor.dtype());
    let scalar = scalar_suffix(op, dtype)?;
    for tensor in tensors {
        let pack = 4 * tensor.dtype().size_in_bytes() as u64;
        if !width.is_multiple_of(4) || !address(tensor)?.is_multiple_of(pack) {
            return Ok((scalar, 1));
        }
    }
    Ok((if dtype == DType::F32 { "f32x4" } else { "bf16x4" }, 4))
}

/// Checks that tensors have one type.
pub(super) fn one_type(op: &'static str, tensors: &[&Tensor]) -> Result<DType> {
    let dtype = tensors.first().map_or(DType::F32, |tensor| tensor.dtype());
    match tensors.iter().find(|tensor| tensor.dtype() != dtype) {
        Some(other) => Err(Error::unsupported(op, format!("{dtype:?} together with {:?}", other.dtype()))),
        None => Ok(dtype),
    }
}

/// Tiles of a table `(rows, columns)`: columns by lanes of rows, and parts of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tiles {
    pub(super) block: [usize; 3],
    pub(super) across: usize,
    pub(super) parts: usize,
}

/// Blocks that keep a large device busy; a constant, so that sums do not depend on the device.
const BLOCKS: usize = 1024;

impl Tiles {
    /// For columns in packs of `pack`.
    pub(super) fn new(rows: usize, columns: usize, pack: usize) -> Tiles {
        let packs = columns.div_ceil(pack);
        let wide = packs.next_power_of_two().min(32);
        let lanes = 256 / wide;
        let across = packs.div_ceil(wide);
        // A lane should have at least four rows.
        let parts = rows.div_ceil(4 * lanes).min(BLOCKS.div_ceil(across)).max(1);
        Tiles { block: [wide, lanes, 1], across, parts }
    }

    pub(super) fn grid(self) -> [usize; 3] {
        [self.across, self.parts, 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_all_columns_and_stay_within_the_limits() {
        for (rows, columns, pack) in [(1, 1, 1), (7, 5, 1), (6_291_456, 64, 4), (100, 2048, 4), (100_000, 513, 1)] {
            let tiles = Tiles::new(rows, columns, pack);
            assert_eq!(tiles.block[0] * tiles.block[1], 256);
            assert!(tiles.across * tiles.block[0] * pack >= columns);
            assert!((tiles.across - 1) * tiles.block[0] * pack < columns);
            assert!(tiles.parts >= 1 && tiles.parts <= BLOCKS && tiles.parts <= rows);
        }
    }
}
