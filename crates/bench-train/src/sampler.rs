//! Which compounds form a minibatch, and the seed of each item.
//!
//! An epoch visits every training compound once, in an order seeded by (run seed, epoch). A
//! minibatch never holds two compounds of one identity: the second waits for the next minibatch.
//! Everything an item draws comes from a stream seeded by (run seed, epoch, item), so it does not
//! depend on threads, on loading times, or on where an interrupted training is taken up again.
//!
//! A compound whose images cannot be loaded is replaced by a random other one. Each item of a
//! minibatch has its own candidates (those whose rank in a random order of all compounds that
//! are not in the minibatch is congruent to its place), so replacements cannot collide either.

use std::collections::HashSet;

use bench_core::Seed;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, GroupLevel, ImageId};
use crate::views::{self, Drawn, Exhausted, Strategy};
use crate::{Error, Result};

/// What the size of a minibatch counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchUnit {
    /// Compounds, each with all its views.
    #[default]
    Compounds,
    /// Images: `batch / views` compounds.
    Images,
}

/// How items and minibatches are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SamplerConfig {
    /// Images per compound in an item: 1 for CLIP, 3 (the default) for EMM and IMM.
    pub views: usize,
    /// How they are chosen; `distinct-groups` by default, `uniform` for single-view CLIP.
    pub strategy: Strategy,
    /// What a group is; `batch` by default.
    pub group: GroupLevel,
    /// Size of a minibatch; 128 by default.
    pub batch: usize,
    /// What that counts; `compounds` by default.
    pub batch_unit: BatchUnit,
    /// Whether a last, smaller minibatch is left out (true by default: a contrastive loss depends on the size).
    pub drop_last: bool,
}

impl Default for SamplerConfig {
    fn default() -> Self {
        SamplerConfig {
            views: 3,
            strategy: Strategy::DistinctGroups,
            group: GroupLevel::Batch,
            batch: 128,
            batch_unit: BatchUnit::Compounds,
            drop_last: true,
        }
    }
}

impl SamplerConfig {
    /// Compounds per minibatch, if the settings fit together.
    pub fn compounds_per_batch(&self) -> Result<usize> {
        if self.views == 0 {
            return Err(Error::config("sampler.views", "must be at least 1"));
        }
        let compounds = match self.batch_unit {
            BatchUnit::Compounds => self.batch,
            BatchUnit::Images if self.batch.is_multiple_of(self.views) => self.batch / self.views,
            BatchUnit::Images => {
                let problem = format!("is `{}` images, no multiple of `{}` views", self.batch, self.views);
                return Err(Error::config("sampler.batch", problem));
            }
        };
        if compounds < 2 {
            let problem = format!("makes `{compounds}` compounds; a contrast needs 2");
            return Err(Error::config("sampler.batch", problem));
        }
        Ok(compounds)
    }
}

/// The compounds of one minibatch, before anything is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Number of the epoch.
    pub epoch: u64,
    /// Number of the minibatch in its epoch.
    pub batch: usize,
    /// Compounds of the catalogue, one per item.
    pub compounds: Vec<u32>,
    /// Position in the epoch of the first item.
    pub first: u64,
}

/// Compounds of an epoch in minibatches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The minibatches, in order.
    pub batches: Vec<Plan>,
    /// Compounds left over by `drop_last`, or because nothing was left to contrast them with.
    pub left_out: usize,
}

/// An item that was loaded.
#[derive(Clone, Debug)]
pub struct Item {
    /// The compound, which is not the planned one if that could not be loaded.
    pub compound: u32,
    /// Its images, one per view.
    pub images: Vec<ImageId>,
    /// What was loaded of them, one after another.
    pub pixels: Vec<f32>,
}

/// A compound that could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// Key of the compound.
    pub compound: String,
    /// Key of the one that took its place, if any was left.
    pub replaced_by: Option<String>,
    /// The last failure.
    pub reason: String,
}

/// Draws minibatches.
#[derive(Clone, Debug)]
pub struct Sampler<'a> {
    catalogue: &'a Catalogue,
    compounds: Vec<u32>,
    identities: Vec<u32>,
    too_few_images: Vec<u32>,
    config: SamplerConfig,
    per_batch: usize,
    seed: Seed,
}

