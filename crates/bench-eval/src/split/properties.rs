//! What every split must obey, on random and on hostile layouts.

use bench_core::{Factor, Layout, Seed};
use proptest::prelude::*;

use super::*;
use crate::Role;

/// A layout drawn at random: sources of unequal size, batches in sources, plates in batches,
/// wells in plates, a few rows per well; one label and one compound per well.
struct Case {
    layout: Layout,
    label: Factor,
}

fn case(seed: u64, sources: usize, batches: usize, plates: usize, wells: usize, fields: usize, labels: usize) -> Case {
    let mut stream = Seed(seed).stream();
    let mut columns: [Vec<String>; 6] = Default::default();
    for source in 0..sources {
        for batch in 0..1 + stream.below(batches) {
            for plate in 0..1 + stream.below(plates) {
                for well in 0..wells {
                    let label = stream.below(labels);
                    let compound = label * 3 + stream.below(3);
                    for _ in 0..1 + stream.below(fields) {
                        let row = [
                            format!("s{source}"),
                            format!("s{source}/b{batch}"),
                            format!("s{source}/b{batch}/p{plate}"),
                            format!("s{source}/b{batch}/p{plate}/w{well}"),
                            format!("c{compound}"),
                            format!("l{label}"),
                        ];
                        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
                    }
                }
            }
        }
    }
    let factor = |at: usize| Some(Factor::first_seen(&columns[at]));
    let layout = Layout {
        rows: columns[0].len(),
        source: factor(0),
        batch: factor(1),
        plate: factor(2),
        well: factor(3),
        compound: factor(4),
        groups: [("scope".to_owned(), Factor::sorted(&columns[0]))].into(),
        ..Layout::default()
    };
    Case { layout, label: Factor::first_seen(&columns[5]) }
}

/// The same values with codes in reverse order, after a level that no row has.
fn reversed(factor: Factor) -> Factor {
    let top = factor.levels.len() as u32;
    let mut levels = factor.levels;
    levels.push("unused".to_owned());
    levels.reverse();
    Factor { levels, codes: factor.codes.iter().map(|code| top - code).collect() }
}

fn every_id() -> Vec<String> {
    all(&["scope"]).into_iter().map(|split| split.id).filter(|id| !id.contains("position")).collect()
}

fn plans(case: &Case, seed: u64) -> Vec<SplitSet> {
    let ids = every_id();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let input = SplitInput::new(&case.layout, &case.label, Seed(seed));
    let mut sets = paper_plan(&ids, &input).unwrap();
    sets.extend(strict_plan(&ids, &input).unwrap());
    sets
}

