//! A categorical column: integer codes and the names they stand for.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// One categorical value per row, stored as a code into `levels`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Factor {
    /// Distinct values; `levels[code]` is the name of a code.
    pub levels: Vec<String>,
    /// One code per row, always below `levels.len()`.
    pub codes: Vec<u32>,
}

impl Factor {
    /// Codes values by their sorted names.
    pub fn sorted<S: AsRef<str>>(values: &[S]) -> Self {
        let mut levels: Vec<String> = Self::first_seen(values).levels;
        levels.sort_unstable();
        Self::with_levels(values, levels)
    }

    /// Codes values in the order in which they first occur. Renaming the values leaves the
    /// codes as they are, which keeps scores bit-identical under a renaming of labels.
    pub fn first_seen<S: AsRef<str>>(values: &[S]) -> Self {
        let mut levels: Vec<String> = Vec::new();
        let mut seen: HashMap<&str, u32> = HashMap::new();
        let codes = values
            .iter()
            .map(|value| {
                let value = value.as_ref();
                *seen.entry(value).or_insert_with(|| {
                    levels.push(value.to_owned());
                    (levels.len() - 1) as u32
                })
            })
            .collect();
        Self { levels, codes }
    }

    fn with_levels<S: AsRef<str>>(values: &[S], levels: Vec<String>) -> Self {
        let index: HashMap<&str, u32> = levels.iter().enumerate().map(|(i, l)| (l.as_str(), i as u32)).collect();
        let codes = values.iter().map(|v| index[v.as_ref()]).collect();
        Self { levels, codes }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Number of distinct values.
    pub fn level_count(&self) -> usize {
        self.levels.len()
    }

    /// Name of the value of a row.
    pub fn name(&self, row: usize) -> &str {
        &self.levels[self.codes[row] as usize]
    }

    /// Code of a row.
    pub fn code(&self, row: usize) -> usize {
        self.codes[row] as usize
    }

    /// Rows per level.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.levels.len()];
        for &code in &self.codes {
            counts[code as usize] += 1;
        }
        counts
    }

    /// The rows of each level, ascending.
    pub fn members(&self) -> Vec<Vec<u32>> {
        let mut members = vec![Vec::new(); self.levels.len()];
        for (row, &code) in self.codes.iter().enumerate() {
            members[code as usize].push(row as u32);
        }
        members
    }

    /// Keeps `rows`, in that order; levels that no longer occur are dropped, the order of the
    /// others is kept.
    pub fn take(&self, rows: &[u32]) -> Self {
        let mut used = vec![false; self.levels.len()];
        for &row in rows {
            used[self.codes[row as usize] as usize] = true;
        }
        let mut recode = vec![u32::MAX; self.levels.len()];
        let mut levels = Vec::new();
        for (code, used) in used.into_iter().enumerate() {
            if used {
                recode[code] = levels.len() as u32;
                levels.push(self.levels[code].clone());
            }
        }
        let codes = rows.iter().map(|&row| recode[self.codes[row as usize] as usize]).collect();
        Self { levels, codes }
    }

    /// Position of each level in the order of sorted names.
    pub fn name_ranks(&self) -> Vec<u32> {
        let mut order: Vec<usize> = (0..self.levels.len()).collect();
        order.sort_by(|&a, &b| self.levels[a].cmp(&self.levels[b]));
        let mut ranks = vec![0; self.levels.len()];
        for (rank, level) in order.into_iter().enumerate() {
            ranks[level] = rank as u32;
        }
        ranks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_seen_codes_do_not_depend_on_names() {
        let a = Factor::first_seen(&["x", "y", "x", "a"]);
        let b = Factor::first_seen(&["q", "b", "q", "z"]);
        assert_eq!(a.codes, b.codes);
        assert_eq!(a.codes, [0, 1, 0, 2]);
    }

    #[test]
    fn sorted_codes_follow_names_and_take_drops_unused_levels() {
        let f = Factor::sorted(&["c", "a", "b", "a"]);
        assert_eq!(f.levels, ["a", "b", "c"]);
        assert_eq!(f.codes, [2, 0, 1, 0]);
        let t = f.take(&[3, 0]);
        assert_eq!(t.levels, ["a", "c"]);
        assert_eq!(t.codes, [0, 1]);
        assert_eq!(Factor::first_seen(&["c", "a"]).name_ranks(), [1, 0]);
    }
}
