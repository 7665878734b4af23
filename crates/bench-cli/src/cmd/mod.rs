//! One file per verb.

pub(crate) mod list;
pub(crate) mod produce;
pub(crate) mod report;
pub(crate) mod score;
pub(crate) mod shell;
pub(crate) mod validate;
