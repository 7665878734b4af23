//! The curve that turns distances on the map into memberships.
//!
//! # Formula
//! `1 / (1 + a x^(2b))`, fitted by least squares to `1` for `x < min_dist` and
//! `exp(-(x - min_dist) / spread)` beyond, at 300 points of `[0, 3 spread]`.
//!
//! # Reference
//! umap-learn 0.5.12, `find_ab_params` (SciPy `curve_fit` from `a = b = 1`, which is
//! Levenberg-Marquardt as here).

/// Points at which the curve is fitted.
const POINTS: usize = 300;
/// Iterations at most; about ten are needed.
const ITERATIONS: usize = 500;

/// Parameters `a` and `b` of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// Scale.
    pub a: f64,
    /// Half the exponent of the distance.
    pub b: f64,
}

impl Curve {
    /// Fits the curve. `0 <= min_dist <= spread`, `spread > 0`.
    pub fn fit(min_dist: f64, spread: f64) -> Self {
        let points: Vec<(f64, f64)> = (0..POINTS)
            .map(|i| {
                let x = 3.0 * spread * i as f64 / (POINTS - 1) as f64;
                (x, if x < min_dist { 1.0 } else { (-(x - min_dist) / spread).exp() })
            })
            .collect();
        let mut curve = Self { a: 1.0, b: 1.0 };
        let mut loss = curve.loss(&points);
        let mut damping = 1e-3;
        for _ in 0..ITERATIONS {
            let (hessian, gradient) = curve.normal_equations(&points);
            let (aa, ab, bb) = (hessian[0] * (1.0 + damping), hessian[1], hessian[2] * (1.0 + damping));
            let determinant = aa * bb - ab * ab;
            let step = [
                (bb * gradient[0] - ab * gradient[1]) / determinant,
                (aa * gradient[1] - ab * gradient[0]) / determinant,
            ];
            let next = Self { a: curve.a + step[0], b: curve.b + step[1] };
            let next_loss = next.loss(&points);
            if next_loss.is_finite() && next.a > 0.0 && next.b > 0.0 && next_loss <= loss {
                let small = step[0].abs() <= 1e-12 * curve.a && step[1].abs() <= 1e-12 * curve.b;
                (curve, loss, damping) = (next, next_loss, damping * 0.1);
                if small {
                    break;
                }
            } else {
                damping *= 10.0;
                if damping > 1e16 {
                    break;
                }
            }
        }
        curve
    }

    /// Value at distance `x`.
    pub fn at(self, x: f64) -> f64 {
        1.0 / (1.0 + self.a * x.powf(2.0 * self.b))
    }

    fn loss(self, points: &[(f64, f64)]) -> f64 {
        points.iter().map(|&(x, y)| (y - self.at(x)).powi(2)).sum()
    }

    /// `J'J` as `[aa, ab, bb]` and `J'r` for the residuals `r = y - f`.
    fn normal_equations(self, points: &[(f64, f64)]) -> ([f64; 3], [f64; 2]) {
        let (mut hessian, mut gradient) = ([0.0; 3], [0.0; 2]);
        for &(x, y) in points {
            let value = self.at(x);
            let power = x.powf(2.0 * self.b);
            let by_a = -value * value * power;
            // x^(2b) ln x goes to zero with x.
            let by_b = if x > 0.0 { -value * value * self.a * power * 2.0 * x.ln() } else { 0.0 };
            hessian[0] += by_a * by_a;
            hessian[1] += by_a * by_b;
            hessian[2] += by_b * by_b;
            gradient[0] += by_a * (y - value);
            gradient[1] += by_b * (y - value);
        }
        (hessian, gradient)
    }
}
