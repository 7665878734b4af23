//! Predictions by place on the plate: which wells of the headline's splits were predicted correctly, and where they lie.
//!
//! # Formula
//! The share of a position is the number of its test rows predicted correctly over the number tested, summed over repeats
//! and over all plates; ties count in part. The edge is the outermost row and column of the plate.
//!
//! # Why
//! Wells at the edge dry out, rows are pipetted together: what fails in a stripe is the plate, not the model.
//!
//! # What it cannot show
//! Where a compound always stands in the same well, position and compound are one: a dark well may be a hard compound.
//!
//! # Where it fits
//! The heat maps, the tables of positions, plates and compounds, and the page's plates to look at read from here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bench_core::Factor;
use bench_core::record::{CellOutcomes, TestedSplit};

use crate::view::{Rung, View};

/// Rows and columns of plates that are sold: 6 to 1536 wells.
const FORMATS: [(usize, usize); 7] = [(2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48)];

/// Where a well lies, counted from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Row, `A` is 0.
    pub(crate) row: usize,
    /// Column, `01` is 0.
    pub(crate) column: usize,
}

/// Correct and tested rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Rows predicted correctly.
    pub(crate) correct: f64,
    /// Rows tested.
    pub(crate) tested: f64,
}

impl Tally {
    /// Share predicted correctly; none where nothing was tested.
    pub(crate) fn share(self) -> Option<f64> {
        (self.tested > 0.0).then(|| self.correct / self.tested)
    }

    fn add(&mut self, other: Tally) {
        self.correct += other.correct;
        self.tested += other.tested;
    }

    /// All of them together.
    pub(crate) fn sum(tallies: impl Iterator<Item = Tally>) -> Tally {
        tallies.fold(Tally::default(), |mut sum, tally| {
            sum.add(tally);
            sum
        })
    }
}

/// One model on one split: a tally per unit of the record.
pub(crate) struct Outcome<'a> {
    /// Model.
    pub(crate) model: &'a str,
    /// Words for the split.
    pub(crate) split: String,
    /// Id of the split.
    pub(crate) split_id: &'a str,
    /// By unit.
    pub(crate) of_unit: Vec<Tally>,
}

/// Plates of a run whose wells have a place.
pub(crate) struct Plates<'a> {
    /// Rows of a plate.
    pub(crate) rows: usize,
    /// Columns of a plate.
    pub(crate) columns: usize,
    /// Place of each unit.
    pub(crate) place: Vec<Place>,
    /// Plate of each unit.
    pub(crate) plate: Cow<'a, Factor>,
}

/// Outcomes of the headline's probe on its base and its hardest split, model by model in the order of the record.
pub(crate) fn outcomes<'a>(view: &View<'a>) -> Vec<Outcome<'a>> {
    let Some(headline) = view.headline() else { return Vec::new() };
    let outcomes = &view.record.outcomes;
    let mut rungs: Vec<&Rung<'a>> = vec![&headline.base];
    if headline.hardest.split.split != headline.base.split.split {
        rungs.push(&headline.hardest);
    }
    let mut found = Vec::new();
    for model in view.models() {
        for rung in &rungs {
            let cell = outcomes.cells.iter().find_map(|cell| {
                let test = outcomes.tests.get(cell.test)?;
                let is_it = cell.model == model.name
                    && cell.probe == headline.probe
                    && test.protocol == headline.protocol
                    && test.split == rung.split.split;
                is_it.then_some((cell, test))
            });
            if let Some((cell, test)) = cell {
                found.push(Outcome {
                    model: &model.name,
                    split: rung.title.clone(),
                    split_id: &rung.split.split,
                    of_unit: tallies(cell, test, outcomes.units.len()),
                });
            }
        }
    }
    found
}

