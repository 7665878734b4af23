//! Simulated embeddings of a TARGET2-like experiment.
//!
//! # What
//! Sources x batches x plates, all with one plate layout: every compound sits in the same few
//! wells of every plate, the rest of the wells used are DMSO. An embedding is a sum of normal vectors, one
//! per label, compound, source, batch, plate, position, well and field of view, each with its
//! strength, stretched per dimension by source and batch, with a decaying spectrum, and mixed by
//! three reflections so that no dimension stands alone.
//!
//! # Formula
//! `x = R3 R2 R1 D (exp(s_scale (a_source + a_batch)) * sum_k s_k e_k)` with `e_k ~ N(0, I)`,
//! `D = diag((1 + j)^(-decay / 2))`, `R` Householder reflections; `*` is elementwise.
//!
//! # Why
//! The smoke suite needs a table whose truth is known, at once and without network.
//!
//! # What it cannot show
//! Anything about real cells: effects are independent, additive and the same in every source.

use bench_core::{Answers, Block, Factor, Layout, Matrix, Seed, Stream, Table, digest, order};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Size of the experiment and strength of every effect (standard deviations per dimension).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SyntheticSpec {
    /// Sources.
    pub sources: usize,
    /// Batches of each source.
    pub batches_per_source: usize,
    /// Plates of each batch.
    pub plates_per_batch: usize,
    /// Labels.
    pub labels: usize,
    /// Compounds of each label.
    pub compounds_per_label: usize,
    /// Wells of each compound on each plate.
    pub wells_per_compound: usize,
    /// DMSO wells on each plate.
    pub controls_per_plate: usize,
    /// Fields of view of each well.
    pub sites_per_well: usize,
    /// Dimensions of the embedding.
    pub dimensions: usize,
    /// Decay of the spectrum; 0 is none.
    pub decay: f64,
    /// Strength of the label.
    pub label: f64,
    /// Strength of the compound beyond its label.
    pub compound: f64,
    /// Strength of the source's offset.
    pub source: f64,
    /// Strength of the batch's offset.
    pub batch: f64,
    /// Strength of the plate's offset.
    pub plate: f64,
    /// Strength of the well position's offset.
    pub position: f64,
    /// Log-scale by which source and batch stretch each dimension.
    pub scale: f64,
    /// Strength of what the fields of one well share by chance.
    pub well: f64,
    /// Strength of what is left.
    pub noise: f64,
}

impl Default for SyntheticSpec {
    fn default() -> Self {
        Self {
            sources: 4,
            batches_per_source: 2,
            plates_per_batch: 2,
            labels: 8,
            compounds_per_label: 2,
            wells_per_compound: 2,
            controls_per_plate: 12,
            sites_per_well: 2,
            dimensions: 64,
            decay: 1.0,
            label: 0.35,
            compound: 0.25,
            source: 0.8,
            batch: 0.4,
            plate: 0.2,
            position: 0.15,
            scale: 0.15,
            well: 0.5,
            noise: 0.7,
        }
    }
}

/// Rows and columns of the plates that exist.
const PLATES: [(usize, usize); 3] = [(8, 12), (16, 24), (32, 48)];

impl SyntheticSpec {
    fn wells(&self) -> usize {
        self.labels * self.compounds_per_label * self.wells_per_compound + self.controls_per_plate
    }

    /// Rows of the table, labelled and controls.
    pub fn rows(&self) -> usize {
        self.sources * self.batches_per_source * self.plates_per_batch * self.wells() * self.sites_per_well
    }

