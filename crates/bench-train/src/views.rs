//! Which images show a compound in one item: views from distinct groups first.
//!
//! With `distinct-groups` and M views of a compound with g groups: if g >= M, M distinct groups
//! are drawn without replacement; otherwise every group is taken once in random order and M - g
//! more are drawn with replacement. In each chosen group an unused image is drawn uniformly. With
//! `uniform`, every view is an unused image of the compound, drawn uniformly (single-view CLIP).
//! No image is used twice in an item.
//!
//! Two cases that the reference leaves open. When a chosen group has no unused image left, the
//! view moves to a group drawn uniformly among those with unused images, first among those that
//! no view of the item was given. When an image cannot be loaded, it counts as used and the view
//! draws again, ten tries in all; then the item has failed.
//!
//! Reference: Watkinson et al. 2023, data sets of their code.

use std::ops::Range;

use bench_core::Stream;
use serde::{Deserialize, Serialize};

use crate::catalogue::ImageId;

/// Images tried for one view before the item is given up, as in the reference.
pub const TRIES: usize = 10;

/// How the views of an item are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Any image of the compound.
    Uniform,
    /// Images of different groups as far as there are any.
    #[default]
    DistinctGroups,
}

/// An item that could not be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// The view that failed, from zero.
    pub view: usize,
    /// Images that could not be loaded, and why, in the order of the tries of the whole item.
    pub failures: Vec<(ImageId, String)>,
}

/// Views of an item.
#[derive(Clone, Debug)]
pub struct Drawn<T> {
    /// Images and what was loaded of them, in the order of the views.
    pub views: Vec<(ImageId, T)>,
    /// Images that could not be loaded and were passed over, and why.
    pub failures: Vec<(ImageId, String)>,
}

/// Draws `count` views among `images`, whose runs `groups` are the groups, and loads them.
/// `load` is given the image and the number of the view.
pub fn draw<T>(
    images: &[ImageId],
    groups: &[Range<u32>],
    count: usize,
    strategy: Strategy,
    stream: &mut Stream,
    mut load: impl FnMut(ImageId, usize) -> Result<T, String>,
) -> Result<Drawn<T>, Exhausted> {
    let mut unused: Vec<Vec<ImageId>> = match strategy {
        Strategy::Uniform => vec![images.to_vec()],
        Strategy::DistinctGroups => {
            groups.iter().map(|run| images[run.start as usize..run.end as usize].to_vec()).collect()
        }
    };
    let chosen = choose_groups(unused.len(), count, stream);
    let (mut views, mut failures) = (Vec::with_capacity(count), vec![]);
    for (view, &group) in chosen.iter().enumerate() {
        let mut loaded = None;
        for _ in 0..TRIES {
            let Some(group) = with_unused(group, &chosen, &unused, stream) else { break };
            let pick = stream.below(unused[group].len());
            let image = unused[group].swap_remove(pick);
            match load(image, view) {
                Ok(content) => {
                    loaded = Some((image, content));
                    break;
                }
                Err(reason) => failures.push((image, reason)),
            }
        }
        match loaded {
            Some(pair) => views.push(pair),
            None => return Err(Exhausted { view, failures }),
        }
    }
    Ok(Drawn { views, failures })
}

/// The group of each of `count` views, out of `groups`.
fn choose_groups(groups: usize, count: usize, stream: &mut Stream) -> Vec<usize> {
    let mut chosen: Vec<usize> = stream.permutation(groups).into_iter().map(|group| group as usize).collect();
    chosen.truncate(count);
    while chosen.len() < count && groups > 0 {
        chosen.push(stream.below(groups));
    }
    chosen
}

/// `group` if it has an unused image, otherwise another that has one.
fn with_unused(group: usize, chosen: &[usize], unused: &[Vec<ImageId>], stream: &mut Stream) -> Option<usize> {
    if !unused[group].is_empty() {
        return Some(group);
    }
    let open: Vec<usize> = (0..unused.len()).filter(|&g| !unused[g].is_empty()).collect();
    let mut others: Vec<usize> = open.iter().copied().filter(|g| !chosen.contains(g)).collect();
    if others.is_empty() {
        others = open;
    }
    (!others.is_empty()).then(|| others[stream.below(others.len())])
}

#[cfg(test)]
mod tests {
    use bench_core::Seed;
    use proptest::prelude::{prop_assert, prop_assert_eq, prop_assume, proptest};

    use super::*;

    /// Images 0.., in runs of the given sizes.
    fn grouped(sizes: &[usize]) -> (Vec<ImageId>, Vec<Range<u32>>) {
        let mut groups = vec![];
        let mut end = 0;
        for &size in sizes {
            groups.push(end..end + size as u32);
            end += size as u32;
        }
        ((0..end).map(ImageId).collect(), groups)
    }

    fn group_of(groups: &[Range<u32>], image: ImageId) -> usize {
        groups.iter().position(|run| run.contains(&image.0)).unwrap()
    }

