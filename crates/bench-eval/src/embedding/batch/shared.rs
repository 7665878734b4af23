//! What several metrics of this side share: principal components, neighbours within a label, neighbours on other
//! plates, thinned controls. All of it depends on features and layout, not on what a permutation changes.

use std::sync::{Mutex, OnceLock, PoisonError};

use bench_core::{Factor, Layout, Matrix, Seed};
use bench_geometry::neighbours::{self, Apart, Graph, Metric, Part, Question, round_cosine};
use bench_geometry::pca::{Method, Pca};
use bench_geometry::product::products;
use rayon::prelude::*;

use super::lisi::{self, PERPLEXITY};
use crate::embedding::pairs::Pairs;

/// Components that scib regresses.
const COMPONENTS: usize = 50;

/// Neighbours kept within a label: the most that scib's rule for kBET asks for.
pub(super) const WITHIN_LABEL: usize = 70;

/// Neighbours kept on other plates: the end of the grid of the robustness index.
pub(super) const ON_OTHER_PLATES: usize = 81;

/// Control rows that are compared pair by pair.
const CONTROL_ROWS: usize = 1500;

/// Levels of a factor that have rows.
pub(super) fn present(factor: &Factor) -> usize {
    factor.counts().iter().filter(|&&count| count > 0).count()
}

/// Checks that a unit can be mixed at all, and returns its levels.
pub(super) fn at_least_two(factor: &Factor, name: &str) -> Result<usize, String> {
    match present(factor) {
        levels @ 2.. => Ok(levels),
        levels => Err(format!("the rows have {levels} level(s) of `{name}`; mixing needs two")),
    }
}

/// Rows of each level, summed; `[levels, d]`, in `f64`. Blocks of columns in parallel, rows in ascending order.
pub(in crate::embedding) fn level_sums(matrix: &Matrix, codes: &[u32], levels: usize) -> Vec<f64> {
    /// Columns per task.
    const COLUMNS: usize = 128;
    let d = matrix.cols();
    let blocks: Vec<Vec<f64>> = (0..d.div_ceil(COLUMNS))
        .into_par_iter()
        .map(|block| {
            let columns = block * COLUMNS..((block + 1) * COLUMNS).min(d);
            let width = columns.len();
            let mut sums = vec![0.0; levels * width];
            for (row, &code) in codes.iter().enumerate() {
                let values = &matrix.row(row)[columns.clone()];
                for (sum, &x) in sums[code as usize * width..(code as usize + 1) * width].iter_mut().zip(values) {
                    *sum += f64::from(x);
                }
            }
            sums
        })
        .collect();
    let mut sums = Vec::with_capacity(levels * d);
    for level in 0..levels {
        for block in &blocks {
            let width = block.len() / levels;
            sums.extend_from_slice(&block[level * width..(level + 1) * width]);
        }
    }
    sums
}

/// Inner product of an `f32` row with an `f64` one, in eight interleaved sums of a fixed order.
pub(super) fn dot(a: &[f32], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a_head, a_tail) = a.as_chunks::<8>();
    let (b_head, b_tail) = b.as_chunks::<8>();
    for (a, b) in a_head.iter().zip(b_head) {
        for lane in 0..8 {
            sums[lane] += f64::from(a[lane]) * b[lane];
        }
    }
    sums.iter().sum::<f64>() + a_tail.iter().zip(b_tail).map(|(&a, b)| f64::from(a) * b).sum::<f64>()
}

/// The leading principal components of the treated rows.
pub(in crate::embedding) struct Leading {
    /// Coordinates, `[n, k]`.
    pub(super) scores: Matrix,
    /// Variance along each, `[k]`.
    pub(super) variance: Vec<f64>,
}

impl Leading {
    pub(in crate::embedding) fn new(matrix: &Matrix) -> Result<Self, String> {
        let k = COMPONENTS.min(matrix.rows()).min(matrix.cols());
        let pca = Pca::fit(matrix, k, Method::Auto, Seed(0).derive("pcr", 0)).map_err(|error| error.to_string())?;
        let scores = pca.scores(matrix).map_err(|error| error.to_string())?;
        Ok(Self { scores, variance: pca.variance })
    }
}

