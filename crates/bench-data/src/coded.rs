//! A text column as codes and levels, in order of first occurrence, with missing cells.
//!
//! A million plate names are a few hundred strings and four bytes per row.

use std::collections::HashMap;

use bench_core::Factor;

/// Code of a missing cell.
pub(crate) const MISSING: u32 = u32::MAX;

/// One text (or nothing) per row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Coded {
    pub(crate) levels: Vec<String>,
    pub(crate) codes: Vec<u32>,
}

impl Coded {
    /// Text of a row.
    pub(crate) fn get(&self, row: u32) -> Option<&str> {
        self.levels.get(self.codes[row as usize] as usize).map(String::as_str)
    }

    /// The code of a level, if it occurs.
    pub(crate) fn code_of(&self, level: &str) -> Option<u32> {
        self.levels.iter().position(|l| l == level).map(|i| i as u32)
    }

    /// The factor of some rows, coded by sorted names; missing cells become the empty text.
    pub(crate) fn factor(&self, rows: &[u32]) -> Factor {
        let mut used = vec![false; self.levels.len()];
        let mut missing = false;
        for &row in rows {
            match self.codes[row as usize] {
                MISSING => missing = true,
                code => used[code as usize] = true,
            }
        }
        let mut names: Vec<(&str, u32)> = Vec::new();
        if missing {
            names.push(("", MISSING));
        }
        names.extend(self.levels.iter().zip(0..).filter(|(_, c)| used[*c as usize]).map(|(l, c)| (l.as_str(), c)));
        names.sort_unstable();
        let mut rank = vec![0; self.levels.len()];
        let mut rank_of_missing = 0;
        for (position, (_, code)) in names.iter().enumerate() {
            match *code {
                MISSING => rank_of_missing = position as u32,
                code => rank[code as usize] = position as u32,
            }
        }
        let codes = rows
            .iter()
            .map(|&row| match self.codes[row as usize] {
                MISSING => rank_of_missing,
                code => rank[code as usize],
            })
            .collect();
        Factor { levels: names.into_iter().map(|(name, _)| name.to_owned()).collect(), codes }
    }

    /// `prefix/self` per row; missing where either is missing.
    pub(crate) fn within(&self, prefix: &Coded) -> Coded {
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut seen: HashMap<(u32, u32), u32> = HashMap::new();
        let codes = prefix
            .codes
            .iter()
            .zip(&self.codes)
            .map(|(&p, &c)| {
                if p == MISSING || c == MISSING {
                    return MISSING;
                }
                *seen.entry((p, c)).or_insert_with(|| {
                    pairs.push((p, c));
                    (pairs.len() - 1) as u32
                })
            })
            .collect();
        let part = |p: u32, c: u32| (&prefix.levels[p as usize], &self.levels[c as usize]);
        let mut levels: Vec<String> = pairs.iter().map(|&(p, c)| part(p, c)).map(|(p, c)| format!("{p}/{c}")).collect();
        let distinct: std::collections::HashSet<&str> = levels.iter().map(String::as_str).collect();
        if distinct.len() < levels.len() {
            // `a/b` + `c` and `a` + `b/c` are two things: quote the parts.
            levels = pairs.iter().map(|&(p, c)| part(p, c)).map(|(p, c)| format!("{p:?}/{c:?}")).collect();
        }
        Coded { levels, codes }
    }
}

/// Codes names that may repeat.
pub(crate) fn merge(names: &[String]) -> Coded {
    let Factor { levels, codes } = Factor::first_seen(names);
    Coded { levels, codes }
}

/// Builds a [`Coded`] column cell by cell.
#[derive(Debug, Default)]
pub(crate) struct Coder {
    column: Coded,
    seen: HashMap<String, u32>,
    last: u32,
}

impl Coder {
    /// Appends a cell; text that is empty after trimming is missing.
    pub(crate) fn push(&mut self, cell: Option<&str>) {
        let Some(text) = cell.map(str::trim).filter(|text| !text.is_empty()) else {
            self.column.codes.push(MISSING);
            return;
        };
        // Neighbouring rows mostly share source, batch and plate.
        if self.column.levels.get(self.last as usize).is_none_or(|last| last != text) {
            self.last = match self.seen.get(text) {
                Some(&code) => code,
                None => {
                    let code = self.column.levels.len() as u32;
                    self.column.levels.push(text.to_owned());
                    self.seen.insert(text.to_owned(), code);
                    code
                }
            };
        }
        self.column.codes.push(self.last);
    }

    /// The column.
    pub(crate) fn finish(self) -> Coded {
        self.column
    }
}

#[cfg(test)]
pub(crate) fn coded(cells: &[Option<&str>]) -> Coded {
    let mut coder = Coder::default();
    cells.iter().for_each(|cell| coder.push(*cell));
    coder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_cells_are_missing_and_factors_are_sorted_by_name() {
        let column = coded(&[Some("b"), Some(" "), None, Some("a"), Some("b")]);
        assert_eq!(column.codes, [0, MISSING, MISSING, 1, 0]);
        assert_eq!(column.factor(&[0, 3, 4]), Factor::sorted(&["b", "a", "b"]));
        assert_eq!(column.factor(&[0, 1, 3]), Factor::sorted(&["b", "", "a"]));
    }

    #[test]
    fn ids_are_prefixed_and_stay_apart_when_names_hold_the_separator() {
        let source = coded(&[Some("a/b"), Some("a"), Some("a")]);
        let batch = coded(&[Some("c"), Some("b/c"), None]);
        let id = batch.within(&source);
        assert_eq!(id.levels, ["\"a/b\"/\"c\"", "\"a\"/\"b/c\""]);
        assert_eq!(id.codes, [0, 1, MISSING]);
        assert_eq!(coded(&[Some("p")]).within(&coded(&[Some("s")])).levels, ["s/p"]);
    }
}