fn check(case: &Case, sets: &[SplitSet]) {
    for set in sets {
        let name = format!("{} {}", set.protocol, set.split);
        assert_eq!(set.folds.is_empty(), set.reason.is_some(), "{name}: folds or a reason");
        let info = audit(set, &case.layout, &case.label);
        if let Some((_, leaks)) = info.leaks.iter().find(|(unit, _)| *unit == set.unit) {
            assert_eq!(*leaks, 0, "{name} divides its unit");
        }
        for fold in &set.folds {
            assert_eq!(fold.roles.len(), case.layout.rows, "{name}: one role per row");
            assert!(fold.count(Role::Train) > 0 && fold.count(Role::Test) > 0, "{name}: both sides");
            if set.protocol == "paper" {
                assert_eq!(fold.count(Role::Unused), 0, "{name}: all rows are used");
            }
        }
        if set.pooled && set.reason.is_none() {
            for row in 0..case.layout.rows {
                let tested = set.folds.iter().filter(|fold| fold.roles[row] == Role::Test).count();
                assert_eq!(tested, 1, "{name}: every row is tested once");
            }
        }
        if set.split == "random" {
            let expected = if set.protocol == "paper" { "row" } else { "well" };
            assert_eq!(set.unit, expected);
        }
        // Cutting to a size of a few rows (here: a source of three wells) can lose labels.
        if set.split == "leave-compound-out" && set.protocol == "paper" {
            assert_eq!(info.unseen_test_rows, 0, "every tested label is trained on");
        }
    }
    // Equal training size: what stays free after a cut is less than a well (where a well fits).
    let trained = |set: &SplitSet| set.folds.iter().map(|fold| fold.count(Role::Train)).collect::<Vec<_>>();
    let strict: Vec<&SplitSet> = sets.iter().filter(|set| set.protocol == "strict").collect();
    let largest_well = case.layout.well.as_ref().map_or(1, |well| well.counts().into_iter().max().unwrap_or(1));
    let repeated: Vec<usize> = strict.iter().filter(|set| !set.pooled).flat_map(|set| trained(set)).collect();
    if let (Some(low), Some(high)) = (repeated.iter().min(), repeated.iter().max())
        && *low >= largest_well
    {
        assert!(high - low < largest_well, "{low} {high} {largest_well}");
        assert!(strict.iter().flat_map(|set| trained(set)).all(|n| n <= *high));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn splits_keep_their_promises(
        seed in any::<u64>(),
        sources in 1usize..5,
        batches in 1usize..4,
        plates in 1usize..4,
        wells in 1usize..12,
        fields in 1usize..4,
        labels in 1usize..6,
    ) {
        let case = case(seed, sources, batches, plates, wells, fields, labels);
        let sets = plans(&case, seed);
        check(&case, &sets);
        prop_assert_eq!(&sets, &plans(&case, seed));
        // Other names for the labels, the same codes: not a single role moves.
        let renamed = Case {
            layout: case.layout.clone(),
            label: Factor {
                levels: case.label.levels.iter().map(|name| format!("z{}", name.len() * 7)).collect(),
                codes: case.label.codes.clone(),
            },
        };
        prop_assert_eq!(&sets, &plans(&renamed, seed));
        // Other codes for the units, and levels that no row has: nothing moves either.
        let mut recoded = Case { layout: case.layout.clone(), label: case.label.clone() };
        let layout = &mut recoded.layout;
        for factor in [&mut layout.source, &mut layout.batch, &mut layout.plate, &mut layout.well, &mut layout.compound] {
            *factor = factor.take().map(reversed);
        }
        prop_assert_eq!(&sets, &plans(&recoded, seed));
    }

    #[test]
    fn grouped_folds_never_divide_a_group(
        groups in proptest::collection::vec(0u32..20, 0..80),
        k in 1usize..8,
        seed in any::<u64>(),
    ) {
        let rows: Vec<u32> = (0..groups.len() as u32).filter(|row| row % 5 != 0).collect();
        let folds = grouped_folds(&groups, k, Seed(seed), &rows);
        let mut distinct: Vec<u32> = rows.iter().map(|&row| groups[row as usize]).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let expected = if k.min(distinct.len()) < 2 { 0 } else { k.min(distinct.len()) };
        prop_assert_eq!(folds.len(), expected);
        for fold in &folds {
            for (row, role) in fold.roles.iter().enumerate() {
                prop_assert_eq!(*role == Role::Unused, row % 5 == 0);
            }
            let test: std::collections::BTreeSet<u32> = fold.rows(Role::Test).iter().map(|&r| groups[r as usize]).collect();
            prop_assert!(fold.rows(Role::Train).iter().all(|&r| !test.contains(&groups[r as usize])));
        }
    }
}

fn set<'a>(sets: &'a [SplitSet], protocol: &str, split: &str) -> &'a SplitSet {
    sets.iter().find(|set| set.protocol == protocol && set.split == split).unwrap()
}

