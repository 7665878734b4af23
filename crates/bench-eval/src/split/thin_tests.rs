//! Fewer tested rows for very large tables.
//!
//! # What
//! A seeded draw of whole wells says which rows may be tested; in every fold, test rows outside
//! it become unused. Training rows stay as they are.
//!
//! # Why
//! Exact neighbours cost (tested rows) x (training rows). With a million rows of which a hundred
//! thousand are tested, the standard error of an accuracy is below 0.2 points per class mixture,
//! far below the spread over batches, and the work is a fifth.
//!
//! # What it cannot show
//! Accuracy of classes or groups so rare that the draw misses them; the audit counts test rows.

use bench_core::Seed;

use crate::{Role, SplitSet};

/// Limits the rows that any fold may test to about `most` (whole units), and says how many may
/// be tested; `None` if the table is small enough. `unit_of_row` numbers the wells.
///
/// Fixed folds are left alone: published splits are scored as published.
pub fn thin_tests(sets: &mut [SplitSet], unit_of_row: &[u32], most: usize, seed: Seed) -> Option<usize> {
    let rows = unit_of_row.len();
    if rows <= most {
        return None;
    }
    let units = unit_of_row.iter().max().map_or(0, |unit| *unit as usize + 1);
    let mut sizes = vec![0usize; units];
    for &unit in unit_of_row {
        sizes[unit as usize] += 1;
    }
    let mut tested = vec![false; units];
    let mut count = 0;
    for unit in seed.derive("split/thin-tests", 0).stream().permutation(units) {
        if count >= most {
            break;
        }
        tested[unit as usize] = true;
        count += sizes[unit as usize];
    }
    for fold in sets.iter_mut().filter(|set| set.protocol != "fixed").flat_map(|set| &mut set.folds) {
        for (role, &unit) in fold.roles.iter_mut().zip(unit_of_row) {
            if *role == Role::Test && !tested[unit as usize] {
                *role = Role::Unused;
            }
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fold;

    #[test]
    fn whole_wells_are_kept_and_training_is_untouched() {
        let unit_of_row: Vec<u32> = (0..3000).map(|row| row / 3).collect();
        let roles: Vec<Role> = (0..3000).map(|row| if row % 5 < 3 { Role::Train } else { Role::Test }).collect();
        let fold = Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles: roles.clone() };
        let set = |protocol: &str| SplitSet {
            protocol: protocol.to_owned(),
            split: "random".to_owned(),
            unit: "row".to_owned(),
            pooled: false,
            folds: vec![fold.clone()],
            reason: None,
        };
        let mut sets = [set("paper"), set("fixed")];
        assert_eq!(thin_tests(&mut sets, &unit_of_row, 3000, Seed(1)), None);
        let count = thin_tests(&mut sets, &unit_of_row, 600, Seed(1)).unwrap();
        assert_eq!(count, 600);
        assert_eq!(sets[1].folds[0].roles, roles);
        let thinned = &sets[0].folds[0];
        assert_eq!(thinned.rows(Role::Train), fold.rows(Role::Train));
        let tested = thinned.count(Role::Test);
        assert!((180..300).contains(&tested), "{tested}");
        for well in thinned.roles.chunks(3).zip(roles.chunks(3)) {
            let dropped = well.0.iter().zip(well.1).filter(|(a, b)| a != b).count();
            let tests = well.1.iter().filter(|role| **role == Role::Test).count();
            assert!(dropped == 0 || dropped == tests);
        }
    }
}