    fn check(&self) -> Result<(usize, usize), Error> {
        let bad = |problem: String| Err(Error::BadSimulation { problem });
        let counts = [
            ("sources", self.sources, 1),
            ("batches-per-source", self.batches_per_source, 1),
            ("plates-per-batch", self.plates_per_batch, 1),
            ("labels", self.labels, 2),
            ("compounds-per-label", self.compounds_per_label, 1),
            ("wells-per-compound", self.wells_per_compound, 1),
            ("controls-per-plate", self.controls_per_plate, 0),
            ("sites-per-well", self.sites_per_well, 1),
            ("dimensions", self.dimensions, 1),
        ];
        for (name, value, least) in counts {
            if value < least || value > 100_000 {
                return bad(format!("`{name}` is {value}; it lies between {least} and 100000"));
            }
        }
        let strengths = [
            ("decay", self.decay),
            ("label", self.label),
            ("compound", self.compound),
            ("source", self.source),
            ("batch", self.batch),
            ("plate", self.plate),
            ("position", self.position),
            ("scale", self.scale),
            ("well", self.well),
            ("noise", self.noise),
        ];
        for (name, value) in strengths {
            if !(0.0..=10.0).contains(&value) {
                return bad(format!("`{name}` is {value}; it lies between 0 and 10"));
            }
        }
        // In 128 bits: nine counts of up to 100,000 overflow 64.
        let wells = self.labels as u128 * self.compounds_per_label as u128 * self.wells_per_compound as u128
            + self.controls_per_plate as u128;
        let Some(plate) = PLATES.into_iter().find(|(rows, columns)| wells <= (rows * columns) as u128) else {
            return bad(format!("{wells} wells do not fit on a plate of 1536"));
        };
        let plates = self.sources as u128 * self.batches_per_source as u128 * self.plates_per_batch as u128;
        let rows = plates * wells * self.sites_per_well as u128;
        if rows * self.dimensions as u128 > 1 << 31 {
            return bad(format!("{rows} rows of {} dimensions are too many", self.dimensions));
        }
        Ok(plate)
    }
}

/// One row before it has an embedding.
struct Row {
    source: usize,
    batch: usize,
    plate: usize,
    /// Compound, absent for DMSO.
    compound: Option<usize>,
    position: usize,
    /// Well among all wells of all plates.
    well: usize,
    site: usize,
}

/// Simulates a table. The same specification and seed give the same bytes.
pub fn simulate(spec: &SyntheticSpec, seed: Seed) -> Result<Table, Error> {
    let (plate_rows, plate_columns) = spec.check()?;
    let used = seed.derive("simulate-layout", 0).stream().permutation(plate_rows * plate_columns);
    let rows = rows(spec, &used);
    let effects = Effects::new(spec, seed, plate_rows * plate_columns, &rows);
    let position = |row: &Row| position_name(row.position, plate_columns);
    let block = |rows: &[&Row]| {
        let names =
            |name: &dyn Fn(&Row) -> String| Some(Factor::sorted(&rows.iter().map(|r| name(r)).collect::<Vec<_>>()));
        let source = |r: &Row| format!("source-{}", r.source + 1);
        let batch = |r: &Row| format!("{}/batch-{}", source(r), r.batch % spec.batches_per_source + 1);
        let plate = |r: &Row| format!("{}/plate-{:02}", batch(r), r.plate + 1);
        let layout = Layout {
            rows: rows.len(),
            source: names(&source),
            batch: names(&batch),
            plate: names(&plate),
            well: names(&|r| format!("{}/{}", plate(r), position(r))),
            position: names(&position),
            site: names(&|r| format!("{}", r.site + 1)),
            compound: names(&|r| r.compound.map_or("DMSO".to_owned(), |c| format!("compound-{:03}", c + 1))),
            file_row: (0..rows.len() as u64).collect(),
            ..Layout::default()
        };
        let data = rows.iter().flat_map(|row| effects.embedding(spec, row)).collect();
        let block = Block { layout, matrix: Matrix::new(rows.len(), spec.dimensions, data) };
        let order = order::canonical(&block, &[]);
        (block.take(&order), order)
    };
    let (treated_rows, control_rows): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.compound.is_some());
    let (mut treated, order) = block(&treated_rows);
    let (mut controls, _) = block(&control_rows);
    let labels: Vec<String> = order
        .iter()
        .filter_map(|&i| treated_rows[i as usize].compound)
        .map(|compound| format!("target-{:02}", compound / spec.compounds_per_label + 1))
        .collect();
    // There is no file: rows are numbered as they stand, labelled ones first.
    treated.layout.file_row = (0..treated.layout.rows as u64).collect();
    controls.layout.file_row = (0..controls.layout.rows as u64).map(|row| row + treated.layout.rows as u64).collect();
    let bytes: Vec<u8> =
        [&treated, &controls].iter().flat_map(|b| b.matrix.data().iter().flat_map(|v| v.to_le_bytes())).collect();
    Ok(Table {
        name: "simulated".to_owned(),
        origin: "simulated".to_owned(),
        digest: digest::of_bytes(&bytes),
        features: (0..spec.dimensions).map(|i| format!("emb_{i}")).collect(),
        answers: Answers { column: "target".to_owned(), label: Factor::first_seen(&labels) },
        understood: vec![
            format!(
                "simulated data, no cells: {} labelled rows and {} DMSO rows of {} dimensions, seed {}",
                treated.layout.rows, controls.layout.rows, spec.dimensions, seed.0
            ),
            format!(
                "{} sources x {} batches x {} plates, {} labels x {} compounds x {} wells, {} fields of view per well",
                spec.sources,
                spec.batches_per_source,
                spec.plates_per_batch,
                spec.labels,
                spec.compounds_per_label,
                spec.wells_per_compound,
                spec.sites_per_well
            ),
        ],
        warnings: vec!["this table is simulated".to_owned()],
        treated,
        controls,
        dropped: Vec::new(),
    })
}

