//! Scores of one embedding with one probe: fit all folds together, evaluate each as it comes.

use bench_core::record::{ClassScore, Confusion, CorrectionChoice, FitInfo, GroupScore};
use bench_core::{Factor, Layout, Matrix, Score};
use bench_data::{Column, ColumnValues};
use bench_eval::aggregate::{Clusters, Outcomes, Tally};
use bench_eval::metric::group::GroupTally;
use bench_eval::metric::{self, Evaluated, Metric};
use bench_eval::probe::{Diagnostics, Fitted, Probe, ProbeInput};
use bench_eval::{Error as EvalError, Fold, Predictions, Role, SplitSet};
use serde::{Deserialize, Serialize};

/// Most classes for which confusion matrices are kept; beyond, a record would be mostly zeros.
pub const CONFUSION_CLASSES: usize = 100;

/// What a probe of one embedding gives.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProbeResult {
    /// Raw scores.
    pub scores: Vec<Score>,
    /// Per class.
    pub per_class: Vec<ClassScore>,
    /// Per held-out group.
    pub per_group: Vec<GroupScore>,
    /// Confusion matrices.
    pub confusion: Vec<Confusion>,
    /// How the fits went.
    pub fits: Vec<FitInfo>,
    /// Correctness per unit, for intervals and tests.
    pub outcomes: Vec<Outcomes>,
    /// Settings of the correction that inner folds chose.
    #[serde(default)]
    pub choices: Vec<CorrectionChoice>,
}

/// What is scored, apart from the embedding.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Origin of the rows.
    pub layout: &'a Layout,
    /// Label column.
    pub column: &'a str,
    /// Answers.
    pub label: &'a Factor,
    /// Units of the bootstrap.
    pub clusters: &'a Clusters,
    /// Metrics.
    pub metrics: &'a [Box<dyn Metric>],
}

/// Who is scored and how it is named.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Model or control.
    pub model: &'a str,
    /// Features of it.
    pub matrix: &'a Matrix,
    /// Whether breakdowns (per class, per group, confusion, predictions) are kept.
    pub detailed: bool,
}

/// Fits `probe` on every fold of `sets` and evaluates it. `predictions` collects rows for the
/// predictions file of a detailed subject.
///
/// # Errors
/// A probe that cannot run at all; a fold that cannot be fitted becomes scores with a reason.
pub fn score(
    task: Task<'_>,
    subject: Subject<'_>,
    probe: &dyn Probe,
    sets: &[&SplitSet],
    tick: &(dyn Fn(usize, usize) + Sync),
    mut predictions: Option<&mut PredictionRows>,
) -> Result<ProbeResult, EvalError> {
    let mut result = ProbeResult::default();
    let folds: Vec<&Fold> = sets.iter().flat_map(|set| &set.folds).collect();
    let place: Vec<(usize, usize)> =
        sets.iter().enumerate().flat_map(|(s, set)| (0..set.folds.len()).map(move |f| (s, f))).collect();
    let name_rank = task.label.name_ranks();
    let input = ProbeInput {
        matrix: subject.matrix,
        class: &task.label.codes,
        classes: task.label.level_count(),
        name_rank: &name_rank,
    };
    let mut open: Option<OpenSet<'_>> = None;
    for set in sets.iter().filter(|set| set.folds.is_empty()) {
        missing(&mut result, task, subject, probe, set);
    }
    probe.run(input, &folds, tick, &mut |index, fitted| {
        let (s, f) = place[index];
        let set = sets[s];
        let mut current = match open.take() {
            Some(current) if f > 0 => current,
            _ => OpenSet::new(task, subject, probe, set),
        };
        if let (Some(rows), Ok(fitted)) = (predictions.as_deref_mut(), &fitted) {
            rows.push(set, &set.folds[f], probe.card().id, &fitted.predictions, &name_rank);
        }
        current.take(&mut result, f, fitted);
        if f + 1 == set.folds.len() {
            current.close(&mut result);
        } else {
            open = Some(current);
        }
    })?;
    Ok(result)
}

