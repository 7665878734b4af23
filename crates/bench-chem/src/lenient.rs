//! Molecules with an impossible valence, sanitised without the check of valences.
//!
//! The library offers its sanitisation with that check only. So the offending atoms are replaced by
//! an element that has no valence rule, the graph is made, and the offenders' own columns are put
//! back. Vanadium is that element because it behaves as an atom beyond its valence does in RDKit:
//! it takes no implicit hydrogens and no part in conjugation. Each column is compared with RDKit's
//! on molecules of this kind. What can differ: Z and E at a double bond whose ranking of neighbours
//! hangs on the offender, since it ranks by atomic number.

use chematic_core::{AtomIdx, Element, Molecule as Parsed};

use crate::error::{Error, Result, shown};
use crate::graph::MoleculeGraph;
use crate::sanitisation::{Problem, problems, refusal};
use crate::{features, scaffold};

/// Copies of a molecule that the library takes.
#[derive(Clone)]
pub(crate) struct StandIn {
    /// The offenders are vanadium: passes sanitisation.
    vanadium: Parsed,
    /// The offenders take no implicit hydrogens, which RDKit gives no atom beyond its valence.
    saturated: Parsed,
    offenders: Vec<Element>,
}

/// The stand-in, and the graph with the offenders' own features.
pub(crate) fn graph(text: &str, parsed: &Parsed) -> Result<(StandIn, MoleculeGraph)> {
    let mut stand_in = StandIn { vanadium: parsed.clone(), saturated: parsed.clone(), offenders: Vec::new() };
    let mut places = Vec::new();
    for problem in problems(parsed) {
        match problem {
            Problem::Valence { atom, valence, .. } => {
                let at = AtomIdx(atom as u32);
                let given = parsed.atom(at);
                stand_in.vanadium.set_element(at, Element::V);
                // Setting the element clears these.
                stand_in.vanadium.set_hydrogen_count(at, given.hydrogen_count);
                stand_in.vanadium.set_chirality(at, given.chirality);
                stand_in.vanadium.set_atom_aromatic(at, given.aromatic);
                stand_in.saturated.set_hydrogen_count(at, given.hydrogen_count.or(Some(0)));
                stand_in.offenders.push(given.element);
                places.push((atom, valence));
            }
            kekule @ Problem::Kekule { .. } => return Err(kekule.error(text)),
        }
    }
    let mut graph = features::graph(&stand_in.vanadium).map_err(|error| refusal(text, &stand_in.vanadium, &error))?;
    if graph.atoms.len() != parsed.atom_count() {
        // Rows would have to be found again behind absorbed hydrogens.
        let why = "an impossible valence and hydrogens written as atoms are not handled together".to_owned();
        return Err(Error::Refused { molecule: shown(text), why });
    }
    for (atom, valence) in places {
        restore(parsed, &mut graph, atom, valence);
    }
    Ok((stand_in, graph))
}

impl StandIn {
    /// What fingerprints are taken of.
    pub(crate) fn saturated(&self) -> &Parsed {
        &self.saturated
    }

    /// The molecule's scaffold, if the offenders are cut off or are sound in what is left.
    pub(crate) fn scaffold(&self) -> Result<String, String> {
        let key = scaffold::key(&self.vanadium)?;
        if !key.contains("[V") {
            return Ok(key);
        }
        let beyond = || "an atom of impossible valence is part of its scaffold".to_owned();
        let [first, others @ ..] = self.offenders.as_slice() else { return Ok(key) };
        if others.iter().any(|other| other != first) {
            return Err(beyond());
        }
        scaffold::flat(&key.replace("[V]", first.symbol())).map_err(|_| beyond())
    }
}

/// Puts back element, radical electrons, hybridisation and chirality of an offender.
fn restore(parsed: &Parsed, graph: &mut MoleculeGraph, atom: usize, valence: u32) {
    let given = parsed.atom(AtomIdx(atom as u32));
    let row = &mut graph.atoms[atom];
    let number = given.element.atomic_number();
    let (outer, valences) = shell(number);
    let (valence, charge) = (valence as i32, i32::from(given.charge));
    row[0] = number - 1;

    // RDKit counts radical electrons on atoms in brackets only.
    let full = if number <= 2 { 2 } else { 8 };
    let mut radicals = full - outer - valence + charge;
    if radicals < 0 && valences.len() > 1 {
        radicals = valences.iter().map(|v| v - valence + charge).find(|&more| more >= 0).unwrap_or(0);
    }
    let left = outer - valence - charge;
    if left >= 0 {
        radicals = radicals.min(left);
    }
    row[5] = if given.hydrogen_count.is_some() { radicals.clamp(0, 5) as u8 } else { 0 };

    // Orbitals: neighbours, and half the electrons that bonds leave over. Those are fewer than
    // none here, and RDKit's division rounds towards zero.
    let orbitals = i32::from(row[2]) + left / 2;
    row[6] = match orbitals {
        2 => 0,
        3 => 1,
        4 => 2,
        5 => 3,
        6 => 4,
        _ => 5,
    };
    if row[1] == 1 || row[1] == 2 {
        if row[2] == 4 {
            row[6] = 2;
        } else if row[6] != 2 {
            row[1] = 0;
        }
    }
}

/// Outer electrons and allowed valences, RDKit 2026.09's, of the elements whose valence can be exceeded.
fn shell(number: u8) -> (i32, &'static [i32]) {
    match number {
        1 | 55 | 87 => (1, &[1]),
        4 => (2, &[2]),
        5 | 13 | 31 | 49 => (3, &[3]),
        6 | 14 | 32 => (4, &[4]),
        50 | 82 => (4, &[2, 4]),
        7 => (5, &[3]),
        15 | 33 | 51 | 83 => (5, &[3, 5]),
        8 => (6, &[2]),
        16 | 34 | 52 | 84 => (6, &[2, 4, 6]),
        9 | 17 | 35 => (7, &[1]),
        53 | 85 => (7, &[1, 3, 5]),
        54 => (8, &[0, 2, 4, 6]),
        2 => (2, &[0]),
        _ => (8, &[0]),
    }
}
