//! Tiles in plain Rust, which the compiler turns into the vectors of the build's baseline: 4 rows
//! by 8 (`f32`) or 4 (`f64`) columns, for processors without AVX2 and for gradient checks in `f64`.

macro_rules! portable {
    ($module:ident, $T:ty, $lanes:literal, $kind:literal) => {
        #[doc = $kind]
        pub(crate) mod $module {
            use crate::cpu::kernel::microkernels;

            type Vector = [$T; $lanes];

            #[inline(always)]
            fn zero() -> Vector {
                [0.0; $lanes]
            }

            #[inline(always)]
            fn splat(value: $T) -> Vector {
                [value; $lanes]
            }

            #[inline(always)]
            fn plus(a: Vector, b: Vector) -> Vector {
                std::array::from_fn(|i| a[i] + b[i])
            }

            #[inline(always)]
            fn multiply_add(a: Vector, b: Vector, c: Vector) -> Vector {
                std::array::from_fn(|i| a[i] * b[i] + c[i])
            }

            #[inline(always)]
            unsafe fn load(at: *const $T) -> Vector {
                // SAFETY: a vector of numbers follows `at`.
                unsafe { at.cast::<Vector>().read() }
            }

            #[inline(always)]
            unsafe fn store(at: *mut $T, value: Vector) {
                // SAFETY: a vector of numbers follows `at`.
                unsafe { at.cast::<Vector>().write(value) }
            }

            #[inline(always)]
            unsafe fn load_part(at: *const $T, count: usize) -> Vector {
                // SAFETY: `count` numbers follow `at`.
                std::array::from_fn(|i| if i < count { unsafe { *at.add(i) } } else { 0.0 })
            }

            #[inline(always)]
            unsafe fn store_part(at: *mut $T, value: Vector, count: usize) {
                for (i, number) in value.into_iter().enumerate().take(count) {
                    // SAFETY: `count` numbers follow `at`.
                    unsafe { *at.add(i) = number };
                }
            }

            microkernels! {
                number $T; vector Vector; lanes $lanes; rows 4; vectors 1;
                tile 1: 1 2 3 4;
            }
        }
    };
}

portable!(single, f32, 8, "Single precision.");
portable!(double, f64, 4, "Double precision.");
