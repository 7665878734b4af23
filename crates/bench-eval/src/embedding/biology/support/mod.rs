//! What the biology metrics share: products, profiles, ranks, pairs, columns, small statistics.

pub(crate) mod columns;
pub(crate) mod pairs;
pub(crate) mod profiles;
pub(crate) mod ranking;
pub(crate) mod stats;
