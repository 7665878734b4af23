//! Fields per second: simulating, loading from PNGs, from packed plates, crops, and with
//! augmentation.
//!
//! ```text
//! cargo run --release -p bench-images --example load_speed -- [side] [crop] [threads] [fields]
//! cargo run --release -p bench-images --example load_speed -- 768 512 1 48
//! ```
//!
//! Writes to a temporary folder and removes it. The files are in the cache of the system, so this
//! is the cost of decoding, not of the disk. Two columns: by the clock, and by processor time on one
//! core, which other work on the machine hardly changes (Linux only).
//!
//! `serve [threads]` instead reads requests from standard input, words between tabs, and answers
//! each with one number, so that another program can take turns with it (`benchmarks/speed/loading.py`):
//!
//! ```text
//! pack   FOLDER INTO                        packs a folder of PNGs; number of fields
//! load   STORE CROP BATCH COLOUR EPOCH      loads all fields in augmented batches; seconds
//! centre STORE CROP FILE                    writes centre crops as 32-bit floats; number of fields
//! ```
//!
//! COLOUR is the probability of colour jitter. A batch is loaded as the trainer does: views in
//! parallel, then put together.

use std::collections::BTreeMap;
use std::io::{BufRead, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use bench_core::Seed;
use bench_images::augment::{AugmentConfig, EvaluationCrops, load_fixed, load_view, view_seed};
use bench_images::prepare::{PrepareOptions, write as prepare};
use bench_images::simulate::{Format, SimulationConfig, Simulator, write};
use bench_images::{ImageStore, Result, Window};
use rayon::prelude::*;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize, default: usize| arguments.get(i).map_or(Ok(default), |text| text.parse::<usize>());
    if arguments.get(1).is_some_and(|argument| argument == "serve") {
        rayon::ThreadPoolBuilder::new().num_threads(number(2, 1)?).build_global()?;
        return serve();
    }
    let (side, crop) = (number(1, 80)?, number(2, 64)?);
    let (threads, fields) = (number(3, 1)?, number(4, 480)?);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let root = std::env::temp_dir().join(format!("load-speed-{}", std::process::id()));
    let result = measure(&root, side, crop, fields);
    std::fs::remove_dir_all(&root)?;
    println!("side {side} px, crop {crop} px, 5 channels, {threads} threads");
    for (what, rate) in result? {
        let [clock, core] = rate.map(|rate| format!("{rate:.0}"));
        println!("{what:<34} {clock:>9} fields/s {core:>9} fields/s of one core");
    }
    Ok(())
}

