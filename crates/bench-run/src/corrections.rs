//! Corrections in a run: every embedding under every chain of the suite is scored as a model of its own.
//!
//! # Which rows a correction sees
//! Whatever is fitted to the label task is fitted inside the training fold: a chain learns from the training rows and
//! from the controls of groups (sources, batches, plates) that have training rows; held-out groups are aligned by their
//! own controls alone. Chains whose every step only compares a group with its own controls need no refit: they give the
//! same rows either way. Transductive chains have no rule for unseen rows; they see all rows once, and are marked
//! wherever their scores stand.
//!
//! Maps, origin probes and embedding metrics have no folds: there a chain is fitted to all rows. Settings that a chain
//! leaves open are chosen in inner folds of the training rows.
//!
//! # Where it fits
//! After the tables are read, before anything is scored.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bench_core::record::{CorrectionChoice, CorrectionInfo};
use bench_core::{Card, Factor, Layout, Matrix, Seed, Table};
use bench_correct::{Chain, FitInput, Fitted as _, FittedChain, Origin, Scope, tuning as open};
use bench_eval::probe::{Probe, ProbeInput, Sink};
use bench_eval::{Error as EvalError, Fold, Role};

use crate::{Error, Progress};

pub(crate) mod tuning;

/// What names the embedding without a correction.
pub const NONE: &str = "none";

/// Steps that compare a group with its own controls and use nothing else, where they are told to.
const LOCAL: [&str; 4] = ["centre", "standardise", "robust", "mad"];

/// Name of a corrected embedding among the models.
pub fn name(model: &str, correction: &str) -> String {
    if correction == NONE { model.to_owned() } else { format!("{model} + {correction}") }
}

/// Chains as the command line takes them: separated by commas outside of parentheses.
pub fn split(text: &str) -> Vec<String> {
    let (mut depth, mut chains) = (0_usize, vec![String::new()]);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match chains.last_mut() {
            Some(chain) if c != ',' || depth > 0 => chain.push(c),
            _ => chains.push(String::new()),
        }
    }
    chains.iter().map(|chain| chain.trim().to_owned()).collect()
}

/// The chains of a suite; all candidates of one that leaves settings open.
///
/// # Errors
/// Text that is no chain.
pub fn parse(texts: &[String]) -> Result<Vec<Chain>, Error> {
    let candidates: Vec<Vec<Chain>> =
        texts.iter().map(|text| Ok(open::candidates(text)?)).collect::<Result<_, Error>>()?;
    Ok(candidates.into_iter().flatten().collect())
}

/// Rows of one embedding before correction: treated rows, then controls.
struct Raw {
    matrix: Matrix,
    origin: Origin,
    treated: usize,
}

/// An embedding under a chain, as scoring needs it.
pub(crate) struct Corrected {
    raw: Arc<Raw>,
    /// The chain, or several where it leaves settings open; the first stands where there are no folds.
    candidates: Vec<Chain>,
    /// What the record says of it.
    pub(crate) info: CorrectionInfo,
    seed: Seed,
    /// Treated rows under each transductive candidate, which sees all rows whatever the fold.
    whole: Vec<OnceLock<Result<Matrix, String>>>,
}

/// Puts corrected embeddings behind those they come from. The second list has an entry for each table.
///
/// # Errors
/// A chain that cannot be fitted to the rows of a table.
pub(crate) fn expand(
    tables: Vec<Table>,
    texts: &[String],
    seed: Seed,
    progress: &dyn Progress,
) -> Result<(Vec<Table>, Vec<Option<Corrected>>), Error> {
    let (mut out, mut corrections) = (Vec::new(), Vec::new());
    for table in tables {
        let mut raw: Option<Arc<Raw>> = None;
        for text in texts {
            let candidates = open::candidates(text)?;
            if candidates.iter().all(|chain| chain.steps().is_empty()) {
                out.push(table.clone());
                corrections.push(None);
                continue;
            }
            progress.detail(&format!("{}: {text}", table.name));
            let raw = raw.get_or_insert_with(|| Arc::new(Raw::of(&table)));
            let corrected = Corrected::new(&table, Arc::clone(raw), text, candidates, seed);
            let (matrix, info) = corrected.all_rows(&table)?;
            out.push(replaced(&table, &matrix, &info));
            corrections.push(Some(Corrected { info, ..corrected }));
        }
    }
    Ok((out, corrections))
}

