//! Whole models: sizes, gradients, determinism, and settings.

use bench_chem::MoleculeGraph;
use bench_core::Seed;
use bench_nn::optim::{AdamW, AdamWOptions};
use bench_nn::{Builder, ParamSet, Tape, check};
use candle_core::{DType, Device, Tensor};

use crate::encoders::{
    Block, FingerprintConfig, FingerprintMlp, Gin, GinConfig, HeadConfig, ImageEncoder, MoleculeInputs, Pna, PnaConfig,
    ProjectionHead, ResNet, ResNetConfig,
};
use crate::{ImageEncoderConfig, Model, ModelConfig, MoleculeEncoderConfig};

const CPU: Device = Device::Cpu;

/// Random molecules: a chain of atoms, every third closed to the first.
fn molecules(count: usize, seed: u64) -> Vec<MoleculeGraph> {
    let mut stream = Seed(seed).stream();
    (0..count)
        .map(|_| {
            let atoms = 3 + stream.below(6);
            let mut graph = MoleculeGraph::default();
            for atom in 0..atoms {
                graph.atoms.push(bench_chem::ATOM_SIZES.map(|size| stream.below(size) as u8));
                let mut join = |other: u32, stream: &mut bench_core::Stream| {
                    let bond = bench_chem::BOND_SIZES.map(|size| stream.below(size) as u8);
                    graph.edges.extend([[other, atom as u32], [atom as u32, other]]);
                    graph.bonds.extend([bond, bond]);
                };
                if atom > 0 {
                    join(atom as u32 - 1, &mut stream);
                }
                if atom > 1 && atom % 3 == 0 {
                    join(0, &mut stream);
                }
            }
            graph
        })
        .collect()
}

fn images(count: usize, pixels: usize, dtype: DType, seed: u64) -> Tensor {
    let mut stream = Seed(seed).stream();
    let values: Vec<f64> = (0..count * pixels * pixels * 5).map(|_| stream.uniform()).collect();
    Tensor::from_vec(values, (count, pixels, pixels, 5), &CPU).unwrap().to_dtype(dtype).unwrap()
}

fn inputs(model: &Model, count: usize, seed: u64) -> MoleculeInputs {
    match &model.config.molecule {
        MoleculeEncoderConfig::Fingerprint(size) => {
            let mut stream = Seed(seed).stream();
            let bits = (0..count * size.bits).map(|_| f64::from(u8::from(stream.below(4) == 0))).collect();
            let rows = Tensor::from_vec(bits, (count, size.bits), &CPU).unwrap().to_dtype(model.dtype()).unwrap();
            MoleculeInputs::Fingerprints(rows)
        }
        _ => model.graphs(&molecules(count, seed).iter().collect::<Vec<_>>()).unwrap(),
    }
}

fn trainable(build: impl FnOnce(&Builder)) -> usize {
    let builder = Builder::new(Seed(1), DType::F32, &CPU);
    build(&builder);
    builder.finish().trainable_count()
}

fn resnet(shape: ResNetConfig, channels: usize) -> usize {
    trainable(|builder| drop(ResNet::new(builder, &shape, channels).unwrap()))
}

