//! Times the convolutions of a ResNet18 on 5x96x96 images, one direction at a time.
//!
//!     cargo run --release -p bench-nn --example conv_layers -- --threads 2 --seconds 10
//!
//! Prints one JSON object per line: layer, direction, the least seconds of many short runs (other
//! load on the machine only ever adds), and nominal GFLOP/s, taps outside the image included, as
//! is usual; the true count is lower for small images. `--serve` instead reads one line
//! `layer direction` per measurement from standard input and answers with the least seconds of four
//! runs, so that another program can take turns with it.

use std::io::{BufRead, Write};
use std::time::Instant;

use bench_nn::cpu::{self, Geometry, conv};

/// Name; size, channels in and out, kernel, stride, padding; how often ResNet18 has it.
const LAYERS: [(&str, [usize; 6], usize); 12] = [
    ("stem", [96, 5, 64, 7, 2, 3], 1),
    ("layer1", [24, 64, 64, 3, 1, 1], 4),
    ("layer2.first", [24, 64, 128, 3, 2, 1], 1),
    ("layer2.shortcut", [24, 64, 128, 1, 2, 0], 1),
    ("layer2", [12, 128, 128, 3, 1, 1], 3),
    ("layer3.first", [12, 128, 256, 3, 2, 1], 1),
    ("layer3.shortcut", [12, 128, 256, 1, 2, 0], 1),
    ("layer3", [6, 256, 256, 3, 1, 1], 3),
    ("layer4.first", [6, 256, 512, 3, 2, 1], 1),
    ("layer4.shortcut", [6, 256, 512, 1, 2, 0], 1),
    ("layer4", [3, 512, 512, 3, 1, 1], 3),
    ("square1024", [1, 1024, 1024, 1, 1, 0], 0),
];
/// Runs of a request: the threads of the first may still have to wake up.
const RUNS: usize = 4;
const DIRECTIONS: [&str; 3] = ["forward", "backward_input", "backward_weight"];

fn numbers(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + seed) % 2003) as f32 / 1001.0 - 1.0).collect()
}

struct Layer {
    geometry: Geometry,
    x: Vec<f32>,
    weight: Vec<f32>,
    dy: Vec<f32>,
}

impl Layer {
    fn new(index: usize, batch: usize) -> Layer {
        let (_, [size, channels, outputs, kernel, stride, padding], _) = LAYERS[index];
        let images = if size == 1 { 1024 } else { batch };
        let (height, width, kernel_h, kernel_w) = (size, size, kernel, kernel);
        let geometry = Geometry { images, height, width, channels, outputs, kernel_h, kernel_w, stride, padding };
        let (x, weight) = (numbers(geometry.input_len(), 1), numbers(geometry.weight_len(), 2));
        Layer { geometry, x, weight, dy: numbers(geometry.output_len(), 3) }
    }

    fn run(&self, direction: &str) -> f64 {
        let start = Instant::now();
        let result = match direction {
            "forward" => conv::forward(&self.x, &self.weight, &self.geometry),
            "backward_input" => conv::backward_input(&self.dy, &self.weight, &self.geometry),
            _ => conv::backward_weight(&self.x, &self.dy, &self.geometry),
        };
        let seconds = start.elapsed().as_secs_f64();
        std::hint::black_box(result);
        seconds
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut threads, mut seconds, mut batch, mut serve) = (2usize, 0.3f64, 32usize, false);
    let mut only = String::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("`{argument}` needs a value"));
        match argument.as_str() {
            "--threads" => threads = value()?.parse()?,
            "--seconds" => seconds = value()?.parse()?,
            "--batch" => batch = value()?.parse()?,
            "--only" => only = value()?,
            "--serve" => serve = true,
            _ => return Err(format!("unknown argument `{argument}`").into()),
        }
    }
    cpu::keep_freed_memory();
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    if serve {
        return answer(batch);
    }
    let mut step = 0.0;
    for (index, layer) in LAYERS.iter().enumerate().filter(|(_, layer)| layer.0.starts_with(&only)) {
        let data = Layer::new(index, batch);
        for direction in DIRECTIONS {
            let start = Instant::now();
            let mut least = f64::INFINITY;
            while start.elapsed().as_secs_f64() < seconds {
                least = least.min(data.run(direction));
            }
            if (layer.0, direction) != ("stem", "backward_input") {
                step += least * layer.2 as f64;
            }
            let rate = data.geometry.flops() / least / 1e9;
            println!(
                r#"{{"layer": "{}", "direction": "{direction}", "count": {}, "seconds": {least:.6}, "gflops": {rate:.0}}}"#,
                layer.0, layer.2
            );
        }
    }
    println!(r#"{{"layer": "resnet18", "direction": "all", "seconds": {step:.6}}}"#);
    Ok(())
}

/// One measurement per request.
fn answer(batch: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut loaded: Option<(usize, Layer)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (name, direction) = line.split_once(' ').ok_or("a request is `layer direction`")?;
        let index = LAYERS.iter().position(|layer| layer.0 == name).ok_or(format!("no layer `{name}`"))?;
        if loaded.as_ref().is_none_or(|(current, _)| *current != index) {
            loaded = Some((index, Layer::new(index, batch)));
        }
        if let Some((_, layer)) = &loaded {
            let least = (0..RUNS).map(|_| layer.run(direction)).fold(f64::INFINITY, f64::min);
            println!("{least}");
            std::io::stdout().flush()?;
        }
    }
    Ok(())
}
