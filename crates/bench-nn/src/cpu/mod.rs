//! CPU kernels: functions of slices, parallel over partitions fixed by the problem's size, so that
//! results have the same bits at any thread count.

#[macro_use]
mod vectorised;
mod memory;

pub(crate) mod batch_norm;
pub mod conv;
pub(crate) mod elementwise;
mod gather;
pub mod gemm;
mod geometry;
pub(crate) mod kernel;
#[cfg(target_arch = "x86_64")]
mod kernel_avx2;
#[cfg(target_arch = "x86_64")]
mod kernel_avx512;
mod kernel_portable;
pub(crate) mod optimise;
pub(crate) mod pool;
mod reduce;
pub(crate) mod rows;
mod scratch;
pub(crate) mod segment;
pub(crate) mod table;

pub use geometry::{Geometry, out_size};
pub(crate) use memory::{collect, read};
pub use memory::{keep_freed_memory, update};

/// Numbers that one task works on: 64 KiB of single precision, which stays in the second-level
/// cache together with the outputs.
pub(crate) const BLOCK: usize = 16_384;

/// Rows of `width` numbers in a block; at least one.
pub(crate) fn rows_per_block(width: usize) -> usize {
    (BLOCK / width.max(1)).max(1)
}
