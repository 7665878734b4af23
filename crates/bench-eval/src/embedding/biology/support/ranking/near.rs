//! The first ranks of a whole table, read from its neighbour graph where that holds them.
//!
//! # What
//! The graph says which rows are nearest to a query. Where a right answer is among them, and as many rows that count as
//! ranks are asked for, the ranking is known without another product. Queries whose nearest right answer is farther are
//! ranked among all rows, but only as far as that one.
//!
//! # Exactness
//! The graph only shortlists: distances are measured again as [`rank`] measures them, and what lies so near to the last
//! neighbour of a query that rounding could have left its like outside is not used.

use bench_geometry::neighbours::Graph;
use rayon::prelude::*;

use super::{Profiles, Query, Questions, Ranking, Tie, rank};

/// More than the rounding of the graph's distances to `f32`.
const ROUNDING: f64 = 1e-6;

/// What the graph says about a query.
enum Known {
    /// The ties asked for.
    Ties(Vec<Tie>),
    /// The first ranks hold no positive.
    NoPositive,
    /// Too few of its neighbours count.
    Nothing,
}

/// Rankings of queries that share the only pool, in their order, with the ties that begin within the `first` ranks and the
/// first tie of all: what depends on those ranks, or on the rank of the first positive, is read from them as from whole
/// rankings. `graph` is that of the profiles.
pub(crate) fn rank_first(
    profiles: &Profiles<'_>,
    graph: &Graph,
    questions: &Questions<'_>,
    first: usize,
) -> Vec<Ranking> {
    let queries = questions.queries;
    let known: Vec<(Known, usize)> = queries
        .par_iter()
        .map(|&query| (from_graph(profiles, graph, questions, query, first), questions.positives(query).count()))
        .collect();
    let counted = questions.pools.first().map_or_else(Vec::new, |pool| questions.negatives.counts(queries, pool));
    let mut rankings: Vec<Ranking> = known
        .iter()
        .zip(counted)
        .map(|(&(_, positives), negatives)| Ranking { ties: Vec::new(), positives, negatives })
        .collect();
    let mut farther: [(usize, Vec<usize>); 2] = [(1, Vec::new()), (first, Vec::new())];
    for (at, (known, _)) in known.into_iter().enumerate() {
        match known {
            Known::Ties(ties) => rankings[at].ties = ties,
            Known::NoPositive => farther[0].1.push(at),
            Known::Nothing => farther[1].1.push(at),
        }
    }
    for (first, places) in farther.into_iter().filter(|(_, places)| !places.is_empty()) {
        let open: Vec<Query> = places.iter().map(|&at| queries[at]).collect();
        let found = rank(profiles, &Questions { queries: &open, ..questions.clone() }, first, &|_, ranking| ranking);
        places.into_iter().zip(found).for_each(|(at, found)| rankings[at] = found);
    }
    rankings
}

fn from_graph(profiles: &Profiles<'_>, graph: &Graph, questions: &Questions<'_>, query: Query, first: usize) -> Known {
    let row = query.row as usize;
    let is_whole = graph.k + 1 == graph.n;
    let last = graph.distances(row).last().map_or(0.0, |&last| f64::from(last));
    let limit = if is_whole { f64::INFINITY } else { last - ROUNDING };
    let mut counting: Vec<(f64, bool)> = graph
        .neighbours(row)
        .iter()
        .filter_map(|&other| {
            let positive = questions.is_positive(query, other);
            (positive || questions.negatives.includes(row, other as usize))
                .then(|| (profiles.distance(row, other as usize), positive))
        })
        .filter(|entry| entry.0 <= limit)
        .collect();
    if !is_whole && counting.len() < first {
        return Known::Nothing;
    }
    counting.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ties, mut before, mut found): (Vec<Tie>, usize, usize) = (Vec::new(), 0, 0);
    for tied in counting.chunk_by(|a, b| a.0 == b.0) {
        if before + found >= first && !ties.is_empty() {
            break;
        }
        let positives = tied.iter().filter(|entry| entry.1).count();
        let negatives = tied.len() - positives;
        if positives > 0 {
            ties.push(Tie { positives, negatives, before });
        }
        found += positives;
        before += negatives;
    }
    if ties.is_empty() { Known::NoPositive } else { Known::Ties(ties) }
}

#[cfg(test)]
mod tests {
    use bench_core::{Matrix, Seed};
    use bench_geometry::neighbours::Metric;

    use super::*;
    use crate::embedding::Space;
    use crate::embedding::biology::support::ranking::Negatives;

    #[test]
    fn first_ranks_from_the_graph_are_those_of_all_rows() {
        const FIRST: usize = 10;
        // More rows than neighbours of the graph, fewer, and very few; coarse values give equal distances.
        for (n, compounds, coarse) in
            [(700, 61, 0.0), (700, 5, 0.0), (700, 200, 1.5), (60, 9, 0.0), (60, 9, 1.0), (6, 2, 0.0)]
        {
            let d = 4;
            let mut stream = Seed(n as u64 + compounds as u64).stream();
            let number = |normal: f64| if coarse > 0.0 { (normal * coarse).round() } else { normal };
            let mut values: Vec<f32> = (0..n * d).map(|_| number(stream.normal()) as f32).collect();
            // Repeated rows; more of one kind than the graph has neighbours; a zero row.
            for to in (0..n).filter(|at| n > 200 && at % 6 == 3) {
                values.copy_within(0..d, to * d);
            }
            values.copy_within(d..2 * d, (n - 1) * d);
            values[2 * d..3 * d].fill(0.0);
            let (matrix, none) = (Matrix::new(n, d, values), Matrix::zeros(0, d));
            let space = Space::new(&matrix, &none);
            let profiles = Profiles::treated(&space);
            let code: Vec<u32> = (0..n as u32).map(|row| row % compounds).collect();
            // Two rows of a well: replicates there are neither right nor wrong.
            let apart = [(0..n as u32).map(|row| row / 2).collect::<Vec<u32>>()];
            let groups: Vec<Vec<u32>> =
                (0..compounds).map(|code| (code..n as u32).step_by(compounds as usize).collect()).collect();
            let pools = [(0..n as u32).collect::<Vec<u32>>()];
            let all: Vec<Query> = (0..n as u32).map(|row| Query { row, group: row % compounds, pool: 0 }).collect();
            let negatives = Negatives { differ: vec![&code], disjoint: None };
            let questions = Questions { queries: &all, groups: &groups, apart: &apart, pools: &pools, negatives };
            let queries: Vec<Query> =
                all.iter().copied().filter(|&query| questions.positives(query).next().is_some()).collect();
            let questions = Questions { queries: &queries, ..questions };
            let graph = space.graph(Metric::Cosine).unwrap();
            let found = rank_first(&profiles, graph, &questions, FIRST);
            let whole = rank(&profiles, &questions, usize::MAX, &|_, ranking| ranking);
            assert_eq!(found.len(), whole.len());
            for (found, whole) in found.iter().zip(&whole) {
                assert_eq!((found.positives, found.negatives), (whole.positives, whole.negatives));
                assert_eq!(found.ties, whole.ties[..found.ties.len()]);
                for k in [1, FIRST] {
                    assert_eq!(found.hit(k).to_bits(), whole.hit(k).to_bits());
                    assert_eq!(found.precision(k).to_bits(), whole.precision(k).to_bits());
                }
                assert_eq!(found.reciprocal_rank().to_bits(), whole.reciprocal_rank().to_bits());
            }
        }
    }
}
