//! Kernels compiled for several instruction sets.

/// Defines functions whose bodies are compiled twice: for the baseline of the build, and for AVX2
/// with FMA, chosen when they are called. Both do the same arithmetic in the same order: nothing
/// contracts a product and a sum unless the body asks for `mul_add`. What a body calls must be
/// `#[inline(always)]` or a closure, or it stays at the baseline.
macro_rules! vectorised {
    ($(
        $(#[$meta:meta])*
        $vis:vis fn $name:ident<$T:ident: $bound:path $(, const $C:ident: $kind:ty)*>(
            $($arg:ident: $type:ty),* $(,)?
        ) $(-> $ret:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<$T: $bound $(, const $C: $kind)*>($($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body<$T: $bound $(, const $C: $kind)*>($($arg: $type),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn body_avx2<$T: $bound $(, const $C: $kind)*>($($arg: $type),*) $(-> $ret)? {
                    body::<$T $(, $C)*>($($arg),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has both.
                    return unsafe { body_avx2::<$T $(, $C)*>($($arg),*) };
                }
            }
            body::<$T $(, $C)*>($($arg),*)
        }
    )*};
}
