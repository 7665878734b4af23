//! Corrections of batch effects: fitted on declared rows, applied to unseen ones.
//!
//! # What
//! A [`Correction`] has a card, learns from the rows of its scope ([`FitInput`]), and gives a [`Fitted`] that corrects
//! any rows. [`Chain`] joins corrections as text: `mad > int > select > sphere(epsilon=0.1)`.
//!
//! # What a correction can see
//! [`Origin`] holds where rows were measured and which are negative controls. Labels, compounds and named groups have
//! no place in it, so that no correction can see an answer; ComBat's covariate is handed over by itself and marked. Rows
//! outside the scope are removed before a correction learns. Groups that the fit did not see are aligned by their own
//! controls alone, or refused by name. Corrections whose results depend on all fitted rows together are marked
//! transductive.
//!
//! # Where it fits
//! Between an embedding and its scores. A new correction is one file with a card and a `build`, and its line in
//! [`registry::KINDS`].
//!
//! ```
//! use bench_core::{Factor, Layout, Matrix, Seed};
//! use bench_correct::{Chain, FitInput, Fitted, Origin};
//!
//! let layout = Layout { rows: 4, plate: Some(Factor::sorted(&["p", "p", "q", "q"])), ..Layout::default() };
//! let origin = Origin::new(&layout, vec![true, false, true, false])?;
//! let matrix = Matrix::new(4, 1, vec![1.0, 3.0, 10.0, 15.0]);
//! let chain = Chain::parse("centre(by=plate, on=controls)")?;
//! let fitted = chain.fit(&FitInput { matrix: &matrix, origin: &origin, covariate: None, seed: Seed(1) })?;
//! assert_eq!(fitted.apply(&matrix, &origin)?.data(), [0.0, 2.0, 0.0, 5.0]);
//! # Ok::<(), bench_correct::Error>(())
//! ```
//!
//! Answers have no way in. A fit takes no label:
//!
//! ```compile_fail
//! # use bench_core::{Answers, Matrix, Seed};
//! # use bench_correct::{Chain, FitInput, Origin};
//! # fn fit(chain: &Chain, matrix: &Matrix, origin: &Origin, answers: &Answers) {
//! let input = FitInput { matrix, origin, covariate: None, seed: Seed(1), answers };
//! # let _ = chain.fit(&input);
//! # }
//! ```
//!
//! and neither does what is fitted:
//!
//! ```compile_fail
//! # use bench_core::{Answers, Matrix};
//! # use bench_correct::{Fitted, FittedChain, Origin};
//! # fn apply(fitted: &FittedChain, matrix: &Matrix, origin: &Origin, answers: &Answers) {
//! let _ = fitted.apply(matrix, origin, answers);
//! # }
//! ```
//!
//! where the same lines without them compile:
//!
//! ```
//! # use bench_core::{Matrix, Seed};
//! # use bench_correct::{Chain, FitInput, Fitted, FittedChain, Origin};
//! # fn fit(chain: &Chain, matrix: &Matrix, origin: &Origin) {
//! let input = FitInput { matrix, origin, covariate: None, seed: Seed(1) };
//! # let _ = chain.fit(&input);
//! # }
//! # fn apply(fitted: &FittedChain, matrix: &Matrix, origin: &Origin) {
//! let _ = fitted.apply(matrix, origin);
//! # }
//! ```

pub mod chain;
pub mod correction;
pub mod error;
pub mod origin;
pub mod params;
pub mod presets;
pub mod registry;
pub mod tuning;

mod centre;
mod column;
mod combat;
mod coral;
mod fast_mnn;
mod group;
mod harmony;
mod int;
mod knee;
mod linear;
mod location;
mod mad;
mod memory;
mod mnn;
mod nearest;
mod parameter;
mod pca_cs;
mod remove_components;
mod robust;
mod scanorama;
mod select;
mod sphere;
mod standardise;
/// What `bench new` writes; its test is to fail until it is filled in.
#[cfg(test)]
#[path = "../../bench-run/src/scaffold/templates/correction.rs"]
#[expect(dead_code, reason = "no list holds it")]
mod template_correction;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tvn;
mod two_stage;
mod variant;
mod zca_corr;

pub use chain::{Chain, FittedChain};
pub use correction::{Correction, CorrectionCard, FitInput, Fitted, Parameter, Rows, Scope};
pub use error::Error;
pub use origin::Origin;
