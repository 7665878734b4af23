//! Neighbours for classification: all folds of a table in one pass.
//!
//! # What it computes
//! For every fold and each of its test rows, the k nearest training rows, handed to a callback
//! as a [`Ballot`]. The callback returns a number (the id of a vote, say), and only that is
//! kept, so that a million rows in sixty folds need four bytes per test row.

use bench_core::Matrix;

use super::Metric;
use super::mask::Membership;
use super::pass::pass;
use super::space::Space;
use crate::Error;

/// What a row does in a fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Neither.
    Unused,
    /// Candidate.
    Train,
    /// Query.
    Test,
}

/// The nearest training rows of one query (one test row, or several that are the same point).
#[derive(Clone, Copy, Debug)]
pub struct Ballot<'a> {
    /// The fold.
    pub fold: usize,
    /// The nearest training rows, by (distance, row): k of them, or all there are.
    pub rows: &'a [u32],
    /// How many of `rows`, counted from the front, are neighbours whatever the tie rule. The
    /// remaining ones are the lowest rows of the tied set.
    pub certain: usize,
    /// If more training rows are as far as the k-th than there are places: all of these, as
    /// `(class, rows)`, ascending by class. Otherwise empty, and all `rows` are certain.
    pub tied: &'a [(u32, u32)],
}

impl Ballot<'_> {
    /// How many neighbours are drawn from the tied set.
    pub fn drawn(&self) -> usize {
        self.rows.len() - self.certain
    }
}

/// What was kept of one fold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Training rows; if fewer than k, all of them were used.
    pub train_rows: usize,
    /// What the callback returned for each test row, ascending by row. Empty if there are no
    /// training rows.
    pub kept: Vec<u32>,
}

/// A question to [`sweep`].
pub struct Question<'a, P> {
    /// Rows, `[n, d]`.
    pub matrix: &'a Matrix,
    /// Class of each row, for the tied sets.
    pub class: &'a [u32],
    /// Number of folds.
    pub folds: usize,
    /// What a row does in a fold: `part(fold, row)`.
    pub part: P,
    /// Neighbours per query.
    pub k: usize,
    /// Distance.
    pub metric: Metric,
}

/// Finds the nearest training rows of every test row in every fold and keeps what `keep`
/// returns for them. `keep` runs in parallel and must be a function of the ballot alone.
/// `tick(done, total)` is called as work proceeds.
///
/// # Errors
/// If the matrix is empty, holds a value that is not finite, or the classes do not match it.
///
/// # Examples
/// ```
/// use bench_core::Matrix;
/// use bench_geometry::neighbours::{Metric, Part, Question, sweep};
///
/// let matrix = Matrix::new(4, 1, vec![0.0, 1.0, 3.0, 7.0]);
/// let question = Question {
///     matrix: &matrix,
///     class: &[0, 0, 1, 1],
///     folds: 1,
///     part: |_, row| if row == 2 { Part::Test } else { Part::Train },
///     k: 1,
///     metric: Metric::Euclidean,
/// };
/// let folds = sweep(&question, &|ballot| ballot.rows[0], &|_, _| ())?;
/// assert_eq!(folds[0].kept, [1]);
/// # Ok::<(), bench_geometry::Error>(())
/// ```
pub fn sweep<P: Fn(usize, usize) -> Part + Sync>(
    question: &Question<'_, P>,
    keep: &(dyn Fn(&Ballot<'_>) -> u32 + Sync),
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Swept>, Error> {
    let Question { matrix, class, k, metric, .. } = *question;
    if k == 0 {
        return Err(Error::Setting { key: "k", value: k.to_string(), why: "at least one neighbour".to_owned() });
    }
    if class.len() != matrix.rows() {
        return Err(Error::Shape { what: "classes", expected: matrix.rows(), found: class.len() });
    }
    let space = Space::new(matrix, metric)?;
    let n = matrix.rows();
    let places: Vec<Places> =
        (0..question.folds).map(|fold| Places::new(n, |row| (question.part)(fold, row) == Part::Test)).collect();
    let mut folds: Vec<Swept> = (0..question.folds)
        .zip(&places)
        .map(|(fold, places)| {
            let train_rows = (0..n).filter(|&row| (question.part)(fold, row) == Part::Train).count();
            Swept { train_rows, kept: vec![0; if train_rows == 0 { 0 } else { places.total() }] }
        })
        .collect();
    pass(
        &space,
        question,
        class,
        &|_, fold, found| {
            let rows: Vec<u32> = found.rows.iter().map(|entry| entry.1).collect();
            if rows.is_empty() {
                return 0;
            }
            keep(&Ballot { fold, rows: &rows, certain: found.certain, tied: &found.tied })
        },
        &mut |point, fold, kept| {
            if folds[fold].train_rows == 0 {
                return;
            }
            for &row in space.members(point) {
                if let Some(place) = places[fold].of(row as usize) {
                    folds[fold].kept[place] = kept;
                }
            }
        },
        tick,
    );
    Ok(folds)
}

impl<P: Fn(usize, usize) -> Part + Sync> Membership for Question<'_, P> {
    fn folds(&self) -> usize {
        self.folds
    }

    fn trains(&self, fold: usize, row: usize) -> bool {
        (self.part)(fold, row) == Part::Train
    }

    fn tests(&self, fold: usize, row: usize) -> bool {
        (self.part)(fold, row) == Part::Test
    }

    fn k(&self, _: usize) -> usize {
        self.k
    }
}

/// A set of rows that knows the place of each of its members.
struct Places {
    bits: Vec<u64>,
    before: Vec<u32>,
}

impl Places {
    fn new(n: usize, has: impl Fn(usize) -> bool) -> Self {
        let mut bits = vec![0_u64; n.div_ceil(64) + 1];
        for row in (0..n).filter(|&row| has(row)) {
            bits[row / 64] |= 1 << (row % 64);
        }
        let mut count = 0;
        let before = bits
            .iter()
            .map(|word| {
                let before = count;
                count += word.count_ones();
                before
            })
            .collect();
        Self { bits, before }
    }

    fn total(&self) -> usize {
        // The last word is always empty.
        self.before[self.before.len() - 1] as usize
    }

    fn of(&self, row: usize) -> Option<usize> {
        let (word, bit) = (self.bits[row / 64], row % 64);
        (word >> bit & 1 == 1).then(|| self.before[row / 64] as usize + (word & ((1 << bit) - 1)).count_ones() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_the_members_before_a_row() {
        let places = Places::new(200, |row| row % 3 == 0);
        assert_eq!(places.total(), 67);
        assert_eq!(places.of(0), Some(0));
        assert_eq!(places.of(1), None);
        assert_eq!(places.of(129), Some(43));
        assert_eq!(Places::new(64, |_| true).total(), 64);
    }
}