fn rows(spec: &SyntheticSpec, used: &[u32]) -> Vec<Row> {
    let compounds = spec.labels * spec.compounds_per_label;
    let mut rows = Vec::with_capacity(spec.rows());
    let plates = spec.sources * spec.batches_per_source * spec.plates_per_batch;
    for plate in 0..plates {
        let batch = plate / spec.plates_per_batch;
        for (i, &position) in used[..spec.wells()].iter().enumerate() {
            let compound = Some(i / spec.wells_per_compound).filter(|compound| *compound < compounds);
            for site in 0..spec.sites_per_well {
                let source = batch / spec.batches_per_source;
                let well = plate * spec.wells() + i;
                rows.push(Row { source, batch, plate, compound, position: position as usize, well, site });
            }
        }
    }
    rows
}

/// `A01` to `AF48`.
fn position_name(position: usize, columns: usize) -> String {
    let (row, column) = (position / columns, position % columns + 1);
    let letter = |i: usize| char::from(b'A' + (i % 26) as u8);
    let first = if row < 26 { String::new() } else { letter(row / 26 - 1).to_string() };
    format!("{first}{}{column:02}", letter(row))
}

/// The vectors that embeddings are summed from. Each has a seed of its own, so that adding a
/// source leaves the others as they are.
struct Effects {
    seed: Seed,
    label: Vec<Vec<f64>>,
    compound: Vec<Vec<f64>>,
    source: Vec<Vec<f64>>,
    batch: Vec<Vec<f64>>,
    plate: Vec<Vec<f64>>,
    position: Vec<Vec<f64>>,
    source_scale: Vec<Vec<f64>>,
    batch_scale: Vec<Vec<f64>>,
    reflections: Vec<Vec<f64>>,
}

impl Effects {
    fn new(spec: &SyntheticSpec, seed: Seed, positions: usize, rows: &[Row]) -> Self {
        let d = spec.dimensions;
        let vectors = |purpose: &str, n: usize| -> Vec<Vec<f64>> {
            (0..n as u64).map(|i| normal(&mut seed.derive(purpose, i).stream(), d)).collect()
        };
        let batches = rows.last().map_or(0, |row| row.batch + 1);
        let plates = rows.last().map_or(0, |row| row.plate + 1);
        let mut reflections = vectors("simulate-mixing", 3);
        for vector in &mut reflections {
            let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
            vector.iter_mut().for_each(|v| *v /= norm);
        }
        Self {
            seed,
            label: vectors("simulate-label", spec.labels),
            compound: vectors("simulate-compound", spec.labels * spec.compounds_per_label),
            source: vectors("simulate-source", spec.sources),
            batch: vectors("simulate-batch", batches),
            plate: vectors("simulate-plate", plates),
            position: vectors("simulate-position", positions),
            source_scale: vectors("simulate-source-scale", spec.sources),
            batch_scale: vectors("simulate-batch-scale", batches),
            reflections,
        }
    }

