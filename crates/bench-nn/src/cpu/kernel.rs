//! Register tiles: the two inner loops that every product and convolution runs in, per processor.
//!
//! A tile is `R` rows by `V` vectors of the output, kept in registers while the sum over `k` runs.
//! Each step loads `V` vectors of the right factor and multiplies them by `R` single numbers of
//! the left one. The right factor is always read along the output's columns (packed panels, or
//! pixels of a channels-last image); the left one in one of two ways:
//!
//! * [`Dot`]: `R` row pointers, each row contiguous in `k`. A convolution points them at pixels, so
//!   its input is never copied into a matrix (implicit im2col).
//! * [`Outer`]: the `R` numbers of one `k` lie together. For gradients of weights, sums over pixels.
//!
//! The bodies are the same for all processors; the macro `microkernels` is given the vector
//! operations. Which processor is asked once, at run time. Results differ in the last bits
//! between processors, never between runs or thread counts on one.
//!
//! Reference: Goto & van de Geijn 2008, Anatomy of high-performance matrix multiplication; Georganas
//! et al. 2018, Anatomy of high-performance deep learning convolutions on SIMD architectures.

/// Rows of the tallest tile of any processor.
pub(crate) const MAX_ROWS: usize = 6;

/// A run of the sum over `k`: `len` numbers, consecutive in a row of the left factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Offset from the row pointer.
    pub(crate) a: isize,
    /// Row of the packed panel of the right factor at which the run starts.
    pub(crate) b: usize,
    /// Its length.
    pub(crate) len: usize,
}

/// One step of the sum over `k` in [`Outer`]: offsets in the two factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) a: u32,
    pub(crate) b: u32,
}

/// `out[r][shift + c] (+)= sum over segments, k: a[r][segment.a + k] * b[(segment.b + k) * width + c]`
/// for the tile's rows `r` and `c < columns`. Arguments: `a`, `segments`, `b`, `out`, `shift`,
/// `columns`, whether to add to what is there. `width` is the number of columns of the whole tile.
///
/// # Safety
/// The pointers hold one entry per row of the tile; all addresses of the formula are valid, also
/// those of `b` up to `width`, and `columns` reaches into the tile's last vector.
pub(crate) type Dot<T> = unsafe fn(*const *const T, &[Segment], *const T, *const *mut T, usize, usize, bool);

/// `out[r][shift + c] (+)= sum over steps: a[step.a + r] * b[step.b + c]`. Arguments: `a`, `b`,
/// `steps`, `out`, `shift`, `columns`, whether to add.
///
/// # Safety
/// As for [`Dot`].
pub(crate) type Outer<T> = unsafe fn(*const T, *const T, &[Step], *const *mut T, usize, usize, bool);

/// The tiles of one processor for one type of number.
pub struct Tiles<T: 'static> {
    /// Rows of the tallest tile.
    pub(crate) rows: usize,
    /// Numbers in a vector.
    pub(crate) lanes: usize,
    /// Vectors in the widest tile.
    pub(crate) vectors: usize,
    /// `dot[vectors - 1][rows - 1]`.
    pub(crate) dot: &'static [&'static [Dot<T>]],
    /// `outer[vectors - 1][rows - 1]`.
    pub(crate) outer: &'static [&'static [Outer<T>]],
}

impl<T> Tiles<T> {
    /// Columns of the widest tile.
    pub(crate) fn width(&self) -> usize {
        self.lanes * self.vectors
    }

    /// How many panels cover `columns`.
    pub(crate) fn panels(&self, columns: usize) -> usize {
        columns.div_ceil(self.width())
    }

    /// Panel `index` of `columns`.
    pub(crate) fn panel(&self, columns: usize, index: usize) -> Panel {
        let start = index * self.width();
        let columns = self.width().min(columns - start);
        let vectors = columns.div_ceil(self.lanes);
        Panel { start, columns, vectors, width: vectors * self.lanes }
    }

    /// Columns of all panels, the last one filled up to whole vectors.
    pub(crate) fn padded(&self, columns: usize) -> usize {
        columns.next_multiple_of(self.lanes)
    }
}

