//! The suites that ship with the program.

/// Id and text of every embedded suite.
const SUITES: [(&str, &str); 6] = [
    ("target2", include_str!("../../../../benchmarks/target2.toml")),
    ("jump-moa", include_str!("../../../../benchmarks/jump-moa.toml")),
    ("jump-moa-corrections", include_str!("../../../../benchmarks/jump-moa-corrections.toml")),
    ("cpg0016-medians", include_str!("../../../../benchmarks/cpg0016-medians.toml")),
    ("smoke", include_str!("../../../../benchmarks/smoke.toml")),
    ("generic", include_str!("../../../../benchmarks/generic.toml")),
];

/// Text of the suite with this id.
pub fn text(id: &str) -> Option<&'static str> {
    SUITES.iter().find(|(known, _)| *known == id).map(|(_, text)| *text)
}

/// Ids of all embedded suites.
pub fn ids() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|(id, _)| *id)
}
