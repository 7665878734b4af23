//! k-nearest-neighbour classification with linfa's linear search: the slow reference.
//!
//! # What it computes
//! The same votes as [`super::knn`], from neighbours that `linfa-nn` finds among the training
//! rows of each fold.
//!
//! # Formula
//! linfa-nn has no cosine distance. On rows of length one |a - b|^2 = 2 (1 - cos), so the order
//! is the same; two further coordinates, one for a zero query and one for a zero training row,
//! put zero rows at distance 1 from everything, as similarity 0 demands.
//!
//! # Why
//! An independent search with which the fast one is compared, and the library by name for
//! those who want it. Every query sorts all training rows.
//!
//! # Reference
//! linfa-nn 0.8.1, `LinearSearch`.

use bench_core::{Card, Matrix};
use bench_geometry::neighbours::{Metric, Swept, round_cosine, round_square};
use linfa_nn::distance::{Distance, L2Dist};
use linfa_nn::{CommonNearestNeighbour, NearestNeighbour};
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::knn::tally::Tally;
use super::knn::{CARD, KnnSettings, check_input, standardise};
use super::{Probe, ProbeInput, Sink};
use crate::{Error, Fold, Role};

/// The probe, with checked settings.
#[derive(Clone, Copy, Debug)]
pub struct KnnLinfa {
    settings: KnnSettings,
}

impl KnnLinfa {
    /// Checks the settings.
    ///
    /// # Errors
    /// See [`KnnSettings::check`].
    pub fn new(settings: KnnSettings) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings })
    }

    /// Numbers of the votes of a fold's test rows.
    fn vote(&self, matrix: &Matrix, fold: &Fold, tally: &Tally<'_>, class: &[u32]) -> Result<Swept, Error> {
        let train = fold.rows(Role::Train);
        if train.is_empty() {
            return Ok(Swept::default());
        }
        let refuse = |why: String| Error::Probe { probe: CARD.id.to_owned(), why };
        let metric = self.settings.metric;
        let points = Array2::from_shape_vec(
            (train.len(), matrix.cols() + 2),
            train.iter().flat_map(|&row| coordinates(matrix.row(row as usize), metric, Role::Train)).collect(),
        )
        .map_err(|source| refuse(source.to_string()))?;
        let index = CommonNearestNeighbour::LinearSearch
            .from_batch(&points, L2Dist)
            .map_err(|source| refuse(source.to_string()))?;
        let kept = fold
            .rows(Role::Test)
            .into_par_iter()
            .map(|row| {
                let query = Array1::from(coordinates(matrix.row(row as usize), metric, Role::Test));
                let k = self.settings.k.min(train.len());
                let mut asked = k + 1;
                loop {
                    let found = index.k_nearest(query.view(), asked).map_err(|source| refuse(source.to_string()))?;
                    let mut nearest: Vec<(f64, u32)> = found
                        .iter()
                        .map(|(point, at)| (ordering(L2Dist.rdistance(query.view(), point.view()), metric), train[*at]))
                        .collect();
                    let boundary = nearest[k - 1].0;
                    let is_whole = nearest.len() == train.len() || nearest[nearest.len() - 1].0 > boundary;
                    if !is_whole {
                        asked *= 4;
                        continue;
                    }
                    nearest.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                    nearest.truncate(nearest.partition_point(|entry| entry.0 <= boundary));
                    let rows: Vec<u32> = nearest.iter().map(|entry| entry.1).collect();
                    if rows.len() == k {
                        return Ok(tally.count(&rows, k, &[]));
                    }
                    let certain = nearest.partition_point(|entry| entry.0 < boundary);
                    return Ok(tally.count(&rows[..k], certain, &histogram(&rows[certain..], class)));
                }
            })
            .collect::<Result<Vec<u32>, Error>>()?;
        Ok(Swept { train_rows: train.len(), kept })
    }
}

impl Probe for KnnLinfa {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn backend(&self) -> &'static str {
        "linfa"
    }

    fn run(
        &self,
        input: ProbeInput<'_>,
        folds: &[&Fold],
        tick: &(dyn Fn(usize, usize) + Sync),
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        check_input(input, folds)?;
        check_finite(input.matrix)?;
        for (number, fold) in folds.iter().enumerate() {
            let tally = Tally::new(input, self.settings.ties);
            let scaled =
                self.settings.standardise.then(|| standardise::z_scores(input.matrix, &fold.rows(Role::Train)));
            let swept = self.vote(scaled.as_ref().unwrap_or(input.matrix), fold, &tally, input.class)?;
            tally.close().hand_over(number, fold, &swept, sink);
            tick(number + 1, folds.len());
        }
        Ok(())
    }
}

