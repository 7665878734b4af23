//! What the rows of an embedding are: the part of the input that a permutation may change.

use bench_core::{Factor, Layout};

/// Label, nuisance unit and origin of every row.
#[derive(Clone, Copy, Debug)]
pub struct Roles<'a> {
    /// Label of every treated row.
    pub label: &'a Factor,
    /// The nuisance unit in question, of every treated row; one level where a metric asks for none.
    pub unit: &'a Factor,
    /// Name of the unit: `source`, `batch`, `plate`.
    pub unit_name: &'a str,
    /// Origin of every treated row.
    pub layout: &'a Layout,
    /// Origin of every negative-control row; no rows if there are none.
    pub controls: &'a Layout,
}
