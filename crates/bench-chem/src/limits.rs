//! Sizes beyond which a text is refused before any chemistry is done.
//!
//! Some of the algorithms behind features and keys take time that grows fast with the number of
//! rings (the keys for rings of 8 to 14 atoms above all). A compound table is a user's file, so the
//! work per row must be bounded: at these limits it stays within seconds. The largest compound of
//! the JUMP tables has 93 atoms.

use chematic_core::Molecule as Parsed;

use crate::error::{Error, Result, shown};

/// Longest text, in bytes.
pub const MAX_BYTES: usize = 8192;
/// Most atoms, written hydrogens included.
pub const MAX_ATOMS: usize = 512;
/// Most independent rings (bonds - atoms + parts).
pub const MAX_RINGS: usize = 64;

/// Deepest nesting of branches: the library's parser recurses, and threads have small stacks.
pub const MAX_NESTING: usize = 128;

/// Refuses texts that are too long or too deep.
pub(crate) fn check_text(text: &str) -> Result<()> {
    check(text, "bytes", text.len(), MAX_BYTES)?;
    check(text, "nested branches", nesting(text), MAX_NESTING)
}

/// Largest number of parentheses open at once.
pub(crate) fn nesting(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' => open += 1,
            b')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// Refuses graphs that are too large.
pub(crate) fn check_graph(text: &str, parsed: &Parsed) -> Result<()> {
    check(text, "atoms", parsed.atom_count(), MAX_ATOMS)?;
    check(text, "independent rings", parsed.bond_count() + parts(parsed) - parsed.atom_count(), MAX_RINGS)
}

fn check(text: &str, what: &'static str, found: usize, limit: usize) -> Result<()> {
    if found > limit { Err(Error::TooLarge { molecule: shown(text), what, found, limit }) } else { Ok(()) }
}

/// Connected parts, by union of the ends of each bond.
fn parts(parsed: &Parsed) -> usize {
    let mut root: Vec<usize> = (0..parsed.atom_count()).collect();
    let mut left = root.len();
    for (_, bond) in parsed.bonds() {
        let (a, b) = (find(&mut root, bond.atom1.0 as usize), find(&mut root, bond.atom2.0 as usize));
        if a != b {
            root[a] = b;
            left -= 1;
        }
    }
    left
}

fn find(root: &mut [usize], mut at: usize) -> usize {
    while root[at] != at {
        root[at] = root[root[at]];
        at = root[at];
    }
    at
}
