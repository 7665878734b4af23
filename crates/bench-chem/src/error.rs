//! Why a text is not a molecule, and what to do about it.
//!
//! Positions are characters of the text counted from 1; atoms are counted from 0 in the order of
//! the text, as RDKit counts them, so that they are rows of the graph.

/// Result of a chemical operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Longest part of a text that a message repeats.
const SHOWN: usize = 80;

/// Why a text did not become a molecule, or a molecule did not give what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not SMILES.
    #[error("`{smiles}` is not a SMILES{}: {why}", at(*position))]
    Syntax {
        /// The text, shortened.
        smiles: String,
        /// Character, counted from 1, where known.
        position: Option<usize>,
        /// What is wrong there.
        why: String,
    },
    /// Larger than this crate handles.
    #[error("`{molecule}` has {found} {what}, more than {limit}")]
    TooLarge {
        /// The text, shortened.
        molecule: String,
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are handled.
        limit: usize,
    },
    /// An atom with more bonds than RDKit's valence model allows.
    #[error("`{molecule}` gives atom {atom} ({symbol}) valence {valence}, more than is possible")]
    Valence {
        /// The text, shortened.
        molecule: String,
        /// Atom, counted from 0.
        atom: usize,
        /// Its element.
        symbol: String,
        /// Its explicit valence: bond orders and written hydrogens.
        valence: u32,
    },
    /// Aromatic atoms for which there is no assignment of double bonds.
    #[error("`{molecule}` has aromatic atoms without an assignment of double bonds: {}", list(atoms))]
    Kekule {
        /// The text, shortened.
        molecule: String,
        /// The atoms, counted from 0.
        atoms: Vec<usize>,
    },
    /// Refused for another reason, in the words of the chemistry library.
    #[error("`{molecule}` is refused: {why}")]
    Refused {
        /// The text, shortened.
        molecule: String,
        /// The library's reason.
        why: String,
    },
    /// Not InChI, or InChI that its own library refuses.
    #[error("`{inchi}` is not an InChI: {why}")]
    Inchi {
        /// The text, shortened.
        inchi: String,
        /// What is wrong.
        why: String,
    },
    /// InChI in a build without the InChI library.
    #[error("`{inchi}` cannot be read: this build has no InChI library")]
    InchiNotBuilt {
        /// The text, shortened.
        inchi: String,
    },
    /// A fingerprint that is not defined.
    #[error("a Morgan fingerprint of radius {radius} in {size} bits is not defined")]
    Morgan {
        /// Radius in bonds.
        radius: u32,
        /// Length in bits.
        size: u32,
    },
}

impl Error {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Syntax { .. } => Some("give one SMILES a value, without a name behind it"),
            Error::TooLarge { .. } => Some("drop the row: the encoders are meant for drug-like molecules"),
            Error::Valence { .. } => {
                Some("RDKit refuses it too: correct the text (`P(=O)(O)O` for `[PH](=O)(=O)O`) or sanitise leniently")
            }
            Error::Kekule { .. } => Some("write the hydrogen of an aromatic nitrogen (`[nH]`), or give a Kekulé form"),
            Error::Refused { .. } => None,
            Error::Inchi { .. } => Some("give the SMILES of the compound instead"),
            Error::InchiNotBuilt { .. } => Some("give SMILES, or build with the feature `inchi` (needs a C compiler)"),
            Error::Morgan { .. } => Some("the radius is 0 to 3, the length at least 1 bit"),
        }
    }
}

/// The part of a text that a message repeats.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn at(position: Option<usize>) -> String {
    position.map(|p| format!(" at character {p}")).unwrap_or_default()
}

fn list(atoms: &[usize]) -> String {
    let mut text: Vec<String> = atoms.iter().take(10).map(usize::to_string).collect();
    if atoms.len() > 10 {
        text.push("…".to_owned());
    }
    text.join(", ")
}
