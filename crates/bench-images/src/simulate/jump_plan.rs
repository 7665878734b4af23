//! The real plan of TARGET2 plates: sources, batches and barcodes of JUMP-CP, marked as simulated.
//!
//! # What
//! The 113 TARGET2 plates of the nine sources that imaged the compound library, in 89 batches, read
//! from `data-manifests/cpg0016-target2-plates.csv`. Batches begin with `sim_` and barcodes with
//! `sim-`, so that nobody takes a simulated plate for the real one.
//!
//! # Assumptions
//! source_9 has plates of 1,536 wells with four copies of the compounds. Here each quadrant of 16
//! rows and 24 columns repeats the 384-well layout; on the real plates the arrangement is another.
//! Training plates stand in the same sources and batches, and have 384 wells in all of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use super::plan::{COLUMNS, ROWS, Well};
use crate::csv::Csv;

/// One plate of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPlate {
    /// Imaging centre.
    pub source: String,
    /// Experimental batch of that centre, with `sim_` before it.
    pub batch: String,
    /// Barcode, with `sim-` before it.
    pub name: String,
    /// Rows of wells.
    pub rows: usize,
    /// Columns of wells.
    pub columns: usize,
}

/// The plates in the order of the manifest.
pub fn plates() -> &'static [PlannedPlate] {
    static PLATES: OnceLock<Vec<PlannedPlate>> = OnceLock::new();
    PLATES.get_or_init(|| {
        let text = include_str!("../../../../data-manifests/cpg0016-target2-plates.csv");
        let table = Csv::parse(text, Path::new("cpg0016-target2-plates.csv")).expect("the embedded table is sound");
        let names = ["source", "batch", "plate", "wells", "compound_site"];
        let at = names.map(|name| table.column(&[name]).expect("the embedded table has its columns"));
        let rows = table.rows.iter().map(|(_, cells)| at.map(|column| cells[column].as_str()));
        rows.filter(|[.., compound_site]| *compound_site == "true")
            .map(|[source, batch, plate, wells, _]| {
                let copies = if wells == "1536" { 2 } else { 1 };
                PlannedPlate {
                    source: source.to_owned(),
                    batch: format!("sim_{batch}"),
                    name: format!("sim-{plate}"),
                    rows: copies * ROWS,
                    columns: copies * COLUMNS,
                }
            })
            .collect()
    })
}

/// Source and batch, the first batch of every source before the second of any.
pub fn batches() -> Vec<(&'static str, String)> {
    let mut of_source: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for plate in plates() {
        let batches = of_source.entry(&plate.source).or_default();
        if !batches.contains(&plate.batch.as_str()) {
            batches.push(&plate.batch);
        }
    }
    let most = of_source.values().map(Vec::len).max().unwrap_or(0);
    let of_round = |round: usize| {
        let batches = of_source.iter().filter_map(move |(source, batches)| Some((*source, *batches.get(round)?)));
        batches.map(|(source, batch)| (source, batch.to_owned())).collect::<Vec<_>>()
    };
    (0..most).flat_map(of_round).collect()
}

