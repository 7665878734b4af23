//! All checks and timings that need a GPU, in one command:
//!
//!     cargo run --release -p bench-models --features cuda --example gpu_checks -- --out benchmarks/speed/gpu.md
//!
//! First every operation and a residual network on the device against the CPU, forward and
//! backward, in each precision; then seconds of the operations and of training steps, and the
//! memory that they take. Prints what it finds and writes it to the file. Without a device it says
//! so, runs nothing and succeeds. Exit code 1 if a check fails.
//! `benchmarks/speed/torch_nets.py --device cuda --amp` times PyTorch on the same networks.

#[cfg(feature = "cuda")]
mod checks {
    use std::error::Error;
    use std::fmt::Write;
    use std::time::Instant;

    use bench_core::Seed;
    use bench_models::encoders::{ImageEncoder, ResNet, ResNetConfig};
    use bench_nn::cuda::{self, checks, take_peak_memory};
    use bench_nn::ops::{self, BatchNorm, ConvOptions};
    use bench_nn::optim::{AdamW, AdamWOptions, clip_gradient_norm};
    use bench_nn::{Builder, DeviceChoice, Precision, Tape, check};
    use candle_core::{DType, Device, Tensor};

    type Result<T> = std::result::Result<T, Box<dyn Error>>;

    const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Tf32, Precision::Bf16];
    const CHANNELS: usize = 5;

    /// What goes to the file.
    struct Report {
        text: String,
        failures: usize,
    }

    impl Report {
        fn line(&mut self, line: &str) {
            println!("{line}");
            let _ = writeln!(self.text, "{line}"); // Writing to a string cannot fail.
        }

        /// What stands in a row's last column; counts failures.
        fn verdict(&mut self, passed: bool) -> &'static str {
            self.failures += usize::from(!passed);
            if passed { "" } else { "FAILED" }
        }
    }

    /// Runs everything; the exit code.
    pub(crate) fn run(arguments: &[String]) -> Result<u8> {
        let out = match arguments {
            [] => None,
            [flag, path] if flag == "--out" => Some(path),
            _ => return Err("usage: gpu_checks [--out FILE]".into()),
        };
        let selected = DeviceChoice::Auto.select()?;
        if let Some(notice) = selected.notice {
            eprintln!("{notice}");
            println!("no device, nothing ran");
            return Ok(0);
        }
        let device = selected.device;
        let mut report = Report { text: String::new(), failures: 0 };
        report.line(&format!("# On a CUDA device\n\nDevice: {}. Made by `gpu_checks`.", cuda::name(&device)?));
        operations(&mut report, &device)?;
        networks(&mut report, &device)?;
        time_convolutions(&mut report, &device)?;
        time_memory_bound(&mut report, &device)?;
        time_training(&mut report, &device)?;
        report.line(&format!("\n{} checks failed.", report.failures));
        if let Some(path) = out {
            std::fs::write(path, &report.text)?;
        }
        Ok(u8::from(report.failures > 0))
    }

    fn operations(report: &mut Report, device: &Device) -> Result<()> {
        report.line("\n## Operations against the CPU\n\n| operation | precision | difference | in | limit |  |");
        report.line("| --- | --- | --- | --- | --- | --- |");
        for case in checks::cases() {
            for &precision in case.precisions() {
                let outcome = case.compare(device, precision)?;
                let verdict = report.verdict(outcome.passed());
                report.line(&format!(
                    "| {} | {precision:?} | {:.1e} | {} | {:.0e} | {verdict} |",
                    outcome.case, outcome.worst, outcome.tensor, outcome.tolerance
                ));
            }
        }
        Ok(())
    }

    /// Output and parameter gradients of a small residual network.
    fn networks(report: &mut Report, device: &Device) -> Result<()> {
        report.line("\n## A residual network against the CPU\n\n| precision | output | gradients | limit |  |");
        report.line("| --- | --- | --- | --- | --- |");
        let expected = network(&Device::Cpu, Precision::F32)?;
        for precision in PRECISIONS {
            let got = network(device, precision)?;
            let differences: Vec<f64> = got.iter().zip(&expected).map(|(got, expected)| apart(got, expected)).collect();
            let (output, gradients) = (differences[0], differences[1..].iter().copied().fold(0.0, f64::max));
            // Nine layers deep, and masks of ReLUs differ where a sum is near zero.
            let limit = match precision {
                Precision::F32 => 1e-3,
                Precision::Tf32 => 5e-2,
                Precision::Bf16 => 0.25,
            };
            let verdict = report.verdict(got.len() == expected.len() && output <= limit && gradients <= limit);
            report.line(&format!("| {precision:?} | {output:.1e} | {gradients:.1e} | {limit:.0e} | {verdict} |"));
        }
        Ok(())
    }

    /// The output, then the gradient of each parameter.
    fn network(device: &Device, precision: Precision) -> Result<Vec<Vec<f64>>> {
        let builder = Builder::new(Seed(3), DType::F32, device);
        let net = ResNet::new(&builder, &ResNetConfig::tiny(), CHANNELS)?;
        let mut tape = Tape::training(Seed(4)).with_precision(precision);
        let images = check::normal(5, &[6, 32, 32, CHANNELS])?.to_dtype(DType::F32)?.to_device(device)?;
        let images = tape.constant(images);
        let output = net.forward(&mut tape, &images)?;
        let slope = check::normal(6, output.dims())?.to_dtype(output.tensor().dtype())?.to_device(device)?;
        let gradients = tape.backward(&[(&output, slope)])?;
        let mut tensors = vec![output.tensor().clone()];
        tensors.extend(builder.finish().trainable().filter_map(|param| gradients.param(param).cloned()));
        let numbers = |tensor: &Tensor| -> Result<Vec<f64>> {
            Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
        };
        tensors.iter().map(numbers).collect()
    }

    /// Length of the difference relative to the length of what was expected.
    fn apart(got: &[f64], expected: &[f64]) -> f64 {
        let length = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>().sqrt();
        let difference = length(&mut got.iter().zip(expected).map(|(a, b)| a - b));
        let scale = length(&mut expected.iter().copied()).max(1e-30);
        if difference.is_nan() || got.len() != expected.len() { f64::INFINITY } else { difference / scale }
    }

    /// Mean seconds of `run` over `times` calls, after three that do not count.
    fn seconds(device: &Device, times: usize, mut run: impl FnMut() -> Result<()>) -> Result<f64> {
        for _ in 0..3 {
            run()?;
        }
        device.synchronize()?;
        let start = Instant::now();
        for _ in 0..times {
            run()?;
        }
        device.synchronize()?;
        Ok(start.elapsed().as_secs_f64() / times as f64)
    }

    const IMAGES: usize = 64;

    /// Layers of a ResNet34 on images of 512 pixels: forward, and with both gradients.
    fn time_convolutions(report: &mut Report, device: &Device) -> Result<()> {
        report.line(&format!("\n## Convolutions, {IMAGES} images\n"));
        report.line("| layer | precision | forward, ms | TFLOP/s | forward and backward, ms | TFLOP/s |");
        report.line("| --- | --- | --- | --- | --- | --- |");
        // Size, channels in and out, kernel, stride.
        let layers = [
            (512, CHANNELS, 64, 7, 2),
            (128, 64, 64, 3, 1),
            (128, 64, 128, 3, 2),
            (128, 64, 128, 1, 2),
            (64, 128, 128, 3, 1),
            (32, 256, 256, 3, 1),
            (16, 512, 512, 3, 1),
        ];
        for (size, inputs, outputs, kernel, stride) in layers {
            for precision in PRECISIONS {
                let dtype = if precision == Precision::Bf16 { DType::BF16 } else { DType::F32 };
                let make =
                    |dims: &[usize]| -> Result<Tensor> { Ok(Tensor::randn(0f32, 1.0, dims, device)?.to_dtype(dtype)?) };
                let (x, w) = (make(&[IMAGES, size, size, inputs])?, make(&[outputs, kernel, kernel, inputs])?);
                let options = ConvOptions { stride, padding: kernel / 2 };
                // Gradients of images are not needed in the first layer.
                let first = inputs == CHANNELS;
                let run = |backward: bool| -> Result<usize> {
                    let mut tape = Tape::training(Seed(0)).with_precision(precision).recording(backward);
                    let x = if first { tape.constant(x.clone()) } else { tape.input(x.clone()) };
                    let w = tape.input(w.clone());
                    let y = ops::conv2d(&mut tape, &x, &w, options)?;
                    if backward {
                        tape.backward(&[(&y, y.tensor().clone())])?;
                    }
                    Ok(y.tensor().elem_count())
                };
                let flops = 2.0 * (run(false)? * kernel * kernel * inputs) as f64;
                let forward = seconds(device, 10, || run(false).map(drop))?;
                let both = seconds(device, 10, || run(true).map(drop))?;
                let passes = if first { 2.0 } else { 3.0 };
                report.line(&format!(
                    "| {kernel} by {kernel}, {inputs} to {outputs}, {size} px, stride {stride} | {precision:?} | {:.3} | {:.1} | {:.3} | {:.1} |",
                    forward * 1e3,
                    flops / forward / 1e12,
                    both * 1e3,
                    passes * flops / both / 1e12
                ));
            }
        }
        Ok(())
    }

    /// Operations whose time is that of the memory; the least number of passes over it counts.
    fn time_memory_bound(report: &mut Report, device: &Device) -> Result<()> {
        report.line(&format!("\n## Normalisation and pooling, {IMAGES} images of 128 pixels and 64 channels\n"));
        report.line("| operation | type | forward, ms | GB/s | forward and backward, ms | GB/s |");
        report.line("| --- | --- | --- | --- | --- | --- |");
        for dtype in [DType::F32, DType::BF16] {
            let x = Tensor::randn(0f32, 1.0, (IMAGES, 128, 128, 64), device)?.to_dtype(dtype)?;
            let bytes = (x.elem_count() * dtype.size_in_bytes()) as f64;
            let norm = BatchNorm::new(&Builder::new(Seed(1), DType::F32, device), 64, 0.1)?;
            let cases = [
                ("batch norm + relu", 3.0, 8.0),
                ("batch norm + residual + relu", 4.0, 12.0),
                ("max-pool 3 by 3", 1.25, 2.5),
            ];
            for (name, forward_passes, all_passes) in cases {
                let run = |backward: bool| -> Result<()> {
                    let mut tape = Tape::training(Seed(0)).recording(backward);
                    let input = tape.input(x.clone());
                    let y = match name {
                        "batch norm + relu" => ops::batch_norm(&mut tape, &input, &norm, None, true)?,
                        "max-pool 3 by 3" => ops::max_pool(&mut tape, &input, 3, 2, 1)?,
                        _ => ops::batch_norm(&mut tape, &input, &norm, Some(&input), true)?,
                    };
                    if backward {
                        tape.backward(&[(&y, y.tensor().clone())])?;
                    }
                    Ok(())
                };
                let forward = seconds(device, 20, || run(false))?;
                let both = seconds(device, 20, || run(true))?;
                report.line(&format!(
                    "| {name} | {dtype:?} | {:.3} | {:.0} | {:.3} | {:.0} |",
                    forward * 1e3,
                    forward_passes * bytes / forward / 1e9,
                    both * 1e3,
                    all_passes * bytes / both / 1e9
                ));
            }
        }
        Ok(())
    }

    /// Steps of residual networks: forward, backward, clipping, AdamW.
    fn time_training(report: &mut Report, device: &Device) -> Result<()> {
        report.line("\n## Training on images of 512 pixels and five channels\n");
        report.line("| network | images | precision | step, ms | images/s | memory, GiB |");
        report.line("| --- | --- | --- | --- | --- | --- |");
        let (small, large) = (ResNetConfig::resnet18(), ResNetConfig::resnet34());
        let mut rows = vec![];
        for precision in PRECISIONS {
            rows.extend([("ResNet18", &small, 64, precision), ("ResNet34", &large, 64, precision)]);
        }
        // The paper's batches: 64 compounds in three views, and 384 images.
        rows.extend([192, 384].map(|images| ("ResNet34", &large, images, Precision::Bf16)));
        for (name, config, images, precision) in rows {
            take_peak_memory(device)?;
            let cells = match step_seconds(device, config, images, precision) {
                Ok(step) => {
                    let gib = |bytes: u64| format!("{:.1}", bytes as f64 / (1u64 << 30) as f64);
                    let memory = take_peak_memory(device)?.map_or("unknown".to_string(), gib);
                    format!("{:.1} | {:.0} | {memory}", step * 1e3, images as f64 / step)
                }
                // Too little memory, most likely; the other rows are worth having.
                Err(error) => format!("failed: {error} | |"),
            };
            report.line(&format!("| {name} | {images} | {precision:?} | {cells} |"));
        }
        Ok(())
    }

    fn step_seconds(device: &Device, config: &ResNetConfig, images: usize, precision: Precision) -> Result<f64> {
        let builder = Builder::new(Seed(1), DType::F32, device);
        let net = ResNet::new(&builder, config, CHANNELS)?;
        let params = builder.finish();
        let mut optimiser = AdamW::new(&params, AdamWOptions { weight_decay: 0.05, ..AdamWOptions::default() })?;
        let pixels = Tensor::randn(0f32, 1.0, (images, 512, 512, CHANNELS), device)?;
        let mut step = 0;
        let seconds = seconds(device, 10, || {
            step += 1;
            let mut tape = Tape::training(Seed(step)).with_precision(precision);
            let pixels = tape.constant(pixels.clone());
            let output = net.forward(&mut tape, &pixels)?;
            let slope = output.tensor().affine(2.0 / output.tensor().elem_count() as f64, 0.0)?;
            let mut gradients = tape.backward(&[(&output, slope)])?;
            clip_gradient_norm(&mut gradients, 1.0)?;
            optimiser.step(&params, &gradients, 1e-4)?;
            Ok(())
        })?;
        if optimiser.skipped()? > 0 {
            return Err("a gradient was not finite".into());
        }
        Ok(seconds)
    }
}

#[cfg(feature = "cuda")]
fn main() -> Result<std::process::ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Ok(std::process::ExitCode::from(checks::run(&arguments)?))
}

#[cfg(not(feature = "cuda"))]
fn main() -> Result<(), bench_nn::Error> {
    if let Some(notice) = bench_nn::DeviceChoice::Auto.select()?.notice {
        eprintln!("{notice}");
    }
    println!("no device, nothing ran");
    Ok(())
}
