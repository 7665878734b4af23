//! Which compounds compete with which, and which of their images are shown.
//!
//! # What it computes
//! From keys and ids alone, hence the same for every model:
//! - compounds that have a molecule and an image, sorted by key;
//! - galleries, disjoint sets of compounds of equal size, the same in every draw;
//! - for each draw, the images that stand for each compound.
//!
//! # Galleries
//! `strict` cuts a seeded permutation of the sorted compounds into consecutive pieces. If the
//! last piece is short it is filled up with compounds that were queried before: they are candidates
//! there, not queries. So every compound is queried exactly once, and always among the same number of
//! candidates: a hit rate over galleries of mixed sizes means nothing, and dropped compounds are lost
//! information. The permutation does not depend on the size, so small galleries nest in large ones.
//!
//! `paper` cuts the stored order (the order of the split, sorted keys if none is given) and drops the
//! last partial piece, as the reference code means to do.
//!
//! # Images
//! `strict`: a permutation of the compound's images, seeded by its key; draw d takes the next ones
//! in turn, so that images repeat only when all were shown. `paper`: each draw picks anew.
//! Neither depends on which other compounds there are.
//!
//! # Parity
//! The reference code draws images and shuffles without a seed, and its last gallery of 1:1000 is
//! short but averaged as if it were not.

use std::collections::BTreeMap;

use bench_core::{Seed, digest};
use serde::{Deserialize, Serialize};

use super::input::refuse;
use super::{Amount, Duplicates, Images, Molecules, Protocol, Settings};
use crate::Error;

/// An image that can be drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageName {
    /// Compound it shows, a position in [`Plan::compounds`].
    pub compound: u32,
    /// Id.
    pub id: String,
}

/// Compounds that compete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gallery {
    /// Positions in [`Plan::compounds`].
    pub compounds: Vec<u32>,
    /// The first so many of them are queried; the others are candidates only.
    pub queried: usize,
}

/// What there was, and what of it takes part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Population {
    /// Compounds with a molecule and at least one image.
    pub compounds: usize,
    /// Their images.
    pub images: usize,
    /// Molecules without an image: left out.
    pub molecules_without_image: usize,
    /// Images of compounds without a molecule: left out.
    pub images_without_molecule: usize,
    /// Compounds that share their identity with another.
    pub duplicate_compounds: usize,
    /// Compounds that no gallery queries (`paper` drops the last partial gallery).
    pub dropped: usize,
    /// Candidates added to the last gallery that are not queried there (`strict`).
    pub filled: usize,
}

/// The task: galleries and image draws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Protocol.
    pub protocol: Protocol,
    /// Compounds per gallery.
    pub size: usize,
    /// Keys, sorted.
    pub compounds: Vec<String>,
    /// Duplicate group of each compound: those of one group are masked for each other.
    pub group: Vec<u32>,
    /// Images, by compound, then id.
    pub images: Vec<ImageName>,
    /// Galleries.
    pub galleries: Vec<Gallery>,
    /// For each draw and compound the positions in `images` that are shown.
    pub draws: Vec<Vec<Vec<u32>>>,
    /// Counts.
    pub population: Population,
}

