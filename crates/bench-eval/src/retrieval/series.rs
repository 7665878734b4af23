//! Partial sums that tied ranks need: of 1/i and of 1/log2(i + 1).

/// Sums over the first ranks, so that a sum over any run of ranks is a difference.
#[derive(Clone, Debug)]
pub(super) struct Series {
    harmonic: Vec<f64>,
    discount: Vec<f64>,
}

impl Series {
    /// Sums up to `ranks`.
    pub(super) fn new(ranks: usize) -> Self {
        Self {
            harmonic: sums(ranks, |rank| 1.0 / rank as f64),
            discount: sums(ranks, |rank| 1.0 / ((rank + 1) as f64).log2()),
        }
    }

    /// Sum of 1/i over `count` ranks after `above`.
    pub(super) fn harmonic(&self, above: u32, count: u32) -> f64 {
        // A single rank is not worth the rounding of a difference.
        if count == 1 { 1.0 / f64::from(above + 1) } else { run(&self.harmonic, above, count) }
    }

    /// Sum of 1/log2(i + 1) over `count` ranks after `above`.
    pub(super) fn discount(&self, above: u32, count: u32) -> f64 {
        if count == 1 { 1.0 / f64::from(above + 2).log2() } else { run(&self.discount, above, count) }
    }
}

fn run(sums: &[f64], above: u32, count: u32) -> f64 {
    sums[(above + count) as usize] - sums[above as usize]
}

/// Compensated sums (Neumaier), from the empty one on.
fn sums(ranks: usize, term: impl Fn(usize) -> f64) -> Vec<f64> {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    let mut sums = Vec::with_capacity(ranks + 1);
    sums.push(0.0);
    for rank in 1..=ranks {
        let term = term(rank);
        let next = sum + term;
        lost += if sum >= term { (sum - next) + term } else { (term - next) + sum };
        sum = next;
        sums.push(sum + lost);
    }
    sums
}
