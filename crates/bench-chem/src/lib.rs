//! Molecules as a network reads them: OGB graphs, fingerprints, scaffolds and batches of graphs,
//! each equal to what RDKit gives.
//!
//! The published encoders were trained on features that RDKit computed, so "nearly the same
//! aromaticity" is a different model. The chemistry comes from chematic, which ports RDKit's
//! sanitisation; this crate fixes the feature lists, the policy for what RDKit
//! refuses, limits for hostile text, and errors that name atom and cause. The goldens compare
//! every JUMP-Target and JUMP-MOA compound and some 280 difficult molecules with RDKit 2026.09.1:
//! graphs, Morgan bits and counts, MACCS bits, scaffolds and refusals are equal in all of them.
//!
//! ```
//! use bench_chem::{GraphBatch, Molecule, Morgan, Sanitisation};
//!
//! let molecule = Molecule::from_smiles("Cl[C@H](/C=C/C)Br", Sanitisation::Rdkit)?;
//! let graph = molecule.graph();
//! assert_eq!(graph.atoms[1], [5, 2, 4, 5, 1, 0, 2, 0, 0]);
//! assert_eq!(graph.bonds[4], [1, 2, 0]);
//! let batch = GraphBatch::new(&[graph, graph]);
//! assert_eq!(batch.atom_offsets, [0, 6, 12]);
//! let bits = molecule.morgan(&Morgan::new(2, 2048)?)?;
//! assert_eq!(bits.size(), 2048);
//! # Ok::<(), bench_chem::Error>(())
//! ```
//!
//! What it cannot do: read 3D coordinates, or (without the feature `inchi`) InChI.

mod batch;
mod error;
mod features;
mod fingerprint;
mod grammar;
mod graph;
mod inchi;
mod lenient;
mod limits;
mod maccs;
mod molecule;
mod morgan;
mod sanitisation;
mod scaffold;

pub use batch::GraphBatch;
pub use error::{Error, Result};
pub use features::{ATOM_SIZES, AtomRow, BOND_SIZES, BondRow};
pub use fingerprint::Fingerprint;
pub use graph::MoleculeGraph;
pub use inchi::BLACK_LISTED_INCHIS;
pub use limits::{MAX_ATOMS, MAX_BYTES, MAX_NESTING, MAX_RINGS};
pub use maccs::MACCS_BITS;
pub use molecule::Molecule;
pub use morgan::Morgan;
pub use sanitisation::Sanitisation;
