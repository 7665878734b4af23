//! Small statistics with an oracle each: medians, ranks, distances between samples, Fisher's test.

/// Median; the mean of the two middle values of an even count. `NaN` for none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    let (below, middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    let middle = *middle;
    if n % 2 == 1 {
        return middle;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (lower + middle)
}

/// Ranks from one, equal values sharing the mean of theirs.
pub(crate) fn average_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| values[a as usize] == values[b as usize]) {
        let rank = start as f64 + (tied.len() as f64 + 1.0) / 2.0;
        for &at in tied {
            ranks[at as usize] = rank;
        }
        start += tied.len();
    }
    ranks
}

/// How far two samples are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Apart {
    /// Kolmogorov-Smirnov: the largest difference of the distribution functions.
    pub(crate) kolmogorov_smirnov: f64,
    /// Cramer-von Mises `T` of the two-sample test, equal values by mean ranks.
    pub(crate) cramer_von_mises: f64,
    /// Mean squared difference of the distribution functions over the joint sample; 0 to 1/3.
    pub(crate) squared: f64,
}

/// Distances between two samples, neither empty. Both are sorted.
pub(crate) fn apart(x: &mut [f64], y: &mut [f64]) -> Apart {
    x.sort_unstable_by(f64::total_cmp);
    y.sort_unstable_by(f64::total_cmp);
    let (n, m) = (x.len() as f64, y.len() as f64);
    let (mut i, mut j) = (0, 0);
    let (mut largest, mut squares, mut u_x, mut u_y): (f64, f64, f64, f64) = (0.0, 0.0, 0.0, 0.0);
    while i < x.len() || j < y.len() {
        let value = match (x.get(i), y.get(j)) {
            (Some(&a), Some(&b)) => a.min(b),
            (Some(&a), None) | (None, Some(&a)) => a,
            (None, None) => break,
        };
        let (i0, j0) = (i, j);
        while x.get(i) == Some(&value) {
            i += 1;
        }
        while y.get(j) == Some(&value) {
            j += 1;
        }
        let difference = (i as f64 / n - j as f64 / m).abs();
        largest = largest.max(difference);
        squares += difference * difference * (i - i0 + j - j0) as f64;
        let rank = (i0 + j0) as f64 + ((i - i0 + j - j0) as f64 + 1.0) / 2.0;
        u_x += (i0..i).map(|at| (rank - (at + 1) as f64).powi(2)).sum::<f64>();
        u_y += (j0..j).map(|at| (rank - (at + 1) as f64).powi(2)).sum::<f64>();
    }
    let u = n * u_x + m * u_y;
    Apart {
        kolmogorov_smirnov: largest,
        cramer_von_mises: u / (n * m * (n + m)) - (4.0 * n * m - 1.0) / (6.0 * (n + m)),
        squared: squares / (n + m),
    }
}

/// Fisher's exact test of `[[a, b], [c, d]]`, one-sided: the probability of at least `a` given the margins.
pub(crate) fn fisher_greater([a, b, c, d]: [u64; 4]) -> f64 {
    let (row, column, total) = (a + b, a + c, a + b + c + d);
    let choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let all = choose(total, column);
    let mut term = (choose(row, a) + choose(total - row, column - a) - all).exp();
    let mut sum = term;
    for k in a..row.min(column) {
        let up = (row - k) as f64 * (column - k) as f64;
        let down = (k + 1) as f64 * ((total + k + 1) as f64 - (row + column) as f64);
        term *= up / down;
        sum += term;
        if term < sum * 1e-17 && up < down {
            break;
        }
    }
    sum.min(1.0)
}

/// `ln(n!)`: the sum below 256, Stirling's series beyond (error below 1e-16 of it).
fn ln_factorial(n: u64) -> f64 {
    if n < 256 {
        return (2..=n).map(|k| (k as f64).ln()).sum();
    }
    let x = n as f64 + 1.0;
    let y = 1.0 / (x * x);
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + (1.0 / 12.0 - y * (1.0 / 360.0 - y / 1260.0)) / x
}

/// Pearson's correlation of two lists of equal length; `None` if one is constant (up to the rounding of its mean).
pub(crate) fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    let varies = |squares: f64, mean: f64| squares > n * (1e-12 * mean).powi(2);
    (varies(aa, mean_a) && varies(bb, mean_b)).then(|| ab / (aa * bb).sqrt())
}
