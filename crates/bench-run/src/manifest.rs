//! Manifests: what is known of a public data set before a byte of it is here.
//!
//! # What
//! A manifest is a TOML file in `data-manifests/` with a CSV file of its plates beside it: where
//! the data come from, under which licence, what its oddities are, which plates there are, and
//! whether they may be trained on. Manifests are embedded in the program. Unknown keys, unknown
//! columns and plates that occur twice are errors.
//!
//! # Why
//! A plate that models are scored on must not be trained on, whatever a table beside the images
//! says of its type: [`held_out`] finds it by its barcode.
//!
//! # What it cannot show
//! Whether the images in a folder are those of the plate that their names say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::suite::explain;

/// Id, text and plates of every embedded manifest.
const EMBEDDED: [(&str, &str, &str); 1] = [(
    "cpg0016-target2",
    include_str!("../../../data-manifests/cpg0016-target2.toml"),
    include_str!("../../../data-manifests/cpg0016-target2-plates.csv"),
)];

/// Columns of a table of plates.
const COLUMNS: &str = "source,batch,plate,wells,compound_site,standard_layout";

/// What is known of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Id; file name without extension.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// Accession of the data set that the plates are part of.
    pub accession: String,
    /// Licence of the data.
    pub licence: String,
    /// What to cite.
    pub citation: String,
    /// Where the images are.
    pub images: String,
    /// `Metadata_PlateType` of the plates.
    pub plate_type: String,
    /// File that lists the plates, beside the manifest.
    #[serde(rename = "plates")]
    pub plate_table: String,
    /// Whether no model may be trained on these plates.
    pub held_out: bool,
    /// Tables that say what is on the plates.
    pub tables: Vec<Origin>,
    /// What to know before using them.
    pub caveats: Vec<Caveat>,
    /// The plates, by barcode.
    #[serde(skip)]
    plates: BTreeMap<String, Plate>,
}

/// Where a table comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Origin {
    /// What it holds.
    pub holds: String,
    /// GitHub repository.
    pub repository: String,
    /// Commit that was read.
    pub commit: Option<String>,
    /// Path in the repository.
    pub path: String,
    /// SHA-256 of the file at that commit.
    pub sha256: Option<String>,
    /// Licence of the repository.
    pub licence: String,
}

/// What to know of one matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caveat {
    /// The matter.
    pub about: String,
    /// What to know.
    pub text: String,
}

/// One plate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plate {
    /// Imaging centre.
    pub source: String,
    /// Experimental batch.
    pub batch: String,
    /// Barcode.
    pub barcode: String,
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

impl Manifest {
    /// The embedded manifest of this id.
    ///
    /// # Errors
    /// There is none.
    pub fn load(id: &str) -> Result<&'static Manifest, Error> {
        embedded().iter().find(|manifest| manifest.id == id).ok_or_else(|| {
            let known: Vec<&str> = ids().collect();
            let meant = bench_core::suggest::closest(id, known.iter().copied());
            Error::Usage {
                message: format!("no manifest is called `{id}`"),
                hint: Some(match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("manifests are {}", known.join(", ")),
                }),
            }
        })
    }

    /// The plates in the order of their barcodes.
    pub fn plates(&self) -> impl Iterator<Item = &Plate> {
        self.plates.values()
    }

    /// The plate of this barcode.
    pub fn plate(&self, barcode: &str) -> Option<&Plate> {
        self.plates.get(barcode)
    }

    /// Reads a manifest and its table of plates; `place` names it in errors.
    fn parse(place: &str, text: &str, table: &str) -> Result<Manifest, Error> {
        let mut manifest: Manifest = toml::from_str(text).map_err(|error| explain(place, text, &error))?;
        let wrong = |line: usize, message: String| Error::SuiteText {
            place: manifest.plate_table.clone(),
            line: Some(line),
            message,
            suggestion: Some(format!("the columns are {COLUMNS}, without quotes")),
        };
        let mut plates = BTreeMap::new();
        for (line, row) in table.lines().enumerate().map(|(at, row)| (at + 1, row)) {
            if line == 1 {
                if row != COLUMNS {
                    return Err(wrong(line, format!("unknown columns `{row}`")));
                }
                continue;
            }
            let plate = plate(row).map_err(|why| wrong(line, why))?;
            if let Some(before) = plates.insert(plate.barcode.clone(), plate) {
                return Err(wrong(line, format!("plate `{}` is listed twice", before.barcode)));
            }
        }
        manifest.plates = plates;
        Ok(manifest)
    }
}

