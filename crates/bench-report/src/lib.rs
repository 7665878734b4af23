//! Figures, tables, summary, JUnit file and HTML page: pure functions from a run record to bytes; and the same
//! for comparisons of runs and for histories.
//!
//! Nothing here reads a file, a clock or a random number: the same record gives the same bytes
//! on any machine and with any number of threads. No score is computed; what the record does not
//! hold is shown as missing, with its reason.
//!
//! | Want | Call |
//! |---|---|
//! | every file of a report | [`render`] |
//! | the verdict, to be stored in the record | [`verdict()`] |
//! | raw scores | [`scores_csv`] |
//! | a page | [`html`], [`html_with`] |
//! | its section on a baseline | [`changes`], [`no_changes`] |
//! | figures and tables for a paper | [`publish()`] |
//! | model and dataset cards | [`model_cards`] |
//! | figures or tables one by one | [`figures`], [`tables`] |
//! | a comparison of two runs | [`compared_text`], [`compared_markdown`], [`compared_html`], [`compared_junit`] |
//! | a history of runs | [`history_text`], [`history_html`] |

use bench_core::{Card, RunRecord};

mod command;
mod compare;
mod error;
mod figure;
mod history;
mod html;
mod junit;
mod model_card;
mod number;
mod page;
mod plates;
mod publish;
mod scores;
mod small_page;
mod standing;
mod summary;
mod table;
mod text;
mod verdict;
mod view;

pub use command::shell as shell_command;
pub use compare::{
    COMMENT_BYTES, changes, compared_html, compared_markdown, compared_text, compared_verdict, marker, no_changes,
};
pub use error::Error;
pub use figure::{DPI, Figure, Kind as FigureKind};
pub use history::{HistoryView, history_html, history_text};
pub use html::{Changes, Extras, MAX_BYTES, html, html_with};
pub use junit::{compared_junit, junit};
pub use model_card::{DataFacts, model_cards};
pub use page::LEAST_POINTS;
pub use publish::{Format, PRINT_DPI, Paper, Publication, Published, WIDTHS, WIDTHS_MM, publish};
pub use scores::{COLUMNS as SCORE_COLUMNS, scores_csv};
pub use summary::summary;
pub use table::{Cell, Column, Shape, Table};
pub use verdict::verdict;

/// One file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Path relative to the report's folder, with `/`, e.g. `figures/ladder-strict-logreg.svg`.
    pub path: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// Every file of a report but `record.json`, without cards in the methods section.
///
/// # Errors
/// See [`render_with_cards`].
pub fn render(record: &RunRecord) -> Result<Vec<Artifact>, Error> {
    render_with_cards(record, &[])
}

/// Every file of a report but `record.json`: `report.html`, `summary.md`, `scores.csv`,
/// `junit.xml`, `figures/*.{svg,png,csv}`, `tables/*.{md,csv,tex}`. The cards of the kinds that the
/// suite uses become footnotes of the methods section.
///
/// # Errors
/// If lists of the record that belong together differ in length, or a figure cannot be drawn.
pub fn render_with_cards(record: &RunRecord, cards: &[Card]) -> Result<Vec<Artifact>, Error> {
    render_with(record, &Extras { cards, ..Extras::default() })
}

/// As [`render_with_cards`], with what else the page is to show: changes since a baseline, tables
/// of a metric suite.
///
/// # Errors
/// See [`render_with_cards`].
pub fn render_with(record: &RunRecord, extras: &Extras<'_>) -> Result<Vec<Artifact>, Error> {
    let view = view::View::new(record);
    let figures = figure::all(&view)?;
    let tables = table::all(&view);
    let mut artifacts = vec![
        Artifact { path: "report.html".to_owned(), bytes: html::page(&view, &figures, &tables, extras)?.into_bytes() },
        Artifact { path: "summary.md".to_owned(), bytes: summary(record).into_bytes() },
        Artifact { path: "scores.csv".to_owned(), bytes: scores_csv(record).into_bytes() },
        Artifact { path: "junit.xml".to_owned(), bytes: junit(record).into_bytes() },
    ];
    artifacts.extend(figure::artifacts(&figures)?);
    artifacts.extend(figures.iter().filter_map(|f| {
        let csv = table::behind(&view, f)?.csv();
        Some(Artifact { path: format!("figures/{}.csv", f.id), bytes: csv.into_bytes() })
    }));
    artifacts.extend(table::artifacts(&tables));
    if let Some(counts) = table::confusion_counts(&view)? {
        artifacts.push(Artifact { path: "tables/confusion.csv".to_owned(), bytes: counts.into_bytes() });
    }
    let long = [("embedding-parts", table::parts(&view)), ("wells", table::wells(&view))];
    artifacts.extend(
        long.into_iter()
            .filter_map(|(id, csv)| Some(Artifact { path: format!("tables/{id}.csv"), bytes: csv?.into_bytes() })),
    );
    Ok(artifacts)
}

/// Every figure of a record, in the order of the page.
///
/// # Errors
/// See [`render_with_cards`].
pub fn figures(record: &RunRecord) -> Result<Vec<Figure>, Error> {
    figure::all(&view::View::new(record))
}

/// Every table of a record, in the order of the page.
pub fn tables(record: &RunRecord) -> Vec<Table> {
    table::all(&view::View::new(record))
}
