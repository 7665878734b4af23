//! Which points train and which are tested, fold by fold, as bits.

use rayon::prelude::*;

use super::space::Space;

/// Who trains and who is tested. A row may be both (as in a neighbour graph).
pub(super) trait Membership: Sync {
    /// Number of folds.
    fn folds(&self) -> usize;
    /// Whether a row is a candidate in a fold.
    fn trains(&self, fold: usize, row: usize) -> bool;
    /// Whether a row is a query in a fold.
    fn tests(&self, fold: usize, row: usize) -> bool;
    /// Neighbours wanted in a fold.
    fn k(&self, fold: usize) -> usize;
}

/// One bit per fold and point: whether any row of the point has the role.
pub(super) struct Masks {
    words: usize,
    train: Vec<u64>,
    test: Vec<u64>,
    /// Points with training rows, by fold.
    pub(super) train_points: Vec<usize>,
}

impl Masks {
    pub(super) fn new(space: &Space<'_>, membership: &impl Membership) -> Self {
        let (words, points) = (membership.folds().div_ceil(64).max(1), space.points());
        let bits = |has: &(dyn Fn(usize, usize) -> bool + Sync)| {
            let mut bits = vec![0_u64; words * points];
            bits.par_chunks_mut(words).enumerate().with_min_len(64).for_each(|(point, bits)| {
                for fold in 0..membership.folds() {
                    if space.members(point).iter().any(|&row| has(fold, row as usize)) {
                        bits[fold / 64] |= 1 << (fold % 64);
                    }
                }
            });
            bits
        };
        let train = bits(&|fold, row| membership.trains(fold, row));
        let test = bits(&|fold, row| membership.tests(fold, row));
        let mut train_points = vec![0; membership.folds()];
        for point in train.chunks(words) {
            for fold in folds_of(point) {
                train_points[fold] += 1;
            }
        }
        Self { words, train, test, train_points }
    }

    /// Whether a point has training rows in a fold.
    pub(super) fn trains(&self, fold: usize, point: usize) -> bool {
        self.train[point * self.words + fold / 64] >> (fold % 64) & 1 == 1
    }

    /// Folds in which a point has test rows, ascending.
    pub(super) fn test_folds(&self, point: usize) -> impl Iterator<Item = usize> {
        folds_of(&self.test[point * self.words..(point + 1) * self.words])
    }

    /// Folds in which any of the points has training rows, as bits.
    pub(super) fn train_union(&self, from: usize, to: usize) -> Vec<u64> {
        union(&self.train[from * self.words..to * self.words], self.words)
    }

    /// Folds in which any of the points has test rows, as bits.
    pub(super) fn test_union(&self, from: usize, to: usize) -> Vec<u64> {
        union(&self.test[from * self.words..to * self.words], self.words)
    }
}

/// Whether two sets of folds share one.
pub(super) fn meet(a: &[u64], b: &[u64]) -> bool {
    a.iter().zip(b).any(|(a, b)| a & b != 0)
}

fn union(points: &[u64], words: usize) -> Vec<u64> {
    let mut union = vec![0; words];
    for point in points.chunks(words) {
        for (union, bits) in union.iter_mut().zip(point) {
            *union |= bits;
        }
    }
    union
}

fn folds_of(bits: &[u64]) -> impl Iterator<Item = usize> {
    bits.iter().enumerate().flat_map(|(word, &bits)| {
        let mut left = bits;
        std::iter::from_fn(move || {
            (left != 0).then(|| {
                let fold = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                fold
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_as_fold_numbers() {
        assert_eq!(folds_of(&[1 | 1 << 63, 0, 1 << 2]).collect::<Vec<_>>(), [0, 63, 130]);
        assert!(meet(&[0, 4], &[1, 6]));
        assert!(!meet(&[2, 4], &[1, 3]));
    }
}
