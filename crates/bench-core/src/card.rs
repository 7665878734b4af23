//! Cards: what a kind (split, probe, metric, control) is, in fixed headings. Help, `bench list`,
//! `bench show` and report footnotes are derived from cards.

use serde::Serialize;

/// The card of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Id used in files, command line, JSON and figures, with hyphens.
    pub id: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What it computes, in a sentence.
    pub what: &'static str,
    /// Formula in plain text.
    pub formula: &'static str,
    /// `higher`, `lower` or `none`.
    pub better: &'static str,
    /// Range, e.g. `0 to 1`.
    pub range: &'static str,
    /// What it cannot show.
    pub limits: &'static str,
    /// Paper section or reference implementation.
    pub reference: &'static str,
}
