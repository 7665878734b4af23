//! Ranks of the relevant candidates of every query.
//!
//! # What it computes
//! For each query the number of candidates above, and tied with, each of its relevant candidates.
//! Nothing is sorted and no matrix of similarities is kept: counting is enough.
//!
//! # How
//! Work is cut into (draw, gallery, [`QUERIES`] queries); each piece multiplies its queries with
//! [`CANDIDATES`] candidates at a time in `f32`, counts those clearly above a relevant one, and computes the
//! undecided ones exactly (see [`super::similarity`]). Counts are integers of exact comparisons, so
//! neither blocks nor threads nor row order can change them.
//!
//! # Duplicates
//! Candidates of another compound of the query's duplicate group are left out of the ranking: they are
//! neither right nor wrong.

use bench_geometry::product;
use rayon::prelude::*;

use super::similarity::{Coefficients, Side, bound};
use super::{Direction, Level, Plan, Query, Similarity};

/// Queries per piece of work.
const QUERIES: usize = 128;
/// Candidates per product.
const CANDIDATES: usize = 512;
/// Candidates that are checked together for being undecided.
const GROUP: usize = 64;

/// Something that asks or is ranked: a row of its side, and its compound.
#[derive(Clone, Copy)]
struct Item {
    at: u32,
    compound: u32,
}

struct Task<'a> {
    plan: &'a Plan,
    direction: Direction,
    similarity: Similarity,
    asking: &'a Side<'a>,
    ranked: &'a Side<'a>,
    dims: usize,
}

/// Queries of one direction, by draw, gallery, place in the gallery and image.
pub(super) fn rank(
    plan: &Plan,
    molecules: &Side<'_>,
    images: &Side<'_>,
    direction: Direction,
    similarity: Similarity,
) -> Vec<Query> {
    let (asking, ranked) = match direction {
        Direction::ImageToMolecule => (images, molecules),
        Direction::MoleculeToImage => (molecules, images),
    };
    let task = Task { plan, direction, similarity, asking, ranked, dims: molecules.dims() };
    let mut pieces = Vec::new();
    for draw in 0..plan.draws.len() {
        for (gallery, members) in plan.galleries.iter().enumerate() {
            let count = match direction {
                Direction::MoleculeToImage => members.queried,
                Direction::ImageToMolecule => task.queries(draw, gallery).len(),
            };
            pieces.extend((0..count).step_by(QUERIES).map(|first| (draw, gallery, first)));
        }
    }
    let found: Vec<Vec<Query>> =
        pieces.into_par_iter().map(|(draw, gallery, first)| task.piece(draw, gallery, first)).collect();
    found.into_iter().flatten().collect()
}

impl Task<'_> {
    fn molecules(compounds: &[u32]) -> Vec<Item> {
        compounds.iter().map(|&compound| Item { at: compound, compound }).collect()
    }

    fn images(&self, draw: usize, compounds: &[u32]) -> Vec<Item> {
        let shown = |&compound: &u32| self.plan.draws[draw][compound as usize].iter().map(move |&at| (at, compound));
        compounds.iter().flat_map(shown).map(|(at, compound)| Item { at, compound }).collect()
    }

    fn queries(&self, draw: usize, gallery: usize) -> Vec<Item> {
        let gallery = &self.plan.galleries[gallery];
        let queried = &gallery.compounds[..gallery.queried];
        match self.direction {
            Direction::ImageToMolecule => self.images(draw, queried),
            Direction::MoleculeToImage => Self::molecules(queried),
        }
    }

    fn candidates(&self, draw: usize, gallery: usize) -> Vec<Item> {
        let compounds = &self.plan.galleries[gallery].compounds;
        match self.direction {
            Direction::ImageToMolecule => Self::molecules(compounds),
            Direction::MoleculeToImage => self.images(draw, compounds),
        }
    }

    /// Up to [`QUERIES`] queries of a gallery, from `first`.
    fn piece(&self, draw: usize, gallery: usize, first: usize) -> Vec<Query> {
        let queries = self.queries(draw, gallery);
        let queries = &queries[first..(first + QUERIES).min(queries.len())];
        let candidates = self.candidates(draw, gallery);
        let mut counters: Vec<Counter> = self.counters(queries, &candidates);
        let asking = self.gather(self.asking, queries);
        let mut products = vec![0f32; queries.len() * CANDIDATES.min(candidates.len())];
        for (block, candidates) in candidates.chunks(CANDIDATES).enumerate() {
            let ranked = self.gather(self.ranked, candidates);
            let products = &mut products[..queries.len() * candidates.len()];
            product::products(&asking, &ranked, self.dims, products);
            let of_candidate: Vec<Coefficients> = candidates
                .iter()
                .map(|candidate| self.ranked.coefficients(candidate.at as usize, self.similarity, false))
                .collect();
            let rows = products.chunks_exact_mut(candidates.len());
            for ((query, counter), products) in queries.iter().zip(&mut counters).zip(rows) {
                // What is relevant or masked is not counted: nothing is above minus infinity.
                for &left_out in counter.left_out_of(block * CANDIDATES, candidates.len()) {
                    products[left_out as usize - block * CANDIDATES] = f32::NEG_INFINITY;
                }
                let exact = |at: usize| {
                    let (query, candidate) = (query.at as usize, candidates[at].at as usize);
                    self.asking.exact(query, self.ranked, candidate, self.similarity)
                };
                counter.count(products, &of_candidate, exact);
            }
        }
        let images = self.direction == Direction::ImageToMolecule;
        queries
            .iter()
            .zip(counters)
            .map(|(query, counter)| Query {
                direction: self.direction,
                draw: draw as u32,
                gallery: gallery as u32,
                compound: query.compound,
                image: images.then_some(query.at),
                candidates: candidates.len() as u32 - counter.masked,
                masked: counter.masked,
                levels: counter.levels(),
            })
            .collect()
    }

    /// Relevant and masked candidates of each query, and the similarities of the relevant ones.
    fn counters(&self, queries: &[Item], candidates: &[Item]) -> Vec<Counter> {
        let group = |item: &Item| self.plan.group[item.compound as usize];
        let mut by_group: Vec<u32> = (0..candidates.len() as u32).collect();
        by_group.sort_unstable_by_key(|&at| (group(&candidates[at as usize]), at));
        queries
            .iter()
            .map(|query| {
                let of = |at: &u32| group(&candidates[*at as usize]);
                let start = by_group.partition_point(|at| of(at) < group(query));
                let end = by_group.partition_point(|at| of(at) <= group(query));
                let left_out = by_group[start..end].to_vec();
                let mut relevant: Vec<f64> = left_out
                    .iter()
                    .map(|&at| &candidates[at as usize])
                    .filter(|candidate| candidate.compound == query.compound)
                    .map(|candidate| {
                        self.asking.exact(query.at as usize, self.ranked, candidate.at as usize, self.similarity)
                    })
                    .collect();
                let masked = (left_out.len() - relevant.len()) as u32;
                relevant.sort_unstable_by(|a, b| b.total_cmp(a));
                let of_query = self.asking.coefficients(query.at as usize, self.similarity, true);
                Counter::new(left_out, masked, &relevant, of_query, bound(self.dims))
            })
            .collect()
    }

    fn gather(&self, side: &Side<'_>, items: &[Item]) -> Vec<f32> {
        let mut rows = Vec::with_capacity(items.len() * self.dims);
        for item in items {
            rows.extend_from_slice(&side.unit[item.at as usize * self.dims..][..self.dims]);
        }
        rows
    }
}