/// Scores that stand for a split that could not be made.
fn missing(result: &mut ProbeResult, task: Task<'_>, subject: Subject<'_>, probe: &dyn Probe, set: &SplitSet) {
    let reason = set.reason.clone().unwrap_or_else(|| "the split has no folds".into());
    for metric in task.metrics {
        result.scores.push(Score {
            metric: metric.id(),
            reason: Some(reason.clone()),
            ..blank(task, subject, probe, set)
        });
    }
}

fn blank(task: Task<'_>, subject: Subject<'_>, probe: &dyn Probe, set: &SplitSet) -> Score {
    Score {
        model: subject.model.to_owned(),
        features: "all".into(),
        correction: "none".into(),
        task: task.column.to_owned(),
        protocol: set.protocol.clone(),
        split: set.split.clone(),
        probe: probe.card().id.to_owned(),
        metric: String::new(),
        repeat: 0,
        seed: 0,
        n_train: 0,
        n_test: 0,
        classes_train: 0,
        classes_test: 0,
        value: None,
        reason: None,
    }
}

/// A split set whose folds are arriving.
struct OpenSet<'a> {
    task: Task<'a>,
    subject: Subject<'a>,
    set: &'a SplitSet,
    template: Score,
    backend: &'static str,
    pooled: Predictions,
    pooled_train: Vec<usize>,
    train_present: Vec<bool>,
    diagnostics: Vec<Diagnostics>,
    tallies: Vec<Tally>,
    confusion: metric::Confusion,
    auc: Vec<Vec<f64>>,
    groups: Vec<Group<'a>>,
}

/// Correctness per group of one unit.
struct Group<'a> {
    unit: String,
    factor: &'a Factor,
    tally: GroupTally,
}

impl<'a> OpenSet<'a> {
    fn new(task: Task<'a>, subject: Subject<'a>, probe: &dyn Probe, set: &'a SplitSet) -> Self {
        let classes = task.label.level_count();
        let mut units: Vec<&str> = vec!["source"];
        if !["row", "well", "fold", "source"].contains(&set.unit.as_str()) {
            units.push(&set.unit);
        }
        let groups = units
            .into_iter()
            .filter(|_| subject.detailed)
            .filter_map(|unit| {
                let factor = task.layout.unit(unit)?;
                // A table of thousands of groups (compounds) helps nobody.
                (factor.level_count() > 1 && factor.level_count() <= 500).then(|| Group {
                    unit: unit.to_owned(),
                    factor,
                    tally: GroupTally::new(factor.level_count(), classes),
                })
            })
            .collect();
        Self {
            task,
            subject,
            set,
            template: blank(task, subject, probe, set),
            backend: probe.backend(),
            pooled: Predictions::with_classes(classes),
            pooled_train: Vec::new(),
            train_present: vec![false; classes],
            diagnostics: Vec::new(),
            tallies: Vec::new(),
            confusion: metric::Confusion::empty(classes),
            auc: vec![Vec::new(); classes],
            groups,
        }
    }

    /// Takes the result of fold `f`.
    fn take(&mut self, result: &mut ProbeResult, f: usize, fitted: Result<Fitted, String>) {
        let fold = &self.set.folds[f];
        let mut present = vec![false; self.train_present.len()];
        let mut n_train = 0;
        for (row, _) in fold.roles.iter().enumerate().filter(|(_, role)| **role == Role::Train) {
            present[self.task.label.code(row)] = true;
            n_train += 1;
        }
        match fitted {
            Err(reason) => {
                for metric in self.task.metrics {
                    result.scores.push(Score {
                        metric: metric.id(),
                        repeat: fold.repeat,
                        seed: fold.seed,
                        n_train,
                        n_test: fold.count(Role::Test),
                        reason: Some(reason.clone()),
                        ..self.template.clone()
                    });
                }
            }
            Ok(fitted) => {
                self.diagnostics.push(fitted.diagnostics);
                let units = &self.task.clusters.unit_of_row;
                self.tallies.push(Tally::of(&fitted.predictions, &self.task.label.codes, units));
                if !self.groups.is_empty() {
                    let label = self.task.label;
                    let evaluated = Evaluated::new(&fitted.predictions, &label.codes, label.level_count(), &present);
                    for group in &mut self.groups {
                        group.tally.add(&evaluated, &group.factor.codes);
                    }
                }
                if self.set.pooled {
                    self.pooled.append(&fitted.predictions);
                    self.pooled_train.push(n_train);
                    for (seen, new) in self.train_present.iter_mut().zip(&present) {
                        *seen |= new;
                    }
                } else {
                    let repeat = (fold.repeat, fold.seed, n_train);
                    self.evaluate(result, &fitted.predictions, &present, repeat);
                }
            }
        }
    }

