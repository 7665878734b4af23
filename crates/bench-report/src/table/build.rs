//! The main tables: accuracy by split, G-scores, all metrics.

use super::{Cell, Column, Shape, Table, or_missing};
use crate::text;
use crate::verdict::at_chance;
use crate::view::{self, View, g_symbol, probe_title};

/// Accuracy of every model and control on every split, mean and standard deviation over repeats.
pub(crate) fn main_results(view: &View<'_>, protocol: &str, probe: &str) -> Table {
    let splits = view.splits(protocol);
    let mut table = Table::new(
        &format!("results-{}-{}", text::slug(protocol), text::slug(probe)),
        &format!("Accuracy, {} protocol, {}", text::name(protocol), probe_title(probe)),
        &format!(
            "Mean ± standard deviation over repeats; pooled splits have one repeat and no deviation. Chance: {} (most frequent label), {} (fair guess).",
            crate::number::fixed(view.record.data.majority),
            crate::number::fixed(view.record.data.uniform)
        ),
        &[("model", Shape::Text), ("kind", Shape::Text)],
    );
    table.columns.extend(splits.iter().map(|s| Column { title: (*s).to_owned(), shape: Shape::Spread }));
    for model in view.models_and_controls() {
        let cells: Vec<Cell> = splits
            .iter()
            .map(|split| match view.summary(&model.name, protocol, split, probe, "accuracy") {
                Some(s) => or_missing(s.value, s.reason.as_deref(), |v| Cell::Spread(v, s.sd)),
                None => match view.split(protocol, split).and_then(|s| s.reason.as_deref()) {
                    Some(reason) => Cell::Missing(view::why(Some(reason))),
                    None => Cell::Missing("not scored".to_owned()),
                },
            })
            .collect();
        // A model that this protocol and probe never met has no row.
        if cells.iter().all(|c| matches!(c, Cell::Missing(r) if r == "not scored")) {
            continue;
        }
        let mut row = vec![Cell::Text(model.name.clone()), Cell::Text(kind(view, &model.name).to_owned())];
        row.extend(cells);
        table.rows.push(row);
    }
    table
}

/// G, chance-corrected G* and gap of every model and split, with intervals.
pub(crate) fn g_scores(view: &View<'_>, protocol: &str, probe: &str) -> Table {
    let of_pair = || view.record.summaries.iter().filter(|s| s.protocol == protocol && s.probe == probe);
    let methods = view::interval_methods(
        of_pair().filter(|s| matches!(s.quantity.as_str(), "g" | "g-star" | "gap")).filter_map(view::spread),
    );
    let methods = if methods.is_empty() {
        "no interval was computed".to_owned()
    } else {
        format!("95 % {methods} intervals of the cluster bootstrap")
    };
    let mut table = Table::new(
        &format!("g-scores-{}-{}", text::slug(protocol), text::slug(probe)),
        &format!("G-scores, {} protocol, {}", text::name(protocol), probe_title(probe)),
        &format!(
            "G = accuracy / accuracy on random splits; G* = the same with chance subtracted from both; gap = accuracy on random splits − accuracy; {methods}. A model at chance on random splits has no meaningful G."
        ),
        &[
            ("model", Shape::Text),
            ("kind", Shape::Text),
            ("split", Shape::Text),
            ("score", Shape::Text),
            ("G", Shape::Estimate),
            ("G*", Shape::Estimate),
            ("gap", Shape::Estimate),
            ("resampled", Shape::Text),
            ("remark", Shape::Text),
        ],
    );
    for model in view.models_and_controls() {
        for split in view.splits(protocol) {
            let find = |quantity: &str| view.summary(&model.name, protocol, split, probe, quantity);
            let all = ["g", "g-star", "gap"].map(find);
            if all.iter().all(Option::is_none) {
                continue;
            }
            let cluster = all.iter().flatten().find_map(|s| s.cluster.as_ref());
            let chance = at_chance(view, &model.name, protocol, probe);
            let mut row = vec![
                Cell::Text(model.name.clone()),
                Cell::Text(kind(view, &model.name).to_owned()),
                Cell::Text(split.to_owned()),
                // Splits without a symbol of their own are named in the column before.
                Cell::Text(Some(g_symbol(split)).filter(|s| !s.contains('(')).unwrap_or_else(|| "G".to_owned())),
            ];
            row.extend(all.map(|s| match s {
                Some(s) => {
                    or_missing(s.value, s.reason.as_deref(), |v| Cell::Estimate(v, view::spread(s).map(|x| x.interval)))
                }
                None => Cell::Missing("not computed".to_owned()),
            }));
            row.push(cluster.map_or(Cell::Blank, |(unit, n)| Cell::Text(format!("{n} × {unit}"))));
            row.push(if chance { Cell::Text("at chance".to_owned()) } else { Cell::Blank });
            table.rows.push(row);
        }
    }
    table
}

