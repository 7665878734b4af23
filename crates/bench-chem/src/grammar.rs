//! What the library's parser lets pass although it is no SMILES.
//!
//! `C()C`, `C..C`, `C=(C)`, `C@C` and the like are typing errors or text cut in two; RDKit refuses
//! them, so a table that holds them must not pass here either. Everything else about the grammar is
//! the parser's business. It is stricter than RDKit in corners that no writer produces: a dot
//! inside a branch, ring ends that name different bonds, `[#6]`.

use chematic_core::Molecule as Parsed;

/// Digits of a number in brackets; the parser folds longer ones into its own range.
const MOST_DIGITS: usize = 4;

/// The first fault of a text: byte and reason.
pub(crate) fn fault(smiles: &str) -> Option<(usize, &'static str)> {
    let bytes = smiles.as_bytes();
    let mut bracket = false;
    let mut digits = 0;
    // What stands before the current character, outside brackets.
    let mut before = b'.';
    for (at, &byte) in bytes.iter().enumerate() {
        if bracket {
            bracket = byte != b']';
            digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
            if digits > MOST_DIGITS {
                return Some((at, "the number is too large"));
            }
            continue;
        }
        let part_missing = matches!(before, b'.' | b'(') || is_bond(before);
        match byte {
            b'.' if part_missing => return Some((at, "a part is missing before the dot")),
            b')' if part_missing => return Some((at, "the branch has no atom at its end")),
            b'(' if is_bond(before) => return Some((at, "a bond stands before the branch, not in it")),
            b'@' => return Some((at, "stereo is written in brackets")),
            b'a' | b'e' => return Some((at, "no atom or bond begins here")),
            b'0' if before == b'%' => return Some((at, "a ring number of two digits begins with 1 to 9")),
            b'[' => bracket = true,
            _ => {}
        }
        before = byte;
    }
    (before == b'.').then_some((bytes.len(), "a part is missing behind the dot"))
}

fn is_bond(byte: u8) -> bool {
    matches!(byte, b'-' | b'=' | b'#' | b'$' | b':' | b'/' | b'\\' | b'~' | b'>')
}

/// An atom that a ring closure bonds to itself (`C11`).
pub(crate) fn self_bonded(parsed: &Parsed) -> Option<usize> {
    parsed.bonds().find(|(_, bond)| bond.atom1 == bond.atom2).map(|(_, bond)| bond.atom1.0 as usize)
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn faults_are_found_where_they_stand() {
        let faults = [
            ("C.", 2),
            (".C", 0),
            ("C..C", 2),
            ("C(.C)C", 2),
            ("C(C.)C", 4),
            ("C()C", 2),
            ("C=(C)", 2),
            ("C(=)C", 3),
            ("C@C", 1),
            ("se1cccc1", 1),
            ("[99999C]", 5),
            ("C[CH12345]", 8),
            ("C%01CC%01", 2),
            (".", 0),
        ];
        for (smiles, at) in faults {
            assert_eq!(fault(smiles).map(|(byte, _)| byte), Some(at), "{smiles}");
        }
    }

    #[test]
    fn sound_texts_have_no_fault() {
        for smiles in [
            "C.C",
            "C(=O)O",
            "C=1CC=1",
            "[C@@H](F)(Cl)Br",
            "[se]1cccc1",
            "C%10CC%10",
            "N->[Fe]",
            "[As]",
            "C1.C1",
            "C(C)(C)C",
        ] {
            assert_eq!(fault(smiles), None, "{smiles}");
        }
    }
}
