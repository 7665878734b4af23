//! Which wells are resampled, and within what.
//!
//! Fields of a well, wells of a plate and plates of a batch are not independent. The bootstrap
//! therefore draws batches first and wells within them; with fewer than two batches it draws
//! plates and wells, with one plate wells only. Where no well is known, rows take their place.

use bench_core::{Factor, Layout};

/// Units (wells) of the rows and clusters (batches) of the units, numbered by first occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// Unit of each row.
    pub unit_of_row: Vec<u32>,
    /// Number of units.
    pub units: usize,
    /// Cluster of each unit (that of its first row).
    pub cluster_of_unit: Vec<u32>,
    /// Number of clusters; equal to `units` where units are drawn directly.
    pub count: usize,
    /// What is drawn first: `batch`, `plate`, `well` or `row`.
    pub name: String,
}

impl Clusters {
    /// Reads units and clusters from where the rows come from.
    pub fn of(layout: &Layout) -> Self {
        let (unit_of_row, units) = match &layout.well {
            Some(well) => number(well),
            None => ((0..layout.rows as u32).collect(), layout.rows),
        };
        for name in ["batch", "plate"] {
            let Some(factor) = layout.unit(name) else { continue };
            let (cluster_of_row, count) = number(factor);
            if count < 2 {
                continue;
            }
            let mut cluster_of_unit = vec![u32::MAX; units];
            for (&unit, cluster) in unit_of_row.iter().zip(cluster_of_row) {
                let slot = &mut cluster_of_unit[unit as usize];
                if *slot == u32::MAX {
                    *slot = cluster;
                }
            }
            return Self { unit_of_row, units, cluster_of_unit, count, name: name.to_owned() };
        }
        let name = if layout.well.is_some() { "well" } else { "row" };
        let cluster_of_unit = (0..units as u32).collect();
        Self { unit_of_row, units, cluster_of_unit, count: units, name: name.to_owned() }
    }

    /// Units of each cluster: starts (length `count + 1`) and the units, ascending.
    pub(super) fn members(&self) -> (Vec<usize>, Vec<u32>) {
        let mut start = vec![0usize; self.count + 1];
        for &cluster in &self.cluster_of_unit {
            start[cluster as usize + 1] += 1;
        }
        for cluster in 0..self.count {
            start[cluster + 1] += start[cluster];
        }
        let mut next = start.clone();
        let mut members = vec![0; self.units];
        for (unit, &cluster) in self.cluster_of_unit.iter().enumerate() {
            members[next[cluster as usize]] = unit as u32;
            next[cluster as usize] += 1;
        }
        (start, members)
    }
}

/// Codes by first occurrence, and how many there are.
fn number(factor: &Factor) -> (Vec<u32>, usize) {
    let mut number = vec![u32::MAX; factor.levels.len()];
    let mut count = 0;
    let codes = factor
        .codes
        .iter()
        .map(|&code| {
            let slot = &mut number[code as usize];
            if *slot == u32::MAX {
                *slot = count;
                count += 1;
            }
            *slot
        })
        .collect();
    (codes, count as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(batch: [&str; 4], plate: [&str; 4]) -> Layout {
        Layout {
            rows: 4,
            batch: Some(Factor::sorted(&batch)),
            plate: Some(Factor::sorted(&plate)),
            well: Some(Factor::sorted(&["z", "z", "y", "x"])),
            ..Layout::default()
        }
    }

    #[test]
    fn batches_come_first_then_plates_then_wells() {
        let by_batch = Clusters::of(&layout(["b", "b", "a", "a"], ["p", "p", "q", "r"]));
        assert_eq!((by_batch.name.as_str(), by_batch.count, by_batch.units), ("batch", 2, 3));
        assert_eq!(
            (by_batch.unit_of_row.as_slice(), by_batch.cluster_of_unit.as_slice()),
            (&[0, 0, 1, 2][..], &[0, 1, 1][..])
        );
        assert_eq!(by_batch.members(), (vec![0, 1, 3], vec![0, 1, 2]));
        let by_plate = Clusters::of(&layout(["b"; 4], ["p", "p", "q", "r"]));
        assert_eq!((by_plate.name.as_str(), by_plate.count), ("plate", 3));
        let by_well = Clusters::of(&layout(["b"; 4], ["p"; 4]));
        assert_eq!((by_well.name.as_str(), by_well.count), ("well", 3));
        let by_row = Clusters::of(&Layout { rows: 4, ..Layout::default() });
        assert_eq!((by_row.name.as_str(), by_row.count), ("row", 4));
    }
}
