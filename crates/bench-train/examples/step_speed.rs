//! Times training steps and forward passes of the networks that `bench` trains.
//!
//!     cargo run --release -p bench-train --example step_speed -- --net resnet18 --batch 32 --size 96 --threads 2
//!
//! Nets: `resnet18`, `resnet34`, `demo-a`, `demo-b`, `demo-c` on random images of 5 channels, `pna`
//! (7 layers of width 200) on molecules of 25 atoms. A step is a forward pass, the gradient of the
//! mean square of the output, and AdamW; a forward pass uses running statistics and records
//! nothing. Prints one JSON line: the least seconds of each over `--repetitions` or `--seconds`,
//! images (or molecules) per second, peak resident memory. `--serve` instead reads `step` or
//! `forward` per line from standard input and answers with the seconds of one run, so that another
//! program can take turns with it. `torch_nets.py` in `benchmarks/speed` times PyTorch on the same.

use std::io::{BufRead, Write};
use std::time::Instant;

use bench_chem::{ATOM_SIZES, BOND_SIZES, GraphBatch, MoleculeGraph};
use bench_core::Seed;
use bench_models::encoders::{
    GraphInputs, ImageEncoder, MoleculeEncoder, MoleculeInputs, Pna, PnaConfig, ResNet, ResNetConfig, Vocabulary,
};
use bench_nn::optim::{AdamW, AdamWOptions};
use bench_nn::{Builder, DeviceChoice, ParamSet, Precision, Tape, Value, cpu};
use candle_core::{DType, Device, Tensor};

type Failure = Box<dyn std::error::Error>;

const CHANNELS: usize = 5;

struct Arguments {
    net: String,
    batch: usize,
    size: usize,
    threads: usize,
    repetitions: usize,
    seconds: f64,
    device: String,
    precision: Precision,
    serve: bool,
}

impl Arguments {
    fn read() -> Result<Arguments, Failure> {
        let mut read = Arguments {
            net: "resnet18".to_owned(),
            batch: 32,
            size: 96,
            threads: 2,
            repetitions: usize::MAX,
            seconds: 10.0,
            device: "cpu".to_owned(),
            precision: Precision::F32,
            serve: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--net" => read.net = value()?,
                "--batch" => read.batch = value()?.parse()?,
                "--size" => read.size = value()?.parse()?,
                "--threads" => read.threads = value()?.parse()?,
                "--repetitions" => read.repetitions = value()?.parse()?,
                "--seconds" => read.seconds = value()?.parse()?,
                "--device" => read.device = value()?,
                "--precision" => {
                    read.precision = match value()?.as_str() {
                        "f32" => Precision::F32,
                        "tf32" => Precision::Tf32,
                        "bf16" => Precision::Bf16,
                        other => return Err(format!("unknown precision `{other}`").into()),
                    }
                }
                "--serve" => read.serve = true,
                _ => return Err(format!("unknown argument `{argument}`").into()),
            }
        }
        Ok(read)
    }
}

enum Net {
    Images(Box<ResNet>, Tensor),
    Molecules(Box<Pna>, MoleculeInputs),
}

/// A network with its input and optimiser.
struct Timed {
    net: Net,
    params: ParamSet,
    optimiser: AdamW,
    precision: Precision,
    steps: u64,
}

impl Timed {
    fn new(arguments: &Arguments, device: &Device) -> Result<Timed, Failure> {
        let builder = Builder::new(Seed(1), DType::F32, device);
        let resnet = |config: ResNetConfig| -> Result<Net, Failure> {
            let (count, size) = (arguments.batch, arguments.size);
            let mut stream = Seed(2).stream();
            let pixels: Vec<f32> = (0..count * size * size * CHANNELS).map(|_| stream.normal() as f32).collect();
            let images = Tensor::from_vec(pixels, (count, size, size, CHANNELS), &Device::Cpu)?.to_device(device)?;
            Ok(Net::Images(Box::new(ResNet::new(&builder, &config, CHANNELS)?), images))
        };
        let net = match arguments.net.as_str() {
            "resnet18" => resnet(ResNetConfig::resnet18())?,
            "resnet34" => resnet(ResNetConfig::resnet34())?,
            "demo-a" | "demo-b" => resnet(ResNetConfig::demo_a())?,
            "demo-c" => resnet(ResNetConfig::demo_c())?,
            "pna" => {
                // Without dropout, as the peer.
                let net = Pna::new(&builder, PnaConfig { dropout: 0.0, ..PnaConfig::default() })?;
                let molecule = molecule();
                let batch = GraphBatch::new(&vec![&molecule; arguments.batch]);
                let inputs = GraphInputs::new(&batch, Vocabulary::Full, DType::F32, device)?;
                Net::Molecules(Box::new(net), MoleculeInputs::Graphs(Box::new(inputs)))
            }
            other => return Err(format!("unknown net `{other}`").into()),
        };
        let params = builder.finish();
        let optimiser = AdamW::new(&params, AdamWOptions { weight_decay: 0.05, ..AdamWOptions::default() })?;
        Ok(Timed { net, params, optimiser, precision: arguments.precision, steps: 0 })
    }

