//! Slices in and out of candle tensors on the CPU.

use std::marker::PhantomData;
use std::ops::Deref;

use candle_core::{CpuStorage, Device, Shape, Storage, StorageRef, Tensor};

use crate::{Error, Result};

/// Floating-point numbers that the CPU operations compute with: `f32` to train, `f64` to check
/// gradients by finite differences.
pub trait Element: candle_core::WithDType + gemm_scalar::Scalar + crate::cpu::kernel::Kernel {
    /// The numbers of a CPU storage, if it holds this type.
    fn of(storage: &CpuStorage) -> Option<&[Self]>;
    /// The same, to be written in place.
    fn of_mut(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

/// What the kernels need of a number.
pub(crate) mod gemm_scalar {
    /// Arithmetic shared by `f32` and `f64`.
    pub trait Scalar:
        Copy
        + Send
        + Sync
        + PartialOrd
        + std::ops::Add<Output = Self>
        + std::ops::Sub<Output = Self>
        + std::ops::Mul<Output = Self>
        + std::ops::Div<Output = Self>
        + std::ops::Neg<Output = Self>
        + std::ops::AddAssign
        + std::ops::SubAssign
        + std::ops::MulAssign
        + std::iter::Sum
        + std::fmt::Debug
        + 'static
    {
        /// Zero.
        const ZERO: Self;
        /// One.
        const ONE: Self;
        /// The least finite number.
        const LOWEST: Self;
        /// From a double, rounded.
        fn of_f64(value: f64) -> Self;
        /// As a double, exactly.
        fn as_f64(self) -> f64;
        /// Square root.
        fn root(self) -> Self;
        /// Exponential.
        fn exponential(self) -> Self;
        /// Natural logarithm.
        fn logarithm(self) -> Self;
        /// Neither infinite nor not-a-number.
        fn finite(self) -> bool;
    }

    macro_rules! scalar {
        ($t:ty) => {
            impl Scalar for $t {
                const ZERO: Self = 0.0;
                const ONE: Self = 1.0;
                const LOWEST: Self = <$t>::MIN;
                #[inline(always)]
                fn of_f64(value: f64) -> Self {
                    value as $t
                }
                #[inline(always)]
                fn as_f64(self) -> f64 {
                    self as f64
                }
                #[inline(always)]
                fn root(self) -> Self {
                    self.sqrt()
                }
                #[inline(always)]
                fn exponential(self) -> Self {
                    self.exp()
                }
                #[inline(always)]
                fn logarithm(self) -> Self {
                    self.ln()
                }
                #[inline(always)]
                fn finite(self) -> bool {
                    self.is_finite()
                }
            }
        };
    }
    scalar!(f32);
    scalar!(f64);
}

impl Element for f32 {
    fn of(storage: &CpuStorage) -> Option<&[f32]> {
        if let CpuStorage::F32(values) = storage { Some(values) } else { None }
    }
    fn of_mut(storage: &mut CpuStorage) -> Option<&mut [f32]> {
        if let CpuStorage::F32(values) = storage { Some(values) } else { None }
    }
}

impl Element for f64 {
    fn of(storage: &CpuStorage) -> Option<&[f64]> {
        if let CpuStorage::F64(values) = storage { Some(values) } else { None }
    }
    fn of_mut(storage: &mut CpuStorage) -> Option<&mut [f64]> {
        if let CpuStorage::F64(values) = storage { Some(values) } else { None }
    }
}

/// The numbers of a contiguous CPU tensor, borrowed.
pub struct View<'a, T> {
    storage: StorageRef<'a>,
    start: usize,
    len: usize,
    kind: PhantomData<T>,
}

impl<T: Element> Deref for View<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match &*self.storage {
            Storage::Cpu(storage) => &T::of(storage).unwrap_or(&[])[self.start..self.start + self.len],
            _ => &[],
        }
    }
}

/// Borrows the numbers of `tensor`, which must be contiguous, on the CPU and of type `T`.
pub fn view<T: Element>(tensor: &Tensor) -> Result<View<'_, T>> {
    let (storage, layout) = tensor.storage_and_layout();
    let Some((start, end)) = layout.contiguous_offsets() else {
        return Err(Error::unsupported("view", format!("a strided tensor of shape {:?}", tensor.shape())));
    };
    match &*storage {
        Storage::Cpu(cpu) if T::of(cpu).is_some() => {}
        _ => return Err(Error::unsupported("view", format!("{:?} on {:?}", tensor.dtype(), tensor.device()))),
    }
    Ok(View { storage, start, len: end - start, kind: PhantomData })
}

/// A CPU tensor that owns `values`; the product of `shape` is their count.
pub fn from_values<T: Element>(values: Vec<T>, shape: impl Into<Shape>) -> Result<Tensor> {
    let shape = shape.into();
    if shape.elem_count() != values.len() {
        return Err(Error::shape("from_values", format!("{} values", shape.elem_count()), values.len()));
    }
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// Runs a body with `T` bound to the floating-point type of a CPU tensor.
macro_rules! with_element {
    ($op:expr, $tensor:expr, $T:ident => $body:expr) => {
        match $tensor.dtype() {
            candle_core::DType::F32 => {
                type $T = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $T = f64;
                $body
            }
            other => Err($crate::Error::unsupported($op, format!("{other:?} on the CPU"))),
        }
    };
}