/// Euclidean neighbours of every row among the rows of its label.
pub(in crate::embedding) struct LabelGraph {
    codes: Vec<u32>,
    /// Neighbours of each row, nearest first; fewer than [`WITHIN_LABEL`] in small labels.
    pub(super) index: Vec<Vec<u32>>,
    /// The nearest of them with their probabilities at the perplexity of LISI.
    pub(super) weights: Vec<Vec<(u32, f32)>>,
}

impl LabelGraph {
    pub(in crate::embedding) fn new(matrix: &Matrix, label: &Factor) -> Result<Self, String> {
        let n = matrix.rows();
        let mut index = vec![Vec::new(); n];
        let mut weights = vec![Vec::new(); n];
        for members in label.members().into_iter().filter(|members| members.len() > 1) {
            let k = WITHIN_LABEL.min(members.len() - 1);
            let graph = neighbours::graph(&matrix.take(&members), k, Metric::Euclidean, &|_, _| ())
                .map_err(|error| error.to_string())?;
            let near = PERPLEXITY.min(k);
            let weigh = |local: usize| {
                let list = graph.neighbours(local)[..near].iter().zip(graph.distances(local));
                lisi::weigh(list.map(|(&other, &d)| (members[other as usize], f64::from(d))), near as f64)
            };
            let weighed: Vec<Vec<(u32, f32)>> = (0..members.len()).into_par_iter().map(weigh).collect();
            for ((local, &row), weighed) in members.iter().enumerate().zip(weighed) {
                index[row as usize] = graph.neighbours(local).iter().map(|&other| members[other as usize]).collect();
                weights[row as usize] = weighed;
            }
        }
        Ok(Self { codes: label.codes.clone(), index, weights })
    }

    pub(in crate::embedding) fn is_of(&self, label: &Factor) -> bool {
        self.codes == label.codes
    }
}

/// Cosine neighbours of every row on plates other than its own, with their ties.
pub(in crate::embedding) struct Foreign {
    /// List of every row.
    list_of_row: Vec<u32>,
    lists: Vec<List>,
}

/// Lists in the order in which they are found; what a row sees does not depend on it.
#[derive(Default)]
struct Lists(Mutex<Vec<List>>);

impl Lists {
    /// Adds one, and returns its place.
    fn keep(&self, ballot: &neighbours::Ballot<'_>) -> u32 {
        let list = List {
            rows: ballot.rows[..ballot.certain].to_vec(),
            run: Vec::new(),
            tied: ballot.tied.iter().map(|&(row, _)| row).collect(),
        };
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.push(list);
        (lists.len() - 1) as u32
    }
}

/// Neighbours of one point.
struct List {
    /// Neighbours that are certain, nearest first.
    rows: Vec<u32>,
    /// For every certain neighbour, start and end of the run of equal distances that it is in.
    run: Vec<(u8, u8)>,
    /// Rows that are equally far and from which the places after the certain ones are drawn.
    tied: Vec<u32>,
}

impl Foreign {
    pub(in crate::embedding) fn new(matrix: &Matrix, plate: &Factor) -> Result<Self, String> {
        let n = matrix.rows();
        let numbers: Vec<u32> = (0..n as u32).collect();
        let question = Question {
            matrix,
            class: &numbers,
            folds: plate.level_count(),
            part: |fold: usize, row: usize| if plate.code(row) == fold { Part::Test } else { Part::Train },
            k: ON_OTHER_PLATES,
            metric: Metric::Cosine,
        };
        let lists = Lists::default();
        let folds = neighbours::sweep(&question, &|ballot| lists.keep(ballot), &|_, _| ())
            .map_err(|error| error.to_string())?;
        let mut list_of_row = vec![u32::MAX; n];
        for (fold, members) in folds.iter().zip(plate.members()) {
            for (&row, &list) in members.iter().zip(&fold.kept) {
                list_of_row[row as usize] = list;
            }
        }
        Self::finish(matrix, list_of_row, lists)
    }

    /// The same, and the graph of the `k` nearest rows, in one pass over all pairs.
    pub(in crate::embedding) fn with_graph(
        matrix: &Matrix,
        plate: &Factor,
        k: usize,
    ) -> (Result<Graph, String>, Result<Self, String>) {
        let (group, groups) = (&plate.codes, plate.level_count());
        let question = Apart { matrix, metric: Metric::Cosine, k, group, groups, k_apart: ON_OTHER_PLATES };
        let lists = Lists::default();
        match neighbours::graph_and_apart(&question, &|ballot| lists.keep(ballot), &|_, _| ()) {
            Ok((graph, list_of_row)) => (Ok(graph), Self::finish(matrix, list_of_row, lists)),
            Err(error) => (Err(error.to_string()), Err(error.to_string())),
        }
    }

