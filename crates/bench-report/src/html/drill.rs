//! Drill-down: what is known of one held-out group, and of one label, folded under its name.
//!
//! The tables before it compare all of them under the headline's protocol and probe; here stands
//! the rest of the record: every protocol, split and probe of a group, transfer from and to a
//! source, what a label is taken for, and the embedding metrics that are measured by source or by label.

use std::collections::BTreeMap;

use bench_core::record::{ClassScore, EmbeddingScore, GroupScore};
use minijinja::{Value, context};

use super::{Budget, grid};
use crate::table::{Cell, Column, Shape, Table};
use crate::view::{Headline, View, distinct, probe_title};
use crate::{number, text};

/// Models with a bar beside a name.
const BAR_MODELS: usize = 4;

/// Width of a bar at a value of one, in its own units.
const BAR: f64 = 60.0;

/// Wrong answers named per model.
const MISTAKES: usize = 3;

/// A fold per held-out group, and one per label.
pub(super) fn drill(view: &View<'_>, headline: &Headline<'_>, budget: Budget) -> Value {
    let models: Vec<&str> = view.models().take(BAR_MODELS).map(|m| m.name.as_str()).collect();
    let unit = headline.hardest.split.unit.as_str();
    let groups = distinct(view.record.per_group.iter().filter(|g| g.unit == unit).map(|g| g.group.as_str()));
    let labels: Vec<&(String, usize)> = view.record.data.labels.iter().collect();
    let of_labels = !view.record.per_class.is_empty();
    let parts = Parts::new(view, &models, budget.parts);
    let left = |all: usize, file: &str| {
        let left = all.saturating_sub(budget.folds);
        (left > 0).then(|| format!("{} not shown here; tables/{file}.csv has all.", number::plural(left, "more")))
    };
    context! {
        legend => models.iter().enumerate().map(|(at, m)| context! { name => text::short(m), at => at % 8 }).collect::<Vec<_>>(),
        how => format!("{} protocol, {}", text::name(headline.protocol), probe_title(headline.probe)),
        unit => text::name(unit),
        hardest => &headline.hardest.title,
        chance => number::fixed(view.chance()),
        mark => view.chance() * BAR,
        groups => groups.iter().take(budget.folds).map(|g| group(view, headline, (unit, g), &models, &parts)).collect::<Vec<_>>(),
        groups_left => left(groups.len(), "per-group"),
        labels => labels.iter().filter(|_| of_labels).take(budget.folds).map(|l| label(view, headline, l, &models, &parts)).collect::<Vec<_>>(),
        labels_left => left(if of_labels { labels.len() } else { 0 }, "per-class"),
    }
}

/// A value beside a bar, or the word `missing`.
fn bar(at: usize, value: Option<f64>) -> Value {
    context! {
        at => at % 8,
        width => value.map(|v| v.clamp(0.0, 1.0) * BAR),
        text => value.map_or_else(|| "missing".to_owned(), number::coarse),
    }
}

fn group(
    view: &View<'_>,
    headline: &Headline<'_>,
    (unit, name): (&str, &str),
    models: &[&str],
    parts: &Parts<'_>,
) -> Value {
    let mine: Vec<&GroupScore> = view.record.per_group.iter().filter(|g| g.unit == unit && g.group == name).collect();
    let of_headline = |g: &&&GroupScore, model: &str| {
        g.model == model
            && g.protocol == headline.protocol
            && g.probe == headline.probe
            && g.split == headline.hardest.split.split
    };
    let bars: Vec<Value> = models
        .iter()
        .enumerate()
        .map(|(at, m)| bar(at, mine.iter().find(|g| of_headline(g, m)).and_then(|g| g.accuracy)))
        .collect();
    let rows = view.record.data.sources.iter().find(|(s, _)| unit == "source" && s == name).map(|(_, n)| *n);
    context! {
        name => text::short(name),
        full => (text::short(name) != name).then(|| text::shorten(name, 400)),
        rows => rows.map(|n| number::plural(n, "row")),
        bars => bars,
        tables => grid_of(&[scores_of_group(view, &mine), if unit == "source" { transfer(view, headline, name) } else { None }, parts.of(unit, name)]),
        notes => alone(view, unit, name),
    }
}

