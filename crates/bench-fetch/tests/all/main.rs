//! Fetching from a server that fails in every way that servers fail.

#![allow(clippy::unwrap_used)]

mod faults;
mod fetch;
mod folder;
mod list;
mod resume;
mod server;
mod support;