impl Plan {
    /// Cuts galleries and draws images. `stored_order` lists compounds for `paper` (keys that have no
    /// molecule or image are passed over); compounds that it lacks take no part in either protocol.
    ///
    /// # Errors
    /// Settings out of range, keys or ids given twice, or fewer compounds than a gallery holds.
    pub fn new(
        molecules: &Molecules<'_>,
        images: &Images<'_>,
        stored_order: Option<&[String]>,
        settings: &Settings,
    ) -> Result<Self, Error> {
        settings.check()?;
        let (of_molecule, of_image) = (molecules.rows()?, images.rows()?);
        let mut ids: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for &(key, id) in of_image.keys() {
            ids.entry(key).or_default().push(id);
        }
        let mut population = Population {
            molecules_without_image: of_molecule.keys().filter(|key| !ids.contains_key(**key)).count(),
            images_without_molecule: of_image.keys().filter(|(key, _)| !of_molecule.contains_key(key)).count(),
            ..Population::default()
        };
        let has_both = |key: &str| of_molecule.contains_key(key) && ids.contains_key(key);
        let stored: Vec<&str> = match stored_order {
            Some(order) => order.iter().map(String::as_str).filter(|key| has_both(key)).collect(),
            None => of_molecule.keys().copied().filter(|key| has_both(key)).collect(),
        };
        let mut sorted = stored.clone();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(refuse(format!("compound `{}` is twice in the stored order", pair[0])));
        }
        let size = match settings.gallery {
            Amount::Count(size) => size,
            Amount::All => sorted.len(),
        };
        if sorted.len() < size.max(2) {
            let there = sorted.len();
            return Err(refuse(format!("a gallery of {} compounds cannot be made of {there}", size.max(2))));
        }
        let seed = Seed(settings.seed);
        let galleries = match settings.protocol {
            Protocol::Strict => {
                cut_all(&seed.derive("retrieval/galleries", 0).stream().permutation(sorted.len()), size)
            }
            Protocol::Paper => cut_whole(&stored, &sorted, size),
        };
        let images: Vec<ImageName> = sorted
            .iter()
            .enumerate()
            .flat_map(|(compound, key)| ids[key].iter().map(move |id| (compound as u32, *id)))
            .map(|(compound, id)| ImageName { compound, id: id.to_owned() })
            .collect();
        let group = groups(molecules, &of_molecule, &sorted, settings.duplicates);
        let mut members = BTreeMap::new();
        group.iter().for_each(|group| *members.entry(*group).or_insert(0usize) += 1);
        let queried: usize = galleries.iter().map(|gallery| gallery.queried).sum();
        population.compounds = sorted.len();
        population.images = images.len();
        population.duplicate_compounds = members.values().filter(|count| **count > 1).sum();
        population.dropped = sorted.len() - queried;
        population.filled = galleries.iter().map(|gallery| gallery.compounds.len() - gallery.queried).sum();
        let draws = draw_images(&sorted, &images, settings);
        let compounds = sorted.into_iter().map(str::to_owned).collect();
        Ok(Self { protocol: settings.protocol, size, compounds, group, images, galleries, draws, population })
    }

    /// SHA-256 over keys, galleries and drawn images: scores are comparable where it agrees.
    pub fn digest(&self) -> String {
        let mut text = format!("{}\n{}\n", self.protocol.id(), self.size);
        for (key, group) in self.compounds.iter().zip(&self.group) {
            text.push_str(&format!("{key:?} {group}\n"));
        }
        for image in &self.images {
            text.push_str(&format!("{} {:?}\n", image.compound, image.id));
        }
        for gallery in &self.galleries {
            text.push_str(&format!("{} {:?}\n", gallery.queried, gallery.compounds));
        }
        for draw in &self.draws {
            text.push_str(&format!("{draw:?}\n"));
        }
        digest::of_bytes(text.as_bytes())
    }
}

/// Pieces of a permutation; a short last one is filled up from the front.
fn cut_all(order: &[u32], size: usize) -> Vec<Gallery> {
    order
        .chunks(size)
        .map(|piece| {
            let fill = &order[..size - piece.len()];
            Gallery { compounds: [piece, fill].concat(), queried: piece.len() }
        })
        .collect()
}

/// Whole pieces of the stored order, as positions among the sorted keys.
fn cut_whole(stored: &[&str], sorted: &[&str], size: usize) -> Vec<Gallery> {
    let position = |key: &&str| sorted.partition_point(|other| other < key) as u32;
    stored
        .chunks_exact(size)
        .map(|piece| Gallery { compounds: piece.iter().map(position).collect(), queried: size })
        .collect()
}

/// Duplicate group of each compound, numbered in the order of the keys.
fn groups(molecules: &Molecules<'_>, row: &BTreeMap<&str, u32>, sorted: &[&str], rule: Duplicates) -> Vec<u32> {
    let mut number: BTreeMap<&str, u32> = BTreeMap::new();
    sorted
        .iter()
        .map(|key| {
            let identity = molecules.identities.map_or(*key, |identities| identities[row[key] as usize].as_str());
            let same = match rule {
                Duplicates::SameIdentity => identity,
                Duplicates::SameFirstBlock => identity.split('-').next().unwrap_or(identity),
            };
            let next = number.len() as u32;
            *number.entry(same).or_insert(next)
        })
        .collect()
}

fn draw_images(sorted: &[&str], images: &[ImageName], settings: &Settings) -> Vec<Vec<Vec<u32>>> {
    let draws = if settings.images_per_compound == Amount::All { 1 } else { settings.draws };
    let mut drawn = vec![Vec::with_capacity(sorted.len()); draws];
    let mut first = 0;
    for (key, of_compound) in sorted.iter().zip(images.chunk_by(|a, b| a.compound == b.compound)) {
        let count = of_compound.len();
        let take = match settings.images_per_compound {
            Amount::Count(take) => take.min(count),
            Amount::All => count,
        };
        let shuffled = |draw: usize| {
            let purpose = format!("retrieval/images/{key}");
            Seed(settings.seed).derive(&purpose, draw as u64).stream().permutation(count)
        };
        let once = shuffled(0);
        for (draw, drawn) in drawn.iter_mut().enumerate() {
            let order = match settings.protocol {
                Protocol::Paper if draw > 0 => &shuffled(draw),
                Protocol::Paper | Protocol::Strict => &once,
            };
            let start = if settings.protocol == Protocol::Strict { draw * take } else { 0 };
            let mut shown: Vec<u32> = (0..take).map(|at| first + order[(start + at) % count]).collect();
            shown.sort_unstable();
            drawn.push(shown);
        }
        first += count as u32;
    }
    drawn
}
