//! What becomes of molecules that RDKit refuses.
//!
//! RDKit checks each atom's valence and that aromatic systems have a Kekulé form; the JUMP tables
//! hold two phosphates written `[PH](=O)(=O)O`, with valence 7, which it refuses, and which the
//! reference therefore never trained on.

use chematic_core::Molecule as Parsed;
use chematic_smiles::{RdkitSmilesError, rdkit_detect_chemistry_problems};

use crate::error::{Error, shown};

/// Policy for molecules that RDKit refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sanitisation {
    /// They are errors that name atom and valence, as in the reference.
    #[default]
    Rdkit,
    /// Impossible valences are accepted: the molecule is sanitised without that one check (RDKit's
    /// `SANITIZE_ALL ^ SANITIZE_PROPERTIES`). Aromatic systems without a Kekulé form stay errors.
    Lenient,
}

/// A problem that RDKit's `DetectChemistryProblems` reports.
pub(crate) enum Problem {
    /// An atom's valence.
    Valence { atom: usize, symbol: String, valence: u32 },
    /// Aromatic atoms without double bonds.
    Kekule { atoms: Vec<usize> },
}

impl Problem {
    pub(crate) fn error(self, text: &str) -> Error {
        let molecule = shown(text);
        match self {
            Problem::Valence { atom, symbol, valence } => Error::Valence { molecule, atom, symbol, valence },
            Problem::Kekule { atoms } => Error::Kekule { molecule, atoms },
        }
    }
}

/// Every problem of a molecule, in RDKit's order; none where the library cannot say.
pub(crate) fn problems(parsed: &Parsed) -> Vec<Problem> {
    let found = rdkit_detect_chemistry_problems(parsed).unwrap_or_default();
    found
        .into_iter()
        .filter_map(|problem| {
            if problem.kind != "AtomValenceException" {
                return Some(Problem::Kekule { atoms: problem.atoms });
            }
            // "Explicit valence for atom # 22 P, 7, is greater than permitted"
            let valence = problem.message.split(", ").nth(1)?.parse().ok()?;
            let atom = *problem.atoms.first()?;
            Some(Problem::Valence { atom, symbol: symbol(parsed, atom), valence })
        })
        .collect()
}

/// The error of a molecule that the library refused with `cause`.
pub(crate) fn refusal(text: &str, parsed: &Parsed, cause: &RdkitSmilesError) -> Error {
    match problems(parsed).into_iter().next() {
        Some(problem) => problem.error(text),
        None => Error::Refused { molecule: shown(text), why: cause.to_string() },
    }
}

fn symbol(parsed: &Parsed, atom: usize) -> String {
    parsed.atom(chematic_core::AtomIdx(atom as u32)).element.symbol().to_owned()
}