/// Neighbouring columns that one tile covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    /// First column.
    pub(crate) start: usize,
    /// Columns that exist.
    pub(crate) columns: usize,
    /// Vectors that hold them.
    pub(crate) vectors: usize,
    /// Columns of these vectors.
    pub(crate) width: usize,
}

/// Numbers that have tiles.
pub trait Kernel: Copy + Send + Sync + 'static {
    /// The best tiles of this processor.
    #[doc(hidden)]
    fn tiles() -> &'static Tiles<Self>;

    /// Tiles that every processor has.
    #[doc(hidden)]
    fn portable() -> &'static Tiles<Self>;

    /// Transposes `out[k][c] = a[c][k]`, both with the given distances between rows, on this
    /// processor: `rows` rows `k`, `columns` columns `c`.
    ///
    /// # Safety
    /// All addresses of the formula are valid.
    #[doc(hidden)]
    unsafe fn transpose(
        a: *const Self,
        a_stride: usize,
        out: *mut Self,
        out_stride: usize,
        rows: usize,
        columns: usize,
    ) {
        // SAFETY: the caller's.
        unsafe { transpose_blocks(a, a_stride, out, out_stride, rows, columns) }
    }

    /// Copies `len` numbers from each of `rows` rows: short runs, for which a call of the library's
    /// copy costs as much as the copy.
    ///
    /// # Safety
    /// All rows are valid.
    #[doc(hidden)]
    unsafe fn copy_rows(
        from: *const Self,
        from_stride: usize,
        to: *mut Self,
        to_stride: usize,
        rows: usize,
        len: usize,
    ) {
        for row in 0..rows {
            // SAFETY: the caller's.
            unsafe { from.add(row * from_stride).copy_to_nonoverlapping(to.add(row * to_stride), len) };
        }
    }
}

impl Kernel for f32 {
    fn tiles() -> &'static Tiles<f32> {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return &super::kernel_avx512::TILES;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return &super::kernel_avx2::TILES;
            }
        }
        Self::portable()
    }

    fn portable() -> &'static Tiles<f32> {
        &super::kernel_portable::single::TILES
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn transpose(a: *const f32, a_stride: usize, out: *mut f32, out_stride: usize, rows: usize, columns: usize) {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512F; addresses are the caller's.
            unsafe { super::kernel_avx512::transpose(a, a_stride, out, out_stride, rows, columns) }
        } else {
            // SAFETY: the caller's.
            unsafe { transpose_blocks(a, a_stride, out, out_stride, rows, columns) }
        }
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn copy_rows(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize, rows: usize, len: usize) {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512F; addresses are the caller's.
            unsafe { super::kernel_avx512::copy_rows(from, from_stride, to, to_stride, rows, len) }
        } else {
            for row in 0..rows {
                // SAFETY: the caller's.
                unsafe { from.add(row * from_stride).copy_to_nonoverlapping(to.add(row * to_stride), len) };
            }
        }
    }
}

impl Kernel for f64 {
    fn tiles() -> &'static Tiles<f64> {
        Self::portable()
    }

    fn portable() -> &'static Tiles<f64> {
        &super::kernel_portable::double::TILES
    }
}

/// [`Kernel::transpose`] number by number, in blocks whose cache lines stay near.
///
/// # Safety
/// As for [`Kernel::transpose`].
pub(crate) unsafe fn transpose_blocks<T: Copy>(
    a: *const T,
    a_stride: usize,
    out: *mut T,
    out_stride: usize,
    rows: usize,
    columns: usize,
) {
    for first in (0..rows).step_by(16) {
        for c in 0..columns {
            for k in first..rows.min(first + 16) {
                // SAFETY: the caller's.
                unsafe { *out.add(k * out_stride + c) = *a.add(c * a_stride + k) };
            }
        }
    }
}

