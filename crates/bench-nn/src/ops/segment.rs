//! Reductions over contiguous runs of rows: messages to an atom, atoms of a molecule.
//!
//! What: per segment and column the sum, mean, largest or smallest value, or the standard deviation
//! `sqrt(relu(E[x^2] - E[x]^2) + eps)`. An empty segment gives zero and no gradient.
//! Why: these are the aggregators of principal neighbourhood aggregation (Corso et al. 2020). The
//! rows are sorted by segment, so every result has one fixed order of summation.
//! Among equal extremes the first row gets the gradient, as `torch.max(dim)`; where the variance
//! is clamped the gradient is zero.

use candle_core::{Device, Tensor};

use super::index::Segments;
use super::shape::{no_kernel, table};
use crate::cpu::{read, segment as kernel};
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Error, Result, Tape, Value, from_values, view};

/// How the rows of a segment become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reduce {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The largest value of each column.
    Max,
    /// The smallest value of each column.
    Min,
    /// The biased standard deviation of each column.
    Std {
        /// Added to the variance; 1e-5 in the reference.
        eps: f64,
    },
}

/// Reduces the rows of `x (segments.rows(), d)` to `(segments.count(), d)`.
pub fn segment(tape: &mut Tape, x: &Value, segments: &Segments, reduce: Reduce) -> Result<Value> {
    let (output, places) = forward(x.tensor(), segments, reduce)?;
    let saved = matches!(reduce, Reduce::Std { .. }).then(|| (x.tensor().clone(), output.clone()));
    let segments = segments.clone();
    Ok(tape.record(&[x], output, move |dy| {
        Ok(vec![Some(backward(&dy.contiguous()?, &segments, reduce, places.as_ref(), saved.as_ref())?)])
    }))
}

/// The output, and for extremes the row of each (`u32`, of the output's shape; `u32::MAX` in an
/// empty segment).
fn forward(x: &Tensor, segments: &Segments, reduce: Reduce) -> Result<(Tensor, Option<Tensor>)> {
    let (rows, width) = table("segment", x)?;
    if x.rank() != 2 || rows != segments.rows() {
        return Err(Error::shape("segment", format!("a table of {} rows", segments.rows()), x.dims()));
    }
    let shape = (segments.count(), width);
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::segment_forward(x, &segments.offsets().tensor()?, reduce),
        Device::Cpu => with_element!("segment", x, T => {
            let (x, offsets) = (view::<T>(x)?, segments.offsets().host());
            let (values, places) = match reduce {
                Reduce::Sum | Reduce::Mean => (kernel::sum(&x, width, offsets, reduce == Reduce::Mean), None),
                Reduce::Std { eps } => (kernel::std(&x, width, offsets, eps), None),
                Reduce::Max | Reduce::Min => {
                    let (values, places) = kernel::extreme(&x, width, offsets, reduce == Reduce::Max);
                    (values, Some(Tensor::from_vec(places, shape, &Device::Cpu)?))
                }
            };
            Ok((from_values(values, shape)?, places))
        }),
        other => no_kernel("segment", other),
    }
}

