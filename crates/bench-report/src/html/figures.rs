//! Figures of the page: line plots and bars as inline SVG that follows the theme, heat maps and
//! point clouds as images, each with links to its files.

use minijinja::{Value, context};

use crate::figure::{Figure, Kind};
use crate::view::Headline;
use crate::{number, text};

/// Whether a figure's inks may follow the theme: its marks have one colour each and no text
/// stands on a coloured ground.
fn follows_theme(kind: Kind) -> bool {
    use Kind::{Aggregate, BatchProbes, ControlCurve, GScores, Ladder, TradeOff, Training};
    matches!(kind, Ladder | GScores | BatchProbes | Training | Aggregate | TradeOff | ControlCurve)
}

pub(super) fn figure(figure: &Figure) -> Value {
    let inline = follows_theme(figure.kind).then(|| inline(figure)).flatten();
    context! {
        id => &figure.id,
        title => &figure.title,
        caption => text::shorten(&figure.caption, 3000),
        alt => text::shorten(&figure.alt, 1500),
        // Percent-encoded: no quote, no angle bracket, no ampersand is left in it.
        src => inline.is_none().then(|| Value::from_safe_string(format!("data:image/svg+xml,{}", text::percent(&figure.svg)))),
        // Drawn by this crate: every name in it is escaped.
        inline => inline.map(Value::from_safe_string),
        width => figure.width.round() as i64,
        height => figure.height.round() as i64,
    }
}

/// The drawing as an element of the page. Title and description go (the first would become a
/// tooltip over the whole figure); the page says both in words.
fn inline(figure: &Figure) -> Option<String> {
    let (head, mut body) = figure.svg[figure.svg.find("<svg")?..].split_once('>')?;
    let view_box = head.split_once("viewBox=\"")?.1.split_once('"')?.0;
    for (open, close) in [("<title>", "</title>"), ("<desc>", "</desc>")] {
        body = body.trim_start();
        if let Some((_, after)) = body.strip_prefix(open).and_then(|rest| rest.split_once(close)) {
            body = after;
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"{view_box}\" role=\"img\" aria-label=\"{}\">{body}",
        figure.width.round(),
        figure.height.round(),
        text::xml(&text::shorten(&format!("{}. {}", figure.title, figure.alt), 1500)),
    ))
}

/// Figures of a kind, those of the headline's protocol and probe first.
pub(super) fn of_kind(figures: &[Figure], kind: Kind, headline: Option<&Headline<'_>>, most: usize) -> Value {
    let mut chosen: Vec<&Figure> = figures.iter().filter(|f| f.kind == kind).collect();
    if let Some(h) = headline {
        chosen.sort_by_key(|f| {
            (f.protocol.as_deref().is_some_and(|p| p != h.protocol), f.probe.as_deref().is_some_and(|p| p != h.probe))
        });
    }
    let all = chosen.len();
    some(&chosen, most, all, matches!(kind, Kind::Ladder | Kind::GScores))
}

/// Transfer maps of the headline's probe, or confusion matrices of its hardest split.
pub(super) fn of_headline(figures: &[Figure], kind: Kind, headline: Option<&Headline<'_>>, most: usize) -> Value {
    let all = figures.iter().filter(|f| f.kind == kind).count();
    let Some(h) = headline else { return some(&[], 0, all, false) };
    let here = |found: &Option<String>, wanted: &str| found.as_deref().is_none_or(|f| f == wanted);
    let chosen: Vec<&Figure> = figures
        .iter()
        .filter(|f| {
            f.kind == kind
                && here(&f.protocol, h.protocol)
                && here(&f.probe, h.probe)
                && here(&f.split, &h.hardest.split.split)
        })
        .collect();
    some(&chosen, most, all, false)
}

/// The first `most` of the chosen figures out of `all` of their kind.
fn some(chosen: &[&Figure], most: usize, all: usize, fold: bool) -> Value {
    let shown = chosen.len().min(most);
    context! {
        fold,
        pairs => shown > 1 && chosen.iter().all(|f| f.width < 720.0),
        figures => chosen.iter().take(most).map(|f| figure(f)).collect::<Vec<_>>(),
        left => (all > shown).then(|| format!("{} of this kind not shown here; all are in the folder figures/.", number::plural(all - shown, "more figure"))),
    }
}
