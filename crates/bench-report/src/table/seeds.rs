//! Methods over several trainings: what differs between seeds is not a difference between methods.

use bench_core::record::SeedSummary;

use super::{Cell, Shape, Table};
use crate::view::View;

/// Columns: heading, task and quantity.
const COLUMNS: [(&str, &str, &str); 6] = [
    ("Acc_Rand", "random, logreg", "accuracy"),
    ("G_NSP", "not-same-plate, logreg", "g"),
    ("G_NSB", "not-same-batch, logreg", "g"),
    ("G_NSS", "not-same-source, logreg", "g"),
    ("HR@1, image to molecule", "image-to-molecule, 1:100", "hit-rate@1"),
    ("HR@1, molecule to image", "molecule-to-image, 1:100", "hit-rate@1"),
];

/// A table per protocol; none where every method was trained once.
pub(crate) fn over_seeds(view: &View<'_>) -> Vec<Table> {
    let all = &view.record.seed_summaries;
    let of = |protocol: &str| of_protocol(all.iter().filter(|s| s.protocol == protocol).collect(), protocol);
    ["strict", "paper"].into_iter().filter_map(of).collect()
}

fn of_protocol(rows: Vec<&SeedSummary>, protocol: &str) -> Option<Table> {
    let mut methods: Vec<&str> = vec![];
    for row in &rows {
        if !methods.contains(&row.method.as_str()) {
            methods.push(&row.method);
        }
    }
    let columns: Vec<&(&str, &str, &str)> =
        COLUMNS.iter().filter(|(_, task, what)| rows.iter().any(|r| r.task == *task && r.quantity == *what)).collect();
    if columns.is_empty() {
        return None;
    }
    let mut shapes = vec![("method", Shape::Text), ("trainings", Shape::Number)];
    shapes.extend(columns.iter().map(|(title, _, _)| (*title, Shape::Estimate)));
    let mut table = Table::new(
        &format!("training-seeds-{protocol}"),
        &format!("Over training seeds, {protocol} protocol"),
        "Mean over trainings that differ in their seed alone, with the 95 % interval of Student's t. Intervals that overlap are \
         no finding.",
        &shapes,
    );
    for method in methods {
        let find = |task: &str, what: &str| {
            rows.iter().find(|row| row.method == method && row.task == task && row.quantity == what)
        };
        let trainings = columns.iter().filter_map(|(_, task, what)| find(task, what)).map(|row| row.seeds).max();
        let mut cells = vec![Cell::Text(method.to_owned()), Cell::Count(trainings.unwrap_or(0) as usize)];
        cells.extend(columns.iter().map(|(_, task, what)| match find(task, what) {
            Some(SeedSummary { mean: Some(mean), interval, .. }) => Cell::Estimate(*mean, *interval),
            _ => Cell::Missing("no training of this method has the score".to_owned()),
        }));
        table.rows.push(cells);
    }
    Some(table)
}
