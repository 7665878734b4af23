//! `report.html`: one file, no network, readable without scripts, at most five megabytes.
//!
//! The template escapes everything it is given; only drawings of this crate and the points of
//! maps, whose angle brackets are encoded, are marked as safe. A content policy in the page
//! forbids every load from outside and every script but the one shipped, by its hash. Where a
//! record is too large, parts are left out step by step, and the page says which and where they
//! are.
//!
//! # What the script adds
//! Sorting, filters and copies of tables, maps that can be explored, the theme switch, and
//! downloads that work when the page has left its folder. Without it the same links lead to the
//! files beside the page, and the maps are still figures.

use std::collections::BTreeMap;

use base64::Engine;
use bench_core::{Card, RunRecord, digest};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value, context};

use crate::figure::{self, Figure, Kind};
use crate::table::{self, Cell, Shape, Table};
use crate::view::{Headline, View, g_symbol};
use crate::{Error, command, number, text, verdict};

mod citation;
mod drill;
mod figures;
mod grid;
mod maps;
mod methods;
mod plates;
mod provenance;

/// Largest size of the page in bytes.
pub const MAX_BYTES: usize = 5_000_000;

const TEMPLATE: &str = include_str!("../../assets/report.html");
const STYLE: &str = include_str!("../../assets/report.css");
const SCRIPT: &str = include_str!("../../assets/report.js");

/// How much goes into the page.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// Still maps, and the resolution of their scatter layer.
    maps: usize,
    sharpness: f64,
    /// Maps to explore, and points in each.
    live: usize,
    points: usize,
    /// Confusion matrices, and transfer maps.
    matrices: usize,
    /// Ladders and bars of other protocols and probes.
    others: usize,
    /// Rows of a table.
    rows: usize,
    /// Groups and labels with a fold of their own.
    folds: usize,
    /// Bytes of the data behind one figure.
    data: usize,
    /// Wells that can be looked at plate by plate.
    wells: usize,
    /// Embedding metrics in the fold of a label or a group.
    parts: usize,
}

/// From all to nothing; the first that fits is taken.
#[rustfmt::skip]
const BUDGETS: [Budget; 8] = [
    Budget { maps: 12, sharpness: 2.0, live: 12, points: 50_000, matrices: 4, others: 12, rows: 400, folds: 60, data: 200_000, wells: 60_000, parts: 80 },
    Budget { maps: 12, sharpness: 1.5, live: 12, points: 50_000, matrices: 4, others: 12, rows: 300, folds: 60, data: 100_000, wells: 40_000, parts: 80 },
    Budget { maps: 4, sharpness: 1.0, live: 8, points: 50_000, matrices: 4, others: 8, rows: 200, folds: 40, data: 50_000, wells: 20_000, parts: 60 },
    Budget { maps: 4, sharpness: 1.0, live: 6, points: 20_000, matrices: 2, others: 4, rows: 100, folds: 30, data: 50_000, wells: 20_000, parts: 40 },
    Budget { maps: 2, sharpness: 1.0, live: 6, points: 10_000, matrices: 2, others: 4, rows: 100, folds: 20, data: 20_000, wells: 10_000, parts: 30 },
    Budget { maps: 1, sharpness: 1.0, live: 3, points: 5000, matrices: 1, others: 2, rows: 60, folds: 12, data: 10_000, wells: 5000, parts: 20 },
    Budget { maps: 0, sharpness: 1.0, live: 0, points: 0, matrices: 0, others: 0, rows: 40, folds: 6, data: 0, wells: 0, parts: 10 },
    Budget { maps: 0, sharpness: 1.0, live: 0, points: 0, matrices: 0, others: 0, rows: 10, folds: 0, data: 0, wells: 0, parts: 0 },
];

/// Models side by side in the breakdown tables, and in large figures at the top.
const BREAKDOWN_MODELS: usize = 4;

/// What the page shows besides the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// Cards of the kinds that the suite uses, for the methods section.
    pub cards: &'a [Card],
    /// What changed since a baseline; without it the page says how to name one.
    pub changes: Option<&'a Changes>,
    /// Tables of a metric suite on embeddings; without any the page has no such section.
    pub metric_suite: &'a [Table],
}

/// What changed since a baseline, in words and tables.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Which run, or runs, the baseline is, in words.
    pub baseline: String,
    /// What changed, one sentence each; the first says whether a gate failed.
    pub sentences: Vec<String>,
    /// Differences with intervals.
    pub tables: Vec<Table>,
}

