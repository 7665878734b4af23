//! The softmax solver behind the fast logistic regression.
//!
//! # What
//! Finds the optimum of many L2-penalised multinomial logistic regressions on one table of
//! features. Every fold of every split is one problem; they share the rows and differ in the
//! rows they train on.
//!
//! # How
//! - [`rows`]: the features, centred, repeats folded.
//! - [`problem`]: training rows, classes and penalties of one fold.
//! - [`pass`], [`tile`], [`real`]: losses and gradients of all problems in one pass.
//! - [`gram`], [`precondition`]: Boehning's bound on the curvature, inverted.
//! - [`lbfgs`]: the optimiser of one problem.
//! - [`solve`]: all problems of a group in step, `f32` first, certified in `f64`.
//! - [`predict`]: probabilities and decisions.
//! - [`table`]: groups of folds that fit into memory, and what they hand back.
//!
//! # Why
//! One fit after another is bound by memory traffic and by hundreds of iterations. Fits solved
//! together turn into matrix products at full speed, and the preconditioner leaves about twenty
//! iterations. A fold's result does not depend, in any bit, on the folds solved beside it.

mod gram;
mod lbfgs;
mod pass;
mod precondition;
mod predict;
mod problem;
mod real;
mod rows;
mod solve;
mod table;
mod tile;

pub(super) use solve::SMALL;
pub(super) use table::{Objective, Table};
