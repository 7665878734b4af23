//! Settings of a simulation.

use bench_core::digest;
use serde::{Deserialize, Serialize};

use super::dials::Dials;
use super::jump_plan;
use super::plan::SOURCES;
use crate::{Error, Result};

/// Part of the digest of a configuration; raised when the same configuration gives other pixels.
const VERSION: u32 = 1;

/// Everything that decides what is simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SimulationConfig {
    /// Seed of everything.
    pub seed: u64,
    /// Rows of a field in pixels.
    pub height: usize,
    /// Columns of a field in pixels.
    pub width: usize,
    /// Side of a pixel in micrometres. JUMP has 0.6; small fields need coarser pixels to hold cells.
    pub pixel_um: f64,
    /// Imaging centres of the plan `grid`.
    pub sources: usize,
    /// Experimental batches of each centre of the plan `grid`.
    pub batches_per_source: usize,
    /// Training plates.
    pub training: TrainingPlates,
    /// TARGET2-like plates.
    pub target2: Target2Plates,
    /// Strength of the phenotypes; 0 makes every compound a blank, 1 is strong.
    pub effect_size: f64,
    /// How much cells and wells differ from each other; 1 is natural.
    pub cell_variation: f64,
    /// How intensities become 8 bits.
    pub conversion: Conversion,
    /// Strengths of technical effects.
    pub dials: Dials,
    /// How the plates are written.
    pub format: Format,
}

/// Plates with compounds that are not on TARGET2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainingPlates {
    /// Compounds in all.
    pub compounds: usize,
    /// Targets through which they act; those of the TARGET2-like plates are the first of them.
    pub targets: usize,
    /// Compounds of one plate map (at most 320). All plates of a map have the same wells.
    pub compounds_per_plate: usize,
    /// Batches in which each plate map is imaged, one plate in each.
    pub replicates: usize,
    /// DMSO wells of a plate (at most 64).
    pub dmso_wells: usize,
    /// Fields of view of a treated well.
    pub fields_per_well: usize,
    /// Fields of view of a DMSO well.
    pub fields_per_control: usize,
}

/// Plates with the real 384-well layout of TARGET2, or some of its wells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Target2Plates {
    /// Which plates there are, and with them the sources and batches of all plates.
    #[serde(skip_serializing_if = "Target2Plan::is_grid")]
    pub plan: Target2Plan,
    /// Plates of each batch of the plan `grid`.
    pub plates_per_batch: usize,
    /// How many targets, when `target_list` is empty: the first in alphabetical order whose two
    /// wells hold different compounds (160 takes all).
    pub targets: usize,
    /// The targets by name.
    pub target_list: Vec<String>,
    /// DMSO wells of the layout (at most 64); plates of 1,536 wells hold it four times.
    pub dmso_wells: usize,
    /// Fields of view of a treated well.
    pub fields_per_well: usize,
    /// Fields of view of a DMSO well.
    pub fields_per_control: usize,
}

/// Sources, batches and plates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target2Plan {
    /// As many batches in every source and as many plates in every batch.
    #[default]
    Grid,
    /// The 113 plates of the nine sources that imaged JUMP's compound library, in their 89
    /// batches; see [`jump_plan`].
    Jump,
}

impl Target2Plan {
    /// Whether this is the plan of configurations that name none, whose digests it leaves alone.
    fn is_grid(&self) -> bool {
        *self == Self::Grid
    }
}

/// From camera counts to 8 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conversion {
    /// The range of the camera, the same for every image. Keeps gain, offset and intensity
    /// phenotypes visible, so that every dial acts.
    #[default]
    Fixed,
    /// Between the percentiles 1 and 99 of each image and channel, as JUMP images are prepared.
    /// Removes most of gain and offset, and intensity phenotypes with them.
    Percentiles,
}

/// How plates are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One packed file per plate.
    #[default]
    Packed,
    /// The JUMP folder layout, one 8-bit PNG per channel.
    Folder,
}

