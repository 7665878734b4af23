//! Rows times a weight matrix.
//!
//! What: `y = x w^T + b` of tables `x (rows, inputs)`; `dx = dy w`, `dw = dy^T x`, `db` the sum of the
//! rows of `dy`. Leading dimensions of `x` are kept.
//! On the CPU through [`crate::cpu::gemm`], on CUDA devices through cuBLAS.
//! Reference: `torch.nn.functional.linear`.

use candle_core::{Device, Tensor};

use super::shape::{no_kernel, table};
use crate::cpu::gemm;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Error, Precision, Result, Tape, Value, from_values, view};

/// `x (.., inputs)` times the transpose of `weight (outputs, inputs)`, plus `bias (outputs)`:
/// `(.., outputs)`. Gradients that nobody needs are not computed.
pub fn linear(tape: &mut Tape, x: &Value, weight: &Value, bias: Option<&Value>) -> Result<Value> {
    let sizes = sizes(x.tensor(), weight.tensor(), bias.map(Value::tensor))?;
    let tf32 = tape.precision() == Precision::Tf32;
    let (input, matrix) = (x.tensor().contiguous()?, weight.tensor().contiguous()?);
    let bias_values = bias.map(|bias| bias.tensor().contiguous()).transpose()?;
    let output = forward(&input, &matrix, bias_values.as_ref(), sizes, tf32)?;
    let needs = [x.requires_grad(), weight.requires_grad(), bias.is_some_and(Value::requires_grad)];
    let inputs: Vec<&Value> = [x, weight].into_iter().chain(bias).collect();
    Ok(tape.record(&inputs, output, move |dy| {
        let dy = dy.contiguous()?;
        let mut gradients = vec![None, None];
        if needs[0] {
            gradients[0] = Some(backward_input(&dy, &matrix, sizes, input.dims(), tf32)?);
        }
        if needs[1] {
            gradients[1] = Some(backward_weight(&dy, &input, sizes, tf32)?);
        }
        if let Some(bias) = &bias_values {
            gradients.push(if needs[2] { Some(backward_bias(&dy, bias, sizes)?) } else { None });
        }
        Ok(gradients)
    }))
}

/// Rows, outputs, inputs.
fn sizes(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<[usize; 3]> {
    let (rows, width) = table("linear", x)?;
    let &[outputs, inputs] = weight.dims() else {
        return Err(Error::shape("linear", "a weight (outputs, inputs)", weight.dims()));
    };
    if inputs != width || outputs == 0 {
        return Err(Error::shape("linear", format!("a weight (outputs, {width})"), weight.dims()));
    }
    if let Some(bias) = bias.filter(|bias| bias.dims() != [outputs]) {
        return Err(Error::shape("linear", format!("a bias ({outputs})"), bias.dims()));
    }
    if x.dtype() != weight.dtype() || bias.is_some_and(|bias| bias.device().is_cpu() && bias.dtype() != x.dtype()) {
        return Err(Error::unsupported("linear", format!("{:?} with weights in {:?}", x.dtype(), weight.dtype())));
    }
    Ok([rows, outputs, inputs])
}

fn with_last(dims: &[usize], last: usize) -> Vec<usize> {
    let mut dims = dims.to_vec();
    if let Some(width) = dims.last_mut() {
        *width = last;
    }
    dims
}

#[cfg_attr(not(feature = "cuda"), allow(unused_variables))]
fn forward(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, sizes: [usize; 3], tf32: bool) -> Result<Tensor> {
    let [rows, outputs, inputs] = sizes;
    let dims = with_last(x.dims(), outputs);
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => {
            let y = cuda::linear_forward(x, weight, sizes, &dims, tf32)?;
            if let Some(bias) = bias {
                cuda::add_bias(&y, bias)?;
            }
            Ok(y)
        }
        Device::Cpu => with_element!("linear", x, T => {
            let mut y = gemm::matmul_nt(&view::<T>(x)?, &view::<T>(weight)?, rows, inputs, outputs);
            if let Some(bias) = bias {
                gemm::add_to_rows(&mut y, &view::<T>(bias)?);
            }
            from_values(y, dims)
        }),
        other => no_kernel("linear", other),
    }
}

#[cfg_attr(not(feature = "cuda"), allow(unused_variables))]
fn backward_input(dy: &Tensor, weight: &Tensor, sizes: [usize; 3], dims: &[usize], tf32: bool) -> Result<Tensor> {
    let [rows, outputs, inputs] = sizes;
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::linear_backward_input(dy, weight, sizes, dims, tf32),
        Device::Cpu => with_element!("linear", dy, T => {
            from_values(gemm::matmul(&view::<T>(dy)?, &view::<T>(weight)?, rows, outputs, inputs), dims)
        }),
        other => no_kernel("linear", other),
    }
}

