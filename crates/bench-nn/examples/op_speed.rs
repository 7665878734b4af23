//! Time of the operations that are bound by memory, at the sizes of a ResNet-18 for 32 images of
//! 96 pixels: nanoseconds per number of the input, and bytes moved per second, counting each
//! operand and each output once.
//!
//! The first column is the time on the clock, the second that of the processors, which a busy machine
//! stretches less; rates are those of the first.
//!
//! Run: `cargo run --release -p bench-nn --example op_speed [filter]`

use std::hint::black_box;
use std::time::Instant;

use bench_core::seed::Seed;
use bench_nn::check::normal;
use bench_nn::ops::{self, BatchNorm, Codes, LayerNorm, Reduce, RowIndex, Segments};
use bench_nn::optim::{AdamW, AdamWOptions, clip_gradient_norm};
use bench_nn::{Builder, Gradients, Init, Result, Role, Tape, Value};
use candle_core::{DType, Device, Tensor};

fn input(seed: u64, shape: &[usize]) -> Result<Tensor> {
    Ok(normal(seed, shape)?.to_dtype(DType::F32)?)
}

/// Seconds on the clock and, on Linux, of all threads on the processors.
#[derive(Clone, Copy)]
struct Time(f64, f64);

impl Time {
    fn least(self, other: Time) -> Time {
        Time(self.0.min(other.0), self.1.min(other.1))
    }
}

fn processor_seconds() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0.0 };
    let of_task = |task: std::io::Result<std::fs::DirEntry>| -> Option<f64> {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    tasks.filter_map(of_task).sum::<f64>() / 1e9
}

fn timed<R>(run: impl FnOnce() -> Result<R>) -> Result<(R, Time)> {
    let (processors, clock) = (processor_seconds(), Instant::now());
    let result = run()?;
    let clock = clock.elapsed().as_secs_f64();
    Ok((result, Time(clock, processor_seconds() - processors)))
}

/// Best of several runs.
fn best(mut run: impl FnMut() -> Result<Time>) -> Result<Time> {
    let mut best = run()?;
    for _ in 0..15 {
        best = best.least(run()?);
    }
    Ok(best)
}

fn line(name: &str, time: Time, numbers: usize, operands: f64) {
    let nanoseconds = time.0 * 1e9 / numbers as f64;
    let rate = numbers as f64 * 4.0 * operands / time.0 / 1e9;
    let (clock, processors) = (time.0 * 1e3, time.1 * 1e3);
    println!("{name:<44} {clock:8.3} ms {processors:8.3} ms {nanoseconds:7.3} ns/number {rate:6.1} GB/s");
}

/// Times both directions of an operation. `moved` are the numbers read and written on the way
/// forward and back, per number of the first input.
fn both(
    name: &str,
    inputs: &[Tensor],
    moved: (f64, f64),
    f: impl Fn(&mut Tape, &[Value]) -> Result<Value>,
) -> Result<()> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    if !name.contains(&filter) {
        return Ok(());
    }
    let run = || -> Result<(Time, Time)> {
        let mut tape = Tape::training(Seed(1));
        let values: Vec<Value> = inputs.iter().map(|input| tape.input(input.clone())).collect();
        let (output, forward) = timed(|| f(&mut tape, &values))?;
        let seed = output.tensor().ones_like()?;
        let (gradients, backward) = timed(|| tape.backward(&[(&output, seed)]))?;
        black_box(gradients);
        Ok((forward, backward))
    };
    let numbers = inputs[0].elem_count();
    line(&format!("{name}, forward"), best(|| Ok(run()?.0))?, numbers, moved.0);
    line(&format!("{name}, backward"), best(|| Ok(run()?.1))?, numbers, moved.1);
    Ok(())
}

fn images() -> Result<()> {
    for (pixels, channels) in [(48, 64), (24, 64), (12, 128), (6, 256), (3, 512)] {
        let x = input(1, &[32, pixels, pixels, channels])?;
        let residual = input(2, &[32, pixels, pixels, channels])?;
        let builder = Builder::new(Seed(1), DType::F32, &Device::Cpu);
        let layer = BatchNorm::new(&builder, channels, 0.1)?;
        let size = format!("{pixels}x{pixels}x{channels}");
        let one = std::slice::from_ref(&x);
        both(&format!("batch norm {size}"), one, (3.0, 5.0), |t, x| ops::batch_norm(t, &x[0], &layer, None, false))?;
        both(&format!("batch norm, relu {size}"), one, (3.0, 5.0), |t, x| {
            ops::batch_norm(t, &x[0], &layer, None, true)
        })?;
        both(&format!("batch norm, residual, relu {size}"), &[x.clone(), residual], (4.0, 8.0), |t, x| {
            ops::batch_norm(t, &x[0], &layer, Some(&x[1]), true)
        })?;
    }
    let x = input(1, &[32, 48, 48, 64])?;
    let one = std::slice::from_ref(&x);
    both("max pool 3x3/2 48x48x64", one, (1.3125, 1.3125), |t, x| ops::max_pool(t, &x[0], 3, 2, 1))?;
    both("max pool 2x2/2 48x48x64", one, (1.3125, 1.3125), |t, x| ops::max_pool(t, &x[0], 2, 2, 0))?;
    both("mean pool 48x48x64", one, (1.0, 1.0), |t, x| ops::global_average_pool(t, &x[0]))?;
    both("relu 48x48x64", one, (2.0, 3.0), |t, x| ops::relu(t, &x[0]))?;
    both("dropout 48x48x64", one, (2.0, 2.0), |t, x| ops::dropout(t, &x[0], 0.2))?;
    both("add, relu 48x48x64", &[x.clone(), x.copy()?], (3.0, 3.0), |t, x| ops::add_relu(t, &x[0], &x[1]))
}