    fn evaluate(
        &mut self,
        result: &mut ProbeResult,
        predictions: &Predictions,
        present: &[bool],
        (repeat, seed, n_train): (u32, u64, usize),
    ) {
        let label = self.task.label;
        let evaluated = Evaluated::new(predictions, &label.codes, label.level_count(), present);
        let classes_test = evaluated.classes_test();
        for (metric, value) in metric::evaluate_all(&evaluated, self.task.metrics) {
            let (value, reason) = match value {
                Ok(value) => (Some(value), None),
                Err(reason) => (None, Some(reason)),
            };
            result.scores.push(Score {
                metric,
                repeat,
                seed,
                n_train,
                n_test: predictions.len(),
                classes_train: present.iter().filter(|p| **p).count(),
                classes_test,
                value,
                reason,
                ..self.template.clone()
            });
        }
        if let Ok(confusion) = evaluated.confusion() {
            self.confusion.add(confusion);
        }
        if self.subject.detailed
            && let Ok(areas) = evaluated.areas()
        {
            for (class, area) in areas.iter().enumerate() {
                self.auc[class].extend(area.as_ref().ok());
            }
        }
    }

    /// All folds are in: writes what needs all of them.
    fn close(mut self, result: &mut ProbeResult) {
        if self.set.pooled && !self.pooled.is_empty() {
            let pooled = std::mem::take(&mut self.pooled);
            let present = std::mem::take(&mut self.train_present);
            let n_train = self.pooled_train.iter().sum::<usize>() / self.pooled_train.len().max(1);
            self.evaluate(result, &pooled, &present, (0, 0, n_train));
        }
        let classes = self.task.label.level_count();
        let template = &self.template;
        let (model, protocol) = (template.model.clone(), template.protocol.clone());
        let (split, probe) = (template.split.clone(), template.probe.clone());
        if self.subject.detailed {
            for (class, piece) in metric::class::per_class(&self.confusion).into_iter().enumerate() {
                let auc = &self.auc[class];
                result.per_class.push(ClassScore {
                    model: model.clone(),
                    protocol: protocol.clone(),
                    split: split.clone(),
                    probe: probe.clone(),
                    class: self.task.label.levels[class].clone(),
                    n_test: piece.support as usize,
                    precision: piece.precision,
                    recall: piece.recall,
                    f1: piece.f1,
                    roc_auc: bench_core::number::mean(auc),
                });
            }
            for group in &self.groups {
                for (level, score) in group.tally.scores().into_iter().enumerate() {
                    result.per_group.push(GroupScore {
                        model: model.clone(),
                        protocol: protocol.clone(),
                        split: split.clone(),
                        probe: probe.clone(),
                        unit: group.unit.clone(),
                        group: group.factor.levels[level].clone(),
                        n_test: score.n_test as usize,
                        accuracy: score.accuracy,
                        balanced_accuracy: score.balanced_accuracy,
                    });
                }
            }
            if classes <= CONFUSION_CLASSES {
                result.confusion.push(Confusion {
                    model: model.clone(),
                    protocol: protocol.clone(),
                    split: split.clone(),
                    probe: probe.clone(),
                    classes: self.task.label.levels.clone(),
                    counts: self.confusion.counts().to_vec(),
                });
            }
        }
        result.outcomes.push(Outcomes {
            model: model.clone(),
            protocol: protocol.clone(),
            split: split.clone(),
            probe: probe.clone(),
            repeats: if self.set.pooled { vec![Tally::pooled(&self.tallies)] } else { self.tallies },
        });
        result.fits.push(fit_info(
            &self.diagnostics,
            FitInfo { model, protocol, split, probe, backend: self.backend.to_owned(), ..FitInfo::default() },
        ));
    }
}

