//! Manifests: what is known of a public data set before a byte of it is here.
//!
//! # What
//! A manifest is a TOML file in `data-manifests/`: where the bytes are and in which layout, under
//! which licence, what its oddities are, which plates are bad, and whether they may be trained on.
//! A CSV file beside it lists its plates, where that is known. Manifests are embedded
//! in the program. Unknown keys, unknown columns and plates that occur twice are errors.
//!
//! # Why
//! A plate that models are scored on must not be trained on, whatever a table beside the images
//! says of its type: [`held_out`] finds it by its barcode.
//!
//! # What it cannot show
//! Whether the images in a folder are those of the plate that their names say.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::Error;
use crate::suite::explain;

mod plates;

pub use plates::{Counts, Plate};

/// Text of a manifest and of its table of plates, by id.
type Embedded = (&'static str, &'static str, Option<&'static str>);

macro_rules! embed {
    ($id:literal) => {
        ($id, include_str!(concat!("../../../data-manifests/", $id, ".toml")), None)
    };
    ($id:literal, $plates:literal) => {
        (
            $id,
            include_str!(concat!("../../../data-manifests/", $id, ".toml")),
            Some(include_str!(concat!("../../../data-manifests/", $plates))),
        )
    };
}

/// Every embedded manifest.
const EMBEDDED: [Embedded; 7] = [
    embed!("cpg0016-target2", "cpg0016-target2-plates.csv"),
    embed!("cpg0016-jump", "cpg0016-jump-plates.csv"),
    embed!("cpg0000-cpjump1"),
    embed!("cpg0004-lincs"),
    embed!("bray2017"),
    embed!("rxrx1"),
    embed!("rxrx3-core"),
];

/// Facts that are told and not computed with.
type Facts = BTreeMap<String, Value>;

/// What is known of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// `Metadata_PlateType` of the plates, or what they hold.
    pub plate_type: String,
    /// File that lists the plates, beside the manifest.
    #[serde(rename = "plates")]
    pub plate_table: Option<String>,
    /// Whether no model may be trained on these plates.
    pub held_out: bool,
    /// Tables that say what is on the plates.
    pub tables: Vec<Origin>,
    /// What to know before using them.
    pub caveats: Vec<Caveat>,
    /// Keys of this file whose values were not confirmed by a second text.
    #[serde(default)]
    pub unverified: Vec<String>,
    /// The store that holds the objects.
    pub bucket: Option<Bucket>,
    /// Keys of objects in the bucket, with `{source}`, `{batch}`, `{plate}`, ...
    #[serde(default)]
    pub layout: Facts,
    /// What an image file is.
    #[serde(default)]
    pub image_format: Facts,
    /// How much there is.
    #[serde(default)]
    pub size: Facts,
    /// Which plates are for what.
    #[serde(default)]
    pub roles: Facts,
    /// Controls on the plates.
    #[serde(default)]
    pub controls: Facts,
    /// Another place that has the data.
    #[serde(default)]
    pub mirror: Facts,
    /// Whether `bench data fetch` can get the objects.
    pub fetch: Option<Fetchable>,
    /// Imaging centres.
    #[serde(default)]
    pub sources: Vec<Facts>,
    /// Batches.
    #[serde(default)]
    pub batches: Vec<Facts>,
    /// Experiments.
    #[serde(default)]
    pub experiments: Vec<Facts>,
    /// Profiles of many plates in one file.
    #[serde(default)]
    pub assembled: Vec<Facts>,
    /// Plates to leave out or to look at first.
    #[serde(default)]
    pub bad_plates: Vec<BadPlates>,
    /// The plates, by barcode.
    #[serde(skip)]
    by_barcode: BTreeMap<String, Plate>,
}

/// Where a table comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Origin {
    /// What it holds.
    pub holds: String,
    /// GitHub repository, or the site that has the file.
    pub repository: String,
    /// Commit that was read.
    pub commit: Option<String>,
    /// Path in the repository.
    pub path: String,
    /// Name under which it is stored, where the path's own would not do.
    pub file: Option<String>,
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

/// A store of objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bucket {
    /// Address of the bucket or site.
    pub url: String,
    /// Name of the bucket.
    pub name: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Whether reading needs no account.
    pub anonymous: bool,
    /// Whether listing needs no account.
    pub listing: bool,
    /// Prefix of all keys.
    pub prefix: Option<String>,
    /// Address of single files, where the bytes are in archives.
    pub loose: Option<String>,
}

/// Whether the objects can be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fetchable {
    /// Whether `bench data fetch` can.
    pub possible: bool,
    /// Why, or why not.
    pub why: String,
    /// Whether the server gives parts of archives.
    pub ranges: Option<String>,
    /// Whether an account is needed.
    pub token: Option<String>,
}

/// Plates that something is wrong with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BadPlates {
    /// Source, where there are several.
    pub source: Option<String>,
    /// Batch, all plates of it unless plates are named.
    pub batch: Option<String>,
    /// Batches.
    #[serde(default)]
    pub batches: Vec<String>,
    /// Barcode.
    pub plate: Option<String>,
    /// Barcodes.
    #[serde(default)]
    pub plates: Vec<String>,
    /// All plates of a plate map.
    pub platemap: Option<String>,
    /// What to do: `drop`, or know of it (`images`, `table`, `layout`, `look`).
    pub action: Action,
    /// What is wrong.
    pub reason: String,
    /// Who says so.
    pub reference: String,
}

