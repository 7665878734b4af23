//! How label and origin are entangled: printed before any score.
//!
//! # What it computes
//! Cramér's V between the label and each unit, and between units; labels that occur in one level
//! of a unit only; compounds that sit in one well position only; and sentences that say what
//! follows for the splits.
//!
//! # Formula
//! V = sqrt(phi2 / min(r - 1, c - 1)) with phi2 = chi2 / n for an r x c table. Corrected
//! (Bergsma 2013): phi2 is lowered by (r - 1)(c - 1) / (n - 1) but not below zero, and r and c by (r - 1)^2 /
//! (n - 1) and (c - 1)^2 / (n - 1). n counts wells, because all fields of a well share label and
//! origin; rows where no well is known.
//!
//! # Why
//! If a label occurs in one source only, knowing the source is knowing the label: no split can
//! tell the two apart, and no score should be read without that.
//!
//! # What it cannot show
//! V is about pairs. A label can be balanced over plates and over positions, and still be given
//! away by both together. V of nested units (plate in batch) is 1 by design.
//!
//! # Reference
//! Cramér 1946, section 21.9; Bergsma 2013, J. Korean Stat. Soc. 42:323; `scipy.stats.contingency.association`.

use bench_core::record::{Association, Confounding, SingleLevel};
use bench_core::{Factor, Layout};

/// Labels and levels named one by one in the notes; more of a kind are summed up.
const NAMED: usize = 5;

/// V above which a note warns of entanglement: Cohen's medium effect for a table whose smaller
/// side has two levels.
const STRONG: f64 = 0.3;

/// Describes how `label` and the units of `layout` are entangled.
pub fn report(layout: &Layout, label: &Factor) -> Confounding {
    let units: Vec<(&str, &Factor)> = ["source", "batch", "plate", "position", "compound"]
        .into_iter()
        .chain(layout.groups.keys().map(String::as_str))
        .filter_map(|unit| layout.unit(unit).map(|factor| (unit, factor)))
        .collect();
    let mut wells = Wells::of(layout);
    let mut pairs: Vec<Association> =
        units.iter().map(|(unit, factor)| associate(("label", label), (unit, factor), &mut wells)).collect();
    for (at, &first) in units.iter().enumerate() {
        for &second in &units[at + 1..] {
            pairs.push(associate(first, second, &mut wells));
        }
    }
    let single: Vec<SingleLevel> = units
        .iter()
        .filter(|(unit, _)| *unit != "compound")
        .flat_map(|(unit, factor)| single_levels(unit, factor, label))
        .collect();
    let (compounds, single_position_compounds) = match (&layout.compound, &layout.position) {
        (Some(compound), Some(position)) => {
            let positions = levels_met(compound, position);
            (present(compound), positions.iter().filter(|met| met.len() == 1).count())
        }
        (Some(compound), None) => (present(compound), 0),
        _ => (0, 0),
    };
    let mut report = Confounding { pairs, single, compounds, single_position_compounds, notes: Vec::new() };
    report.notes = notes(&report, layout, label, &units);
    report
}

/// The first row of each well stands for it.
struct Wells {
    /// Well of each row; empty where rows count for themselves.
    of_row: Vec<u32>,
    keys: Vec<(u32, u32, u32)>,
}

impl Wells {
    fn of(layout: &Layout) -> Self {
        Self { of_row: layout.well.as_ref().map_or_else(Vec::new, |well| well.codes.clone()), keys: Vec::new() }
    }

    /// Counts of every pair of codes that occurs, ascending. A well counts once for every pair it
    /// has (one, unless a well carries several labels).
    fn pairs(&mut self, a: &Factor, b: &Factor) -> Vec<(u32, u32, u64)> {
        self.keys.clear();
        self.keys.extend(
            a.codes
                .iter()
                .zip(&b.codes)
                .enumerate()
                .map(|(row, (&a, &b))| (a, b, self.of_row.get(row).copied().unwrap_or(row as u32))),
        );
        self.keys.sort_unstable();
        self.keys.dedup();
        self.keys.chunk_by(|x, y| (x.0, x.1) == (y.0, y.1)).map(|run| (run[0].0, run[0].1, run.len() as u64)).collect()
    }
}

