//! Every operation on a device against the same operation on the CPU.
//!
//! What: each case runs a function of random inputs forward and back, once on the CPU in `f32` and
//! once on the device in each precision, and compares the outputs, the gradients of inputs and
//! parameters, and the parameters themselves (running statistics, optimiser steps).
//! Inputs are rounded to bfloat16 beforehand, so that all precisions start from the same numbers.
//! Where it fits: `examples/gpu_checks.rs` runs all cases on a device; the unit tests run them there
//! if there is one, and always on the emulator (products through cuBLAS and cuDNN excepted).

use bench_core::seed::Seed;
use candle_core::{DType, Device, Tensor};

use crate::ops::{self, BatchNorm, Codes, ConvOptions, LayerNorm, Reduce, RowIndex, Segments};
use crate::optim::{AdamW, AdamWOptions, DecayRule, Ema, clip_gradient_norm};
use crate::{Builder, Gradients, Init, Precision, Result, Role, Statistics, Tape, Value, check};

/// What a comparison found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The operation.
    pub case: &'static str,
    /// Arithmetic on the device.
    pub precision: Precision,
    /// Largest difference of a number, relative to the largest number of its tensor (or one).
    pub worst: f64,
    /// Which tensor has it.
    pub tensor: String,
    /// Largest difference that is accepted.
    pub tolerance: f64,
}

impl Outcome {
    /// Whether the device agrees.
    pub fn passed(&self) -> bool {
        self.worst <= self.tolerance
    }
}

/// Where a case runs.
struct Site<'a> {
    device: &'a Device,
    precision: Precision,
    /// Type of activations.
    dtype: DType,
}

type Results = Vec<(String, Tensor)>;
type Run = Box<dyn Fn(&Site<'_>) -> Result<Results>>;

/// One operation.
pub struct Case {
    name: &'static str,
    /// Made of products, which tensor cores can shorten.
    product: bool,
    run: Run,
}

impl Site<'_> {
    /// Random numbers, the same everywhere.
    fn numbers(&self, seed: u64, dims: &[usize]) -> Result<Tensor> {
        self.numbers_about(0.0, seed, dims)
    }

    fn numbers_about(&self, mean: f64, seed: u64, dims: &[usize]) -> Result<Tensor> {
        let rounded = check::normal(seed, dims)?.affine(1.0, mean)?.to_dtype(DType::BF16)?;
        Ok(rounded.to_dtype(self.dtype)?.to_device(self.device)?)
    }
}

/// A case that runs `f` on inputs of the shapes `dims`; layers are built with the builder.
fn case(
    name: &'static str,
    dims: &'static [&'static [usize]],
    f: impl Fn(&Site<'_>, &Builder, &mut Tape, &[Value]) -> Result<Value> + 'static,
) -> Case {
    let run = move |site: &Site<'_>| {
        let builder = Builder::new(Seed(17), DType::F32, site.device);
        let mut tape = Tape::training(Seed(23)).with_precision(site.precision);
        let mut inputs = vec![];
        for (index, dims) in dims.iter().enumerate() {
            inputs.push(tape.input(site.numbers(index as u64 + 1, dims)?));
        }
        let output = f(site, &builder, &mut tape, &inputs)?;
        let slope = site.numbers(99, output.dims())?.to_dtype(output.tensor().dtype())?;
        let gradients = tape.backward(&[(&output, slope)])?;
        let mut results = vec![("output".to_string(), output.tensor().clone())];
        for (index, input) in inputs.iter().enumerate() {
            if let Some(gradient) = gradients.of(input) {
                results.push((format!("gradient of input {index}"), gradient.clone()));
            }
        }
        for param in builder.finish().iter() {
            results.push((param.name().to_string(), param.tensor().clone()));
            if let Some(gradient) = gradients.param(param) {
                results.push((format!("gradient of {}", param.name()), gradient.clone()));
            }
        }
        Ok(results)
    };
    Case { name, product: false, run: Box::new(run) }
}

/// Offsets of segments with an empty one first, in the middle and last.
const OFFSETS: [u32; 8] = [0, 0, 1, 4, 4, 11, 17, 17];

fn segments(reduce: Reduce, width: &'static [&'static [usize]], name: &'static str) -> Case {
    case(name, width, move |site, _, tape, x| {
        ops::segment(tape, &x[0], &Segments::new(OFFSETS.to_vec(), site.device)?, reduce)
    })
}

