//! Does a run step by step, taking finished steps from an earlier, interrupted run.

use std::path::{Path, PathBuf};
use std::time::Instant;

use bench_core::record::{
    BatchProbe, CacheState, Confounding, ControlPoint, CorrectionChoice, RunRecord, SplitInfo, Step as StepRecord,
    Transfer,
};
use bench_core::{Block, Factor, Matrix, Seed, Table};
use bench_eval::aggregate::Clusters;
use bench_eval::batch_probe::{self, ProbeUse};
use bench_eval::control::{self, Made};
use bench_eval::metric::Metric;
use bench_eval::probe::Probe;
use bench_eval::probe::logistic::LogisticProbe;
use bench_eval::split::{self, SplitInput};
use bench_eval::{SplitSet, confounding, metric};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::control_curve::{self, Curve};
use crate::corrections::{self, Corrected, InFold};
use crate::key::{self, Key};
use crate::plan::{self, Step};
use crate::projection::Map;
use crate::scoring::{self, PredictionRows, ProbeResult, Subject, Task};
use crate::store::Store;
use crate::{Error, Progress, Request, embedding, outputs, probes, projection, record, summaries, tables, transfer};

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The record.
    pub record: RunRecord,
    /// Folder of the run.
    pub folder: PathBuf,
    /// What was done for it.
    pub done: Done,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Everything was there.
    Nothing,
    /// Scores were there, files that can be drawn from the record were missing.
    Drawn,
    /// Scored.
    Scored,
}

/// Makes files from a record: path within the run folder and bytes. Also completes the record's
/// verdict before it is written.
pub type Render<'a> = dyn Fn(&mut RunRecord) -> Result<Vec<(String, Vec<u8>)>, Error> + 'a;

/// Everything that the later steps need of the first one.
pub(crate) struct Prepared {
    pub(crate) tables: Vec<Table>,
    /// The correction of each table, if it is a corrected one.
    pub(crate) corrections: Vec<Option<Corrected>>,
    pub(crate) sets: Vec<SplitSet>,
    pub(crate) audits: Vec<SplitInfo>,
    pub(crate) confounding: Confounding,
    pub(crate) clusters: Clusters,
    pub(crate) metrics: Vec<Box<dyn Metric>>,
    pub(crate) baseline: Option<String>,
    pub(crate) warnings: Vec<String>,
}

impl Prepared {
    /// The correction of a table, if it is fitted anew in every fold.
    fn refitted(&self, table: usize) -> Option<&Corrected> {
        self.corrections[table].as_ref().filter(|corrected| corrected.in_folds())
    }
}

/// Results of all scoring steps, by model or control in order.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) probes: Vec<(String, ProbeResult)>,
    pub(crate) transfer: Vec<Transfer>,
    pub(crate) origin: Vec<BatchProbe>,
    pub(crate) maps: Vec<Map>,
    pub(crate) embedding: embedding::Measured,
    pub(crate) missing_controls: Vec<(String, String)>,
    pub(crate) control_curve: Vec<ControlPoint>,
    pub(crate) choices: Vec<CorrectionChoice>,
}

/// Runs a request.
///
/// # Errors
/// Usage, data or output errors; a score that cannot be computed is no error but a score with
/// its reason.
pub fn run(request: &Request, progress: &dyn Progress, render: &Render<'_>) -> Result<Outcome, Error> {
    request.check()?;
    if request.embeddings.is_empty() && request.suite.data.simulate.is_none() {
        tables::read(&request.suite, request, progress)?;
    }
    let key = key::key(request)?;
    let folder = key::folder(request, &key);
    if let Some(outcome) = outputs::finished(&folder, &key, render, progress)? {
        // A kill may have come between the record and this.
        Store::open(&folder, &key.digest).clear();
        return Ok(outcome);
    }
    outputs::prepare(&folder, &key)?;
    let mut runner = Runner::new(&folder, &key, request, progress);
    let prepared = runner.prepare()?;
    let results = runner.score(&prepared)?;
    let summary = runner.summarise(&prepared, &results)?;
    let record = record::assemble(request, &key, &prepared, results, summary);
    runner.write(record, &prepared, render)
}

struct Runner<'a> {
    folder: &'a Path,
    key: &'a Key,
    request: &'a Request,
    progress: &'a dyn Progress,
    store: Store,
    total: usize,
    done: Vec<StepRecord>,
}