#[cfg_attr(not(feature = "cuda"), allow(unused_variables))]
fn backward_weight(dy: &Tensor, x: &Tensor, sizes: [usize; 3], tf32: bool) -> Result<Tensor> {
    let [rows, outputs, inputs] = sizes;
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::linear_backward_weight(dy, x, sizes, &[outputs, inputs], tf32),
        Device::Cpu => with_element!("linear", dy, T => {
            from_values(gemm::matmul_tn(&view::<T>(dy)?, &view::<T>(x)?, outputs, rows, inputs), (outputs, inputs))
        }),
        other => no_kernel("linear", other),
    }
}

#[cfg_attr(not(feature = "cuda"), allow(unused_variables))]
fn backward_bias(dy: &Tensor, bias: &Tensor, [_, outputs, _]: [usize; 3]) -> Result<Tensor> {
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::column_sum(dy, bias.dtype()),
        Device::Cpu => with_element!("linear", dy, T => {
            from_values(gemm::sum_rows(&view::<T>(dy)?, outputs), outputs)
        }),
        other => no_kernel("linear", other),
    }
}

#[cfg(test)]
mod tests {
    use bench_core::seed::Seed;

    use super::super::testing::{assert_same_bits, conv_goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        for case in conv_goldens("linear") {
            case.check(|tape, x| linear(tape, &x[0], &x[1], x.get(2)));
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let inputs = [normal(1, &[7, 5]).unwrap(), normal(2, &[3, 5]).unwrap(), normal(3, &[3]).unwrap()];
        assert_gradients(&inputs, |tape, x| linear(tape, &x[0], &x[1], Some(&x[2])));
        assert_gradients(&inputs[..2], |tape, x| linear(tape, &x[0], &x[1], None));
    }

    #[test]
    fn bits_do_not_depend_on_the_thread_count() {
        let inputs = [singles(1, &[3001, 70]), singles(2, &[35, 70]), singles(3, &[35])];
        assert_same_bits(&inputs, |tape, x| linear(tape, &x[0], &x[1], Some(&x[2])));
        let inputs = [singles(1, &[300, 192]), singles(2, &[330, 192]), singles(3, &[330])];
        assert_same_bits(&inputs, |tape, x| linear(tape, &x[0], &x[1], Some(&x[2])));
    }

    #[test]
    fn only_gradients_that_are_needed_are_computed_and_leading_dimensions_stay() {
        let mut tape = Tape::training(Seed(0));
        let x = tape.constant(normal(1, &[2, 3, 4]).unwrap());
        let weight = tape.constant(normal(2, &[5, 4]).unwrap());
        let bias = tape.input(normal(3, &[5]).unwrap());
        let y = linear(&mut tape, &x, &weight, Some(&bias)).unwrap();
        assert_eq!(y.dims(), [2, 3, 5]);
        let dy = normal(4, y.dims()).unwrap();
        let sums = dy.sum((0, 1)).unwrap().to_vec1::<f64>().unwrap();
        let gradients = tape.backward(&[(&y, dy)]).unwrap();
        assert!(gradients.of(&x).is_none() && gradients.of(&weight).is_none());
        let got = gradients.of(&bias).unwrap().to_vec1::<f64>().unwrap();
        assert!(got.iter().zip(&sums).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn no_rows_give_no_rows_and_no_gradient() {
        let mut tape = Tape::training(Seed(0));
        let (x, weight) = (tape.input(normal(1, &[0, 4]).unwrap()), tape.input(normal(2, &[5, 4]).unwrap()));
        let bias = tape.input(normal(3, &[5]).unwrap());
        let y = linear(&mut tape, &x, &weight, Some(&bias)).unwrap();
        let dy = normal(4, y.dims()).unwrap();
        let gradients = tape.backward(&[(&y, dy)]).unwrap();
        assert_eq!(gradients.of(&x).unwrap().dims(), [0, 4]);
        let dweight = gradients.of(&weight).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(dweight, [0.0; 20]);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let mut tape = Tape::inference();
        for (x, w, b) in [
            (&[2, 3][..], &[4, 2][..], &[4][..]),
            (&[2, 3], &[4, 3, 1], &[4]),
            (&[2, 3], &[4, 3], &[3]),
            (&[2, 0], &[4, 0], &[4]),
            (&[2, 3], &[0, 3], &[0]),
        ] {
            let [x, w, b] = [x, w, b].map(|dims| tape.constant(normal(1, dims).unwrap()));
            let result = linear(&mut tape, &x, &w, Some(&b));
            assert!(matches!(result, Err(Error::Shape { op: "linear", .. })), "{:?} {:?}", x.dims(), w.dims());
        }
    }
}
