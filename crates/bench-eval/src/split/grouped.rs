//! Folds that never divide a group and are balanced by size: for probes that read source, batch,
//! plate or position, and for testing within a source.

use bench_core::Seed;

use crate::{Fold, Role};

/// Divides `rows` into `k` folds (fewer if there are fewer groups) that never divide a group.
/// `groups` has one id per row of the table; rows that are not listed stay unused. Fewer than
/// two groups give no folds.
///
/// Groups are shuffled, then taken from the largest to the smallest, each into the fold that has
/// fewest rows so far.
pub fn grouped_folds(groups: &[u32], k: usize, seed: Seed, rows: &[u32]) -> Vec<Fold> {
    stratified_folds(groups, &vec![0; groups.len()], k, seed, rows)
}

/// As [`grouped_folds`], with the rows of each stratum spread over the folds: a group goes to the
/// fold that has fewest rows of its stratum, then fewest rows. A group counts for the stratum of
/// its first row.
pub fn stratified_folds(groups: &[u32], strata: &[u32], k: usize, seed: Seed, rows: &[u32]) -> Vec<Fold> {
    let mut sorted = rows.to_vec();
    sorted.sort_by_key(|&row| (groups[row as usize], row));
    let mut members: Vec<&[u32]> = sorted.chunk_by(|&a, &b| groups[a as usize] == groups[b as usize]).collect();
    // By first row, because the numbers of groups carry no meaning.
    members.sort_by_key(|members| members[0]);
    let k = k.min(members.len());
    if k < 2 {
        return Vec::new();
    }
    seed.stream().shuffle(&mut members);
    members.sort_by_key(|members| (strata[members[0] as usize], std::cmp::Reverse(members.len())));

    let mut fold_of_row = vec![u32::MAX; groups.len()];
    let mut total = vec![0usize; k];
    for stratum in members.chunk_by(|a, b| strata[a[0] as usize] == strata[b[0] as usize]) {
        let mut of_stratum = vec![0usize; k];
        for members in stratum {
            let fold = (0..k).min_by_key(|&fold| (of_stratum[fold], total[fold], fold)).unwrap_or(0);
            of_stratum[fold] += members.len();
            total[fold] += members.len();
            for &row in *members {
                fold_of_row[row as usize] = fold as u32;
            }
        }
    }
    (0..k as u32)
        .map(|held| Fold {
            repeat: held,
            seed: seed.0,
            held_out: Vec::new(),
            roles: fold_of_row
                .iter()
                .map(|&fold| match fold {
                    u32::MAX => Role::Unused,
                    fold if fold == held => Role::Test,
                    _ => Role::Train,
                })
                .collect(),
        })
        // A stratum heavier than all others can leave a fold empty; a fit without test rows says nothing.
        .filter(|fold| fold.count(Role::Test) > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_balanced_and_ignore_the_numbers_of_groups() {
        let groups: Vec<u32> = (0..100).map(|row| row / 4).collect();
        let renumbered: Vec<u32> = groups.iter().map(|group| 99 - group).collect();
        let rows: Vec<u32> = (0..96).collect();
        let folds = grouped_folds(&groups, 5, Seed(1), &rows);
        assert_eq!(folds, grouped_folds(&renumbered, 5, Seed(1), &rows));
        let mut sizes: Vec<usize> = folds.iter().map(|fold| fold.count(Role::Test)).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [16, 20, 20, 20, 20]);
        assert!(folds.iter().all(|fold| fold.roles[96..].iter().all(|role| *role == Role::Unused)));
    }

    #[test]
    fn one_group_cannot_be_divided() {
        assert!(grouped_folds(&[3, 3, 3], 5, Seed(1), &[0, 1, 2]).is_empty());
        assert!(grouped_folds(&[], 5, Seed(1), &[]).is_empty());
        assert_eq!(grouped_folds(&[3, 3, 1], 5, Seed(1), &[0, 1, 2]).len(), 2);
    }
}