/// The page of a record alone.
///
/// # Errors
/// As [`crate::render_with_cards`].
pub fn html(record: &RunRecord) -> Result<String, Error> {
    html_with(record, &Extras::default())
}

/// The page of a record with what else there is to show.
///
/// # Errors
/// As [`crate::render_with_cards`].
pub fn html_with(record: &RunRecord, extras: &Extras<'_>) -> Result<String, Error> {
    let view = View::new(record);
    let figures = figure::all(&view)?;
    let tables = table::all(&view);
    page(&view, &figures, &tables, extras)
}

/// The page, from figures and tables that are already made.
pub(crate) fn page(
    view: &View<'_>,
    figures: &[Figure],
    tables: &[Table],
    extras: &Extras<'_>,
) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // The name's ending switches escaping on.
    environment.add_template("report.html", TEMPLATE)?;
    let template = environment.get_template("report.html")?;
    let mut bytes = 0;
    for budget in BUDGETS {
        let page = template.render(values(view, figures, tables, extras, budget)?)?;
        if page.len() <= MAX_BYTES {
            return Ok(page);
        }
        bytes = page.len();
    }
    Err(Error::TooLarge { bytes, limit: MAX_BYTES })
}

fn values(
    view: &View<'_>,
    drawn: &[Figure],
    written: &[Table],
    extras: &Extras<'_>,
    budget: Budget,
) -> Result<Value, Error> {
    let record = view.record;
    let headline = view.headline();
    let headline = headline.as_ref();
    let sentences = verdict::stored_or_derived(record);
    let title = if record.suite.title.is_empty() { &record.suite.id } else { &record.suite.title };
    let trust = record.controls.iter().all(|c| c.holds != Some(false));
    let trained = !record.training.is_empty();
    let tables = |list: &[Table]| grid::tables(list, budget.rows);
    let of_kind = |kind: Kind, most: usize| figures::of_kind(drawn, kind, headline, most);
    Ok(context! {
        policy => policy(),
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        data => Value::from_safe_string(data(view, drawn, budget)),
        title => text::reason(title),
        run_id => text::name(&record.run_id),
        simulated => view.simulated(),
        trusted => trust,
        verdict => sentences.iter().map(|s| text::shorten(s, 2000)).collect::<Vec<_>>(),
        large => headline.map(|h| large(view, h)),
        formula => headline.map(|h| table::formula(view, h)),
        headline => headline.map(|h| grid::table(&table::headline(view, h), budget.rows)),
        facts => facts(view),
        ladders => of_kind(Kind::Ladder, budget.others.max(1)),
        bars => of_kind(Kind::GScores, budget.others.max(1)),
        results => results(view, headline, budget),
        changes => extras.changes.map(|c| changes(c, budget)),
        aggregate => of_kind(Kind::Aggregate, 1),
        trade_off => of_kind(Kind::TradeOff, 1),
        control_curve => of_kind(Kind::ControlCurve, budget.others.max(1)),
        bare_totals => crate::standing::first(view).is_none() && !record.embedding_totals.is_empty(),
        plates => plates::section(view, drawn, budget),
        trained => trained,
        retrieval => tables(&table::retrieval(view)),
        paper_tables => tables(&paper_tables(view)),
        training => of_kind(Kind::Training, 1),
        training_tables => tables(&[table::training(view)]),
        metric_suite => tables(&[table::given(view), table::embedding(view), extras.metric_suite.to_vec()].concat()),
        comparisons => tables(&[table::ranks(view), table::comparisons(view)]),
        breakdown => headline.map(|h| breakdown(view, h, budget)),
        drill => headline.map(|h| drill::drill(view, h, budget)),
        transfer => figures::of_headline(drawn, Kind::Transfer, headline, budget.matrices),
        confusion => figures::of_headline(drawn, Kind::Confusion, headline, budget.matrices),
        probes => of_kind(Kind::BatchProbes, budget.others.max(1)),
        probe_tables => tables(&[table::batch_probes(view)]),
        confounding => of_kind(Kind::Confounding, 1),
        confounding_tables => tables(&[table::confounding(view), single_levels(view)]),
        confounding_notes => record.confounding.notes.iter().map(|n| text::reason(n)).collect::<Vec<_>>(),
        compounds => compounds(view),
        maps => maps::stills(view, budget)?,
        control_tables => tables(&[table::controls(view)]),
        warnings => record.warnings.iter().take(200).map(|w| text::shorten(w, 1000)).collect::<Vec<_>>(),
        more_warnings => record.warnings.len().saturating_sub(200),
        gaps => tables(&[table::gaps(view)]),
        gap_tables => tables(&[table::missing(view)]),
        audit_tables => tables(&[table::splits(view), table::fits(view)]),
        essay => methods::essay(&record.suite.essay),
        methodology => methods::methodology(trained),
        bias => methods::bias(),
        cards => extras.cards.iter().map(card).collect::<Vec<_>>(),
        dataset => record.suite.dataset.as_ref().map(|d| context! {
            title => text::reason(&d.title),
            id => text::name(&d.id),
            licence => text::reason(&d.licence),
            citation => text::shorten(&d.citation, 2000),
        }),
        citation => text::shorten(&record.suite.citation, 2000),
        bibtex => citation::bibtex(record),
        command => command::shell(&record.command),
        provenance => provenance::identity(view),
        provenance_tables => grid::tables(&provenance::tables(view), budget.rows.max(40)),
        downloads => provenance::downloads(view, drawn, written),
    })
}