    fn output(&self, tape: &mut Tape) -> Result<Value, Failure> {
        Ok(match &self.net {
            Net::Images(net, images) => {
                let images = tape.constant(images.clone());
                net.forward(tape, &images)?
            }
            Net::Molecules(net, molecules) => net.forward(tape, molecules)?,
        })
    }

    /// Seconds of a training step. Reading one number of the first parameter waits for the device.
    fn step(&mut self) -> Result<f64, Failure> {
        let start = Instant::now();
        self.steps += 1;
        let mut tape = Tape::training(Seed(self.steps)).with_precision(self.precision);
        let output = self.output(&mut tape)?;
        let numbers = output.tensor();
        let slope = numbers.affine(2.0 / numbers.elem_count() as f64, 0.0)?;
        let gradients = tape.backward(&[(&output, slope)])?;
        self.optimiser.step(&self.params, &gradients, 1e-4)?;
        if let Some(param) = self.params.trainable().next() {
            param.tensor().flatten_all()?.get(0)?.to_scalar::<f32>()?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    /// Seconds of a forward pass.
    fn forward(&self) -> Result<f64, Failure> {
        let start = Instant::now();
        let output = self.output(&mut Tape::inference().with_precision(self.precision))?;
        output.tensor().flatten_all()?.get(0)?.to_dtype(DType::F32)?.to_scalar::<f32>()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// A chain of 25 atoms closed by two rings: the mean size and degree of drug-like molecules.
fn molecule() -> MoleculeGraph {
    const ATOMS: usize = 25;
    let atoms = (0..ATOMS).map(|atom| ATOM_SIZES.map(|size| (atom % size) as u8)).collect();
    let mut graph = MoleculeGraph { atoms, ..MoleculeGraph::default() };
    let chain = (1..ATOMS as u32).map(|atom| [atom - 1, atom]);
    for [a, b] in chain.chain([[0, 5], [10, 15]]) {
        let bond = BOND_SIZES.map(|size| (graph.edges.len() % size) as u8);
        graph.edges.extend([[a, b], [b, a]]);
        graph.bonds.extend([bond, bond]);
    }
    graph
}

/// Least seconds of `run`, after one that does not count.
fn least(arguments: &Arguments, mut run: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    run()?;
    let (start, mut least, mut done) = (Instant::now(), f64::INFINITY, 0);
    while done == 0 || (done < arguments.repetitions && start.elapsed().as_secs_f64() < arguments.seconds / 2.0) {
        least = least.min(run()?);
        done += 1;
    }
    Ok(least)
}

/// Peak resident memory in MiB, where the system tells (Linux).
fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::read()?;
    cpu::keep_freed_memory();
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    let device = arguments.device.parse::<DeviceChoice>()?.select()?.device;
    let mut timed = Timed::new(&arguments, &device)?;
    if arguments.serve {
        for line in std::io::stdin().lock().lines() {
            let seconds = match line?.trim() {
                "step" => timed.step()?,
                "forward" => timed.forward()?,
                other => return Err(format!("unknown request `{other}`").into()),
            };
            println!("{seconds:.6}");
            std::io::stdout().flush()?;
        }
        return Ok(());
    }
    let step = least(&arguments, || timed.step())?;
    let forward = least(&arguments, || timed.forward())?;
    let report = serde_json::json!({
        "net": arguments.net,
        "batch": arguments.batch,
        "size": arguments.size,
        "threads": arguments.threads,
        "device": arguments.device,
        "precision": format!("{:?}", arguments.precision).to_lowercase(),
        "parameters": timed.params.trainable_count(),
        "step": step,
        "forward": forward,
        "steps_per_s": 1.0 / step,
        "items_per_s": arguments.batch as f64 / step,
        "peak_rss_mib": peak_rss_mib(),
    });
    println!("{report}");
    Ok(())
}
