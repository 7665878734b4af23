//! Which plates there are, what is in their wells, and which fields are taken.

use bench_core::Seed;

use super::compounds::{self, Compound};
use super::config::{SimulationConfig, Target2Plan};
use super::jump_plan;
use crate::id::FieldId;
use crate::{Error, Result};

/// Names of simulated imaging centres: those of JUMP, its compound sites first.
pub const SOURCES: [&str; 13] = [
    "source_2",
    "source_3",
    "source_5",
    "source_6",
    "source_10",
    "source_8",
    "source_11",
    "source_7",
    "source_9",
    "source_1",
    "source_15",
    "source_4",
    "source_13",
];
/// Rows of a 384-well plate.
pub const ROWS: usize = 16;
/// Columns of a 384-well plate.
pub const COLUMNS: usize = 24;

/// What a plate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlateType {
    /// Training: compounds that are not on TARGET2.
    Compound,
    /// The TARGET2 layout.
    Target2,
}

impl PlateType {
    /// As it stands in the metadata of JUMP.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compound => "COMPOUND",
            Self::Target2 => "TARGET2",
        }
    }
}

/// One plate.
#[derive(Clone, Debug)]
pub struct Plate {
    /// Imaging centre.
    pub source: String,
    /// Experimental batch.
    pub batch: String,
    /// Barcode.
    pub name: String,
    /// What it is for.
    pub kind: PlateType,
    /// Rows of wells, imaged or not.
    pub rows: usize,
    /// Columns of wells, imaged or not.
    pub columns: usize,
    /// The wells that are imaged, in order.
    pub wells: Vec<Well>,
}

/// One well.
#[derive(Clone, Debug)]
pub struct Well {
    /// Row, counted from 0.
    pub row: usize,
    /// Column, counted from 0.
    pub column: usize,
    /// `trt`, `poscon` or `negcon`.
    pub pert_type: String,
    /// What is in it.
    pub compound: Compound,
    /// Fields of view.
    pub fields: usize,
}

impl Well {
    /// `A01` to `P24`, or to `AF48` on plates of 1,536 wells.
    pub fn name(&self) -> String {
        well_name(self.row, self.column)
    }
}

impl Plate {
    /// Fields of view of the plate, in order: (well, site counted from 1).
    pub fn fields(&self) -> Vec<(&Well, usize)> {
        self.wells.iter().flat_map(|well| (1..=well.fields).map(move |site| (well, site))).collect()
    }

    /// The id of a field.
    pub fn field_id(&self, well: &Well, site: usize) -> FieldId {
        let own = str::to_owned;
        FieldId {
            source: own(&self.source),
            batch: own(&self.batch),
            plate: own(&self.name),
            well: well.name(),
            site: site.to_string(),
        }
    }
}

fn well_name(row: usize, column: usize) -> String {
    let letter = |at: usize| char::from(b'A' + (at % 26) as u8);
    let first = if row < 26 { String::new() } else { letter(row / 26 - 1).to_string() };
    format!("{first}{}{:02}", letter(row), column + 1)
}

/// Row and column of a well of the layout, `A01` to `P24`.
fn well_place(name: &str) -> (usize, usize) {
    let row = usize::from(name.as_bytes()[0] - b'A');
    (row, name[1..].parse::<usize>().expect("a well name ends in its column") - 1)
}

/// The targets of the TARGET2-like plates.
pub fn evaluated_targets(config: &SimulationConfig) -> Result<Vec<String>> {
    let known = compounds::targets();
    let list = &config.target2.target_list;
    if let Some(unknown) = list.iter().find(|target| !known.contains(&target.as_str())) {
        return Err(Error::setting(
            "target2.target_list",
            format!("names `{unknown}`, which is not a target of TARGET2"),
        ));
    }
    if !list.is_empty() {
        return Ok(list.clone());
    }
    let layout = compounds::target2_layout();
    let different = |target: &&str| {
        let mut wells = layout.iter().filter(|well| well.compound.target == **target);
        wells.next().map(|w| w.compound.skeleton()) != wells.next().map(|w| w.compound.skeleton())
    };
    let (mut chosen, rest): (Vec<&str>, Vec<&str>) = known.into_iter().partition(different);
    chosen.extend(rest);
    let n = config.target2.targets;
    if n > chosen.len() {
        return Err(Error::setting("target2.targets", format!("is at most {}, and not {n}", chosen.len())));
    }
    Ok(chosen[..n].iter().map(|&t| t.to_owned()).collect())
}