    fn finish(matrix: &Matrix, list_of_row: Vec<u32>, lists: Lists) -> Result<Self, String> {
        let mut lists = lists.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut first = vec![u32::MAX; lists.len()];
        for (row, &list) in list_of_row.iter().enumerate().rev() {
            if list == u32::MAX {
                return Err("some rows have no row on another plate".to_owned());
            }
            first[list as usize] = row as u32;
        }
        // Every list is that of a row.
        lists.par_iter_mut().zip(first).for_each(|(list, row)| list.run = runs(matrix, row as usize, &list.rows));
        Ok(Self { list_of_row, lists })
    }

    /// Tied rows of every list, counted by a code of each row.
    pub(super) fn tallies(&self, code: impl Fn(usize) -> u32) -> Vec<Vec<(u32, f64)>> {
        let tally = |list: &List| {
            let mut codes: Vec<u32> = list.tied.iter().map(|&row| code(row as usize)).collect();
            codes.sort_unstable();
            codes.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as f64)).collect()
        };
        self.lists.iter().map(tally).collect()
    }

    /// Calls `visit(code, weight)` for the `k` nearest rows on other plates; ties count by expectation. `tallies` are
    /// those of the same `code`.
    pub(super) fn visit(
        &self,
        row: usize,
        k: usize,
        code: impl Fn(usize) -> u32,
        tallies: &[Vec<(u32, f64)>],
        mut visit: impl FnMut(u32, f64),
    ) {
        let at = self.list_of_row[row] as usize;
        let list = &self.lists[at];
        for (&other, &(start, end)) in list.rows.iter().zip(&list.run) {
            let (start, end) = (usize::from(start), usize::from(end));
            if start >= k {
                return;
            }
            visit(code(other as usize), ((k.min(end) - start) as f64) / ((end - start) as f64));
        }
        if k > list.rows.len() && !list.tied.is_empty() {
            let weight = (k - list.rows.len()) as f64 / list.tied.len() as f64;
            for &(code, count) in &tallies[at] {
                visit(code, weight * count);
            }
        }
    }
}

/// Runs of equal cosine distance to `row`.
fn runs(matrix: &Matrix, row: usize, others: &[u32]) -> Vec<(u8, u8)> {
    let own: Vec<f64> = matrix.row(row).iter().map(|&x| f64::from(x)).collect();
    let length = |values: &[f32]| values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let own_length = length(matrix.row(row));
    let distance: Vec<f64> = others
        .iter()
        .map(|&other| {
            let values = matrix.row(other as usize);
            let lengths = own_length * length(values);
            round_cosine(if lengths > 0.0 { 1.0 - dot(values, &own) / lengths } else { 1.0 })
        })
        .collect();
    let mut runs = Vec::with_capacity(others.len());
    let mut start = 0;
    for run in distance.chunk_by(|a, b| a == b) {
        runs.extend(std::iter::repeat_n((start as u8, (start + run.len()) as u8), run.len()));
        start += run.len();
    }
    runs
}

/// Negative controls, at most [`CONTROL_ROWS`] of them, and the distances of all pairs. What else depends on the rows
/// alone is made when first asked for, so that exchanging their units costs sums of it.
pub(in crate::embedding) struct ControlSample {
    /// Rows of the control matrix, ascending.
    pub(super) rows: Vec<u32>,
    /// Euclidean distances, `[m, m]`.
    pub(super) distance: Vec<f32>,
    /// The rows less their mean, `[m, d]`, in `f64`.
    pub(super) centred: Vec<f64>,
    /// Trace of the rows' covariance.
    pub(super) variance: f64,
    kernel: OnceLock<Option<Vec<f32>>>,
    products: OnceLock<Vec<f64>>,
    projections: OnceLock<Vec<Vec<(f64, u32)>>>,
}