fn conv(name: &'static str, dims: &'static [&'static [usize]], stride: usize, padding: usize) -> Case {
    let run = move |_: &Site<'_>, _: &Builder, tape: &mut Tape, x: &[Value]| {
        ops::conv2d(tape, &x[0], &x[1], ConvOptions { stride, padding })
    };
    Case { product: true, ..case(name, dims, run) }
}

/// The weight as a parameter, in the type of the products.
fn linear(name: &'static str, dims: &'static [&'static [usize]], outputs: usize) -> Case {
    let run = move |site: &Site<'_>, builder: &Builder, tape: &mut Tape, x: &[Value]| {
        let inputs = dims[0][dims[0].len() - 1];
        let weight = builder.param("weight", (outputs, inputs), Role::Weight, Init::Normal { std: 0.2 })?;
        let weight = tape.param(&weight);
        let weight = ops::cast(tape, &weight, x[0].tensor().dtype())?;
        let mut bias = tape.param(&builder.param("bias", outputs, Role::Bias, Init::Normal { std: 1.0 })?);
        if site.device.is_cpu() {
            // A device adds biases in single precision to any activations.
            bias = ops::cast(tape, &bias, x[0].tensor().dtype())?;
        }
        ops::linear(tape, &x[0], &weight, Some(&bias))
    };
    Case { product: true, ..case(name, dims, run) }
}

/// Gradients of the images, the residual and all parameters; odd and even numbers of channels.
fn batch_norm(name: &'static str, dims: &'static [&'static [usize]], statistics: Statistics, relu: bool) -> Case {
    let mut case = case(name, dims, |_, _, _, x| Ok(x[0].clone()));
    case.run = Box::new(move |site| {
        let channels = dims[0][dims[0].len() - 1];
        let builder = Builder::new(Seed(17), DType::F32, site.device);
        let layer = BatchNorm::new(&builder, channels, 0.1)?;
        // Away from their starting values.
        let noise = |seed| check::normal(seed, &[channels]);
        layer.gamma.assign(&(noise(31)? * 0.5)?.affine(1.0, 1.0)?)?;
        layer.beta.assign(&noise(32)?)?;
        layer.running_mean.assign(&noise(33)?)?;
        layer.running_var.assign(&noise(34)?.sqr()?.affine(1.0, 0.5)?)?;
        let mut tape = Tape::training(Seed(23)).with_statistics(statistics).with_precision(site.precision);
        // A mean far from zero.
        let x = tape.input(site.numbers_about(3.0, 1, dims[0])?);
        let residual = match dims.get(1) {
            Some(dims) => Some(tape.input(site.numbers(2, dims)?)),
            None => None,
        };
        let y = ops::batch_norm(&mut tape, &x, &layer, residual.as_ref(), relu)?;
        let slope = site.numbers(99, y.dims())?;
        let gradients = tape.backward(&[(&y, slope)])?;
        let mut results = vec![("output".to_string(), y.tensor().clone())];
        for (index, input) in std::iter::once(&x).chain(&residual).enumerate() {
            if let Some(gradient) = gradients.of(input) {
                results.push((format!("gradient of input {index}"), gradient.clone()));
            }
        }
        for param in builder.finish().iter() {
            results.push((param.name().to_string(), param.tensor().clone()));
            if let Some(gradient) = gradients.param(param) {
                results.push((format!("gradient of {}", param.name()), gradient.clone()));
            }
        }
        Ok(results)
    });
    case
}

/// Three AdamW steps behind clipping, one of them with a gradient that is not finite, and a moving
/// average.
fn optimiser() -> Case {
    let run = |site: &Site<'_>| {
        let build = |seed| -> Result<_> {
            let builder = Builder::new(Seed(seed), DType::F32, site.device);
            // More tensors than one list of a launch holds, and one that takes several blocks.
            for index in 0..70 {
                let role = if index % 2 == 0 { Role::Weight } else { Role::Bias };
                let dims = if index == 3 { vec![9, 1001] } else { vec![index + 1] };
                builder.param(&format!("p{index}"), dims, role, Init::Normal { std: 1.0 })?;
            }
            Ok(builder.finish())
        };
        let (params, shadow) = (build(5)?, build(6)?);
        let average = Ema::new(&params, &shadow)?;
        let options = AdamWOptions { weight_decay: 0.1, decay: DecayRule::WeightsOnly, ..AdamWOptions::default() };
        let mut optimiser = AdamW::new(&params, options)?.group(&params, |param| param.index() == 4, 0.5, None);
        let mut results = vec![];
        for step in 0..4u64 {
            let mut gradients = Gradients::default();
            for param in params.iter().filter(|param| param.index() != 7) {
                let dims = param.tensor().dims();
                let mut numbers = check::normal(100 * step + param.index() as u64, dims)?.to_dtype(DType::F32)?;
                if step == 2 && param.index() == 66 {
                    numbers = (numbers * f64::INFINITY)?;
                }
                gradients.set(param.index(), numbers.to_device(site.device)?);
            }
            let most = if step == 0 { 1e9 } else { 2.0 };
            let norm = clip_gradient_norm(&mut gradients, most)?;
            if step != 2 {
                results.push((format!("norm {step}"), Tensor::new(norm.value()?, &Device::Cpu)?));
                let clipped = gradients.at(3).cloned();
                results.extend(clipped.map(|clipped| (format!("clipped {step}"), clipped)));
            }
            optimiser.step(&params, &gradients, 0.01)?;
            average.update(0.9)?;
        }
        results.push(("skipped".to_string(), Tensor::new(f64::from(optimiser.skipped()?), &Device::Cpu)?));
        for param in params.iter().chain(shadow.iter()) {
            results.push((param.name().to_string(), param.tensor().clone()));
        }
        for (name, tensor) in optimiser.state(&params) {
            results.push((name, tensor));
        }
        Ok(results)
    };
    Case { name: "AdamW, clipping, moving average", product: false, run: Box::new(run) }
}

