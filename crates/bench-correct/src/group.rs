//! Groups of rows: one model per source, batch or plate, and the inductive rule for groups that were not fitted.

use std::collections::BTreeMap;

use bench_core::Matrix;
use rayon::prelude::*;

use crate::correction::{Fitted, Rows, Scope, check};
use crate::params::Reader;
use crate::{Error, Origin};

/// The unit whose groups are corrected apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    All,
    Source,
    Batch,
    Plate,
}

impl By {
    /// The parameter `by`.
    pub(crate) fn read(reader: &mut Reader) -> Result<Self, Error> {
        let all = [("all", By::All), ("source", By::Source), ("batch", By::Batch), ("plate", By::Plate)];
        reader.choice("by", &all)
    }

    /// The parameter `by` where one group makes no sense.
    pub(crate) fn read_unit(reader: &mut Reader) -> Result<Self, Error> {
        reader.choice("by", &[("source", By::Source), ("batch", By::Batch), ("plate", By::Plate)])
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            By::All => "all",
            By::Source => "source",
            By::Batch => "batch",
            By::Plate => "plate",
        }
    }

    /// The rows of each group, groups in order of their names.
    pub(crate) fn groups(self, step: &str, origin: &Origin) -> Result<Vec<Group>, Error> {
        if self == By::All {
            return Ok(vec![Group { by: self, name: String::new(), rows: (0..origin.rows() as u32).collect() }]);
        }
        let factor =
            origin.unit(self.name()).ok_or_else(|| Error::MissingUnit { step: step.to_owned(), unit: self.name() })?;
        let mut groups: Vec<Group> = factor
            .members()
            .into_iter()
            .zip(&factor.levels)
            .filter(|(rows, _)| !rows.is_empty())
            .map(|(rows, name)| Group { by: self, name: name.clone(), rows })
            .collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }
}

/// The rows of one group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) by: By,
    pub(crate) name: String,
    pub(crate) rows: Vec<u32>,
}

impl Group {
    /// The group in words.
    pub(crate) fn words(&self) -> String {
        if self.by == By::All { "the table".to_owned() } else { format!("{} `{}`", self.by.name(), self.name) }
    }

    fn controls(&self, origin: &Origin) -> Vec<u32> {
        self.rows.iter().copied().filter(|&row| origin.is_control(row as usize)).collect()
    }
}

/// The parameter `on`: which rows the fit sees.
pub(crate) fn read_on(reader: &mut Reader) -> Result<Scope, Error> {
    reader.choice("on", &[("controls", Scope::Controls), ("all", Scope::All)])
}

/// What is learned from the rows of one group and applied to rows of that group.
pub(crate) trait Learner: Send + Sync + 'static {
    /// What one group teaches.
    type Model: Send + Sync;

    /// Learns from the rows of one group; `group` is its name in words.
    fn learn(&self, matrix: &Matrix, group: &str) -> Result<Self::Model, Error>;

    /// Corrects rows of the group.
    fn apply(&self, model: &Self::Model, matrix: &Matrix) -> Matrix;
}

/// Which groups are corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Defect {
    /// All of them.
    #[default]
    None,
    /// Parity: jump_models resets the normalised column inside the loop over groups, so that only the last group, in
    /// order of names, stays normalised (specification of the reference's defects, number 1).
    LastGroupOnly,
}

impl Defect {
    /// The parameter `defect`.
    pub(crate) fn read(reader: &mut Reader) -> Result<Self, Error> {
        reader.choice("defect", &[("none", Defect::None), ("last-group-only", Defect::LastGroupOnly)])
    }
}

/// One model per group.
pub(crate) struct PerGroup<L: Learner> {
    step: &'static str,
    learner: L,
    by: By,
    defect: Defect,
    cols: usize,
    /// A group that cannot be learned is an error where it is used: with the defect, groups before the last are not.
    models: BTreeMap<String, Result<L::Model, Error>>,
    notes: Vec<String>,
}