/// linfa-nn panics on values that are not finite.
fn check_finite(matrix: &Matrix) -> Result<(), Error> {
    match matrix.data().iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::Probe {
            probe: CARD.id.to_owned(),
            why: format!("row `{}`, column `{}` is not finite", at / matrix.cols(), at % matrix.cols()),
        }),
    }
}

/// A row as a point whose Euclidean distances order rows as the metric does, `[d + 2]`.
fn coordinates(row: &[f32], metric: Metric, role: Role) -> Vec<f64> {
    let mut point: Vec<f64> = row.iter().map(|&x| f64::from(x)).chain([0.0, 0.0]).collect();
    if metric == Metric::Cosine {
        let length = point.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > 0.0 {
            point.iter_mut().for_each(|x| *x /= length);
        } else {
            point[row.len() + usize::from(role == Role::Train)] = 1.0;
        }
    }
    point
}

fn ordering(square: f64, metric: Metric) -> f64 {
    match metric {
        Metric::Cosine => round_cosine(square / 2.0),
        Metric::Euclidean => round_square(square),
    }
}

fn histogram(rows: &[u32], class: &[u32]) -> Vec<(u32, u32)> {
    let mut counts = std::collections::BTreeMap::new();
    for &row in rows {
        *counts.entry(class[row as usize]).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use bench_core::Seed;

    use super::super::Fitted;
    use super::super::knn::{Knn, VoteTies};
    use super::*;

    fn run(probe: &dyn Probe, input: ProbeInput<'_>, folds: &[&Fold]) -> Vec<Result<Fitted, String>> {
        let mut results = Vec::new();
        probe
            .run(input, folds, &|_, _| (), &mut |fold, fitted| {
                assert_eq!(fold, results.len(), "folds come in order");
                results.push(fitted);
            })
            .unwrap();
        results
    }

    #[test]
    fn both_back_ends_give_the_same_votes() {
        let (n, d, classes) = (90, 4, 3);
        for seed in 0..24 {
            let mut stream = Seed(seed).stream();
            let mut data: Vec<f32> = (0..n * d).map(|_| stream.normal() as f32).collect();
            if seed % 2 == 0 {
                // Small whole numbers: repeated rows, zero rows and many equal distances.
                data.iter_mut().for_each(|x| *x = x.clamp(-1.2, 1.2).round());
            }
            let matrix = Matrix::new(n, d, data);
            let class: Vec<u32> = (0..n).map(|_| stream.below(classes) as u32).collect();
            let roles = [Role::Unused, Role::Train, Role::Train, Role::Test];
            let folds: Vec<Fold> = (0..4)
                .map(|repeat| Fold {
                    repeat,
                    seed: 0,
                    held_out: Vec::new(),
                    roles: (0..n)
                        .map(|row| match repeat {
                            3 => [Role::Test, Role::Unused][row % 2],
                            2 => {
                                if row < 4 {
                                    Role::Train
                                } else {
                                    Role::Test
                                }
                            }
                            _ => roles[stream.below(4)],
                        })
                        .collect(),
                })
                .collect();
            let folds: Vec<&Fold> = folds.iter().collect();
            let input = ProbeInput { matrix: &matrix, class: &class, classes, name_rank: &[2, 0, 1] };
            for (metric, ties, k, standardise) in [
                (Metric::Cosine, VoteTies::Expected, 3, false),
                (Metric::Cosine, VoteTies::LowestClass, 3, false),
                (Metric::Euclidean, VoteTies::Expected, 5, false),
                (Metric::Euclidean, VoteTies::LowestClass, 1, true),
            ] {
                let settings = KnnSettings { k, metric, ties, standardise };
                let fast = run(&Knn::new(settings).unwrap(), input, &folds);
                let slow = run(&KnnLinfa::new(settings).unwrap(), input, &folds);
                assert_eq!(fast.len(), folds.len());
                assert_eq!(fast[3].as_ref().unwrap_err(), "no training rows");
                for (fast, slow) in fast.iter().zip(&slow) {
                    match (fast, slow) {
                        (Ok(fast), Ok(slow)) => {
                            assert_eq!(fast.predictions, slow.predictions, "seed {seed} {settings:?}");
                            assert_eq!(fast.diagnostics, slow.diagnostics);
                        }
                        (Err(fast), Err(slow)) => assert_eq!(fast, slow),
                        _ => panic!("one back end fitted, the other did not"),
                    }
                }
            }
        }
    }
}
