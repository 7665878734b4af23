//! Suites, plan, steps, resume, record: everything between a request and a run record.
//!
//! Guide: [`suite`] says what to do, [`request`] what the user asked for, [`mod@run`] does it step by
//! step with the help of [`store`] (so that a killed run goes on where it stopped), [`record`]
//! puts the pieces together and [`outputs`] writes them. [`compare`] sets two records side by side, and
//! [`history`] keeps them in a file. [`layers`] are a user's settings over all of it. [`export`] hands results to other
//! tools.

pub mod compare;
mod control_curve;
pub mod corrections;
pub mod doctor;
pub mod embedding;
pub mod error;
pub mod export;
pub mod history;
pub mod key;
pub mod layers;
pub mod manifest;
pub mod metric_preset;
pub mod outcomes;
pub mod outputs;
pub mod plan;
pub mod probes;
#[cfg(feature = "train")]
pub mod produce;
pub mod progress;
pub mod projection;
pub mod record;
pub mod request;
pub mod retrieve;
pub mod run;
pub mod scaffold;
pub mod score_table;
pub mod scoring;
pub mod seeds;
pub mod settings;
pub mod store;
pub mod suite;
pub mod summaries;
pub mod tables;
pub mod transfer;

pub use error::{Error, ErrorKind};
pub use layers::Layers;
pub use progress::{Progress, Silent};
pub use request::{Embedding, Origin, Request};
pub use run::{Done, Outcome, run};