/// All cases.
pub fn cases() -> Vec<Case> {
    // Widths that go in packs of four and widths that do not.
    const ROWS: &[&[usize]] = &[&[13, 40]];
    const ODD: &[&[usize]] = &[&[9, 37]];
    const PAIR: &[&[usize]] = &[&[6, 20], &[6, 20]];
    const ODD_PAIR: &[&[usize]] = &[&[5, 3], &[5, 3]];
    const IMAGES: &[&[usize]] = &[&[2, 9, 7, 8]];
    const ODD_IMAGES: &[&[usize]] = &[&[2, 6, 7, 5]];
    const TABLE: &[&[usize]] = &[&[17, 12]];
    const ODD_TABLE: &[&[usize]] = &[&[17, 7]];
    vec![
        case("add", PAIR, |_, _, tape, x| ops::add(tape, &x[0], &x[1])),
        case("add, odd", ODD_PAIR, |_, _, tape, x| ops::add(tape, &x[0], &x[1])),
        case("add_relu", PAIR, |_, _, tape, x| ops::add_relu(tape, &x[0], &x[1])),
        case("relu", ODD, |_, _, tape, x| ops::relu(tape, &x[0])),
        case("a value used twice", PAIR, |_, _, tape, x| {
            let y = ops::relu(tape, &x[0])?;
            let z = ops::add(tape, &y, &x[1])?;
            ops::add_relu(tape, &z, &y)
        }),
        case("gelu", ROWS, |_, _, tape, x| ops::gelu(tape, &x[0])),
        case("cast", ODD, |_, _, tape, x| {
            let y = ops::cast(tape, &x[0], DType::F32)?;
            ops::relu(tape, &y)
        }),
        case("dropout", ODD, |_, _, tape, x| ops::dropout(tape, &x[0], 0.3)),
        case("dropout of everything", ODD, |_, _, tape, x| ops::dropout(tape, &x[0], 1.0)),
        case("softmax", ROWS, |_, _, tape, x| ops::softmax(tape, &x[0])),
        case("log_softmax", ODD, |_, _, tape, x| ops::log_softmax(tape, &x[0])),
        case("layer_norm", ROWS, |_, builder, tape, x| {
            ops::layer_norm(tape, &x[0], &LayerNorm::new(builder, 40, 1e-5)?)
        }),
        case("layer_norm, odd", ODD, |_, builder, tape, x| {
            ops::layer_norm(tape, &x[0], &LayerNorm::new(builder, 37, 1e-5)?)
        }),
        case("normalize_rows", ROWS, |_, _, tape, x| ops::normalize_rows(tape, &x[0])),
        case("scale_rows", ROWS, |site, _, tape, x| {
            let factors = check::normal(8, &[13])?.to_dtype(DType::F32)?.to_device(site.device)?;
            ops::scale_rows(tape, &x[0], &factors)
        }),
        case("max_pool, 3 by 3, stride 2", IMAGES, |_, _, tape, x| ops::max_pool(tape, &x[0], 3, 2, 1)),
        case("max_pool, 2 by 2, odd", ODD_IMAGES, |_, _, tape, x| ops::max_pool(tape, &x[0], 2, 2, 0)),
        case("max_pool, 4 by 4, stride 1", ODD_IMAGES, |_, _, tape, x| ops::max_pool(tape, &x[0], 4, 1, 2)),
        case("global_average_pool", IMAGES, |_, _, tape, x| ops::global_average_pool(tape, &x[0])),
        case("global_average_pool, odd", ODD_IMAGES, |_, _, tape, x| ops::global_average_pool(tape, &x[0])),
        batch_norm("batch_norm", &[&[3, 12, 11, 8]], Statistics::Batch, false),
        batch_norm("batch_norm, odd", &[&[333, 5]], Statistics::Batch, true),
        batch_norm("batch_norm + relu", &[&[3, 12, 11, 8]], Statistics::BatchWithoutUpdate, true),
        batch_norm("batch_norm + residual", &[&[150, 44], &[150, 44]], Statistics::Batch, false),
        batch_norm("batch_norm + residual + relu", &[&[2, 9, 9, 140], &[2, 9, 9, 140]], Statistics::Batch, true),
        batch_norm("batch_norm, running + residual + relu", &[&[50, 6], &[50, 6]], Statistics::Running, true),
        batch_norm("batch_norm, running", &[&[50, 8]], Statistics::Running, true),
        case("concat", &[&[5, 4], &[5, 8], &[5, 12]], |_, _, tape, x| ops::concat(tape, &[&x[0], &x[1], &x[2]])),
        case("concat, odd", &[&[5, 4], &[5, 3], &[5, 6]], |_, _, tape, x| ops::concat(tape, &[&x[0], &x[1], &x[2]])),
        case("slice", ROWS, |_, _, tape, x| ops::slice(tape, &x[0], 8, 12)),
        case("slice, odd", ROWS, |_, _, tape, x| ops::slice(tape, &x[0], 3, 30)),
        case("gather_rows", TABLE, |site, _, tape, x| {
            let index = vec![3, 3, 0, 16, 5, 3, 9, 9, 1, 2, 3];
            ops::gather_rows(tape, &x[0], &RowIndex::new(index, 17, site.device)?)
        }),
        case("gather_rows, odd and long", ODD_TABLE, |site, _, tape, x| {
            let index = (0..500).map(|i| (i * i + 3) % 17).collect();
            ops::gather_rows(tape, &x[0], &RowIndex::new(index, 17, site.device)?)
        }),
        case("embedding_sum", TABLE, |site, _, tape, x| {
            let codes = (0..60).map(|i| (i * 7 + i / 9) % 16).collect();
            ops::embedding_sum(tape, &x[0], &Codes::new(codes, 3, 17, site.device)?)
        }),
        case("embedding_sum, odd", ODD_TABLE, |site, _, tape, x| {
            let codes = (0..900).map(|i| (i * i) % 5).collect();
            ops::embedding_sum(tape, &x[0], &Codes::new(codes, 9, 17, site.device)?)
        }),
        segments(Reduce::Sum, TABLE, "segment sum"),
        segments(Reduce::Mean, ODD_TABLE, "segment mean"),
        segments(Reduce::Max, TABLE, "segment max"),
        segments(Reduce::Min, ODD_TABLE, "segment min"),
        segments(Reduce::Std { eps: 1e-5 }, TABLE, "segment std"),
        case("segment max of equal rows", TABLE, |site, _, tape, x| {
            let zero = ops::scale_rows(tape, &x[0], &Tensor::zeros(17, DType::F32, site.device)?)?;
            ops::segment(tape, &zero, &Segments::new(OFFSETS.to_vec(), site.device)?, Reduce::Max)
        }),
        conv("conv2d, 3 by 3", &[&[3, 9, 8, 16], &[8, 3, 3, 16]], 1, 1),
        conv("conv2d, 3 by 3, stride 2", &[&[3, 9, 8, 8], &[24, 3, 3, 8]], 2, 1),
        conv("conv2d, stem of five channels", &[&[2, 18, 17, 5], &[16, 7, 7, 5]], 2, 3),
        conv("conv2d, one pixel", &[&[2, 5, 6, 12], &[8, 1, 1, 12]], 1, 0),
        conv("conv2d, one pixel, stride 2", &[&[2, 5, 6, 16], &[8, 1, 1, 16]], 2, 0),
        linear("linear", &[&[11, 20]], 12),
        linear("linear, odd, of images", &[&[2, 3, 4, 7]], 5),
        optimiser(),
    ]
}