fn tables() -> Result<()> {
    // Atoms and bonds of 192 molecules, width of the molecule encoder.
    let (atoms, edges, width) = (5_000, 10_600, 200);
    let mut stream = Seed(1).stream();
    let sources = (0..edges).map(|_| stream.below(atoms) as u32).collect();
    let mut targets: Vec<u32> = (0..edges).map(|_| stream.below(atoms) as u32).collect();
    targets.sort_unstable();
    let offsets = (0..=atoms as u32).map(|atom| targets.partition_point(|&target| target < atom) as u32).collect();
    let (index, segments) = (RowIndex::new(sources, atoms, &Device::Cpu)?, Segments::new(offsets, &Device::Cpu)?);
    let (x, messages) = (input(1, &[atoms, width])?, input(2, &[edges, width])?);
    let one = std::slice::from_ref(&x);
    let ratio = edges as f64 / atoms as f64;
    both("gather rows 5000x200", one, (2.0 * ratio, 1.0 + ratio), |t, x| ops::gather_rows(t, &x[0], &index))?;
    for reduce in [Reduce::Sum, Reduce::Max, Reduce::Std { eps: 1e-5 }] {
        let moved = 1.0 + 1.0 / ratio;
        both(&format!("segment {reduce:?} 10600x200"), std::slice::from_ref(&messages), (moved, moved), |t, x| {
            ops::segment(t, &x[0], &segments, reduce)
        })?;
    }
    let codes = Codes::new((0..atoms * 9).map(|_| stream.below(174) as u32).collect(), 9, 174, &Device::Cpu)?;
    let sum = (atoms as f64 / 174.0, atoms as f64 / 174.0);
    both("embedding sum 174x200", &[input(3, &[174, width])?], sum, |t, x| ops::embedding_sum(t, &x[0], &codes))?;
    both("concat 3 x 10600x200", &[messages.clone(), messages.copy()?, messages.copy()?], (6.0, 6.0), |t, x| {
        ops::concat(t, &[&x[0], &x[1], &x[2]])
    })?;
    let rows = input(4, &[8192, 384])?;
    let one = std::slice::from_ref(&rows);
    let layer = LayerNorm::new(&Builder::new(Seed(1), DType::F32, &Device::Cpu), 384, 1e-5)?;
    both("layer norm 8192x384", one, (2.0, 3.0), |t, x| ops::layer_norm(t, &x[0], &layer))?;
    both("softmax 8192x384", one, (2.0, 3.0), |t, x| ops::softmax(t, &x[0]))?;
    both("gelu 8192x384", one, (2.0, 3.0), |t, x| ops::gelu(t, &x[0]))?;
    both("normalize rows 8192x384", one, (2.0, 3.0), |t, x| ops::normalize_rows(t, &x[0]))
}

fn optimiser() -> Result<()> {
    // Every parameter of a ResNet-18 for five channels, as matrices of 512 columns.
    let builder = Builder::new(Seed(1), DType::F32, &Device::Cpu);
    let mut gradients = Gradients::default();
    for index in 0..22 {
        builder.param(&format!("weight{index}"), (1000, 512), Role::Weight, Init::Normal { std: 1.0 })?;
        gradients.set(index, input(index as u64, &[1000, 512])?);
    }
    let params = builder.finish();
    let mut adamw = AdamW::new(&params, AdamWOptions::default())?;
    let numbers = params.trainable_count();
    let time = |run: &mut dyn FnMut() -> Result<()>| best(|| Ok(timed(&mut *run)?.1));
    line("adamw 11.3M", time(&mut || adamw.step(&params, &gradients, 1e-4).map(drop))?, numbers, 8.0);
    line("gradient norm 11.3M", time(&mut || clip_gradient_norm(&mut gradients, 1e9).map(drop))?, numbers, 1.0);
    Ok(())
}

fn main() -> Result<()> {
    bench_nn::cpu::keep_freed_memory();
    println!("{} threads", rayon::current_num_threads());
    let bytes = input(1, &[1 << 24])?;
    let copied = best(|| Ok(timed(|| Ok(black_box(bytes.copy()?)))?.1))?;
    line("copy of 64 MiB on one thread", copied, 1 << 24, 2.0);
    images()?;
    tables()?;
    optimiser()
}