#[test]
fn networks_have_the_sizes_of_the_published_ones() {
    // torchvision's counts, less a classifier of 1000 classes, plus two channels of the stem.
    let stem = 2 * 64 * 49;
    assert_eq!(resnet(ResNetConfig::resnet18(), 5), 11_689_512 - 513_000 + stem);
    assert_eq!(resnet(ResNetConfig::resnet34(), 5), 21_797_672 - 513_000 + stem); // 21.29 M
    assert_eq!(resnet(ResNetConfig::resnet50(), 3), 25_557_032 - 2_049_000);
    // The rounded figures of the specification.
    let millions = |count: usize, digits: i32| {
        let scale = 10f64.powi(digits);
        (count as f64 / 1e6 * scale).round() / scale
    };
    assert_eq!(millions(resnet(ResNetConfig::demo_a(), 5), 2), 1.23);
    assert_eq!(millions(resnet(ResNetConfig::demo_c(), 5), 2), 2.80);
    let pna = trainable(|builder| drop(Pna::new(builder, PnaConfig::default()).unwrap()));
    assert_eq!(millions(pna, 2), 4.98);
    let head =
        |features| trainable(|builder| drop(ProjectionHead::new(builder, features, HeadConfig::default()).unwrap()));
    assert_eq!(millions(head(512), 3), 1.575);
    assert_eq!(millions(head(256), 3), 1.313);
    let gin = trainable(|builder| drop(Gin::new(builder, GinConfig::default()).unwrap()));
    assert_eq!(gin, (119 + 5) * 300 + 5 * ((6 + 6) * 300 + 300 * 600 + 600 + 600 * 300 + 300 + 2 * 300));
    let mlp = trainable(|builder| drop(FingerprintMlp::new(builder, &FingerprintConfig::default()).unwrap()));
    assert_eq!(mlp, 2167 * 512 + 512 + 2 * 512 + 512 * 256 + 256 + 2 * 256 + 256 * 128 + 128);
}

#[test]
fn the_full_residual_networks_take_images_of_any_size() {
    for (shape, features) in [
        (ResNetConfig::resnet18(), 512),
        (ResNetConfig::resnet34(), 512),
        (ResNetConfig::resnet50(), 2048),
        (ResNetConfig::demo_a(), 256),
        (ResNetConfig::demo_c(), 256),
    ] {
        let network = ResNet::new(&Builder::new(Seed(1), DType::F32, &CPU), &shape, 5).unwrap();
        assert_eq!((network.channels(), network.features()), (5, features));
        let mut tape = Tape::inference();
        for pixels in [32, 41] {
            let images = tape.constant(images(1, pixels, DType::F32, 4));
            let output = network.forward(&mut tape, &images).unwrap();
            assert_eq!(output.dims(), [1, features]);
            let values: Vec<f32> = output.tensor().flatten_all().unwrap().to_vec1().unwrap();
            assert!(values.iter().all(|v| v.is_finite()) && values.iter().any(|&v| v > 0.0), "{shape:?}");
        }
        let grey = tape.constant(Tensor::zeros((1, 32, 32, 3), DType::F32, &CPU).unwrap());
        assert!(network.forward(&mut tape, &grey).unwrap_err().to_string().contains("5 channels"));
    }
}

/// One model per architecture and kind of loss.
fn every_kind() -> Vec<ModelConfig> {
    let tiny = ModelConfig::tiny;
    let fingerprints = FingerprintConfig { bits: 64, widths: vec![24, 16, 8], dropout: 0.1 };
    let mut learnable = tiny("imm");
    learnable.temperature.learnable = true;
    let bottleneck = ResNetConfig { block: Block::Bottleneck, depths: vec![1, 2], widths: vec![4, 8] };
    vec![
        tiny("clip"),
        tiny("emm"),
        learnable,
        ModelConfig { image: ImageEncoderConfig::Resnet(bottleneck), ..tiny("emm") },
        ModelConfig { image: ImageEncoderConfig::DemoC, ..tiny("emm-paper") },
        ModelConfig {
            molecule: MoleculeEncoderConfig::Gin(GinConfig { hidden: 12, depth: 3, dropout: 0.1 }),
            ..tiny("imm-paper")
        },
        ModelConfig { molecule: MoleculeEncoderConfig::Fingerprint(fingerprints), ..tiny("symmetric") },
        ModelConfig::demo("emm"),
    ]
}

fn views(model: &Model) -> usize {
    if model.loss.views() == crate::losses::Views::One { 1 } else { 2 }
}