/// Nothing from outside; the style and the script shipped here, by their hashes.
fn policy() -> String {
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

pub(crate) fn hash(content: &str) -> String {
    let hex = digest::of_bytes(content.as_bytes());
    let bytes: Vec<u8> =
        (0..hex.len() / 2).filter_map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()).collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// What the script reads: the points of maps, and the numbers behind figures as CSV. Angle
/// brackets and ampersands are written as escapes, so no name can end the element.
fn data(view: &View<'_>, figures: &[Figure], budget: Budget) -> String {
    let behind: BTreeMap<&str, String> = figures
        .iter()
        .filter(|f| f.kind != Kind::Projection)
        .filter_map(|f| Some((f.id.as_str(), table::behind(view, f)?.csv())))
        .filter(|(_, csv)| csv.len() <= budget.data)
        .collect();
    let all = serde_json::json!({
        "run": text::shorten(&view.record.run_id, 200),
        "behind": behind,
        "maps": maps::points(view, budget),
        "plates": plates::wells(view, budget),
    });
    all.to_string()
        .chars()
        .map(|c| match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{7F}'..='\u{9F}' => format!("\\u{:04x}", u32::from(c)),
            // Names in the data behind figures are in full; what turns text around is not needed raw.
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
                format!("\\u{:04x}", u32::from(c))
            }
            c => c.to_string(),
        })
        .collect()
}

/// The headline of each model in large figures: G with its interval, and what it is made of.
fn large(view: &View<'_>, headline: &Headline<'_>) -> Vec<Value> {
    let find = |model: &str, split: &str, quantity: &str| {
        view.summary(model, headline.protocol, split, headline.probe, quantity)
    };
    let (base, hardest) = (&headline.base, &headline.hardest);
    view.models()
        .take(BREAKDOWN_MODELS)
        .enumerate()
        .map(|(at, model)| {
            let g = find(&model.name, &hardest.split.split, "g");
            let accuracy = |split: &str| find(&model.name, split, "accuracy").and_then(|s| s.value).map(number::fixed);
            let interval = g.and_then(crate::view::spread);
            let scale = |v: f64| 100.0 * v.clamp(0.0, 1.25);
            context! {
                at => at % 8,
                model => text::short(&model.name),
                symbol => g_symbol(&hardest.split.split),
                value => g.and_then(|s| s.value).map(number::coarse),
                interval => interval.map(|s| number::coarse_interval(s.interval)),
                method => interval.map(|s| s.method),
                reason => g.map_or_else(|| "not computed".to_owned(), |s| crate::view::why(s.reason.as_deref())),
                hard => accuracy(&hardest.split.split),
                easy => accuracy(&base.split.split),
                hard_words => &hardest.noun,
                easy_words => &base.noun,
                at_chance => verdict::at_chance(view, &model.name, headline.protocol, headline.probe),
                point => g.and_then(|s| s.value).map(scale),
                low => interval.map(|s| scale(s.interval.low)),
                span => interval.map(|s| scale(s.interval.high) - scale(s.interval.low)),
            }
        })
        .collect()
}

