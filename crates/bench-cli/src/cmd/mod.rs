//! One file per verb.

#[cfg(feature = "train")]
pub(crate) mod data;
pub(crate) mod export;
#[cfg(feature = "train")]
pub(crate) mod fetch;
#[cfg(feature = "train")]
pub(crate) mod images;
pub(crate) mod list;
#[cfg(feature = "train")]
pub(crate) mod manifests;
pub(crate) mod produce;
pub(crate) mod report;
pub(crate) mod retrieve;
pub(crate) mod score;
pub(crate) mod shell;
pub(crate) mod validate;