fn fit_info(diagnostics: &[Diagnostics], base: FitInfo) -> FitInfo {
    let iterations: Vec<usize> = diagnostics.iter().filter_map(|d| d.iterations).collect();
    let largest = |values: Vec<f64>| values.into_iter().reduce(f64::max);
    let objective: Vec<f64> = diagnostics.iter().filter_map(|d| d.objective).collect();
    FitInfo {
        fits: diagnostics.len(),
        converged: diagnostics
            .iter()
            .any(|d| d.converged.is_some())
            .then(|| diagnostics.iter().filter(|d| d.converged == Some(true)).count()),
        iterations: iterations.iter().min().zip(iterations.iter().max()).map(|(a, b)| (*a, *b)),
        gradient: largest(diagnostics.iter().filter_map(|d| d.gradient).collect()),
        objective: bench_core::number::mean(&objective),
        tied_votes: diagnostics.iter().map(|d| d.tied_votes).sum(),
        tied_neighbours: diagnostics.iter().map(|d| d.tied_neighbours).sum(),
        ..base
    }
}

/// Rows of a predictions file, in compact columns.
#[derive(Default)]
pub struct PredictionRows {
    names: Vec<String>,
    protocol: Vec<u32>,
    split: Vec<u32>,
    probe: Vec<u32>,
    repeat: Vec<u32>,
    row: Vec<u32>,
    predicted: Vec<u32>,
    tied: Vec<u32>,
    p_true: Vec<f64>,
    truth: Vec<u32>,
}

impl PredictionRows {
    /// Rows for the answers `truth` (class of each canonical row).
    pub fn new(truth: &[u32]) -> Self {
        Self { truth: truth.to_vec(), ..Self::default() }
    }

    fn name(&mut self, name: &str) -> u32 {
        match self.names.iter().position(|known| known == name) {
            Some(code) => code as u32,
            None => {
                self.names.push(name.to_owned());
                (self.names.len() - 1) as u32
            }
        }
    }

    fn push(&mut self, set: &SplitSet, fold: &Fold, probe: &str, predictions: &Predictions, name_rank: &[u32]) {
        let (protocol, split, probe) = (self.name(&set.protocol), self.name(&set.split), self.name(probe));
        for i in 0..predictions.len() {
            let row = predictions.rows[i];
            let decision = predictions.decision(i);
            // Of equally likely decisions the one with the first name is shown; `tied` counts them.
            let top = decision.iter().map(|(_, w)| *w).fold(0.0, f64::max);
            let best = decision.iter().filter(|(_, w)| *w >= top * (1.0 - 1e-12));
            let shown = best.clone().min_by_key(|(class, _)| name_rank[*class as usize]).map_or(0, |(class, _)| *class);
            self.protocol.push(protocol);
            self.split.push(split);
            self.probe.push(probe);
            self.repeat.push(fold.repeat);
            self.row.push(row);
            self.predicted.push(shown);
            self.tied.push(decision.len() as u32);
            self.p_true.push(predictions.probability(i)[self.truth[row as usize] as usize]);
        }
    }

    /// The columns of the predictions file.
    pub fn columns(self, layout: &Layout, label: &Factor) -> Vec<Column> {
        let text = |name: &str, codes: Vec<u32>, levels: &[String]| Column {
            name: name.to_owned(),
            values: ColumnValues::Codes { levels: levels.to_vec(), codes },
        };
        let truth = self.row.iter().map(|r| self.truth[*r as usize]).collect();
        vec![
            text("protocol", self.protocol, &self.names),
            text("split", self.split, &self.names),
            text("probe", self.probe, &self.names),
            Column { name: "repeat".into(), values: ColumnValues::U32(self.repeat) },
            Column {
                name: "row".into(),
                values: ColumnValues::U64(self.row.iter().map(|r| layout.file_row[*r as usize]).collect()),
            },
            text("label", truth, &label.levels),
            text("predicted", self.predicted, &label.levels),
            Column { name: "tied".into(), values: ColumnValues::U32(self.tied) },
            Column { name: "p_true".into(), values: ColumnValues::F64(self.p_true) },
        ]
    }
}

impl ProbeResult {
    /// Appends the results of other splits.
    pub fn append(&mut self, other: Self) {
        self.scores.extend(other.scores);
        self.per_class.extend(other.per_class);
        self.per_group.extend(other.per_group);
        self.confusion.extend(other.confusion);
        self.fits.extend(other.fits);
        self.outcomes.extend(other.outcomes);
        self.choices.extend(other.choices);
    }
}
