//! Projection head: from an encoder's features to the embedding that losses compare.
//!
//! ReLU, dropout, linear, ReLU, dropout, linear. One head per tower. The first ReLU meets features
//! that an image tower has pooled after a ReLU, so exact zeros occur; their gradient is zero, as
//! in PyTorch.
//!
//! Reference: Watkinson et al. 2023; embeddings of 1024 numbers there.

use bench_nn::{Builder, Tape, Value, ops};
use serde::{Deserialize, Serialize};

use crate::layers::{Linear, Start};
use crate::{Error, Result};

/// Settings of both heads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct HeadConfig {
    /// Length of the embedding.
    pub embedding: usize,
    /// Probability of dropping a number before each linear layer.
    pub dropout: f64,
}

impl Default for HeadConfig {
    fn default() -> HeadConfig {
        HeadConfig { embedding: 1024, dropout: 0.0 }
    }
}

/// A projection head.
#[derive(Clone, Debug)]
pub struct ProjectionHead {
    dropout: f64,
    first: Linear,
    second: Linear,
}

impl ProjectionHead {
    /// A head over `features` numbers; parameters `linear1.*` and `linear2.*`.
    ///
    /// # Errors
    /// No features, an empty embedding, or a dropout outside [0, 1).
    pub fn new(builder: &Builder, features: usize, config: HeadConfig) -> Result<ProjectionHead> {
        if features == 0 || config.embedding == 0 {
            return Err(Error::setting("head.embedding", "features and embedding must not be empty"));
        }
        check_dropout("head.dropout", config.dropout)?;
        Ok(ProjectionHead {
            dropout: config.dropout,
            first: Linear::new(&builder.within("linear1"), features, config.embedding, Start::Torch)?,
            second: Linear::new(&builder.within("linear2"), config.embedding, config.embedding, Start::Torch)?,
        })
    }

    /// `(n, features) -> (n, embedding)`, not normalised
    ///
    /// # Errors
    /// Another number of features.
    pub fn forward(&self, tape: &mut Tape, features: &Value) -> Result<Value> {
        let mut x = features.clone();
        for linear in [&self.first, &self.second] {
            x = ops::relu(tape, &x)?;
            x = ops::dropout(tape, &x, self.dropout)?;
            x = linear.forward(tape, &x)?;
        }
        Ok(x)
    }
}

pub(crate) fn check_dropout(key: &'static str, dropout: f64) -> Result<()> {
    if (0.0..1.0).contains(&dropout) {
        Ok(())
    } else {
        Err(Error::setting(key, format!("`{dropout}` is not in [0, 1)")))
    }
}