impl Raw {
    fn of(table: &Table) -> Self {
        let (treated, controls) = (&table.treated, &table.controls);
        let cols = treated.matrix.cols();
        let mut data = Vec::with_capacity((treated.matrix.rows() + controls.matrix.rows()) * cols);
        data.extend_from_slice(treated.matrix.data());
        data.extend_from_slice(controls.matrix.data());
        Self {
            matrix: Matrix::new(treated.matrix.rows() + controls.matrix.rows(), cols, data),
            origin: Origin::joined(&treated.layout, &controls.layout),
            treated: treated.matrix.rows(),
        }
    }
}

impl Corrected {
    fn new(table: &Table, raw: Arc<Raw>, text: &str, candidates: Vec<Chain>, seed: Seed) -> Self {
        let any = |is: fn(&Chain) -> bool| candidates.iter().any(is);
        let info = CorrectionInfo {
            model: table.name.clone(),
            chain: text.trim().to_owned(),
            canonical: candidates.iter().map(Chain::canonical).collect::<Vec<_>>().join(" | "),
            transductive: any(Chain::is_transductive),
            uses_answers: any(Chain::wants_covariate),
            refitted: !any(Chain::is_transductive) && any(|chain| !is_local(chain)),
            ..CorrectionInfo::default()
        };
        let seed = seed.derive(&format!("correction/{}", info.canonical), 0);
        let whole = candidates.iter().map(|_| OnceLock::new()).collect();
        Self { raw, candidates, info, seed, whole }
    }

    /// Whether folds see it each in their own way.
    pub(crate) fn in_folds(&self) -> bool {
        self.info.refitted || self.is_open()
    }

    /// Whether it leaves settings open.
    pub(crate) fn is_open(&self) -> bool {
        self.candidates.len() > 1
    }

