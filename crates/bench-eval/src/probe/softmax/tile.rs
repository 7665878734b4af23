//! Losses and residuals of a block of rows, for one problem.
//!
//! # Formula
//! With logits `l_k` of a row of class `y`, `m = max_k l_k`, `e_k = exp(l_k - m)`,
//! `S = sum_{k != y} e_k`: loss `log(S + e_y) + m - l_y`, residual `e_k / (S + e_y)` for
//! `k != y` and `-S / (S + e_y)` for `y`.
//!
//! # Why
//! The residual of the true class is the negative sum of the others, not `p_y - 1`, and the
//! loss uses `log(1 + S)` where the true class leads: on separable data both are tiny and would
//! be lost to cancellation. Sixteen rows are handled together, class by class, so that every
//! step but the look-up of the true class is a vector instruction.
//!
//! # Where it fits
//! A row's numbers depend on its logits alone, not on its neighbours nor on other problems.

use super::problem::UNUSED;
use super::real::Real;
use super::rows::{BLOCK, LANES};

/// Logits of a block for all columns of a pass: panels of [`LANES`] columns, each
/// `[BLOCK, LANES]`.
pub(super) struct Logits<'a, T> {
    pub(super) panels: &'a [T],
    /// First column of the problem.
    pub(super) start: usize,
    /// Intercepts of the problem; `[classes]`.
    pub(super) bias: &'a [T],
}

impl<T: Real> Logits<'_, T> {
    #[inline(always)]
    fn column(&self, class: usize) -> (&[T], T) {
        let column = self.start + class;
        (&self.panels[column / LANES * BLOCK * LANES + column % LANES..], self.bias[class])
    }
}

/// What a problem's residuals are written to.
pub(super) struct Residuals<'a, T> {
    /// `[classes, BLOCK]`.
    pub(super) residual: &'a mut [T],
    /// Sums over rows are added; `[classes]`.
    pub(super) bias: &'a mut [f64],
    /// Room for `2 * classes * LANES` values.
    pub(super) room: &'a mut [T],
}

/// Residuals of rows with one class each; returns the sum of their losses.
///
/// `codes` has one entry per row; `padded` rows, a multiple of [`LANES`], get residuals.
pub(super) fn of_codes<T: Real>(
    logits: &Logits<'_, T>,
    codes: &[u32],
    padded: usize,
    out: &mut Residuals<'_, T>,
) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature. No multiplication is fused with an addition,
        // so the result is that of the portable build, bit for bit.
        return unsafe { of_codes_avx2(logits, codes, padded, out) };
    }
    of_codes_portable(logits, codes, padded, out)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn of_codes_avx2<T: Real>(logits: &Logits<'_, T>, codes: &[u32], padded: usize, out: &mut Residuals<'_, T>) -> f64 {
    of_codes_portable(logits, codes, padded, out)
}

#[inline(always)]
fn of_codes_portable<T: Real>(logits: &Logits<'_, T>, codes: &[u32], padded: usize, out: &mut Residuals<'_, T>) -> f64 {
    let classes = logits.bias.len();
    let (tile, sums) = out.room.split_at_mut(classes * LANES);
    sums[..classes * LANES].fill(T::default());
    let mut loss = 0.0;
    for first in (0..padded).step_by(LANES) {
        let codes = &codes[first..codes.len().min(first + LANES)];
        if codes.iter().all(|&code| code == UNUSED) {
            for residual in out.residual.chunks_exact_mut(BLOCK).take(classes) {
                residual[first..first + LANES].fill(T::default());
            }
            continue;
        }
        let mut largest = [T::default(); LANES];
        for (class, values) in tile.chunks_exact_mut(LANES).enumerate() {
            let (column, bias) = logits.column(class);
            for lane in 0..LANES {
                values[lane] = column[(first + lane) * LANES] + bias;
            }
            for lane in 0..LANES {
                largest[lane] = if class == 0 { values[lane] } else { largest[lane].larger(values[lane]) };
            }
        }
        let mut margin = [T::default(); LANES];
        for (lane, &code) in codes.iter().enumerate().filter(|(_, code)| **code != UNUSED) {
            margin[lane] = largest[lane] - tile[code as usize * LANES + lane];
        }
        for values in tile.chunks_exact_mut(LANES) {
            for lane in 0..LANES {
                values[lane] = (values[lane] - largest[lane]).exp_nonpositive();
            }
        }
        let mut truth = [T::default(); LANES];
        for (lane, &code) in codes.iter().enumerate().filter(|(_, code)| **code != UNUSED) {
            truth[lane] = std::mem::take(&mut tile[code as usize * LANES + lane]);
        }
        let mut others = [T::default(); LANES];
        for values in tile.chunks_exact(LANES) {
            for lane in 0..LANES {
                others[lane] += values[lane];
            }
        }
        let mut share = [T::default(); LANES];
        for (lane, _) in codes.iter().enumerate().filter(|(_, code)| **code != UNUSED) {
            share[lane] = T::ONE / (others[lane] + truth[lane]);
            let (others, margin) = (others[lane].to_f64(), margin[lane].to_f64());
            loss += if margin == 0.0 { others.ln_1p() } else { (others + truth[lane].to_f64()).ln() + margin };
        }
        for values in tile.chunks_exact_mut(LANES) {
            for lane in 0..LANES {
                values[lane] = values[lane] * share[lane];
            }
        }
        for (lane, &code) in codes.iter().enumerate().filter(|(_, code)| **code != UNUSED) {
            tile[code as usize * LANES + lane] = -(others[lane] * share[lane]);
        }
        let targets = out.residual.chunks_exact_mut(BLOCK).zip(sums.chunks_exact_mut(LANES));
        for (values, (residual, sums)) in tile.chunks_exact(LANES).zip(targets) {
            residual[first..first + LANES].copy_from_slice(values);
            for lane in 0..LANES {
                sums[lane] += values[lane];
            }
        }
    }
    for (bias, sums) in out.bias.iter_mut().zip(sums.chunks_exact(LANES)) {
        *bias += sums.iter().map(|s| s.to_f64()).sum::<f64>();
    }
    loss
}