    proptest! {
        #[test]
        fn views_come_from_distinct_groups_first_and_never_repeat(
            sizes in proptest::collection::vec(1usize..5, 1..7), count in 1usize..6, seed: u64,
        ) {
            let (images, groups) = grouped(&sizes);
            prop_assume!(images.len() >= count);
            let mut stream = Seed(seed).stream();
            let drawn = draw(&images, &groups, count, Strategy::DistinctGroups, &mut stream, |_, _| Ok(())).unwrap();
            let mut ids: Vec<u32> = drawn.views.iter().map(|(image, ())| image.0).collect();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), count);
            let mut hit: Vec<usize> = drawn.views.iter().map(|(image, ())| group_of(&groups, *image)).collect();
            hit.sort_unstable();
            hit.dedup();
            prop_assert_eq!(hit.len(), sizes.len().min(count));
        }

        #[test]
        fn a_failing_image_is_passed_over_while_others_are_left(
            sizes in proptest::collection::vec(1usize..4, 1..6), count in 1usize..5, bad: u32, seed: u64,
        ) {
            let (images, groups) = grouped(&sizes);
            let bad = ImageId(bad % images.len() as u32);
            let mut stream = Seed(seed).stream();
            let drawn = draw(&images, &groups, count, Strategy::DistinctGroups, &mut stream, |image, _| {
                if image == bad { Err("torn".into()) } else { Ok(()) }
            });
            match drawn {
                Ok(drawn) => prop_assert!(drawn.views.iter().all(|(image, ())| *image != bad)),
                Err(exhausted) => {
                    prop_assert!(images.len() <= count, "only too few images fail the item");
                    prop_assert!(exhausted.failures.len() <= 1);
                }
            }
        }
    }

    #[test]
    fn groups_and_images_are_drawn_uniformly() {
        // Upper 0.1 % points of chi-square with 4, 2 and 9 degrees of freedom.
        for (sizes, count, strategy, limit) in [
            (&[1, 7, 2, 4, 3][..], 3, Strategy::DistinctGroups, 18.47),
            (&[6, 6, 6][..], 5, Strategy::DistinctGroups, 13.82),
            (&[1, 7, 2][..], 1, Strategy::Uniform, 27.88),
        ] {
            let (images, groups) = grouped(sizes);
            let draws = 20_000;
            // The first view of an item: independent draws, so chi-square applies.
            let cells = if strategy == Strategy::Uniform { images.len() } else { groups.len() };
            let mut counts = vec![0.0; cells];
            let mut total = vec![0.0; cells];
            for item in 0..draws {
                let mut stream = Seed(11).derive("item", item).stream();
                let drawn = draw(&images, &groups, count, strategy, &mut stream, |_, _| Ok(())).unwrap();
                for (view, (image, ())) in drawn.views.iter().enumerate() {
                    let cell = if strategy == Strategy::Uniform { image.0 as usize } else { group_of(&groups, *image) };
                    total[cell] += 1.0;
                    counts[cell] += f64::from(view == 0);
                }
            }
            let expected = draws as f64 / cells as f64;
            let chi: f64 = counts.iter().map(|c: &f64| (c - expected).powi(2) / expected).sum();
            assert!(chi < limit, "{chi} for {sizes:?}");
            let expected = (draws * count as u64) as f64 / cells as f64;
            assert!(total.iter().all(|t: &f64| (t / expected - 1.0).abs() < 0.05), "{total:?}");
        }
    }

    #[test]
    fn within_a_group_every_image_is_equally_likely() {
        let (images, groups) = grouped(&[4, 4]);
        let mut counts = [0.0f64; 8];
        for item in 0..16_000 {
            let mut stream = Seed(5).derive("item", item).stream();
            let drawn = draw(&images, &groups, 2, Strategy::DistinctGroups, &mut stream, |_, _| Ok(())).unwrap();
            counts[drawn.views[0].0.0 as usize] += 1.0;
        }
        let chi: f64 = counts.iter().map(|c| (c - 2000.0).powi(2) / 2000.0).sum();
        assert!(chi < 24.32, "{chi} with 7 degrees of freedom");
    }

    #[test]
    fn ten_tries_per_view_then_the_item_has_failed() {
        let (images, groups) = grouped(&[40]);
        let mut stream = Seed(1).stream();
        let result = draw(&images, &groups, 2, Strategy::DistinctGroups, &mut stream, |_, view| {
            if view == 0 { Ok(()) } else { Err("gone".to_owned()) }
        });
        let exhausted = result.unwrap_err();
        assert_eq!((exhausted.view, exhausted.failures.len()), (1, TRIES));
    }

    #[test]
    fn a_group_without_unused_images_gives_way_to_one_that_no_view_has() {
        // Group 0 holds one image that fails: its view must go to the group nobody chose.
        let (images, groups) = grouped(&[1, 3, 3]);
        for seed in 0..200 {
            let mut stream = Seed(seed).stream();
            let drawn = draw(&images, &groups, 2, Strategy::DistinctGroups, &mut stream, |image, _| {
                if image.0 == 0 { Err("gone".to_owned()) } else { Ok(()) }
            });
            let views = drawn.unwrap().views;
            assert_ne!(group_of(&groups, views[0].0), group_of(&groups, views[1].0));
        }
    }
}
