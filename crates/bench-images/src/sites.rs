//! How many fields of view of a well are taken, and which.
//!
//! # What
//! Sites are drawn without replacement, from a seed and the names of source, plate and well alone:
//! the draw does not change when other wells or plates come or go, nor with the order of the sites.
//!
//! # Reference
//! Watkinson et al. 2023: six sites per treated well and three per control. Their code
//! (gwatkinson/jump_download) does something else, see [`Rule::Code`]; it draws without a seed, so
//! the published sample cannot be drawn again.

use std::collections::{BTreeMap, BTreeSet};

use bench_core::Seed;
use serde::{Deserialize, Serialize};

use crate::FieldId;

/// How many sites of a well are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// All of them.
    #[default]
    All,
    /// So many, or as many as there are.
    Count(usize),
    /// By role, as the paper says.
    Paper {
        /// Sites of a treated well.
        treated: usize,
        /// Sites of a control well, negative or positive.
        control: usize,
    },
    /// What the reference's code does: six per treated well; four per negative and three per positive
    /// control, because the two lists are exchanged where they are handed over; six per control on
    /// COMPOUND plates, because there InChI are compared with JCP2022 ids and no control is found.
    ///
    /// Parity: it also drops the wells of two perturbations of ORF plates (JCP2022_999999 and
    /// JCP2022_900001), which is a choice of wells and not of sites.
    Code,
}

/// A well, as far as sampling goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Well<'a> {
    /// Imaging centre.
    pub source: &'a str,
    /// Barcode.
    pub plate: &'a str,
    /// `Metadata_PlateType`.
    pub plate_type: &'a str,
    /// Position.
    pub well: &'a str,
    /// `trt`, `negcon` or `poscon`.
    pub role: &'a str,
}

impl Rule {
    /// Six sites per treated well and three per control.
    pub fn paper() -> Self {
        Self::Paper { treated: 6, control: 3 }
    }

    /// Most sites of a well.
    fn most(self, well: &Well<'_>) -> usize {
        let control = matches!(well.role, "negcon" | "poscon");
        match self {
            Self::All => usize::MAX,
            Self::Count(n) => n,
            Self::Paper { treated, control: few } => {
                if control {
                    few
                } else {
                    treated
                }
            }
            Self::Code => match well.role {
                "negcon" if well.plate_type != "COMPOUND" => 4,
                "poscon" if well.plate_type != "COMPOUND" => 3,
                _ => 6,
            },
        }
    }

    /// The sites of a well that are taken, ascending; whole numbers in the order of their values.
    pub fn choose(self, seed: Seed, well: &Well<'_>, sites: &[String]) -> Vec<String> {
        let mut sites = sites.to_vec();
        let order = |site: &String| (site.parse::<u64>().unwrap_or(u64::MAX), site.clone());
        sites.sort_by_key(order);
        sites.dedup();
        let most = self.most(well);
        if sites.len() > most {
            // A separator that no name holds: ("a", "bc") and ("ab", "c") are two wells.
            let purpose = ["sites", well.source, well.plate, well.well].join("\u{1f}");
            seed.derive(&purpose, 0).stream().shuffle(&mut sites);
            sites.truncate(most);
            sites.sort_by_key(order);
        }
        sites
    }
}

/// What is known of a well beyond its name: `Metadata_PlateType`, and `trt`, `negcon` or `poscon`.
pub type Known<'a> = (&'a str, &'a str);

/// The fields that are taken of all wells; `known` says plate type and role of the well of a field.
pub fn choose_fields<'a>(
    rule: Rule,
    seed: Seed,
    ids: &[FieldId],
    known: &dyn Fn(&FieldId) -> Known<'a>,
) -> BTreeSet<FieldId> {
    let mut wells: BTreeMap<[&str; 4], Vec<&FieldId>> = BTreeMap::new();
    for id in ids {
        wells.entry([&id.source, &id.batch, &id.plate, &id.well]).or_default().push(id);
    }
    let mut chosen = BTreeSet::new();
    for fields in wells.into_values() {
        let id = fields[0];
        let (plate_type, role) = known(id);
        let well = Well { source: &id.source, plate: &id.plate, plate_type, well: &id.well, role };
        let sites: Vec<String> = fields.iter().map(|id| id.site.clone()).collect();
        let taken = rule.choose(seed, &well, &sites);
        chosen.extend(taken.into_iter().map(|site| FieldId { site, ..id.clone() }));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well<'a>(well: &'a str, plate_type: &'a str, role: &'a str) -> Well<'a> {
        Well { source: "source_4", plate: "BR1", plate_type, well, role }
    }

    fn nine() -> Vec<String> {
        (1..=9).map(|site| site.to_string()).collect()
    }

    #[test]
    fn the_rules_take_as_many_as_they_say() {
        let count = |rule: Rule, plate_type: &str, role: &str| {
            rule.choose(Seed(1), &well("A01", plate_type, role), &nine()).len()
        };
        assert_eq!(count(Rule::All, "TARGET2", "trt"), 9);
        assert_eq!(count(Rule::Count(20), "TARGET2", "trt"), 9);
        let of = |rule: Rule, plate_type: &str| ["trt", "negcon", "poscon"].map(|role| count(rule, plate_type, role));
        assert_eq!(of(Rule::paper(), "TARGET2"), [6, 3, 3]);
        assert_eq!(of(Rule::Code, "TARGET2"), [6, 4, 3]);
        assert_eq!(of(Rule::Code, "COMPOUND"), [6, 6, 6]);
    }

    #[test]
    fn a_draw_depends_on_its_well_and_seed_and_on_nothing_else() {
        let draw = |seed: u64, name: &str, sites: &[String]| {
            Rule::Count(4).choose(Seed(seed), &well(name, "TARGET2", "trt"), sites)
        };
        let mut reversed = nine();
        reversed.reverse();
        assert_eq!(draw(1, "A01", &nine()), draw(1, "A01", &reversed));
        let wells: Vec<Vec<String>> = (1..=24).map(|n| draw(1, &format!("A{n:02}"), &nine())).collect();
        assert!(wells.iter().all(|sites| sites.len() == 4 && sites.is_sorted()));
        assert!(wells.iter().any(|sites| *sites != wells[0]), "wells differ");
        assert!((2..30).any(|seed| draw(seed, "A01", &nine()) != wells[0]), "seeds differ");
        // Every site is taken about equally often: 4 of 9 in 600 wells, five standard deviations.
        let mut times = [0.0f64; 9];
        for n in 0..600 {
            for site in draw(7, &format!("W{n}"), &nine()) {
                times[site.parse::<usize>().unwrap() - 1] += 1.0;
            }
        }
        let (mean, sd) = (600.0 * 4.0 / 9.0, (600.0f64 * (4.0 / 9.0) * (5.0 / 9.0)).sqrt());
        assert!(times.iter().all(|&n| (n - mean).abs() < 5.0 * sd), "{times:?}");
    }

    #[test]
    fn sites_are_ordered_as_numbers() {
        let sites = ["10", "2", "1", "2"].map(str::to_owned);
        assert_eq!(Rule::All.choose(Seed(1), &well("A01", "x", "trt"), &sites), ["1", "2", "10"]);
    }
}
