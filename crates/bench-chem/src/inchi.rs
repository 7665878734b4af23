//! InChI: the two compounds that the reference leaves out, and reading, with the feature `inchi`.
//!
//! InChI can only be read by its own library (in C): bond orders, mobile hydrogens and charges are
//! not in the text but follow from the normalisation rules. With the feature, what it gives is
//! finished as RDKit's `MolFromInchi` does; atoms are then in the order of the InChI.

use chematic_core::Molecule as Parsed;

use crate::error::{Error, Result, shown};

/// Inorganic compounds of JUMP that the reference skips by name: no
/// molecule graph makes sense of them.
pub const BLACK_LISTED_INCHIS: [&str; 2] = ["InChI=1S/Mo/q+6", "InChI=1S/3Na.V/q;;;+8"];

#[cfg(feature = "inchi")]
pub(crate) fn parse(inchi: &str) -> Result<Parsed> {
    use std::sync::Mutex;

    // The library keeps state between calls.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if !inchi.starts_with("InChI=1") {
        return Err(Error::Inchi { inchi: shown(inchi), why: "it does not begin with `InChI=1`".to_owned() });
    }
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    chematic_inchi::rdkit_mol_from_inchi(inchi)
        .map_err(|error| Error::Inchi { inchi: shown(inchi), why: error.to_string() })
}

#[cfg(not(feature = "inchi"))]
pub(crate) fn parse(inchi: &str) -> Result<Parsed> {
    Err(Error::InchiNotBuilt { inchi: shown(inchi) })
}
