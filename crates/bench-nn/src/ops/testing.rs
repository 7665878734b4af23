//! What the tests of operations share: PyTorch's values, and runs on several thread counts.

use std::collections::BTreeMap;

use bench_core::seed::Seed;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use crate::{Gradients, Result, Tape, Value, view};

/// A tensor in a golden file.
#[derive(Deserialize)]
pub(crate) struct Packed {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Packed {
    pub(crate) fn tensor(&self, dtype: DType) -> Tensor {
        let tensor = Tensor::from_vec(self.values.clone(), self.shape.as_slice(), &Device::Cpu).unwrap();
        tensor.to_dtype(dtype).unwrap()
    }
}

/// One operation on one input, with PyTorch's output and gradients.
#[derive(Deserialize)]
pub(crate) struct Case {
    name: String,
    pub(crate) options: serde_json::Value,
    pub(crate) inputs: Vec<Packed>,
    output: Packed,
    weights: Packed,
    gradients: Vec<Packed>,
    extra: BTreeMap<String, Packed>,
}

#[derive(Deserialize)]
struct File {
    tolerance: BTreeMap<String, f64>,
    cases: Vec<Case>,
}

/// The cases of an operation in `tests/goldens/nn_ops.json`.
pub(crate) fn goldens(name: &str) -> Vec<Case> {
    cases(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/nn_ops.json")), name)
}

/// The cases of an operation in `tests/goldens/nn_conv.json`.
pub(crate) fn conv_goldens(name: &str) -> Vec<Case> {
    cases(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/nn_conv.json")), name)
}

fn cases(text: &str, name: &str) -> Vec<Case> {
    let file: File = serde_json::from_str(text).unwrap();
    assert_eq!((file.tolerance["f64"], file.tolerance["f32"]), (tolerance(DType::F64), tolerance(DType::F32)));
    let cases: Vec<Case> = file.cases.into_iter().filter(|case| case.name == name).collect();
    assert!(!cases.is_empty(), "no golden of {name}");
    cases
}

fn tolerance(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-12 } else { 1e-5 }
}

impl Case {
    /// A whole number among the options.
    pub(crate) fn number(&self, name: &str) -> usize {
        self.options[name].as_u64().unwrap() as usize
    }

    /// A switch among the options.
    pub(crate) fn switch(&self, name: &str) -> bool {
        self.options[name].as_bool().unwrap()
    }

    /// A list of whole numbers among the options.
    pub(crate) fn list(&self, name: &str) -> Vec<u32> {
        serde_json::from_value(self.options[name].clone()).unwrap()
    }

    /// Compares the output and all gradients of a function of the inputs, in both types.
    pub(crate) fn check(&self, f: impl Fn(&mut Tape, &[Value]) -> Result<Value>) {
        for dtype in [DType::F64, DType::F32] {
            let mut tape = Tape::training(Seed(0));
            let inputs: Vec<Value> = self.inputs.iter().map(|input| tape.input(input.tensor(dtype))).collect();
            let output = f(&mut tape, &inputs).unwrap();
            let gradients = self.finish(tape, &output, dtype);
            for (index, input) in inputs.iter().enumerate() {
                self.gradient(index, gradients.of(input).unwrap());
            }
        }
    }

    /// Compares the output and runs the tape back from the stored weights.
    pub(crate) fn finish(&self, tape: Tape, output: &Value, dtype: DType) -> Gradients {
        assert_eq!(output.tensor().dtype(), dtype);
        self.close("output", output.tensor(), &self.output);
        tape.backward(&[(output, self.weights.tensor(dtype))]).unwrap()
    }

    pub(crate) fn gradient(&self, index: usize, got: &Tensor) {
        self.close(&format!("gradient {index}"), got, &self.gradients[index]);
    }

    pub(crate) fn extra(&self, name: &str, got: &Tensor) {
        self.close(name, got, &self.extra[name]);
    }

    fn close(&self, what: &str, got: &Tensor, expected: &Packed) {
        assert_eq!(got.dims(), expected.shape, "{} {} {what}", self.name, self.options);
        let got_values = doubles(got);
        let scale = expected.values.iter().fold(1.0f64, |scale, v| scale.max(v.abs()));
        for (index, (got_value, expected)) in got_values.iter().zip(&expected.values).enumerate() {
            let difference = (got_value - expected).abs();
            assert!(
                difference <= tolerance(got.dtype()) * scale,
                "{} {} {what} at {index}: {got_value} instead of {expected}",
                self.name,
                self.options
            );
        }
    }
}

/// The numbers of a tensor, as doubles.
pub(crate) fn doubles(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()
}

/// Normal numbers in single precision.
pub(crate) fn singles(seed: u64, shape: &[usize]) -> Tensor {
    crate::check::normal(seed, shape).unwrap().to_dtype(DType::F32).unwrap()
}

/// Asserts that `f` of the inputs and its gradients have the same bits on one, two and three threads.
pub(crate) fn assert_same_bits(inputs: &[Tensor], f: impl Fn(&mut Tape, &[Value]) -> Result<Value> + Sync) {
    assert_same_numbers(|| {
        let mut tape = Tape::training(Seed(3));
        let values: Vec<Value> = inputs.iter().map(|input| tape.input(input.clone())).collect();
        let output = f(&mut tape, &values).unwrap();
        let weights = singles(99, output.dims());
        let gradients = tape.backward(&[(&output, weights)]).unwrap();
        let mut tensors = vec![output.tensor().clone()];
        tensors.extend(values.iter().filter_map(|value| gradients.of(value).cloned()));
        assert_eq!(tensors.len(), inputs.len() + 1);
        tensors
    });
}

/// Asserts that `run` gives single-precision tensors of the same bits on one, two and three threads.
pub(crate) fn assert_same_numbers(run: impl Fn() -> Vec<Tensor> + Sync) {
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let tensors = pool.install(&run);
        let bits = |tensor: &Tensor| view::<f32>(tensor).unwrap().iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
        tensors.iter().map(bits).collect::<Vec<Vec<u32>>>()
    };
    let one = bits(1);
    assert!(one.iter().any(|tensor| tensor.len() > crate::cpu::BLOCK), "an input of one block tests nothing");
    for threads in [2, 3] {
        assert!(bits(threads) == one, "{threads} threads give other bits than one");
    }
}
