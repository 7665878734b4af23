//! The compounds of the simulation: the real TARGET2 layout, and compounds for training plates.
//!
//! Two small tables travel with the crate; `data/README.md` says where they come from and under
//! which licence. That a training compound acts on its target is an assumption of the simulation.

use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

use flate2::read::GzDecoder;

use crate::csv::Csv;

/// One compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compound {
    /// JUMP id for TARGET2, an id of this simulation for the rest.
    pub jcp2022: String,
    /// InChIKey.
    pub inchikey: String,
    /// SMILES.
    pub smiles: String,
    /// The gene through which it acts; empty for DMSO.
    pub target: String,
    /// `real`, or `synthetic` for a molecule that nobody need ever have made.
    pub kind: String,
}

impl Compound {
    /// The connectivity block of the InChIKey: equal for stereoisomers and salts of one skeleton.
    pub fn skeleton(&self) -> &str {
        self.inchikey.split('-').next().unwrap_or_default()
    }
}

/// One well of the 384-well TARGET2 plate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutWell {
    /// `A01` to `P24`.
    pub well: String,
    /// `trt`, `poscon` or `negcon`.
    pub pert_type: String,
    /// What is in it.
    pub compound: Compound,
}

/// The TARGET2 layout, in the order of wells.
pub fn target2_layout() -> &'static [LayoutWell] {
    static LAYOUT: OnceLock<Vec<LayoutWell>> = OnceLock::new();
    LAYOUT.get_or_init(|| {
        let rows = table(include_str!("../../data/target2_layout.csv"));
        rows.into_iter()
            .map(|[well, jcp2022, role, target, inchikey, smiles]| {
                let pert_type = role.split('_').next().unwrap_or_default().to_owned();
                let compound = Compound { jcp2022, inchikey, smiles, target, kind: "real".to_owned() };
                LayoutWell { well, pert_type, compound }
            })
            .collect()
    })
}

/// Compounds for training plates. None shares its skeleton with a compound of TARGET2.
pub fn training_library() -> &'static [Compound] {
    static LIBRARY: OnceLock<Vec<Compound>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut text = String::new();
        GzDecoder::new(&include_bytes!("../../data/training_compounds.csv.gz")[..])
            .read_to_string(&mut text)
            .expect("the table was compressed with the crate");
        let rows = table(&text);
        let numbered = rows.into_iter().enumerate();
        numbered
            .map(|(i, [target, kind, _name, inchikey, smiles])| Compound {
                jcp2022: format!("SIM2022_{:06}", i + 1),
                inchikey,
                smiles,
                target,
                kind,
            })
            .collect()
    })
}

/// Targets of the layout in alphabetical order.
pub fn targets() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        target2_layout().iter().map(|w| w.compound.target.as_str()).filter(|t| !t.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn table<const N: usize>(text: &str) -> Vec<[String; N]> {
    let table = Csv::parse(text, Path::new("embedded table")).expect("the embedded table is sound");
    table.rows.into_iter().map(|(_, cells)| cells.try_into().expect("the embedded table has its columns")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_layout_is_the_real_one() {
        let layout = target2_layout();
        assert_eq!(layout.len(), 384);
        assert_eq!(layout.iter().filter(|w| w.pert_type == "negcon").count(), 64);
        assert_eq!(targets().len(), 160);
        for target in targets() {
            assert_eq!(layout.iter().filter(|w| w.compound.target == target).count(), 2, "{target}");
        }
        let a02 = &layout[1];
        assert_eq!(
            (a02.well.as_str(), a02.compound.jcp2022.as_str(), a02.compound.target.as_str()),
            ("A02", "JCP2022_050797", "KCNN4")
        );
    }

    #[test]
    fn training_compounds_are_not_on_target2() {
        let known: BTreeSet<&str> = target2_layout().iter().map(|w| w.compound.skeleton()).collect();
        let library = training_library();
        assert!(library.len() >= 1900);
        let own: BTreeSet<&str> = library.iter().map(Compound::skeleton).collect();
        assert_eq!(own.len(), library.len(), "every skeleton once");
        assert!(own.is_disjoint(&known));
        let names: BTreeSet<&str> = targets().into_iter().collect();
        for compound in library {
            assert!(names.contains(compound.target.as_str()), "{compound:?}");
            assert!(compound.skeleton().len() == 14 && compound.inchikey.len() == 27 && !compound.smiles.is_empty());
        }
    }
}
