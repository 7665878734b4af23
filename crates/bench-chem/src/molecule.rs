//! A parsed and sanitised molecule.

use std::fmt;

use chematic_core::Molecule as Parsed;
use chematic_smiles::{SmilesError, parse_template};

use crate::error::{Error, Result, shown};
use crate::features;
use crate::fingerprint::Fingerprint;
use crate::graph::MoleculeGraph;
use crate::lenient::StandIn;
use crate::limits::{check_graph, check_text};
use crate::morgan::Morgan;
use crate::sanitisation::{Sanitisation, refusal};
use crate::{grammar, inchi, lenient, maccs, scaffold};

/// A molecule that passed sanitisation, with its graph.
#[derive(Clone)]
pub struct Molecule {
    text: String,
    parsed: Parsed,
    /// For what only lenient sanitisation accepts, copies that the library takes.
    stand_in: Option<StandIn>,
    graph: MoleculeGraph,
}

impl Molecule {
    /// Reads one SMILES. White space around it is ignored; a name behind it is an error.
    pub fn from_smiles(smiles: &str, sanitisation: Sanitisation) -> Result<Molecule> {
        let smiles = smiles.trim();
        check_text(smiles)?;
        // Without the library's own partial check of valences: sanitisation has the full one.
        let parsed = parse_template(smiles).map_err(|error| syntax(smiles, &error))?;
        if let Some((byte, why)) = grammar::fault(smiles) {
            return Err(misspelt(smiles, Some(byte), why.to_owned()));
        }
        if let Some(atom) = grammar::self_bonded(&parsed) {
            return Err(misspelt(smiles, None, format!("atom {atom} is bonded to itself")));
        }
        Molecule::sanitise(smiles, parsed, sanitisation)
    }

    /// Reads one standard InChI. Needs the feature `inchi`; without it, this is an error that says so.
    pub fn from_inchi(inchi: &str, sanitisation: Sanitisation) -> Result<Molecule> {
        let inchi = inchi.trim();
        check_text(inchi)?;
        Molecule::sanitise(inchi, inchi::parse(inchi)?, sanitisation)
    }

    fn sanitise(text: &str, parsed: Parsed, sanitisation: Sanitisation) -> Result<Molecule> {
        check_graph(text, &parsed)?;
        let (stand_in, graph) = match (features::graph(&parsed), sanitisation) {
            (Ok(graph), _) => (None, graph),
            (Err(error), Sanitisation::Rdkit) => return Err(refusal(text, &parsed, &error)),
            (Err(error), Sanitisation::Lenient) => match refusal(text, &parsed, &error) {
                Error::Valence { .. } => {
                    let (stand_in, graph) = lenient::graph(text, &parsed)?;
                    (Some(stand_in), graph)
                }
                other => return Err(other),
            },
        };
        Ok(Molecule { text: text.to_owned(), parsed, stand_in, graph })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Atoms, edges and their features.
    pub fn graph(&self) -> &MoleculeGraph {
        &self.graph
    }

    /// The graph alone.
    pub fn into_graph(self) -> MoleculeGraph {
        self.graph
    }

    /// Morgan fingerprint of the given kind, bits and counts.
    pub fn morgan(&self, kind: &Morgan) -> Result<Fingerprint> {
        if self.stand_in.is_some() && kind.has_chirality() {
            return Err(self.refused("stereo is not hashed beside an impossible valence".to_owned()));
        }
        kind.of(self.hashed()).map_err(|why| self.refused(why))
    }

    /// MACCS keys.
    pub fn maccs(&self) -> Fingerprint {
        maccs::of(self.hashed())
    }

    /// Key of the Murcko scaffold: equal for molecules of one scaffold, empty without rings.
    pub fn scaffold(&self) -> Result<String> {
        match &self.stand_in {
            None => scaffold::key(&self.parsed),
            Some(stand_in) => stand_in.scaffold(),
        }
        .map_err(|why| self.refused(why))
    }

    fn hashed(&self) -> &Parsed {
        self.stand_in.as_ref().map_or(&self.parsed, StandIn::saturated)
    }

    fn refused(&self, why: String) -> Error {
        Error::Refused { molecule: shown(&self.text), why }
    }
}

impl fmt::Debug for Molecule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Molecule").field("text", &self.text).field("graph", &self.graph).finish_non_exhaustive()
    }
}