/// All plates in order.
pub fn plates(config: &SimulationConfig) -> Result<Vec<Plate>> {
    config.check()?;
    // Neighbours in this order are of different sources, so that the replicates of a plate map,
    // which are neighbours, are spread over sources first.
    let batches = match config.target2.plan {
        Target2Plan::Grid => grid_batches(config),
        Target2Plan::Jump => jump_plan::batches(),
    };
    let evaluated = evaluated_targets(config)?;
    let mut out = training_plates(config, &batches, &evaluated)?;
    let wells = target2_wells(config, &evaluated, Seed(config.seed));
    match config.target2.plan {
        Target2Plan::Grid => {
            for (source, batch) in &batches {
                for number in 1..=config.target2.plates_per_batch {
                    let name = format!("sim-{}-{}-target2-{number:02}", short(source), &batch[4..]);
                    out.push(Plate {
                        source: (*source).to_owned(),
                        batch: batch.clone(),
                        name,
                        kind: PlateType::Target2,
                        rows: ROWS,
                        columns: COLUMNS,
                        wells: wells.clone(),
                    });
                }
            }
        }
        Target2Plan::Jump => out.extend(jump_plan::plates().iter().map(|plate| Plate {
            source: plate.source.clone(),
            batch: plate.batch.clone(),
            name: plate.name.clone(),
            kind: PlateType::Target2,
            rows: plate.rows,
            columns: plate.columns,
            wells: jump_plan::wells(plate, &wells),
        })),
    }
    out.retain(|plate| plate.wells.iter().any(|well| well.fields > 0));
    out.sort_by(|a, b| (&a.source, &a.batch, &a.name).cmp(&(&b.source, &b.batch, &b.name)));
    Ok(out)
}

/// Source and batch; neighbours are of different sources.
fn grid_batches(config: &SimulationConfig) -> Vec<(&'static str, String)> {
    let of = |batch: usize| SOURCES[..config.sources].iter().map(move |source| (*source, batch));
    let all = (1..=config.batches_per_source).flat_map(of);
    all.map(|(source, batch)| (source, format!("sim_batch{batch:02}"))).collect()
}

fn short(source: &str) -> String {
    source.replace("source_", "s")
}

fn target2_wells(config: &SimulationConfig, targets: &[String], seed: Seed) -> Vec<Well> {
    let layout = compounds::target2_layout();
    let mut dmso: Vec<usize> = (0..layout.len()).filter(|&i| layout[i].pert_type == "negcon").collect();
    // The same DMSO wells on every plate, as the layout is the same on every plate.
    seed.derive("target2 dmso", 0).stream().shuffle(&mut dmso);
    dmso.truncate(config.target2.dmso_wells);
    let wanted = |i: &usize| dmso.contains(i) || targets.contains(&layout[*i].compound.target);
    (0..layout.len())
        .filter(wanted)
        .map(|i| {
            let (row, column) = well_place(&layout[i].well);
            let control = layout[i].pert_type == "negcon";
            let fields = if control { config.target2.fields_per_control } else { config.target2.fields_per_well };
            Well { row, column, pert_type: layout[i].pert_type.clone(), compound: layout[i].compound.clone(), fields }
        })
        .collect()
}

/// Compounds of the training plates: one of each target, then a second of each, and so on.
fn training_compounds(config: &SimulationConfig, evaluated: &[String]) -> Result<Vec<&'static Compound>> {
    let mut targets = evaluated.to_vec();
    targets.extend(compounds::targets().into_iter().map(str::to_owned).filter(|t| !evaluated.contains(t)));
    let wanted = config.training.targets;
    if wanted > targets.len() {
        return Err(Error::setting("training.targets", format!("is at most {}, and not {wanted}", targets.len())));
    }
    targets.truncate(wanted);
    let library = compounds::training_library();
    let by_target: Vec<Vec<&Compound>> =
        targets.iter().map(|target| library.iter().filter(|c| &c.target == target).collect()).collect();
    let most = by_target.iter().map(Vec::len).max().unwrap_or(0);
    let mut out: Vec<&Compound> =
        (0..most).flat_map(|rank| by_target.iter().filter_map(move |c| c.get(rank).copied())).collect();
    let n = config.training.compounds;
    if n > out.len() {
        let reason = format!("is at most {} with {wanted} targets, and not {n}", out.len());
        return Err(Error::setting("training.compounds", reason));
    }
    out.truncate(n);
    Ok(out)
}

