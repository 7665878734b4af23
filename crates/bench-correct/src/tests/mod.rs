//! Tests over all corrections: goldens of the peers, and what every correction promises.

mod goldens;
mod harmony;
mod promises;
mod recipe;