impl ControlSample {
    pub(in crate::embedding) fn new(controls: &Matrix, layout: &Layout) -> Result<Self, String> {
        let m = controls.rows();
        if m < 4 {
            return Err(format!("{m} negative-control row(s); distances between units need at least four"));
        }
        if let Some(at) = controls.data().iter().position(|x| !x.is_finite()) {
            return Err(format!("control row {} holds a value that is not finite", at / controls.cols()));
        }
        // Whole wells in a seeded order until the rows are enough.
        let wells = match &layout.well {
            Some(well) => well.members().into_iter().filter(|rows| !rows.is_empty()).collect(),
            None => (0..m as u32).map(|row| vec![row]).collect::<Vec<_>>(),
        };
        let mut rows: Vec<u32> = Vec::new();
        for well in Seed(0).derive("control-sample", 0).stream().permutation(wells.len()) {
            if rows.len() < CONTROL_ROWS {
                rows.extend(&wells[well as usize]);
            }
        }
        rows.sort_unstable();
        let pairs = Pairs::new(controls, &rows);
        let distance = pairs.for_each_row(|_, squared| squared.iter().map(|&x| x.sqrt() as f32).collect::<Vec<f32>>());
        let centred = pairs.into_data();
        let variance = if controls.cols() == 0 {
            0.0
        } else {
            centred.iter().map(|x| x * x).sum::<f64>() / (rows.len() - 1) as f64
        };
        Ok(Self {
            rows,
            distance: distance.concat(),
            centred,
            variance,
            kernel: OnceLock::new(),
            products: OnceLock::new(),
            projections: OnceLock::new(),
        })
    }

    /// Gaussian kernel of all pairs, `[m, m]`, made by `make`; `None` if it is not defined.
    pub(super) fn kernel(&self, make: impl FnOnce() -> Option<Vec<f32>>) -> Option<&[f32]> {
        self.kernel.get_or_init(make).as_deref()
    }

    /// Products of all pairs of centred rows, `[m, m]`.
    pub(super) fn products(&self) -> &[f64] {
        self.products.get_or_init(|| {
            let m = self.rows.len();
            let mut all = vec![0.0; m * m];
            products(&self.centred, &self.centred, self.centred.len() / m, &mut all);
            all
        })
    }

    /// Projections on directions with the places they belong to, ascending, made by `make`; `[directions][m]`.
    pub(super) fn projections(&self, make: impl FnOnce() -> Vec<Vec<(f64, u32)>>) -> &[Vec<(f64, u32)>] {
        self.projections.get_or_init(make)
    }

    /// Places in the sample of each level of a unit; levels with fewer than `least` places are left out.
    pub(super) fn places(&self, unit: &Factor, least: usize) -> Vec<(usize, Vec<usize>)> {
        let mut places = vec![Vec::new(); unit.level_count()];
        for (place, &row) in self.rows.iter().enumerate() {
            places[unit.code(row as usize)].push(place);
        }
        places.into_iter().enumerate().filter(|(_, places)| places.len() >= least).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::Space;

    #[test]
    fn neighbours_on_other_plates_are_the_same_with_the_graph_and_by_themselves() {
        // More rows than neighbours, and fewer; equal distances and repeated rows.
        for n in [260_usize, 40] {
            let d = 3;
            let mut stream = Seed(n as u64).stream();
            let mut values: Vec<f32> = (0..n * d).map(|_| (stream.normal() * 1.5).round() as f32).collect();
            values.copy_within(0..d, 5 * d);
            values.copy_within(0..d, 7 * d);
            let (matrix, none) = (Matrix::new(n, d, values), Matrix::zeros(0, d));
            let codes = (0..n as u32).map(|row| row * 5 % 7 % 3).collect();
            let plate = Factor { levels: ["a", "b", "c"].map(str::to_owned).to_vec(), codes };
            let expected = Foreign::new(&matrix, &plate).unwrap();
            for graph_first in [true, false] {
                let space = Space::new(&matrix, &none);
                space.plates.set(plate.clone()).unwrap();
                if graph_first {
                    space.graph(Metric::Cosine).unwrap();
                }
                let found = space.foreign(&plate).unwrap();
                for row in 0..n {
                    let list = |of: &Foreign| {
                        let list = &of.lists[of.list_of_row[row] as usize];
                        (list.rows.clone(), list.run.clone(), list.tied.clone())
                    };
                    assert_eq!(list(found), list(&expected));
                }
                assert_eq!(space.graph(Metric::Cosine), Space::new(&matrix, &none).graph(Metric::Cosine));
            }
        }
    }
}