impl<'a> Sampler<'a> {
    /// For `compounds` of `catalogue`. Those with fewer images than views cannot be drawn without
    /// repetition and are left out; [`Sampler::too_few_images`] names them.
    pub fn new(catalogue: &'a Catalogue, compounds: &[u32], config: &SamplerConfig, seed: Seed) -> Result<Sampler<'a>> {
        let per_batch = config.compounds_per_batch()?;
        let mut sorted = compounds.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let enough = |compound: &u32| catalogue.compound(*compound).images().len() >= config.views;
        let (compounds, too_few_images): (Vec<u32>, Vec<u32>) = sorted.into_iter().partition(enough);
        if compounds.len() < 2 && !too_few_images.is_empty() {
            let (few, all) = (too_few_images.len(), too_few_images.len() + compounds.len());
            return Err(Error::TooFewImages { few, all, views: config.views });
        }
        if compounds.len() < 2 {
            return Err(Error::TooFewCompounds { what: "a sampler", needed: 2, got: compounds.len() });
        }
        let identities = identity_codes(catalogue);
        Ok(Sampler { catalogue, compounds, identities, too_few_images, config: config.clone(), per_batch, seed })
    }

    /// Compounds that an epoch visits, ascending.
    pub fn compounds(&self) -> &[u32] {
        &self.compounds
    }

    /// Compounds left out because they have fewer images than an item has views, ascending.
    pub fn too_few_images(&self) -> &[u32] {
        &self.too_few_images
    }

    /// Images per item.
    pub fn views(&self) -> usize {
        self.config.views
    }

    /// Compounds in a full minibatch.
    pub fn per_batch(&self) -> usize {
        self.per_batch
    }

    /// The minibatches of an epoch in random order.
    pub fn epoch(&self, epoch: u64) -> Epoch {
        let mut order = self.compounds.clone();
        self.seed.derive("order", epoch).stream().shuffle(&mut order);
        self.arrange(&order, epoch, self.config.drop_last)
    }

    /// The same minibatches of all compounds each time, in order, nothing dropped (validation).
    pub fn fixed(&self) -> Epoch {
        let mut order = self.compounds.clone();
        self.seed.derive("order", 0).stream().shuffle(&mut order);
        self.arrange(&order, 0, false)
    }

    fn arrange(&self, order: &[u32], epoch: u64, drop_last: bool) -> Epoch {
        let mut batches: Vec<Vec<u32>> = vec![];
        let mut waiting: Vec<u32> = vec![];
        let mut stream = order.iter().copied().peekable();
        while !waiting.is_empty() || stream.peek().is_some() {
            let mut batch = Batch::new(self.per_batch);
            waiting.retain(|&compound| !batch.take(compound, self.identity(compound)));
            while !batch.full() {
                let Some(compound) = stream.next() else { break };
                if !batch.take(compound, self.identity(compound)) {
                    waiting.push(compound);
                }
            }
            batches.push(batch.compounds);
        }
        let least = if drop_last { self.per_batch } else { 2 };
        let mut left_out = 0;
        let mut first = 0;
        let mut plans: Vec<Plan> = vec![];
        for compounds in batches {
            if compounds.len() < least {
                left_out += compounds.len();
                continue;
            }
            let count = compounds.len() as u64;
            plans.push(Plan { epoch, batch: plans.len(), compounds, first });
            first += count;
        }
        Epoch { batches: plans, left_out }
    }

    /// Seed of an item: of its views and of their augmentation.
    pub fn item_seed(&self, plan: &Plan, place: usize) -> Seed {
        self.seed.derive("epoch", plan.epoch).derive("item", plan.first + place as u64)
    }

    /// Draws and loads the item at `place` of a minibatch, or a replacement. `load` is given an
    /// image and a seed for its augmentation, and appends its numbers to the buffer. `None` when
    /// no compound could be loaded. The second value names the compounds that were lost, and the
    /// third counts images that were passed over.
    pub fn item(
        &self,
        plan: &Plan,
        place: usize,
        load: impl Fn(ImageId, Seed) -> Result<Vec<f32>, String>,
    ) -> (Option<Item>, Vec<Lost>, usize) {
        let seed = self.item_seed(plan, place);
        let mut lost: Vec<Lost> = vec![];
        let mut unreadable = 0;
        let mut attempt = |compound: u32, seed: Seed| -> Result<Item, String> {
            match self.views_of(compound, seed, &load) {
                Ok(drawn) => {
                    unreadable += drawn.failures.len();
                    let (images, pixels): (Vec<ImageId>, Vec<Vec<f32>>) = drawn.views.into_iter().unzip();
                    Ok(Item { compound, images, pixels: pixels.concat() })
                }
                Err(exhausted) => {
                    unreadable += exhausted.failures.len();
                    let last = exhausted.failures.last();
                    Err(last.map_or_else(|| "no image is left".to_owned(), |(_, reason)| reason.clone()))
                }
            }
        };
        let key = |compound: u32| self.catalogue.compound(compound).key.clone();
        let mut compound = plan.compounds[place];
        let mut candidates = None;
        for tried in 0.. {
            match attempt(compound, if tried == 0 { seed } else { seed.derive("replacement", tried) }) {
                Ok(item) => return (Some(item), lost, unreadable),
                Err(reason) => lost.push(Lost { compound: key(compound), replaced_by: None, reason }),
            }
            let candidates = candidates.get_or_insert_with(|| self.replacements(plan, place).into_iter());
            let Some(next) = candidates.next() else { break };
            if let Some(last) = lost.last_mut() {
                last.replaced_by = Some(key(next));
            }
            compound = next;
        }
        (None, lost, unreadable)
    }

    fn views_of(
        &self,
        compound: u32,
        seed: Seed,
        load: &impl Fn(ImageId, Seed) -> Result<Vec<f32>, String>,
    ) -> Result<Drawn<Vec<f32>>, Exhausted> {
        let compound = self.catalogue.compound(compound);
        let SamplerConfig { views, strategy, group, .. } = self.config;
        let mut stream = seed.derive("views", 0).stream();
        views::draw(compound.images(), compound.groups(group), views, strategy, &mut stream, |image, view| {
            load(image, seed.derive("augmentation", view as u64))
        })
    }

    /// Compounds that may take the place of an item, in random order, disjoint between places.
    fn replacements(&self, plan: &Plan, place: usize) -> Vec<u32> {
        let mut order = self.compounds.clone();
        self.seed.derive("epoch", plan.epoch).derive("replacements", plan.batch as u64).stream().shuffle(&mut order);
        let mut seen: HashSet<u32> = plan.compounds.iter().map(|&compound| self.identity(compound)).collect();
        order.retain(|&compound| seen.insert(self.identity(compound)));
        order.into_iter().skip(place).step_by(plan.compounds.len()).collect()
    }

    fn identity(&self, compound: u32) -> u32 {
        self.identities[compound as usize]
    }
}

/// A minibatch being filled.
struct Batch {
    compounds: Vec<u32>,
    identities: HashSet<u32>,
    size: usize,
}

impl Batch {
    fn new(size: usize) -> Batch {
        Batch { compounds: Vec::with_capacity(size), identities: HashSet::with_capacity(size), size }
    }

