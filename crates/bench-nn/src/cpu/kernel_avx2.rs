//! Tiles in AVX2 with FMA: 6 rows by 2 vectors of 8, 12 of the 16 registers as sums.

use std::arch::x86_64::*;

use crate::cpu::kernel::microkernels;

#[target_feature(enable = "avx2,fma")]
fn zero() -> __m256 {
    _mm256_setzero_ps()
}

#[target_feature(enable = "avx2,fma")]
fn splat(value: f32) -> __m256 {
    _mm256_set1_ps(value)
}

#[target_feature(enable = "avx2,fma")]
fn plus(a: __m256, b: __m256) -> __m256 {
    _mm256_add_ps(a, b)
}

#[target_feature(enable = "avx2,fma")]
fn multiply_add(a: __m256, b: __m256, c: __m256) -> __m256 {
    _mm256_fmadd_ps(a, b, c)
}

#[target_feature(enable = "avx2,fma")]
unsafe fn load(at: *const f32) -> __m256 {
    // SAFETY: 8 numbers follow `at`.
    unsafe { _mm256_loadu_ps(at) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn store(at: *mut f32, value: __m256) {
    // SAFETY: 8 numbers follow `at`.
    unsafe { _mm256_storeu_ps(at, value) }
}

#[target_feature(enable = "avx2,fma")]
fn first(count: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
}

#[target_feature(enable = "avx2,fma")]
unsafe fn load_part(at: *const f32, count: usize) -> __m256 {
    // SAFETY: `count` numbers follow `at`; masked lanes are not read.
    unsafe { _mm256_maskload_ps(at, first(count)) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn store_part(at: *mut f32, value: __m256, count: usize) {
    // SAFETY: `count` numbers follow `at`; masked lanes are not written.
    unsafe { _mm256_maskstore_ps(at, first(count), value) }
}

microkernels! {
    #[target_feature(enable = "avx2,fma")]
    number f32; vector __m256; lanes 8; rows 6; vectors 2;
    tile 1: 1 2 3 4 5 6;
    tile 2: 1 2 3 4 5 6;
}
