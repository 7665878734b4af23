//! Mean average precision: whether profiles find what belongs to them before what does not.
//!
//! # What
//! [`rule`] says which pairs are positive and which negative, [`run`] ranks them and gives every profile its average
//! precision and every group its mean, p and q; [`null`] and [`fdr`] are the tests, [`consistency`] works on consensus
//! profiles of compounds with labels; [`metrics`] holds the cards, [`presets`] the definitions of the peers as data.
//!
//! # Formula
//! `AP = (1/P) sum over positives of (positives up to its rank / its rank)`, ties as the mean over their orders;
//! normalised `(AP - mu) / (1 - mu)`, `mu = ((P-1)/(L-1) (L - H_L) + H_L) / L` the mean over random orders of
//! `P` positives and `L - P` negatives.
//!
//! # Why
//! Raw AP depends on how many positives and negatives there are, and the usual stable sort with positives first gives
//! a constant embedding full marks. Here ties are averaged and the normalised value is the headline: a constant
//! embedding has exactly 0.
//!
//! # What it cannot show
//! Replicates in one well position share that position's effects; see the rules that ask for another position.
//!
//! # Reference
//! Kalinin et al., Nature Communications 16:5181 (2025); copairs 0.5.5, with which AP, normalised AP and q agree where
//! nothing is tied, and p within the error of its random null.

pub mod consistency;
pub mod fdr;
pub mod metrics;
pub mod null;
pub mod presets;
pub mod rule;
pub mod run;

pub use null::{NullSettings, Tail};
pub use rule::PairRule;
pub use run::{GroupScore, MapTable, RowScore};
