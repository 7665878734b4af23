//! Whole trainings: history, best and last checkpoint, early stopping, faults in the data.

use std::sync::atomic::AtomicBool;

use bench_core::Seed;
use bench_train::catalogue::Structure;
use bench_train::checkpoint::Checkpoint;
use bench_train::embed::embed_molecules;
use bench_train::observer::{EpochRecord, Silent, StepReport};
use bench_train::{Ending, Error, ImageId, ImageSource, Observer, Pace, Result, Summary, View, load_weights};
use candle_core::DType;

use crate::data::{checkpoints, emm, finish, model, plates, run, short};

fn summary(ending: Ending) -> Summary {
    match ending {
        Ending::Finished(summary) => summary,
        other => panic!("{other:?}"),
    }
}

#[derive(Default)]
struct Notes {
    steps: Vec<StepReport>,
    epochs: Vec<EpochRecord>,
    written: usize,
}

impl Observer for Notes {
    fn step(&mut self, report: &StepReport) {
        self.steps.push(report.clone());
    }
    fn epoch(&mut self, record: &EpochRecord) {
        self.epochs.push(record.clone());
    }
    fn checkpoint(&mut self, _: &std::path::Path) {
        self.written += 1;
    }
}

#[test]
fn a_fit_tells_its_history_and_a_second_run_does_no_work() {
    let (catalogue, source) = plates(12, 3, 28, 0.5);
    let folder = tempfile::tempdir().unwrap();
    let (config, pace, never) = (short(3), Pace::default(), AtomicBool::new(false));
    let mut notes = Notes::default();
    let (_, ending) = run((&catalogue, &source), &config, &pace, folder.path(), &mut notes, &never).unwrap();
    let summary = summary(ending);
    assert_eq!(summary.history, notes.epochs);
    assert_eq!(summary.history.len(), 3);
    // Ten compounds to train on, four at a time, two of them left over.
    for (number, record) in summary.history.iter().enumerate() {
        assert_eq!((record.epoch, record.steps, record.images, record.left_out), (number, 2, 16, 2));
        assert!(record.train_loss.unwrap().is_finite() && record.validation_loss.unwrap().is_finite());
        assert!(record.skipped.is_empty() && record.lost.is_empty());
    }
    assert_eq!(notes.steps.len(), 6);
    assert!(notes.steps.iter().all(|step| step.gradient_norm.unwrap() > 0.0 && step.batches == 2));
    let best = summary.best.unwrap();
    let least = summary.history.iter().map(|r| r.validation_loss.unwrap()).fold(f64::INFINITY, f64::min);
    assert_eq!((best.loss, summary.history[best.epoch].validation_loss), (least, Some(least)));
    let before = checkpoints(folder.path());
    let mut again = Notes::default();
    let (_, ending) = run((&catalogue, &source), &config, &pace, folder.path(), &mut again, &never).unwrap();
    assert_eq!(self::summary(ending), summary);
    assert_eq!((again.steps.len(), again.written), (0, 0));
    assert!(checkpoints(folder.path()) == before);
}

#[test]
fn patience_ends_a_training_that_gets_no_better() {
    let (catalogue, source) = plates(12, 3, 32, 0.5);
    let folder = tempfile::tempdir().unwrap();
    let mut config = short(40);
    // A rate far too large: the validation loss is soon at its best.
    config.optimiser.lr = 0.3;
    config.patience = Some(2);
    let summary = summary(finish((&catalogue, &source), &config, &Pace::default(), folder.path()).1);
    assert!(summary.stopped_early && summary.history.len() < 40, "{}", summary.history.len());
    assert_eq!(summary.history.len(), summary.best.unwrap().epoch + 1 + 2);
}

#[test]
fn prefetching_and_chunks_of_the_whole_minibatch_change_no_bit() {
    let (catalogue, source) = plates(12, 3, 28, 0.5);
    let with = |prefetch, loader_threads| {
        let folder = tempfile::tempdir().unwrap();
        let pace = Pace { prefetch, loader_threads, ..Pace::default() };
        finish((&catalogue, &source), &short(2), &pace, folder.path());
        checkpoints(folder.path())
    };
    assert!(with(0, 1) == with(3, 2));
}