impl Default for SimulationConfig {
    fn default() -> Self {
        Self::demo()
    }
}

impl Default for TrainingPlates {
    fn default() -> Self {
        SimulationConfig::demo().training
    }
}

impl Default for Target2Plates {
    fn default() -> Self {
        SimulationConfig::demo().target2
    }
}

impl SimulationConfig {
    /// About 4,000 fields of 80 px: enough to train three small models and score them.
    pub fn demo() -> Self {
        Self {
            seed: 1,
            height: 80,
            width: 80,
            pixel_um: 1.6,
            sources: 5,
            batches_per_source: 2,
            training: TrainingPlates {
                compounds: 240,
                targets: 40,
                compounds_per_plate: 40,
                replicates: 4,
                dmso_wells: 4,
                fields_per_well: 2,
                fields_per_control: 1,
            },
            target2: Target2Plates {
                plan: Target2Plan::Grid,
                plates_per_batch: 2,
                targets: 9,
                target_list: Vec::new(),
                dmso_wells: 4,
                fields_per_well: 5,
                fields_per_control: 2,
            },
            effect_size: 1.0,
            cell_variation: 1.0,
            conversion: Conversion::Fixed,
            dials: Dials::all(0.5),
            format: Format::Packed,
        }
    }

    /// About 500 fields of 40 px: for tests that must end in seconds.
    pub fn tiny() -> Self {
        Self {
            height: 40,
            width: 40,
            pixel_um: 2.4,
            sources: 3,
            batches_per_source: 2,
            training: TrainingPlates {
                compounds: 24,
                targets: 6,
                compounds_per_plate: 12,
                replicates: 3,
                dmso_wells: 2,
                fields_per_well: 2,
                fields_per_control: 1,
            },
            target2: Target2Plates {
                plan: Target2Plan::Grid,
                plates_per_batch: 2,
                targets: 4,
                target_list: Vec::new(),
                dmso_wells: 2,
                fields_per_well: 3,
                fields_per_control: 1,
            },
            ..Self::demo()
        }
    }

    /// Names the pixels and tables that this configuration gives, whatever they are written as.
    pub fn digest(&self) -> String {
        let text = serde_json::to_string(&(VERSION, self)).expect("a configuration becomes JSON");
        digest::of_bytes(text.as_bytes())
    }

    /// Fails unless every setting is in range.
    pub fn check(&self) -> Result<()> {
        let at_least_one = [
            ("batches_per_source", self.batches_per_source),
            ("training.compounds_per_plate", self.training.compounds_per_plate),
        ];
        if let Some((name, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return Err(Error::setting(name, "must be at least 1"));
        }
        let batches = match self.target2.plan {
            Target2Plan::Grid => self.sources * self.batches_per_source,
            Target2Plan::Jump => jump_plan::batches().len(),
        };
        let ranges = [
            ("height", self.height, 8, 4096),
            ("width", self.width, 8, 4096),
            ("sources", self.sources, 1, SOURCES.len()),
            ("training.compounds_per_plate", self.training.compounds_per_plate, 1, 320),
            ("training.dmso_wells", self.training.dmso_wells, 0, 64),
            ("training.replicates", self.training.replicates, 0, batches),
            ("target2.dmso_wells", self.target2.dmso_wells, 0, 64),
        ];
        if let Some((name, value, low, high)) = ranges.iter().find(|(_, v, low, high)| v < low || v > high) {
            return Err(Error::setting(name, format!("is between {low} and {high}, and not {value}")));
        }
        let positive = [
            ("pixel_um", self.pixel_um, 0.05, 10.0),
            ("effect_size", self.effect_size, 0.0, 5.0),
            ("cell_variation", self.cell_variation, 0.0, 5.0),
        ];
        if let Some((name, value, low, high)) = positive.iter().find(|(_, v, low, high)| !(low..=high).contains(&v)) {
            return Err(Error::setting(name, format!("is between {low} and {high}, and not {value}")));
        }
        self.dials.check()
    }
}
