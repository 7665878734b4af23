//! Several graphs as one, for message passing.
//!
//! Edges are sorted by the atom that they point to, so that the messages into an atom are
//! contiguous rows: aggregation is then a reduction over segments, without scatter and without
//! atomics, and gives the same bits each time. Within an atom, edges keep the order of the molecule.

use crate::features::{AtomRow, BondRow};
use crate::graph::MoleculeGraph;

/// The disjoint union of graphs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphBatch {
    /// Atom features, molecule after molecule.
    pub atoms: Vec<AtomRow>,
    /// Molecule `g` has the atoms `atom_offsets[g]..atom_offsets[g + 1]`.
    pub atom_offsets: Vec<u32>,
    /// Source atom of each edge, an index into `atoms`.
    pub sources: Vec<u32>,
    /// Target atom of each edge, ascending.
    pub targets: Vec<u32>,
    /// Bond features of each edge.
    pub bonds: Vec<BondRow>,
    /// Atom `a` is the target of the edges `edge_offsets[a]..edge_offsets[a + 1]`.
    pub edge_offsets: Vec<u32>,
}

impl GraphBatch {
    /// The union of `graphs`, in their order. No graphs give an empty batch.
    ///
    /// # Panics
    /// If the atoms or edges of all graphs together do not fit 32 bits, or if an edge names an
    /// atom that its graph does not have.
    pub fn new(graphs: &[&MoleculeGraph]) -> GraphBatch {
        let atoms: Vec<AtomRow> = graphs.iter().flat_map(|graph| graph.atoms.iter().copied()).collect();
        let edges: usize = graphs.iter().map(|graph| graph.edges.len()).sum();
        assert!(atoms.len().max(edges) < u32::MAX as usize, "a batch has fewer than 2^32 atoms and edges");

        let mut atom_offsets = Vec::with_capacity(graphs.len() + 1);
        let mut edge_offsets = vec![0_u32; atoms.len() + 1];
        let mut first = 0_u32;
        for graph in graphs {
            atom_offsets.push(first);
            for &[source, target] in &graph.edges {
                assert!((source.max(target) as usize) < graph.atoms.len(), "an edge joins atoms of its graph");
                edge_offsets[(first + target) as usize + 1] += 1;
            }
            first += graph.atoms.len() as u32;
        }
        atom_offsets.push(first);
        for atom in 0..atoms.len() {
            edge_offsets[atom + 1] += edge_offsets[atom];
        }

        // A counting sort: stable, because edges are placed in their own order.
        let mut place = edge_offsets.clone();
        let (mut sources, mut targets, mut bonds) = (vec![0; edges], vec![0; edges], vec![[0; 3]; edges]);
        for (graph, &first) in graphs.iter().zip(&atom_offsets) {
            for (&[source, target], &bond) in graph.edges.iter().zip(&graph.bonds) {
                let at = place[(first + target) as usize] as usize;
                place[(first + target) as usize] += 1;
                (sources[at], targets[at], bonds[at]) = (first + source, first + target, bond);
            }
        }
        GraphBatch { atoms, atom_offsets, sources, targets, bonds, edge_offsets }
    }

    /// Number of molecules.
    pub fn len(&self) -> usize {
        self.atom_offsets.len() - 1
    }

    /// Whether there is no molecule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(atoms: u8, bonds: &[[u32; 2]]) -> MoleculeGraph {
        MoleculeGraph {
            atoms: (0..atoms).map(|a| [a; 9]).collect(),
            edges: bonds.iter().flat_map(|&[a, b]| [[a, b], [b, a]]).collect(),
            bonds: (0..bonds.len() as u8).flat_map(|b| [[b, 0, 0], [b, 0, 1]]).collect(),
        }
    }

    #[test]
    fn edges_are_sorted_by_target_and_keep_their_order_within_it() {
        let (path, ion, pair) = (graph(3, &[[1, 0], [1, 2]]), graph(1, &[]), graph(2, &[[0, 1]]));
        let batch = GraphBatch::new(&[&path, &ion, &pair]);
        assert_eq!(batch.len(), 3);
        assert_eq!(batch.atom_offsets, [0, 3, 4, 6]);
        assert_eq!(batch.targets, [0, 1, 1, 2, 4, 5]);
        assert_eq!(batch.sources, [1, 0, 2, 1, 5, 4]);
        assert_eq!(batch.bonds, [[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]]);
        assert_eq!(batch.edge_offsets, [0, 1, 3, 4, 4, 5, 6]);
        assert_eq!(batch.atoms[3], [0; 9]);
    }

    #[test]
    fn no_graphs_are_an_empty_batch() {
        let batch = GraphBatch::new(&[]);
        assert!(batch.is_empty());
        assert_eq!((batch.atom_offsets, batch.edge_offsets), (vec![0], vec![0]));
    }
}
