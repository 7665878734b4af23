//! Vectors that a kernel fills, and tensors changed in place.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, Tensor, WithDType};

use crate::{Element, Error, Result};

/// A vector of `len` numbers, all of which `fill` must write. They are not zeroed first, which
/// would cost a pass over memory in operations that do little else; in debug builds they start as
/// not-a-number, so that a number left out fails the tests.
pub(crate) fn collect<T: WithDType>(len: usize, fill: impl FnOnce(&mut [T])) -> Vec<T> {
    let mut values = Vec::<T>::with_capacity(len);
    if cfg!(debug_assertions) {
        // SAFETY: the capacity is `len`; all bits set is a value of a plain number.
        unsafe { values.as_mut_ptr().write_bytes(0xff, len) };
    }
    // SAFETY: the capacity is `len`, any content is a value of a plain number, and `fill` writes
    // before anything reads.
    #[allow(clippy::uninit_vec)]
    unsafe {
        values.set_len(len)
    };
    fill(&mut values);
    values
}

/// Tells the C library to keep the memory of freed tensors for the next ones instead of handing it
/// back to the system. To be called once, by a program that trains.
///
/// Why: by default large vectors are mapped afresh, and each first touch of a page is a fault that
/// costs more than the arithmetic of a whole operation; the same activations are needed again in
/// the next step anyway. Does nothing except with glibc.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn mallopt(parameter: std::ffi::c_int, value: std::ffi::c_int) -> std::ffi::c_int;
        }
        const M_TRIM_THRESHOLD: std::ffi::c_int = -1;
        const M_MMAP_MAX: std::ffi::c_int = -4;
        // SAFETY: `mallopt` may be called at any time; both settings are documented in mallopt(3):
        // no mapping per allocation, and no trimming of the heap (-1).
        unsafe {
            mallopt(M_MMAP_MAX, 0);
            mallopt(M_TRIM_THRESHOLD, -1);
        }
    }
}

struct InPlace<F>(Mutex<Option<F>>);

impl<F: FnOnce(&mut CpuStorage, &Layout) -> candle_core::Result<()>> InplaceOp1 for InPlace<F> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(change) => change(storage, layout),
            None => Ok(()),
        }
    }
}

/// Changes the numbers of a contiguous CPU tensor in place; all its clones see the change.
/// `change` must not read the same tensor in another way, which would wait for itself.
pub fn update<T: Element, R>(tensor: &Tensor, change: impl FnOnce(&mut [T]) -> R) -> Result<R> {
    let mut result = None;
    let slot = &mut result;
    let run = move |storage: &mut CpuStorage, layout: &Layout| {
        if let (Some((start, end)), Some(values)) = (layout.contiguous_offsets(), T::of_mut(storage)) {
            *slot = Some(change(&mut values[start..end]));
        }
        Ok(())
    };
    if tensor.device().is_cpu() {
        tensor.inplace_op1(&InPlace(Mutex::new(Some(run))))?;
    }
    result.ok_or_else(|| Error::unsupported("update", format!("{:?} on {:?}", tensor.dtype(), tensor.device())))
}

/// Calls `read` with the numbers of a contiguous CPU tensor of any type (masks, positions).
pub(crate) fn read<T: WithDType, R>(tensor: &Tensor, read: impl FnOnce(&[T]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(storage), Some((start, end))) => Ok(read(&storage.as_slice::<T>()?[start..end])),
        _ => {
            Err(Error::unsupported("read", format!("a tensor of shape {:?} on {:?}", tensor.shape(), tensor.device())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{from_values, view};

    #[test]
    fn an_update_is_seen_by_clones_and_refuses_another_type() {
        let tensor = from_values(vec![1f32, 2.0, 3.0], 3).unwrap();
        let clone = tensor.clone();
        let sum = update::<f32, f32>(&tensor, |values| {
            values[1] = 5.0;
            values.iter().sum()
        });
        assert_eq!(sum.unwrap(), 9.0);
        assert_eq!(&*view::<f32>(&clone).unwrap(), &[1.0, 5.0, 3.0]);
        assert!(update::<f64, ()>(&tensor, |_| ()).is_err());
    }

    #[test]
    fn numbers_that_a_kernel_forgets_are_not_numbers_in_debug_builds() {
        let values = collect::<f32>(3, |values| values[..2].fill(1.0));
        assert_eq!(&values[..2], &[1.0, 1.0]);
        assert_eq!(values[2].is_nan(), cfg!(debug_assertions));
    }
}