    /// The finest unit whose groups it aligns one by one.
    pub(crate) fn unit(&self) -> Option<&'static str> {
        let is_aligned = |unit: &str| {
            let mut settings = self.candidates[0].steps().iter().flat_map(|step| step.settings());
            settings.any(|setting| setting.name == "by" && setting.value == unit)
        };
        ["plate", "batch", "source"].into_iter().find(|unit| is_aligned(unit))
    }

    /// Control rows, as rows of [`aligned`](Self::aligned), whose `unit` holds for them.
    pub(crate) fn controls_where(&self, unit: &str, holds: impl Fn(&str) -> bool) -> Vec<u32> {
        let Some(factor) = self.raw.origin.unit(unit) else { return Vec::new() };
        (self.raw.treated as u32..self.raw.matrix.rows() as u32)
            .filter(|&row| holds(factor.name(row as usize)))
            .collect()
    }

    /// Name of a unit's level for a row.
    pub(crate) fn name_of(&self, unit: &str, row: u32) -> Option<&str> {
        self.raw.origin.unit(unit).map(|factor| factor.name(row as usize))
    }

    /// Fits a candidate to what a fold lets it learn from.
    pub(crate) fn learn(&self, candidate: usize, fold: &Fold, label: &Factor) -> Result<FittedChain, String> {
        let fit = self.fit_rows(fold);
        let covariate = self.info.uses_answers.then(|| self.covariate(label, Some(&fit)));
        let input = FitInput {
            matrix: &self.raw.matrix.take(&fit),
            origin: &self.raw.origin.take(&fit),
            covariate: covariate.as_ref(),
            seed: self.seed,
        };
        self.candidates[candidate].fit(&input).map_err(|error| error.to_string())
    }

    /// Corrected rows: treated ones by their number, controls behind them.
    pub(crate) fn aligned(&self, fitted: &FittedChain, rows: &[u32]) -> Result<Matrix, String> {
        fitted.apply(&self.raw.matrix.take(rows), &self.raw.origin.take(rows)).map_err(|error| error.to_string())
    }

    /// Fits the chain to all rows, for what has no folds.
    fn all_rows(&self, table: &Table) -> Result<(Matrix, CorrectionInfo), Error> {
        let covariate = self.info.uses_answers.then(|| self.covariate(&table.answers.label, None));
        let input = FitInput {
            matrix: &self.raw.matrix,
            origin: &self.raw.origin,
            covariate: covariate.as_ref(),
            seed: self.seed,
        };
        let (fitted, matrix) = self.candidates[0].fit_apply(&input).map_err(|source| Error::Correct {
            model: table.name.clone(),
            chain: self.info.chain.clone(),
            source: Box::new(source),
        })?;
        let features = match fitted.kept() {
            Some(kept) => kept.iter().map(|&at| table.features[at as usize].clone()).collect(),
            None => Vec::new(),
        };
        let mut notes = fitted.notes().to_vec();
        if self.is_open() {
            notes.push(format!(
                "{} settings are open: folds choose one in inner folds, maps and embedding metrics show the first, {}",
                self.candidates.len(),
                self.candidates[0].short()
            ));
        }
        Ok((matrix, CorrectionInfo { features, notes, ..self.info.clone() }))
    }

    /// Label of each row, and `control` for controls; only rows of `fit`, if given.
    fn covariate(&self, label: &Factor, fit: Option<&[u32]>) -> Factor {
        let of = |row: u32| match (row as usize) < self.raw.treated {
            true => format!("label {}", label.name(row as usize)),
            false => "control".to_owned(),
        };
        let rows: Vec<u32> = match fit {
            Some(rows) => rows.to_vec(),
            None => (0..self.raw.matrix.rows() as u32).collect(),
        };
        Factor::sorted(&rows.into_iter().map(of).collect::<Vec<_>>())
    }

    /// Rows that a fold lets a chain learn from: its training rows, and the controls of groups that have some.
    pub(crate) fn fit_rows(&self, fold: &Fold) -> Vec<u32> {
        let train: Vec<u32> =
            (0..fold.roles.len() as u32).filter(|&row| fold.roles[row as usize] == Role::Train).collect();
        let seen: Vec<(&Factor, Vec<bool>)> = ["source", "batch", "plate"]
            .into_iter()
            .filter_map(|unit| self.raw.origin.unit(unit))
            .map(|factor| {
                let mut seen = vec![false; factor.level_count()];
                for &row in &train {
                    seen[factor.code(row as usize)] = true;
                }
                (factor, seen)
            })
            .collect();
        let mut rows = train;
        rows.extend(
            (self.raw.treated as u32..self.raw.matrix.rows() as u32)
                .filter(|&row| seen.iter().all(|(factor, seen)| seen[factor.code(row as usize)])),
        );
        rows
    }

    /// The treated rows of a fold, corrected by what its training rows taught; rows that the fold does not use are zero.
    #[cfg(test)]
    fn of_fold(&self, fold: &Fold, label: &Factor) -> Result<Matrix, String> {
        self.candidate_of_fold(0, fold, label)
    }

    /// The same under one of several candidates. A transductive one sees all rows, whatever the fold.
    pub(crate) fn candidate_of_fold(&self, candidate: usize, fold: &Fold, label: &Factor) -> Result<Matrix, String> {
        let raw = &*self.raw;
        if self.candidates[candidate].is_transductive() {
            return self.whole[candidate].get_or_init(|| self.of_all_rows(candidate, label)).clone();
        }
        let fitted = self.learn(candidate, fold, label)?;
        let used: Vec<u32> = (0..raw.treated as u32)
            .filter(|&row| fold.roles[row as usize] != Role::Unused)
            .chain(raw.treated as u32..raw.matrix.rows() as u32)
            .collect();
        let given = self.aligned(&fitted, &used)?;
        let mut matrix = Matrix::zeros(raw.treated, given.cols());
        let cols = given.cols();
        for (at, &row) in used.iter().enumerate().take_while(|(_, row)| (**row as usize) < raw.treated) {
            matrix.data_mut()[row as usize * cols..(row as usize + 1) * cols].copy_from_slice(given.row(at));
        }
        Ok(matrix)
    }

    /// Treated rows under a candidate that is fitted to all rows.
    fn of_all_rows(&self, candidate: usize, label: &Factor) -> Result<Matrix, String> {
        let covariate = self.info.uses_answers.then(|| self.covariate(label, None));
        let input = FitInput {
            matrix: &self.raw.matrix,
            origin: &self.raw.origin,
            covariate: covariate.as_ref(),
            seed: self.seed,
        };
        let (_, matrix) = self.candidates[candidate].fit_apply(&input).map_err(|error| error.to_string())?;
        let treated: Vec<u32> = (0..self.raw.treated as u32).collect();
        Ok(matrix.take(&treated))
    }

    /// The candidate for a fold: the only one, or the one that its inner folds choose.
    pub(crate) fn chosen(
        &self,
        fold: &Fold,
        layout: &Layout,
        label: &Factor,
        probe: &dyn Probe,
    ) -> Result<(usize, Option<CorrectionChoice>), String> {
        if !self.is_open() {
            return Ok((0, None));
        }
        let choice = tuning::choose(self, layout, label, fold, probe)?;
        let record = CorrectionChoice {
            model: self.info.model.clone(),
            correction: self.info.chain.clone(),
            probe: probe.card().id.to_owned(),
            chosen: self.candidates[choice.candidate].canonical(),
            unit: choice.unit,
            folds: choice.folds,
            accuracy: choice.accuracy,
            held_out: fold.held_out.clone(),
            n_train: fold.count(Role::Train),
        };
        Ok((choice.candidate, Some(record)))
    }
}

