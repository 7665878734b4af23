//! What a correction may know of a row: where it was measured and whether it is a negative control.
//!
//! # What
//! [`Origin`] holds source, batch, plate, well and position of every row and one flag per row. It has no place
//! for a label, a compound or a named group, and cannot be made to carry one: corrections cannot see answers, by
//! type.

use bench_core::{Factor, Layout};

use crate::Error;

/// Origin of every row, and which rows are negative controls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    source: Option<Factor>,
    batch: Option<Factor>,
    plate: Option<Factor>,
    well: Option<Factor>,
    position: Option<Factor>,
    is_control: Vec<bool>,
}

impl Origin {
    /// The origin of the rows of `layout`; compound, site and named groups are left behind.
    ///
    /// # Errors
    /// If there is not one flag per row.
    pub fn new(layout: &Layout, is_control: Vec<bool>) -> Result<Self, Error> {
        if is_control.len() != layout.rows {
            return Err(Error::Shape {
                what: "flags of negative controls".to_owned(),
                expected: layout.rows,
                found: is_control.len(),
            });
        }
        Ok(Self {
            source: layout.source.clone(),
            batch: layout.batch.clone(),
            plate: layout.plate.clone(),
            well: layout.well.clone(),
            position: layout.position.clone(),
            is_control,
        })
    }

    /// Treated rows, then control rows, as one table. A unit that one of the two lacks is left out.
    pub fn joined(treated: &Layout, controls: &Layout) -> Self {
        let join = |unit: &str| match (treated.unit(unit), controls.unit(unit)) {
            (Some(a), Some(b)) => Some(joined(a, b)),
            (Some(a), None) if controls.rows == 0 => Some(a.clone()),
            (None, Some(b)) if treated.rows == 0 => Some(b.clone()),
            _ => None,
        };
        let is_control = (0..treated.rows + controls.rows).map(|row| row >= treated.rows).collect();
        Self {
            source: join("source"),
            batch: join("batch"),
            plate: join("plate"),
            well: join("well"),
            position: join("position"),
            is_control,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.is_control.len()
    }

    /// Whether a row is a negative control.
    pub fn is_control(&self, row: usize) -> bool {
        self.is_control[row]
    }

    /// The negative-control rows, ascending.
    pub fn controls(&self) -> Vec<u32> {
        (0..self.rows() as u32).filter(|&row| self.is_control[row as usize]).collect()
    }

    /// The factor of `source`, `batch`, `plate`, `well` or `position`.
    pub fn unit(&self, unit: &str) -> Option<&Factor> {
        match unit {
            "source" => self.source.as_ref(),
            "batch" => self.batch.as_ref(),
            "plate" => self.plate.as_ref(),
            "well" => self.well.as_ref(),
            "position" => self.position.as_ref(),
            _ => None,
        }
    }

    /// Keeps `rows`, in that order.
    pub fn take(&self, rows: &[u32]) -> Self {
        let part = |factor: &Option<Factor>| factor.as_ref().map(|factor| factor.take(rows));
        Self {
            source: part(&self.source),
            batch: part(&self.batch),
            plate: part(&self.plate),
            well: part(&self.well),
            position: part(&self.position),
            is_control: rows.iter().map(|&row| self.is_control[row as usize]).collect(),
        }
    }
}

fn joined(a: &Factor, b: &Factor) -> Factor {
    let names: Vec<&str> = (0..a.len()).map(|row| a.name(row)).chain((0..b.len()).map(|row| b.name(row))).collect();
    Factor::first_seen(&names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_rows_keep_their_names_and_the_second_part_are_controls() {
        let layout = |names: &[&str]| Layout {
            rows: names.len(),
            plate: Some(Factor::sorted(names)),
            compound: Some(Factor::sorted(names)),
            ..Layout::default()
        };
        let origin = Origin::joined(&layout(&["b", "a"]), &layout(&["a", "c"]));
        let plate = origin.unit("plate").unwrap();
        assert_eq!((0..4).map(|row| plate.name(row)).collect::<Vec<_>>(), ["b", "a", "a", "c"]);
        assert_eq!(origin.controls(), [2, 3]);
        assert!(origin.unit("compound").is_none() && origin.unit("source").is_none());
        assert!(Origin::new(&layout(&["a"]), vec![]).is_err());
    }
}
