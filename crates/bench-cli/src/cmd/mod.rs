//! One file per verb.

pub(crate) mod compare;
#[cfg(feature = "train")]
pub(crate) mod data;
#[cfg(feature = "train")]
pub(crate) mod fetch;
pub(crate) mod history;
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
