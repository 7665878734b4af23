//! Tiles in AVX-512F: 6 rows by 4 vectors of 16, 24 of the 32 registers as sums.
//!
//! Two multiply-adds a cycle need 24 / 2 = 12 cycles a step and ten loads of the twenty that fit.

use std::arch::x86_64::*;

use crate::cpu::kernel::microkernels;

#[target_feature(enable = "avx512f")]
fn zero() -> __m512 {
    _mm512_setzero_ps()
}

#[target_feature(enable = "avx512f")]
fn splat(value: f32) -> __m512 {
    _mm512_set1_ps(value)
}

#[target_feature(enable = "avx512f")]
fn plus(a: __m512, b: __m512) -> __m512 {
    _mm512_add_ps(a, b)
}

#[target_feature(enable = "avx512f")]
fn multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 {
    _mm512_fmadd_ps(a, b, c)
}

#[target_feature(enable = "avx512f")]
unsafe fn load(at: *const f32) -> __m512 {
    // SAFETY: 16 numbers follow `at`.
    unsafe { _mm512_loadu_ps(at) }
}

#[target_feature(enable = "avx512f")]
unsafe fn store(at: *mut f32, value: __m512) {
    // SAFETY: 16 numbers follow `at`.
    unsafe { _mm512_storeu_ps(at, value) }
}

#[target_feature(enable = "avx512f")]
fn first(count: usize) -> __mmask16 {
    // Columns run out before the last vector of a tile only in its last panel, hence the cap.
    ((1u32 << count.min(16)) - 1) as __mmask16
}

#[target_feature(enable = "avx512f")]
unsafe fn load_part(at: *const f32, count: usize) -> __m512 {
    // SAFETY: `count` numbers follow `at`; masked lanes are not read.
    unsafe { _mm512_maskz_loadu_ps(first(count), at) }
}

#[target_feature(enable = "avx512f")]
unsafe fn store_part(at: *mut f32, value: __m512, count: usize) {
    // SAFETY: `count` numbers follow `at`; masked lanes are not written.
    unsafe { _mm512_mask_storeu_ps(at, first(count), value) }
}

microkernels! {
    #[target_feature(enable = "avx512f")]
    number f32; vector __m512; lanes 16; rows 6; vectors 4;
    tile 1: 1 2 3 4 5 6;
    tile 2: 1 2 3 4 5 6;
    tile 3: 1 2 3 4 5 6;
    tile 4: 1 2 3 4 5 6;
}

/// [`crate::cpu::kernel::Kernel::copy_rows`] by vectors.
///
/// # Safety
/// The processor has AVX-512F and the addresses are valid.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn copy_rows(
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
    rows: usize,
    len: usize,
) {
    for row in 0..rows {
        // SAFETY: the caller's rows; masked lanes are neither read nor written.
        unsafe {
            let (from, to) = (from.add(row * from_stride), to.add(row * to_stride));
            if len < 16 {
                store_part(to, load_part(from, len), len);
                continue;
            }
            let mut at = 0;
            while at + 16 <= len {
                store(to.add(at), load(from.add(at)));
                at += 16;
            }
            // The last numbers, some of them again: masked stores are many times slower.
            store(to.add(len - 16), load(from.add(len - 16)));
        }
    }
}

/// [`crate::cpu::kernel::Kernel::transpose`] by blocks of 16 by 16 in registers.
///
/// # Safety
/// The processor has AVX-512F and the addresses are valid.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn transpose(
    a: *const f32,
    a_stride: usize,
    out: *mut f32,
    out_stride: usize,
    rows: usize,
    columns: usize,
) {
    for c in (0..columns).step_by(16) {
        let width = (columns - c).min(16);
        for k in (0..rows).step_by(16) {
            let height = (rows - k).min(16);
            // SAFETY: the caller's addresses; parts outside are masked.
            unsafe {
                let block: [__m512; 16] = std::array::from_fn(|i| {
                    if i >= width {
                        zero()
                    } else if height == 16 {
                        load(a.add((c + i) * a_stride + k))
                    } else {
                        load_part(a.add((c + i) * a_stride + k), height)
                    }
                });
                let block = transposed(block);
                for (i, row) in block.into_iter().enumerate().take(height) {
                    let at = out.add((k + i) * out_stride + c);
                    if width == 16 { store(at, row) } else { store_part(at, row, width) }
                }
            }
        }
    }
}

/// Sixteen rows of sixteen, transposed: pairs of numbers, pairs of pairs, then quarters of registers.
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512; 16]) -> [__m512; 16] {
    let mut pairs = [zero(); 16];
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
    }
    // quads[4 g + j] holds, in each quarter q, column 4 q + j of rows 4 g .. 4 g + 4.
    let mut quads = [zero(); 16];
    for g in 0..4 {
        for half in 0..2 {
            let low = _mm512_castps_pd(pairs[4 * g + half]);
            let high = _mm512_castps_pd(pairs[4 * g + 2 + half]);
            quads[4 * g + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            quads[4 * g + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    }
    let mut columns = [zero(); 16];
    for j in 0..4 {
        let [a, b, c, d] = [quads[j], quads[4 + j], quads[8 + j], quads[12 + j]];
        let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b); // a0 a2 b0 b2
        let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b); // a1 a3 b1 b3
        let even_next = _mm512_shuffle_f32x4::<0b10_00_10_00>(c, d);
        let odd_next = _mm512_shuffle_f32x4::<0b11_01_11_01>(c, d);
        columns[j] = _mm512_shuffle_f32x4::<0b10_00_10_00>(even, even_next); // a0 b0 c0 d0
        columns[4 + j] = _mm512_shuffle_f32x4::<0b10_00_10_00>(odd, odd_next);
        columns[8 + j] = _mm512_shuffle_f32x4::<0b11_01_11_01>(even, even_next);
        columns[12 + j] = _mm512_shuffle_f32x4::<0b11_01_11_01>(odd, odd_next);
    }
    columns
}