/// Residuals of rows that stand for several training rows; returns the sum of their losses.
///
/// `total` has one entry per row, `count` one per row and class.
pub(super) fn of_counts<T: Real>(
    logits: &Logits<'_, T>,
    total: &[f64],
    count: &[f64],
    padded: usize,
    out: &mut Residuals<'_, T>,
) -> f64 {
    let classes = logits.bias.len();
    let mut loss = 0.0;
    for residual in out.residual.chunks_exact_mut(BLOCK).take(classes) {
        residual[total.len()..padded].fill(T::default());
    }
    let values = &mut out.room[..classes];
    for (row, (&total, count)) in total.iter().zip(count.chunks_exact(classes)).enumerate() {
        for (class, value) in values.iter_mut().enumerate() {
            let (column, bias) = logits.column(class);
            *value = column[row * LANES] + bias;
        }
        let largest = values.iter().fold(values[0], |a, &b| a.larger(b));
        let mut sum = 0.0;
        for (value, &n) in values.iter_mut().zip(count) {
            let below = *value - largest;
            loss -= if n == 0.0 { 0.0 } else { n * below.to_f64() };
            *value = below.exp_nonpositive();
            sum += value.to_f64();
        }
        loss += total * sum.ln();
        for ((value, &n), (class, bias)) in values.iter().zip(count).zip(out.bias.iter_mut().enumerate()) {
            let residual = total * value.to_f64() / sum - n;
            out.residual[class * BLOCK + row] = T::from_f64(residual);
            *bias += residual;
        }
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(logits: &[f64], class: usize) -> (f64, Vec<f64>) {
        let m = logits.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = logits.iter().map(|l| (l - m).exp()).sum();
        let p: Vec<f64> = logits.iter().map(|l| (l - m).exp() / sum).collect();
        let residual = p.iter().enumerate().map(|(k, p)| p - f64::from(u8::from(k == class))).collect();
        (-p[class].ln(), residual)
    }

    #[test]
    fn a_tile_agrees_with_the_formula_for_codes_and_for_counts() {
        let (classes, rows, start) = (5usize, 37usize, 14);
        let mut panels = vec![f64::NAN; 2 * BLOCK * LANES];
        for row in 0..rows.next_multiple_of(LANES) {
            for class in 0..classes {
                let column = start + class;
                panels[column / LANES * BLOCK * LANES + row * LANES + column % LANES] =
                    ((row * 7 + class * 13) % 23) as f64 * 0.3 - 3.0;
            }
        }
        let bias = [0.1, -0.4, 0.0, 2.0, -1.0];
        let codes: Vec<u32> = (0..rows).map(|r| if r % 4 == 3 { UNUSED } else { (r % classes) as u32 }).collect();
        let total: Vec<f64> = codes.iter().map(|&c| f64::from(u8::from(c != UNUSED))).collect();
        let mut count = vec![0.0; rows * classes];
        codes
            .iter()
            .enumerate()
            .filter(|(_, c)| **c != UNUSED)
            .for_each(|(r, &c)| count[r * classes + c as usize] = 1.0);
        let logits = Logits { panels: &panels, start, bias: &bias };
        let padded = rows.next_multiple_of(LANES);
        for counts in [false, true] {
            let (mut residual, mut sums, mut room) =
                (vec![9.0; classes * BLOCK], vec![0.0; classes], vec![0.0; 2 * classes * LANES]);
            let mut out = Residuals { residual: &mut residual, bias: &mut sums, room: &mut room };
            let loss = if counts {
                of_counts(&logits, &total, &count, padded, &mut out)
            } else {
                of_codes(&logits, &codes, padded, &mut out)
            };
            let (mut expected_loss, mut expected_sums) = (0.0, vec![0.0; classes]);
            for row in 0..rows {
                let values: Vec<f64> = (0..classes).map(|k| logits.column(k).0[row * LANES] + bias[k]).collect();
                let (l, r) = match codes[row] {
                    UNUSED => (0.0, vec![0.0; classes]),
                    code => plain(&values, code as usize),
                };
                expected_loss += l;
                for class in 0..classes {
                    assert!((residual[class * BLOCK + row] - r[class]).abs() < 1e-14);
                    expected_sums[class] += r[class];
                }
            }
            assert!((loss - expected_loss).abs() < 1e-12);
            assert!(sums.iter().zip(&expected_sums).all(|(a, b)| (a - b).abs() < 1e-13));
            assert!((rows..padded).all(|r| (0..classes).all(|k| residual[k * BLOCK + r] == 0.0)));
        }
    }

    #[test]
    fn tiny_losses_keep_their_digits_in_single_precision() {
        let mut panels = vec![0f32; BLOCK * LANES];
        panels[0] = 12.0;
        let (mut residual, mut bias, mut room) = (vec![0f32; 2 * BLOCK], [0.0; 2], vec![0f32; 4 * LANES]);
        let logits = Logits { panels: &panels, start: 0, bias: &[0.0, 0.0] };
        let mut out = Residuals { residual: &mut residual, bias: &mut bias, room: &mut room };
        let loss = of_codes(&logits, &[0], LANES, &mut out);
        let exact = (-12f64).exp().ln_1p();
        assert!((loss / exact - 1.0).abs() < 1e-6);
        assert!((f64::from(residual[0]) / -(-12f64).exp() - 1.0).abs() < 1e-5);
    }
}
