//! Simulated Cell Painting plates, with phenotypes and technical effects of known strength.
//!
//! # What
//! [`Simulator`] plans plates ([`plan`]), paints cells whose traits follow from the target and the
//! potency of the compound ([`phenotype`], `cells`), and looks at them through the microscope of
//! a source, the staining of a batch, the focus of a plate and the place of a well ([`effects`]),
//! each as strong as its dial ([`dials`]). [`write()`](output::write) makes plates on disk.
//!
//! # Why
//! With known truth a benchmark can be tested: with all dials at zero, a classifier trained on
//! some sources must do as well on others, and must not be able to name the source.
//!
//! # What it cannot show
//! How a method does on real images. Every output says that it is simulated.
//!
//! # Determinism
//! A field is a function of the configuration and its name: the same bytes in any order and at any
//! number of threads.

mod cells;
pub mod compounds;
pub mod config;
pub mod dials;
pub mod effects;
mod grid;
pub mod jump_plan;
pub mod output;
pub mod phenotype;
pub mod plan;

use std::cell::RefCell;

use bench_core::Seed;

pub use config::{Conversion, Format, SimulationConfig, Target2Plan, Target2Plates, TrainingPlates};
pub use dials::Dials;
pub use output::{SimulationReport, write};

use crate::Result;
use crate::image::{Image, Pixels};
use crate::store::scale::between_percentiles;
use cells::{Canvas, Scene};
use effects::{Effects, Place};
use grid::Size;
use phenotype::Phenotype;
use plan::{Plate, PlateType, Well};

/// A checked configuration and its plates.
#[derive(Clone, Debug)]
pub struct Simulator {
    config: SimulationConfig,
    plates: Vec<Plate>,
}

impl Simulator {
    /// Checks the configuration and plans the plates.
    pub fn new(config: SimulationConfig) -> Result<Self> {
        let plates = plan::plates(&config)?;
        Ok(Self { config, plates })
    }

    /// The configuration.
    pub fn config(&self) -> &SimulationConfig {
        &self.config
    }

    /// The plates in order of source, batch and name.
    pub fn plates(&self) -> &[Plate] {
        &self.plates
    }

    /// Fields in all.
    pub fn fields(&self) -> usize {
        self.plates.iter().map(|plate| plate.wells.iter().map(|well| well.fields).sum::<usize>()).sum()
    }

    /// Renders one field: 8 bits, channels DNA, AGP, ER, Mito, RNA.
    pub fn render(&self, plate: &Plate, well: &Well, site: usize) -> Image {
        thread_local! {
            static CANVAS: RefCell<Canvas> = RefCell::default();
        }
        let config = &self.config;
        let size = Size { height: config.height, width: config.width };
        let seed = Seed(config.seed);
        let place = Place {
            source: &plate.source,
            batch: &plate.batch,
            plate: &plate.name,
            row: well.row,
            column: well.column,
            rows: plate.rows,
            columns: plate.columns,
        };
        let effects = Effects::new(seed, &config.dials, &place);
        let phenotype =
            Phenotype::of_compound(seed, &well.compound.target, &well.compound.inchikey, config.effect_size);
        let scene = Scene {
            size,
            pixel_um: config.pixel_um,
            phenotype: &phenotype,
            variation: config.cell_variation,
            density: effects.density,
        };
        // A well is a well of its plate: the name says which, so the seed needs no order.
        let well_seed = seed.derive(&format!("{} {}", plate.name, well.name()), 0);
        let field_seed = well_seed.derive("site", site as u64);
        let counts = CANVAS.with_borrow_mut(|canvas| {
            cells::paint(&scene, well_seed, field_seed, canvas);
            effects.expose(canvas, size, config.pixel_um, field_seed)
        });
        let planes = counts.map(|counts| {
            Pixels::U8(match config.conversion {
                Conversion::Fixed => counts.iter().map(|&v| (v >> 8) as u8).collect(),
                Conversion::Percentiles => between_percentiles(&counts, 1.0, 99.0),
            })
        });
        Image::interleave(size.height, size.width, &planes).expect("planes of one size and depth")
    }
}

#[cfg(test)]
mod tests;
