//! The cards of mean average precision: what is ranked, and what is read from it.

use std::sync::Arc;

use super::consistency::scored;
use super::null::NullSettings;
use super::presets;
use super::rule::PairRule;
use super::run::{GroupScore, MapTable, table};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Groups, MeanOver, Measured, NullCost, Part, Roles, Space};

/// q below which a group is retrieved.
const THRESHOLD: f64 = 0.05;

/// What is ranked.
#[derive(Clone, Copy, Debug)]
enum Task {
    /// Profiles of a compound under a rule.
    Compounds(&'static PairRule<'static>),
    /// The same, with copairs' null.
    Copairs(&'static PairRule<'static>),
    /// Consensus profiles of a label.
    Labels { active_only: bool },
}

impl Task {
    /// The control embedding that finds everything.
    const fn best(&self) -> &'static str {
        match self {
            Task::Labels { .. } => "one-hot-label",
            Task::Compounds(_) | Task::Copairs(_) => "one-hot-compound",
        }
    }
}

/// What is read from the table.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Mean of normalised mAP.
    Normalised,
    /// Mean of mAP.
    Raw,
    /// Share of groups with q below the threshold.
    Retrieved,
}

/// One reading of one ranking.
#[derive(Clone, Copy, Debug)]
pub struct MeanAp {
    card: &'static EmbeddingCard,
    task: Task,
    answer: Answer,
}

macro_rules! limits {
    ($constant:literal) => {
        concat!(
            "Chance and normalisation take ranks as exchangeable. Replicates in one well position share its effects. \
             Compounds weigh alike, however many wells they have. Constant embedding: ",
            $constant,
            "."
        )
    };
}
const REFERENCE: &str = "Kalinin et al., Nature Communications 16:5181 (2025); copairs 0.5.5";
const TIED: &str = "copairs 0.5.5, ties averaged, replicates in other wells";

macro_rules! mean_ap {
    ($name:ident, $task:expr, Normalised, $id:literal, $title:literal, $what:expr, $dialect:expr, $constant:literal) => {
        mean_ap!(@ $name, $task, Normalised, $id, $title, $what,
            "mean over groups of mean (AP - mu) / (1 - mu), mu the mean of AP in random order", "-1 to 1", $dialect, $constant);
    };
    ($name:ident, $task:expr, Raw, $id:literal, $title:literal, $what:expr, $dialect:expr, $constant:literal) => {
        mean_ap!(@ $name, $task, Raw, $id, $title, $what,
            "mean over groups of mean AP, AP = (1/P) sum of precision at the ranks of positives", "0 to 1", $dialect, $constant);
    };
    ($name:ident, $task:expr, Retrieved, $id:literal, $title:literal, $what:expr, $dialect:expr, $constant:literal) => {
        mean_ap!(@ $name, $task, Retrieved, $id, $title, $what,
            "share of groups with Benjamini-Hochberg q < 0.05, p under random ranks", "0 to 1", $dialect, $constant);
    };
    (@ $name:ident, $task:expr, $answer:ident, $id:literal, $title:literal, $what:expr, $formula:expr, $range:expr, $dialect:expr, $constant:literal) => {
        #[doc = $title]
        pub static $name: MeanAp = MeanAp {
            card: &card! {
                id: $id, title: $title, what: $what, formula: $formula, better: "higher", range: $range,
                limits: limits!($constant), reference: REFERENCE, side: Biology, dialect: $dialect, best: $task.best(), worst: "noise",
            },
            task: $task,
            answer: Answer::$answer,
        };
    };
}

const ACTIVITY: &str = "Profiles of a compound look for those in other wells among the controls of their plate.";
const DISTINCTIVENESS: &str =
    "Profiles of a compound look for those in other wells among other compounds of their plate.";
const CONSISTENCY: &str = "Median profiles of active compounds look for those with a common label among the others.";
const CONSISTENCY_ALL: &str = "Median profiles of all compounds look for those with a common label among the others.";
const CROSS_BATCH: &str = "Profiles look for their compound in other batches among other compounds of their own batch.";
const CROSS_SOURCE: &str =
    "Profiles look for their compound in other sources among other compounds of their own source.";
const MULTI: &str = "copairs 0.5.5 multi-label, ties averaged; Arevalo 2024 consistency";