fn tallies(cell: &CellOutcomes, test: &TestedSplit, units: usize) -> Vec<Tally> {
    let mut of_unit = vec![Tally::default(); units];
    for (tested, correct) in test.repeats.iter().zip(&cell.correct) {
        for (at, (unit, correct)) in tested.unit.iter().zip(correct).enumerate() {
            // One number stands for all units.
            let rows = tested.rows.get(at).or(tested.rows.first()).copied().unwrap_or(0);
            if let Some(tally) = of_unit.get_mut(*unit as usize) {
                tally.add(Tally { correct: *correct, tested: f64::from(rows) });
            }
        }
    }
    of_unit
}

/// Where the units of a record lie; the reason if that is not known.
///
/// Records that do not say where their wells lie are read by the wells' names, which are those of their plates and
/// positions, `plate/A01`.
pub(crate) fn plates<'a>(view: &View<'a>) -> Result<Plates<'a>, String> {
    let outcomes = &view.record.outcomes;
    if outcomes.units.is_empty() {
        return Err("the record keeps no outcomes by well".to_owned());
    }
    let position = |unit: usize| match outcomes.factors.get("position") {
        Some(factor) => factor.name(unit),
        None => outcomes.units[unit].rsplit_once('/').map_or(outcomes.units[unit].as_str(), |(_, well)| well),
    };
    let mut place = Vec::with_capacity(outcomes.units.len());
    for unit in 0..outcomes.units.len() {
        let name = position(unit);
        place.push(
            parsed(name).ok_or_else(|| {
                format!("the position `{}` is none of a plate, such as `A01`", crate::text::short(name))
            })?,
        );
    }
    let last = |of: fn(&Place) -> usize| place.iter().map(of).max().unwrap_or(0);
    let (row, column) = (last(|p| p.row), last(|p| p.column));
    let fits = |(rows, columns): &&(usize, usize)| row < *rows && column < *columns;
    let (rows, columns) = FORMATS.iter().find(fits).copied().ok_or("a position lies beyond the largest plate")?;
    let plate = match outcomes.factors.get("plate") {
        Some(factor) => Cow::Borrowed(factor),
        None => {
            let names: Vec<&str> =
                outcomes.units.iter().map(|name| name.rsplit_once('/').map_or("plate", |(plate, _)| plate)).collect();
            Cow::Owned(Factor::first_seen(&names))
        }
    };
    Ok(Plates { rows, columns, place, plate })
}

impl Plates<'_> {
    /// Tallies by position over all plates, row after row.
    pub(crate) fn by_position(&self, of_unit: &[Tally]) -> Vec<Tally> {
        let mut sums = vec![Tally::default(); self.rows * self.columns];
        for (place, tally) in self.place.iter().zip(of_unit) {
            sums[place.row * self.columns + place.column].add(*tally);
        }
        sums
    }

    /// Tallies of the wells whose place is wanted.
    pub(crate) fn where_place(&self, of_unit: &[Tally], wanted: impl Fn(Place) -> bool) -> Tally {
        Tally::sum(self.place.iter().zip(of_unit).filter(|(place, _)| wanted(**place)).map(|(_, tally)| *tally))
    }

    /// Whether a place lies in the outermost row or column.
    pub(crate) fn is_edge(&self, place: Place) -> bool {
        place.row == 0 || place.column == 0 || place.row + 1 == self.rows || place.column + 1 == self.columns
    }
}

/// Tallies by the levels of a factor of the units.
pub(crate) fn by_level(factor: &Factor, of_unit: &[Tally]) -> Vec<Tally> {
    let mut sums = vec![Tally::default(); factor.levels.len()];
    for (code, tally) in factor.codes.iter().zip(of_unit) {
        if let Some(sum) = sums.get_mut(*code as usize) {
            sum.add(*tally);
        }
    }
    sums
}