fn changes(changes: &Changes, budget: Budget) -> Value {
    context! {
        baseline => text::reason(&changes.baseline),
        sentences => changes.sentences.iter().take(50).map(|s| text::shorten(s, 1000)).collect::<Vec<_>>(),
        tables => grid::tables(&changes.tables, budget.rows),
    }
}

/// The tables of the paper for models that this run trained.
fn paper_tables(view: &View<'_>) -> Vec<Table> {
    let mut tables = table::over_seeds(view);
    tables.extend(table::generalisation(view));
    tables
}

fn results(view: &View<'_>, headline: Option<&Headline<'_>>, budget: Budget) -> Value {
    let mut pairs = view.protocols_and_probes();
    if let Some(h) = headline {
        pairs.sort_by_key(|(protocol, probe)| (*protocol != h.protocol, *probe != h.probe));
    }
    let list: Vec<Value> = pairs
        .into_iter()
        .enumerate()
        .map(|(at, (protocol, probe))| {
            let mut scores = table::g_scores(view, protocol, probe);
            let all = scores.rows.len();
            scores.rows.retain(|row| row.get(1) != Some(&Cell::Text("control".to_owned())));
            if scores.rows.len() < all {
                scores.note.push_str(&format!(" Controls are in tables/{}.csv.", scores.id));
            }
            let board = table::leaderboard(view, protocol, probe);
            let spread = table::main_results(view, protocol, probe);
            context! {
                first => at == 0,
                title => format!("{} protocol, {}", text::name(protocol), crate::view::probe_title(probe)),
                board => grid::tables(std::slice::from_ref(&board), budget.rows),
                more => grid::tables(&[scores], budget.rows),
                folded => grid::tables(&[spread, table::metrics(view, protocol, probe)], budget.rows),
            }
        })
        .collect();
    Value::from(list)
}

fn breakdown(view: &View<'_>, headline: &Headline<'_>, budget: Budget) -> Value {
    let left = view.models().count().saturating_sub(BREAKDOWN_MODELS);
    context! {
        groups => grid::tables(&[table::by_group(view, headline, BREAKDOWN_MODELS)], budget.rows),
        labels => grid::tables(&[table::by_class(view, headline, BREAKDOWN_MODELS)], budget.rows),
        left => (left > 0).then(|| format!("{} not shown here; tables/per-class.csv and tables/per-group.csv have all.", number::plural(left, "more model"))),
    }
}

/// Labels that occur in one level only of a unit.
fn single_levels(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "single-levels",
        "Labels that occur in one level only",
        "For these labels the unit cannot be held out: they would be missing from training or from the test.",
        &[("unit", Shape::Text), ("label", Shape::Text), ("only level", Shape::Text), ("rows", Shape::Number)],
    );
    for s in &view.record.confounding.single {
        table.rows.push(vec![
            Cell::Text(s.unit.clone()),
            Cell::Text(s.label.clone()),
            Cell::Text(s.level.clone()),
            Cell::Count(s.rows),
        ]);
    }
    table
}

fn compounds(view: &View<'_>) -> Option<String> {
    let c = &view.record.confounding;
    (c.compounds > 0).then(|| {
        format!(
            "{} of {} occur in one well position only; for these, compound and position cannot be told apart.",
            number::count(c.single_position_compounds),
            number::plural(c.compounds, "compound")
        )
    })
}

/// The line of sizes under the verdict.
fn facts(view: &View<'_>) -> Vec<Value> {
    let data = &view.record.data;
    let mut facts = vec![
        (text::short(&data.label), "label column".to_owned()),
        (number::count(data.labels.len()), "labels".to_owned()),
        (number::count(data.rows), "labelled rows".to_owned()),
    ];
    facts.extend(data.units.iter().take(6).map(|(unit, n)| (number::count(*n), crate::view::plural_of(unit))));
    facts.push((number::fixed(view.chance()), "chance accuracy".to_owned()));
    facts.into_iter().map(|(value, what)| context! { value, what }).collect()
}

fn card(card: &Card) -> Value {
    context! {
        id => card.id,
        title => card.title,
        what => card.what,
        formula => card.formula,
        limits => card.limits,
        reference => card.reference,
        range => format!("{}{}", card.range, match card.better {
            "higher" => ", higher is better",
            "lower" => ", lower is better",
            _ => "",
        }),
    }
}