impl<'a> Runner<'a> {
    fn new(folder: &'a Path, key: &'a Key, request: &'a Request, progress: &'a dyn Progress) -> Self {
        let total = plan::steps(request, &plan::models(request)).len();
        let done = request.origin.steps.clone();
        let total = total + done.len();
        Self { folder, key, request, progress, store: Store::open(folder, &key.digest), total, done }
    }

    /// Does a step, or takes its result from an earlier run.
    fn step<T: Serialize + DeserializeOwned>(
        &mut self,
        step: &Step,
        compute: impl FnOnce(&dyn Progress) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let name = step.name();
        let number = self.done.len() + 1;
        if let Some((result, seconds)) = self.store.get::<T>(&name) {
            self.progress.reused(number, self.total, &name);
            self.done.push(StepRecord { name, seconds, cache: CacheState::Reused });
            return Ok(result);
        }
        let start = self.begin(&name);
        let result = compute(self.progress)?;
        let seconds = start.elapsed().as_secs_f64();
        self.store.put(&name, &result, seconds)?;
        self.done.push(StepRecord { name, seconds, cache: CacheState::Computed });
        Ok(result)
    }

    fn begin(&self, name: &str) -> Instant {
        self.progress.step(self.done.len() + 1, self.total, name);
        Instant::now()
    }

    fn end(&mut self, step: &Step, start: Instant) {
        let seconds = start.elapsed().as_secs_f64();
        self.done.push(StepRecord { name: step.name(), seconds, cache: CacheState::Computed });
    }

    /// Reads tables and makes splits. Always done again: it is quick, and every later step needs
    /// the rows.
    fn prepare(&mut self) -> Result<Prepared, Error> {
        let start = self.begin(&Step::Read.name());
        let request = self.request;
        let suite = &request.suite;
        let (mut tables, rows) = tables::read(suite, request, self.progress)?;
        let folds = match &request.folds {
            None => None,
            Some(path) => {
                let folds = bench_data::read_folds(path)?;
                folds.check_rows(rows, &tables[0].origin)?;
                Some(tables::restrict(&mut tables, &folds, &path.display().to_string())?)
            }
        };
        let (tables, corrections) = corrections::expand(tables, &suite.corrections, Seed(request.seed), self.progress)?;
        let first = &tables[0];
        let layout = &first.treated.layout;
        let label = &first.answers.label;
        let mut warnings: Vec<String> = tables.iter().flat_map(|t| t.warnings.iter().cloned()).collect();
        warnings.dedup();
        let input = SplitInput {
            repeats: suite.splits.repeats,
            test_fraction: suite.splits.test_fraction,
            ..SplitInput::new(layout, label, Seed(request.seed))
        };
        let mut baseline = None;
        let mut sets: Vec<SplitSet> = if let Some(folds) = folds {
            baseline = suite.splits.baseline.clone().or_else(|| {
                let random = |name: &&String| {
                    let name = name.to_lowercase();
                    name.starts_with("random") || name.starts_with("hashed")
                };
                folds.iter().map(|(name, _)| name).find(random).cloned()
            });
            if let Some(name) = &baseline
                && !folds.iter().any(|(known, _)| known == name)
            {
                let known: Vec<&str> = folds.iter().map(|(name, _)| name.as_str()).collect();
                return Err(Error::Usage {
                    message: format!("the folds file has no split `{name}`"),
                    hint: Some(format!("its splits are {}", known.join(", "))),
                });
            }
            folds.iter().map(|(name, of_row)| split::fixed(name, of_row)).collect()
        } else if let Some(column) = &suite.splits.fold_column {
            vec![split::fixed(column, &fold_column(&first.treated.layout.groups[column]))]
        } else {
            let (paper, skipped) = available(&suite.splits.paper, &input, suite.splits.missing_columns == "skip");
            let (strict, more) = available(&suite.splits.strict, &input, suite.splits.missing_columns == "skip");
            for note in skipped.into_iter().chain(more) {
                if !warnings.contains(&note) {
                    warnings.push(note);
                }
            }
            let mut sets = split::paper_plan(&paper, &input)?;
            sets.extend(split::strict_plan(&strict, &input)?);
            sets
        };
        if sets.is_empty() {
            return Err(Error::Nothing {
                message: "no split can be made from the columns of this table".into(),
                hint: "name the columns with `--source`, `--batch`, `--plate`, `--well`".into(),
            });
        }
        let clusters = Clusters::of(layout);
        let most = suite.splits.max_test_rows;
        if let Some(tested) = split::thin_tests(&mut sets, &clusters.unit_of_row, most, Seed(request.seed))
            && sets.iter().any(|set| set.protocol != "fixed")
        {
            warnings.push(format!(
                "the table has {} rows; a seeded draw of {tested} rows (whole wells) is tested in every split, all others \
                 only train; `--max-test-rows N` sets the limit",
                layout.rows
            ));
        }
        let audits: Vec<SplitInfo> = sets.iter().map(|set| split::audit(set, layout, label)).collect();
        let metrics = metric::lookup_all(&suite.metrics)?;
        let confounding = confounding::report(layout, label);
        self.end(&Step::Read, start);
        self.tell(&confounding);
        Ok(Prepared { tables, corrections, sets, audits, confounding, clusters, metrics, baseline, warnings })
    }

