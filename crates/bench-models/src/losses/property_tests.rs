//! What every loss must obey, whatever the embeddings.

use bench_core::Seed;
use candle_core::{DType, Device, Tensor};

use super::nt_xent::NtXent;
use super::*;

const CPU: Device = Device::Cpu;

/// Every loss, each of its variants once, and one with regularisers.
fn all() -> Vec<(String, Box<dyn Loss>)> {
    let mut configs = Vec::new();
    for loss in ["nt-xent", "info-nce"] {
        for direction in [Direction::ImageToMolecule, Direction::MoleculeToImage] {
            configs.push(LossConfig { direction, ..LossConfig::of(loss) });
        }
    }
    configs.extend(["symmetric", "emm-code", "emm-paper", "imm-code"].map(LossConfig::of));
    for pairs in [Pairs::Upper, Pairs::Distinct, Pairs::All] {
        configs.push(LossConfig { pairs, ..LossConfig::of("imm-paper") });
    }
    configs.into_iter().map(|config| (format!("{config:?}"), config.build().unwrap())).collect()
}

fn views_of(loss: &dyn Loss) -> usize {
    if loss.views() == Views::One { 1 } else { 3 }
}

fn normal(shape: &[usize], seed: u64) -> Tensor {
    let mut stream = Seed(seed).stream();
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| stream.normal()).collect();
    Tensor::from_vec(values, shape, &CPU).unwrap()
}

fn random(n: usize, m: usize, d: usize, tau: f64, seed: u64) -> Embeddings {
    Embeddings {
        molecules: normal(&[n, d], seed),
        images: normal(&[n, m, d], seed + 1000),
        tau: Tensor::new(tau, &CPU).unwrap(),
    }
}