#[test]
fn averaged_weights_are_those_that_a_checkpoint_gives() {
    let (catalogue, source) = plates(12, 3, 32, 0.5);
    let folder = tempfile::tempdir().unwrap();
    let summary = summary(finish((&catalogue, &source), &short(2), &Pace::default(), folder.path()).1);
    let structures: Vec<&Structure> = catalogue.compounds().iter().map(|compound| &compound.structure).collect();
    let fresh = model(&emm(), DType::F32);
    load_weights(&fresh.params, &summary.last).unwrap();
    let stored = Checkpoint::read(&summary.last).unwrap();
    for param in fresh.params.iter() {
        let numbers = |name: String| stored.tensors[&name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let own: Vec<f32> = param.tensor().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(own, numbers(format!("state/average.{}", param.name())));
        if param.trainable() {
            assert_ne!(own, numbers(param.name().to_owned()), "`{}`", param.name());
        }
    }
    assert_eq!(embed_molecules(&fresh, &structures, 4).unwrap().rows(), 12);
    // Another network does not take them.
    let mut other = emm();
    other.head.embedding = 16;
    let error = load_weights(&model(&other, DType::F32).params, &summary.last).unwrap_err().to_string();
    assert!(error.contains("image_head.linear1.weight"), "{error}");
}

#[test]
fn a_checkpoint_of_another_training_is_refused_by_name() {
    let (catalogue, source) = plates(12, 3, 32, 0.5);
    let folder = tempfile::tempdir().unwrap();
    finish((&catalogue, &source), &short(1), &Pace::default(), folder.path());
    let never = AtomicBool::new(false);
    let mut config = short(1);
    config.optimiser.weight_decay = 0.01;
    let refused = |data, config| {
        let error = run(data, config, &Pace::default(), folder.path(), &mut Silent, &never).unwrap_err();
        assert!(matches!(error, Error::CheckpointMismatch { .. }));
        error.to_string()
    };
    let message = refused((&catalogue, &source as &dyn ImageSource), &config);
    assert!(message.contains("`config.optimiser.weight-decay` is `0.05` there and `0.01` here"), "{message}");
    let (other, images) = plates(11, 3, 32, 0.5);
    let message = refused((&other, &images), &short(1));
    assert!(message.contains("`data` is"), "{message}");
}

/// Spoils images of chosen numbers.
struct Spoilt<'a> {
    source: &'a dyn ImageSource,
    unreadable: Vec<u32>,
    infinite: Vec<u32>,
}

impl ImageSource for Spoilt<'_> {
    fn shape(&self) -> [usize; 3] {
        self.source.shape()
    }
    fn load(&self, image: ImageId, view: View) -> Result<Vec<f32>> {
        if self.unreadable.contains(&image.0) {
            return Err(Error::Image { image: image.0.to_string(), reason: "truncated".to_owned() });
        }
        let mut pixels = self.source.load(image, view)?;
        if self.infinite.contains(&image.0) && matches!(view, View::Training(_)) {
            pixels[0] = f32::NAN;
        }
        Ok(pixels)
    }
}

#[test]
fn compounds_that_cannot_be_loaded_are_replaced_and_named() {
    let (catalogue, source) = plates(12, 3, 32, 0.5);
    let folder = tempfile::tempdir().unwrap();
    // Two of three images of compound 0: no two views are left.
    let spoilt = Spoilt { source: &source, unreadable: vec![0, 1], infinite: vec![] };
    let summary = summary(finish((&catalogue, &spoilt), &short(3), &Pace::default(), folder.path()).1);
    let lost: Vec<_> = summary.history.iter().flat_map(|record| &record.lost).collect();
    assert!(!lost.is_empty());
    for lost in lost {
        assert_eq!(lost.compound, "compound 00");
        assert!(lost.reason.starts_with("read image `") && lost.reason.ends_with("`: truncated"), "{}", lost.reason);
        assert!(lost.replaced_by.is_some());
    }
    assert!(summary.history.iter().all(|record| record.steps == 2));
    assert!(summary.history.iter().map(|record| record.unreadable).sum::<u64>() >= 2);
}

