//! Two processes, played by threads, against one.

use std::sync::atomic::AtomicBool;

use bench_core::Seed;
use bench_nn::Statistics;
use bench_nn::distributed::{Communicator, InProcess};
use bench_train::chunked::chunked;
use bench_train::loader::Minibatch;
use bench_train::observer::Silent;
use bench_train::parallel::Peers;
use bench_train::step::{Outcome, plain};
use bench_train::{Ending, Pace, Training};
use candle_core::{DType, Device};

use crate::data::{described, emm, halves, model, plates, short};
use crate::steps::{difference, minibatch, setting, undropped};

/// The items `range` of a minibatch, as a process that loads only its share would have them.
pub(crate) fn part(whole: &Minibatch, range: std::ops::Range<usize>) -> Minibatch {
    let (compounds, pixels) = whole.part(range.clone());
    let images = whole.images[range.start * whole.views..range.end * whole.views].to_vec();
    Minibatch { compounds: compounds.to_vec(), pixels: pixels.to_vec(), images, ..whole.clone() }
}

#[test]
fn two_processes_have_the_gradients_of_one() {
    let (catalogue, source) = plates(8, 3, 32, 0.5);
    let whole = minibatch(&catalogue, &source, 8);
    for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 1e-5)] {
        let model = undropped("imm", dtype);
        let alone = plain(&setting(&model, &catalogue, Statistics::Running), &whole, Seed(1), None).unwrap();
        for in_chunks in [false, true] {
            let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
                let start = |link: InProcess| {
                    let (whole, catalogue) = (&whole, &catalogue);
                    scope.spawn(move || {
                        let model = undropped("imm", dtype);
                        let link: &dyn Communicator = &link;
                        let peers = Peers::new(link, &Device::Cpu);
                        let own = part(whole, peers.share().of(8).unwrap());
                        let setting = setting(&model, catalogue, Statistics::Running);
                        match in_chunks {
                            false => plain(&setting, &own, Seed(1), Some(&peers)).unwrap(),
                            true => chunked(&setting, &own, 3, Seed(1), Some(&peers)).unwrap(),
                        }
                    })
                };
                let threads: Vec<_> = InProcess::ranks(2).into_iter().map(start).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            for outcome in &outcomes {
                let difference = difference(&model, &alone, outcome);
                assert!(difference < tolerance, "{dtype:?}: {difference}");
            }
        }
    }
}

#[test]
fn two_processes_train_one_model() {
    let (catalogue, source) = plates(12, 3, 28, 0.5);
    let config = short(2);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let endings: Vec<(Ending, Vec<Vec<f32>>)> = std::thread::scope(|scope| {
        let start = |link: InProcess| {
            let (catalogue, source, config) = (&catalogue, &source, &config);
            scope.spawn(move || {
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
                    pace: &Pace::default(),
                    folder,
                    peers: Some(Peers::new(&link, &Device::Cpu)),
                };
                let ending = training.run(&mut Silent, &AtomicBool::new(false)).unwrap();
                let numbers = model.params.iter().map(|p| p.tensor().flatten_all().unwrap().to_vec1().unwrap());
                (ending, numbers.collect())
            })
        };
        let threads: Vec<_> = InProcess::ranks(2).into_iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (first, second) = (&endings[0], &endings[1]);
    assert!(first.1 == second.1, "both end with the same parameters and statistics");
    let histories = [&first.0, &second.0].map(|ending| match ending {
        Ending::Finished(summary) => &summary.history,
        other => panic!("{other:?}"),
    });
    for (a, b) in histories[0].iter().zip(histories[1]) {
        assert_eq!((a.train_loss, a.validation_loss, a.steps), (b.train_loss, b.validation_loss, 2));
    }
}