    /// Says how label and origin are entangled, before any score.
    fn tell(&self, confounding: &Confounding) {
        let with_label: Vec<String> = confounding
            .pairs
            .iter()
            .filter(|pair| pair.a == "label")
            .filter_map(|pair| Some(format!("{} {:.2}", pair.b, pair.cramers_v_corrected?)))
            .collect();
        if !with_label.is_empty() {
            let list = with_label.join(", ");
            self.progress.note(&format!("confounding of the label (Cramér's V, bias-corrected): {list}"));
        }
        for note in &confounding.notes {
            self.progress.note(&format!("confounding: {note}"));
        }
    }

    fn score(&mut self, prepared: &Prepared) -> Result<Results, Error> {
        let mut results = Results::default();
        let first = &prepared.tables[0];
        for (at, table) in prepared.tables.iter().enumerate() {
            for probe in &self.request.suite.probes.ids {
                let step = Step::Score { model: table.name.clone(), probe: probe.clone() };
                let result = self.probe(&step, prepared, &table.treated.matrix, &table.answers.label, Some(at))?;
                results.probes.push((table.name.clone(), result));
            }
        }
        for id in &self.request.suite.controls {
            let made = match self.control(prepared, id)? {
                Ok(made) => made,
                Err(reason) => {
                    results.missing_controls.push((id.clone(), reason));
                    self.total -= self.request.suite.probes.ids.len();
                    continue;
                }
            };
            let (matrix, label) = match &made {
                Made::Features(matrix) => (matrix, &first.answers.label),
                Made::Labels(label) => (&first.treated.matrix, label),
            };
            for probe in &self.request.suite.probes.ids {
                let step = Step::Score { model: id.clone(), probe: probe.clone() };
                let result = self.probe(&step, prepared, matrix, label, None)?;
                results.probes.push((id.clone(), result));
            }
        }
        for at in 0..prepared.tables.len() {
            results.transfer.extend(self.transfer(prepared, at)?);
        }
        if self.request.suite.control_curve.enabled {
            for at in 0..prepared.tables.len() {
                let curve = self.control_curve(prepared, at)?;
                results.control_curve.extend(curve.points);
                results.choices.extend(curve.choices);
            }
        }
        if self.request.suite.batch_probes.enabled {
            self.origins(prepared, &mut results)?;
        }
        if self.request.suite.embedding_metrics.enabled {
            let settings = &self.request.suite.embedding_metrics;
            let seed = self.request.seed;
            results.embedding =
                self.step(&Step::Embedding, |progress| embedding::measure(prepared, settings, seed, progress))?;
        }
        if self.request.suite.projection.enabled {
            for table in &prepared.tables {
                results.maps.push(self.project(table)?);
            }
        }
        Ok(results)
    }