mean_ap!(
    ACTIVITY_MAP,
    Task::Compounds(&presets::ACTIVITY),
    Normalised,
    "activity-map",
    "Phenotypic activity, normalised mAP",
    ACTIVITY,
    TIED,
    "0"
);
mean_ap!(
    ACTIVITY_MAP_RAW,
    Task::Compounds(&presets::ACTIVITY),
    Raw,
    "activity-map-raw",
    "Phenotypic activity, mAP",
    ACTIVITY,
    TIED,
    "chance"
);
mean_ap!(
    ACTIVITY_RETRIEVED,
    Task::Compounds(&presets::ACTIVITY),
    Retrieved,
    "activity-retrieved",
    "Phenotypic activity, share of compounds retrieved",
    ACTIVITY,
    TIED,
    "0"
);
mean_ap!(
    DISTINCTIVENESS_MAP,
    Task::Compounds(&presets::DISTINCTIVENESS),
    Normalised,
    "distinctiveness-map",
    "Distinctiveness, normalised mAP",
    DISTINCTIVENESS,
    TIED,
    "0"
);
mean_ap!(
    DISTINCTIVENESS_MAP_RAW,
    Task::Compounds(&presets::DISTINCTIVENESS),
    Raw,
    "distinctiveness-map-raw",
    "Distinctiveness, mAP",
    DISTINCTIVENESS,
    TIED,
    "chance"
);
mean_ap!(
    DISTINCTIVENESS_RETRIEVED,
    Task::Compounds(&presets::DISTINCTIVENESS),
    Retrieved,
    "distinctiveness-retrieved",
    "Distinctiveness, share of compounds retrieved",
    DISTINCTIVENESS,
    TIED,
    "0"
);
mean_ap!(
    CONSISTENCY_MAP,
    Task::Labels { active_only: true },
    Normalised,
    "consistency-map",
    "Consistency of active compounds, normalised mAP",
    CONSISTENCY,
    MULTI,
    "not defined, no compound is active"
);
mean_ap!(
    CONSISTENCY_RETRIEVED,
    Task::Labels { active_only: true },
    Retrieved,
    "consistency-retrieved",
    "Consistency of active compounds, share of labels retrieved",
    CONSISTENCY,
    MULTI,
    "not defined, no compound is active"
);
mean_ap!(
    CONSISTENCY_ALL_MAP,
    Task::Labels { active_only: false },
    Normalised,
    "consistency-all-map",
    "Consistency of all compounds, normalised mAP",
    CONSISTENCY_ALL,
    MULTI,
    "0"
);
mean_ap!(
    CONSISTENCY_ALL_RETRIEVED,
    Task::Labels { active_only: false },
    Retrieved,
    "consistency-all-retrieved",
    "Consistency of all compounds, share of labels retrieved",
    CONSISTENCY_ALL,
    MULTI,
    "0"
);
mean_ap!(
    CROSS_BATCH_MAP,
    Task::Compounds(&presets::CROSS_BATCH),
    Normalised,
    "cross-batch-map",
    "Cross-batch normalised mAP",
    CROSS_BATCH,
    TIED,
    "0"
);
mean_ap!(
    CROSS_BATCH_RETRIEVED,
    Task::Compounds(&presets::CROSS_BATCH),
    Retrieved,
    "cross-batch-retrieved",
    "Cross-batch share of compounds retrieved",
    CROSS_BATCH,
    TIED,
    "0"
);
mean_ap!(
    CROSS_SOURCE_MAP,
    Task::Compounds(&presets::CROSS_SOURCE),
    Normalised,
    "cross-source-map",
    "Cross-source normalised mAP",
    CROSS_SOURCE,
    TIED,
    "0"
);
mean_ap!(
    CROSS_SOURCE_RETRIEVED,
    Task::Compounds(&presets::CROSS_SOURCE),
    Retrieved,
    "cross-source-retrieved",
    "Cross-source share of compounds retrieved",
    CROSS_SOURCE,
    TIED,
    "0"
);
mean_ap!(
    AREVALO_NEGCON_MAP,
    Task::Compounds(&presets::AREVALO_NEGCON),
    Raw,
    "arevalo-map-negcon",
    "mAP against controls, positives in another well position",
    "Profiles look for their compound in other well positions among the controls of their plate.",
    "arevalo2024, ties averaged",
    "chance"
);
mean_ap!(
    AREVALO_NONREP_MAP,
    Task::Compounds(&presets::AREVALO_NONREP),
    Raw,
    "arevalo-map-nonrep",
    "mAP against other compounds of the plate",
    "Profiles look for their compound among other compounds of their plate, controls left out.",
    "arevalo2024, ties averaged",
    "chance"
);

const COPAIRS: &str = "copairs 0.5.5: its rules, null of 10,000 draws, strict p; ties averaged";
const COPAIRS_ACTIVITY: &str = "Profiles of a compound look for each other among the controls of their plate.";
const COPAIRS_DISTINCTIVENESS: &str =
    "Profiles of a compound look for each other among other compounds of their plate.";