/// Defines `dot`, `outer` and `TILES` from vector operations, in the module where it is used.
macro_rules! microkernels {
    (
        $(#[$attribute:meta])*
        number $T:ty; vector $V:ty; lanes $lanes:expr; rows $rows:expr; vectors $vectors:expr;
        $(tile $v:literal: $($r:literal)*;)*
    ) => {
        /// Writes a tile's sums to its rows, or adds them. Never inlined: with this code around, the
        /// compiler keeps the sums of `dot` in memory, in the innermost loop, at half the speed.
        $(#[$attribute])*
        #[inline(never)]
        #[allow(unused_unsafe)] // Some sets' operations are unsafe functions, others are not.
        unsafe fn finish<const R: usize, const V: usize>(
            sums: &[[$V; V]; R],
            out: *const *mut $T,
            shift: usize,
            columns: usize,
            add: bool,
        ) {
            // SAFETY: the caller guarantees `columns` numbers after `shift` in each of `R` rows.
            unsafe {
                for r in 0..R {
                    let row = (*out.add(r)).add(shift);
                    for v in 0..V {
                        let (at, sum) = (row.add(v * $lanes), sums[r][v]);
                        if columns >= (v + 1) * $lanes {
                            store(at, if add { plus(load(at), sum) } else { sum });
                        } else {
                            let count = columns - v * $lanes;
                            store_part(at, if add { plus(load_part(at, count), sum) } else { sum }, count);
                        }
                    }
                }
            }
        }

        $(#[$attribute])*
        #[allow(unused_unsafe)] // Some sets' operations are unsafe functions, others are not.
        unsafe fn dot<const R: usize, const V: usize>(
            a: *const *const $T,
            segments: &[crate::cpu::kernel::Segment],
            b: *const $T,
            out: *const *mut $T,
            shift: usize,
            columns: usize,
            add: bool,
        ) {
            // SAFETY: the caller guarantees the addresses of the formula of `Dot`.
            unsafe {
                let mut sums = [[zero(); V]; R];
                for segment in segments {
                    let rows: [*const $T; R] = std::array::from_fn(|r| (*a.add(r)).wrapping_offset(segment.a));
                    let mut b = b.add(segment.b * V * $lanes);
                    for k in 0..segment.len {
                        let right: [$V; V] = std::array::from_fn(|v| load(b.add(v * $lanes)));
                        for r in 0..R {
                            let left = splat(*rows[r].add(k));
                            for v in 0..V {
                                sums[r][v] = multiply_add(left, right[v], sums[r][v]);
                            }
                        }
                        b = b.add(V * $lanes);
                    }
                }
                finish::<R, V>(&sums, out, shift, columns, add);
            }
        }

        $(#[$attribute])*
        #[allow(unused_unsafe)]
        unsafe fn outer<const R: usize, const V: usize>(
            a: *const $T,
            b: *const $T,
            steps: &[crate::cpu::kernel::Step],
            out: *const *mut $T,
            shift: usize,
            columns: usize,
            add: bool,
        ) {
            // SAFETY: the caller guarantees the addresses of the formula of `Outer`.
            unsafe {
                let mut sums = [[zero(); V]; R];
                for step in steps {
                    let (a, b) = (a.add(step.a as usize), b.add(step.b as usize));
                    let right: [$V; V] = std::array::from_fn(|v| load(b.add(v * $lanes)));
                    for r in 0..R {
                        let left = splat(*a.add(r));
                        for v in 0..V {
                            sums[r][v] = multiply_add(left, right[v], sums[r][v]);
                        }
                    }
                }
                finish::<R, V>(&sums, out, shift, columns, add);
            }
        }

        /// The tiles.
        pub(crate) static TILES: crate::cpu::kernel::Tiles<$T> = crate::cpu::kernel::Tiles {
            rows: $rows,
            lanes: $lanes,
            vectors: $vectors,
            dot: &[$(&[$(dot::<$r, $v>),*]),*],
            outer: &[$(&[$(outer::<$r, $v>),*]),*],
        };
    };
}
pub(crate) use microkernels;

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Kernel + crate::Element>(tiles: &Tiles<T>, tolerance: f64) {
        let value = |i: usize| T::of_f64(((i * 37 + 11) % 101) as f64 / 50.0 - 1.0);
        for v in 1..=tiles.vectors {
            for r in 1..=tiles.rows {
                let width = v * tiles.lanes;
                for columns in [width, width - 1, width - tiles.lanes + 1] {
                    let segments = [Segment { a: -2, b: 3, len: 5 }, Segment { a: 9, b: 0, len: 3 }];
                    let a: Vec<T> = (0..r * 40).map(value).collect();
                    let b: Vec<T> = (0..16 * width).map(|i| value(i + 7)).collect();
                    let start: Vec<T> = (0..r * 100).map(|i| value(i + 3)).collect();
                    for add in [false, true] {
                        let mut out = [start.clone(), start.clone()];
                        let mut expected = [start.clone(), start.clone()];
                        let steps: Vec<Step> = (0..8).map(|k| Step { a: k * 7, b: (k * 2) * width as u32 }).collect();
                        for row in 0..r {
                            for c in 0..columns {
                                let mut sums = [0.0; 2];
                                for s in &segments {
                                    for k in 0..s.len {
                                        let left = a[(row * 40 + 10).wrapping_add_signed(s.a) + k].as_f64();
                                        sums[0] += left * b[(s.b + k) * width + c].as_f64();
                                    }
                                }
                                for s in &steps {
                                    sums[1] += a[s.a as usize % 30 + row].as_f64() * b[s.b as usize + c].as_f64();
                                }
                                for (expected, sum) in expected.iter_mut().zip(sums) {
                                    let at = &mut expected[row * 100 + 5 + c];
                                    *at = T::of_f64(sum + if add { at.as_f64() } else { 0.0 });
                                }
                            }
                        }
                        let steps: Vec<Step> = steps.iter().map(|s| Step { a: s.a % 30, b: s.b }).collect();
                        let rows: Vec<*const T> = (0..r).map(|row| a[row * 40 + 10..].as_ptr()).collect();
                        let [first, second] = &mut out;
                        let outs = |out: &mut Vec<T>| -> Vec<*mut T> {
                            let start = out.as_mut_ptr();
                            (0..r).map(|row| start.wrapping_add(row * 100)).collect()
                        };
                        let (first, second) = (outs(first), outs(second));
                        // SAFETY: the vectors above hold all addresses.
                        unsafe {
                            tiles.dot[v - 1][r - 1](
                                rows.as_ptr(),
                                &segments,
                                b.as_ptr(),
                                first.as_ptr(),
                                5,
                                columns,
                                add,
                            );
                            tiles.outer[v - 1][r - 1](a.as_ptr(), b.as_ptr(), &steps, second.as_ptr(), 5, columns, add);
                        }
                        for (out, expected) in out.iter().zip(&expected) {
                            for (x, y) in out.iter().zip(expected) {
                                assert!(
                                    (x.as_f64() - y.as_f64()).abs() < tolerance,
                                    "{v} vectors, {r} rows, {columns}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn tiles_of_every_size_and_processor_agree_with_a_plain_loop() {
        check(f32::tiles(), 1e-5);
        check(f32::portable(), 1e-5);
        check(f64::portable(), 1e-13);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            check(&crate::cpu::kernel_avx2::TILES, 1e-5);
        }
    }

    #[test]
    fn transposition_handles_sizes_that_are_no_multiple_of_a_block() {
        for (rows, columns) in [(1, 1), (16, 16), (35, 64), (17, 33), (48, 7)] {
            let a: Vec<f32> = (0..columns * (rows + 3)).map(|i| i as f32).collect();
            let mut out = vec![-1.0f32; rows * (columns + 5)];
            // SAFETY: the vectors hold all addresses.
            unsafe { f32::transpose(a.as_ptr(), rows + 3, out.as_mut_ptr(), columns + 5, rows, columns) };
            for k in 0..rows {
                for c in 0..columns + 5 {
                    let expected = if c < columns { a[c * (rows + 3) + k] } else { -1.0 };
                    assert_eq!(out[k * (columns + 5) + c], expected);
                }
            }
        }
    }
}
