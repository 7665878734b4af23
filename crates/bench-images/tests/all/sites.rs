//! Sampling of sites holds for any wells.

use std::collections::BTreeSet;

use bench_core::Seed;
use bench_images::FieldId;
use bench_images::sites::{Rule, Well, choose_fields};
use proptest::prelude::*;

fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![
        Just(Rule::All),
        (0usize..12).prop_map(Rule::Count),
        (0usize..8, 0usize..8).prop_map(|(treated, control)| Rule::Paper { treated, control }),
        Just(Rule::Code),
    ]
}

fn roles() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("trt"), Just("negcon"), Just("poscon")]
}

fn plate_types() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("COMPOUND"), Just("TARGET2"), Just("ORF")]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_draw_is_an_ascending_part_of_the_sites_in_any_order(
        rule in rules(), role in roles(), plate_type in plate_types(), seed: u64,
        mut sites in prop::collection::vec(1u32..40, 0..20), turn in 0usize..20,
    ) {
        let well = Well { source: "s", plate: "p", plate_type, well: "A01", role };
        let names = |sites: &[u32]| sites.iter().map(u32::to_string).collect::<Vec<_>>();
        let drawn = rule.choose(Seed(seed), &well, &names(&sites));
        let values: Vec<u32> = drawn.iter().map(|site| site.parse().unwrap()).collect();
        let all: BTreeSet<u32> = sites.iter().copied().collect();
        prop_assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(values.iter().all(|site| all.contains(site)));
        let control = role != "trt";
        let most = match rule {
            Rule::All => usize::MAX,
            Rule::Count(n) => n,
            Rule::Paper { treated, control: few } => if control { few } else { treated },
            Rule::Code if plate_type == "COMPOUND" || !control => 6,
            Rule::Code => if role == "negcon" { 4 } else { 3 },
        };
        prop_assert_eq!(values.len(), most.min(all.len()));
        if !sites.is_empty() {
            let n = sites.len();
            sites.rotate_left(turn % n);
        }
        prop_assert_eq!(rule.choose(Seed(seed), &well, &names(&sites)), drawn);
    }

    #[test]
    fn taking_more_keeps_what_was_taken(seed: u64, n in 0usize..10, sites in 1u32..12) {
        let well = Well { source: "s", plate: "p", plate_type: "TARGET2", well: "A01", role: "trt" };
        let names: Vec<String> = (1..=sites).map(|site| site.to_string()).collect();
        let few = Rule::Count(n).choose(Seed(seed), &well, &names);
        let more = Rule::Count(n + 1).choose(Seed(seed), &well, &names);
        prop_assert!(few.iter().all(|site| more.contains(site)));
    }

    #[test]
    fn wells_that_come_or_go_change_no_other(seed: u64, gone in 0usize..24, rule in rules()) {
        let ids: Vec<FieldId> = (0..24 * 9)
            .map(|i| FieldId::new("s", "b", "p", &format!("A{:02}", i / 9 + 1), &(i % 9 + 1).to_string()).unwrap())
            .collect();
        let known = |id: &FieldId| ("TARGET2", if id.well == "A01" { "negcon" } else { "trt" });
        let all = choose_fields(rule, Seed(seed), &ids, &known);
        let gone = format!("A{:02}", gone + 1);
        let mut rest: Vec<FieldId> = ids.into_iter().filter(|id| id.well != gone).collect();
        rest.reverse();
        let left = choose_fields(rule, Seed(seed), &rest, &known);
        prop_assert_eq!(left, all.into_iter().filter(|id| id.well != gone).collect::<BTreeSet<_>>());
    }
}
