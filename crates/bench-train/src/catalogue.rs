//! What there is to train on: compounds, and where each of their images comes from.
//!
//! No file is read here. Whoever knows the plates adds compounds and images to a [`Builder`];
//! what cannot be trained on (no graph, no bond, black-listed, no image) is left out and named.
//! Compounds are kept in the order of their keys and images in the order of their origins, so
//! that sampling does not depend on the order of rows in a file.
//!
//! Reference: Watkinson et al. 2023, data sets of their code (compounds without bonds and two
//! inorganic InChIs are skipped).

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bench_chem::{BLACK_LISTED_INCHIS, Fingerprint, Molecule, MoleculeGraph, Morgan, Sanitisation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// An image (field of view with all its channels): its number in the order in which it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ImageId(pub u32);

/// Where an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin<'a> {
    /// Laboratory.
    pub source: &'a str,
    /// Experimental batch of that source.
    pub batch: &'a str,
    /// Plate of that batch.
    pub plate: &'a str,
    /// Well of that plate.
    pub well: &'a str,
    /// Field of view in that well.
    pub site: &'a str,
}

impl std::fmt::Display for Origin<'_> {
    /// The five `__`-separated fields of the JUMP image names.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}__{}__{}__{}__{}", self.source, self.batch, self.plate, self.well, self.site)
    }
}

/// How far apart two images of different groups are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupLevel {
    /// Different laboratories.
    Source,
    /// Different batches (`source__batch`), as in the reference.
    #[default]
    Batch,
    /// Different plates.
    Plate,
}

/// Structure of a compound, in the forms that molecule encoders read.
#[derive(Clone, Debug)]
pub struct Structure {
    /// What it was read from (SMILES or InChI).
    pub text: String,
    /// Atoms and bonds.
    pub graph: MoleculeGraph,
    /// MACCS keys and Morgan bits ([`FINGERPRINTS`]), where the encoder reads them.
    pub fingerprints: Vec<Fingerprint>,
}

/// Radius and length of the Morgan bits that stand beside the MACCS keys: 2167 bits together, as
/// in the reference.
pub const FINGERPRINTS: (u32, u32) = (2, 2000);

impl Structure {
    /// Reads SMILES, or InChI where the text starts with `InChI=`.
    pub fn read(text: &str, sanitisation: Sanitisation, fingerprints: bool) -> bench_chem::Result<Structure> {
        let inchi = text.trim_start().starts_with("InChI=");
        let read = if inchi { Molecule::from_inchi } else { Molecule::from_smiles };
        let molecule = read(text, sanitisation)?;
        let mut made = vec![];
        if fingerprints {
            let (radius, bits) = FINGERPRINTS;
            made = vec![molecule.maccs(), molecule.morgan(&Morgan::new(radius, bits)?)?];
        }
        Ok(Structure { text: text.to_owned(), graph: molecule.into_graph(), fingerprints: made })
    }
}

/// Why a compound is not trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// Its structure is not known.
    NoStructure,
    /// Its structure could not be read, and why.
    Unreadable(String),
    /// A graph without bonds.
    NoBond,
    /// Named in [`BLACK_LISTED_INCHIS`].
    BlackListed,
    /// No image shows it.
    NoImage,
}

/// A compound that can be trained on.
#[derive(Clone, Debug)]
pub struct Compound {
    /// Its name, unique (an InChI or InChIKey).
    pub key: String,
    /// Compounds of one identity are never negatives of each other: they do not share a minibatch.
    pub identity: String,
    /// Atoms and bonds.
    pub structure: Structure,
    images: Vec<ImageId>,
    groups: [Vec<Range<u32>>; 3],
}

impl Compound {
    /// Its images, in the order of their origins.
    pub fn images(&self) -> &[ImageId] {
        &self.images
    }

    /// Its images as consecutive runs of [`Compound::images`], one per group.
    pub fn groups(&self, level: GroupLevel) -> &[Range<u32>] {
        &self.groups[level as usize]
    }
}

