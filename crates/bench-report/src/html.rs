//! `report.html`: one file, no network, readable without scripts, at most five megabytes.
//!
//! The template escapes everything it is given; only images that this crate drew, percent-encoded,
//! are marked as safe. A content policy in the page forbids every load from outside and every
//! script but the one shipped, by its hash. Where a record is too large, parts are left out step
//! by step, and the page says which and where they are.

use base64::Engine;
use bench_core::{Card, RunRecord, digest};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value, context};

use crate::figure::{self, Figure, Kind};
use crate::table::{self, Cell, Shape, Table, letter, shown};
use crate::view::{Headline, View};
use crate::{Error, command, number, text, verdict};

/// Largest size of the page in bytes.
pub const MAX_BYTES: usize = 5_000_000;

const TEMPLATE: &str = include_str!("../assets/report.html");
const STYLE: &str = include_str!("../assets/report.css");
const SCRIPT: &str = include_str!("../assets/report.js");

/// Longest text in a `title` attribute, in characters.
const TITLE_CHARS: usize = 400;

/// How much goes into the page.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// Maps, and the resolution of their scatter layer.
    maps: usize,
    sharpness: f64,
    /// Confusion matrices, and transfer maps.
    matrices: usize,
    /// Ladders and bars of other protocols and probes.
    others: usize,
    /// Rows of a table.
    rows: usize,
}

/// From all to nothing; the first that fits is taken.
const BUDGETS: [Budget; 7] = [
    Budget { maps: 12, sharpness: 2.0, matrices: 4, others: 12, rows: 400 },
    Budget { maps: 12, sharpness: 1.5, matrices: 4, others: 12, rows: 300 },
    Budget { maps: 6, sharpness: 1.5, matrices: 4, others: 8, rows: 200 },
    Budget { maps: 3, sharpness: 1.5, matrices: 2, others: 4, rows: 100 },
    Budget { maps: 1, sharpness: 1.0, matrices: 1, others: 2, rows: 60 },
    Budget { maps: 0, sharpness: 1.0, matrices: 0, others: 0, rows: 40 },
    Budget { maps: 0, sharpness: 1.0, matrices: 0, others: 0, rows: 10 },
];

/// Models side by side in the breakdown tables.
const BREAKDOWN_MODELS: usize = 4;

/// The page of a record, without cards.
///
/// # Errors
/// As [`crate::render_with_cards`].
pub fn html(record: &RunRecord) -> Result<String, Error> {
    let view = View::new(record);
    let figures = figure::all(&view)?;
    page(&view, &figures, &[])
}

/// The page, from figures that are already drawn.
pub(crate) fn page(view: &View<'_>, figures: &[Figure], cards: &[Card]) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // The name's ending switches escaping on.
    environment.add_template("report.html", TEMPLATE)?;
    let template = environment.get_template("report.html")?;
    let mut bytes = 0;
    for budget in BUDGETS {
        let page = template.render(values(view, figures, cards, budget)?)?;
        if page.len() <= MAX_BYTES {
            return Ok(page);
        }
        bytes = page.len();
    }
    Err(Error::TooLarge { bytes, limit: MAX_BYTES })
}

fn values(view: &View<'_>, figures: &[Figure], cards: &[Card], budget: Budget) -> Result<Value, Error> {
    let record = view.record;
    let headline = view.headline();
    let sentences = verdict::stored_or_derived(record);
    let title = if record.suite.title.is_empty() { &record.suite.id } else { &record.suite.title };
    let trust = record.controls.iter().all(|c| c.holds != Some(false));
    Ok(context! {
        policy => policy(),
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        title => text::reason(title),
        run_id => text::name(&record.run_id),
        simulated => view.simulated(),
        trusted => trust,
        verdict => sentences.iter().map(|s| text::shorten(s, 2000)).collect::<Vec<_>>(),
        headline => headline.as_ref().map(|h| {
            let mut t = table::headline(view, h);
            t.note = table::formula(view, h);
            table_value(&t, budget.rows)
        }),
        facts => facts(view),
        ladders => of_kind(figures, Kind::Ladder, headline.as_ref(), budget.others.max(1)),
        bars => of_kind(figures, Kind::GScores, headline.as_ref(), budget.others.max(1)),
        results => results(view, headline.as_ref(), budget),
        trained => !record.training.is_empty(),
        paper_tables => tables(&paper_tables(view), budget.rows),
        training => of_kind(figures, Kind::Training, None, 1),
        training_tables => tables(&[table::training(view)], budget.rows),
        comparisons => tables(&[table::ranks(view), table::comparisons(view)], budget.rows),
        breakdown => headline.as_ref().map(|h| breakdown(view, h, budget)),
        transfer => of_headline(figures, Kind::Transfer, headline.as_ref(), budget.matrices),
        confusion => of_headline(figures, Kind::Confusion, headline.as_ref(), budget.matrices),
        probes => of_kind(figures, Kind::BatchProbes, None, budget.others.max(1)),
        probe_tables => tables(&[table::batch_probes(view)], budget.rows),
        confounding => of_kind(figures, Kind::Confounding, None, 1),
        confounding_tables => tables(&[table::confounding(view), single_levels(view)], budget.rows),
        confounding_notes => record.confounding.notes.iter().map(|n| text::reason(n)).collect::<Vec<_>>(),
        compounds => compounds(view),
        maps => maps(view, budget)?,
        control_tables => tables(&[table::controls(view)], budget.rows),
        warnings => record.warnings.iter().take(200).map(|w| text::shorten(w, 1000)).collect::<Vec<_>>(),
        more_warnings => record.warnings.len().saturating_sub(200),
        gap_tables => tables(&[table::missing(view)], budget.rows),
        audit_tables => tables(&[table::splits(view), table::fits(view)], budget.rows),
        essay => paragraphs(&record.suite.essay),
        cards => cards.iter().map(card_value).collect::<Vec<_>>(),
        citation => text::shorten(&record.suite.citation, 2000),
        command => command::shell(&record.command),
        provenance => provenance(view),
        provenance_tables => tables(&[models(view), settings(view), steps(view)], budget.rows.max(40)),
    })
}