mean_ap!(
    COPAIRS_ACTIVITY_RAW,
    Task::Copairs(&presets::COPAIRS_ACTIVITY),
    Raw,
    "copairs-activity-map",
    "Phenotypic activity, mAP (copairs)",
    COPAIRS_ACTIVITY,
    COPAIRS,
    "chance"
);
mean_ap!(
    COPAIRS_ACTIVITY_NORMALISED,
    Task::Copairs(&presets::COPAIRS_ACTIVITY),
    Normalised,
    "copairs-activity-normalised",
    "Phenotypic activity, normalised mAP (copairs)",
    COPAIRS_ACTIVITY,
    COPAIRS,
    "0"
);
mean_ap!(
    COPAIRS_ACTIVITY_RETRIEVED,
    Task::Copairs(&presets::COPAIRS_ACTIVITY),
    Retrieved,
    "copairs-activity-retrieved",
    "Phenotypic activity, share of compounds retrieved (copairs)",
    COPAIRS_ACTIVITY,
    COPAIRS,
    "0"
);
mean_ap!(
    COPAIRS_DISTINCTIVENESS_RAW,
    Task::Copairs(&presets::AREVALO_NONREP),
    Raw,
    "copairs-distinctiveness-map",
    "Distinctiveness, mAP (copairs)",
    COPAIRS_DISTINCTIVENESS,
    COPAIRS,
    "chance"
);
mean_ap!(
    COPAIRS_DISTINCTIVENESS_NORMALISED,
    Task::Copairs(&presets::AREVALO_NONREP),
    Normalised,
    "copairs-distinctiveness-normalised",
    "Distinctiveness, normalised mAP (copairs)",
    COPAIRS_DISTINCTIVENESS,
    COPAIRS,
    "0"
);
mean_ap!(
    COPAIRS_DISTINCTIVENESS_RETRIEVED,
    Task::Copairs(&presets::AREVALO_NONREP),
    Retrieved,
    "copairs-distinctiveness-retrieved",
    "Distinctiveness, share of compounds retrieved (copairs)",
    COPAIRS_DISTINCTIVENESS,
    COPAIRS,
    "0"
);

impl MeanAp {
    fn table(
        &self,
        space: &Space<'_>,
        roles: &Roles<'_>,
        with_p: bool,
    ) -> Result<Arc<Result<MapTable, String>>, String> {
        let (rule, null) = match self.task {
            Task::Compounds(rule) => (rule, NullSettings::default()),
            Task::Copairs(rule) => (rule, presets::PEER_NULL),
            Task::Labels { active_only } => {
                return Ok(Arc::new(scored(space, roles, active_only, NullSettings::default(), with_p)));
            }
        };
        // Rows of a rule that does not name the label are not ranked again when labels are permuted.
        table(space, roles, rule, with_p.then_some(null))
    }

    fn of_group(&self, group: &GroupScore) -> f64 {
        match self.answer {
            Answer::Normalised => group.normalised,
            Answer::Raw => group.mean_average_precision,
            Answer::Retrieved => f64::from(group.q < THRESHOLD),
        }
    }

    /// Mean over the groups.
    fn mean(&self, groups: &[GroupScore]) -> f64 {
        groups.iter().map(|group| self.of_group(group)).sum::<f64>() / groups.len() as f64
    }
}

impl EmbeddingMetric for MeanAp {
    fn card(&self) -> &'static EmbeddingCard {
        self.card
    }

    fn per_unit(&self) -> bool {
        false
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        !self.labels_compounds()
    }

    fn labels_compounds(&self) -> bool {
        matches!(self.task, Task::Labels { .. })
    }

    fn value(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<f64, String> {
        let table = self.table(space, roles, matches!(self.answer, Answer::Retrieved))?;
        Ok(self.mean(&table.as_ref().as_ref().map_err(Clone::clone)?.groups))
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let table = self.table(space, roles, true)?;
        let table = table.as_ref().as_ref().map_err(Clone::clone)?;
        let value_of = |group: &GroupScore| self.of_group(group);
        let groups = &table.groups;
        let (unit, rows, mean_over) = match (self.task, self.answer) {
            (Task::Labels { .. }, _) => {
                let values = groups.iter().map(value_of).collect();
                ("label", Vec::new(), MeanOver::Groups(Groups::one_each("label", values)))
            }
            (_, Answer::Retrieved) => {
                let values = groups.iter().map(value_of).collect();
                ("compound", Vec::new(), MeanOver::Groups(Groups::one_each("compound", values)))
            }
            (_, answer) => {
                let mut rows = vec![f64::NAN; roles.layout.rows];
                for row in &table.rows {
                    rows[row.row as usize] = match answer {
                        Answer::Raw => row.average_precision,
                        _ => row.normalised,
                    };
                }
                ("compound", rows, MeanOver::Compounds)
            }
        };
        Ok(Measured {
            value: self.mean(groups),
            n: table.rows.len(),
            mean_over,
            rows,
            parts: groups
                .iter()
                .map(|group| Part {
                    unit,
                    name: group.name.clone(),
                    n: group.n,
                    value: value_of(group),
                    p: Some(group.p),
                })
                .collect(),
        })
    }
}