/// The most frequent level of one factor within each level of another, first of equals.
pub(crate) fn main_level(of: &Factor, within: &Factor) -> Vec<Option<usize>> {
    let mut counts: Vec<BTreeMap<u32, usize>> = vec![BTreeMap::new(); within.levels.len()];
    for (code, group) in of.codes.iter().zip(&within.codes) {
        if let Some(counts) = counts.get_mut(*group as usize) {
            *counts.entry(*code).or_default() += 1;
        }
    }
    counts
        .iter()
        .map(|c| c.iter().max_by_key(|(code, n)| (**n, std::cmp::Reverse(**code))).map(|(c, _)| *c as usize))
        .collect()
}

/// `A` to `Z`, then `AA`.
pub(crate) fn row_name(row: usize) -> String {
    let letter = |at: usize| char::from(b'A' + (at % 26) as u8);
    if row < 26 { letter(row).to_string() } else { format!("{}{}", letter(row / 26 - 1), letter(row)) }
}

/// `A01`.
pub(crate) fn place_name(place: Place) -> String {
    format!("{}{:02}", row_name(place.row), place.column + 1)
}

/// Row letters, then the number of the column.
fn parsed(position: &str) -> Option<Place> {
    let position = position.trim();
    let split = position.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = position.split_at(split);
    if letters.is_empty() || letters.len() > 2 || digits.len() > 3 {
        return None;
    }
    let mut row = 0;
    for letter in letters.bytes() {
        if !letter.is_ascii_alphabetic() {
            return None;
        }
        row = row * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1;
    }
    let column: usize = digits.parse().ok()?;
    Some(Place { row: row - 1, column: column.checked_sub(1)? })
}

#[cfg(test)]
mod tests {
    use bench_core::RunRecord;
    use bench_core::record::{TestedUnits, UnitOutcomes};

    use super::*;

    #[test]
    fn positions_are_read_as_plates_write_them() {
        let place = |row, column| Some(Place { row, column });
        assert_eq!(parsed("A01"), place(0, 0));
        assert_eq!(parsed("p24"), place(15, 23));
        assert_eq!(parsed("AF48"), place(31, 47));
        for wrong in ["", "A", "12", "A00", "AAA1", "A1b", "A-1", "row 7"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
        for (row, column) in [(0, 0), (15, 23), (25, 9), (26, 0), (31, 47)] {
            assert_eq!(parsed(&place_name(Place { row, column })), place(row, column));
        }
    }

    #[test]
    fn tallies_add_repeats_and_a_single_number_of_rows_stands_for_all() {
        let test = TestedSplit {
            repeats: vec![
                TestedUnits { unit: vec![0, 2], rows: vec![2] },
                TestedUnits { unit: vec![1, 2], rows: vec![1, 3] },
            ],
            ..TestedSplit::default()
        };
        let cell = CellOutcomes { correct: vec![vec![2.0, 1.0], vec![0.0, 1.5]], ..CellOutcomes::default() };
        let found = tallies(&cell, &test, 4);
        let shares: Vec<Option<f64>> = found.iter().map(|tally| tally.share()).collect();
        assert_eq!(shares, [Some(1.0), Some(0.0), Some(0.5), None]);
    }

    #[test]
    fn wells_of_older_records_lie_where_their_names_say() {
        let names = ["s/b/p1/A01", "s/b/p1/H12", "s/b/p2/A01"];
        let units = names.map(String::from).to_vec();
        let mut record =
            RunRecord { outcomes: UnitOutcomes { units, ..UnitOutcomes::default() }, ..RunRecord::default() };
        let (size, levels, edge) = {
            let view = View::new(&record);
            let plates = plates(&view).expect("places");
            let edge = plates.is_edge(plates.place[1]);
            ((plates.rows, plates.columns), plates.plate.levels.clone(), edge)
        };
        assert_eq!((size, edge), ((8, 12), true));
        assert_eq!(levels, ["s/b/p1", "s/b/p2"]);
        record.outcomes.units[1] = "row 7".to_owned();
        let why = plates(&View::new(&record)).err().expect("a reason");
        assert!(why.contains("`row 7`"), "{why}");
    }
}
