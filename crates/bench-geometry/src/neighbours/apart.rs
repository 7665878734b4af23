//! The graph and the neighbours outside a row's own group (its plate, say), in one pass over all pairs.
//!
//! # Why
//! Products take most of the time of either search, and they are the same. The lists are those that [`graph`](super::graph)
//! and [`sweep`](super::sweep) give.

use bench_core::Matrix;

use super::graph::Filling;
use super::mask::Membership;
use super::pass::pass;
use super::space::Space;
use super::sweep::Ballot;
use super::{Graph, Metric};
use crate::Error;

/// A question to [`graph_and_apart`].
#[derive(Clone, Copy, Debug)]
pub struct Apart<'a> {
    /// Rows, `[n, d]`.
    pub matrix: &'a Matrix,
    /// Distance.
    pub metric: Metric,
    /// Neighbours in the graph.
    pub k: usize,
    /// Group of every row, below `groups`.
    pub group: &'a [u32],
    /// Number of groups.
    pub groups: usize,
    /// Neighbours outside the own group.
    pub k_apart: usize,
}

/// Finds the graph, and for every row the nearest rows of other groups. Of the latter it keeps what `keep` returns for
/// a ballot whose `fold` is the row's group and whose classes are rows: one number per row, `u32::MAX` for rows without
/// a row of another group. `keep` runs in parallel, once per distinct point and group, in no particular order.
///
/// # Errors
/// As [`graph`](super::graph), or if the groups do not match the matrix.
pub fn graph_and_apart(
    question: &Apart<'_>,
    keep: &(dyn Fn(&Ballot<'_>) -> u32 + Sync),
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Result<(Graph, Vec<u32>), Error> {
    let Apart { matrix, metric, k, group, k_apart, .. } = *question;
    if k_apart == 0 {
        return Err(Error::Setting { key: "k", value: "0".to_owned(), why: "at least one neighbour".to_owned() });
    }
    if group.len() != matrix.rows() {
        return Err(Error::Shape { what: "groups", expected: matrix.rows(), found: group.len() });
    }
    let space = Space::new(matrix, metric)?;
    let mut graph = Filling::new(matrix.rows(), k, metric)?;
    let mut kept = vec![u32::MAX; matrix.rows()];
    let numbers: Vec<u32> = (0..matrix.rows() as u32).collect();
    pass(
        &space,
        question,
        &numbers,
        &|_, fold, found| {
            let Some(own) = fold.checked_sub(1) else { return Found::All(found.rows.clone()) };
            let rows: Vec<u32> = found.rows.iter().map(|entry| entry.1).collect();
            if rows.is_empty() {
                return Found::Apart(u32::MAX);
            }
            Found::Apart(keep(&Ballot { fold: own, rows: &rows, certain: found.certain, tied: &found.tied }))
        },
        &mut |point, fold, found| match found {
            Found::All(rows) => graph.fill(space.members(point), &rows),
            Found::Apart(number) => {
                let own = space.members(point).iter().filter(|&&row| group[row as usize] as usize + 1 == fold);
                own.for_each(|&row| kept[row as usize] = number);
            }
        },
        tick,
    );
    Ok((graph.finish(), kept))
}

/// What is kept of a query.
enum Found {
    /// Its neighbours.
    All(Vec<(f64, u32)>),
    /// What the callback made of those outside its group.
    Apart(u32),
}

/// Fold 0 is the graph, in which every row is candidate and query; fold `g + 1` asks for the rows of group `g` among
/// those of all others.
impl Membership for Apart<'_> {
    fn folds(&self) -> usize {
        self.groups + 1
    }

    fn trains(&self, fold: usize, row: usize) -> bool {
        fold == 0 || self.group[row] as usize + 1 != fold
    }

    fn tests(&self, fold: usize, row: usize) -> bool {
        fold == 0 || self.group[row] as usize + 1 == fold
    }

    fn k(&self, fold: usize) -> usize {
        // The graph finds every row itself beside the others.
        if fold == 0 { self.k + 1 } else { self.k_apart }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bench_core::Seed;

    use super::super::{Part, Question, graph, sweep};
    use super::*;

    /// What a ballot says.
    type Said = (usize, Vec<u32>, usize, Vec<(u32, u32)>);

    #[test]
    fn one_pass_finds_what_two_find() {
        let d = 5;
        for (n, k, k_apart, groups) in [(300, 12, 9, 4), (300, 7, 20, 3), (9, 8, 5, 2), (70, 5, 5, 1)] {
            let mut stream = Seed(n as u64 + k as u64).stream();
            // Coarse values, so that there are equal distances; some rows are repeated, one is zero.
            let mut values: Vec<f32> = (0..n * d).map(|_| (stream.normal() * 2.0).round() as f32).collect();
            for (from, to) in [(0, 7), (1, 5), (1, 4), (2, n - 1)] {
                values.copy_within(from * d..(from + 1) * d, to * d);
            }
            values[3 * d..4 * d].fill(0.0);
            let matrix = Matrix::new(n, d, values);
            let group: Vec<u32> = (0..n as u32).map(|row| row * 7 % 11 % groups).collect();
            let numbers: Vec<u32> = (0..n as u32).collect();
            for metric in [Metric::Cosine, Metric::Euclidean] {
                let said: Mutex<Vec<Said>> = Mutex::new(Vec::new());
                let keep = |ballot: &Ballot<'_>| {
                    let mut said = said.lock().unwrap();
                    said.push((ballot.fold, ballot.rows.to_vec(), ballot.certain, ballot.tied.to_vec()));
                    said.len() as u32 - 1
                };
                let question = Apart { matrix: &matrix, metric, k, group: &group, groups: groups as usize, k_apart };
                let (found, kept) = graph_and_apart(&question, &keep, &|_, _| ()).unwrap();
                assert_eq!(found, graph(&matrix, k, metric, &|_, _| ()).unwrap());
                let question = Question {
                    matrix: &matrix,
                    class: &numbers,
                    folds: groups as usize,
                    part: |fold: usize, row: usize| if group[row] as usize == fold { Part::Test } else { Part::Train },
                    k: k_apart,
                    metric,
                };
                let swept = sweep(&question, &keep, &|_, _| ()).unwrap();
                let said = said.into_inner().unwrap();
                let mut asked = vec![0; groups as usize];
                for (&group, &kept) in group.iter().zip(&kept) {
                    let swept = &swept[group as usize];
                    if swept.train_rows == 0 {
                        assert_eq!(kept, u32::MAX);
                        continue;
                    }
                    let expected = swept.kept[asked[group as usize]];
                    asked[group as usize] += 1;
                    assert_eq!(said[kept as usize], said[expected as usize]);
                }
            }
        }
    }
}