/// Whether every step compares a group with its own controls and uses nothing else.
fn is_local(chain: &Chain) -> bool {
    chain.steps().iter().all(|step| {
        let by_group = step.settings().iter().any(|setting| setting.name == "by" && setting.value != "all");
        LOCAL.contains(&step.card().card.id) && step.correction().scope() == Scope::Controls && by_group
    })
}

/// The table with other features.
fn replaced(table: &Table, matrix: &Matrix, info: &CorrectionInfo) -> Table {
    let n = table.treated.matrix.rows();
    let cols = matrix.cols();
    let (treated, controls) = matrix.data().split_at(n * cols);
    let mut table = table.clone();
    table.name = name(&info.model, &info.chain);
    table.treated.matrix = Matrix::new(n, cols, treated.to_vec());
    table.controls.matrix = Matrix::new(table.controls.matrix.rows(), cols, controls.to_vec());
    table.features = match (info.features.len() == cols, table.features.len() == cols) {
        (true, _) => info.features.clone(),
        (false, true) => table.features,
        (false, false) => (0..cols).map(|at| format!("corrected_{at}")).collect(),
    };
    table
}

/// A probe that sees every fold through a correction fitted to it.
pub(crate) struct InFold<'a> {
    pub(crate) inner: &'a dyn Probe,
    pub(crate) corrected: &'a Corrected,
    pub(crate) layout: &'a Layout,
    pub(crate) label: &'a Factor,
    /// What inner folds chose, in order of the folds that were run.
    pub(crate) choices: Mutex<Vec<CorrectionChoice>>,
}

impl<'a> InFold<'a> {
    pub(crate) fn new(inner: &'a dyn Probe, corrected: &'a Corrected, layout: &'a Layout, label: &'a Factor) -> Self {
        Self { inner, corrected, layout, label, choices: Mutex::default() }
    }

