//! OGB's nine atom columns and three bond columns.
//!
//! # Columns
//! An entry is a position in the column's list; what a list does not contain is its last position
//! ("misc") where the list has one. Reference: `ogb.utils.features` 1.3.6.
//!
//! | atom column | list | size |
//! |---|---|---|
//! | atomic number | 1 to 118, misc | 119 |
//! | chirality | none, clockwise, counter-clockwise, other, misc | 5 |
//! | degree, hydrogens included | 0 to 10, misc | 12 |
//! | formal charge | -5 to 5, misc | 12 |
//! | hydrogens | 0 to 8, misc | 10 |
//! | radical electrons | 0 to 4, misc | 6 |
//! | hybridisation | SP, SP2, SP3, SP3D, SP3D2, misc | 6 |
//! | aromatic | no, yes | 2 |
//! | in a ring | no, yes | 2 |
//!
//! | bond column | list | size |
//! |---|---|---|
//! | type | single, double, triple, aromatic, misc | 5 |
//! | stereo | none, Z, E, cis, trans, any | 6 |
//! | conjugated | no, yes | 2 |
//!
//! Chirality is RDKit's tag: the turn of the neighbours in the order of the atom's bonds, not R or S.
//! Atoms are in the order of the SMILES, bonds in RDKit's (ring closures where RDKit's parser makes
//! them, at the end). Hydrogens that RDKit absorbs into their neighbour are no atoms.
//!
//! Known to differ from RDKit: placeholders (`*`) inside aromatic rings, in rare cases.

use chematic_core::Molecule as Parsed;
use chematic_smiles::{RdkitSmilesError, ogb_graph_features};

use crate::graph::MoleculeGraph;

/// Feature positions of an atom, one per column.
pub type AtomRow = [u8; 9];
/// Feature positions of a bond, one per column.
pub type BondRow = [u8; 3];

/// Entries of each atom column's list.
pub const ATOM_SIZES: [usize; 9] = [119, 5, 12, 12, 10, 6, 6, 2, 2];
/// Entries of each bond column's list.
pub const BOND_SIZES: [usize; 3] = [5, 6, 2];

/// The graph of a parsed molecule, with RDKit's sanitisation.
pub(crate) fn graph(parsed: &Parsed) -> Result<MoleculeGraph, RdkitSmilesError> {
    let ogb = ogb_graph_features(parsed)?;
    Ok(MoleculeGraph {
        atoms: ogb.node_feat.iter().map(|row| narrow(row, &ATOM_SIZES)).collect(),
        edges: ogb.edge_index.iter().map(|&[from, to]| [from as u32, to as u32]).collect(),
        bonds: ogb.edge_feat.iter().map(|row| narrow(row, &BOND_SIZES)).collect(),
    })
}

/// Feature positions as bytes; each is below its column's size.
fn narrow<const N: usize>(row: &[i64; N], sizes: &[usize; N]) -> [u8; N] {
    std::array::from_fn(|column| {
        let at = row[column];
        assert!(0 <= at && (at as usize) < sizes[column], "column {column} has no position {at}");
        at as u8
    })
}