fn associate(a: (&str, &Factor), b: (&str, &Factor), wells: &mut Wells) -> Association {
    let cells = wells.pairs(a.1, b.1);
    let (mut rows, mut columns) = (vec![0u64; a.1.level_count()], vec![0u64; b.1.level_count()]);
    for &(row, column, count) in &cells {
        rows[row as usize] += count;
        columns[column as usize] += count;
    }
    let n = rows.iter().sum::<u64>() as f64;
    let (r, c) = (present_in(&rows), present_in(&columns));
    // chi2 / n = sum of O^2 / (row total x column total), minus one; empty cells add nothing.
    let phi2 = cells
        .iter()
        .map(|&(row, column, count)| {
            let count = count as f64;
            count * count / (rows[row as usize] as f64 * columns[column as usize] as f64)
        })
        .sum::<f64>()
        - 1.0;
    let phi2 = phi2.max(0.0);
    let is_defined = r > 1 && c > 1;
    let (levels_r, levels_c) = (r as f64, c as f64);
    let shrink = |levels: f64| levels - (levels - 1.0).powi(2) / (n - 1.0) - 1.0;
    let bias = (levels_r - 1.0) * (levels_c - 1.0) / (n - 1.0);
    let smaller = shrink(levels_r).min(shrink(levels_c));
    Association {
        a: a.0.to_owned(),
        b: b.0.to_owned(),
        levels_a: r,
        levels_b: c,
        cramers_v: is_defined.then(|| (phi2 / (levels_r.min(levels_c) - 1.0)).sqrt().min(1.0)),
        // Every well a level of its own leaves nothing to correct with.
        cramers_v_corrected: (is_defined && smaller > 1e-9).then(|| ((phi2 - bias).max(0.0) / smaller).sqrt().min(1.0)),
        empty_cells: if r * c == 0 { 0.0 } else { 1.0 - cells.len() as f64 / (r as f64 * c as f64) },
    }
}

fn present_in(counts: &[u64]) -> usize {
    counts.iter().filter(|count| **count > 0).count()
}

fn present(factor: &Factor) -> usize {
    factor.counts().iter().filter(|count| **count > 0).count()
}

