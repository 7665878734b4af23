//! What changes parameters: optimiser, gradient clipping, averaging, learning-rate schedule.

mod adamw;
mod clip;
mod ema;
mod schedule;
#[cfg(test)]
mod testing;

pub use adamw::{AdamW, AdamWOptions, DecayRule, StepReport};
pub use clip::{GradientNorm, clip_gradient_norm};
pub use ema::{Ema, rising_momentum};
pub use schedule::{Cosine, Schedule};
