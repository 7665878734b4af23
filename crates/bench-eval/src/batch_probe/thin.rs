//! Thinning a table to whole wells, every level alike.
//!
//! # What
//! Levels take turns; in its turn a level adds its next well, in a seeded random order. It ends
//! before the well that would pass the limit.
//!
//! # Why
//! Balanced accuracy weighs levels equally, so rows are best spent equally; and a well that is
//! kept in part would make its level look easier or harder than it is.
//!
//! # What it cannot show
//! With fewer rows a probe reads less. Values are comparable between models, which are given the
//! same rows, not between tables thinned to different shares.

use bench_core::{Factor, Seed};

/// Rows to keep, ascending; absent if all fit. `well` holds the well of each row; a well counts
/// for the level of its first row.
pub fn whole_wells(level: &Factor, well: &[u32], max_rows: usize, seed: Seed) -> Option<Vec<u32>> {
    if level.len() <= max_rows {
        return None;
    }
    let mut sorted: Vec<u32> = (0..well.len() as u32).collect();
    sorted.sort_by_key(|&row| (well[row as usize], row));
    let mut wells: Vec<&[u32]> = sorted.chunk_by(|&a, &b| well[a as usize] == well[b as usize]).collect();
    // By first row, because the numbers of wells carry no meaning; levels in the same order.
    wells.sort_by_key(|rows| rows[0]);
    let mut turn = vec![usize::MAX; level.level_count()];
    let mut of_level: Vec<Vec<&[u32]>> = Vec::new();
    for rows in wells {
        let code = level.code(rows[0] as usize);
        if turn[code] == usize::MAX {
            turn[code] = of_level.len();
            of_level.push(Vec::new());
        }
        of_level[turn[code]].push(rows);
    }
    for (index, wells) in of_level.iter_mut().enumerate() {
        seed.derive("wells of a level", index as u64).stream().shuffle(wells);
    }
    let mut kept = Vec::with_capacity(max_rows);
    let most = of_level.iter().map(Vec::len).max().unwrap_or(0);
    'turns: for round in 0..most {
        for rows in of_level.iter().filter_map(|wells| wells.get(round)) {
            if kept.len() + rows.len() > max_rows {
                break 'turns;
            }
            kept.extend_from_slice(rows);
        }
    }
    kept.sort_unstable();
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wells_stay_whole_and_levels_are_alike() {
        // Level 0 has 40 wells, level 1 has 10, level 2 has 4; three rows each.
        let level_of = |well: usize| u32::from(well >= 40) + u32::from(well >= 50);
        let well: Vec<u32> = (0..162).map(|row| row / 3).collect();
        let codes = (0..162).map(|row| level_of(row / 3)).collect();
        let level = Factor { levels: vec!["a".into(), "b".into(), "c".into()], codes };
        let kept = whole_wells(&level, &well, 61, Seed(1)).unwrap();
        assert_eq!(kept.len(), 60);
        assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
        let thinned = level.take(&kept);
        assert_eq!(thinned.counts(), [24, 24, 12]);
        for well_rows in kept.chunks(3) {
            assert!(well_rows.iter().all(|&row| well[row as usize] == well[well_rows[0] as usize]));
        }
        assert_eq!(whole_wells(&level, &well, 61, Seed(1)).unwrap(), kept);
        assert_ne!(whole_wells(&level, &well, 61, Seed(2)).unwrap(), kept);
        assert_eq!(whole_wells(&level, &well, 162, Seed(1)), None);
    }
}
