//! Graph isomorphism network over molecular graphs.
//!
//! # What
//! Five layers: each atom sums its neighbours and itself, each plus the embedding of the bond (a
//! self-loop has a bond type of its own), and passes the sum through a two-layer network. A
//! molecule is the mean of its atoms.
//!
//! # Formula
//! `h_v <- ReLU(BN(MLP( sum_{u -> v} (h_u + b_uv) + h_v + b_loop )))`, no ReLU in the last layer
//! `MLP`: linear to twice the width, ReLU, linear back
//!
//! # Why
//! The alternative molecule tower of the reference, in the form of the "strategies for pre-training"
//! family.
//!
//! # What it cannot show
//! It reads two atom and two bond features. Parity: the published networks embed the bond's
//! direction flag and count 120 elements and 3 chirality tags; here the second bond feature is OGB's
//! stereo flag and the tables have OGB's sizes, so their weight files do not fit.
//!
//! # Reference
//! Xu et al. 2019; Hu et al. 2020, whose parameter names are used.

use bench_nn::ops::{self, BatchNorm, Reduce};
use bench_nn::{Builder, Param, Tape, Value};
use serde::{Deserialize, Serialize};

use super::head::check_dropout;
use super::pna::graphs_of;
use super::{GraphInputs, MoleculeEncoder, MoleculeInput, MoleculeInputs, Vocabulary};
use crate::layers::{Linear, Start, stacked, table};
use crate::{Error, Result};

/// Momentum of the running statistics.
const MOMENTUM: f64 = 0.1;

/// Size and regularisation of the network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct GinConfig {
    /// Width of atoms, and length of the output.
    pub hidden: usize,
    /// Number of layers.
    pub depth: usize,
    /// Probability of dropping a number after each layer.
    pub dropout: f64,
}

impl Default for GinConfig {
    fn default() -> GinConfig {
        GinConfig { hidden: 300, depth: 5, dropout: 0.0 }
    }
}

#[derive(Clone, Debug)]
struct Layer {
    bonds: Vec<Param>,
    first: Linear,
    second: Linear,
    norm: BatchNorm,
}

impl Layer {
    fn new(builder: &Builder, at: usize, hidden: usize) -> Result<Layer> {
        let (layer, norm) = (builder.within("gnns").within(at), builder.within("batch_norms").within(at));
        let mlp = layer.within("mlp");
        Ok(Layer {
            bonds: (Vocabulary::Short.bond_sizes().into_iter().enumerate())
                .map(|(k, rows)| table(&layer.within(format_args!("edge_embedding{}", k + 1)), rows, hidden))
                .collect::<bench_nn::Result<_>>()?,
            first: Linear::new(&mlp.within(0), hidden, 2 * hidden, Start::Torch)?,
            second: Linear::new(&mlp.within(2), 2 * hidden, hidden, Start::Torch)?,
            norm: BatchNorm::new(&norm, hidden, MOMENTUM)?,
        })
    }

    fn forward(&self, tape: &mut Tape, h: &Value, graphs: &GraphInputs, relu: bool) -> Result<Value> {
        let bonds = stacked(tape, &self.bonds)?;
        let mut sum = h.clone();
        if let Some(loops) = &graphs.loops {
            let own = ops::embedding_sum(tape, &bonds, loops)?;
            sum = ops::add(tape, &sum, &own)?;
        }
        if graphs.edges() > 0 {
            let neighbours = ops::gather_rows(tape, h, &graphs.sources)?;
            let edges = ops::embedding_sum(tape, &bonds, &graphs.bonds)?;
            let messages = ops::add(tape, &neighbours, &edges)?;
            let incoming = ops::segment(tape, &messages, &graphs.incoming, Reduce::Sum)?;
            sum = ops::add(tape, &sum, &incoming)?;
        }
        let mut y = self.first.forward(tape, &sum)?;
        y = ops::relu(tape, &y)?;
        y = self.second.forward(tape, &y)?;
        Ok(ops::batch_norm(tape, &y, &self.norm, None, relu)?)
    }
}

/// The network.
#[derive(Clone, Debug)]
pub struct Gin {
    config: GinConfig,
    atoms: Vec<Param>,
    layers: Vec<Layer>,
}

impl Gin {
    /// A network of a size.
    ///
    /// # Errors
    /// A size of zero, or a dropout out of range.
    pub fn new(builder: &Builder, config: GinConfig) -> Result<Gin> {
        if config.hidden == 0 || config.depth == 0 {
            return Err(Error::setting("gin.hidden", "hidden and depth are at least 1"));
        }
        check_dropout("gin.dropout", config.dropout)?;
        Ok(Gin {
            config,
            atoms: (Vocabulary::Short.atom_sizes().into_iter().enumerate())
                .map(|(k, rows)| table(&builder.within(format_args!("x_embedding{}", k + 1)), rows, config.hidden))
                .collect::<bench_nn::Result<_>>()?,
            layers: (0..config.depth).map(|at| Layer::new(builder, at, config.hidden)).collect::<Result<_>>()?,
        })
    }
}

impl MoleculeEncoder for Gin {
    fn input(&self) -> MoleculeInput {
        MoleculeInput::Graphs(Vocabulary::Short)
    }

    fn features(&self) -> usize {
        self.config.hidden
    }

    fn forward(&self, tape: &mut Tape, molecules: &MoleculeInputs) -> Result<Value> {
        let graphs = graphs_of("gin", molecules, Vocabulary::Short)?;
        let atoms = stacked(tape, &self.atoms)?;
        let mut h = ops::embedding_sum(tape, &atoms, &graphs.atoms)?;
        for (at, layer) in self.layers.iter().enumerate() {
            h = layer.forward(tape, &h, graphs, at + 1 < self.layers.len())?;
            h = ops::dropout(tape, &h, self.config.dropout)?;
        }
        Ok(ops::segment(tape, &h, &graphs.members, Reduce::Mean)?)
    }
}