/// Everything that can be trained on.
#[derive(Clone, Debug)]
pub struct Catalogue {
    compounds: Vec<Compound>,
    skipped: Vec<(String, Skip)>,
    names: Names,
    images: Vec<[u32; 5]>,
    digest: String,
}

impl Catalogue {
    /// Compounds in the order of their keys.
    pub fn compounds(&self) -> &[Compound] {
        &self.compounds
    }

    /// A compound by its number.
    pub fn compound(&self, index: u32) -> &Compound {
        &self.compounds[index as usize]
    }

    /// The number of the compound called `key`.
    pub fn find(&self, key: &str) -> Option<u32> {
        self.compounds.binary_search_by(|compound| compound.key.as_str().cmp(key)).ok().map(|index| index as u32)
    }

    /// Numbers of the compounds that are named in `keys`, ascending, and the keys that are not here.
    pub fn select<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> (Vec<u32>, Vec<&'a str>) {
        let (mut found, mut missing) = (vec![], vec![]);
        for key in keys {
            match self.find(key) {
                Some(index) => found.push(index),
                None => missing.push(key),
            }
        }
        found.sort_unstable();
        found.dedup();
        (found, missing)
    }

    /// How many compounds share their identity with an earlier one: false negatives that the
    /// sampler keeps apart.
    pub fn shared_identities(&self) -> usize {
        let mut seen = HashSet::new();
        self.compounds.iter().filter(|compound| !seen.insert(compound.identity.as_str())).count()
    }

    /// Compounds left out, in the order of their keys, and why.
    pub fn skipped(&self) -> &[(String, Skip)] {
        &self.skipped
    }

    /// Compounds left out, counted by reason: (no structure, unreadable, no bond, black-listed, no image).
    pub fn skip_counts(&self) -> [(&'static str, usize); 5] {
        let count = |test: fn(&Skip) -> bool| self.skipped.iter().filter(|(_, skip)| test(skip)).count();
        [
            ("no structure", count(|skip| *skip == Skip::NoStructure)),
            ("unreadable structure", count(|skip| matches!(skip, Skip::Unreadable(_)))),
            ("no bond", count(|skip| *skip == Skip::NoBond)),
            ("black-listed", count(|skip| *skip == Skip::BlackListed)),
            ("no image", count(|skip| *skip == Skip::NoImage)),
        ]
    }

    /// How many images were added, those of skipped compounds too.
    pub fn image_count(&self) -> usize {
        self.images.len()
    }

    /// Where an image comes from.
    pub fn origin(&self, image: ImageId) -> Origin<'_> {
        self.names.origin(self.images[image.0 as usize])
    }

    /// SHA-256 over keys, identities, structures and image origins: what a checkpoint belongs to.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Distinct names, so that millions of images hold numbers only.
#[derive(Clone, Debug, Default)]
struct Names {
    names: Vec<String>,
    codes: HashMap<String, u32>,
}

impl Names {
    fn code(&mut self, name: &str) -> u32 {
        if let Some(&code) = self.codes.get(name) {
            return code;
        }
        let code = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.codes.insert(name.to_owned(), code);
        code
    }

    fn origin(&self, codes: [u32; 5]) -> Origin<'_> {
        let [source, batch, plate, well, site] = codes.map(|code| self.names[code as usize].as_str());
        Origin { source, batch, plate, well, site }
    }
}

/// A compound as it is added.
#[derive(Debug)]
struct Entry {
    identity: String,
    structure: Result<Structure, Skip>,
    images: Vec<ImageId>,
}

/// Collects compounds and images.
#[derive(Debug, Default)]
pub struct Builder {
    entries: HashMap<String, Entry>,
    names: Names,
    images: Vec<[u32; 5]>,
    sanitisation: Sanitisation,
    fingerprints: bool,
}

impl Builder {
    /// Nothing yet; structures are read as RDKit reads them, without fingerprints.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// The same with another policy for structures that RDKit refuses.
    pub fn sanitisation(mut self, sanitisation: Sanitisation) -> Builder {
        self.sanitisation = sanitisation;
        self
    }

    /// The same with or without fingerprints of what is added from now on.
    pub fn fingerprints(mut self, fingerprints: bool) -> Builder {
        self.fingerprints = fingerprints;
        self
    }