/// The library's reason and place as ours: characters counted from 1.
fn syntax(smiles: &str, error: &SmilesError) -> Error {
    let (position, why) = match error {
        SmilesError::EmptyInput => (None, "it is empty".to_owned()),
        SmilesError::UnexpectedEnd { pos } => (Some(*pos), "it ends too early".to_owned()),
        SmilesError::UnknownElement { symbol, pos } => (Some(*pos), format!("`{symbol}` is no element")),
        SmilesError::UnmatchedRingClosure { ring_num, .. } => (None, format!("ring {ring_num} is not closed")),
        SmilesError::UnmatchedExtendedRingClosure { ring_num, .. } => (None, format!("ring {ring_num} is not closed")),
        SmilesError::MismatchedParentheses { pos } => (Some(*pos), "a parenthesis has no partner".to_owned()),
        SmilesError::InvalidBracketAtom { detail, pos } => (Some(*pos), detail.clone()),
        SmilesError::ConflictingRingBond { ring_num, pos } => {
            (Some(*pos), format!("the two ends of ring {ring_num} name different bonds"))
        }
        SmilesError::ConflictingExtendedRingBond { ring_num, pos } => {
            (Some(*pos), format!("the two ends of ring {ring_num} name different bonds"))
        }
        SmilesError::NestingTooDeep { pos } => (Some(*pos), "branches are nested too deeply".to_owned()),
        SmilesError::UnexpectedCharacter { pos } if *pos >= smiles.len() => {
            (Some(*pos), "it ends too early".to_owned())
        }
        SmilesError::UnexpectedCharacter { pos } => (Some(*pos), "no atom or bond begins here".to_owned()),
        SmilesError::UnsupportedChiralityClass { class, pos } => (Some(*pos), format!("`@{class}` is no stereo class")),
        other => (None, other.to_string()),
    };
    misspelt(smiles, position, why)
}

/// A syntax error at a byte counted from 0.
fn misspelt(smiles: &str, byte: Option<usize>, why: String) -> Error {
    let position = byte.map(|byte| smiles.char_indices().take_while(|&(at, _)| at < byte).count() + 1);
    Error::Syntax { smiles: shown(smiles), position, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal_of(smiles: &str) -> Error {
        Molecule::from_smiles(smiles, Sanitisation::Rdkit).expect_err("refused")
    }

    #[test]
    fn errors_name_text_place_and_cause() {
        let messages = [
            ("", "`` is not a SMILES: it is empty"),
            ("CC(C", "`CC(C` is not a SMILES at character 5: a parenthesis has no partner"),
            ("C1CC", "`C1CC` is not a SMILES: ring 1 is not closed"),
            ("CXC", "`CXC` is not a SMILES at character 2: no atom or bond begins here"),
            ("CCO ethanol", "`CCO ethanol` is not a SMILES at character 4: no atom or bond begins here"),
            ("C[Qq]C", "`C[Qq]C` is not a SMILES at character 3: missing element symbol"),
            ("CO(C)C", "`CO(C)C` gives atom 1 (O) valence 3, more than is possible"),
            ("Cc1cccc1", "`Cc1cccc1` has aromatic atoms without an assignment of double bonds: 1, 2, 3, 4, 5"),
            ("cC", "`cC` has aromatic atoms without an assignment of double bonds: 0"),
        ];
        for (smiles, message) in messages {
            assert_eq!(refusal_of(smiles).to_string(), message);
        }
        let hint = refusal_of("O[PH](=O)(=O)O").hint().expect("a hint");
        assert!(hint.contains("leniently"), "{hint}");
    }

    #[test]
    fn a_single_ion_has_a_graph_without_bonds() {
        let ion = Molecule::from_smiles("[Mo+6]", Sanitisation::Rdkit).expect("molybdenum");
        assert_eq!(ion.graph().atoms.len(), 1);
        assert!(!ion.graph().has_bonds());
        assert!(Molecule::from_smiles("CO", Sanitisation::Rdkit).expect("methanol").graph().has_bonds());
    }

    #[test]
    fn what_is_too_large_is_an_error() {
        for smiles in ["C".repeat(9000), "C".repeat(600), format!("C1{}1", "C".repeat(600)), "C12C3C1C23".repeat(40)] {
            let error = refusal_of(&smiles);
            assert!(matches!(error, Error::TooLarge { .. }), "{error}");
            assert!(error.to_string().len() < 200, "messages stay short");
        }
    }

    #[test]
    fn molecules_go_between_threads() {
        fn check<T: Send + Sync>() {}
        check::<Molecule>();
    }

    #[cfg(not(feature = "inchi"))]
    #[test]
    fn inchi_without_its_library_is_an_error_that_says_so() {
        let error = Molecule::from_inchi("InChI=1S/CH4/h1H4", Sanitisation::Rdkit).expect_err("not built");
        assert_eq!(error.to_string(), "`InChI=1S/CH4/h1H4` cannot be read: this build has no InChI library");
        assert!(error.hint().is_some_and(|hint| hint.contains("give SMILES")));
    }
}