/// Counts the candidates of one query between its relevant ones.
struct Counter {
    /// Relevant and masked candidates, ascending.
    left_out: Vec<u32>,
    masked: u32,
    /// Distinct similarities of relevant candidates, falling, and how many have each.
    threshold: Vec<f64>,
    relevant: Vec<u32>,
    /// Other candidates above each threshold but below the one before.
    between: Vec<u32>,
    /// Other candidates at each threshold.
    tied: Vec<u32>,
    query: Coefficients,
    bound: f64,
    undecided: Vec<u32>,
}

impl Counter {
    fn new(left_out: Vec<u32>, masked: u32, relevant: &[f64], query: Coefficients, bound: f64) -> Self {
        let runs: Vec<&[f64]> = relevant.chunk_by(|a, b| a == b).collect();
        Self {
            left_out,
            masked,
            threshold: runs.iter().map(|run| run[0]).collect(),
            relevant: runs.iter().map(|run| run.len() as u32).collect(),
            between: vec![0; runs.len() + 1],
            tied: vec![0; runs.len()],
            query,
            bound,
            undecided: Vec::new(),
        }
    }

    fn left_out_of(&self, first: usize, count: usize) -> &[u32] {
        let start = self.left_out.partition_point(|at| (*at as usize) < first);
        let end = self.left_out.partition_point(|at| (*at as usize) < first + count);
        &self.left_out[start..end]
    }

    /// Lowest and highest possible similarity, given a product.
    #[inline]
    fn range(&self, product: f32, candidate: &Coefficients) -> (f64, f64) {
        let scale = self.query.scale * candidate.scale;
        let middle = f64::from(product) * scale - (self.query.offset + candidate.offset);
        let bound = self.bound * scale + self.query.slack + candidate.slack;
        (middle - bound, middle + bound)
    }

    fn count(&mut self, products: &[f32], candidates: &[Coefficients], exact: impl Fn(usize) -> f64) {
        let mut undecided = std::mem::take(&mut self.undecided);
        if let [threshold] = self.threshold[..] {
            for (group, (products, candidates)) in products.chunks(GROUP).zip(candidates.chunks(GROUP)).enumerate() {
                let (mut above, mut reaching) = (0u32, 0u32);
                for (product, candidate) in products.iter().zip(candidates) {
                    let (low, high) = self.range(*product, candidate);
                    above += u32::from(low > threshold);
                    reaching += u32::from(high >= threshold);
                }
                self.between[0] += above;
                if reaching > above {
                    for (at, (product, candidate)) in products.iter().zip(candidates).enumerate() {
                        let (low, high) = self.range(*product, candidate);
                        if high >= threshold && low <= threshold {
                            undecided.push((group * GROUP + at) as u32);
                        }
                    }
                }
            }
        } else {
            for (at, (product, candidate)) in products.iter().zip(candidates).enumerate() {
                if *product == f32::NEG_INFINITY {
                    continue;
                }
                let (low, high) = self.range(*product, candidate);
                let level = self.threshold.partition_point(|threshold| *threshold > high);
                if self.threshold.get(level).is_none_or(|threshold| low > *threshold) {
                    self.between[level] += 1;
                } else {
                    undecided.push(at as u32);
                }
            }
        }
        for at in undecided.drain(..) {
            let similarity = exact(at as usize);
            let level = self.threshold.partition_point(|threshold| *threshold > similarity);
            match self.threshold.get(level) {
                Some(threshold) if *threshold == similarity => self.tied[level] += 1,
                _ => self.between[level] += 1,
            }
        }
        self.undecided = undecided;
    }

    fn levels(&self) -> Vec<Level> {
        let mut above = 0;
        (0..self.threshold.len())
            .map(|at| {
                above += self.between[at];
                let level = Level { above, size: self.tied[at] + self.relevant[at], relevant: self.relevant[at] };
                above += level.size;
                level
            })
            .collect()
    }
}