    fn full(&self) -> bool {
        self.compounds.len() == self.size
    }

    /// Whether the compound fitted in.
    fn take(&mut self, compound: u32, identity: u32) -> bool {
        let fits = !self.full() && self.identities.insert(identity);
        if fits {
            self.compounds.push(compound);
        }
        fits
    }
}

/// One number per compound, equal for equal identities.
fn identity_codes(catalogue: &Catalogue) -> Vec<u32> {
    let names: Vec<&str> = catalogue.compounds().iter().map(|compound| compound.identity.as_str()).collect();
    bench_core::Factor::first_seen(&names).codes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::catalogue::{Builder, Origin};

    /// `identities[i]` names what compound i must not meet; each has `images` images in as many batches.
    fn catalogue(identities: &[usize], images: usize) -> Catalogue {
        let mut builder = Builder::new();
        for (i, identity) in identities.iter().enumerate() {
            let key = format!("compound {i:03}");
            builder.compound(&key, Some(&format!("identity {identity}")), Some("CCO"));
            for batch in 0..images {
                let (batch, well) = (format!("b{batch}"), format!("w{i}"));
                builder.image(&key, Origin { source: "s", batch: &batch, plate: "p", well: &well, site: "1" });
            }
        }
        builder.finish().unwrap()
    }

    fn config(batch: usize, views: usize, drop_last: bool) -> SamplerConfig {
        SamplerConfig { batch, views, drop_last, ..SamplerConfig::default() }
    }

    fn all(catalogue: &Catalogue) -> Vec<u32> {
        (0..catalogue.compounds().len() as u32).collect()
    }

    proptest! {
        #[test]
        fn an_epoch_visits_each_compound_once_and_no_minibatch_holds_an_identity_twice(
            identities in proptest::collection::vec(0usize..12, 4..40), batch in 2usize..9, seed: u64, epoch in 0u64..3,
        ) {
            let catalogue = catalogue(&identities, 1);
            let sampler = Sampler::new(&catalogue, &all(&catalogue), &config(batch, 1, false), Seed(seed)).unwrap();
            let epoch = sampler.epoch(epoch);
            let mut visited: Vec<u32> = epoch.batches.iter().flat_map(|plan| plan.compounds.clone()).collect();
            prop_assert_eq!(visited.len() + epoch.left_out, identities.len());
            visited.sort_unstable();
            visited.dedup();
            prop_assert_eq!(visited.len() + epoch.left_out, identities.len());
            let mut first = 0;
            for (number, plan) in epoch.batches.iter().enumerate() {
                let mut names: Vec<&str> =
                    plan.compounds.iter().map(|&c| catalogue.compound(c).identity.as_str()).collect();
                names.sort_unstable();
                names.dedup();
                prop_assert_eq!(names.len(), plan.compounds.len());
                prop_assert!(plan.compounds.len() <= batch && plan.compounds.len() >= 2);
                prop_assert_eq!((plan.batch, plan.first), (number, first));
                first += plan.compounds.len() as u64;
            }
        }
    }

    #[test]
    fn epochs_differ_and_the_same_epoch_repeats() {
        let identities: Vec<usize> = (0..30).collect();
        let catalogue = catalogue(&identities, 2);
        let sampler = Sampler::new(&catalogue, &all(&catalogue), &config(8, 2, true), Seed(3)).unwrap();
        assert_eq!(sampler.epoch(4), sampler.epoch(4));
        assert_ne!(sampler.epoch(4).batches[0].compounds, sampler.epoch(5).batches[0].compounds);
        assert_eq!(sampler.epoch(4).left_out, 6);
        assert_eq!(sampler.fixed().batches.len(), 4);
    }

    #[test]
    fn batches_may_count_images() {
        let config = SamplerConfig { batch_unit: BatchUnit::Images, ..config(12, 3, true) };
        assert_eq!(config.compounds_per_batch().unwrap(), 4);
        let error = SamplerConfig { batch: 13, ..config.clone() }.compounds_per_batch().unwrap_err();
        assert!(error.to_string().contains("no multiple"), "{error}");
        assert!(SamplerConfig { batch: 3, ..config }.compounds_per_batch().is_err());
    }

    #[test]
    fn compounds_with_too_few_images_are_left_out_by_name() {
        let mut builder = Builder::new();
        for (key, count) in [("a", 3), ("b", 2), ("c", 3)] {
            builder.compound(key, None, Some("CC"));
            for site in 0..count {
                let site = site.to_string();
                builder.image(key, Origin { source: "s", batch: "b", plate: "p", well: key, site: &site });
            }
        }
        let catalogue = builder.finish().unwrap();
        let sampler = Sampler::new(&catalogue, &[0, 1, 2], &config(2, 3, true), Seed(1)).unwrap();
        assert_eq!(sampler.too_few_images(), [1]);
        assert_eq!(sampler.compounds(), [0, 2]);
        let error = Sampler::new(&catalogue, &[0, 1], &config(2, 3, true), Seed(1)).unwrap_err().to_string();
        assert!(error.starts_with("1 of 2 compounds have fewer than 3 images each, and the 1 left"), "{error}");
    }

    #[test]
    fn a_compound_that_cannot_be_loaded_is_replaced_by_another_that_is_not_in_the_minibatch() {
        let identities: Vec<usize> = (0..20).map(|i| i / 2).collect();
        let catalogue = catalogue(&identities, 3);
        let sampler = Sampler::new(&catalogue, &all(&catalogue), &config(4, 2, true), Seed(9)).unwrap();
        let plan = sampler.epoch(0).batches[0].clone();
        let broken: Vec<u32> = plan.compounds[..2].to_vec();
        let load = |image: ImageId, _: Seed| {
            let broken = broken.iter().any(|&c| catalogue.compound(c).images().contains(&image));
            if broken { Err("torn file".to_owned()) } else { Ok(vec![image.0 as f32]) }
        };
        let items: Vec<_> = (0..4).map(|place| sampler.item(&plan, place, load)).collect();
        let compounds: Vec<u32> = items.iter().map(|(item, ..)| item.as_ref().unwrap().compound).collect();
        let mut names: Vec<&str> = compounds.iter().map(|&c| catalogue.compound(c).identity.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 4, "{compounds:?}");
        assert_eq!(compounds[2..], plan.compounds[2..]);
        let (_, lost, unreadable) = &items[0];
        assert_eq!(*unreadable, 3, "both views' tries: all three images of the compound");
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].reason, "torn file");
        assert_eq!(lost[0].replaced_by.as_deref(), Some(catalogue.compound(compounds[0]).key.as_str()));
    }

    #[test]
    fn a_minibatch_of_all_compounds_has_no_replacement() {
        let catalogue = catalogue(&[0, 1, 2], 1);
        let sampler = Sampler::new(&catalogue, &all(&catalogue), &config(3, 1, true), Seed(9)).unwrap();
        let plan = sampler.epoch(0).batches[0].clone();
        let (item, lost, _) = sampler.item(&plan, 1, |_, _| Err("gone".into()));
        assert!(item.is_none());
        assert_eq!(lost[0].replaced_by, None);
    }
}