    /// Adds a compound and its structure, SMILES or InChI, unless one of this key is there. `text`
    /// is `None` where it is not known; `identity` names what must not be contrasted with itself,
    /// such as the first block of an InChIKey, and is the key where nothing else is known.
    pub fn compound(&mut self, key: &str, identity: Option<&str>, text: Option<&str>) {
        let structure = match text {
            None => Err(Skip::NoStructure),
            Some(text) => Structure::read(text, self.sanitisation, self.fingerprints).map_err(|error| {
                // Black-listed before unreadable, whether or not this build reads InChI.
                let black = BLACK_LISTED_INCHIS.contains(&text);
                if black { Skip::BlackListed } else { Skip::Unreadable(error.to_string()) }
            }),
        };
        self.add(key, identity, structure);
    }

    /// Adds a compound whose structure is read already.
    pub fn structure(&mut self, key: &str, identity: Option<&str>, structure: Structure) {
        self.add(key, identity, Ok(structure));
    }

    fn add(&mut self, key: &str, identity: Option<&str>, structure: Result<Structure, Skip>) {
        let black = BLACK_LISTED_INCHIS.contains(&key)
            || structure.as_ref().is_ok_and(|s| BLACK_LISTED_INCHIS.contains(&s.text.as_str()));
        let structure = match structure {
            _ if black => Err(Skip::BlackListed),
            Ok(structure) if !structure.graph.has_bonds() => Err(Skip::NoBond),
            other => other,
        };
        let identity = identity.unwrap_or(key).to_owned();
        self.entries.entry(key.to_owned()).or_insert(Entry { identity, structure, images: vec![] });
    }

    /// Adds an image of a compound, and the compound without structure if it is not there yet.
    pub fn image(&mut self, key: &str, origin: Origin<'_>) -> ImageId {
        let id = ImageId(self.images.len() as u32);
        let names = &mut self.names;
        let Origin { source, batch, plate, well, site } = origin;
        self.images.push([source, batch, plate, well, site].map(|name| names.code(name)));
        if !self.entries.contains_key(key) {
            self.add(key, None, Err(Skip::NoStructure));
        }
        if let Some(entry) = self.entries.get_mut(key) {
            entry.images.push(id);
        }
        id
    }

    /// Sorts, leaves out what cannot be trained on, and refuses an image that is listed twice.
    pub fn finish(self) -> Result<Catalogue> {
        let Builder { entries, names, images, .. } = self;
        let origin = |image: ImageId| names.origin(images[image.0 as usize]);
        let mut order: Vec<ImageId> = (0..images.len() as u32).map(ImageId).collect();
        order.sort_unstable_by_key(|&image| origin(image));
        if let Some(pair) = order.windows(2).find(|pair| origin(pair[0]) == origin(pair[1])) {
            return Err(Error::DuplicateImage(origin(pair[0]).to_string()));
        }
        let mut entries: Vec<(String, Entry)> = entries.into_iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (mut compounds, mut skipped) = (vec![], vec![]);
        for (key, Entry { identity, structure, images: mut own }) in entries {
            let structure = structure.and_then(|s| if own.is_empty() { Err(Skip::NoImage) } else { Ok(s) });
            match structure {
                Err(skip) => skipped.push((key, skip)),
                Ok(structure) => {
                    own.sort_unstable_by_key(|&image| origin(image));
                    let groups = [1, 2, 3].map(|fields| runs(&own, |image| &images[image.0 as usize][..fields]));
                    compounds.push(Compound { key, identity, structure, images: own, groups });
                }
            }
        }
        let digest = digest(&compounds, origin);
        Ok(Catalogue { compounds, skipped, names, images, digest })
    }
}

/// Runs of images that agree in what `of` says.
fn runs<'a>(images: &[ImageId], of: impl Fn(ImageId) -> &'a [u32]) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = vec![];
    for (i, &image) in images.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if of(images[run.start as usize]) == of(image) => run.end = i as u32 + 1,
            _ => runs.push(i as u32..i as u32 + 1),
        }
    }
    runs
}

