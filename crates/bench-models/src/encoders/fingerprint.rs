//! Multi-layer perceptron over molecular fingerprints.
//!
//! # What
//! 2167 bits (167 MACCS keys and 2000 Morgan bits of radius 2) to 512, 256 and 128 numbers. Each
//! hidden layer is linear, layer norm, ReLU, dropout; the last is linear alone.
//!
//! # Why
//! The cheapest molecule tower of the reference, and a check on what graphs add.
//!
//! # What it cannot show
//! Two molecules with the same substructures are the same to it.
//!
//! # Reference
//! Fingerprint encoder of the code of Watkinson et al. 2023. Parity: there dropout also follows
//! the last layer; the head behind it drops already.

use bench_nn::ops::{self, LayerNorm};
use bench_nn::{Builder, Tape, Value};
use serde::{Deserialize, Serialize};

use super::head::check_dropout;
use super::{MoleculeEncoder, MoleculeInput, MoleculeInputs};
use crate::layers::{Linear, Start};
use crate::{Error, Result};

/// Added to the variance by the layer norms.
const EPSILON: f64 = 1e-5;

/// Size and regularisation of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FingerprintConfig {
    /// Bits of a molecule.
    pub bits: usize,
    /// Widths of the layers; the last is the length of the output.
    pub widths: Vec<usize>,
    /// Probability of dropping a number after each hidden layer.
    pub dropout: f64,
}

impl Default for FingerprintConfig {
    fn default() -> FingerprintConfig {
        FingerprintConfig { bits: 2167, widths: vec![512, 256, 128], dropout: 0.1 }
    }
}

/// The network.
#[derive(Clone, Debug)]
pub struct FingerprintMlp {
    bits: usize,
    features: usize,
    dropout: f64,
    hidden: Vec<(Linear, LayerNorm)>,
    last: Linear,
}

impl FingerprintMlp {
    /// A network of a size; parameters `layers.0.linear.*`, `layers.0.norm.*`, ..
    ///
    /// # Errors
    /// A size of zero, or a dropout out of range.
    pub fn new(builder: &Builder, config: &FingerprintConfig) -> Result<FingerprintMlp> {
        let Some((&features, hidden)) = config.widths.split_last() else {
            return Err(Error::setting("fingerprint.widths", "at least one layer"));
        };
        if config.bits == 0 || config.widths.contains(&0) {
            return Err(Error::setting("fingerprint.widths", "bits and widths are at least 1"));
        }
        check_dropout("fingerprint.dropout", config.dropout)?;
        let layers = builder.within("layers");
        let mut inputs = config.bits;
        let mut made = Vec::with_capacity(hidden.len());
        for (at, &width) in hidden.iter().enumerate() {
            let layer = layers.within(at);
            let linear = Linear::new(&layer.within("linear"), inputs, width, Start::Torch)?;
            made.push((linear, LayerNorm::new(&layer.within("norm"), width, EPSILON)?));
            inputs = width;
        }
        let last = Linear::new(&layers.within(hidden.len()).within("linear"), inputs, features, Start::Torch)?;
        Ok(FingerprintMlp { bits: config.bits, features, dropout: config.dropout, hidden: made, last })
    }
}

impl MoleculeEncoder for FingerprintMlp {
    fn input(&self) -> MoleculeInput {
        MoleculeInput::Fingerprints(self.bits)
    }

    fn features(&self) -> usize {
        self.features
    }

    fn forward(&self, tape: &mut Tape, molecules: &MoleculeInputs) -> Result<Value> {
        let MoleculeInputs::Fingerprints(rows) = molecules else {
            return Err(Error::batch("fingerprint", "fingerprints", "graphs"));
        };
        if rows.rank() != 2 || rows.dims()[1] != self.bits {
            return Err(Error::batch("fingerprint", format!("rows of {} bits", self.bits), rows.dims()));
        }
        let mut x = tape.constant(rows.clone());
        for (linear, norm) in &self.hidden {
            x = linear.forward(tape, &x)?;
            x = ops::layer_norm(tape, &x, norm)?;
            x = ops::relu(tape, &x)?;
            x = ops::dropout(tape, &x, self.dropout)?;
        }
        Ok(self.last.forward(tape, &x)?)
    }
}
