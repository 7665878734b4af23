//! From contributions of rows to a value: means of means, medians and ratios, with or without weights.
//!
//! # What
//! Metrics average rows in different orders: all rows, rows of a label then labels, rows of a label in a unit, then
//! units, then labels. [`Summary`] holds that order once and gives the value for any weights, so that a bootstrap that
//! counts every row as often as its plate is drawn needs no new distance.
//!
//! # What it cannot show
//! A median or a ratio is not a mean; both are recomputed from weighted rows all the same.

use bench_core::Factor;

use super::{MeanOver, Measured, Part, Roles};

/// Contributions of rows and the order in which they are averaged.
#[derive(Debug)]
pub struct Summary<'a> {
    rows: &'a [f64],
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
    /// Inner group of every row, outer group of every inner one, number of outer groups.
    Nested {
        inner: Vec<u32>,
        outer: Vec<u32>,
        groups: usize,
    },
    /// Rows that count, ascending by value.
    Median(Vec<u32>),
    Ratio(&'a [f64]),
}

impl<'a> Summary<'a> {
    /// The order of a measured value; `None` if it is no summary of rows, or asks for compounds that are not known. For
    /// [`MeanOver::Groups`] contributions stand in the place of rows.
    pub fn new(measured: &'a Measured, roles: &Roles<'_>) -> Option<Self> {
        if let MeanOver::Groups(groups) = &measured.mean_over {
            let within = groups.within.iter().max().map_or(0, |&last| last as usize + 1);
            let kind = Kind::Nested { inner: groups.within.clone(), outer: vec![0; within], groups: 1 };
            return Some(Self { rows: &groups.values, kind });
        }
        let rows = measured.rows.as_slice();
        if rows.is_empty() {
            return None;
        }
        let flat = |factor: &Factor| Kind::Nested {
            inner: factor.codes.clone(),
            outer: vec![0; factor.level_count()],
            groups: 1,
        };
        let kind = match &measured.mean_over {
            MeanOver::Rows => Kind::Nested { inner: vec![0; rows.len()], outer: vec![0], groups: 1 },
            MeanOver::Labels => flat(roles.label),
            MeanOver::Compounds => flat(roles.layout.compound.as_ref()?),
            MeanOver::LabelUnits => {
                let (labels, units) = (roles.label.level_count(), roles.unit.level_count());
                let codes = roles.label.codes.iter().zip(&roles.unit.codes);
                Kind::Nested {
                    inner: codes.map(|(&label, &unit)| label * units as u32 + unit).collect(),
                    outer: (0..labels * units).map(|cell| (cell / units) as u32).collect(),
                    groups: labels,
                }
            }
            MeanOver::Median => {
                let mut order: Vec<u32> = (0..rows.len() as u32).filter(|&row| !rows[row as usize].is_nan()).collect();
                order.sort_by(|&a, &b| rows[a as usize].total_cmp(&rows[b as usize]));
                Kind::Median(order)
            }
            MeanOver::Ratio(below) => Kind::Ratio(below),
            MeanOver::Groups(_) => return None,
        };
        Some(Self { rows, kind })
    }

    /// The value with every row counted once; `NaN` if no row counts.
    pub fn value(&self) -> f64 {
        self.weighted(&|_| 1.0)
    }

    /// The value with row `i` counted `weight(i)` times; `NaN` if no row counts.
    pub fn weighted(&self, weight: &dyn Fn(usize) -> f64) -> f64 {
        match &self.kind {
            Kind::Nested { inner, outer, groups } => self.nested(weight, inner, outer, *groups),
            Kind::Median(order) => self.median(weight, order),
            Kind::Ratio(below) => {
                let (mut top, mut bottom) = (0.0, 0.0);
                for (row, (&value, &divisor)) in self.rows.iter().zip(*below).enumerate() {
                    if !value.is_nan() {
                        top += weight(row) * value;
                        bottom += weight(row) * divisor;
                    }
                }
                top / bottom
            }
        }
    }

    fn nested(&self, weight: &dyn Fn(usize) -> f64, inner: &[u32], outer: &[u32], groups: usize) -> f64 {
        let mut cells = vec![(0.0, 0.0); outer.len()];
        for (row, &value) in self.rows.iter().enumerate() {
            if !value.is_nan() {
                let cell = &mut cells[inner[row] as usize];
                cell.0 += weight(row) * value;
                cell.1 += weight(row);
            }
        }
        let mut means = vec![(0.0, 0.0); groups];
        for (&(sum, count), &group) in cells.iter().zip(outer) {
            if count > 0.0 {
                means[group as usize].0 += sum / count;
                means[group as usize].1 += 1.0;
            }
        }
        let (sum, count) = means
            .iter()
            .filter(|mean| mean.1 > 0.0)
            .fold((0.0, 0.0), |(sum, count), mean| (sum + mean.0 / mean.1, count + 1.0));
        sum / count
    }

