//! One file per verb.

use bench_run::{Error, Layers};

use crate::args::OutputArgs;

#[cfg(feature = "train")]
pub(crate) mod cache;
pub(crate) mod card;
pub(crate) mod compare;
pub(crate) mod config;
#[cfg(feature = "train")]
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod export;
#[cfg(feature = "train")]
pub(crate) mod fetch;
pub(crate) mod figures;
pub(crate) mod history;
#[cfg(feature = "train")]
pub(crate) mod images;
pub(crate) mod list;
#[cfg(feature = "train")]
pub(crate) mod manifests;
pub(crate) mod new;
pub(crate) mod produce;
pub(crate) mod report;
pub(crate) mod retrieve;
pub(crate) mod score;
pub(crate) mod shell;
pub(crate) mod validate;

/// The user's file and variables.
pub(crate) fn layers(output: &OutputArgs) -> Result<Layers, Error> {
    // A variable whose name or value is no text is none of ours.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Layers::read(output.config.as_deref(), std::path::Path::new("."), variables)
}

/// The number of workers that was asked for.
pub(crate) fn threads(output: &OutputArgs, layers: &Layers) -> Result<Option<u16>, Error> {
    let set = layers.number("threads", 1..=1024)?.map(|(n, _)| n as u16);
    Ok(output.threads.or(set))
}
