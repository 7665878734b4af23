//! Runs the kernels on the CPU, so that tests compare them with the CPU operations without a device.
//!
//! What: the source of the kernels and `emulator.h` are compiled by the system's C++ compiler to a
//! library; its functions take the sizes of a launch and the arguments just as the driver does.
//! So the tests cover the kernels' arithmetic and the host's part: grids, arguments, buffers.
//! cuBLAS and cuDNN are stood in for by plain loops that read their arguments as the libraries do.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Mutex, OnceLock};

use candle_core::{CpuStorage, DType, Device, Tensor};

use super::conv::{Pass, Shape};
use crate::Result;

type Kernel = unsafe extern "C" fn(*const u32, *mut *mut c_void);

/// The compiled kernels.
pub(super) struct Emulator {
    /// Handle of the library, an address.
    library: usize,
    kernels: Mutex<HashMap<String, Kernel>>,
}

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// The emulator, compiled when it is first asked for.
pub(super) fn emulator() -> &'static Emulator {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    EMULATOR.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("kernels-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (source, library) = (folder.join("kernels.cpp"), folder.join("kernels.so"));
        let text = [include_str!("kernels/emulator.h"), super::compile::SOURCE].concat();
        std::fs::write(&source, text).unwrap();
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_string());
        let options = ["-O1", "-std=c++17", "-ffp-contract=off", "-Wno-unknown-pragmas", "-shared", "-fPIC", "-o"];
        let status = std::process::Command::new(compiler).args(options).arg(&library).arg(&source).status();
        assert!(status.unwrap().success(), "the kernels do not compile as C++");
        let path = CString::new(library.to_str().unwrap()).unwrap();
        // SAFETY: a library of plain functions; 2 binds all names at once.
        let handle = unsafe { dlopen(path.as_ptr(), 2) };
        assert!(!handle.is_null(), "the compiled kernels do not load");
        std::fs::remove_dir_all(&folder).unwrap();
        Emulator { library: handle as usize, kernels: Mutex::default() }
    })
}

impl Emulator {
    pub(super) fn launch(
        &self,
        kernel: &str,
        grid: (u32, u32, u32),
        block: (u32, u32, u32),
        values: &mut [*mut c_void],
    ) -> Result<()> {
        let function = *self.kernels.lock().unwrap().entry(kernel.to_string()).or_insert_with(|| {
            let name = CString::new(kernel).unwrap();
            // SAFETY: the library is open.
            let address = unsafe { dlsym(self.library as *mut c_void, name.as_ptr()) };
            assert!(!address.is_null(), "no kernel is named `{kernel}`");
            // SAFETY: every name that the source exports is a kernel, and those have this type.
            unsafe { std::mem::transmute::<*mut c_void, Kernel>(address) }
        });
        let sizes = [grid.0, grid.1, grid.2, block.0, block.1, block.2];
        // SAFETY: as for a launch on a device.
        unsafe { function(sizes.as_ptr(), values.as_mut_ptr()) };
        Ok(())
    }
}

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread's CPU tensors stand for tensors on a device.
pub(super) fn wanted() -> bool {
    WANTED.get()
}

/// Runs `f` with CPU tensors standing for tensors on a device.
pub(crate) fn emulated<R>(f: impl FnOnce() -> R) -> R {
    WANTED.set(true);
    let result = f();
    WANTED.set(false);
    result
}

/// Where the numbers of a CPU storage start.
pub(super) fn address(storage: &CpuStorage) -> Option<u64> {
    match storage {
        CpuStorage::F32(values) => Some(values.as_ptr() as u64),
        CpuStorage::BF16(values) => Some(values.as_ptr() as u64),
        CpuStorage::F64(values) => Some(values.as_ptr() as u64),
        CpuStorage::U32(values) => Some(values.as_ptr() as u64),
        CpuStorage::U8(values) => Some(values.as_ptr() as u64),
        _ => None,
    }
}

/// Numbers of a type at an address.
#[derive(Clone, Copy)]
struct Numbers {
    address: u64,
    dtype: DType,
}

impl Numbers {
    fn of(tensor: &Tensor) -> Result<Numbers> {
        Ok(Numbers { address: super::machine::address(tensor)?, dtype: tensor.dtype() })
    }

    fn read(self, index: usize) -> f32 {
        // SAFETY: the caller stays within the tensor.
        unsafe {
            match self.dtype {
                DType::BF16 => f32::from_bits(u32::from(*(self.address as *const u16).add(index)) << 16),
                _ => *(self.address as *const f32).add(index),
            }
        }
    }

    fn write(self, index: usize, value: f32) {
        let bits = value.to_bits();
        // SAFETY: as above; the tests hold no other reference to the numbers.
        unsafe {
            match self.dtype {
                DType::BF16 => {
                    *(self.address as *mut u16).add(index) = ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
                }
                _ => *(self.address as *mut f32).add(index) = value,
            }
        }
    }
}

/// `c (m, n) = a (m, k) b (k, n)` as cuBLAS does it: matrices by columns, `leading` numbers apart,
/// each factor (tensor, turned, leading) perhaps transposed.
pub(super) fn product([a, b]: [(&Tensor, bool, usize); 2], c: &Tensor, [m, n, k]: [usize; 3]) -> Result<()> {
    let at = |(tensor, turned, leading): (&Tensor, bool, usize)| -> Result<_> {
        let numbers = Numbers::of(tensor)?;
        Ok(move |row: usize, column: usize| {
            let (row, column) = if turned { (column, row) } else { (row, column) };
            assert!(row < leading, "a column overlaps the next one");
            numbers.read(column * leading + row)
        })
    };
    let (a, b, c) = (at(a)?, at(b)?, Numbers::of(c)?);
    for (row, column) in (0..m).flat_map(|row| (0..n).map(move |column| (row, column))) {
        c.write(column * m + row, (0..k).map(|i| a(row, i) * b(i, column)).sum());
    }
    Ok(())
}

/// One pass of a convolution at the addresses of `x`, `w` and `y`, as cuDNN does it: the result is
/// written, or added to if `keep`.
pub(super) fn convolution(pass: Pass, shape: Shape, dtype: DType, places: [usize; 3], keep: bool) {
    let [x, w, y] = places.map(|address| Numbers { address: address as u64, dtype });
    let (to, len) = match pass {
        Pass::Forward => (y, shape.numbers()[2]),
        Pass::Data => (x, shape.numbers()[0]),
        Pass::Filter => (w, shape.numbers()[1]),
    };
    let mut sums: Vec<f32> = (0..len).map(|i| if keep { to.read(i) } else { 0.0 }).collect();
    shape.each(|at_x, at_w, at_y| match pass {
        Pass::Forward => sums[at_y] += x.read(at_x) * w.read(at_w),
        Pass::Data => sums[at_x] += y.read(at_y) * w.read(at_w),
        Pass::Filter => sums[at_w] += x.read(at_x) * y.read(at_y),
    });
    for (i, sum) in sums.into_iter().enumerate() {
        to.write(i, sum);
    }
}

/// Numbers that no kernel has written: not-a-number, or the largest integer.
pub(super) fn empty(shape: candle_core::Shape, dtype: DType) -> Result<Tensor> {
    let cpu = &Device::Cpu;
    Ok(match dtype {
        DType::U32 => Tensor::full(u32::MAX, shape, cpu)?,
        DType::U8 => Tensor::full(u8::MAX, shape, cpu)?,
        float => Tensor::full(f32::NAN, shape, cpu)?.to_dtype(float)?,
    })
}
