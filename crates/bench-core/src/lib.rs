//! The nouns every other crate speaks: where a row comes from, embeddings, answers, scores,
//! the run record, seeds and digests.
//!
//! This crate depends on none of ours and does no computation beyond bookkeeping.
//! Matrices are row-major `f32`; statistics are `f64`; indices are `u32` in storage and
//! `usize` in arithmetic.

pub mod atomic;
pub mod card;
pub mod compared;
pub mod digest;
pub mod factor;
pub mod history;
pub mod layout;
pub mod matrix;
pub mod normal;
pub mod number;
pub mod order;
pub mod record;
pub mod score;
pub mod seed;
pub mod suggest;
pub mod table;

pub use card::Card;
pub use factor::Factor;
pub use layout::Layout;
pub use matrix::Matrix;
pub use record::RunRecord;
pub use score::Score;
pub use seed::{Seed, Stream};
pub use table::{Answers, Block, Table};
