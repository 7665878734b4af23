//! Which gene a compound of the TARGET2 plate acts on.
//!
//! # Tables
//! Two versions of `JUMP-Target-2_compound_metadata.tsv`: the present one has `target_list` (all
//! genes, `A|B`) and the InChIKeys of JUMP, without stereochemistry; that of 2021, which the paper's
//! code read, has one gene in `target` and InChIKeys with stereochemistry.
//!
//! # Rule
//! A compound is looked up by its whole InChIKey in the present version, then by the first block of
//! it (the skeleton). The single `target` comes from the version of 2021 by `broad_sample`. With the
//! version of 2021 alone, whose keys differ, most compounds are found by the first block. Without
//! it `target` holds the whole list.
//!
//! Samples that share an InChIKey and differ in targets (quinine and quinidine) are told apart by
//! the well where the 384-well layout holds; elsewhere such a compound has no target. Nothing is
//! guessed, and the join counts what it left open.
//!
//! # The reference's own join
//! The code of Watkinson et al. joins the InChIKeys of 2021 with JUMP's, whole keys only: 188 of the
//! 320 wells with a target survive. [`Targets::by_reference_join`] is the target after that join.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::read::{broken, optional, rows, short};
use crate::Error;

/// A compound of the TARGET2 plate as it was ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// `broad_sample`; empty for DMSO.
    pub name: String,
    /// InChIKey.
    pub key: String,
    /// SMILES.
    pub structure: String,
    /// One gene, or the whole list where no table has one gene.
    pub target: String,
    /// All genes.
    pub target_list: String,
    /// `trt`, `poscon` or `negcon`.
    pub pert_type: String,
}

/// How a compound was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By its InChIKey.
    Key,
    /// By the first block of its InChIKey.
    Skeleton,
    /// By its InChIKey, and by its well among those with the same.
    Well,
}

/// What is known of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// The sample, and how it was found.
    Sample(&'a Sample, How),
    /// Samples with different targets.
    Several(Vec<&'a Sample>),
    /// No sample.
    Nothing,
}

/// The compounds of the TARGET2 plate.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    samples: Vec<Sample>,
    by_key: HashMap<String, Vec<usize>>,
    by_skeleton: HashMap<String, Vec<usize>>,
    /// Sample of each well of the 384-well layout.
    layout: BTreeMap<String, usize>,
    /// Target by InChIKey of 2021.
    of_2021: HashMap<String, String>,
    /// Whether a table has one gene per compound.
    single: bool,
    /// Whether the keys of the samples are JUMP's.
    jump_keys: bool,
}

/// One version of the table: samples by name, in order.
struct Version {
    path: PathBuf,
    samples: BTreeMap<String, Sample>,
}

fn skeleton(key: &str) -> &str {
    key.split('-').next().unwrap_or_default()
}

impl Version {
    fn read(path: &Path, single: Option<Vec<String>>, lists: Option<Vec<String>>) -> Result<Version, Error> {
        let names = ["broad_sample", "InChIKey", "pert_type", "control_type", "smiles"];
        let mut samples = BTreeMap::new();
        for (row, [name, key, pert_type, control, structure]) in rows(path, names)?.into_iter().enumerate() {
            let cell = |column: &Option<Vec<String>>| column.as_ref().map(|c| c[row].clone()).unwrap_or_default();
            let (target, target_list) = (cell(&single), cell(&lists));
            let pert_type = if pert_type == "control" { short(&control) } else { pert_type };
            let sample = Sample { name: name.clone(), key, structure, target, target_list, pert_type };
            // The present version repeats some rows.
            if let Some(before) = samples.insert(name, sample.clone())
                && before != sample
            {
                let why = format!("sample `{}` is listed twice, and differs", sample.name);
                return Err(broken(path, row, why, "a `broad_sample` is one compound with one set of targets"));
            }
        }
        Ok(Version { path: path.to_owned(), samples })
    }
}