impl<L: Learner> PerGroup<L> {
    /// Learns every group of `rows`, which are the rows of the scope.
    pub(crate) fn learn(
        step: &'static str,
        learner: L,
        by: By,
        defect: Defect,
        rows: &Rows<'_>,
    ) -> Result<Self, Error> {
        let groups = by.groups(step, rows.origin)?;
        let learned: Vec<Result<L::Model, Error>> =
            groups.par_iter().map(|group| learner.learn(&taken(rows.matrix, &group.rows), &group.words())).collect();
        let mut models = BTreeMap::new();
        for (group, model) in groups.into_iter().zip(learned) {
            if defect == Defect::None
                && let Err(error) = model
            {
                return Err(error);
            }
            models.insert(group.name, model);
        }
        let cols = rows.matrix.cols();
        let mut notes = Vec::new();
        if defect == Defect::LastGroupOnly && models.len() > 1 {
            notes.push(format!("only the last of {} groups is corrected, as in the reference", models.len()));
        }
        Ok(Self { step, learner, by, defect, cols, models, notes })
    }

    fn corrected(&self, group: &Group, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        let rows = taken(matrix, &group.rows);
        if let Some(model) = self.models.get(&group.name) {
            return Ok(self.learner.apply(model.as_ref().map_err(Clone::clone)?, &rows));
        }
        let controls = group.controls(origin);
        if controls.is_empty() {
            return Err(Error::NoControls { step: self.step.to_owned(), group: group.words() });
        }
        let model = self.learner.learn(&matrix.take(&controls), &group.words())?;
        Ok(self.learner.apply(&model, &rows))
    }
}

impl<L: Learner> Fitted for PerGroup<L> {
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        check(self.step, matrix, origin, self.cols, false)?;
        let mut groups = self.by.groups(self.step, origin)?;
        if self.defect == Defect::LastGroupOnly {
            let last = groups.pop();
            let mut out = matrix.clone();
            if let Some(last) = last {
                let part = self.corrected(&last, matrix, origin)?;
                scatter(&mut out, &last.rows, &part);
            }
            return Ok(out);
        }
        if let [group] = &groups[..] {
            return self.corrected(group, matrix, origin);
        }
        let mut out: Option<Matrix> = None;
        // A few groups at a time, so that no second copy of the table is held.
        for some in groups.chunks(rayon::current_num_threads().max(1)) {
            let parts: Vec<Result<Matrix, Error>> =
                some.par_iter().map(|group| self.corrected(group, matrix, origin)).collect();
            for (group, part) in some.iter().zip(parts) {
                let part = part?;
                let out = out.get_or_insert_with(|| Matrix::zeros(matrix.rows(), part.cols()));
                scatter(out, &group.rows, &part);
            }
        }
        Ok(out.unwrap_or_else(|| Matrix::zeros(0, matrix.cols())))
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// The rows of a group; no copy is made of a whole table in its order.
pub(crate) fn taken<'a>(matrix: &'a Matrix, rows: &[u32]) -> std::borrow::Cow<'a, Matrix> {
    if rows.len() == matrix.rows() && rows.iter().enumerate().all(|(at, &row)| at == row as usize) {
        std::borrow::Cow::Borrowed(matrix)
    } else {
        std::borrow::Cow::Owned(matrix.take(rows))
    }
}

/// Writes the rows of `part` to `rows` of `out`.
pub(crate) fn scatter(out: &mut Matrix, rows: &[u32], part: &Matrix) {
    let cols = out.cols();
    for (at, &row) in rows.iter().enumerate() {
        out.data_mut()[row as usize * cols..(row as usize + 1) * cols].copy_from_slice(part.row(at));
    }
}

/// A correction that learns one model per group.
pub(crate) struct Grouped<L: Learner + Clone> {
    pub(crate) card: &'static crate::CorrectionCard,
    pub(crate) learner: L,
    pub(crate) by: By,
    pub(crate) on: Scope,
    pub(crate) defect: Defect,
}

impl<L: Learner + Clone> crate::Correction for Grouped<L> {
    fn card(&self) -> &'static crate::CorrectionCard {
        self.card
    }

    fn scope(&self) -> Scope {
        self.on
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let step = self.card.card.id;
        Ok(Box::new(PerGroup::learn(step, self.learner.clone(), self.by, self.defect, rows)?))
    }
}
