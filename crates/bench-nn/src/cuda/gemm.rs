//! Products of matrices through cuBLAS.
//!
//! What: `y = x w'` of tables `x (rows, in)` and `w (out, in)`, and its two gradients. cuBLAS
//! counts columns first, so it is handed the transposed problem.
//! Precision: `f32` in full or through TF32 tensor cores; `bf16` with sums in `f32`.

use std::ffi::{c_int, c_void};

use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::{DType, Tensor};

use super::machine::{Machine, address, failed, one_type};
use crate::{Error, Result};

const PLAIN: sys::cublasOperation_t = sys::cublasOperation_t::CUBLAS_OP_N;
const TURNED: sys::cublasOperation_t = sys::cublasOperation_t::CUBLAS_OP_T;

/// A factor as cuBLAS sees it: a matrix whose columns of `leading` numbers follow each other.
#[derive(Clone, Copy)]
struct Factor<'a> {
    tensor: &'a Tensor,
    turn: sys::cublasOperation_t,
    leading: usize,
}

/// `c (m, n) = a (m, k) b (k, n)`, columns first, into a tensor of shape `dims`.
fn product(a: Factor<'_>, b: Factor<'_>, [m, n, k]: [usize; 3], dims: &[usize], tf32: bool) -> Result<Tensor> {
    let machine = Machine::of(a.tensor)?;
    let dtype = one_type("linear", &[a.tensor, b.tensor])?;
    let (kind, compute) = match (dtype, tf32) {
        (DType::F32, false) => (sys::cudaDataType_t::CUDA_R_32F, sys::cublasComputeType_t::CUBLAS_COMPUTE_32F),
        (DType::F32, true) => (sys::cudaDataType_t::CUDA_R_32F, sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32),
        (DType::BF16, _) => (sys::cudaDataType_t::CUDA_R_16BF, sys::cublasComputeType_t::CUBLAS_COMPUTE_32F),
        (other, _) => return Err(Error::unsupported("linear", format!("{other:?} on a CUDA device"))),
    };
    if m * n * k == 0 {
        return machine.zeros(dims, dtype);
    }
    let c = machine.empty(dims, dtype)?;
    let size = |value: usize| {
        c_int::try_from(value).map_err(|_| Error::shape("linear", "sizes below two thousand million", value))
    };
    let place = |tensor: &Tensor| Ok::<_, Error>(address(tensor)? as *const c_void);
    let (one, zero) = (1.0f32, 0.0f32);
    match machine {
        Machine::Gpu(gpu) => {
            // SAFETY: the handle works on the device's stream, the sizes are those of the tensors, and the
            // factors are single precision as the compute type asks.
            let done = unsafe {
                result::gemm_ex(
                    *gpu.device.cublas_handle().handle(),
                    a.turn,
                    b.turn,
                    size(m)?,
                    size(n)?,
                    size(k)?,
                    (&raw const one).cast(),
                    place(a.tensor)?,
                    kind,
                    size(a.leading)?,
                    place(b.tensor)?,
                    kind,
                    size(b.leading)?,
                    (&raw const zero).cast(),
                    place(&c)?.cast_mut(),
                    kind,
                    size(m)?,
                    compute,
                    sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
                )
            };
            done.map_err(|error| failed("cublasGemmEx", format!("{error:?}")))?;
            Ok(c)
        }
        #[cfg(test)]
        Machine::Emulator(_) => {
            let turned = |factor: Factor<'_>| factor.turn == TURNED;
            let factors = [(a.tensor, turned(a), a.leading), (b.tensor, turned(b), b.leading)];
            super::emulator::product(factors, &c, [m, n, k])?;
            Ok(c)
        }
    }
}

/// `x (rows, in)` times the transpose of `w (out, in)`, into a tensor of shape `dims`.
pub(crate) fn linear_forward(
    x: &Tensor,
    w: &Tensor,
    [rows, outputs, inputs]: [usize; 3],
    dims: &[usize],
    tf32: bool,
) -> Result<Tensor> {
    let a = Factor { tensor: w, turn: TURNED, leading: inputs };
    let b = Factor { tensor: x, turn: PLAIN, leading: inputs };
    product(a, b, [outputs, rows, inputs], dims, tf32)
}

/// Gradient of `x` from `dy (rows, out)` and `w (out, in)`, into a tensor of shape `dims`.
pub(crate) fn linear_backward_input(
    dy: &Tensor,
    w: &Tensor,
    [rows, outputs, inputs]: [usize; 3],
    dims: &[usize],
    tf32: bool,
) -> Result<Tensor> {
    let a = Factor { tensor: w, turn: PLAIN, leading: inputs };
    let b = Factor { tensor: dy, turn: PLAIN, leading: outputs };
    product(a, b, [inputs, rows, outputs], dims, tf32)
}

/// Gradient of `w` from `dy (rows, out)` and `x (rows, in)`, into a tensor of shape `dims`.
pub(crate) fn linear_backward_weight(
    dy: &Tensor,
    x: &Tensor,
    [rows, outputs, inputs]: [usize; 3],
    dims: &[usize],
    tf32: bool,
) -> Result<Tensor> {
    let a = Factor { tensor: x, turn: PLAIN, leading: inputs };
    let b = Factor { tensor: dy, turn: TURNED, leading: outputs };
    product(a, b, [inputs, outputs, rows], dims, tf32)
}
