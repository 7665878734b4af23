//! Small plates: real molecules, and images with a pattern per compound, a gain per batch and noise.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use bench_core::Seed;
use bench_models::{Model, ModelConfig};
use bench_train::catalogue::Builder;
use bench_train::config::OptimiserConfig;
use bench_train::observer::Silent;
use bench_train::{Catalogue, Ending, ImageSource, MemoryImages, Origin, Pace, SamplerConfig, TrainConfig, Training};
use candle_core::{DType, Device};
use serde_json::{Value, json};

/// Aspirin, caffeine and others.
pub(crate) const SMILES: [&str; 12] = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "CC(=O)Nc1ccc(O)cc1",
    "C1CCC(CC1)N",
    "OC(=O)c1ccccc1O",
    "CN1CCC[C@H]1c1cccnc1",
    "NCCc1ccc(O)c(O)c1",
    "Clc1ccc(cc1)C(c1ccccc1)N1CCNCC1",
    "O=C1NC(=O)C(N1)(c1ccccc1)c1ccccc1",
    "CCN(CC)CCOC(=O)c1ccc(N)cc1",
    "FC(F)(F)c1cccc(c1)N1CCNCC1",
];

/// Height and width of the images.
pub(crate) const PIXELS: usize = 32;

/// `compounds` compounds with one image in each of `batches` batches, in order of compound and batch.
pub(crate) fn plates(compounds: usize, batches: usize, crop: usize, flip: f64) -> (Catalogue, MemoryImages) {
    let mut builder = Builder::new();
    let mut images = vec![];
    for (compound, smiles) in SMILES.iter().enumerate().take(compounds) {
        let key = format!("compound {compound:02}");
        builder.compound(&key, None, Some(smiles));
        let well = format!("A{compound:02}");
        for batch in 0..batches {
            let name = format!("b{batch}");
            let id = builder.image(&key, Origin { source: "s1", batch: &name, plate: "p", well: &well, site: "1" });
            assert_eq!(id.0 as usize, images.len());
            images.push(image(compound as u64, batch as u64));
        }
    }
    let source = MemoryImages::new(images, [PIXELS, PIXELS], 5, [crop, crop], flip).unwrap();
    (builder.finish().unwrap(), source)
}

fn image(compound: u64, batch: u64) -> Vec<f32> {
    let cells = 4;
    let mut stream = Seed(99).derive("pattern", compound).stream();
    let pattern: Vec<f64> = (0..cells * cells * 5).map(|_| stream.uniform()).collect();
    let gain = 0.7 + 0.6 * Seed(99).derive("gain", batch).stream().uniform();
    let mut noise = Seed(99).derive("noise", compound * 1000 + batch).stream();
    let mut pixels = Vec::with_capacity(PIXELS * PIXELS * 5);
    for row in 0..PIXELS {
        for column in 0..PIXELS {
            for channel in 0..5 {
                let cell = (row * cells / PIXELS * cells + column * cells / PIXELS) * 5 + channel;
                pixels.push((gain * (0.2 + 0.6 * pattern[cell]) + 0.05 * noise.normal()).clamp(0.0, 1.0) as f32);
            }
        }
    }
    pixels
}

/// A tiny model of a method.
pub(crate) fn model(config: &ModelConfig, dtype: DType) -> Model {
    Model::new(config, Seed(21), dtype, &Device::Cpu).unwrap()
}

/// Every compound of a catalogue.
pub(crate) fn all(catalogue: &Catalogue) -> Vec<u32> {
    (0..catalogue.compounds().len() as u32).collect()
}

/// A short training with everything that has state: dropout, clipping, averaged weights.
pub(crate) fn short(epochs: usize) -> TrainConfig {
    TrainConfig {
        epochs,
        patience: None,
        sampler: SamplerConfig { batch: 4, views: 2, ..SamplerConfig::default() },
        optimiser: OptimiserConfig { lr: 1e-3, clip_norm: Some(5.0), ema: Some(0.9), ..OptimiserConfig::default() },
        schedule: bench_train::config::ScheduleConfig { warmup_epochs: 1, ..Default::default() },
        ..TrainConfig::default()
    }
}

/// The tiny EMM model with dropout everywhere.
pub(crate) fn emm() -> ModelConfig {
    let mut config = ModelConfig::tiny("emm");
    config.head.dropout = 0.2;
    config
}

/// What the tests put into a checkpoint beside the configuration.
pub(crate) fn described() -> Value {
    json!({ "test": true })
}

/// Compounds to train on, and two that are held out.
pub(crate) fn halves(catalogue: &Catalogue) -> (Vec<u32>, Vec<u32>) {
    let mut train = all(catalogue);
    let validation = train.split_off(train.len() - 2);
    (train, validation)
}

/// Trains a new tiny model in `folder`.
pub(crate) fn run(
    (catalogue, source): (&Catalogue, &dyn ImageSource),
    config: &TrainConfig,
    pace: &Pace,
    folder: &Path,
    observer: &mut dyn bench_train::Observer,
    interrupt: &AtomicBool,
) -> bench_train::Result<(Model, Ending)> {
    let model = model(&emm(), DType::F32);
    let (train, validation) = halves(catalogue);
    let described = described();
    let training = Training {
        model: &model,
        catalogue,
        source,
        train: &train,
        validation: &validation,
        config,
        described: &described,
        pace,
        folder,
        peers: None,
    };
    let ending = training.run(observer, interrupt)?;
    Ok((model, ending))
}

/// Trains to the end, unseen.
pub(crate) fn finish(
    data: (&Catalogue, &dyn ImageSource),
    config: &TrainConfig,
    pace: &Pace,
    folder: &Path,
) -> (Model, Ending) {
    run(data, config, pace, folder, &mut Silent, &AtomicBool::new(false)).unwrap()
}

/// Bytes of the last and of the best checkpoint.
pub(crate) fn checkpoints(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    (read("last.safetensors"), read("best.safetensors"))
}