#[test]
fn one_step_changes_every_trainable_tensor_of_every_architecture() {
    for config in every_kind() {
        let model = Model::new(&config, Seed(5), DType::F32, &CPU).unwrap();
        let n = 6;
        let step = model
            .step(Tape::training(Seed(6)), &images(n * views(&model), 32, DType::F32, 7), &inputs(&model, n, 8))
            .unwrap();
        for param in model.params.trainable() {
            let gradient = step.gradients.param(param).unwrap_or_else(|| panic!("no gradient of `{}`", param.name()));
            assert_eq!(gradient.dims(), param.tensor().dims());
            let values: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
            assert!(values.iter().all(|v| v.is_finite()), "{}", param.name());
            assert!(values.iter().any(|&v| v != 0.0), "the gradient of `{}` is zero", param.name());
        }
        let before = parameters(&model.params);
        let options = AdamWOptions { weight_decay: 0.0, ..AdamWOptions::default() };
        let mut optimiser = AdamW::new(&model.params, options).unwrap();
        optimiser.step(&model.params, &step.gradients, 1e-3).unwrap();
        for ((param, before), after) in model.params.iter().zip(before).zip(parameters(&model.params)) {
            assert_eq!(before != after, param.trainable(), "{}", param.name());
        }
    }
}

fn parameters(params: &ParamSet) -> Vec<Vec<f32>> {
    params.iter().map(|param| param.tensor().flatten_all().unwrap().to_vec1().unwrap()).collect()
}

#[test]
fn gradients_have_the_same_bits_at_one_and_two_threads() {
    for config in [ModelConfig::tiny("imm"), ModelConfig::demo("clip")] {
        let at = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let model = Model::new(&config, Seed(5), DType::F32, &CPU).unwrap();
                let n = 4;
                let images = images(n * views(&model), 32, DType::F32, 7);
                let step = model.step(Tape::training(Seed(6)), &images, &inputs(&model, n, 8)).unwrap();
                let gradients: Vec<Vec<f32>> = (model.params.trainable())
                    .map(|param| step.gradients.param(param).unwrap().flatten_all().unwrap().to_vec1().unwrap())
                    .collect();
                (step.loss.value.to_scalar::<f32>().unwrap(), gradients, parameters(&model.params))
            })
        };
        assert!(at(1) == at(2), "{}", config.loss.loss);
    }
}

#[test]
fn a_residual_network_has_the_gradients_of_finite_differences() {
    for block in [Block::Basic, Block::Bottleneck] {
        let builder = Builder::new(Seed(9), DType::F64, &CPU);
        let shape = ResNetConfig { block, depths: vec![1, 1], widths: vec![3, 4] };
        let network = ResNet::new(&builder, &shape, 5).unwrap();
        let images = images(3, 16, DType::F64, 10);
        check::assert_parameters(&builder.finish(), |tape| {
            let images = tape.constant(images.clone());
            network.forward(tape, &images).map_err(unwrapped)
        });
    }
}

#[test]
fn graph_networks_have_the_gradients_of_finite_differences() {
    let pna = MoleculeEncoderConfig::Pna(PnaConfig { hidden: 5, depth: 2, output: 4, ..PnaConfig::default() });
    let gin = MoleculeEncoderConfig::Gin(GinConfig { hidden: 5, depth: 2, dropout: 0.2 });
    for molecule in [pna, gin] {
        let head = HeadConfig { embedding: 4, dropout: 0.2 };
        let config = ModelConfig { molecule, head, ..ModelConfig::tiny("emm") };
        let model = Model::new(&config, Seed(11), DType::F64, &CPU).unwrap();
        // Xavier with gain 1/inputs leaves activations near the kinks of ReLU, maximum and minimum.
        for param in model.params.iter().filter(|param| param.name().contains(".linear.weight")) {
            let width = param.tensor().dims()[1] as f64;
            param.assign(&param.tensor().affine(width, 0.0).unwrap()).unwrap();
        }
        let inputs = inputs(&model, 5, 12);
        check::assert_parameters(&model.params, |tape| {
            let encoded = model.encode_molecules(tape, &inputs).map_err(unwrapped)?;
            Ok(encoded.embedding)
        });
    }
}