fn serve() -> Result<(), Failure> {
    let mut stores: BTreeMap<String, ImageStore> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split('\t').collect();
        if let ["load" | "centre", path, ..] = words[..]
            && !stores.contains_key(path)
        {
            stores.insert(path.to_owned(), ImageStore::open(Path::new(path))?);
        }
        let answer = match words[..] {
            ["pack", from, into] => {
                let store = ImageStore::open(Path::new(from))?;
                prepare(&store, Path::new(into), &PrepareOptions::default(), &|_, _| ())?.fields as f64
            }
            ["load", path, crop, batch, colour, epoch] => {
                let config = AugmentConfig { crop: crop.parse()?, colour: colour.parse()?, ..AugmentConfig::default() };
                epoch_s(&stores[path], &config, batch.parse()?, epoch.parse()?)?
            }
            ["centre", path, crop, file] => {
                let (store, crop) = (&stores[path], crop.parse::<usize>()?);
                let mut out = BufWriter::new(std::fs::File::create(file)?);
                let mut pixels = vec![0.0; crop * crop * store.channels().len()];
                for index in 0..store.len() {
                    load_fixed(store, index, EvaluationCrops::Centre, crop, &mut pixels)?;
                    for value in &pixels {
                        out.write_all(&value.to_le_bytes())?;
                    }
                }
                out.flush()?;
                store.len() as f64
            }
            _ => return Err(format!("unknown request `{line}`").into()),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Seconds to load every field once, augmented, batch by batch.
fn epoch_s(store: &ImageStore, config: &AugmentConfig, batch: usize, epoch: u64) -> Result<f64> {
    let start = Instant::now();
    let len = config.crop * config.crop * store.channels().len();
    for first in (0..store.len()).step_by(batch) {
        let fields = first..(first + batch).min(store.len());
        let views = fields.clone().into_par_iter().map(|index| {
            let mut pixels = vec![0.0; len];
            load_view(store, index, config, view_seed(Seed(1), epoch, index as u64, 0), &mut pixels).map(|()| pixels)
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        let mut pixels: Vec<f32> = Vec::with_capacity(fields.len() * len);
        for view in views {
            pixels.extend(view);
        }
        std::hint::black_box(pixels);
    }
    Ok(start.elapsed().as_secs_f64())
}

fn measure(root: &Path, side: usize, crop: usize, fields: usize) -> Result<Vec<(&'static str, [f64; 2])>> {
    let mut config = SimulationConfig { height: side, width: side, ..SimulationConfig::demo() };
    // Small fields need coarse pixels to hold cells; large ones have those of JUMP.
    config.pixel_um = if side >= 256 { 0.6 } else { 1.6 };
    (config.sources, config.batches_per_source, config.training.compounds) = (1, 1, 0);
    config.training.replicates = 0;
    (config.target2.plates_per_batch, config.target2.targets, config.target2.dmso_wells) = (1, 24, 0);
    config.target2.fields_per_well = fields.div_ceil(48);
    let mut out = Vec::new();

    let simulator = Simulator::new(config.clone())?;
    let (plate, n) = (&simulator.plates()[0], simulator.fields());
    out.push((
        "simulate",
        timed(n, |i| simulator.render(plate, plate.fields()[i].0, plate.fields()[i].1).pixels.len()),
    ));
    let mut stores = Vec::new();
    for (name, format) in [("folder", Format::Folder), ("packed", Format::Packed)] {
        let path = root.join(name);
        write(&Simulator::new(SimulationConfig { format, ..config.clone() })?, &path, &|_, _| ())?;
        stores.push(ImageStore::open(&path)?);
    }
    let views =
        [AugmentConfig { crop, ..AugmentConfig::default() }, AugmentConfig { crop, ..AugmentConfig::september_2023() }];
    let names = [
        [
            "PNG folder, whole",
            "PNG folder, crop",
            "PNG folder, augmented",
            "PNG folder, augmented (2023)",
            "PNG folder, centre",
        ],
        ["packed, whole", "packed, crop", "packed, augmented", "packed, augmented (2023)", "packed, centre"],
    ];
    for (store, names) in stores.iter().zip(names) {
        let n = store.len();
        out.push((names[0], timed(n, |i| store.load(i).map_or(0, |image| image.pixels.len()))));
        let window = |i: usize| Window {
            top: i % (side - crop + 1),
            left: i * 7 % (side - crop + 1),
            height: crop,
            width: crop,
        };
        out.push((names[1], timed(n, |i| store.load_crop(i, window(i)).map_or(0, |image| image.pixels.len()))));
        for (name, view) in [(names[2], &views[0]), (names[3], &views[1])] {
            out.push((
                name,
                timed(n, |i| {
                    let mut pixels = vec![0.0f32; crop * crop * 5];
                    let seed = view_seed(Seed(1), 0, i as u64, 0);
                    load_view(store, i, view, seed, &mut pixels).map_or(0, |()| pixels.len())
                }),
            ));
        }
        out.push((
            names[4],
            timed(n, |i| {
                let mut pixels = vec![0.0f32; crop * crop * 5];
                load_fixed(store, i, EvaluationCrops::Centre, crop, &mut pixels).map_or(0, |()| pixels.len())
            }),
        ));
    }
    Ok(out)
}

/// Best of three passes, in fields per second of the clock and of processor time. A pass that
/// loads nothing is a failure.
fn timed(n: usize, work: impl Fn(usize) -> usize + Sync) -> [f64; 2] {
    let pass = || {
        let (start, busy) = (Instant::now(), processor_s());
        let least = (0..n).into_par_iter().map(&work).min().unwrap_or(0);
        assert!(least > 0, "a field did not load");
        [start.elapsed().as_secs_f64(), processor_s() - busy]
    };
    let passes = [pass(), pass(), pass()];
    std::array::from_fn(|i| n as f64 / passes.iter().map(|pass| pass[i]).fold(f64::INFINITY, f64::min))
}

/// Seconds that the threads of this process have run; NaN where the system does not tell.
fn processor_s() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return f64::NAN };
    let nanoseconds = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    tasks.flatten().filter_map(|task| nanoseconds(task.path())).sum::<f64>() / 1e9
}