/// The tables of the paper for models that this run trained.
fn paper_tables(view: &View<'_>) -> Vec<Table> {
    let mut tables = table::over_seeds(view);
    tables.extend(table::retrieval(view));
    tables.extend(table::generalisation(view));
    tables
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

fn figure_value(figure: &Figure) -> Value {
    context! {
        id => &figure.id,
        title => &figure.title,
        caption => text::shorten(&figure.caption, 3000),
        alt => text::shorten(&figure.alt, 1500),
        // Percent-encoded: no quote, no angle bracket, no ampersand is left in it.
        src => Value::from_safe_string(format!("data:image/svg+xml,{}", text::percent(&figure.svg))),
        width => figure.width.round() as i64,
        height => figure.height.round() as i64,
        tall => figure.height > figure.width,
    }
}

/// Figures of a kind, those of the headline's protocol and probe first.
fn of_kind(figures: &[Figure], kind: Kind, headline: Option<&Headline<'_>>, most: usize) -> Value {
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
fn of_headline(figures: &[Figure], kind: Kind, headline: Option<&Headline<'_>>, most: usize) -> Value {
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
        figures => chosen.iter().take(most).map(|f| figure_value(f)).collect::<Vec<_>>(),
        left => (all > shown).then(|| format!("{} of this kind not shown here; all are in the folder figures/.", number::plural(all - shown, "more figure"))),
    }
}

fn maps(view: &View<'_>, budget: Budget) -> Result<Value, Error> {
    let projections = &view.record.projections;
    let drawn: Vec<Figure> = projections
        .iter()
        .enumerate()
        .take(budget.maps)
        .map(|(at, p)| figure::umap_figure(view, at, p, budget.sharpness))
        .collect::<Result<_, _>>()?;
    let left = projections.len() - drawn.len();
    Ok(context! {
        figures => drawn.iter().map(figure_value).collect::<Vec<_>>(),
        left => (left > 0).then(|| format!("{} not shown here to keep the page under {} MB; all are in the folder figures/.", number::plural(left, "more map"), MAX_BYTES / 1_000_000)),
        none => projections.is_empty(),
    })
}

fn tables(list: &[Table], rows: usize) -> Value {
    Value::from(list.iter().filter(|t| !t.rows.is_empty()).map(|t| table_value(t, rows)).collect::<Vec<_>>())
}

fn table_value(table: &Table, most: usize) -> Value {
    let reasons = table.reasons();
    let more = table.rows.len().saturating_sub(most);
    let rows: Vec<Value> = table
        .rows
        .iter()
        .take(most)
        .map(|row| {
            Value::from(
                row.iter()
                    .zip(&table.columns)
                    .map(|(c, column)| cell_value(c, column.shape, &reasons))
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    context! {
        id => &table.id,
        title => &table.title,
        note => &table.note,
        columns => table.columns.iter().map(|c| context! {
            text => text::short(&c.title),
            full => full(&c.title),
            class => if c.shape == Shape::Text { "t" } else { "n" },
        }).collect::<Vec<_>>(),
        rows => rows,
        reasons => reasons.iter().enumerate().map(|(at, r)| context! { letter => letter(at), text => text::reason(r) }).collect::<Vec<_>>(),
        more => (more > 0).then(|| format!("{} left out here; all {} are in tables/{}.csv.", number::plural(more, "row"), number::count(table.rows.len()), table.id)),
    }
}

fn cell_value(cell: &Cell, shape: Shape, reasons: &[&str]) -> Value {
    let sort = match cell {
        Cell::Count(n) => Some(n.to_string()),
        Cell::Number(v) | Cell::Size(v) | Cell::Probability(v) | Cell::Spread(v, _) | Cell::Estimate(v, _) => {
            Some(v.to_string())
        }
        _ => None,
    };
    let title = match cell {
        Cell::Text(words) => full(words),
        Cell::Prose(words) if text::reason(words) != *words => Some(text::shorten(words, TITLE_CHARS)),
        Cell::Missing(reason) => Some(text::reason(reason)),
        _ => None,
    };
    context! {
        text => shown(cell, reasons),
        class => match (cell, shape) {
            (Cell::Missing(_), _) => "m",
            (Cell::Text(words), Shape::Text) if words.chars().count() <= 24 => "t s",
            (_, Shape::Text) => "t",
            _ => "n",
        },
        sort => sort,
        title => title,
        name => matches!(cell, Cell::Text(_) | Cell::Prose(_)),
    }
}

/// The full text for a tooltip, if it differs from what is shown.
fn full(words: &str) -> Option<String> {
    (text::short(words) != words).then(|| text::shorten(words, TITLE_CHARS))
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
            context! {
                first => at == 0,
                main => table_value(&table::main_results(view, protocol, probe), budget.rows),
                more => tables(&[scores], budget.rows),
                all => tables(&[table::metrics(view, protocol, probe)], budget.rows),
            }
        })
        .collect();
    Value::from(list)
}

fn breakdown(view: &View<'_>, headline: &Headline<'_>, budget: Budget) -> Value {
    let left = view.models().count().saturating_sub(BREAKDOWN_MODELS);
    context! {
        tables => tables(
            &[table::by_group(view, headline, BREAKDOWN_MODELS), table::by_class(view, headline, BREAKDOWN_MODELS)],
            budget.rows,
        ),
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

fn provenance(view: &View<'_>) -> Vec<Value> {
    let record = view.record;
    let (software, machine) = (&record.software, &record.machine);
    let dirty = match software.dirty {
        Some(true) => ", with local changes",
        Some(false) => "",
        None => ", local changes unknown",
    };
    let rows = [
        ("Run", record.run_id.clone()),
        ("Suite", format!("{} version {}, SHA-256 {}", record.suite.id, record.suite.version, record.suite.digest)),
        ("Seed", record.seed.to_string()),
        ("Program", format!("{}, commit {}{dirty}", software.version, software.commit.as_deref().unwrap_or("unknown"))),
        ("Lock file", software.lockfile.clone()),
        (
            "Machine",
            format!(
                "{}, {}, {}, {}",
                machine.platform,
                machine.device,
                machine.dtype,
                number::plural(machine.threads, "thread")
            ),
        ),
        ("Scores digest", record.scores_digest.clone()),
        ("Record digest", record.record_digest.clone()),
        ("Record layout", format!("version {}", record.schema_version)),
    ];
    rows.into_iter().map(|(what, value)| context! { what, value => text::reason(&value) }).collect()
}

fn models(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "embeddings",
        "Embeddings",
        "What was read, and what was understood of it.",
        &[
            ("model", Shape::Text),
            ("kind", Shape::Text),
            ("rows", Shape::Number),
            ("control rows", Shape::Number),
            ("features", Shape::Number),
            ("origin", Shape::Text),
            ("understood", Shape::Text),
            ("left out", Shape::Text),
            ("SHA-256", Shape::Text),
        ],
    );
    for m in view.models_and_controls() {
        let dropped: Vec<String> =
            m.dropped.iter().map(|(why, n)| format!("{} rows: {why}", number::count(*n))).collect();
        table.rows.push(vec![
            Cell::Text(m.name.clone()),
            Cell::Text(if view.is_control(&m.name) { "control" } else { "model" }.to_owned()),
            Cell::Count(m.rows),
            Cell::Count(m.control_rows),
            Cell::Count(m.dims),
            Cell::Prose(m.origin.clone()),
            Cell::Prose(m.understood.join("; ")),
            Cell::Prose(if dropped.is_empty() { "none".to_owned() } else { dropped.join("; ") }),
            Cell::Prose(m.digest.clone()),
        ]);
    }
    table
}

fn settings(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "settings",
        "Resolved configuration",
        "Every value and where it came from.",
        &[("key", Shape::Text), ("value", Shape::Text), ("origin", Shape::Text)],
    );
    for s in &view.record.settings {
        table.rows.push(vec![Cell::Text(s.key.clone()), Cell::Prose(s.value.clone()), Cell::Text(s.origin.clone())]);
    }
    table
}

fn steps(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "steps",
        "Steps",
        "Wall-clock seconds each step took when it was computed.",
        &[("step", Shape::Text), ("seconds", Shape::Number), ("state", Shape::Text)],
    );
    for s in &view.record.steps {
        let state = match s.cache {
            bench_core::record::CacheState::Computed => "computed",
            bench_core::record::CacheState::Reused => "reused",
        };
        table.rows.push(vec![Cell::Text(s.name.clone()), Cell::Size(s.seconds), Cell::Text(state.to_owned())]);
    }
    table
}

/// The essay's paragraphs; lines inside one are kept.
fn paragraphs(essay: &str) -> Vec<String> {
    essay
        .replace("\r\n", "\n")
        .split("\n\n")
        .map(|p| p.lines().map(text::visible).collect::<Vec<_>>().join("\n").trim().to_owned())
        .filter(|p| !p.is_empty())
        .map(|p| p.chars().take(8000).collect())
        .collect()
}

fn card_value(card: &Card) -> Value {
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