fn unwrapped(error: crate::Error) -> bench_nn::Error {
    match error {
        crate::Error::Operation(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn the_gradient_of_a_learnt_temperature_is_that_of_its_logarithm_and_bounds_hold() {
    let mut config = ModelConfig::tiny("info-nce");
    config.temperature.learnable = true;
    let model = Model::new(&config, Seed(5), DType::F64, &CPU).unwrap();
    let log = model.temperature.log.clone().unwrap();
    let (molecules, images) = (check::normal(1, &[5, 4]).unwrap(), check::normal(2, &[5, 4]).unwrap());
    let loss = |at: f64| {
        log.assign(&Tensor::new(&[at], &CPU).unwrap()).unwrap();
        model.compare(&molecules, &images).unwrap()
    };
    let value = |at: f64| loss(at).value.to_scalar::<f64>().unwrap();
    let (at, step) = (0.3f64.ln(), 1e-6);
    let numeric = (value(at + step) - value(at - step)) / (2.0 * step);
    let output = loss(at);
    let gradient = model.temperature.log_gradient(&output.tau).unwrap().to_vec1::<f64>().unwrap()[0];
    assert!((gradient - numeric).abs() < 1e-8, "{gradient} for {numeric}");
    for (wild, bound) in [(5.0, 1.0), (-9.0, 0.01)] {
        log.assign(&Tensor::new(&[wild], &CPU).unwrap()).unwrap();
        let tau = |model: &Model| model.temperature.value().unwrap().to_scalar::<f64>().unwrap();
        assert!((tau(&model) - bound).abs() < 1e-12);
        model.temperature.project().unwrap();
        assert!((tau(&model) - bound).abs() < 1e-12);
        assert!((log.tensor().to_vec1::<f64>().unwrap()[0] - f64::ln(bound)).abs() < 1e-12);
    }
    config.temperature.start = 3.0;
    assert!(Model::new(&config, Seed(5), DType::F64, &CPU).is_err());
}

#[test]
fn the_efficient_pna_takes_atoms_without_bonds() {
    let model = Model::new(&ModelConfig::tiny("emm"), Seed(5), DType::F32, &CPU).unwrap();
    let ion = MoleculeGraph { atoms: vec![[5, 0, 0, 5, 0, 0, 0, 0, 0]], edges: vec![], bonds: vec![] };
    let inputs = model.graphs(&[&ion, &ion]).unwrap();
    let encoded = model.encode_molecules(&mut Tape::inference(), &inputs).unwrap();
    assert_eq!(encoded.embedding.dims(), [2, 32]);
    assert!(model.graphs(&[&MoleculeGraph::default()]).is_err());
}

#[test]
fn initial_weights_depend_on_the_seed_alone() {
    let model = |seed| Model::new(&ModelConfig::tiny("emm"), Seed(seed), DType::F32, &CPU).unwrap();
    assert_eq!(parameters(&model(1).params), parameters(&model(1).params));
    assert_ne!(parameters(&model(1).params), parameters(&model(2).params));
}

#[test]
fn settings_are_read_and_unknown_ones_refused() {
    let config: ModelConfig = toml::from_str(
        "channels = 3\nimage = 'resnet18'\n[loss]\nloss = 'imm'\n[molecule.pna]\nhidden = 64\ndepth = 3\n[temperature]\nstart = 1.0",
    )
    .unwrap();
    assert_eq!((config.loss.id(), config.image.shape()), ("imm-code", ResNetConfig::resnet18()));
    let MoleculeEncoderConfig::Pna(pna) = config.molecule else { panic!("a PNA") };
    assert_eq!((pna.hidden, pna.output, pna.momentum), (64, 256, 0.07));
    for text in ["chanels = 3", "[molecule.pna]\nwidth = 3", "image = 'resnet19'", "[image.resnet]\nblock = 'basic'"] {
        assert!(toml::from_str::<ModelConfig>(text).is_err(), "{text}");
    }
    for method in ["clip", "emm", "imm"] {
        for config in [ModelConfig::paper(method), ModelConfig::demo(method), ModelConfig::tiny(method)] {
            assert_eq!(toml::from_str::<ModelConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        }
    }
    let broken = ModelConfig { channels: 0, ..ModelConfig::tiny("clip") };
    assert!(Model::new(&broken, Seed(1), DType::F32, &CPU).is_err());
}
