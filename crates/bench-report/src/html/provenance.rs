//! Provenance: what ran, on what, from what, and every file beside the page.

use minijinja::{Value, context};

use crate::figure::Figure;
use crate::number;
use crate::table::{Cell, Shape, Table};
use crate::text;
use crate::view::View;

/// Identity of the run in pairs of words.
pub(super) fn identity(view: &View<'_>) -> Vec<Value> {
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

/// Embeddings, settings and steps.
pub(super) fn tables(view: &View<'_>) -> Vec<Table> {
    vec![models(view), settings(view), steps(view)]
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

/// Links to the files of the run, which lie beside the page.
pub(super) fn downloads(view: &View<'_>, figures: &[Figure], tables: &[Table]) -> Value {
    let link = |path: &str, what: &str| context! { path, what };
    let mut main = vec![
        link("record.json", "everything, the only input of this page"),
        link("scores.csv", "every raw score"),
        link("summary.md", "the summary as Markdown"),
        link("junit.xml", "control rules as test cases"),
    ];
    let has_parts = view.record.embedding_scores.iter().any(|score| !score.parts.is_empty());
    main.extend(
        has_parts.then(|| link("tables/embedding-parts.csv", "embedding metrics by label, compound, source, pair")),
    );
    let has_wells = crate::plates::plates(view).is_ok() && !crate::plates::outcomes(view).is_empty();
    main.extend(has_wells.then(|| link("tables/wells.csv", "every tested well with its counts")));
    // Written before the page is; their names come from a run, so only plain ones are linked.
    let listed = view.record.outputs.iter().map(|o| o.path.as_str());
    let of_run = listed.filter(|p| {
        p.split_once('/').is_some_and(|(folder, _)| ["embeddings", "predictions", "projection"].contains(&folder))
            || *p == "splits.parquet"
    });
    main.extend(of_run.filter(|p| plain(p)).take(200).map(|p| link(p, "")));
    context! {
        main => main,
        figures => figures.iter().map(|f| context! { id => &f.id, title => &f.title }).collect::<Vec<_>>(),
        tables => tables.iter().map(|t| context! { id => &t.id, title => &t.title }).collect::<Vec<_>>(),
    }
}

/// Letters, digits, `-`, `_`, `.` and `/`, and no way upwards.
fn plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !path.contains("..")
        && !path.starts_with('/')
}