/// Distinct levels of `other` met by each level of `factor`, ascending.
fn levels_met(factor: &Factor, other: &Factor) -> Vec<Vec<u32>> {
    let mut pairs: Vec<(u32, u32)> = factor.codes.iter().copied().zip(other.codes.iter().copied()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut met = vec![Vec::new(); factor.level_count()];
    for (level, other) in pairs {
        met[level as usize].push(other);
    }
    met
}

/// Labels that occur in one level of a unit only; none where the unit has one level in all.
fn single_levels(unit: &str, factor: &Factor, label: &Factor) -> Vec<SingleLevel> {
    if present(factor) < 2 {
        return Vec::new();
    }
    let rows = label.counts();
    levels_met(label, factor)
        .iter()
        .enumerate()
        .filter(|(_, met)| met.len() == 1)
        .map(|(class, met)| SingleLevel {
            unit: unit.to_owned(),
            label: label.levels[class].clone(),
            level: factor.levels[met[0] as usize].clone(),
            rows: rows[class],
        })
        .collect()
}

fn notes(report: &Confounding, layout: &Layout, label: &Factor, units: &[(&str, &Factor)]) -> Vec<String> {
    let mut notes = Vec::new();
    for unit in ["source", "batch", "plate"] {
        match layout.unit(unit) {
            None => notes.push(format!("no {unit} is known, so no {unit} can be held out")),
            Some(factor) if present(factor) == 1 => {
                notes.push(format!(
                    "all rows come from one {unit} (`{}`), so no {unit} can be held out",
                    factor.name(0)
                ));
            }
            Some(_) => {}
        }
    }
    if layout.well.is_none() {
        notes.push("no well is known, so fields of one well may lie on both sides of a random split".to_owned());
    }
    let labels = present(label);
    for (unit, _) in units {
        let single: Vec<&SingleLevel> = report.single.iter().filter(|single| single.unit == *unit).collect();
        if single.len() > NAMED {
            notes.push(format!(
                "{} of {labels} labels occur in one {unit} only (such as {}): a not-same-{unit} split can never test them fairly",
                single.len(),
                listed(single.iter().map(|single| single.label.as_str()))
            ));
        } else {
            notes.extend(single.iter().map(|single| {
                format!(
                    "label `{}` occurs in {unit} `{}` only: a not-same-{unit} split can never test it fairly",
                    single.label, single.level
                )
            }));
        }
    }
    for pair in report.pairs.iter().filter(|pair| pair.a == "label" && pair.b != "compound") {
        if let Some(v) = pair.cramers_v_corrected.filter(|v| *v >= STRONG) {
            notes.push(format!(
                "label and {} are entangled (Cramér's V {v:.2}): a model can score by recognising the {}",
                pair.b, pair.b
            ));
        }
    }
    compound_notes(report, layout, label, &mut notes);
    notes
}

fn compound_notes(report: &Confounding, layout: &Layout, label: &Factor, notes: &mut Vec<String>) {
    let (all, single) = (report.compounds, report.single_position_compounds);
    if single > 0 {
        notes.push(format!(
            "{single} of {all} compounds sit in one well position only: what is read from them may be the position"
        ));
    }
    let Some(compound) = &layout.compound else { return };
    let met = levels_met(label, compound);
    let alone: Vec<&str> = met
        .iter()
        .enumerate()
        .filter(|(_, compounds)| compounds.len() == 1)
        .map(|(class, _)| label.levels[class].as_str())
        .collect();
    let labels = present(label);
    if !alone.is_empty() && alone.len() == labels {
        notes.push(
            "every label has one compound only: no split by compound can test whether labels generalise".to_owned(),
        );
    } else if alone.len() > NAMED {
        notes.push(format!(
            "{} of {labels} labels have one compound only (such as {}): leave-compound-out never tests them",
            alone.len(),
            listed(alone.iter().copied())
        ));
    } else {
        notes.extend(
            alone
                .iter()
                .map(|label| format!("label `{label}` has one compound only: leave-compound-out never tests it")),
        );
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(values: &serde_json::Value) -> Factor {
        Factor::first_seen(&values.as_array().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn v_is_scipys_and_its_correction_bergsmas() {
        // tests/goldens/generators/eval_statistics.py; same formula, so rounding only.
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/statistics.json");
        let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for case in golden["association"].as_array().unwrap() {
            let (label, source) = (factor(&case["a"]), factor(&case["b"]));
            let layout = Layout { rows: label.len(), source: Some(source), ..Layout::default() };
            let pair = &report(&layout, &label).pairs[0];
            for (got, expected) in [
                (pair.cramers_v.unwrap(), &case["v"]),
                (pair.cramers_v_corrected.unwrap(), &case["v_corrected"]),
                (pair.empty_cells, &case["empty"]),
            ] {
                assert!((got - expected.as_f64().unwrap()).abs() < 1e-12, "{got} {expected}");
            }
        }
    }

    fn layout() -> (Layout, Factor) {
        // Two fields per well; label z in source s1 only; compound c0 in one position.
        let source: Vec<&str> = (0..24).map(|row| if row < 12 { "s1" } else { "s2" }).collect();
        let label: Vec<&str> = (0..24).map(|row| if row < 2 { "z" } else { ["x", "y"][row / 2 % 2] }).collect();
        let well: Vec<String> = (0..24).map(|row| format!("w{}", row / 2)).collect();
        let position: Vec<String> = (0..24).map(|row| format!("A{}", row / 2 % 6)).collect();
        let compound: Vec<&str> = label
            .iter()
            .enumerate()
            .map(|(row, label)| match *label {
                "z" => "c0",
                "x" => ["c1", "c2"][row / 4 % 2],
                _ => "c3",
            })
            .collect();
        let layout = Layout {
            rows: 24,
            file_row: (0..24).collect(),
            source: Some(Factor::sorted(&source)),
            well: Some(Factor::sorted(&well)),
            position: Some(Factor::sorted(&position)),
            compound: Some(Factor::sorted(&compound)),
            ..Layout::default()
        };
        (layout, Factor::first_seen(&label))
    }

    #[test]
    fn a_label_of_one_source_is_named_in_plain_words() {
        let (layout, label) = layout();
        let report = report(&layout, &label);
        let expected = SingleLevel { unit: "source".into(), label: "z".into(), level: "s1".into(), rows: 2 };
        assert_eq!(report.single[0], expected);
        assert!(report.notes.contains(
            &"label `z` occurs in source `s1` only: a not-same-source split can never test it fairly".to_owned()
        ));
        assert!(
            report.notes.contains(&"label `z` has one compound only: leave-compound-out never tests it".to_owned())
        );
        assert!(report.notes.contains(&"no batch is known, so no batch can be held out".to_owned()));
        assert_eq!(report.compounds, 4);
        assert!(report.single_position_compounds >= 1);
    }

    #[test]
    fn fields_of_a_well_count_once() {
        let (layout, label) = layout();
        let rows: Vec<u32> = (0..24).step_by(2).collect();
        let (one_field, its_label) = (layout.take(&rows), label.take(&rows));
        assert_eq!(report(&layout, &label).pairs, report(&one_field, &its_label).pairs);
    }

    #[test]
    fn one_level_and_no_rows_give_no_v() {
        let layout = Layout { rows: 3, source: Some(Factor::sorted(&["s"; 3])), ..Layout::default() };
        let pair = &report(&layout, &Factor::first_seen(&["a", "b", "a"])).pairs[0];
        assert_eq!((pair.cramers_v, pair.cramers_v_corrected, pair.levels_b), (None, None, 1));
        let empty = Layout { source: Some(Factor::default()), ..Layout::default() };
        assert_eq!(report(&empty, &Factor::default()).pairs[0].cramers_v, None);
    }
}