/// What is advised for a bad plate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Leave it out of training.
    Drop,
    /// Some images are broken.
    Images,
    /// A table is wrong.
    Table,
    /// The layout is in doubt.
    Layout,
    /// Look before use.
    #[default]
    Look,
}

impl BadPlates {
    /// Whether this speaks of a plate.
    pub fn covers(&self, source: &str, batch: &str, barcode: &str) -> bool {
        let named = self.plate.iter().chain(&self.plates).any(|plate| plate == barcode);
        let whole = self.plate.is_none() && self.plates.is_empty() && self.platemap.is_none();
        let in_batch = self.batch.iter().chain(&self.batches).any(|name| name == batch);
        self.source.as_deref().is_none_or(|name| name == source) && (named || (whole && in_batch))
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
        self.by_barcode.values()
    }

    /// The plate of this barcode.
    pub fn plate(&self, barcode: &str) -> Option<&Plate> {
        self.by_barcode.get(barcode)
    }

    /// What is wrong with a plate, as far as it is known.
    pub fn bad(&self, plate: &Plate) -> impl Iterator<Item = &BadPlates> {
        self.bad_plates.iter().filter(|bad| bad.covers(&plate.source, &plate.batch, &plate.barcode))
    }

    /// Key of an object: a template of the layout with its `{name}`s filled in.
    pub fn key(&self, what: &str, values: &[(&str, &str)]) -> Option<String> {
        let template = self.layout.get(what)?.as_str()?;
        Some(values.iter().fold(template.to_owned(), |key, (name, value)| key.replace(&format!("{{{name}}}"), value)))
    }

    /// Reads a manifest and its table of plates; `place` names it in errors.
    fn parse(place: &str, text: &str, table: Option<&str>) -> Result<Manifest, Error> {
        let mut manifest: Manifest = toml::from_str(text).map_err(|error| explain(place, text, &error))?;
        if let Some(table) = table {
            manifest.by_barcode = plates::read(&manifest, table)?;
        }
        Ok(manifest)
    }
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
    use super::plates::COLUMNS;
    use super::*;

    #[test]
    fn every_manifest_says_where_the_bytes_are_and_who_owns_them() {
        for (id, _, _) in EMBEDDED {
            let manifest = Manifest::load(id).expect("embedded");
            assert_eq!(manifest.id, id);
            assert!(!manifest.licence.is_empty() && manifest.citation.contains("doi:"), "{id}");
            assert!(!manifest.tables.is_empty() && !manifest.caveats.is_empty(), "{id}");
            let digests = manifest.tables.iter().filter_map(|table| table.sha256.as_ref());
            assert!(digests.into_iter().all(|digest| digest.len() == 64), "{id}");
        }
    }

    #[test]
    fn the_jump_manifest_lists_all_plates_and_agrees_with_that_of_target2() {
        let (jump, target2) = (Manifest::load("cpg0016-jump"), Manifest::load("cpg0016-target2"));
        let (jump, target2) = (jump.expect("embedded"), target2.expect("embedded"));
        let count = |kind: &str| jump.plates().filter(|plate| plate.kind == kind).count();
        assert_eq!((jump.plates().count(), count("COMPOUND"), count("TARGET2")), (2525, 1876, 141));
        for plate in target2.plates() {
            let listed = jump.plate(&plate.barcode).expect("listed");
            assert_eq!((&listed.source, &listed.batch), (&plate.source, &plate.batch));
            assert_eq!((listed.kind.as_str(), listed.wells), ("TARGET2", plate.wells));
            assert_eq!(listed.compound_site, plate.compound_site, "{plate:?}");
        }
        // Numbers of plates in the blocks of the sources are those of the table.
        for facts in &jump.sources {
            let source = facts["id"].as_str().expect("an id");
            for (kind, stated) in facts["plates"].as_table().expect("numbers by type") {
                let listed = jump.plates().filter(|plate| plate.source == source && plate.kind == *kind).count();
                assert_eq!(stated.as_integer(), i64::try_from(listed).ok(), "{source} {kind}");
            }
        }
        // Issue 89 of the tables' repository: a contrast artefact on one whole batch.
        let bad: Vec<&Plate> =
            jump.plates().filter(|plate| jump.bad(plate).any(|bad| bad.action == Action::Drop)).collect();
        assert_eq!(bad.len(), 12);
        assert!(bad.iter().all(|plate| plate.batch == "Batch6_20221102" && plate.source == "source_1"));
        let key = jump.key("profiles", &[("source", "source_4"), ("batch", "b"), ("plate", "p")]);
        assert_eq!(key.as_deref(), Some("cpg0016-jump/source_4/workspace/profiles/b/p/p.parquet"));
        assert_eq!(jump.key("profile", &[]), None);
    }

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
        let parse =
            |text: &str, table: &str| Manifest::parse("m", text, Some(table)).map_err(|error| error.to_string());
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