    fn embedding(&self, spec: &SyntheticSpec, row: &Row) -> Vec<f32> {
        let d = spec.dimensions;
        let well = normal(&mut self.seed.derive("simulate-well", row.well as u64).stream(), d);
        let field = row.well * spec.sites_per_well + row.site;
        let noise = normal(&mut self.seed.derive("simulate-noise", field as u64).stream(), d);
        let mut x: Vec<f64> = (0..d)
            .map(|j| {
                let perturbation = row.compound.map_or(0.0, |compound| {
                    spec.label * self.label[compound / spec.compounds_per_label][j]
                        + spec.compound * self.compound[compound][j]
                });
                let nuisance = spec.source * self.source[row.source][j]
                    + spec.batch * self.batch[row.batch][j]
                    + spec.plate * self.plate[row.plate][j]
                    + spec.position * self.position[row.position][j];
                let chance = spec.well * well[j] + spec.noise * noise[j];
                let stretch = spec.scale * (self.source_scale[row.source][j] + self.batch_scale[row.batch][j]);
                let spectrum = (1.0 + j as f64).powf(-spec.decay / 2.0);
                spectrum * stretch.exp() * (perturbation + nuisance + chance)
            })
            .collect();
        for axis in &self.reflections {
            let along: f64 = 2.0 * x.iter().zip(axis).map(|(x, a)| x * a).sum::<f64>();
            x.iter_mut().zip(axis).for_each(|(x, a)| *x -= along * a);
        }
        x.into_iter().map(|v| v as f32).collect()
    }
}

fn normal(stream: &mut Stream, n: usize) -> Vec<f64> {
    (0..n).map(|_| stream.normal()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_small_fixed_by_its_seed_and_laid_out_like_target2() {
        let spec = SyntheticSpec::default();
        let table = simulate(&spec, Seed(1)).unwrap();
        assert_eq!(table, simulate(&spec, Seed(1)).unwrap());
        assert_ne!(table.digest, simulate(&spec, Seed(2)).unwrap().digest);
        assert_eq!(table.treated.layout.rows + table.controls.layout.rows, spec.rows());
        assert!(spec.rows() < 3000);
        let layout = &table.treated.layout;
        assert_eq!(layout.unit("plate").unwrap().level_count(), 16);
        assert_eq!(table.answers.label.level_count(), 8);
        // A compound keeps its two positions on every plate.
        let mut places = std::collections::BTreeMap::new();
        for row in 0..layout.rows {
            let (compound, position) = (layout.compound.as_ref().unwrap(), layout.position.as_ref().unwrap());
            places.entry(compound.name(row)).or_insert_with(std::collections::BTreeSet::new).insert(position.name(row));
        }
        assert_eq!(places.len(), 16);
        assert!(places.values().all(|positions| positions.len() == 2));
        assert!(table.understood[0].starts_with("simulated data, no cells"));
    }

    #[test]
    fn dials_turn_what_they_say() {
        let silent = SyntheticSpec {
            compound: 0.0,
            source: 0.0,
            batch: 0.0,
            plate: 0.0,
            position: 0.0,
            scale: 0.0,
            well: 0.0,
            noise: 0.0,
            ..SyntheticSpec::default()
        };
        let table = simulate(&silent, Seed(3)).unwrap();
        assert!(table.controls.matrix.data().iter().all(|v| *v == 0.0));
        let labels = &table.answers.label;
        for row in 0..labels.len() {
            let first = labels.codes.iter().position(|c| *c == labels.codes[row]).unwrap();
            assert_eq!(table.treated.matrix.row(row), table.treated.matrix.row(first));
        }
    }

    #[test]
    fn impossible_specifications_are_refused_with_their_limits() {
        let refuse = |spec: SyntheticSpec| simulate(&spec, Seed(0)).unwrap_err().to_string();
        let default = SyntheticSpec::default;
        assert_eq!(
            refuse(SyntheticSpec { labels: 1, ..default() }),
            "the simulation cannot be made: `labels` is 1; it lies between 2 and 100000"
        );
        assert_eq!(
            refuse(SyntheticSpec { noise: f64::NAN, ..default() }),
            "the simulation cannot be made: `noise` is NaN; it lies between 0 and 10"
        );
        assert_eq!(
            refuse(SyntheticSpec { labels: 2000, ..default() }),
            "the simulation cannot be made: 8012 wells do not fit on a plate of 1536"
        );
    }

    #[test]
    fn positions_are_named_as_on_plates() {
        assert_eq!(position_name(0, 24), "A01");
        assert_eq!(position_name(383, 24), "P24");
        assert_eq!(position_name(1535, 48), "AF48");
    }
}
