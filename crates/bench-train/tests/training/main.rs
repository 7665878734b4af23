//! Stories of training: steps, whole fits, interruptions, and learning something.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod data;
mod fits;
mod interruptions;
mod overfit;
mod parallel;
mod steps;