/// The wells of a plate: the layout once, or in every quadrant.
pub fn wells(plate: &PlannedPlate, layout: &[Well]) -> Vec<Well> {
    let (down, across) = (plate.rows / ROWS, plate.columns / COLUMNS);
    let corners = (0..down).flat_map(|r| (0..across).map(move |c| (r * ROWS, c * COLUMNS)));
    let copy = |(row, column): (usize, usize)| {
        layout.iter().map(move |well| Well { row: row + well.row, column: column + well.column, ..well.clone() })
    };
    let mut wells: Vec<Well> = corners.flat_map(copy).collect();
    wells.sort_by_key(|well| (well.row, well.column));
    wells
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::simulate::plan::{Plate, PlateType, plates as planned};
    use crate::simulate::{SimulationConfig, Target2Plan, compounds};

    fn config() -> SimulationConfig {
        let mut config = SimulationConfig::demo();
        config.target2.plan = Target2Plan::Jump;
        config
    }

    #[test]
    fn the_plan_is_that_of_jump_with_marked_names() {
        let plates = plates();
        assert_eq!(plates.len(), 113);
        assert!(plates.iter().all(|plate| plate.batch.starts_with("sim_") && plate.name.starts_with("sim-")));
        let large: Vec<&PlannedPlate> = plates.iter().filter(|plate| (plate.rows, plate.columns) == (32, 48)).collect();
        assert_eq!(large.len(), 9);
        assert!(large.iter().all(|plate| plate.source == "source_9"));
        let batches = batches();
        assert_eq!(batches.len(), 89);
        assert_eq!(batches[..9].iter().map(|(source, _)| *source).collect::<BTreeSet<_>>().len(), 9);
    }

    #[test]
    fn the_whole_layout_fills_the_wells_of_the_real_plates() {
        let mut config = config();
        (config.target2.targets, config.target2.dmso_wells) = (160, 64);
        let all = planned(&config).unwrap();
        let scored: Vec<&Plate> = all.iter().filter(|plate| plate.kind == PlateType::Target2).collect();
        assert_eq!(scored.len(), 113);
        assert_eq!(scored.iter().map(|plate| plate.wells.len()).sum::<usize>(), 53_760);
        let sources: BTreeSet<&str> = scored.iter().map(|plate| plate.source.as_str()).collect();
        assert_eq!(sources.len(), 9);
        for plate in &scored {
            let copies = if plate.source == "source_9" { 4 } else { 1 };
            assert_eq!(plate.wells.len(), copies * 384);
            let dmso = plate.wells.iter().filter(|well| well.pert_type == "negcon").count();
            assert_eq!(dmso, copies * 64);
            let names: BTreeSet<String> = plate.wells.iter().map(Well::name).collect();
            assert_eq!(names.len(), plate.wells.len(), "every well once");
            assert_eq!(names.contains("AF48"), copies == 4);
            for target in compounds::targets() {
                let wells = plate.wells.iter().filter(|well| well.compound.target == target).count();
                assert_eq!(wells, copies * 2, "{target} on {}", plate.name);
            }
        }
        let large = scored.iter().find(|plate| plate.source == "source_9").unwrap();
        let of = |name: &str| large.wells.iter().find(|well| well.name() == name).unwrap();
        assert_eq!(of("B02").compound, of("R02").compound);
        assert_eq!(of("P24").compound, of("AF48").compound);
        assert_ne!(of("B02").compound, of("B03").compound);
    }

    #[test]
    fn training_plates_stand_in_the_same_batches() {
        let all = planned(&config()).unwrap();
        let batches: BTreeSet<(String, String)> = batches().into_iter().map(|(s, b)| (s.to_owned(), b)).collect();
        let training: Vec<&Plate> = all.iter().filter(|plate| plate.kind == PlateType::Compound).collect();
        assert_eq!(training.len(), 24);
        assert!(training.iter().all(|plate| batches.contains(&(plate.source.clone(), plate.batch.clone()))));
        let sources: BTreeSet<&str> = training.iter().map(|plate| plate.source.as_str()).collect();
        assert_eq!(sources.len(), 9);
        let names: BTreeSet<&str> = all.iter().map(|plate| plate.name.as_str()).collect();
        assert_eq!(names.len(), all.len(), "barcodes are unique");
    }

    #[test]
    fn configurations_without_a_plan_keep_their_digest() {
        let (grid, jump) = (SimulationConfig::demo(), config());
        let text = serde_json::to_string(&grid.target2).unwrap();
        assert!(text.starts_with("{\"plates-per-batch\":2,"), "{text}");
        assert_ne!(grid.digest(), jump.digest());
        let again: SimulationConfig = serde_json::from_str(&serde_json::to_string(&jump).unwrap()).unwrap();
        assert_eq!(again, jump);
    }

    #[test]
    fn replicates_are_limited_by_the_batches_of_the_plan() {
        let mut config = config();
        config.training.replicates = 89;
        assert!(config.check().is_ok());
        config.training.replicates = 90;
        assert!(config.check().unwrap_err().to_string().contains("training.replicates"));
    }
}