    fn probe(
        &mut self,
        step: &Step,
        prepared: &Prepared,
        matrix: &Matrix,
        label: &Factor,
        table: Option<usize>,
    ) -> Result<ProbeResult, Error> {
        let detailed = table.is_some();
        let corrected = table.and_then(|at| prepared.refitted(at));
        let Step::Score { model, probe: id } = step else { return Ok(ProbeResult::default()) };
        let first = &prepared.tables[0];
        let layout = &first.treated.layout;
        let settings = &self.request.suite.probes;
        let file = self.folder.join("predictions").join(format!("{}.parquet", outputs::slug(&format!("{model}-{id}"))));
        // Shuffled labels cost as much as the model; the first repeat is enough for a band.
        let first_repeat = model == "shuffled-labels";
        let shortened: Vec<SplitSet>;
        let sets: Vec<&SplitSet> = if first_repeat {
            shortened = prepared
                .sets
                .iter()
                .map(|set| match set.pooled {
                    true => set.clone(),
                    false => SplitSet { folds: set.folds.iter().take(1).cloned().collect(), ..set.clone() },
                })
                .collect();
            shortened.iter().collect()
        } else {
            prepared.sets.iter().collect()
        };
        self.step(step, |progress| {
            let task = Task {
                layout,
                column: &first.answers.column,
                label,
                clusters: &prepared.clusters,
                metrics: &prepared.metrics,
            };
            let subject = Subject { model, matrix, detailed };
            let mut rows = detailed.then(|| PredictionRows::new(&label.codes));
            let mut result = ProbeResult::default();
            // Protocols that see other features (standardised or not) are other problems.
            for standardise in [false, true] {
                let mine: Vec<&SplitSet> = sets
                    .iter()
                    .filter(|set| probes::standardises(settings, id, &set.protocol) == standardise)
                    .copied()
                    .collect();
                if mine.is_empty() {
                    continue;
                }
                let probe = probes::probe(settings, id, standardise)?;
                let in_fold = corrected.map(|corrected| InFold::new(probe.as_ref(), corrected, layout, label));
                let probe = in_fold.as_ref().map_or(probe.as_ref(), |probe| probe as &dyn Probe);
                let part = scoring::score(task, subject, probe, &mine, &|d, t| progress.tick(d, t), rows.as_mut())?;
                result.append(part);
                result.choices.extend(in_fold.iter().flat_map(InFold::take_choices));
            }
            if let Some(rows) = rows {
                outputs::table(&file, &rows.columns(layout, label))?;
            }
            Ok(result)
        })
    }

    fn transfer(&mut self, prepared: &Prepared, at: usize) -> Result<Vec<Transfer>, Error> {
        let table = &prepared.tables[at];
        let corrected = prepared.refitted(at);
        let settings = &self.request.suite.probes;
        let most = self.request.suite.splits.max_test_rows;
        let seed = Seed(self.request.seed);
        self.step(&Step::Transfer { model: table.name.clone() }, |progress| {
            let task = Task {
                layout: &table.treated.layout,
                column: &table.answers.column,
                label: &table.answers.label,
                clusters: &prepared.clusters,
                metrics: &prepared.metrics,
            };
            let mut cells = Vec::new();
            for id in &settings.ids {
                let probe = probes::probe(settings, id, probes::standardises(settings, id, "strict"))?;
                let label = &table.answers.label;
                let in_fold =
                    corrected.map(|corrected| InFold::new(probe.as_ref(), corrected, &table.treated.layout, label));
                let probe = in_fold.as_ref().map_or(probe.as_ref(), |probe| probe as &dyn Probe);
                cells.extend(transfer::table(
                    task,
                    &table.name,
                    &table.treated.matrix,
                    probe,
                    corrected.is_some(),
                    (seed, most),
                    &|d, t| progress.tick(d, t),
                )?);
            }
            Ok(cells)
        })
    }

    fn control_curve(&mut self, prepared: &Prepared, at: usize) -> Result<Curve, Error> {
        let Some(corrected) = &prepared.corrections[at] else { return Ok(Curve::default()) };
        let table = &prepared.tables[at];
        let suite = &self.request.suite;
        let seed = Seed(self.request.seed);
        self.step(&Step::ControlCurve { model: table.name.clone() }, |progress| {
            let task = Task {
                layout: &table.treated.layout,
                column: &table.answers.column,
                label: &table.answers.label,
                clusters: &prepared.clusters,
                metrics: &prepared.metrics,
            };
            let mut all = Curve::default();
            for id in &suite.probes.ids {
                let probe = probes::probe(&suite.probes, id, probes::standardises(&suite.probes, id, "strict"))?;
                let (settings, draws) = (&suite.control_curve, suite.uncertainty.bootstrap);
                let tick = |d, t| progress.tick(d, t);
                let found = control_curve::curve(task, corrected, probe.as_ref(), settings, draws, seed, &tick)?;
                all.points.extend(found.points);
                all.choices.extend(found.choices);
            }
            Ok(all)
        })
    }

    fn origins(&mut self, prepared: &Prepared, results: &mut Results) -> Result<(), Error> {
        let first = &prepared.tables[0];
        for table in &prepared.tables {
            results.origin.extend(self.origin(&table.name, &table.treated, Some(&table.controls))?);
        }
        for id in ["constant", "one-hot-source"] {
            let wanted = self.request.suite.controls.iter().any(|c| c == id);
            if !wanted {
                continue;
            }
            match self.control(prepared, id)? {
                Ok(Made::Features(matrix)) => {
                    let block = Block { layout: first.treated.layout.clone(), matrix };
                    results.origin.extend(self.origin(id, &block, None)?);
                }
                Ok(Made::Labels(_)) | Err(_) => self.total -= 1,
            }
        }
        Ok(())
    }

