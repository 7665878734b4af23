//! One molecule as a network reads it.

use crate::features::{AtomRow, BondRow};

/// Atoms, and each bond in both directions.
///
/// `edges[k]` is (source, target) and has the features `bonds[k]`; bond `b` gives the edges `2b`
/// (first atom to second) and `2b + 1` (back), in OGB's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MoleculeGraph {
    /// Atom features, in the order of the text.
    pub atoms: Vec<AtomRow>,
    /// Directed edges: source, target.
    pub edges: Vec<[u32; 2]>,
    /// Bond features of each directed edge.
    pub bonds: Vec<BondRow>,
}

impl MoleculeGraph {
    /// Whether any two atoms are bonded. The reference skips compounds of which this is false
    /// (single ions); so does the sampler.
    pub fn has_bonds(&self) -> bool {
        !self.edges.is_empty()
    }
}