fn number(tensor: &Tensor) -> f64 {
    tensor.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

fn value(loss: &dyn Loss, batch: &Embeddings) -> f64 {
    number(&loss.value(batch).unwrap())
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn rows(tensor: &Tensor, order: &[u32], dim: usize) -> Tensor {
    tensor.index_select(&Tensor::new(order, &CPU).unwrap(), dim).unwrap()
}

#[track_caller]
fn near(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{got} for {want}");
}

#[test]
fn a_loss_does_not_depend_on_the_order_of_compounds_or_the_length_of_embeddings() {
    for (name, loss) in all() {
        let batch = random(6, views_of(&*loss), 5, 0.3, 1);
        let expected = value(&*loss, &batch);
        let order = [3, 0, 5, 1, 4, 2];
        let shuffled = Embeddings {
            molecules: rows(&batch.molecules, &order, 0),
            images: rows(&batch.images, &order, 0),
            ..batch.clone()
        };
        near(value(&*loss, &shuffled), expected, 1e-12);
        let factors = Tensor::new(&[0.1, 2.0, 30.0, 0.5, 7.0, 1e3], &CPU).unwrap().reshape((6, 1)).unwrap();
        let scaled = Embeddings {
            molecules: batch.molecules.broadcast_mul(&factors).unwrap(),
            images: batch.images.broadcast_mul(&factors.reshape((6, 1, 1)).unwrap()).unwrap(),
            ..batch
        };
        assert!((value(&*loss, &scaled) - expected).abs() < 1e-12, "{name}");
    }
}

#[test]
fn coinciding_embeddings_give_the_logarithm_of_the_number_of_candidates() {
    for (n, tau) in [(2, 1.0), (16, 0.5), (64, 0.01)] {
        for (name, loss) in all() {
            let m = views_of(&*loss);
            let same = Embeddings {
                molecules: Tensor::ones((n, 4), DType::F64, &CPU).unwrap(),
                images: Tensor::ones((n, m, 4), DType::F64, &CPU).unwrap(),
                tau: Tensor::new(tau, &CPU).unwrap(),
            };
            let decoupled = ((n - 1) as f64).ln();
            let want = match loss.card().id {
                "info-nce" | "symmetric" => (n as f64).ln(),
                "imm-code" => 4.5 * decoupled,
                "imm-paper" => 1.5 * decoupled,
                _ => decoupled,
            };
            let got = value(&*loss, &same);
            assert!((got - want).abs() < 1e-9, "{name}: {got} for {want}");
            let output = loss.evaluate(&same).unwrap();
            for gradient in [&output.molecules, &output.images, &output.tau] {
                assert!(numbers(gradient).iter().all(|g| g.is_finite()), "{name}");
            }
        }
    }
}

#[test]
fn values_and_gradients_are_finite_in_single_precision_at_the_least_temperature() {
    for (name, loss) in all() {
        let batch = random(32, views_of(&*loss), 8, 0.01, 5);
        let exact = loss.evaluate(&batch).unwrap();
        let single = Embeddings {
            molecules: batch.molecules.to_dtype(DType::F32).unwrap(),
            images: batch.images.to_dtype(DType::F32).unwrap(),
            tau: batch.tau.clone(),
        };
        let output = loss.evaluate(&single).unwrap();
        assert_eq!(output.images.dtype(), DType::F32);
        near(number(&output.value), number(&exact.value), 1e-5);
        for (gradient, exact) in [(&output.molecules, &exact.molecules), (&output.images, &exact.images)] {
            let exact = numbers(exact);
            let scale = exact.iter().fold(0f64, |top, g| top.max(g.abs()));
            for (got, want) in numbers(gradient).into_iter().zip(exact) {
                assert!((got - want).abs() < 1e-4 * scale, "{name}: {got} for {want}");
            }
        }
    }
}

#[test]
fn a_zero_vector_has_similarity_zero_and_no_gradient() {
    for (name, loss) in all() {
        let batch = random(4, views_of(&*loss), 3, 0.2, 9);
        let keep = Tensor::new(&[1.0, 0.0, 1.0, 1.0], &CPU).unwrap();
        let zeroed = Embeddings {
            molecules: batch.molecules.broadcast_mul(&keep.reshape((4, 1)).unwrap()).unwrap(),
            images: batch.images.broadcast_mul(&keep.reshape((4, 1, 1)).unwrap()).unwrap(),
            ..batch
        };
        let output = loss.evaluate(&zeroed).unwrap();
        assert!(number(&output.value).is_finite(), "{name}");
        assert!(numbers(&output.molecules).iter().chain(&numbers(&output.images)).all(|g| g.is_finite()), "{name}");
        assert!(numbers(&output.molecules.get(1).unwrap()).iter().all(|&g| g == 0.0), "{name}");
        assert!(numbers(&output.images.get(1).unwrap()).iter().all(|&g| g == 0.0), "{name}");
    }
}

#[test]
fn gradients_equal_central_differences() {
    let step = 1e-5;
    let mut losses = all();
    for normalise in [true, false] {
        let regulariser = Some(Regulariser { normalise, ..Regulariser::default() });
        let config = LossConfig { regulariser, ..LossConfig::of("emm-code") };
        losses.push((format!("{config:?}"), config.build().unwrap()));
    }
    for (name, loss) in losses {
        let batch = random(4, views_of(&*loss), 3, 0.4, 21);
        let output = loss.evaluate(&batch).unwrap();
        for (slot, gradient) in [&output.molecules, &output.images, &output.tau].into_iter().enumerate() {
            for (at, got) in numbers(gradient).into_iter().enumerate() {
                let moved = |by: f64| {
                    let mut changed = batch.clone();
                    let target =
                        [&mut changed.molecules, &mut changed.images, &mut changed.tau].into_iter().nth(slot).unwrap();
                    let mut entries = numbers(target);
                    entries[at] += by;
                    *target = Tensor::from_vec(entries, target.dims(), &CPU).unwrap();
                    value(&*loss, &changed)
                };
                let want = (moved(step) - moved(-step)) / (2.0 * step);
                assert!((got - want).abs() < 1e-7 * want.abs().max(1.0), "{name} input {slot}[{at}]: {got} for {want}");
            }
        }
    }
}

#[test]
fn with_one_view_every_multi_view_loss_is_nt_xent_from_molecule_to_image() {
    let batch = random(7, 1, 4, 0.3, 33);
    let nt_xent = NtXent { direction: Direction::MoleculeToImage };
    let expected = nt_xent.evaluate(&batch).unwrap();
    for loss in ["emm-code", "emm-paper", "imm-code"] {
        let output = LossConfig::of(loss).build().unwrap().evaluate(&batch).unwrap();
        near(number(&output.value), number(&expected.value), 1e-12);
        for (got, want) in numbers(&output.images).into_iter().zip(numbers(&expected.images)) {
            near(got, want, 1e-12);
        }
    }
}

#[test]
fn imm_is_emm_times_the_views_plus_the_pairs_of_images() {
    let batch = random(6, 3, 5, 0.5, 41);
    for lambda in [0.0, 0.5, 2.0] {
        let imm = LossConfig { lambda, ..LossConfig::of("imm-code") }.build().unwrap();
        let emm = LossConfig::of("emm-code").build().unwrap();
        let mut expected = 3.0 * value(&*emm, &batch);
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let pair = Embeddings {
                molecules: batch.images.narrow(1, b, 1).unwrap().squeeze(1).unwrap(),
                images: batch.images.narrow(1, a, 1).unwrap(),
                tau: batch.tau.clone(),
            };
            expected += lambda * value(&NtXent { direction: Direction::ImageToMolecule }, &pair);
        }
        near(value(&*imm, &batch), expected, 1e-12);
    }
}

#[test]
fn the_papers_emm_with_identical_views_is_the_codes() {
    let batch = random(6, 1, 5, 0.2, 51);
    let images = batch.images.repeat((1, 4, 1)).unwrap();
    let repeated = Embeddings { images, ..batch };
    let value = |id: &str| value(&*LossConfig::of(id).build().unwrap(), &repeated);
    near(value("emm-paper"), value("emm-code"), 1e-12);
}

#[test]
fn the_order_of_views_matters_to_the_codes_emm_only_within_a_compound() {
    let batch = random(5, 3, 4, 0.3, 61);
    let jointly = Embeddings { images: rows(&batch.images, &[2, 0, 1], 1), ..batch.clone() };
    let first = rows(&batch.images.narrow(0, 0, 1).unwrap(), &[2, 0, 1], 1);
    let rest = batch.images.narrow(0, 1, 4).unwrap();
    let alone = Embeddings { images: Tensor::cat(&[&first, &rest], 0).unwrap(), ..batch.clone() };
    for (id, depends) in [("emm-code", true), ("emm-paper", false)] {
        let loss = LossConfig::of(id).build().unwrap();
        near(value(&*loss, &jointly), value(&*loss, &batch), 1e-12);
        assert_eq!((value(&*loss, &alone) - value(&*loss, &batch)).abs() > 1e-6, depends, "{id}");
    }
}

#[test]
fn brain_floats_are_computed_in_single_precision_and_come_back_as_brain_floats() {
    let batch = random(6, 3, 8, 0.5, 71);
    let to = |dtype| Embeddings {
        molecules: batch.molecules.to_dtype(DType::BF16).unwrap().to_dtype(dtype).unwrap(),
        images: batch.images.to_dtype(DType::BF16).unwrap().to_dtype(dtype).unwrap(),
        tau: batch.tau.clone(),
    };
    let loss = LossConfig::of("imm").build().unwrap();
    let (short, long) = (loss.evaluate(&to(DType::BF16)).unwrap(), loss.evaluate(&to(DType::F32)).unwrap());
    assert_eq!((short.value.dtype(), short.images.dtype(), short.tau.dtype()), (DType::F32, DType::BF16, DType::F32));
    assert_eq!(number(&short.value), number(&long.value));
}

#[test]
fn a_minibatch_that_does_not_fit_is_refused() {
    let emm = LossConfig::of("emm").build().unwrap();
    let clip = LossConfig::of("clip").build().unwrap();
    let imm = LossConfig { imm_variant: ImmVariant::Paper, ..LossConfig::of("imm") }.build().unwrap();
    assert!(emm.value(&random(1, 3, 4, 0.5, 1)).is_err(), "one compound has no negatives");
    assert!(clip.value(&random(4, 3, 4, 0.5, 1)).is_err(), "three views");
    assert!(imm.value(&random(4, 1, 4, 0.5, 1)).is_err(), "one view has no pair");
    let batch = random(4, 3, 4, 0.5, 1);
    let narrow = Embeddings { molecules: normal(&[4, 3], 1), ..batch.clone() };
    assert!(emm.value(&narrow).is_err());
    let message = emm.value(&Embeddings { molecules: normal(&[3, 4], 1), ..batch }).unwrap_err().to_string();
    assert!(message.contains("`emm-code` needs molecules [n, d]"), "{message}");
}

#[test]
fn losses_are_found_by_method_variant_and_id() {
    for entry in LOSSES {
        let loss = LossConfig::of(entry.card.id).build().unwrap();
        assert_eq!(loss.card().id, entry.card.id);
    }
    let config: LossConfig =
        toml::from_str("loss = 'imm'\nimm-variant = 'paper'\npairs = 'all'\ngamma = 0.25").unwrap();
    assert_eq!((config.id(), config.gamma, config.pairs), ("imm-paper", 0.25, Pairs::All));
    assert_eq!(LossConfig::of("clip").id(), "nt-xent");
    assert_eq!(LossConfig::of("emm").id(), "emm-code");
    assert!(toml::from_str::<LossConfig>("gama = 1").is_err());
    assert!(LossConfig { lambda: -1.0, ..LossConfig::of("imm") }.build().is_err());
    let message = LossConfig::of("emm-coed").build().unwrap_err().to_string();
    assert_eq!(message, "unknown loss `emm-coed`; did you mean `emm-code`?");
}

#[test]
fn gradients_have_the_same_bits_at_one_and_two_threads() {
    for (name, loss) in all() {
        let batch = random(96, views_of(&*loss), 64, 0.1, 81);
        let batch = Embeddings {
            molecules: batch.molecules.to_dtype(DType::F32).unwrap(),
            images: batch.images.to_dtype(DType::F32).unwrap(),
            ..batch
        };
        let at = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let output = loss.evaluate(&batch).unwrap();
                (number(&output.value), numbers(&output.molecules), numbers(&output.images))
            })
        };
        assert!(at(1) == at(2), "{name}");
    }
}
