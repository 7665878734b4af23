//! Choosing the units to test so that labels stay balanced: the draws of the protocol `strict`.
//!
//! # Within labels
//! Used where every unit carries one label (wells, compounds). With k units in a label and a
//! test share f, the label owes (r + 1) f k units after repeat r; it pays the whole part of what
//! it owes, at most k - 1 so that it never leaves training, and at least one where labels are to
//! be `cover`ed. Seats left over go to the labels that owe most. Within a label, units held out
//! least often so far come first, in random order among equals: over five repeats of a fifth,
//! nearly every unit is tested once.
//!
//! # Balanced
//! Used where a unit carries many labels (plates, batches, sources). Up to 500 random orders of
//! the units are drawn; each proposes its shortest beginning with about f of the rows. Best is
//!
//! 1. the fewest labels missing: absent from training, or (if they occur in two units or more)
//!    absent from the test rows; training on less than a third of the rows counts as one more;
//! 2. then the smallest |s - f| + TV + u, with s the share of rows tested, TV the total
//!    variation distance between the label shares of the tested rows and of all rows, and u the
//!    number of earlier repeats in which a tested row was tested already, on average.
//!
//! The first of equals wins. The term u keeps repeats apart: without it, all repeats over eleven
//! sources would test the same best pair. Many units balance by themselves, so the number of
//! orders falls from 500 to 16 as units grow from eight thousand to a quarter million.
//!
//! Label codes are used as numbers only; names play no part.

use bench_core::{Factor, Stream};

use super::units::Units;

/// How units are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Within labels; every label with two units or more is tested if `cover`.
    WithinLabels {
        /// Whether each repeat tests every label that can be tested.
        cover: bool,
    },
    /// Balanced over whole units; within labels where every unit carries one label only.
    Balanced,
}

/// Rows per label of every unit, compressed by unit.
pub(super) struct Contents {
    start: Vec<usize>,
    /// `(label, rows)`, labels ascending within a unit.
    entries: Vec<(u32, u32)>,
    label_rows: Vec<u64>,
    label_units: Vec<u32>,
    rows: u64,
}

impl Contents {
    /// Counts the labels of each unit.
    pub(super) fn new(units: &Units<'_>, label: &Factor) -> Self {
        let mut keys: Vec<u64> = units
            .of_row
            .iter()
            .zip(&label.codes)
            .map(|(&unit, &class)| u64::from(unit) << 32 | u64::from(class))
            .collect();
        keys.sort_unstable();
        let mut contents = Self {
            start: vec![0; units.count + 1],
            entries: Vec::new(),
            label_rows: vec![0; label.level_count()],
            label_units: vec![0; label.level_count()],
            rows: keys.len() as u64,
        };
        for run in keys.chunk_by(|a, b| a == b) {
            let (unit, class, count) = ((run[0] >> 32) as usize, run[0] as u32, run.len() as u32);
            contents.start[unit + 1] += 1;
            contents.entries.push((class, count));
            contents.label_rows[class as usize] += u64::from(count);
            contents.label_units[class as usize] += 1;
        }
        for unit in 0..units.count {
            contents.start[unit + 1] += contents.start[unit];
        }
        contents
    }

    fn units(&self) -> usize {
        self.start.len() - 1
    }

    fn of(&self, unit: usize) -> &[(u32, u32)] {
        &self.entries[self.start[unit]..self.start[unit + 1]]
    }