    /// Median of the rows, each repeated as often as it weighs (weights are whole numbers).
    fn median(&self, weight: &dyn Fn(usize) -> f64, order: &[u32]) -> f64 {
        let total: f64 = order.iter().map(|&row| weight(row as usize)).sum();
        if total <= 0.0 {
            return f64::NAN;
        }
        let (low, high) = (((total - 1.0) / 2.0).floor(), ((total - 1.0) / 2.0).ceil());
        let at = |place: f64| {
            let mut before = 0.0;
            order
                .iter()
                .find(|&&row| {
                    before += weight(row as usize);
                    before > place
                })
                .map_or(f64::NAN, |&row| self.rows[row as usize])
        };
        (at(low) + at(high)) / 2.0
    }
}

/// A measured value from contributions of rows.
///
/// # Errors
/// No row counts.
pub fn of_rows(rows: Vec<f64>, mean_over: MeanOver, roles: &Roles<'_>, parts: Vec<Part>) -> Result<Measured, String> {
    let n = rows.iter().filter(|value| !value.is_nan()).count();
    let mut measured = Measured { value: f64::NAN, n, rows, mean_over, parts };
    let value = Summary::new(&measured, roles).map_or(f64::NAN, |summary| summary.value());
    if !value.is_finite() {
        return Err("no row counts".to_owned());
    }
    measured.value = value;
    Ok(measured)
}

/// Mean contribution of each level of a factor, levels without rows that count left out.
pub fn parts_by(unit: &'static str, factor: &Factor, rows: &[f64]) -> Vec<Part> {
    let mut cells = vec![(0.0, 0_usize); factor.level_count()];
    for (&code, &value) in factor.codes.iter().zip(rows) {
        if !value.is_nan() {
            cells[code as usize].0 += value;
            cells[code as usize].1 += 1;
        }
    }
    let named = cells.into_iter().zip(&factor.levels).filter(|((_, n), _)| *n > 0);
    named.map(|((sum, n), name)| Part { unit, name: name.clone(), n, value: sum / n as f64, p: None }).collect()
}

/// The word of a unit as parts name it; `unit` for one that the layout does not know.
pub fn part_unit(name: &str) -> &'static str {
    ["source", "batch", "plate", "well", "position", "site", "compound", "label"]
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or("unit")
}

#[cfg(test)]
mod tests {
    use bench_core::Layout;

    use super::*;

    #[test]
    fn means_of_means_medians_and_ratios_follow_their_definition() {
        let label = Factor::sorted(&["a", "a", "a", "b", "b"]);
        let unit = Factor::sorted(&["x", "x", "y", "x", "x"]);
        let layout = Layout { rows: 5, ..Layout::default() };
        let roles = Roles { label: &label, unit: &unit, unit_name: "batch", layout: &layout, controls: &layout };
        let rows = vec![1.0, 3.0, 8.0, 2.0, f64::NAN];
        let value = |over: MeanOver| of_rows(rows.clone(), over, &roles, Vec::new()).unwrap().value;
        assert_eq!(value(MeanOver::Rows), 3.5);
        assert_eq!(value(MeanOver::Labels), (4.0 + 2.0) / 2.0);
        assert_eq!(value(MeanOver::LabelUnits), ((2.0 + 8.0) / 2.0 + 2.0) / 2.0);
        assert_eq!(value(MeanOver::Median), 2.5);
        assert_eq!(value(MeanOver::Ratio(vec![1.0, 1.0, 2.0, 3.0, 9.0])), 2.0);
        assert!(of_rows(vec![f64::NAN; 5], MeanOver::Rows, &roles, Vec::new()).is_err());
    }

    #[test]
    fn a_weight_of_two_is_a_row_given_twice() {
        let label = Factor::sorted(&["a", "b", "b"]);
        let layout = Layout { rows: 3, ..Layout::default() };
        let roles = Roles { label: &label, unit: &label, unit_name: "batch", layout: &layout, controls: &layout };
        for (over, expected) in [(MeanOver::Rows, 4.25), (MeanOver::Labels, 3.5), (MeanOver::Median, 5.0)] {
            let measured = of_rows(vec![2.0, 5.0, 5.0], over, &roles, Vec::new()).unwrap();
            let summary = Summary::new(&measured, &roles).unwrap();
            assert_eq!(summary.weighted(&|row| if row == 1 { 2.0 } else { 1.0 }), expected);
        }
    }
}
