//! Tables of the plates of a data set.
//!
//! Two sets of columns are known: with what is on a plate (`wells`, `compound_site`,
//! `standard_layout`), or with its type.

use std::collections::{BTreeMap, BTreeSet};

use super::Manifest;
use crate::Error;

/// Columns of a table that says what each plate is like.
pub(super) const COLUMNS: &str = "source,batch,plate,wells,compound_site,standard_layout";

/// Columns of a table of plates of several types.
const TYPED: &str = "source,batch,plate,plate_type";

/// One plate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plate {
    /// Imaging centre.
    pub source: String,
    /// Experimental batch.
    pub batch: String,
    /// Barcode.
    pub barcode: String,
    /// `Metadata_PlateType`.
    pub kind: String,
    /// Wells: 384 or 1,536.
    pub wells: usize,
    /// Whether the source imaged the compound library.
    pub compound_site: bool,
    /// Whether the layout that the manifest names holds on this plate.
    pub standard_layout: bool,
}

/// How many there are of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Plates.
    pub plates: usize,
    /// Sources.
    pub sources: usize,
    /// Batches, each of one source.
    pub batches: usize,
    /// Wells.
    pub wells: usize,
}

impl Counts {
    /// Counts plates.
    pub fn of<'a>(plates: impl IntoIterator<Item = &'a Plate>) -> Counts {
        let (mut counts, mut sources, mut batches) = (Counts::default(), BTreeSet::new(), BTreeSet::new());
        for plate in plates {
            counts.plates += 1;
            counts.wells += plate.wells;
            sources.insert(&plate.source);
            batches.insert((&plate.source, &plate.batch));
        }
        Counts { sources: sources.len(), batches: batches.len(), ..counts }
    }
}

/// Reads a table of plates, by barcode.
pub(super) fn read(manifest: &Manifest, table: &str) -> Result<BTreeMap<String, Plate>, Error> {
    let wrong = |line: usize, message: String| Error::SuiteText {
        place: manifest.plate_table.clone().unwrap_or_default(),
        line: Some(line),
        message,
        suggestion: Some(format!("the columns are {COLUMNS}, or {TYPED}, without quotes")),
    };
    let mut lines = table.lines();
    let header = lines.next().unwrap_or_default();
    if ![COLUMNS, TYPED].contains(&header) {
        return Err(wrong(1, format!("unknown columns `{header}`")));
    }
    let mut plates = BTreeMap::new();
    for (line, row) in lines.enumerate().map(|(at, row)| (at + 2, row)) {
        let cells: Vec<&str> = row.split(',').collect();
        let made = if header == COLUMNS { described(manifest, &cells) } else { typed(manifest, &cells) };
        let plate = made.map_err(|why| wrong(line, why))?;
        if [&plate.source, &plate.batch, &plate.barcode].iter().any(|name| name.is_empty()) {
            return Err(wrong(line, "source, batch or barcode is empty".to_owned()));
        }
        if let Some(before) = plates.insert(plate.barcode.clone(), plate) {
            return Err(wrong(line, format!("plate `{}` is listed twice", before.barcode)));
        }
    }
    Ok(plates)
}

fn described(manifest: &Manifest, cells: &[&str]) -> Result<Plate, String> {
    let [source, batch, barcode, wells, compound_site, standard_layout] = cells[..] else {
        return Err(format!("{} cells", cells.len()));
    };
    let wells = match wells {
        "384" => 384,
        "1536" => 1536,
        other => return Err(format!("`{other}` wells; plates have 384 or 1536")),
    };
    let flag = |text: &str| text.parse().map_err(|_| format!("`{text}` is neither true nor false"));
    Ok(Plate {
        source: source.to_owned(),
        batch: batch.to_owned(),
        barcode: barcode.to_owned(),
        kind: manifest.plate_type.clone(),
        wells,
        compound_site: flag(compound_site)?,
        standard_layout: flag(standard_layout)?,
    })
}

/// What such a table leaves open is a matter of the source.
fn typed(manifest: &Manifest, cells: &[&str]) -> Result<Plate, String> {
    let [source, batch, barcode, kind] = cells[..] else {
        return Err(format!("{} cells", cells.len()));
    };
    let found = manifest.sources.iter().find(|facts| facts.get("id").and_then(|id| id.as_str()) == Some(source));
    let facts = found.ok_or_else(|| format!("source `{source}` is not described in the manifest"))?;
    let wells = facts.get("wells-per-plate").and_then(|wells| wells.as_integer());
    Ok(Plate {
        source: source.to_owned(),
        batch: batch.to_owned(),
        barcode: barcode.to_owned(),
        kind: kind.to_owned(),
        wells: wells.and_then(|wells| usize::try_from(wells).ok()).ok_or("its source has no `wells-per-plate`")?,
        compound_site: facts.get("role").and_then(|role| role.as_str()) == Some("compound library"),
        standard_layout: false,
    })
}
