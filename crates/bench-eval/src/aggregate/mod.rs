//! From raw predictions to numbers with intervals: G-scores, cluster bootstrap, paired tests,
//! ranks.
//!
//! Path: [`Clusters`] says which wells and batches the rows belong to, an [`Outcomes`] keeps how
//! often each well was predicted correctly, [`bootstrap`](bootstrap::bootstrap) draws the same
//! wells for all of them, and [`summarise`], [`compare`] and [`rank`] turn the draws into the
//! record's summaries, comparisons and ranks.

pub mod bootstrap;
pub mod clusters;
pub mod comparison;
pub mod generalisation;
pub mod holm;
pub mod interval;
pub mod normal;
pub mod outcomes;
pub mod permutation;
pub mod ranks;
pub mod seeds;

pub use bootstrap::{Draws, bootstrap, over_draws};
pub use clusters::Clusters;
pub use comparison::compare;
pub use generalisation::{Spread, chance_level, summarise};
pub use holm::holm;
pub use interval::{bootstrap_p, percentile_at};
pub use outcomes::{Outcomes, Tally};
pub use permutation::sign_flip;
pub use ranks::rank;
pub use seeds::over_seeds;
