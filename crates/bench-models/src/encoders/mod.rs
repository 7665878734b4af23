//! Networks that turn an image or a molecule into a vector of features.
//!
//! Layouts follow `bench-nn`: images are `(n, height, width, channels)`, linear weights `(out, in)`.
//! Parameter names follow the published networks, so that their weight files need no renaming.
//!
//! In bfloat16 runs only the image tower uses bfloat16: PNA's standard deviation subtracts two
//! nearly equal numbers, and the molecule tower costs next to nothing.

use bench_nn::{Tape, Value};

use crate::Result;

pub mod cards;
pub mod fingerprint;
pub mod gin;
mod graph;
pub mod head;
pub mod pna;
pub mod resnet;

pub use fingerprint::{FingerprintConfig, FingerprintMlp};
pub use gin::{Gin, GinConfig};
pub use graph::{GraphInputs, Vocabulary, fingerprint_rows};
pub use head::{HeadConfig, ProjectionHead};
pub use pna::{Pna, PnaConfig};
pub use resnet::{Block, ResNet, ResNetConfig};

/// A network over images.
pub trait ImageEncoder: std::fmt::Debug + Send + Sync {
    /// Channels of its images.
    fn channels(&self) -> usize;

    /// Length of its feature vectors.
    fn features(&self) -> usize;

    /// `(n, height, width, channels) -> (n, features)`
    ///
    /// # Errors
    /// Another number of channels, or images too small for the network.
    fn forward(&self, tape: &mut Tape, images: &Value) -> Result<Value>;
}

/// What a molecule encoder reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoleculeInput {
    /// Graphs, with these feature columns.
    Graphs(Vocabulary),
    /// Fingerprints of so many bits.
    Fingerprints(usize),
}

/// A minibatch of molecules on the device.
#[derive(Clone, Debug)]
pub enum MoleculeInputs {
    /// Graphs.
    Graphs(Box<GraphInputs>),
    /// Fingerprints, `(n, bits)` zeros and ones.
    Fingerprints(candle_core::Tensor),
}

impl MoleculeInputs {
    /// How many molecules.
    pub fn len(&self) -> usize {
        match self {
            MoleculeInputs::Graphs(graphs) => graphs.molecules(),
            MoleculeInputs::Fingerprints(rows) => rows.dims()[0],
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A network over molecules.
pub trait MoleculeEncoder: std::fmt::Debug + Send + Sync {
    /// What it reads.
    fn input(&self) -> MoleculeInput;

    /// Length of its feature vectors.
    fn features(&self) -> usize;

    /// `n molecules -> (n, features)`
    ///
    /// # Errors
    /// Inputs of another kind.
    fn forward(&self, tape: &mut Tape, molecules: &MoleculeInputs) -> Result<Value>;
}