/// Accuracy on the group by protocol, split and probe, a column per model.
fn scores_of_group(view: &View<'_>, mine: &[&GroupScore]) -> Option<Table> {
    let models: Vec<&str> = view.models().take(BAR_MODELS).map(|m| m.name.as_str()).collect();
    let mut table = Table::new(
        "group",
        "Accuracy when held out",
        "",
        &[("protocol", Shape::Text), ("split", Shape::Text), ("probe", Shape::Text), ("n test", Shape::Number)],
    );
    table.columns.extend(models.iter().map(|m| Column { title: (*m).to_owned(), shape: Shape::Number }));
    let places = distinct(mine.iter().map(|g| (g.protocol.as_str(), g.split.as_str(), g.probe.as_str())));
    for (protocol, split, probe) in places {
        let here: Vec<&&GroupScore> =
            mine.iter().filter(|g| (&*g.protocol, &*g.split, &*g.probe) == (protocol, split, probe)).collect();
        let mut row: Vec<Cell> = [protocol, split, probe].map(|t| Cell::Text(t.to_owned())).to_vec();
        row.push(Cell::Count(here.iter().map(|g| g.n_test).max().unwrap_or(0)));
        row.extend(models.iter().map(|m| match here.iter().find(|g| g.model == *m) {
            Some(g) => g.accuracy.map_or_else(|| Cell::Missing("never tested".to_owned()), Cell::Number),
            None => Cell::Missing("not scored".to_owned()),
        }));
        table.rows.push(row);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Accuracy of probes trained here and tested elsewhere, and the other way round.
fn transfer(view: &View<'_>, headline: &Headline<'_>, source: &str) -> Option<Table> {
    let models: Vec<&str> = view.models().take(BAR_MODELS).map(|m| m.name.as_str()).collect();
    let mut table = Table::new(
        "transfer",
        &format!("Transfer, {}", probe_title(headline.probe)),
        "",
        &[("other source", Shape::Text)],
    );
    for model in &models {
        for way in ["trained here", "tested here"] {
            table.columns.push(Column { title: format!("{}, {way}", text::shorten(model, 18)), shape: Shape::Number });
        }
    }
    let cells: Vec<_> = view.record.transfer.iter().filter(|t| t.probe == headline.probe).collect();
    let others = distinct(cells.iter().filter(|t| t.train == source && t.test != source).map(|t| t.test.as_str()));
    for other in others {
        let mut row = vec![Cell::Text(other.to_owned())];
        for model in &models {
            for (train, test) in [(source, other), (other, source)] {
                let found = cells.iter().find(|t| t.model == *model && t.train == train && t.test == test);
                row.push(match found {
                    Some(t) => crate::table::or_missing(t.accuracy, t.reason.as_deref(), Cell::Number),
                    None => Cell::Missing("not scored".to_owned()),
                });
            }
        }
        table.rows.push(row);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Labels that occur in this group only.
fn alone(view: &View<'_>, unit: &str, name: &str) -> Option<String> {
    let labels: Vec<String> = view
        .record
        .confounding
        .single
        .iter()
        .filter(|s| s.unit == unit && s.level == name)
        .take(10)
        .map(|s| text::name(&s.label))
        .collect();
    (!labels.is_empty()).then(|| {
        format!(
            "Found here only, so they cannot be tested when this {} is held out: {}.",
            text::name(unit),
            text::list(&labels)
        )
    })
}

fn label(
    view: &View<'_>,
    headline: &Headline<'_>,
    (name, rows): &(String, usize),
    models: &[&str],
    parts: &Parts<'_>,
) -> Value {
    let mine: Vec<&ClassScore> = view
        .record
        .per_class
        .iter()
        .filter(|c| c.class == *name && c.protocol == headline.protocol && c.probe == headline.probe)
        .collect();
    let hardest = &headline.hardest.split.split;
    let bars: Vec<Value> = models
        .iter()
        .enumerate()
        .map(|(at, m)| bar(at, mine.iter().find(|c| c.model == *m && c.split == *hardest).and_then(|c| c.recall)))
        .collect();
    let mut table = Table::new(
        "label",
        "By split",
        "",
        &[
            ("model", Shape::Text),
            ("split", Shape::Text),
            ("n test", Shape::Number),
            ("precision", Shape::Number),
            ("recall", Shape::Number),
            ("F1", Shape::Number),
            ("ROC-AUC", Shape::Number),
        ],
    );
    let or = |value: Option<f64>, why: &str| value.map_or_else(|| Cell::Missing(why.to_owned()), Cell::Number);
    for c in mine.iter().filter(|c| models.contains(&c.model.as_str())) {
        table.rows.push(vec![
            Cell::Text(c.model.clone()),
            Cell::Text(c.split.clone()),
            Cell::Count(c.n_test),
            or(c.precision, "never predicted"),
            or(c.recall, "no test rows"),
            or(c.f1, "neither present nor predicted"),
            or(c.roc_auc, "alone in, or missing from, training or test rows"),
        ]);
    }
    context! {
        name => text::short(name),
        full => (text::short(name) != name.as_str()).then(|| text::shorten(name, 400)),
        rows => Some(number::plural(*rows, "row")),
        bars => bars,
        tables => grid_of(&[(!table.rows.is_empty()).then_some(table), parts.of("label", name)]),
        notes => mistakes(view, headline, name, models),
    }
}

/// What a label is taken for on the hardest split.
fn mistakes(view: &View<'_>, headline: &Headline<'_>, name: &str, models: &[&str]) -> Option<String> {
    let said: Vec<String> = models
        .iter()
        .filter_map(|model| {
            let matrix = view.record.confusion.iter().find(|c| {
                (&*c.model, &*c.protocol, &*c.split, &*c.probe)
                    == (*model, headline.protocol, &*headline.hardest.split.split, headline.probe)
            })?;
            let n = matrix.classes.len();
            let row = matrix.classes.iter().position(|c| c == name)?;
            let counts = matrix.counts.get(row * n..(row + 1) * n)?;
            let total: f64 = counts.iter().sum();
            let mut wrong: Vec<(usize, f64)> =
                counts.iter().copied().enumerate().filter(|(at, count)| *at != row && *count > 0.0).collect();
            wrong.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let named: Vec<String> = wrong
                .iter()
                .take(MISTAKES)
                .map(|(at, count)| format!("{} ({})", text::name(&matrix.classes[*at]), number::percent(count / total)))
                .collect();
            (!named.is_empty()).then(|| format!("{}: {}", text::name(model), text::list(&named)))
        })
        .collect();
    (!said.is_empty()).then(|| format!("On {} most often taken for: {}.", headline.hardest.noun, said.join("; ")))
}

/// Values of embedding metrics by the groups that they are measured for.
struct Parts<'a> {
    models: Vec<String>,
    most: usize,
    /// By unit and name of the group: metrics in the order of the record, a value per model.
    groups: BTreeMap<(&'a str, &'a str), Vec<PartRow<'a>>>,
}

/// A metric with its unit and a value for each model that has one.
type PartRow<'a> = (&'a EmbeddingScore, Vec<Option<(usize, Option<f64>)>>);

impl<'a> Parts<'a> {
    fn new(view: &View<'a>, models: &[&str], most: usize) -> Self {
        let mut groups: BTreeMap<(&'a str, &'a str), Vec<PartRow<'a>>> = BTreeMap::new();
        let scores = if most > 0 { view.record.embedding_scores.as_slice() } else { &[] };
        for score in scores {
            let name = view.embedded(&score.model, &score.correction).map(|model| model.name.as_str());
            let Some(at) = name.and_then(|name| models.iter().position(|model| *model == name)) else { continue };
            for part in &score.parts {
                let rows = groups.entry((&part.unit, &part.name)).or_default();
                let same = |row: &&mut PartRow<'a>| (&row.0.metric, &row.0.unit) == (&score.metric, &score.unit);
                let value = Some((part.n, part.value));
                match rows.iter_mut().find(same) {
                    Some(row) => row.1[at] = value,
                    None => {
                        let mut values = vec![None; models.len()];
                        values[at] = value;
                        rows.push((score, values));
                    }
                }
            }
        }
        Parts { models: models.iter().map(|model| (*model).to_owned()).collect(), most, groups }
    }

    /// Embedding metrics of one group; none where no metric is measured for it.
    fn of(&self, unit: &str, name: &str) -> Option<Table> {
        let rows = self.groups.get(&(unit, name))?;
        let left = rows.len().saturating_sub(self.most);
        let note = match left {
            0 => String::new(),
            _ => format!("{} in tables/embedding-parts.csv.", number::plural(left, "more metric")),
        };
        let columns = [("metric", Shape::Text), ("unit", Shape::Text), ("n", Shape::Number)];
        let mut table = Table::new("parts", "Embedding metrics", &note, &columns);
        table.columns.extend(self.models.iter().map(|m| Column { title: m.clone(), shape: Shape::Number }));
        for (score, values) in rows.iter().take(self.most) {
            let n = values.iter().flatten().map(|(n, _)| *n).max().unwrap_or(0);
            let mut row = vec![
                Cell::Text(score.metric.clone()),
                score.unit.clone().map_or(Cell::Blank, Cell::Text),
                Cell::Count(n),
            ];
            row.extend(values.iter().map(|value| match value {
                Some((_, Some(value))) => Cell::Size(*value),
                Some((_, None)) => Cell::Missing("no number".to_owned()),
                None => Cell::Missing("not measured".to_owned()),
            }));
            table.rows.push(row);
        }
        Some(table)
    }
}

fn grid_of(tables: &[Option<Table>]) -> Vec<Value> {
    tables.iter().flatten().map(|t| grid::plain(t, 100)).collect()
}