impl Targets {
    /// Reads the tables that are there.
    ///
    /// # Errors
    /// No table of compounds, two of one version, missing columns, a sample or a well listed twice,
    /// a well whose sample no table has.
    pub fn read(tables: &[PathBuf], platemap: Option<&Path>) -> Result<Targets, Error> {
        let (mut present, mut old): (Option<Version>, Option<Version>) = (None, None);
        for path in tables {
            let (single, lists) = (optional(path, "target"), optional(path, "target_list"));
            if single.is_none() && lists.is_none() {
                bench_data::read_columns(path, &["target_list"])?;
            }
            let slot = if lists.is_some() { &mut present } else { &mut old };
            if let Some(before) = slot {
                return Err(Error::Metadata {
                    path: path.clone(),
                    row: None,
                    why: format!("`{}` is the same version of the table", before.path.display()),
                    hint: "keep one; versions are told apart by `target_list` and `target`".into(),
                });
            }
            *slot = Some(Version::read(path, single, lists)?);
        }
        let of_2021 = old.iter().flat_map(|old| old.samples.values());
        let mut targets = Targets {
            of_2021: of_2021.map(|sample| (sample.key.clone(), sample.target.clone())).collect(),
            single: old.is_some(),
            jump_keys: present.is_some(),
            ..Targets::default()
        };
        let Some(base) = present.as_ref().or(old.as_ref()) else {
            return Err(Error::Usage {
                message: "no table says which targets the compounds have".into(),
                hint: Some(
                    "add JUMP-Target-2_compound_metadata.tsv of github.com/jump-cellpainting/JUMP-Target, beside JUMP's \
                     tables"
                        .into(),
                ),
            });
        };
        for sample in base.samples.values() {
            let mut sample = sample.clone();
            let earlier = old.as_ref().and_then(|old| old.samples.get(&sample.name));
            if let Some(earlier) = earlier {
                sample.target.clone_from(&earlier.target);
            } else if sample.target.is_empty() && !targets.single {
                sample.target.clone_from(&sample.target_list);
            }
            let at = targets.samples.len();
            targets.by_key.entry(sample.key.clone()).or_default().push(at);
            targets.by_skeleton.entry(skeleton(&sample.key).to_owned()).or_default().push(at);
            targets.samples.push(sample);
        }
        if let Some(path) = platemap {
            targets.place(path, &base.path)?;
        }
        Ok(targets)
    }

    /// Reads the layout.
    fn place(&mut self, path: &Path, table: &Path) -> Result<(), Error> {
        for (row, [well, name]) in rows(path, ["well_position", "broad_sample"])?.into_iter().enumerate() {
            let Some(at) = self.samples.iter().position(|sample| sample.name == name) else {
                let shown = if name.is_empty() { "no sample (DMSO)" } else { &name };
                let why = format!("well {well} holds {shown}, which `{}` does not list", table.display());
                return Err(broken(path, row, why, "layout and compounds must be of one repository"));
            };
            if self.layout.insert(well.clone(), at).is_some_and(|before| before != at) {
                let why = format!("well {well} holds two samples");
                return Err(broken(path, row, why, "a well has one compound"));
            }
        }
        Ok(())
    }

    /// The sample of a compound. `well` is its well on a plate with the 384-well layout.
    pub fn of(&self, compound: &str, well: Option<&str>) -> Found<'_> {
        let by_key = self.by_key.get(compound).map(|samples| (samples, How::Key));
        let found = by_key.or_else(|| Some((self.by_skeleton.get(skeleton(compound))?, How::Skeleton)));
        let Some((samples, how)) = found else { return Found::Nothing };
        let first = &self.samples[samples[0]];
        let labels = |sample: &Sample| (sample.target.clone(), sample.target_list.clone());
        if samples.iter().all(|&at| labels(&self.samples[at]) == labels(first)) {
            return Found::Sample(first, how);
        }
        let placed = well.and_then(|well| self.layout.get(well)).filter(|at| samples.contains(at));
        match placed {
            Some(&at) => Found::Sample(&self.samples[at], How::Well),
            None => Found::Several(samples.iter().map(|&at| &self.samples[at]).collect()),
        }
    }

    /// The target after the reference's join of InChIKeys, or nothing.
    pub fn by_reference_join(&self, compound: &str) -> &str {
        self.of_2021.get(compound).map_or("", String::as_str)
    }

    /// Wells of the 384-well layout and what they hold.
    pub fn layout(&self) -> impl Iterator<Item = (&str, &Sample)> {
        self.layout.iter().map(|(well, &at)| (well.as_str(), &self.samples[at]))
    }

    /// Whether samples have the InChIKeys of JUMP, which the version of 2021 has not.
    pub fn jump_keys(&self) -> bool {
        self.jump_keys
    }

    /// Whether `target` is one gene.
    pub fn single(&self) -> bool {
        self.single
    }
}
