//! Room for packed factors, kept between calls.
//!
//! Pages that the system hands out fresh cost more than the copy into them, and a training step
//! asks for the same sizes again and again. Each thread keeps the few vectors it has used.

use std::cell::RefCell;

/// One cache line, so that vectors of the kernels do not straddle two.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; 64]);

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(vec![]) };
}

/// Calls `f` with room for `len` numbers, aligned to cache lines, whose content is arbitrary. Calls
/// may be nested. The room must not be used after `f` returns.
pub(crate) fn with<T: Copy, R>(len: usize, f: impl FnOnce(*mut T) -> R) -> R {
    let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
    let mut room = FREE.with_borrow_mut(|free| {
        // The smallest that is large enough, else the largest, which then grows.
        free.sort_unstable_by_key(Vec::capacity);
        let position = free.partition_point(|room| room.capacity() < lines);
        if free.is_empty() { vec![] } else { free.remove(position.min(free.len() - 1)) }
    });
    if room.capacity() < lines {
        room = Vec::with_capacity(lines); // The old content is not worth copying.
    }
    let result = f(room.as_mut_ptr().cast());
    FREE.with_borrow_mut(|free| free.push(room));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_aligned_reused_and_nests() {
        let first = with(100, |outer: *mut f32| {
            let inner = with(10, |inner: *mut f32| inner);
            assert_ne!(outer, inner);
            outer
        });
        assert_eq!(first as usize % 64, 0);
        assert_eq!(with(90, |again: *mut f32| again), first);
    }
}