#[test]
fn a_step_that_is_not_finite_changes_nothing_and_is_named() {
    let (catalogue, source) = plates(12, 3, 32, 0.5);
    let folder = tempfile::tempdir().unwrap();
    // Every image of compound 3: one minibatch of an epoch, or none if it is left over.
    let spoilt = Spoilt { source: &source, unreadable: vec![], infinite: vec![9, 10, 11] };
    let (model, ending) = finish((&catalogue, &spoilt), &short(4), &Pace::default(), folder.path());
    let summary = summary(ending);
    let skipped: Vec<_> = summary.history.iter().flat_map(|record| &record.skipped).collect();
    assert!(!skipped.is_empty());
    assert!(skipped.iter().all(|skipped| skipped.reason == "the loss is NaN"), "{skipped:?}");
    assert!(summary.history.iter().all(|record| record.steps + record.skipped.len() as u64 == 2));
    for param in model.params.iter() {
        let numbers: Vec<f32> = param.tensor().flatten_all().unwrap().to_vec1().unwrap();
        assert!(numbers.iter().all(|number| number.is_finite()), "`{}`", param.name());
    }
    // Nothing but such steps is an error, not an endless loop.
    let hopeless = Spoilt { source: &source, unreadable: vec![], infinite: (0..36).collect() };
    let folder = tempfile::tempdir().unwrap();
    let never = AtomicBool::new(false);
    let error = run((&catalogue, &hopeless), &short(2), &Pace::default(), folder.path(), &mut Silent, &never);
    assert_eq!(error.unwrap_err().to_string(), "no step of epoch `0` could be done: the loss is NaN");
}

#[test]
fn a_loss_refuses_views_that_it_does_not_take() {
    let (catalogue, source) = plates(12, 3, 32, 0.5);
    let folder = tempfile::tempdir().unwrap();
    let model = bench_models::Model::new(
        &bench_models::ModelConfig::tiny("clip"),
        Seed(1),
        DType::F32,
        &candle_core::Device::Cpu,
    )
    .unwrap();
    let (train, described, config) = (crate::data::all(&catalogue), crate::data::described(), short(1));
    let training = bench_train::Training {
        model: &model,
        catalogue: &catalogue,
        source: &source,
        train: &train,
        validation: &[],
        config: &config,
        described: &described,
        pace: &Pace::default(),
        folder: folder.path(),
        peers: None,
    };
    let error = training.run(&mut Silent, &AtomicBool::new(false)).unwrap_err().to_string();
    assert_eq!(error, "`sampler.views` is `2`, which the loss `nt-xent` does not take");
}

#[test]
fn every_kind_of_molecule_tower_is_fed() {
    use bench_models::MoleculeEncoderConfig::{Fingerprint, Gin};
    use bench_models::encoders::{FingerprintConfig, GinConfig};
    let structure = |smiles: &str| Structure::read(smiles, bench_chem::Sanitisation::Rdkit, true).unwrap();
    let structures: Vec<Structure> = crate::data::SMILES.iter().map(|smiles| structure(smiles)).collect();
    let structures: Vec<&Structure> = structures.iter().collect();
    for molecule in [Gin(GinConfig { hidden: 8, depth: 2, dropout: 0.1 }), Fingerprint(FingerprintConfig::default())] {
        let config = bench_models::ModelConfig { molecule, ..emm() };
        let model = model(&config, DType::F32);
        let (all, halves) = (embed_molecules(&model, &structures, 12), embed_molecules(&model, &structures, 6));
        let (all, halves) = (all.unwrap(), halves.unwrap());
        assert_eq!((all.rows(), all.cols()), (12, 32));
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
        assert!(all.data().iter().zip(halves.data()).all(close), "a molecule's embedding is its own");
    }
}
