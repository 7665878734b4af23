//! Cutting training sets to one size, so that a split is not harder merely because it trains on
//! less.
//!
//! # Rule
//! A training set of n rows is cut to m < n by dropping whole wells (rows, where no well is
//! known). Each label may keep m n_l / n rows, rounded by largest remainders. Wells are shuffled
//! with a seed of their own; then (1) each label keeps its first well, so that none leaves
//! training for being rare, (2) each label takes further wells while its share lasts, (3) what is
//! left of m is filled with wells that fit. A well with several labels counts for the label that
//! has most of its rows. Wells of equal size fill m exactly; otherwise fewer rows than the
//! smallest dropped well remain free.

use bench_core::{Factor, Seed};

use super::units::Units;
use crate::{Fold, Role};

/// Cuts the training rows of `fold` to at most `size`; dropped rows become unused. A fold that
/// trains on no more than that is left alone, as is one whose wells are all larger.
pub(super) fn cut(fold: &mut Fold, wells: &Units<'_>, label: &Factor, size: usize, seed: Seed) {
    let n = fold.count(Role::Train);
    if n <= size {
        return;
    }
    let trained = well_labels(fold, wells, label);
    let quotas = quotas(fold, label, n, size);
    let mut order: Vec<u32> = (0..trained.len() as u32).collect();
    seed.stream().shuffle(&mut order);

    let classes = label.level_count();
    let mut keep = vec![false; wells.count];
    let mut kept_of = vec![0usize; classes];
    let mut kept = 0;
    let mut visit = |may: &dyn Fn(usize, usize, &[usize]) -> bool| {
        for &at in &order {
            let (well, class, rows) = trained[at as usize];
            if !keep[well as usize] && kept + rows <= size && may(class, rows, &kept_of) {
                keep[well as usize] = true;
                kept_of[class] += rows;
                kept += rows;
            }
        }
    };
    visit(&|class, _, kept_of| kept_of[class] == 0);
    visit(&|class, rows, kept_of| kept_of[class] + rows <= quotas[class]);
    visit(&|_, _, _| true);
    if kept == 0 {
        return;
    }
    for (role, &well) in fold.roles.iter_mut().zip(&wells.of_row) {
        if *role == Role::Train && !keep[well as usize] {
            *role = Role::Unused;
        }
    }
    if fold.seed == 0 {
        fold.seed = seed.0;
    }
}

/// Wells with training rows: `(well, label with most of them, how many)`.
fn well_labels(fold: &Fold, wells: &Units<'_>, label: &Factor) -> Vec<(u32, usize, usize)> {
    let mut keys: Vec<u64> = wells
        .of_row
        .iter()
        .zip(&label.codes)
        .zip(&fold.roles)
        .filter(|(_, role)| **role == Role::Train)
        .map(|((&well, &class), _)| u64::from(well) << 32 | u64::from(class))
        .collect();
    keys.sort_unstable();
    keys.chunk_by(|a, b| a >> 32 == b >> 32)
        .map(|well| {
            let mut best = (0, 0);
            for run in well.chunk_by(|a, b| a == b) {
                if run.len() > best.1 {
                    best = (run[0] as u32 as usize, run.len());
                }
            }
            ((well[0] >> 32) as u32, best.0, well.len())
        })
        .collect()
}

/// Rows that each label may keep, by largest remainders (the lowest code among equals).
fn quotas(fold: &Fold, label: &Factor, n: usize, size: usize) -> Vec<usize> {
    let mut rows = vec![0usize; label.level_count()];
    for (role, &class) in fold.roles.iter().zip(&label.codes) {
        rows[class as usize] += usize::from(*role == Role::Train);
    }
    let mut quotas: Vec<usize> = rows.iter().map(|rows| rows * size / n).collect();
    let left = size - quotas.iter().sum::<usize>();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&class| std::cmp::Reverse(rows[class] * size % n));
    for &class in order.iter().take(left) {
        quotas[class] += 1;
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_wells_are_dropped_to_the_exact_size_and_labels_keep_their_shares() {
        // 100 wells of four fields; wells 0..20 are label 0, 20..100 label 1.
        let wells: Vec<String> = (0..400).map(|row| format!("w{}", row / 4)).collect();
        let labels: Vec<&str> = (0..400).map(|row| if row < 80 { "a" } else { "b" }).collect();
        let (wells, label) = (Factor::first_seen(&wells), Factor::first_seen(&labels));
        let roles = (0..400).map(|row| if row % 40 < 4 { Role::Test } else { Role::Train }).collect();
        let mut fold = Fold { repeat: 0, seed: 9, held_out: Vec::new(), roles };
        let units = Units::of(&wells);
        cut(&mut fold, &units, &label, 200, Seed(4));
        assert_eq!(fold.count(Role::Train), 200);
        assert_eq!((fold.count(Role::Test), fold.seed), (40, 9));
        let of_a = fold.rows(Role::Train).iter().filter(|&&row| row < 80).count();
        assert_eq!(of_a, 40);
        for well in 0..100 {
            let of_well = &fold.roles[well * 4..well * 4 + 4];
            assert!(of_well.iter().all(|role| role == &of_well[0]), "well {well} is divided");
        }
    }

    #[test]
    fn a_rare_label_keeps_one_well() {
        let label = Factor::first_seen(&(0..1000).map(|row| if row == 500 { "rare" } else { "x" }).collect::<Vec<_>>());
        let mut fold = Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles: vec![Role::Train; 1000] };
        cut(&mut fold, &Units::rows(1000), &label, 10, Seed(4));
        assert_eq!(fold.roles[500], Role::Train);
        assert_eq!(fold.count(Role::Train), 10);
        assert_eq!(fold.seed, 4);
    }
}