fn digest<'a>(compounds: &[Compound], origin: impl Fn(ImageId) -> Origin<'a>) -> String {
    let mut hash = Sha256::new();
    let mut put = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for compound in compounds {
        put(&compound.key);
        put(&compound.identity);
        put(&compound.structure.text);
        put(&compound.images.len().to_string());
        for &image in &compound.images {
            let Origin { source, batch, plate, well, site } = origin(image);
            [source, batch, plate, well, site].into_iter().for_each(&mut put);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(batch: &'static str, site: &'static str) -> Origin<'static> {
        Origin { source: "s1", batch, plate: "p", well: "A01", site }
    }

    #[test]
    fn what_cannot_be_trained_on_is_counted_and_named() {
        let mut builder = Builder::new();
        for (key, smiles) in [
            ("ethanol", Some("CCO")),
            ("methane", Some("C")),
            ("broken", Some("C1CC")),
            (BLACK_LISTED_INCHIS[0], Some("[Mo+6]")),
            ("unknown", None),
        ] {
            builder.compound(key, None, smiles);
            builder.image(key, Origin { well: key, ..origin("b1", "1") });
        }
        builder.compound("unseen", None, Some("CCN"));
        let catalogue = builder.finish().unwrap();
        assert_eq!(catalogue.compounds().len(), 1);
        assert_eq!(catalogue.compounds()[0].key, "ethanol");
        assert!(catalogue.skip_counts().iter().all(|(_, count)| *count == 1), "{:?}", catalogue.skipped());
        assert_eq!(catalogue.select(["ethanol", "methane"]), (vec![0], vec!["methane"]));
    }

    #[test]
    fn fingerprints_are_as_long_as_the_encoder_expects() {
        let structure = Structure::read("CCO", Sanitisation::Rdkit, true).unwrap();
        let bits: usize = structure.fingerprints.iter().map(Fingerprint::size).sum();
        assert_eq!(bits, bench_models::encoders::FingerprintConfig::default().bits);
        assert!(Structure::read("CCO", Sanitisation::Rdkit, false).unwrap().fingerprints.is_empty());
    }

    #[test]
    fn compounds_of_one_identity_are_counted() {
        let mut builder = Builder::new();
        for (key, identity) in [("a", "x"), ("b", "x"), ("c", "y"), ("d", "x")] {
            builder.compound(key, Some(identity), Some("CCO"));
            builder.image(key, Origin { well: key, ..origin("b1", "1") });
        }
        assert_eq!(builder.finish().unwrap().shared_identities(), 2);
    }

    #[test]
    fn order_of_rows_changes_neither_order_nor_digest() {
        let rows = [("b", "b2", "1"), ("a", "b1", "1"), ("b", "b1", "2"), ("b", "b1", "3"), ("a", "b3", "1")];
        let build = |reverse: bool| {
            let mut rows: Vec<_> = rows.iter().collect();
            if reverse {
                rows.reverse();
            }
            let mut builder = Builder::new();
            for &(key, batch, site) in rows {
                builder.compound(key, None, Some("CCO"));
                builder.image(key, Origin { well: key, ..origin(batch, site) });
            }
            builder.finish().unwrap()
        };
        let (a, b) = (build(false), build(true));
        assert_eq!(a.digest(), b.digest());
        let names = |c: &Catalogue| -> Vec<Vec<String>> {
            c.compounds().iter().map(|x| x.images().iter().map(|&i| c.origin(i).to_string()).collect()).collect()
        };
        assert_eq!(names(&a), names(&b));
        assert_eq!(a.compound(1).groups(GroupLevel::Batch), [0..2, 2..3]);
        assert_eq!(a.compound(1).groups(GroupLevel::Source), std::slice::from_ref(&(0..3)));
    }

    #[test]
    fn an_image_listed_twice_is_an_error() {
        let mut builder = Builder::new();
        builder.image("a", origin("b", "1"));
        builder.image("b", origin("b", "1"));
        assert!(builder.finish().unwrap_err().to_string().contains("s1__b__p__A01__1"));
    }
}
