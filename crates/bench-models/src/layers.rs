//! Small parts that several encoders are built from.

use bench_nn::ops;
use bench_nn::{Builder, Init, Param, Result, Role, Tape, Value};
use candle_core::Tensor;

/// How the weight of a [`Linear`] starts; biases follow the same convention.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// PyTorch's default: weight and bias uniform in +-1/sqrt(inputs).
    Torch,
    /// Xavier-uniform with gain 1/inputs (very small), bias zero, as 3DInfomax.
    Small,
}

/// `x W' + b` with the parameters `weight` and `bias`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// `[outputs, inputs]`
    pub(crate) weight: Param,
    /// `[outputs]`
    pub(crate) bias: Param,
}

impl Linear {
    pub(crate) fn new(builder: &Builder, inputs: usize, outputs: usize, start: Start) -> Result<Linear> {
        let (weight, bias) = match start {
            Start::Torch => {
                let uniform = Init::Uniform { bound: 1.0 / (inputs as f64).sqrt() };
                (uniform, uniform)
            }
            Start::Small => {
                let gain = 1.0 / inputs as f64;
                (Init::XavierUniform { fan_in: inputs, fan_out: outputs, gain }, Init::Constant(0.0))
            }
        };
        Ok(Linear {
            weight: builder.param("weight", (outputs, inputs), Role::Weight, weight)?,
            bias: builder.param("bias", outputs, Role::Bias, bias)?,
        })
    }

    /// `[rows, inputs] -> [rows, outputs]`
    pub(crate) fn forward(&self, tape: &mut Tape, x: &Value) -> Result<Value> {
        let (weight, bias) = (typed(tape, &self.weight, x)?, typed(tape, &self.bias, x)?);
        ops::linear(tape, x, &weight, Some(&bias))
    }
}

/// A parameter in the type of the activation that it meets: bfloat16 where the activations are.
pub(crate) fn typed(tape: &mut Tape, param: &Param, like: &Value) -> Result<Value> {
    let value = tape.param(param);
    let dtype = like.tensor().dtype();
    if value.tensor().dtype() == dtype { Ok(value) } else { ops::cast(tape, &value, dtype) }
}

/// Tables one below the other, as one table. `[rows_k, d].. -> [sum rows_k, d]`
pub(crate) fn stacked(tape: &mut Tape, tables: &[Param]) -> Result<Value> {
    let parts: Vec<Value> = tables.iter().map(|table| tape.param(table)).collect();
    let tensors: Vec<&Tensor> = parts.iter().map(Value::tensor).collect();
    let output = Tensor::cat(&tensors, 0)?;
    let rows: Vec<usize> = parts.iter().map(|part| part.dims()[0]).collect();
    let inputs: Vec<&Value> = parts.iter().collect();
    Ok(tape.record(&inputs, output, move |dy| {
        let mut start = 0;
        rows.into_iter()
            .map(|count| {
                let part = dy.narrow(0, start, count)?.contiguous()?;
                start += count;
                Ok(Some(part))
            })
            .collect()
    }))
}

/// An embedding table `weight`, Xavier-uniform. `[rows, width]`
pub(crate) fn table(builder: &Builder, rows: usize, width: usize) -> Result<Param> {
    let start = Init::XavierUniform { fan_in: rows, fan_out: width, gain: 1.0 };
    builder.param("weight", (rows, width), Role::Weight, start)
}

/// Embedding tables `{name}.0.weight`, `{name}.1.weight`, .. of `sizes` rows.
pub(crate) fn tables(builder: &Builder, name: &str, sizes: &[usize], width: usize) -> Result<Vec<Param>> {
    let builder = builder.within(name);
    sizes.iter().enumerate().map(|(k, &rows)| table(&builder.within(k), rows, width)).collect()
}