/// Every metric of every model and split, means over repeats (deviations in the CSV).
pub(crate) fn metrics(view: &View<'_>, protocol: &str, probe: &str) -> Table {
    let metrics = view.metrics(protocol, probe);
    let mut table = Table::new(
        &format!("metrics-{}-{}", text::slug(protocol), text::slug(probe)),
        &format!("All metrics, {} protocol, {}", text::name(protocol), probe_title(probe)),
        "Mean ± standard deviation over repeats.",
        &[("model", Shape::Text), ("kind", Shape::Text), ("split", Shape::Text)],
    );
    table.columns.extend(metrics.iter().map(|m| Column { title: (*m).to_owned(), shape: Shape::Spread }));
    for model in view.models_and_controls() {
        for split in view.splits(protocol) {
            let found: Vec<_> = metrics.iter().map(|m| view.summary(&model.name, protocol, split, probe, m)).collect();
            if found.iter().all(Option::is_none) {
                continue;
            }
            let mut row = vec![
                Cell::Text(model.name.clone()),
                Cell::Text(kind(view, &model.name).to_owned()),
                Cell::Text(split.to_owned()),
            ];
            row.extend(found.iter().map(|s| match s {
                Some(s) => or_missing(s.value, s.reason.as_deref(), |v| Cell::Spread(v, s.sd)),
                None => Cell::Blank,
            }));
            table.rows.push(row);
        }
    }
    table
}

