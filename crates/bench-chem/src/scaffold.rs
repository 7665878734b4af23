//! Bemis-Murcko scaffolds as grouping keys.
//!
//! Ring systems, the chains that link them, and what is doubly bonded to either; everything else is
//! cut off. The key is the canonical SMILES without stereo and isotopes, letter for letter RDKit's
//! `MurckoScaffoldSmiles(includeChirality=False)`; a molecule without rings has the empty key.
//! A split by scaffold puts equal keys on one side. Reference: Bemis and Murcko 1996,
//! doi:10.1021/jm9602928.

use chematic_core::Molecule as Parsed;
use chematic_smiles::{RdkitSmilesParams, parse_template, rdkit_murcko_scaffold, rdkit_smiles};

use crate::limits::{MAX_NESTING, nesting};

pub(crate) fn key(parsed: &Parsed) -> Result<String, String> {
    // The library's scaffold carries stereo; written once more without it, it is RDKit's key.
    let scaffold = rdkit_murcko_scaffold(parsed).map_err(|error| error.to_string())?;
    if scaffold.is_empty() { Ok(scaffold) } else { flat(&scaffold) }
}

/// The canonical SMILES without stereo and isotopes of a SMILES.
pub(crate) fn flat(smiles: &str) -> Result<String, String> {
    if nesting(smiles) > MAX_NESTING {
        return Err("its scaffold is branched too deeply".to_owned());
    }
    let molecule = parse_template(smiles).map_err(|error| error.to_string())?;
    let flat = RdkitSmilesParams { isomeric: false, ..RdkitSmilesParams::default() };
    rdkit_smiles(&molecule, &flat).map_err(|error| error.to_string())
}
