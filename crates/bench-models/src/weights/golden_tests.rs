//! Networks at the weights of files that PyTorch wrote, against PyTorch's outputs, gradients and
//! running statistics (`tests/goldens/generators/models_encoders.py`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use bench_chem::{GraphBatch, MoleculeGraph};
use bench_core::Seed;
use bench_nn::{Builder, Tape, Value};
use serde::Deserialize;

use super::*;
use crate::encoders::{
    Block, FingerprintConfig, FingerprintMlp, Gin, GinConfig, GraphInputs, HeadConfig, ImageEncoder, MoleculeEncoder,
    MoleculeInput, MoleculeInputs, Pna, PnaConfig, ProjectionHead, ResNet, ResNetConfig,
};

const CPU: Device = Device::Cpu;

fn golden_path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "goldens", name].iter().collect()
}

/// All tensors of a golden, convolutions in our layout.
fn golden(name: &str) -> BTreeMap<String, Tensor> {
    let bytes = std::fs::read(golden_path(name)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let ours = |tensor: Tensor| if tensor.rank() == 4 { tensor.permute((0, 2, 3, 1)).unwrap() } else { tensor };
    file.iter().map(|(key, view)| (key.to_owned(), ours(to_tensor(&view).unwrap().unwrap()))).collect()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The generator's linear congruential sequence.
fn sequence(count: usize) -> Vec<f64> {
    let mut state = 1u64;
    let next = |_| {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        (state >> 16) as f64 / 32_768.0
    };
    (0..count).map(next).collect()
}

fn tensor(values: Vec<f64>, shape: &[usize], dtype: DType) -> Tensor {
    Tensor::from_vec(values, shape, &CPU).unwrap().to_dtype(dtype).unwrap()
}

#[track_caller]
fn close(what: &str, got: &Tensor, want: &Tensor, tolerance: f64) {
    assert_eq!(got.dims(), want.dims(), "{what}");
    let (got, want) = (numbers(got), numbers(want));
    // A bias before batch normalisation has a gradient of zero up to rounding.
    let floor = if tolerance < 1e-5 { 1e-6 } else { 1e-2 };
    let scale = want.iter().fold(floor, |top: f64, w| top.max(w.abs()));
    for (got, want) in got.into_iter().zip(want) {
        assert!((got - want).abs() <= tolerance * scale, "{what}: {got} for {want}, scale {scale}");
    }
}

/// Compares the network that `build` makes from a weight file with its golden, in both precisions.
fn agrees<N>(
    name: &str,
    build: impl Fn(&Builder) -> N,
    fill: impl Fn(&ParamSet, &Path),
    run: impl Fn(&N, &mut Tape, DType) -> Value,
) {
    let golden = golden(&format!("models_{name}_golden.safetensors"));
    for (dtype, tolerance) in [(DType::F64, 1e-6), (DType::F32, 1e-4)] {
        let builder = Builder::new(Seed(1), dtype, &CPU);
        let network = build(&builder);
        let params = builder.finish();
        fill(&params, &golden_path(&format!("models_{name}.safetensors")));

        let output = run(&network, &mut Tape::inference(), dtype);
        close(&format!("{name} eval"), output.tensor(), &golden["eval"], tolerance);

        let mut tape = Tape::training(Seed(2));
        let output = run(&network, &mut tape, dtype);
        close(&format!("{name} train"), output.tensor(), &golden["train"], tolerance);
        let weights = sequence(output.tensor().elem_count()).into_iter().map(|w| w - 0.5).collect();
        let weights = tensor(weights, output.dims(), dtype);
        let gradients = tape.backward(&[(&output, weights)]).unwrap();
        let mut compared = 0;
        for param in params.iter() {
            let what = format!("{name} {} {dtype:?}", param.name());
            if param.trainable() {
                let want = &golden[&format!("gradient.{}", param.name())];
                close(&what, gradients.param(param).expect(&what), want, tolerance);
            } else {
                close(&what, param.tensor(), &golden[&format!("after.{}", param.name())], tolerance);
            }
            compared += 1;
        }
        assert_eq!(compared + 2, golden.len(), "{name}: the golden has other tensors");
    }
}

fn residual(name: &str, block: Block, depths: [usize; 4], width: usize) {
    let widths = [1, 2, 4, 8].map(|factor| factor * width).to_vec();
    let shape = ResNetConfig { block, depths: depths.to_vec(), widths };
    let images = sequence(6 * 64 * 64 * 5);
    agrees(
        name,
        |builder| ResNet::new(builder, &shape, 5).unwrap(),
        |params, path| {
            let import = import(Source::Torchvision, params, "", path).unwrap();
            assert_eq!(import.loaded, params.len());
            assert!(import.ignored.contains(&"fc.weight".to_owned()));
            assert_eq!(import.notes.len(), 1, "{:?}", import.notes);
        },
        |network, tape, dtype| {
            let images = tape.constant(tensor(images.clone(), &[6, 64, 64, 5], dtype));
            network.forward(tape, &images).unwrap()
        },
    );
}

#[test]
fn resnet18_agrees_with_torchvision() {
    residual("resnet18", Block::Basic, [2, 2, 2, 2], 2);
}

#[test]
fn resnet34_agrees_with_torchvision() {
    residual("resnet34", Block::Basic, [3, 4, 6, 3], 2);
}

#[test]
fn resnet50_agrees_with_torchvision() {
    residual("resnet50", Block::Bottleneck, [1, 2, 1, 1], 4);
}

#[derive(Deserialize)]
struct Graphs {
    graphs: Vec<Graph>,
}

#[derive(Deserialize)]
struct Graph {
    atoms: Vec<[u8; 9]>,
    edges: Vec<[u32; 2]>,
    bonds: Vec<[u8; 3]>,
}

fn graphs(encoder: &dyn MoleculeEncoder, dtype: DType) -> MoleculeInputs {
    let read: Graphs =
        serde_json::from_str(&std::fs::read_to_string(golden_path("models_graphs.json")).unwrap()).unwrap();
    let made: Vec<MoleculeGraph> = (read.graphs.into_iter())
        .map(|graph| MoleculeGraph { atoms: graph.atoms, edges: graph.edges, bonds: graph.bonds })
        .collect();
    let MoleculeInput::Graphs(vocabulary) = encoder.input() else { panic!("reads graphs") };
    let batch = GraphBatch::new(&made.iter().collect::<Vec<_>>());
    MoleculeInputs::Graphs(Box::new(GraphInputs::new(&batch, vocabulary, dtype, &CPU).unwrap()))
}

#[test]
fn pna_agrees_with_pytorch_at_weights_under_the_names_of_3dinfomax() {
    let size = PnaConfig { hidden: 8, depth: 2, output: 6, dropout: 0.0, momentum: 0.07 };
    agrees(
        "pna",
        |builder| Pna::new(builder, size).unwrap(),
        |params, path| {
            let import = import(Source::Infomax, params, "", path).unwrap();
            assert_eq!(import.loaded, params.len());
            assert_eq!(import.notes.len(), 1);
            assert!(import.notes[0].contains("4 rows"), "{:?}", import.notes);
        },
        |network, tape, dtype| network.forward(tape, &graphs(network, dtype)).unwrap(),
    );
}

#[test]
fn gin_agrees_with_pytorch() {
    let size = GinConfig { hidden: 8, depth: 3, dropout: 0.0 };
    agrees(
        "gin",
        |builder| Gin::new(builder, size).unwrap(),
        |params, path| load(params, path).unwrap(),
        |network, tape, dtype| network.forward(tape, &graphs(network, dtype)).unwrap(),
    );
}

#[test]
fn the_fingerprint_perceptron_and_the_head_agree_with_pytorch() {
    let size = FingerprintConfig { bits: 40, widths: vec![12, 8, 6], dropout: 0.0 };
    let bits: Vec<f64> = sequence(7 * 40).into_iter().map(|v| f64::from(u8::from(v > 0.7))).collect();
    agrees(
        "fingerprint",
        |builder| {
            let encoder = FingerprintMlp::new(&builder.within("encoder"), &size).unwrap();
            let head = HeadConfig { embedding: 5, dropout: 0.0 };
            (encoder, ProjectionHead::new(&builder.within("head"), 6, head).unwrap())
        },
        |params, path| load(params, path).unwrap(),
        |(encoder, head), tape, dtype| {
            let molecules = MoleculeInputs::Fingerprints(tensor(bits.clone(), &[7, 40], dtype));
            let features = encoder.forward(tape, &molecules).unwrap();
            head.forward(tape, &features).unwrap()
        },
    );
}

/// A small ResNet-18 and its parameters, below the prefix `image.`.
fn small(channels: usize, widths: [usize; 4]) -> ParamSet {
    let builder = Builder::new(Seed(3), DType::F32, &CPU);
    let shape = ResNetConfig { block: Block::Basic, depths: vec![2; 4], widths: widths.to_vec() };
    ResNet::new(&builder.within("image"), &shape, channels).unwrap();
    builder.finish()
}

#[test]
fn a_stem_of_three_channels_is_repeated_in_turn_and_one_that_fits_is_not() {
    let path = golden_path("models_resnet18.safetensors");
    let [three, five] = [3, 5].map(|channels| {
        let params = small(channels, [2, 4, 8, 16]);
        let import = import(Source::Torchvision, &params, "image.", &path).unwrap();
        assert_eq!(import.notes.is_empty(), channels == 3);
        params.get("image.conv1.weight").unwrap().tensor().clone()
    });
    for (channel, copied) in [(0, 0), (1, 1), (2, 2), (3, 0), (4, 1)] {
        let slice = |tensor: &Tensor, channel| numbers(&tensor.narrow(3, channel, 1).unwrap());
        assert_eq!(slice(&five, channel), slice(&three, copied));
    }
}

#[test]
fn weights_that_do_not_fit_are_all_named_and_nothing_changes() {
    let path = golden_path("models_resnet18.safetensors");
    let params = small(5, [2, 4, 8, 12]);
    let before = to_bytes(&params).unwrap();
    let message = import(Source::Torchvision, &params, "image.", &path).unwrap_err().to_string();
    assert!(
        message.contains("`layer4.0.conv1.weight` has shape [16, 8, 3, 3], which does not fit [12, 3, 3, 8]"),
        "{message}"
    );
    assert!(message.contains("`layer4.1.bn2.running_mean`"), "{message}");
    assert_eq!(before, to_bytes(&params).unwrap());

    let builder = Builder::new(Seed(3), DType::F32, &CPU);
    ResNet::new(
        &builder,
        &ResNetConfig { block: Block::Basic, depths: vec![2, 2, 2, 3], widths: vec![2, 4, 8, 16] },
        5,
    )
    .unwrap();
    let message = import(Source::Torchvision, &builder.finish(), "", &path).unwrap_err().to_string();
    assert!(message.contains("missing `layer4.2.conv1.weight`"), "{message}");

    let builder = Builder::new(Seed(3), DType::F32, &CPU);
    ResNet::new(
        &builder,
        &ResNetConfig { block: Block::Basic, depths: vec![2, 2, 2, 1], widths: vec![2, 4, 8, 16] },
        5,
    )
    .unwrap();
    let message = import(Source::Torchvision, &builder.finish(), "", &path).unwrap_err().to_string();
    assert!(message.contains("unknown `layer4.1.bn1.bias`"), "{message}");
    assert!(!message.contains("fc."), "{message}");

    assert!(load(&params, &path).is_err(), "names of another project in their layout");
    let json = golden_path("models_graphs.json");
    assert!(matches!(load(&params, &json), Err(Error::Safetensors { .. })));
    assert!(matches!(load(&params, &golden_path("absent.safetensors")), Err(Error::File { .. })));
}

#[test]
fn saved_parameters_come_back_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/weights.safetensors");
    let params = small(5, [2, 4, 8, 16]);
    save(&params, &path).unwrap();
    let other = small(5, [2, 4, 8, 16]);
    for param in other.iter() {
        param.assign(&param.tensor().affine(0.5, 1.0).unwrap()).unwrap();
    }
    assert_ne!(to_bytes(&params).unwrap(), to_bytes(&other).unwrap());
    load(&other, &path).unwrap();
    assert_eq!(to_bytes(&params).unwrap(), to_bytes(&other).unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), to_bytes(&params).unwrap());
}