/// `places` as [`forward`] gave them; `saved` are input and output of a standard deviation.
fn backward(
    dy: &Tensor,
    segments: &Segments,
    reduce: Reduce,
    places: Option<&Tensor>,
    saved: Option<&(Tensor, Tensor)>,
) -> Result<Tensor> {
    let (_, width) = table("segment", dy)?;
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => {
            let (offsets, x) = (segments.offsets().tensor()?, saved.map(|(x, _)| x));
            cuda::segment_backward(dy, &offsets, segments.rows(), reduce, places, x)
        }
        Device::Cpu => with_element!("segment", dy, T => {
            let (dy, offsets) = (view::<T>(dy)?, segments.offsets().host());
            let values = match (places, saved) {
                (Some(places), _) => read(places, |places| kernel::extreme_backward::<T>(&dy, places, width, offsets))?,
                (_, Some((x, std))) => {
                    kernel::std_backward::<T>(&dy, &view::<T>(x)?, &view::<T>(std)?, width, offsets)
                }
                _ => kernel::sum_backward(&dy, width, offsets, reduce == Reduce::Mean),
            };
            from_values(values, (segments.rows(), width))
        }),
        other => no_kernel("segment", other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_bits, doubles, goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    const STD: Reduce = Reduce::Std { eps: 1e-5 };
    const ALL: [Reduce; 5] = [Reduce::Sum, Reduce::Mean, Reduce::Max, Reduce::Min, STD];

    fn runs(offsets: &[u32]) -> Segments {
        Segments::new(offsets.to_vec(), &Device::Cpu).unwrap()
    }

    fn reduced(values: &[f64], offsets: &[u32], reduce: Reduce) -> Vec<f64> {
        let mut tape = Tape::inference();
        let x = tape.input(from_values(values.to_vec(), (values.len(), 1)).unwrap());
        doubles(segment(&mut tape, &x, &runs(offsets), reduce).unwrap().tensor())
    }

    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        for case in goldens("segment") {
            let reduce = match case.options["reduce"].as_str().unwrap() {
                "sum" => Reduce::Sum,
                "mean" => Reduce::Mean,
                "max" => Reduce::Max,
                "min" => Reduce::Min,
                _ => STD,
            };
            let segments = runs(&case.list("offsets"));
            case.check(|tape, x| segment(tape, &x[0], &segments, reduce));
        }
    }

    #[test]
    fn aggregators_of_an_atom_are_those_of_the_reference() {
        // Neighbour messages 1, 2, 4; then one neighbour; then none.
        let (values, offsets) = ([1.0, 2.0, 4.0, 5.0], [0, 3, 4, 4]);
        let expected = [
            (Reduce::Mean, [2.333333, 5.0, 0.0]),
            (Reduce::Max, [4.0, 5.0, 0.0]),
            (Reduce::Min, [1.0, 5.0, 0.0]),
            (STD, [1.247223, 0.003162, 0.0]),
        ];
        for (reduce, expected) in expected {
            for (got, expected) in reduced(&values, &offsets, reduce).into_iter().zip(expected) {
                assert!((got - expected).abs() < 1e-6, "{reduce:?}: {got} instead of {expected}");
            }
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let segments = runs(&[0, 0, 4, 5, 11, 11, 13]);
        let x = normal(1, &[13, 5]).unwrap();
        for reduce in ALL {
            // A segment of one row has a clamped variance: no gradient, and finite differences
            // see only the rounding of the variance, so its row is left out.
            if let Reduce::Std { .. } = reduce {
                let segments = runs(&[0, 0, 4, 6, 11, 11, 13]);
                assert_gradients(std::slice::from_ref(&x), |tape, x| segment(tape, &x[0], &segments, reduce));
            } else {
                assert_gradients(std::slice::from_ref(&x), |tape, x| segment(tape, &x[0], &segments, reduce));
            }
        }
    }

    #[test]
    fn not_a_number_wins_and_only_its_column_suffers() {
        let values = [1.0, f64::NAN, 3.0];
        assert!(reduced(&values, &[0, 3], Reduce::Max)[0].is_nan());
        assert!(reduced(&values, &[0, 3], Reduce::Min)[0].is_nan());
        assert_eq!(reduced(&values, &[0, 1, 2, 3], Reduce::Max)[2], 3.0);
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let mut stream = bench_core::seed::Seed(4).stream();
        let mut offsets = vec![0u32];
        while offsets.len() < 900 {
            offsets.push(offsets[offsets.len() - 1] + stream.below(6) as u32);
        }
        let x = [singles(1, &[offsets[899] as usize, 40])];
        for reduce in ALL {
            assert_same_bits(&x, |tape, x| segment(tape, &x[0], &runs(&offsets), reduce));
        }
    }

    #[test]
    fn wrong_borders_and_shapes_are_refused() {
        for offsets in [vec![], vec![1, 2], vec![0, 3, 2]] {
            assert!(Segments::new(offsets, &Device::Cpu).is_err());
        }
        let mut tape = Tape::inference();
        let x = tape.input(singles(1, &[4, 3]));
        assert!(segment(&mut tape, &x, &runs(&[0, 5]), Reduce::Sum).is_err());
        let none = tape.input(singles(1, &[0, 3]));
        assert_eq!(segment(&mut tape, &none, &runs(&[0]), Reduce::Sum).unwrap().dims(), [0, 3]);
        assert_eq!(segment(&mut tape, &none, &runs(&[0, 0]), Reduce::Max).unwrap().dims(), [1, 3]);
    }
}
