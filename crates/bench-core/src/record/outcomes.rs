//! How often each well was predicted correctly: what a comparison of two runs needs.
//!
//! Means say how good a model is, and not in which wells. Two runs on the same splits are compared
//! well by well, so the record keeps, for every model, split and probe, how many rows of each tested
//! well were predicted correctly. Controls are left out.
//!
//! It is kept small: wells are named once, the wells that a split tests are listed once for all models
//! and probes, and a count that is the same for all wells is written once.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Factor;

/// Outcomes of all models of a run, by unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitOutcomes {
    /// Names of the tested units (wells, or rows where no well is known).
    pub units: Vec<String>,
    /// What is resampled first: `batch`, `plate`, `well` or `row`.
    pub cluster: String,
    /// Cluster of each unit, numbered by first occurrence.
    pub cluster_of_unit: Vec<u32>,
    /// What each unit is, as far as it is known: `source`, `batch`, `plate`, `position`, `compound`, `label`; one code
    /// per unit. Absent in records that were written before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub factors: BTreeMap<String, Factor>,
    /// Which units were tested, by protocol and split.
    pub tests: Vec<TestedSplit>,
    /// How often they were predicted correctly, by model and probe.
    pub cells: Vec<CellOutcomes>,
}

/// The units that one split tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestedSplit {
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Digest over the rows and what they do in every fold; empty in records without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// One entry per repeat; pooled splits have one.
    pub repeats: Vec<TestedUnits>,
}

/// The units that one repeat tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestedUnits {
    /// Positions in [`UnitOutcomes::units`], strictly ascending.
    pub unit: Vec<u32>,
    /// Tested rows of each; a single number stands for all of them.
    pub rows: Vec<u32>,
}

/// Correct predictions of one model with one probe on one split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CellOutcomes {
    /// Model.
    pub model: String,
    /// Probe.
    pub probe: String,
    /// Position in [`UnitOutcomes::tests`].
    pub test: usize,
    /// Rows predicted correctly, ties in parts: one list per repeat, in the order of its units.
    #[serde(serialize_with = "whole", deserialize_with = "numbers")]
    pub correct: Vec<Vec<f64>>,
}

impl UnitOutcomes {
    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// What does not fit together, if the lists contradict each other.
    pub fn problem(&self) -> Option<String> {
        let units = self.units.len();
        if self.cluster_of_unit.len() != units {
            return Some(format!("{units} units have {} clusters", self.cluster_of_unit.len()));
        }
        for (name, factor) in &self.factors {
            if factor.codes.len() != units || factor.codes.iter().any(|code| *code as usize >= factor.levels.len()) {
                return Some(format!("{units} units do not fit the {} codes of `{name}`", factor.codes.len()));
            }
        }
        for test in &self.tests {
            let place = || format!("{} ({})", test.split, test.protocol);
            for repeat in &test.repeats {
                if !repeat.unit.windows(2).all(|pair| pair[0] < pair[1])
                    || repeat.unit.last().is_some_and(|last| *last as usize >= units)
                {
                    return Some(format!("the units of split {} are not in order", place()));
                }
                if repeat.rows.len() != 1 && repeat.rows.len() != repeat.unit.len() {
                    let (rows, tested) = (repeat.rows.len(), repeat.unit.len());
                    return Some(format!("split {} has {rows} counts for {tested} units", place()));
                }
            }
        }
        for cell in &self.cells {
            let Some(test) = self.tests.get(cell.test) else {
                return Some(format!("model `{}` names a split that is not listed", cell.model));
            };
            let tested = test.repeats.iter().map(|repeat| repeat.unit.len());
            if !tested.eq(cell.correct.iter().map(Vec::len)) {
                return Some(format!("model `{}` has other units than split {} tests", cell.model, test.split));
            }
        }
        None
    }
}

/// Whole numbers without `.0`: most counts are.
fn whole<S: Serializer>(counts: &[Vec<f64>], serializer: S) -> Result<S::Ok, S::Error> {
    struct Count(f64);
    impl Serialize for Count {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0.fract() == 0.0 && (0.0..4e9).contains(&self.0) {
                serializer.serialize_u64(self.0 as u64)
            } else {
                serializer.serialize_f64(self.0)
            }
        }
    }
    serializer.collect_seq(counts.iter().map(|repeat| repeat.iter().copied().map(Count).collect::<Vec<_>>()))
}

fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<f64>>, D::Error> {
    Vec::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> UnitOutcomes {
        UnitOutcomes {
            units: ["s/b/p/A01", "s/b/p/A02", "s/b/p/A03"].map(String::from).to_vec(),
            cluster: "batch".into(),
            cluster_of_unit: vec![0, 0, 1],
            factors: BTreeMap::from([("position".to_owned(), Factor::first_seen(&["A01", "A02", "A03"]))]),
            tests: vec![TestedSplit {
                protocol: "strict".into(),
                split: "random".into(),
                digest: String::new(),
                repeats: vec![TestedUnits { unit: vec![0, 2], rows: vec![2] }],
            }],
            cells: vec![CellOutcomes {
                model: "m".into(),
                probe: "knn".into(),
                test: 0,
                correct: vec![vec![2.0, 1.0 / 3.0]],
            }],
        }
    }

    #[test]
    fn counts_are_written_short_and_read_back_as_they_were() {
        let outcomes = outcomes();
        assert_eq!(outcomes.problem(), None);
        let text = serde_json::to_string(&outcomes).unwrap();
        assert!(text.contains("[[2,0.3333333333333333]]"), "{text}");
        assert_eq!(serde_json::from_str::<UnitOutcomes>(&text).unwrap(), outcomes);
    }

    #[test]
    fn lists_that_contradict_each_other_are_found() {
        let broken: [fn(&mut UnitOutcomes); 7] = [
            |o| o.cluster_of_unit.push(1),
            |o| o.factors.values_mut().for_each(|f| f.codes.push(0)),
            |o| o.factors.values_mut().for_each(|f| f.codes[1] = 9),
            |o| o.tests[0].repeats[0].unit = vec![2, 0],
            |o| o.tests[0].repeats[0].rows = vec![1, 1, 1],
            |o| o.cells[0].test = 7,
            |o| o.cells[0].correct[0].push(1.0),
        ];
        for breaks in broken {
            let mut outcomes = outcomes();
            breaks(&mut outcomes);
            assert!(outcomes.problem().is_some(), "{outcomes:?}");
        }
    }

    #[test]
    fn records_without_factors_are_read_and_written_as_they_were() {
        let bare = UnitOutcomes { factors: BTreeMap::new(), ..outcomes() };
        let text = serde_json::to_string(&bare).unwrap();
        assert!(!text.contains("factors"), "{text}");
        assert_eq!(serde_json::from_str::<UnitOutcomes>(&text).unwrap(), bare);
    }
}