    /// The choices, which are then forgotten.
    pub(crate) fn take_choices(&self) -> Vec<CorrectionChoice> {
        std::mem::take(&mut self.choices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn matrix(&self, fold: &Fold) -> Result<Matrix, String> {
        let (candidate, choice) = self.corrected.chosen(fold, self.layout, self.label, self.inner)?;
        self.choices.lock().unwrap_or_else(PoisonError::into_inner).extend(choice);
        self.corrected.candidate_of_fold(candidate, fold, self.label)
    }
}

impl Probe for InFold<'_> {
    fn card(&self) -> &'static Card {
        self.inner.card()
    }

    fn backend(&self) -> &'static str {
        self.inner.backend()
    }

    fn run(
        &self,
        input: ProbeInput<'_>,
        folds: &[&Fold],
        tick: &(dyn Fn(usize, usize) + Sync),
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        for (at, fold) in folds.iter().enumerate() {
            match self.matrix(fold) {
                Ok(matrix) => {
                    let input = ProbeInput { matrix: &matrix, ..input };
                    self.inner.run(input, &[*fold], &|_, _| (), &mut |_, fitted| sink(at, fitted))?;
                }
                Err(reason) => sink(at, Err(format!("the correction: {reason}"))),
            }
            tick(at + 1, folds.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bench_core::{Answers, Block, Layout};
    use bench_eval::probe::logistic::{LogisticProbe, LogisticSettings};

    use super::*;

    #[test]
    fn commas_divide_chains_outside_of_parentheses_only() {
        assert_eq!(
            split("none, mad(by=plate, on=controls) > int,sphere"),
            ["none", "mad(by=plate, on=controls) > int", "sphere"]
        );
    }

    /// Two sources, two plates each; treated rows shifted by plate, controls with them.
    fn table() -> Table {
        let name = |at: usize| (format!("s{}", at / 8 % 2), format!("p{}", at / 4 % 4));
        let layout = |rows: usize| {
            let names: Vec<(String, String)> = (0..rows).map(name).collect();
            Layout {
                rows,
                source: Some(Factor::sorted(&names.iter().map(|n| &n.0).collect::<Vec<_>>())),
                plate: Some(Factor::sorted(&names.iter().map(|n| &n.1).collect::<Vec<_>>())),
                file_row: (0..rows as u64).collect(),
                ..Layout::default()
            }
        };
        let value = |at: usize| ((at / 4 % 4) as f32).mul_add(10.0, (at * 7 % 5) as f32);
        let block = |rows: usize| Block {
            layout: layout(rows),
            matrix: Matrix::new(rows, 2, (0..rows).flat_map(|at| [value(at), value(at + 3)]).collect()),
        };
        Table {
            name: "m".into(),
            features: vec!["a".into(), "b".into()],
            treated: block(16),
            answers: Answers { column: "y".into(), label: Factor::first_seen(&["x", "y"].repeat(8)) },
            controls: block(16),
            ..Table::default()
        }
    }

    fn fold(test_source: usize) -> Fold {
        let roles = (0..16).map(|at| if at / 8 % 2 == test_source { Role::Test } else { Role::Train }).collect();
        Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles }
    }

    #[test]
    fn a_held_out_source_teaches_a_correction_nothing() {
        let texts = ["none".to_owned(), "standardise(by=plate, on=controls) > sphere(method=pca, on=all)".to_owned()];
        let (tables, corrections) = expand(vec![table()], &texts, Seed(1), &crate::Silent).unwrap();
        assert_eq!(tables[1].name, format!("m + {}", texts[1]));
        let corrected = corrections[1].as_ref().unwrap();
        assert!(corrected.info.refitted && !corrected.info.transductive && !corrected.info.uses_answers);
        let label = &tables[0].answers.label;
        let rows = corrected.fit_rows(&fold(1));
        assert_eq!(rows, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23], "rows and controls of one source");
        // Other values in the rows that are tested leave the rows that train as they are.
        let before = corrected.of_fold(&fold(1), label).unwrap();
        let mut other = table();
        for value in &mut other.treated.matrix.data_mut()[16..] {
            *value = value.mul_add(3.0, 100.0);
        }
        let (_, others) = expand(vec![other], &texts, Seed(1), &crate::Silent).unwrap();
        let after = others[1].as_ref().unwrap().of_fold(&fold(1), label).unwrap();
        assert_eq!(before.data()[..16], after.data()[..16]);
        assert_ne!(before.data()[16..], after.data()[16..]);
    }

    #[test]
    fn chains_of_a_group_and_its_own_controls_need_no_refit_and_give_the_same_rows() {
        let texts = ["mad(by=plate, on=controls, epsilon=0.1)".to_owned()];
        let (tables, corrections) = expand(vec![table()], &texts, Seed(1), &crate::Silent).unwrap();
        let corrected = corrections[0].as_ref().unwrap();
        assert!(!corrected.info.refitted);
        let of_fold = corrected.of_fold(&fold(0), &tables[0].answers.label).unwrap();
        assert_eq!(of_fold, tables[0].treated.matrix, "plates that the fit did not see are aligned by their controls");
    }

    #[test]
    fn a_probe_sees_each_fold_through_its_own_correction() {
        let texts = ["centre(by=all, on=all)".to_owned()];
        let (tables, corrections) = expand(vec![table()], &texts, Seed(1), &crate::Silent).unwrap();
        let corrected = corrections[0].as_ref().unwrap();
        let label = &tables[0].answers.label;
        let inner = LogisticProbe::new(LogisticSettings::default()).unwrap();
        let probe = InFold::new(&inner, corrected, &tables[0].treated.layout, label);
        let input =
            ProbeInput { matrix: &tables[0].treated.matrix, class: &label.codes, classes: 2, name_rank: &[0, 1] };
        let (one, two) = (fold(0), fold(1));
        let mut seen = Vec::new();
        probe
            .run(input, &[&one, &two], &|_, _| (), &mut |at, fitted| seen.push((at, fitted.unwrap().predictions.len())))
            .unwrap();
        assert_eq!(seen, [(0, 8), (1, 8)]);
    }

    #[test]
    fn open_settings_are_chosen_in_each_training_set_and_written_down() {
        let texts = ["centre(by=plate) > sphere(shrinkage=ridge, ridge=0.01|10, on=all)".to_owned()];
        let (tables, corrections) = expand(vec![table()], &texts, Seed(1), &crate::Silent).unwrap();
        let corrected = corrections[0].as_ref().unwrap();
        assert!(corrected.is_open() && corrected.in_folds());
        assert_eq!(corrected.info.canonical.matches(" | ").count(), 1);
        let label = &tables[0].answers.label;
        let inner = LogisticProbe::new(LogisticSettings::default()).unwrap();
        let probe = InFold::new(&inner, corrected, &tables[0].treated.layout, label);
        let input =
            ProbeInput { matrix: &tables[0].treated.matrix, class: &label.codes, classes: 2, name_rank: &[0, 1] };
        let run = |probe: &InFold<'_>| {
            let mut right = Vec::new();
            probe
                .run(input, &[&fold(0), &fold(1)], &|_, _| (), &mut |_, fitted| {
                    right.push(fitted.unwrap().predictions.probability);
                })
                .unwrap();
            (right, probe.take_choices())
        };
        let (first, choices) = run(&probe);
        assert_eq!(choices.len(), 2);
        // One source trains, so that the inner folds keep its plates apart.
        assert!(
            choices.iter().all(|c| c.unit == "plate" && c.folds == 2 && c.n_train == 8 && c.chosen.contains("ridge="))
        );
        assert_eq!(run(&probe), (first, choices), "the same again");
    }
}