    /// Makes a control for the rows of the run, or says why these rows cannot have it.
    fn control(&self, prepared: &Prepared, id: &str) -> Result<Result<Made, String>, Error> {
        let first = &prepared.tables[0];
        Ok(control::lookup(id)?.make(&first.treated.layout, &first.answers.label, Seed(self.request.seed)))
    }

    fn origin(&mut self, model: &str, treated: &Block, controls: Option<&Block>) -> Result<Vec<BatchProbe>, Error> {
        let settings = &self.request.suite.probes;
        let seed = Seed(self.request.seed);
        self.step(&Step::Origin { model: model.to_owned() }, |progress| {
            let knn = probes::probe(settings, "knn", false)?;
            let limits = batch_probe::Settings::default();
            let controls = controls.filter(|block| block.layout.rows > 0).map(|block| (block, "controls"));
            let mut found = vec![];
            for (block, name) in std::iter::once((treated, "treated")).chain(controls) {
                let logreg = LogisticProbe::new(batch_probe::logistic_settings(block.layout.rows))?;
                let pair = [
                    ProbeUse { id: "logreg", probe: &logreg, max_rows: batch_probe::MAX_ROWS_LOGREG },
                    ProbeUse { id: "knn", probe: knn.as_ref(), max_rows: batch_probe::MAX_ROWS_KNN },
                ];
                let tick = |d, t| progress.tick(d, t);
                found.extend(batch_probe::run(model, block, name, &pair, limits, seed, &tick));
            }
            Ok(found)
        })
    }

    fn project(&mut self, table: &Table) -> Result<Map, Error> {
        let settings = &self.request.suite.projection;
        let seed = Seed(self.request.seed).derive("projection", 0);
        let (layout, label) = (&table.treated.layout, &table.answers.label);
        let file = self.folder.join("projection").join(format!("{}.parquet", outputs::slug(&table.name)));
        self.step(&Step::Projection { model: table.name.clone() }, |progress| {
            let map = projection::map(&table.name, &table.treated.matrix, layout, label, settings, seed, &|d, t| {
                progress.tick(d, t)
            })?;
            outputs::table(&file, &projection::columns(&map, layout, label, &table.answers.column))?;
            Ok(map)
        })
    }

    fn summarise(&mut self, prepared: &Prepared, results: &Results) -> Result<summaries::Summaries, Error> {
        let request = self.request;
        self.step(&Step::Summarise, |progress| summaries::summarise(request, prepared, results, progress))
    }

    fn write(mut self, mut record: RunRecord, prepared: &Prepared, render: &Render<'_>) -> Result<Outcome, Error> {
        let start = self.begin(&Step::Write.name());
        let made = &self.request.origin.files;
        outputs::data(self.folder, prepared, made, self.progress)?;
        self.end(&Step::Write, start);
        record.steps = std::mem::take(&mut self.done);
        let record = outputs::finish(self.folder, self.key, record, made, render)?;
        self.store.clear();
        Ok(Outcome { record, folder: self.folder.to_owned(), done: Done::Scored })
    }
}

fn fold_column(factor: &Factor) -> Vec<Option<String>> {
    (0..factor.len()).map(|row| Some(factor.name(row)).filter(|id| !id.is_empty()).map(str::to_owned)).collect()
}

/// The splits whose unit the table has, and a note for each that it has not. Without `skip` all
/// are kept: the reader has made sure that their columns exist.
fn available<'s>(ids: &'s [String], input: &SplitInput<'_>, skip: bool) -> (Vec<&'s str>, Vec<String>) {
    let groups: Vec<&str> = input.layout.groups.keys().map(String::as_str).collect();
    let (mut kept, mut notes) = (Vec::new(), Vec::new());
    for id in ids {
        let unit = split::find(id, &groups).map(|s| s.unit).unwrap_or_default();
        let optional = ["source", "batch", "plate", "compound"].contains(&unit.as_str());
        if skip && optional && input.layout.unit(&unit).is_none() {
            notes.push(format!("split `{id}` was left out: the table has no {unit} column"));
        } else {
            kept.push(id.as_str());
        }
    }
    (kept, notes)
}
