//! Files for a paper: figures at the width of a column, and the tables and the figure of a paper that the run repeats.
//!
//! # What
//! [`publish`] draws every figure of a record at a width in millimetres, as SVG, PDF or PNG; or, for a named
//! [`Paper`], its tables as LaTeX and CSV and its figure. `index.json` lists the files with titles, captions and
//! digests. Every file says which run and suite it is from: SVG in `<metadata>`, PDF among its keywords, PNG as
//! `Source`, LaTeX in a comment, CSV in two columns.
//!
//! # What it cannot show
//! What the run did not compute: [`Published::missing`] says so, part by part.
//!
//! # Where it fits
//! `bench figures`. The run's own `figures/` are for screens; these are for print.

use bench_core::{RunRecord, digest};
use rayon::prelude::*;

use crate::figure::{self, Figure};
use crate::page::Page;
use crate::table::{self, Cell, Column, Shape, Table};
use crate::view::View;
use crate::{Artifact, Error, text};

/// Dots per inch of PNG files for print.
pub const PRINT_DPI: f64 = 300.0;

/// Least and greatest width, in millimetres.
pub const WIDTHS_MM: (f64, f64) = (80.0, 400.0);

/// Names of widths, in millimetres: one column and two columns of common journals.
pub const WIDTHS: [(&str, f64); 2] = [("column", 85.0), ("double", 174.0)];

/// A paper whose tables and figures can be drawn from a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    /// Watkinson et al. 2023, tables 1 to 3 and figure 2.
    Watkinson2023,
}

impl Paper {
    /// All papers: id and what it is.
    pub const ALL: [(&'static str, Paper); 1] = [("watkinson2023", Paper::Watkinson2023)];
}

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Vector, for the web and for editing.
    Svg,
    /// Vector, for LaTeX.
    Pdf,
    /// Pixels at [`PRINT_DPI`].
    Png,
}

impl Format {
    /// All formats with their names, which are also their file endings.
    pub const ALL: [(&'static str, Format); 3] = [("svg", Format::Svg), ("pdf", Format::Pdf), ("png", Format::Png)];

    fn ending(self) -> &'static str {
        match self {
            Format::Svg => "svg",
            Format::Pdf => "pdf",
            Format::Png => "png",
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Publication {
    /// A paper's tables and figure; all figures of the run if absent.
    pub paper: Option<Paper>,
    /// Formats of figures.
    pub formats: Vec<Format>,
    /// Width of figures in millimetres.
    pub width_mm: f64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The files.
    pub files: Vec<Artifact>,
    /// What the run cannot give: the part, and why.
    pub missing: Vec<(String, String)>,
}

/// Draws what is asked for.
///
/// # Errors
/// Lists of the record that do not fit together, or a figure that cannot be drawn.
pub fn publish(record: &RunRecord, request: &Publication) -> Result<Published, Error> {
    let view = View::on(record, Page::Print(request.width_mm));
    let mut missing = Vec::new();
    let (tables, figures) = match request.paper {
        None => (Vec::new(), figure::all(&view)?),
        Some(Paper::Watkinson2023) => {
            (table::watkinson2023(&view, &mut missing), figure_2(&view, &mut missing)?.into_iter().collect())
        }
    };
    if request.paper.is_none() && figures.is_empty() {
        missing.push(("figures".to_owned(), "the run has no scores to draw".to_owned()));
    }
    let mut files = Vec::new();
    let mut index = Vec::new();
    for table in &tables {
        let about = (table.title.as_str(), table.note.as_str());
        for (ending, content) in [("tex", stamped_latex(&view, table)), ("csv", stamped(&view, table).csv())] {
            let file = Artifact { path: format!("{}.{ending}", table.id), bytes: content.into_bytes() };
            index.push(entry(&file, about));
            files.push(file);
        }
    }
    // One file per task, collected in order: the number of threads changes nothing.
    let asked: Vec<(&Figure, Format)> =
        figures.iter().flat_map(|figure| request.formats.iter().map(move |format| (figure, *format))).collect();
    let drawn: Vec<Artifact> =
        asked.par_iter().map(|(figure, format)| write(figure, *format)).collect::<Result<_, _>>()?;
    for ((figure, _), file) in asked.iter().zip(&drawn) {
        index.push(entry(file, (&figure.title, &figure.caption)));
    }
    files.extend(drawn);
    if !files.is_empty() {
        let width = request.width_mm;
        files.push(Artifact { path: "index.json".to_owned(), bytes: listing(&view, width, &index).into_bytes() });
    }
    Ok(Published { files, missing })
}

fn write(figure: &Figure, format: Format) -> Result<Artifact, Error> {
    let bytes = match format {
        Format::Svg => figure.svg.clone().into_bytes(),
        Format::Pdf => figure.pdf()?,
        Format::Png => figure.png_at(PRINT_DPI)?,
    };
    Ok(Artifact { path: format!("{}.{}", figure.id, format.ending()), bytes })
}

/// Maps of the paper's methods, coloured by source.
fn figure_2(view: &View<'_>, missing: &mut Vec<(String, String)>) -> Result<Option<Figure>, Error> {
    let models = table::paper_models(view);
    let title = "UMAP of the embeddings, by source";
    let figure = figure::maps_figure(view, ("figure-2", title), &models, "source")?;
    if figure.is_none() {
        let why = if view.record.projections.is_empty() {
            "the run made no maps (`--no-projection`, or `projection.enabled = false` in the suite)"
        } else {
            "no map of the run is coloured by source: its table has no source column"
        };
        missing.push(("figure 2".to_owned(), why.to_owned()));
    }
    Ok(figure)
}

/// A table with the run and suite in columns of their own.
fn stamped(view: &View<'_>, table: &Table) -> Table {
    let mut table = table.clone();
    let suite = &view.record.suite;
    let values = [("run", view.record.run_id.clone()), ("suite", format!("{}@{}", suite.id, suite.version))];
    for (title, value) in values {
        table.columns.push(Column { title: title.to_owned(), shape: Shape::Text });
        for row in &mut table.rows {
            row.push(Cell::Text(value.clone()));
        }
    }
    table
}

fn stamped_latex(view: &View<'_>, table: &Table) -> String {
    // A comment ends with its line, and a stamp is one line.
    format!("% {}\n{}", view.stamp(), table.latex())
}

/// One line of the index: file, title, caption, bytes, digest.
fn entry(file: &Artifact, (title, caption): (&str, &str)) -> String {
    format!(
        "    {{\"file\": {}, \"title\": {}, \"caption\": {}, \"bytes\": {}, \"sha256\": {}}}",
        text::json(&file.path),
        text::json(title),
        text::json(caption),
        file.bytes.len(),
        text::json(&digest::of_bytes(&file.bytes))
    )
}

fn listing(view: &View<'_>, width_mm: f64, entries: &[String]) -> String {
    let suite = &view.record.suite;
    format!(
        "{{\n  \"run\": {},\n  \"suite\": {},\n  \"width_mm\": {width_mm},\n  \"files\": [\n{}\n  ]\n}}\n",
        text::json(&view.record.run_id),
        text::json(&format!("{}@{}", suite.id, suite.version)),
        entries.join(",\n")
    )
}
