//! Tables: built once from a record, written as Markdown, CSV, LaTeX and HTML.
//!
//! People's notations show three decimals, short names and lettered notes for what is missing;
//! CSV has full names, all digits and the reasons in a column of their own.

use bench_core::record::Interval;

use crate::view::{View, why};
use crate::{Artifact, number, text};

mod behind;
mod build;
mod compounds;
mod control_curve;
mod details;
mod embedding;
mod gaps;
mod leaderboard;
mod paper;
mod plates;
mod seeds;
mod write;

pub(crate) use write::push_record;

pub(crate) use behind::behind;
pub(crate) use build::{by_class, by_group, formula, g_scores, headline, main_results, metrics};
pub(crate) use compounds::compounds;
pub(crate) use control_curve::given;
pub(crate) use embedding::{circles, embedding, parts};
pub(crate) use gaps::gaps;
pub(crate) use leaderboard::{leaderboard, shared_ranks, span};
pub(crate) use paper::{generalisation, paper_models, retrieval, training, watkinson2023};
pub(crate) use plates::{by_edge, by_plate, by_position, wells};
pub(crate) use seeds::over_seeds;

pub(crate) use details::{
    batch_probes, comparisons, confounding, confusion_counts, controls, fits, missing, per_class, per_group, ranks,
    splits, transfer,
};

/// How a column is aligned and how many CSV columns it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text, left.
    Text,
    /// One number, right.
    Number,
    /// Mean and standard deviation.
    Spread,
    /// Value, low and high.
    Estimate,
}

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Heading.
    pub title: String,
    /// Shape.
    pub shape: Shape,
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A name, in full; cut to forty characters where people read it.
    Text(String),
    /// Words of a sentence; cut later than names.
    Prose(String),
    /// A count.
    Count(usize),
    /// A number with three decimals.
    Number(f64),
    /// A number of any size, three significant digits.
    Size(f64),
    /// A probability.
    Probability(f64),
    /// Mean and standard deviation over repeats.
    Spread(f64, Option<f64>),
    /// Value with interval.
    Estimate(f64, Option<Interval>),
    /// No value, and why.
    Missing(String),
    /// Nothing was asked for here.
    Blank,
}

/// One table.
#[derive(Clone, Debug)]
pub struct Table {
    /// File name without ending; letters, digits and hyphens.
    pub id: String,
    /// Title.
    pub title: String,
    /// What the numbers are.
    pub note: String,
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(id: &str, title: &str, note: &str, columns: &[(&str, Shape)]) -> Self {
        Table {
            id: id.to_owned(),
            title: title.to_owned(),
            note: note.to_owned(),
            columns: columns
                .iter()
                .map(|(title, shape)| Column { title: (*title).to_owned(), shape: *shape })
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Reasons for missing cells, each once, in order of first occurrence; lettered in print.
    pub fn reasons(&self) -> Vec<&str> {
        let mut seen = std::collections::BTreeSet::new();
        self.rows
            .iter()
            .flatten()
            .filter_map(|c| match c {
                Cell::Missing(reason) => Some(reason.as_str()),
                _ => None,
            })
            .filter(|r| seen.insert(*r))
            .collect()
    }

    /// Markdown (GitHub's dialect) with title and notes.
    pub fn markdown(&self) -> String {
        write::markdown(self, true)
    }

    /// CSV after RFC 4180, numbers with all their digits.
    pub fn csv(&self) -> String {
        write::csv(self)
    }

    /// LaTeX with `booktabs`; `longtable` above forty rows.
    pub fn latex(&self) -> String {
        write::latex(self)
    }
}

/// Markdown without the heading, for use inside a page.
pub(crate) fn markdown_body(table: &Table) -> String {
    write::markdown(table, false)
}

/// What a cell shows to people; missing ones get the letter of their reason.
pub(crate) fn shown(cell: &Cell, reasons: &[&str]) -> String {
    match cell {
        Cell::Text(words) => text::short(words),
        Cell::Prose(words) if words.trim().is_empty() => "—".to_owned(),
        Cell::Prose(words) => text::reason(words),
        Cell::Count(n) => number::count(*n),
        Cell::Number(v) => number::fixed(*v),
        Cell::Size(v) => number::significant(*v),
        Cell::Probability(p) => number::probability(*p),
        Cell::Spread(mean, Some(sd)) => format!("{} ± {}", number::fixed(*mean), number::fixed(*sd)),
        Cell::Spread(mean, None) => number::fixed(*mean),
        Cell::Estimate(value, Some(i)) => format!("{} {}", number::fixed(*value), number::interval(*i)),
        Cell::Estimate(value, None) => format!("{} (no interval)", number::fixed(*value)),
        Cell::Missing(reason) => {
            let at = reasons.iter().position(|r| r == reason).unwrap_or(0);
            format!("missing ({})", letter(at))
        }
        Cell::Blank => String::new(),
    }
}

/// `a` to `z`, then `aa`.
pub(crate) fn letter(at: usize) -> String {
    let last = char::from(b'a' + (at % 26) as u8);
    if at < 26 { last.to_string() } else { format!("{}{last}", letter(at / 26 - 1)) }
}

/// A cell for an optional value.
pub(crate) fn or_missing(value: Option<f64>, reason: Option<&str>, cell: impl FnOnce(f64) -> Cell) -> Cell {
    value.map_or_else(|| Cell::Missing(why(reason)), cell)
}

/// Every table of a record, in the order of the page. Tables without rows are left out.
pub(crate) fn all(view: &View<'_>) -> Vec<Table> {
    let mut tables = generalisation(view);
    tables.extend(over_seeds(view));
    tables.extend(retrieval(view));
    tables.push(training(view));
    for (protocol, probe) in view.protocols_and_probes() {
        tables.push(leaderboard(view, protocol, probe));
        tables.push(main_results(view, protocol, probe));
        tables.push(g_scores(view, protocol, probe));
        tables.push(metrics(view, protocol, probe));
    }
    tables.extend([per_class(view), per_group(view), transfer(view), batch_probes(view)]);
    tables.extend(given(view));
    tables.extend([compounds(view, usize::MAX), by_edge(view), by_position(view), by_plate(view, usize::MAX)]);
    tables.extend(embedding(view));
    tables.extend([
        confounding(view),
        controls(view),
        comparisons(view),
        ranks(view),
        fits(view),
        splits(view),
        missing(view),
    ]);
    tables.retain(|t| !t.rows.is_empty());
    for at in 1..tables.len() {
        let (before, rest) = tables.split_at_mut(at);
        let wanted = rest[0].id.clone();
        let mut tries = 2;
        while before.iter().any(|t| t.id == rest[0].id) {
            rest[0].id = format!("{wanted}-{tries}");
            tries += 1;
        }
    }
    tables
}

/// The files of the tables: Markdown, CSV and LaTeX of each.
pub(crate) fn artifacts(tables: &[Table]) -> Vec<Artifact> {
    tables
        .iter()
        .flat_map(|t| {
            [("md", t.markdown()), ("csv", t.csv()), ("tex", t.latex())]
                .map(|(ending, text)| Artifact { path: format!("tables/{}.{ending}", t.id), bytes: text.into_bytes() })
        })
        .collect()
}