#[test]
fn paper_sizes_are_those_of_the_reference_code() {
    let case = case(1, 4, 3, 3, 10, 3, 4);
    let sets = plans(&case, 7);
    let n = case.layout.rows;
    for fold in &set(&sets, "paper", "random").folds {
        assert_eq!(fold.count(Role::Train), (0.8 * n as f64) as usize);
    }
    for unit in ["well", "plate", "batch", "source"] {
        let groups = case.layout.unit(unit).unwrap().level_count();
        for fold in &set(&sets, "paper", &format!("not-same-{unit}")).folds {
            assert_eq!(fold.held_out.len(), groups - (0.8 * groups as f64) as usize, "{unit}");
        }
    }
}

#[test]
fn one_source_gives_a_reason_and_two_give_folds() {
    let one = plans(&case(2, 1, 2, 2, 6, 2, 3), 7);
    for protocol in ["paper", "strict"] {
        for split in ["not-same-source", "leave-one-source-out"] {
            assert_eq!(set(&one, protocol, split).reason.as_deref(), Some("only one source: `s0`"));
        }
    }
    let two = plans(&case(2, 2, 2, 2, 6, 2, 3), 7);
    for protocol in ["paper", "strict"] {
        let nss = set(&two, protocol, "not-same-source");
        assert_eq!(nss.folds.len(), 5);
        assert!(nss.folds.iter().all(|fold| fold.held_out.len() == 1));
    }
}

#[test]
fn a_giant_group_is_trained_on_not_tested() {
    let names: Vec<String> =
        (0..1000).map(|row| if row < 900 { "big".into() } else { format!("s{}", row / 50) }).collect();
    let layout = Layout { rows: 1000, source: Some(Factor::first_seen(&names)), ..Layout::default() };
    let label = Factor::first_seen(&(0..1000).map(|row| (row % 3).to_string()).collect::<Vec<_>>());
    let sets = strict_plan(&["nss"], &SplitInput::new(&layout, &label, Seed(1))).unwrap();
    for fold in &sets[0].folds {
        assert!(!fold.held_out.contains(&"big".to_owned()));
    }
}

#[test]
fn one_row_per_class_is_refused_by_the_strict_protocol_only() {
    let names: Vec<String> = (0..10).map(|row| row.to_string()).collect();
    let layout = Layout { rows: 10, ..Layout::default() };
    let label = Factor::first_seen(&names);
    let input = SplitInput::new(&layout, &label, Seed(1));
    assert_eq!(paper_plan(&["random"], &input).unwrap()[0].folds.len(), 5);
    let strict = &strict_plan(&["random", "nss", "leave-compound-out"], &input).unwrap();
    assert!(strict.iter().all(|set| set.folds.is_empty() && set.reason.is_some()), "{strict:?}");
    let empty = Factor::default();
    let input = SplitInput::new(&layout, &empty, Seed(1));
    let none = SplitInput { layout: &Layout::default(), ..input };
    for set in paper_plan(&["random"], &none).unwrap().iter().chain(&strict_plan(&["random"], &none).unwrap()) {
        assert!(set.reason.is_some());
    }
}

#[test]
fn strict_repeats_differ_while_test_sets_last() {
    let sets = plans(&case(3, 4, 3, 3, 10, 2, 3), 7);
    let case = case(3, 4, 3, 3, 10, 2, 3);
    let nss = audit(set(&sets, "strict", "not-same-source"), &case.layout, &case.label);
    assert!(nss.distinct_test_sets >= 4, "{nss:?}");
    let nsp = audit(set(&sets, "strict", "not-same-plate"), &case.layout, &case.label);
    assert_eq!(nsp.distinct_test_sets, 5);
}

#[test]
fn settings_out_of_range_are_errors() {
    let case = case(3, 2, 2, 2, 4, 2, 3);
    let input = SplitInput::new(&case.layout, &case.label, Seed(1));
    assert!(paper_plan(&["random"], &SplitInput { test_fraction: 1.0, ..input }).is_err());
    assert!(paper_plan(&["random"], &SplitInput { repeats: 0, ..input }).is_err());
    assert!(paper_plan(&["no-such-split"], &input).is_err());
    assert_eq!(paper_plan(&["nss", "not-same-source"], &input).unwrap().len(), 1);
}
