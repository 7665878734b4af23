//! The draws that several rules share: 80/20 of permuted units, balanced choices of units, and
//! each unit in turn.

use super::stratify::{Choice, Contents};
use super::units::Units;
use super::{Split, SplitInput};
use crate::{Fold, Role, SplitSet};

/// Most folds that a leave-one-out or fixed split may have. Every fold is a fit, and stores a
/// role per row.
pub const MAX_FOLDS: usize = 1000;

const PAPER: &str = "paper";
const STRICT: &str = "strict";

/// A split without folds, and why.
pub(super) fn refused(protocol: &str, split: &str, unit: &str, pooled: bool, reason: String) -> SplitSet {
    SplitSet {
        protocol: protocol.to_owned(),
        split: split.to_owned(),
        unit: unit.to_owned(),
        pooled,
        folds: Vec::new(),
        reason: Some(reason),
    }
}

fn made(protocol: &str, split: &Split, unit: &str, pooled: bool, folds: Vec<Fold>) -> SplitSet {
    SplitSet {
        protocol: protocol.to_owned(),
        split: split.id.clone(),
        unit: unit.to_owned(),
        pooled,
        folds,
        reason: None,
    }
}

fn roles(units: &Units<'_>, is_held_out: &[bool]) -> Vec<Role> {
    units.of_row.iter().map(|&unit| if is_held_out[unit as usize] { Role::Test } else { Role::Train }).collect()
}

/// Protocol `paper` over rows: permute them, the first `int(0.8 n)` train.
pub(super) fn paper_rows(split: &Split, input: &SplitInput<'_>) -> SplitSet {
    paper(split, input, "row", &Units::rows(input.layout.rows))
}

/// Protocol `paper` over groups: permute their ids, the first `int(0.8 g)` train.
pub(super) fn paper_groups(split: &Split, input: &SplitInput<'_>) -> SplitSet {
    match input.layout.unit(&split.unit) {
        Some(factor) => paper(split, input, &split.unit, &Units::of(factor)),
        None => refused(PAPER, &split.id, &split.unit, false, format!("the table names no {}", split.unit)),
    }
}

fn paper(split: &Split, input: &SplitInput<'_>, unit: &str, units: &Units<'_>) -> SplitSet {
    let n_train = whole_part((1.0 - input.test_fraction) * units.count as f64);
    if n_train == 0 || n_train >= units.count {
        return refused(PAPER, &split.id, unit, false, too_few(unit, units));
    }
    let folds = (0..input.repeats as u32)
        .map(|repeat| {
            let seed = input.seed.derive(&format!("split/paper/{}", split.id), u64::from(repeat));
            let mut is_held_out = vec![true; units.count];
            for &unit in &seed.stream().permutation(units.count)[..n_train] {
                is_held_out[unit as usize] = false;
            }
            Fold { repeat, seed: seed.0, held_out: units.held_out(&is_held_out), roles: roles(units, &is_held_out) }
        })
        .collect();
    made(PAPER, split, unit, false, folds)
}

/// `int(x)`, forgiving the rounding error of a product such as `(1 - 0.9) * 10`.
fn whole_part(x: f64) -> usize {
    (x + 1e-9).floor() as usize
}

fn too_few(unit: &str, units: &Units<'_>) -> String {
    match (units.count, units.names.first()) {
        (0, _) => "no rows".to_owned(),
        (1, Some(name)) => format!("only one {unit}: `{name}`"),
        (1, None) => format!("only one {unit}"),
        (count, _) => format!("{count} {unit}s are too few to hold some out and train on others"),
    }
}

/// Protocol `strict` over wells: no well on both sides, labels balanced.
pub(super) fn strict_wells(split: &Split, input: &SplitInput<'_>) -> SplitSet {
    let (mut wells, unit) = Units::wells(input);
    // Thousands of well names help nobody.
    wells.names.clear();
    strict(split, input, unit, &wells, Choice::WithinLabels { cover: true })
}

/// Protocol `strict` over groups: a choice of groups that keeps labels balanced.
pub(super) fn strict_groups(split: &Split, input: &SplitInput<'_>, choice: Choice) -> SplitSet {
    match input.layout.unit(&split.unit) {
        Some(factor) => strict(split, input, &split.unit, &Units::of(factor), choice),
        None => refused(STRICT, &split.id, &split.unit, false, format!("the table names no {}", split.unit)),
    }
}

fn strict(split: &Split, input: &SplitInput<'_>, unit: &str, units: &Units<'_>, choice: Choice) -> SplitSet {
    if units.count < 2 {
        return refused(STRICT, &split.id, unit, false, too_few(unit, units));
    }
    let contents = Contents::new(units, input.label);
    let mut times_held_out = vec![0; units.count];
    let mut folds = Vec::with_capacity(input.repeats);
    for repeat in 0..input.repeats as u32 {
        let seed = input.seed.derive(&format!("split/strict/{}", split.id), u64::from(repeat));
        let is_held_out =
            match contents.choose(choice, input.test_fraction, repeat, &times_held_out, &mut seed.stream()) {
                Some(chosen) => chosen,
                None => {
                    let reason =
                        format!("every label occurs in one {unit} only, so no label could be learnt and tested");
                    return refused(STRICT, &split.id, unit, false, reason);
                }
            };
        for (times, held) in times_held_out.iter_mut().zip(&is_held_out) {
            *times += u32::from(*held);
        }
        folds.push(Fold {
            repeat,
            seed: seed.0,
            held_out: units.held_out(&is_held_out),
            roles: roles(units, &is_held_out),
        });
    }
    made(STRICT, split, unit, false, folds)
}

/// Each group in turn, in the order in which they first occur; predictions are pooled.
pub(super) fn leave_one_out(protocol: &str, split: &Split, input: &SplitInput<'_>) -> SplitSet {
    let unit = &split.unit;
    let Some(factor) = input.layout.unit(unit) else {
        return refused(protocol, &split.id, unit, true, format!("the table names no {unit}"));
    };
    let units = Units::of(factor);
    if units.count < 2 {
        return refused(protocol, &split.id, unit, true, too_few(unit, &units));
    }
    if units.count > MAX_FOLDS {
        let reason = format!("{} {unit}s would need as many fits; at most {MAX_FOLDS} are made", units.count);
        return refused(protocol, &split.id, unit, true, reason);
    }
    let folds = (0..units.count as u32)
        .map(|held| Fold {
            repeat: held,
            seed: 0,
            held_out: vec![units.names[held as usize].to_owned()],
            roles: units.of_row.iter().map(|&unit| if unit == held { Role::Test } else { Role::Train }).collect(),
        })
        .collect();
    made(protocol, split, unit, true, folds)
}

/// [`leave_one_out`] of the protocol `paper`.
pub(super) fn leave_one_out_paper(split: &Split, input: &SplitInput<'_>) -> SplitSet {
    leave_one_out(PAPER, split, input)
}

/// [`leave_one_out`] of the protocol `strict`.
pub(super) fn leave_one_out_strict(split: &Split, input: &SplitInput<'_>) -> SplitSet {
    leave_one_out(STRICT, split, input)
}