    fn size(&self, unit: usize) -> u64 {
        self.of(unit).iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// Label with most rows of a unit, the lowest code among equals.
    fn main_label(&self, unit: usize) -> usize {
        let mut best = (0, 0);
        for &(class, count) in self.of(unit) {
            if count > best.1 {
                best = (class, count);
            }
        }
        best.0 as usize
    }

    /// Whether each unit is held out in this repeat; `None` if no unit can be held out without
    /// taking its label from training (`Choice::WithinLabels`).
    pub(super) fn choose(
        &self,
        choice: Choice,
        fraction: f64,
        repeat: u32,
        times_held_out: &[u32],
        stream: &mut Stream,
    ) -> Option<Vec<bool>> {
        match choice {
            Choice::WithinLabels { cover } => self.within_labels(fraction, repeat, times_held_out, stream, cover),
            Choice::Balanced if (0..self.units()).all(|unit| self.of(unit).len() == 1) => {
                self.within_labels(fraction, repeat, times_held_out, stream, true)
            }
            Choice::Balanced => Some(self.balanced(fraction, times_held_out, stream)),
        }
    }

    fn within_labels(
        &self,
        fraction: f64,
        repeat: u32,
        times_held_out: &[u32],
        stream: &mut Stream,
        cover: bool,
    ) -> Option<Vec<bool>> {
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); self.label_rows.len()];
        for unit in 0..self.units() {
            members[self.main_label(unit)].push(unit as u32);
        }
        let classes: Vec<usize> = (0..members.len()).filter(|&class| members[class].len() > 1).collect();
        let share = f64::from(repeat + 1) * fraction;
        let owed: Vec<f64> = classes
            .iter()
            .map(|&class| {
                let paid: u32 = members[class].iter().map(|&unit| times_held_out[unit as usize]).sum();
                share * members[class].len() as f64 - f64::from(paid)
            })
            .collect();
        let floor = usize::from(cover);
        // A whole number that rounding put just below itself is still whole.
        let mut seats: Vec<usize> = classes
            .iter()
            .zip(&owed)
            .map(|(&class, owed)| ((owed + 1e-9).floor().max(0.0) as usize).clamp(floor, members[class].len() - 1))
            .collect();
        let taken: usize = seats.iter().sum();
        let mut left = (owed.iter().sum::<f64>().round().max(1.0) as usize).saturating_sub(taken);
        let mut order = stream.permutation(classes.len());
        order.sort_by(|&a, &b| {
            let owing = |at: u32| owed[at as usize] - seats[at as usize] as f64;
            owing(b).total_cmp(&owing(a))
        });
        while left > 0 {
            let before = left;
            for &at in &order {
                let at = at as usize;
                if left > 0 && seats[at] + 1 < members[classes[at]].len() {
                    seats[at] += 1;
                    left -= 1;
                }
            }
            if left == before {
                break;
            }
        }
        let mut is_held_out = vec![false; self.units()];
        for (&class, &seats) in classes.iter().zip(&seats) {
            let mut units = members[class].clone();
            stream.shuffle(&mut units);
            units.sort_by_key(|&unit| times_held_out[unit as usize]);
            for &unit in &units[..seats] {
                is_held_out[unit as usize] = true;
            }
        }
        is_held_out.contains(&true).then_some(is_held_out)
    }

    fn balanced(&self, fraction: f64, times_held_out: &[u32], stream: &mut Stream) -> Vec<bool> {
        let n = self.units();
        let sizes: Vec<u64> = (0..n).map(|unit| self.size(unit)).collect();
        let target = fraction * self.rows as f64;
        let mut order: Vec<u32> = (0..n as u32).collect();
        let mut tested = vec![0u64; self.label_rows.len()];
        let mut best: Option<(usize, f64)> = None;
        let mut best_units: Vec<u32> = Vec::new();
        for _ in 0..(4_000_000 / n).clamp(16, 500) {
            // A lazy shuffle: only the beginning that is tested is drawn.
            let (mut length, mut rows) = (0, 0u64);
            while length < n - 1 {
                let pick = length + stream.below(n - length);
                order.swap(length, pick);
                let grown = rows + sizes[order[length] as usize];
                if length > 0 && grown as f64 - target > target - rows as f64 {
                    break;
                }
                (length, rows) = (length + 1, grown);
                if rows as f64 >= target {
                    break;
                }
            }
            let proposal = &order[..length];
            let score = self.score(proposal, rows, fraction, times_held_out, &sizes, &mut tested);
            if best.is_none_or(|best| score.0 < best.0 || (score.0 == best.0 && score.1 < best.1)) {
                best = Some(score);
                best_units.clear();
                best_units.extend_from_slice(proposal);
            }
        }
        let mut is_held_out = vec![false; n];
        for unit in best_units {
            is_held_out[unit as usize] = true;
        }
        is_held_out
    }

    fn score(
        &self,
        proposal: &[u32],
        rows: u64,
        fraction: f64,
        times_held_out: &[u32],
        sizes: &[u64],
        tested: &mut [u64],
    ) -> (usize, f64) {
        tested.fill(0);
        let mut earlier = 0u64;
        for &unit in proposal {
            earlier += u64::from(times_held_out[unit as usize]) * sizes[unit as usize];
            for &(class, count) in self.of(unit as usize) {
                tested[class as usize] += u64::from(count);
            }
        }
        let mut missing = usize::from(3 * rows > 2 * self.rows);
        let mut distance = 0.0;
        for ((&tested, &all), &units) in tested.iter().zip(&self.label_rows).zip(&self.label_units) {
            missing += usize::from(all > 0 && tested == all) + usize::from(units > 1 && tested == 0);
            distance += (tested as f64 / rows as f64 - all as f64 / self.rows as f64).abs();
        }
        let share = rows as f64 / self.rows as f64;
        let reuse = earlier as f64 / rows as f64;
        (missing, (share - fraction).abs() + 0.5 * distance + reuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_core::Seed;

    fn factor(values: &[u32]) -> Factor {
        Factor::first_seen(&values.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn five_repeats_within_labels_test_every_unit_once() {
        // 3 labels with 10 units each, a unit per row.
        let label = factor(&(0..30).map(|row| row % 3).collect::<Vec<_>>());
        let units = Units::rows(30);
        let contents = Contents::new(&units, &label);
        let mut times = vec![0; 30];
        for repeat in 0..5 {
            let mut stream = Seed(3).derive("x", u64::from(repeat)).stream();
            let held = contents.choose(Choice::Balanced, 0.2, repeat, &times, &mut stream).unwrap();
            for class in 0..3 {
                assert_eq!((0..30).filter(|&row| held[row] && row as u32 % 3 == class).count(), 2);
            }
            held.iter().zip(&mut times).for_each(|(held, times)| *times += u32::from(*held));
        }
        assert!(times.iter().all(|&t| t == 1), "{times:?}");
    }

    #[test]
    fn without_cover_a_fifth_of_few_compounds_is_held_out_and_labels_take_turns() {
        // 9 labels with two compounds each: 3.6 compounds per repeat, 18 over five repeats.
        let label = factor(&(0..18).map(|row| row % 9).collect::<Vec<_>>());
        let contents = Contents::new(&Units::rows(18), &label);
        let mut times = vec![0; 18];
        for repeat in 0..5 {
            let mut stream = Seed(1).derive("x", u64::from(repeat)).stream();
            let choice = Choice::WithinLabels { cover: false };
            let held = contents.choose(choice, 0.2, repeat, &times, &mut stream).unwrap();
            let count = held.iter().filter(|h| **h).count();
            assert!((3..=4).contains(&count), "{count}");
            assert!((0..9).all(|class| !(held[class] && held[class + 9])));
            held.iter().zip(&mut times).for_each(|(held, times)| *times += u32::from(*held));
        }
        assert!(times.iter().all(|&t| t == 1), "{times:?}");
    }

    #[test]
    fn few_groups_are_balanced_covered_and_take_turns() {
        // Ten groups of 40 rows; group 9 alone lacks label 1 and groups 0 to 4 are richer in it.
        let mut groups = Vec::new();
        let mut labels = Vec::new();
        for group in 0..10u32 {
            for row in 0..40u32 {
                groups.push(group);
                labels.push(match group {
                    9 => 0,
                    0..=4 => u32::from(row % 2 == 0),
                    _ => u32::from(row % 4 == 0),
                });
            }
        }
        let (groups, label) = (factor(&groups), factor(&labels));
        let units = Units::of(&groups);
        let contents = Contents::new(&units, &label);
        let mut times = vec![0; 10];
        for repeat in 0..5 {
            let mut stream = Seed(2).derive("x", u64::from(repeat)).stream();
            let held = contents.choose(Choice::Balanced, 0.2, repeat, &times, &mut stream).unwrap();
            assert_eq!(held.iter().filter(|h| **h).count(), 2);
            held.iter().zip(&mut times).for_each(|(held, times)| *times += u32::from(*held));
        }
        assert!(times.iter().all(|&t| t == 1), "{times:?}");
    }

    #[test]
    fn a_label_of_one_group_stays_in_training() {
        let groups = factor(&(0..60).map(|row| row / 10).collect::<Vec<_>>());
        let label = factor(&(0..60).map(|row| if row < 10 && row % 2 == 0 { 2 } else { row % 2 }).collect::<Vec<_>>());
        let contents = Contents::new(&Units::of(&groups), &label);
        for repeat in 0..5 {
            let mut stream = Seed(5).derive("x", repeat).stream();
            let held = contents.choose(Choice::Balanced, 0.2, 0, &[0; 6], &mut stream).unwrap();
            assert!(!held[0], "repeat {repeat}");
        }
    }

    #[test]
    fn labels_of_one_unit_each_cannot_be_divided() {
        let label = factor(&[0, 1, 2]);
        let contents = Contents::new(&Units::rows(3), &label);
        assert!(contents.choose(Choice::Balanced, 0.2, 0, &[0; 3], &mut Seed(0).stream()).is_none());
    }
}