fn training_plates(config: &SimulationConfig, batches: &[(&str, String)], evaluated: &[String]) -> Result<Vec<Plate>> {
    let training = &config.training;
    let seed = Seed(config.seed);
    let mut compounds = training_compounds(config, evaluated)?;
    // Which compounds share a plate map has nothing to do with their targets.
    seed.derive("plate maps", 0).stream().shuffle(&mut compounds);
    let maps: Vec<&[&Compound]> = compounds.chunks(training.compounds_per_plate).collect();
    let dmso = compounds::target2_layout().iter().find(|well| well.pert_type == "negcon").expect("the layout has DMSO");
    let mut out = Vec::new();
    for (m, map) in maps.iter().enumerate() {
        // Controls stand in the outer two columns on each side, as on JUMP compound plates.
        let place = |columns: &[usize]| -> Vec<(usize, usize)> {
            (0..ROWS).flat_map(|row| columns.iter().map(move |&column| (row, column))).collect()
        };
        let mut inner = place(&(2..COLUMNS - 2).collect::<Vec<_>>());
        let mut outer = place(&[0, 1, COLUMNS - 2, COLUMNS - 1]);
        seed.derive("compound wells", m as u64).stream().shuffle(&mut inner);
        seed.derive("control wells", m as u64).stream().shuffle(&mut outer);
        let mut wells: Vec<Well> = Vec::new();
        for (&(row, column), compound) in inner.iter().zip(*map) {
            let (compound, fields) = ((*compound).clone(), training.fields_per_well);
            wells.push(Well { row, column, pert_type: "trt".to_owned(), compound, fields });
        }
        for &(row, column) in &outer[..training.dmso_wells] {
            let (compound, fields) = (dmso.compound.clone(), training.fields_per_control);
            wells.push(Well { row, column, pert_type: "negcon".to_owned(), compound, fields });
        }
        wells.sort_by_key(|well| (well.row, well.column));
        for replicate in 0..training.replicates {
            // Maps start at different batches: no batch has all compounds, so batch and compound
            // are partly confounded, as they are in JUMP.
            let (source, batch) = &batches[(m * training.replicates + replicate) % batches.len()];
            let name = format!("sim-{}-{}-map{:02}", short(source), &batch[4..], m + 1);
            out.push(Plate {
                source: (*source).to_owned(),
                batch: batch.clone(),
                name,
                kind: PlateType::Compound,
                rows: ROWS,
                columns: COLUMNS,
                wells: wells.clone(),
            });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn plates_have_the_geometry_that_was_asked_for() {
        let config = SimulationConfig::demo();
        let plates = plates(&config).unwrap();
        assert_eq!(plates.iter().filter(|p| p.kind == PlateType::Target2).count(), 20);
        assert_eq!(plates.iter().filter(|p| p.kind == PlateType::Compound).count(), 24);
        let names: BTreeSet<&str> = plates.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names.len(), plates.len(), "barcodes are unique");
        let mut batches: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
        for plate in plates.iter().filter(|p| p.kind == PlateType::Compound) {
            for well in plate.wells.iter().filter(|w| w.pert_type == "trt") {
                batches.entry(&well.compound.inchikey).or_default().insert((&plate.source, &plate.batch));
            }
        }
        assert_eq!(batches.len(), 240);
        assert!(batches.values().all(|b| b.len() == 4), "every compound in four batches");
        let sources = |b: &BTreeSet<(&str, &str)>| b.iter().map(|(s, _)| *s).collect::<BTreeSet<_>>().len();
        assert!(batches.values().all(|b| sources(b) == 4));
        for plate in plates.iter().filter(|p| p.kind == PlateType::Target2) {
            assert_eq!(plate.wells.iter().filter(|w| !w.compound.target.is_empty()).count(), 18);
            assert!(plate.wells.iter().all(|w| !batches.contains_key(w.compound.inchikey.as_str())));
            for well in &plate.wells {
                let real = compounds::target2_layout().iter().find(|l| l.well == well.name()).unwrap();
                assert_eq!(real.compound, well.compound);
            }
        }
    }

    #[test]
    fn wells_are_named_by_letters_and_column() {
        for (row, column, name) in [(0, 0, "A01"), (15, 23, "P24"), (25, 9, "Z10"), (26, 0, "AA01"), (31, 47, "AF48")] {
            assert_eq!(well_name(row, column), name);
        }
        assert!(compounds::target2_layout().iter().all(|well| {
            let (row, column) = well_place(&well.well);
            well_name(row, column) == well.well
        }));
    }

    #[test]
    fn the_whole_layout_can_be_taken() {
        let mut config = SimulationConfig::tiny();
        (config.target2.targets, config.target2.dmso_wells) = (160, 64);
        (config.training.targets, config.training.compounds) = (160, 1900);
        config.training.compounds_per_plate = 320;
        let all = plates(&config).unwrap();
        assert!(all.iter().filter(|p| p.kind == PlateType::Target2).all(|p| p.wells.len() == 384));
        config.training.compounds = 3000;
        assert!(plates(&config).unwrap_err().to_string().contains("is at most"));
    }
}
