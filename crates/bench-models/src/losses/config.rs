//! Which loss a training uses, in the words of the methods' names and variants.

use serde::{Deserialize, Serialize};

use super::{Loss, lookup, regularised::Regularised};
use crate::{Error, Result};

/// Methods that a configuration may name instead of a loss; their variant decides.
pub(super) const METHODS: [&str; 3] = ["clip", "emm", "imm"];

/// Which criterion the CLIP baseline uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClipVariant {
    /// One direction, positive not in the denominator (what the reference code ran).
    #[default]
    NtXent,
    /// One direction, positive in the denominator.
    InfoNce,
    /// Mean of both directions of [`ClipVariant::InfoNce`].
    Symmetric,
}

/// Which side's rows are classified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Each image against all molecules (what the reference code ran).
    #[default]
    ImageToMolecule,
    /// Each molecule against all images.
    MoleculeToImage,
}

/// Where EMM takes the logarithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmmVariant {
    /// Outside: one softmax per view.
    #[default]
    Code,
    /// Views are summed inside (the paper's equation 1).
    Paper,
}

/// How IMM combines its terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImmVariant {
    /// Sum over all pairs of slots.
    #[default]
    Code,
    /// EMM of the paper plus one pooled term between images (the paper's equation 2).
    Paper,
}

/// Which pairs of views of two compounds the paper's intra-modal term sums over (its set B_M,
/// which the text leaves open).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pairs {
    /// `a < b`, the only pairs that the reference code ever uses.
    #[default]
    Upper,
    /// `a != b`.
    Distinct,
    /// All, `a = b` too.
    All,
}

impl Pairs {
    /// The pairs among `views`, in order.
    pub fn among(self, views: usize) -> Vec<(u32, u32)> {
        let views = views as u32;
        (0..views)
            .flat_map(|a| (0..views).map(move |b| (a, b)))
            .filter(|&(a, b)| match self {
                Pairs::Upper => a < b,
                Pairs::Distinct => a != b,
                Pairs::All => true,
            })
            .collect()
    }
}

/// Weights of the terms that [`Regularised`] adds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Regulariser {
    /// Of the mean squared distance between a molecule and its images.
    pub mse: f64,
    /// Of the hinge on the standard deviation of each dimension over the minibatch.
    pub variance: f64,
    /// Of the squared covariances between dimensions.
    pub covariance: f64,
    /// Whether the terms see unit vectors (as the reference code) or the heads' output.
    pub normalise: bool,
}

impl Default for Regulariser {
    fn default() -> Regulariser {
        Regulariser { mse: 0.5, variance: 1.0, covariance: 0.25, normalise: true }
    }
}

/// Which loss, with the settings of all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LossConfig {
    /// `clip`, `emm` or `imm` (the variant below decides), or the id of a loss.
    pub loss: String,
    /// Criterion of `clip`.
    pub clip_variant: ClipVariant,
    /// Side of the one-directional criteria.
    pub direction: Direction,
    /// Criterion of `emm`.
    pub emm_variant: EmmVariant,
    /// Criterion of `imm`.
    pub imm_variant: ImmVariant,
    /// Pairs of the paper's IMM.
    pub pairs: Pairs,
    /// Weight of the paper's intra-modal term.
    pub gamma: f64,
    /// Weight of an image-image term in the code's IMM.
    pub lambda: f64,
    /// Terms added to the loss.
    pub regulariser: Option<Regulariser>,
}

impl Default for LossConfig {
    fn default() -> LossConfig {
        LossConfig {
            loss: "clip".to_owned(),
            clip_variant: ClipVariant::default(),
            direction: Direction::default(),
            emm_variant: EmmVariant::default(),
            imm_variant: ImmVariant::default(),
            pairs: Pairs::default(),
            gamma: 0.5,
            lambda: 0.5,
            regulariser: None,
        }
    }
}

impl LossConfig {
    /// The defaults of a method or loss.
    pub fn of(loss: &str) -> LossConfig {
        LossConfig { loss: loss.to_owned(), ..LossConfig::default() }
    }

    /// Id of the loss that is meant.
    pub fn id(&self) -> &str {
        match self.loss.as_str() {
            "clip" => match self.clip_variant {
                ClipVariant::NtXent => "nt-xent",
                ClipVariant::InfoNce => "info-nce",
                ClipVariant::Symmetric => "symmetric",
            },
            "emm" => match self.emm_variant {
                EmmVariant::Code => "emm-code",
                EmmVariant::Paper => "emm-paper",
            },
            "imm" => match self.imm_variant {
                ImmVariant::Code => "imm-code",
                ImmVariant::Paper => "imm-paper",
            },
            id => id,
        }
    }

    /// The loss.
    ///
    /// # Errors
    /// An unknown id, or a weight that is negative or not finite.
    pub fn build(&self) -> Result<Box<dyn Loss>> {
        let entry = lookup(self.id())?;
        let regulariser = self.regulariser.unwrap_or_default();
        for (key, weight) in [
            ("gamma", self.gamma),
            ("lambda", self.lambda),
            ("regulariser.mse", regulariser.mse),
            ("regulariser.variance", regulariser.variance),
            ("regulariser.covariance", regulariser.covariance),
        ] {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(Error::setting(key, format!("`{weight}` is not a finite number of at least 0")));
            }
        }
        let loss = (entry.build)(self)?;
        Ok(match self.regulariser {
            Some(weights) => Box::new(Regularised { loss, weights }),
            None => loss,
        })
    }
}