fn tolerance(precision: Precision, product: bool) -> f64 {
    match (precision, product) {
        (Precision::F32, _) => 1e-5,
        // Ten bits of mantissa, sums of products of either sign.
        (Precision::Tf32, _) => 3e-3,
        // Eight bits: half a unit in the last place is 2^-9 of a number; sums and their maps more.
        (Precision::Bf16, _) => 2e-2,
    }
}

/// Largest difference, relative to the largest number of the expected tensor or to one.
fn difference(got: &Tensor, expected: &Tensor) -> Result<f64> {
    let numbers = |tensor: &Tensor| -> Result<Vec<f64>> {
        Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
    };
    let (got_numbers, expected_numbers) = (numbers(got)?, numbers(expected)?);
    let scale = expected_numbers.iter().fold(1.0f64, |scale, value| scale.max(value.abs()));
    let worst = got_numbers.iter().zip(&expected_numbers).fold(0.0f64, |worst, (got, expected)| {
        let difference = (got - expected).abs() / scale;
        // Not-a-number must not pass for agreement.
        if difference.is_nan() { f64::INFINITY } else { worst.max(difference) }
    });
    Ok(if got.dims() == expected.dims() { worst } else { f64::INFINITY })
}

impl Case {
    /// The operation.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Precisions in which the device is asked.
    pub fn precisions(&self) -> &'static [Precision] {
        if self.product {
            &[Precision::F32, Precision::Tf32, Precision::Bf16]
        } else {
            &[Precision::F32, Precision::Bf16]
        }
    }

    /// Runs it on both and compares.
    pub fn compare(&self, device: &Device, precision: Precision) -> Result<Outcome> {
        self.compare_with(precision, |site| (self.run)(&Site { device, ..site }))
    }

    fn compare_with<'a>(
        &self,
        precision: Precision,
        on_device: impl Fn(Site<'a>) -> Result<Results>,
    ) -> Result<Outcome> {
        let cpu = &Device::Cpu;
        let expected = (self.run)(&Site { device: cpu, precision: Precision::F32, dtype: DType::F32 })?;
        let dtype = if precision == Precision::Bf16 { DType::BF16 } else { DType::F32 };
        let got = on_device(Site { device: cpu, precision, dtype })?;
        let tolerance = tolerance(precision, self.product);
        let same = got.len() == expected.len();
        let mut outcome = Outcome { case: self.name, precision, worst: 0.0, tensor: String::new(), tolerance };
        for ((name, got), (_, expected)) in got.iter().zip(&expected) {
            let worst = if same { difference(got, expected)? } else { f64::INFINITY };
            if worst >= outcome.worst {
                (outcome.worst, outcome.tensor) = (worst, name.clone());
            }
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::super::emulator::emulated;
    use super::*;
    use crate::DeviceChoice;

    fn failures(outcomes: Vec<Outcome>) -> Vec<Outcome> {
        outcomes.into_iter().filter(|outcome| !outcome.passed()).collect()
    }

    #[test]
    fn the_kernels_agree_with_the_cpu_on_the_emulator() {
        let mut outcomes = vec![];
        for case in cases() {
            for &precision in case.precisions() {
                outcomes.push(case.compare_with(precision, |site| emulated(|| (case.run)(&site))).unwrap());
            }
        }
        let failures = failures(outcomes);
        assert!(failures.is_empty(), "{failures:#?}");
    }

    #[test]
    fn a_device_agrees_with_the_cpu() {
        let Ok(selected) = DeviceChoice::Cuda(0).select() else {
            eprintln!("skipped: there is no CUDA device, so nothing was compared on one");
            return;
        };
        let mut outcomes = vec![];
        for case in cases() {
            for &precision in case.precisions() {
                outcomes.push(case.compare(&selected.device, precision).unwrap());
            }
        }
        let failures = failures(outcomes);
        assert!(failures.is_empty(), "{failures:#?}");
    }
}