/// `model` or `control`.
pub(super) fn kind(view: &View<'_>, model: &str) -> &'static str {
    if view.is_control(model) { "control" } else { "model" }
}

/// The headline in numbers: G, G* and gap on the hardest split beside the accuracies that they
/// are made of, and how well the origin can be read.
pub(crate) fn headline(view: &View<'_>, headline: &view::Headline<'_>) -> Table {
    let (base, hardest) = (&headline.base.split.split, &headline.hardest.split.split);
    let symbol = g_symbol(hardest);
    let origin = match headline.hardest.split.unit.as_str() {
        unit @ ("source" | "batch" | "plate") => unit,
        _ => "source",
    };
    let mut table = Table::new(
        "headline",
        &format!("Headline, {} protocol, {}", text::name(headline.protocol), probe_title(headline.probe)),
        "",
        &[
            ("model", Shape::Text),
            (&symbol, Shape::Estimate),
            ("G*", Shape::Estimate),
            (&format!("accuracy, {}", headline.base.title), Shape::Estimate),
            (&format!("accuracy, {}", headline.hardest.title), Shape::Estimate),
            (&format!("{origin} readable"), Shape::Number),
        ],
    );
    for model in view.models() {
        let estimate = |split: &str, quantity: &str| match view.summary(
            &model.name,
            headline.protocol,
            split,
            headline.probe,
            quantity,
        ) {
            Some(s) => {
                or_missing(s.value, s.reason.as_deref(), |v| Cell::Estimate(v, view::spread(s).map(|x| x.interval)))
            }
            None => Cell::Missing("not computed".to_owned()),
        };
        let readable = match view.batch_probe(&model.name, origin) {
            Some(p) => or_missing(p.corrected, p.reason.as_deref(), Cell::Number),
            None => Cell::Missing("not asked for".to_owned()),
        };
        table.rows.push(vec![
            Cell::Text(model.name.clone()),
            estimate(hardest, "g"),
            estimate(hardest, "g-star"),
            estimate(base, "accuracy"),
            estimate(hardest, "accuracy"),
            readable,
        ]);
    }
    table
}

/// Recall per class on the random and on the hardest split, side by side for the first models.
pub(crate) fn by_class(view: &View<'_>, headline: &view::Headline<'_>, models: usize) -> Table {
    let models: Vec<&str> = view.models().take(models).map(|m| m.name.as_str()).collect();
    let rungs = [&headline.base, &headline.hardest];
    let found: std::collections::BTreeMap<(&str, &str, &str), &bench_core::record::ClassScore> = view
        .record
        .per_class
        .iter()
        .filter(|c| c.protocol == headline.protocol && c.probe == headline.probe)
        .map(|c| ((c.model.as_str(), c.split.as_str(), c.class.as_str()), c))
        .collect();
    let mut table = Table::new(
        "recall-per-class",
        "Recall per label",
        &format!(
            "Share of a label's test rows that are recognised, over pooled repeats; {} protocol, {}.",
            text::name(headline.protocol),
            probe_title(headline.probe)
        ),
        &[("label", Shape::Text), ("rows", Shape::Number)],
    );
    for model in &models {
        for rung in &rungs {
            table
                .columns
                .push(Column { title: format!("{}, {}", text::shorten(model, 18), rung.title), shape: Shape::Number });
        }
    }
    for (label, rows) in &view.record.data.labels {
        let mut row = vec![Cell::Text(label.clone()), Cell::Count(*rows)];
        for model in &models {
            for rung in &rungs {
                row.push(match found.get(&(*model, rung.split.split.as_str(), label.as_str())) {
                    Some(c) => {
                        c.recall.map_or_else(|| Cell::Missing("no test rows of the label".to_owned()), Cell::Number)
                    }
                    None => Cell::Missing("not scored".to_owned()),
                });
            }
        }
        table.rows.push(row);
    }
    let scored = |cell: &Cell| !matches!(cell, Cell::Missing(r) if r == "not scored");
    if !table.rows.iter().any(|r| r[2..].iter().any(scored)) {
        table.rows.clear();
    }
    table
}

/// Accuracy per held-out group of the hardest split, side by side for the first models.
pub(crate) fn by_group(view: &View<'_>, headline: &view::Headline<'_>, models: usize) -> Table {
    let models: Vec<&str> = view.models().take(models).map(|m| m.name.as_str()).collect();
    let here: Vec<_> = view
        .record
        .per_group
        .iter()
        .filter(|g| {
            g.protocol == headline.protocol && g.probe == headline.probe && g.split == headline.hardest.split.split
        })
        .collect();
    let unit = &headline.hardest.split.unit;
    let mut table = Table::new(
        "accuracy-per-group",
        &format!("Accuracy per held-out {}", text::name(unit)),
        &format!(
            "Over the test rows of all repeats that held the group out; {} protocol, {}, {}.",
            text::name(headline.protocol),
            probe_title(headline.probe),
            text::name(&headline.hardest.split.split)
        ),
        &[(unit.as_str(), Shape::Text), ("n test", Shape::Number)],
    );
    table.columns.extend(models.iter().map(|m| Column { title: (*m).to_owned(), shape: Shape::Number }));
    for group in view::distinct(here.iter().map(|g| g.group.as_str())) {
        let of_group: Vec<_> = here.iter().filter(|g| g.group == group).collect();
        let n = of_group.iter().map(|g| g.n_test).max().unwrap_or(0);
        let mut row = vec![Cell::Text(group.to_owned()), Cell::Count(n)];
        row.extend(models.iter().map(|m| match of_group.iter().find(|g| g.model == *m) {
            Some(g) => g.accuracy.map_or_else(|| Cell::Missing("never tested".to_owned()), Cell::Number),
            None => Cell::Missing("not scored".to_owned()),
        }));
        table.rows.push(row);
    }
    table
}

/// How a headline number is made, in words.
pub(crate) fn formula(view: &View<'_>, headline: &view::Headline<'_>) -> String {
    format!(
        "{symbol} = accuracy on {hard} ÷ accuracy on {base}; {how}. 1 means that nothing is lost; always guessing the most frequent label has an accuracy of {chance}. G* is the same ratio with chance subtracted from both accuracies. Brackets are 95 % intervals of the cluster bootstrap.",
        symbol = g_symbol(&headline.hardest.split.split),
        hard = headline.hardest.noun,
        base = headline.base.noun,
        how = format_args!("{} protocol, {}", text::name(headline.protocol), probe_title(headline.probe)),
        chance = crate::number::fixed(view.chance()),
    )
}