fn plate(row: &str) -> Result<Plate, String> {
    let cells: Vec<&str> = row.split(',').collect();
    let [source, batch, barcode, wells, compound_site, standard_layout] = cells[..] else {
        return Err(format!("{} cells", cells.len()));
    };
    if [source, batch, barcode].contains(&"") {
        return Err("source, batch or barcode is empty".to_owned());
    }
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
        wells,
        compound_site: flag(compound_site)?,
        standard_layout: flag(standard_layout)?,
    })
}

/// All manifests of the program.
pub fn embedded() -> &'static [Manifest] {
    static MANIFESTS: OnceLock<Vec<Manifest>> = OnceLock::new();
    MANIFESTS.get_or_init(|| {
        let read = |(id, text, table)| Manifest::parse(&format!("manifest `{id}`"), text, table);
        EMBEDDED.map(|embedded| read(embedded).expect("embedded manifests are valid: a test reads them")).into()
    })
}

/// Text of a manifest.
pub fn text(id: &str) -> Option<&'static str> {
    EMBEDDED.iter().find(|(known, _, _)| *known == id).map(|(_, text, _)| *text)
}

/// Ids of all manifests.
pub fn ids() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(id, _, _)| *id)
}

/// The plate that must not be trained on, of this barcode, and the manifest that lists it.
pub fn held_out(barcode: &str) -> Option<(&'static Manifest, &'static Plate)> {
    let listing = embedded().iter().filter(|manifest| manifest.held_out);
    listing.filter_map(|manifest| Some((manifest, manifest.plate(barcode)?))).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target2_manifest_has_the_plates_of_jump() {
        let manifest = Manifest::load("cpg0016-target2").expect("embedded");
        assert_eq!(EMBEDDED[0].0, manifest.id);
        let all = Counts::of(manifest.plates());
        assert_eq!((all.plates, all.sources, all.batches), (141, 11, 107));
        let compounds: Vec<&Plate> = manifest.plates().filter(|plate| plate.compound_site).collect();
        let counts = Counts { plates: 113, sources: 9, batches: 89, wells: 53_760 };
        assert_eq!(Counts::of(compounds.iter().copied()), counts);
        let of = |wells: usize| compounds.iter().filter(|plate| plate.wells == wells).count();
        assert_eq!((of(384), of(1536)), (104, 9));
        for plate in manifest.plates() {
            assert_eq!(plate.wells == 1536, plate.source == "source_9", "{plate:?}");
            assert_eq!(plate.compound_site, !["source_4", "source_13"].contains(&plate.source.as_str()), "{plate:?}");
            let other = plate.source == "source_9" || plate.barcode == "CP1-SC2-25";
            assert_eq!(plate.standard_layout, !other, "{plate:?}");
        }
        let plate = manifest.plate("BR00127145").expect("listed");
        assert_eq!((plate.source.as_str(), plate.wells), ("source_4", 384));
        assert!(manifest.held_out && manifest.licence.starts_with("CC0"));
    }

    #[test]
    fn held_out_plates_are_found_by_barcode_and_others_are_not() {
        let (manifest, plate) = held_out("BR00127145").expect("listed");
        assert_eq!((manifest.id.as_str(), plate.source.as_str()), ("cpg0016-target2", "source_4"));
        assert!(held_out("UL001641").is_none());
    }

    #[test]
    fn unknown_ids_keys_and_bad_rows_are_errors() {
        let error = Manifest::load("cpg0016-target").expect_err("unknown");
        assert_eq!(error.hint().as_deref(), Some("did you mean `cpg0016-target2`?"));
        let (_, text, _) = EMBEDDED[0];
        let parse = |text: &str, table: &str| Manifest::parse("m", text, table).map_err(|error| error.to_string());
        let unknown = parse(&format!("sorce = 1\n{text}"), COLUMNS).expect_err("unknown key");
        assert!(unknown.contains("m:1") && unknown.contains("unknown key `sorce`"), "{unknown}");
        let table = |row: &str| format!("{COLUMNS}\ns,b,p,384,true,true\n{row}\n");
        assert!(parse(text, &table("s,b,q,1536,true,false")).is_ok());
        for (row, word) in [
            ("s,b,p,384,true,true", "csv:3: plate `p` is listed twice"),
            ("s,b,q,96,true,true", "`96` wells"),
            ("s,b,q,384,yes,true", "`yes` is neither"),
            ("s,b,q,384,true", "5 cells"),
            (",b,q,384,true,true", "is empty"),
        ] {
            let error = parse(text, &table(row)).expect_err(row);
            assert!(error.contains(word), "{error}");
        }
        assert!(parse(text, "source,plate\n").expect_err("columns").contains("unknown columns"));
    }
}
