//! Figures: each is a function from a record to an SVG, and from that to a PNG or a PDF.
//!
//! One file per figure. Every figure returns title, caption and a text for those who cannot see
//! it; every accuracy plot starts at zero and carries chance lines, control band, n and
//! intervals. Nothing is sampled and no clock is read: same record, same bytes.

use rayon::prelude::*;

use crate::view::View;
use crate::{Artifact, Error};

mod aggregate;
mod axis;
mod bars;
mod batch_probes;
pub(crate) mod canvas;
mod confounding;
mod confusion;
mod control_curve;
mod g_scores;
mod heatmap;
mod ladder;
mod maps;
mod palette;
mod pdf;
mod plates;
mod raster;
mod trade_off;
mod training;
mod transfer;
mod umap;

pub(crate) use confusion::check as check_confusion;
pub(crate) use maps::figure as maps_figure;
pub use raster::DPI;
pub(crate) use umap::{figure as umap_figure, interleaved};

/// What a figure shows, by which the page sorts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Accuracy along the split ladder.
    Ladder,
    /// G-scores.
    GScores,
    /// A two-dimensional map.
    Projection,
    /// A confusion matrix.
    Confusion,
    /// Source to source transfer.
    Transfer,
    /// What can be read from an embedding besides the label.
    BatchProbes,
    /// Association of label and origin.
    Confounding,
    /// Loss over epochs.
    Training,
    /// Circles and bars of embedding metrics.
    Aggregate,
    /// Batch against biology scores.
    TradeOff,
    /// Accuracy on unseen sources by control wells.
    ControlCurve,
    /// Predictions by position on the plate.
    Plates,
}

/// One finished figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// File name without ending; letters, digits and hyphens.
    pub id: String,
    /// What it shows.
    pub kind: Kind,
    /// Protocol, where it has one.
    pub protocol: Option<String>,
    /// Probe, where it has one.
    pub probe: Option<String>,
    /// Split, where it has one.
    pub split: Option<String>,
    /// Title.
    pub title: String,
    /// Caption: marks, intervals, numbers, what is missing and why.
    pub caption: String,
    /// What a screen reader says in place of the image.
    pub alt: String,
    /// The drawing.
    pub svg: String,
    /// Width in CSS pixels.
    pub width: f64,
    /// Height in CSS pixels.
    pub height: f64,
}

impl Figure {
    /// The figure as PNG at [`DPI`].
    ///
    /// # Errors
    /// If the SVG cannot be read back or the image cannot be encoded.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        self.png_at(DPI)
    }

    /// The figure as PNG at so many dots per inch.
    ///
    /// # Errors
    /// As [`Figure::png`].
    pub fn png_at(&self, dpi: f64) -> Result<Vec<u8>, Error> {
        raster::png_of_svg(&self.id, &self.svg, dpi)
    }

    /// The figure as PDF, with text that can be selected.
    ///
    /// # Errors
    /// If the SVG cannot be read back.
    pub fn pdf(&self) -> Result<Vec<u8>, Error> {
        pdf::pdf_of_svg(&self.id, &self.svg, (self.width, self.height))
    }
}

/// Colour of a level of a map as `#RRGGBB`, the same in still figures and in the page.
pub(crate) fn colour_of(level: usize, levels: usize) -> String {
    let plotters::style::RGBColor(r, g, b) = palette::level(level, levels);
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// Every figure of a record, in the order of the page.
///
/// # Errors
/// If lists of the record that belong together differ in length, or drawing fails.
pub(crate) fn all(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    let mut figures = ladder::figures(view)?;
    figures.extend(g_scores::figures(view)?);
    figures.extend(plates::figures(view)?);
    figures.extend(transfer::figures(view)?);
    figures.extend(batch_probes::figures(view)?);
    figures.extend(confounding::figures(view)?);
    figures.extend(umap::figures(view)?);
    figures.extend(confusion::figures(view)?);
    figures.extend(training::figures(view)?);
    figures.extend(aggregate::figures(view)?);
    figures.extend(trade_off::figures(view)?);
    figures.extend(control_curve::figures(view)?);
    // Ids come from slugs, which may coincide.
    for at in 1..figures.len() {
        let (before, rest) = figures.split_at_mut(at);
        let wanted = rest[0].id.clone();
        let mut tries = 2;
        while before.iter().any(|f| f.id == rest[0].id) {
            rest[0].id = format!("{wanted}-{tries}");
            tries += 1;
        }
    }
    Ok(figures)
}

/// The files of the figures: SVG and PNG of each.
///
/// # Errors
/// As [`Figure::png`].
pub(crate) fn artifacts(figures: &[Figure]) -> Result<Vec<Artifact>, Error> {
    // One image per task, collected in order: the number of threads changes nothing.
    let images: Vec<Vec<u8>> = figures.par_iter().map(Figure::png).collect::<Result<_, _>>()?;
    Ok(figures
        .iter()
        .zip(images)
        .flat_map(|(figure, png)| {
            [
                Artifact { path: format!("figures/{}.svg", figure.id), bytes: figure.svg.clone().into_bytes() },
                Artifact { path: format!("figures/{}.png", figure.id), bytes: png },
            ]
        })
        .collect())
}
