//! The tables of Watkinson et al. 2023 for this run, with the published cells beside them.
//!
//! Table 1 is retrieval from images to molecules, table 2 from molecules to images, both in
//! galleries of 100; table 3 is generalisation under logistic regression. Of table 1, and of table
//! 3 but for source generalisation, no cell is published in readable form.

use bench_core::record::RetrievalRow;

use super::{Cell, Shape, Table, or_missing};
use crate::view::{View, why};

/// Models of the paper, in its order; names in this run that begin so are compared with them.
const METHODS: [&str; 3] = ["clip", "emm", "imm"];
/// Metrics of tables 1 and 2.
const METRICS: [&str; 5] = ["hit-rate@1", "hit-rate@3", "hit-rate@5", "hit-rate@10", "mrr"];
/// Table 2: CLIP, EMM, IMM by metric.
const TABLE_2: [[f64; 5]; 3] =
    [[0.066, 0.172, 0.264, 0.423, 0.176], [0.103, 0.238, 0.335, 0.500, 0.225], [0.077, 0.206, 0.306, 0.498, 0.201]];
/// Table 3: G under not-same-source, given in the text.
const G_SOURCE: [f64; 3] = [0.72, 0.83, 0.93];
/// Compounds in a gallery of the paper.
const GALLERY: u64 = 100;
const UNREADABLE: &str = "not published in readable form";

/// Position in [`METHODS`] of the model that `name` is.
fn method(name: &str) -> Option<usize> {
    METHODS.iter().position(|method| name.eq_ignore_ascii_case(method))
}

/// A table per direction, protocol and gallery size.
pub(crate) fn retrieval(view: &View<'_>) -> Vec<Table> {
    let rows = &view.record.retrieval;
    let mut kinds: Vec<(&str, &str, u64)> = vec![];
    for row in rows {
        let kind = (row.direction.as_str(), row.protocol.as_str(), row.gallery);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.into_iter().map(|kind| of_kind(rows, kind)).collect()
}

fn of_kind(rows: &[RetrievalRow], (direction, protocol, gallery): (&str, &str, u64)) -> Table {
    let here: Vec<&RetrievalRow> = rows
        .iter()
        .filter(|row| (row.direction.as_str(), row.protocol.as_str(), row.gallery) == (direction, protocol, gallery))
        .collect();
    let mut metrics: Vec<&str> = vec![];
    let mut models: Vec<&str> = vec![];
    for row in &here {
        if !metrics.contains(&row.metric.as_str()) {
            metrics.push(&row.metric);
        }
        if !models.contains(&row.model.as_str()) {
            models.push(&row.model);
        }
    }
    // Chance first, as in the paper.
    models.sort_by_key(|model| *model != "random");
    let published = gallery == GALLERY && protocol == "paper";
    let number = match direction {
        "image-to-molecule" => "1",
        _ => "2",
    };
    let first = here.first();
    let note = format!(
        "Galleries of {gallery} compounds that were held out of training; {} compounds, {} galleries, {} draws of images. \
         Mean over draws with the 95 % interval of a bootstrap over compounds; ties by expectation.{}",
        first.map_or(0, |row| row.compounds),
        first.map_or(0, |row| row.galleries),
        first.map_or(0, |row| row.draws),
        if published {
            " Layout and published cells: table ".to_owned() + number + " of Watkinson et al. 2023."
        } else {
            String::new()
        }
    );
    let words = direction.replace('-', " ");
    let columns: Vec<(&str, Shape)> =
        std::iter::once(("model", Shape::Text)).chain(metrics.iter().map(|m| (*m, Shape::Estimate))).collect();
    let mut table = Table::new(
        &format!("retrieval-{direction}-{protocol}-{gallery}"),
        &format!("Retrieval, {words}, 1:{gallery}, {protocol} protocol"),
        &note,
        &columns,
    );
    for model in models {
        let cell = |metric: &&str| match here.iter().find(|row| row.model == model && row.metric == **metric) {
            Some(row) => or_missing(row.value, row.reason.as_deref(), |value| Cell::Estimate(value, row.interval)),
            None => Cell::Missing("not computed".to_owned()),
        };
        table.rows.push(std::iter::once(Cell::Text(model.to_owned())).chain(metrics.iter().map(cell)).collect());
    }
    if published {
        for (at, name) in METHODS
            .iter()
            .enumerate()
            .filter(|(_, name)| here.iter().any(|row| method(&row.model).is_some_and(|m| METHODS[m] == **name)))
        {
            let cell = |metric: &&str| match METRICS.iter().position(|known| known == metric) {
                Some(column) if direction == "molecule-to-image" => Cell::Number(TABLE_2[at][column]),
                _ => Cell::Missing(UNREADABLE.to_owned()),
            };
            let head = Cell::Text(format!("{name}, published"));
            table.rows.push(std::iter::once(head).chain(metrics.iter().map(cell)).collect());
        }
    }
    table
}

/// Table 3: generalisation under logistic regression, with the published cells.
pub(crate) fn generalisation(view: &View<'_>) -> Vec<Table> {
    if view.record.training.is_empty() { vec![] } else { generalisation_of(view) }
}

/// Table 3 of any run, whoever made its embeddings.
fn generalisation_of(view: &View<'_>) -> Vec<Table> {
    const SPLITS: [(&str, &str); 3] =
        [("not-same-plate", "G_NSP"), ("not-same-batch", "G_NSB"), ("not-same-source", "G_NSS")];
    let mut tables = vec![];
    for (protocol, probe) in view.protocols_and_probes() {
        if probe != "logreg" {
            continue;
        }
        let mut table = Table::new(
            &format!("generalisation-{protocol}"),
            &format!("Accuracy and generalisation, logistic regression, {protocol} protocol"),
            "G = Acc_split / Acc_Rand with the 95 % interval of a bootstrap over wells. Layout and published cells: table 3 \
             of Watkinson et al. 2023, measured on real TARGET2 images. A model at chance has G near 1: read accuracy first.",
            &[
                ("model", Shape::Text),
                ("Acc_Rand", Shape::Estimate),
                (SPLITS[0].1, Shape::Estimate),
                (SPLITS[1].1, Shape::Estimate),
                (SPLITS[2].1, Shape::Estimate),
                ("G_NSS, published", Shape::Number),
            ],
        );
        for model in view.models() {
            let cell = |split: &str, quantity: &str| match view.summary(&model.name, protocol, split, probe, quantity) {
                Some(summary) => or_missing(summary.value, summary.reason.as_deref(), |value| {
                    Cell::Estimate(value, crate::view::spread(summary).map(|spread| spread.interval))
                }),
                None => Cell::Missing(why(None)),
            };
            let published = method(&model.name).map_or(Cell::Blank, |at| Cell::Number(G_SOURCE[at]));
            table.rows.push(vec![
                Cell::Text(model.name.clone()),
                cell("random", "accuracy"),
                cell(SPLITS[0].0, "g"),
                cell(SPLITS[1].0, "g"),
                cell(SPLITS[2].0, "g"),
                published,
            ]);
        }
        tables.push(table);
    }
    tables
}

/// The models of the paper that this run has, in the paper's order; all models if it has none of them.
pub(crate) fn paper_models<'a>(view: &View<'a>) -> Vec<&'a str> {
    let mut models: Vec<&str> = view.models().map(|m| m.name.as_str()).filter(|name| method(name).is_some()).collect();
    models.sort_by_key(|name| method(name));
    if models.is_empty() { view.models().map(|m| m.name.as_str()).collect() } else { models }
}

/// Tables 1 to 3 of the paper under the paper's numbers, in both protocols where the run has them. What the run
/// cannot give goes to `missing`, with the reason.
pub(crate) fn watkinson2023(view: &View<'_>, missing: &mut Vec<(String, String)>) -> Vec<Table> {
    let mut tables = vec![];
    for (number, direction) in [("1", "image-to-molecule"), ("2", "molecule-to-image")] {
        let before = tables.len();
        for (protocol, ending) in [("paper", ""), ("strict", "-strict")] {
            let fits =
                |row: &&RetrievalRow| row.direction == direction && row.protocol == protocol && row.gallery == GALLERY;
            if view.record.retrieval.iter().any(|row| fits(&row)) {
                let table = of_kind(&view.record.retrieval, (direction, protocol, GALLERY));
                tables.push(Table { id: format!("table-{number}{ending}"), ..table });
            }
        }
        if tables.len() == before {
            let why = if view.record.retrieval.is_empty() {
                "the run has no retrieval between images and molecules".to_owned()
            } else {
                let mut sizes: Vec<u64> = view.record.retrieval.iter().map(|row| row.gallery).collect();
                sizes.sort_unstable();
                sizes.dedup();
                let sizes: Vec<String> = sizes.iter().map(u64::to_string).collect();
                format!("the paper's galleries have {GALLERY} compounds, those of the run {}", sizes.join(", "))
            };
            missing.push((format!("table {number}"), why));
        }
    }
    let before = tables.len();
    for table in generalisation_of(view) {
        let id = match table.id.as_str() {
            "generalisation-paper" => "table-3",
            "generalisation-strict" => "table-3-strict",
            _ => continue,
        };
        tables.push(Table { id: id.to_owned(), ..table });
    }
    if tables.len() == before {
        missing.push((
            "table 3".to_owned(),
            "the run has no logistic regression in protocol `paper` or `strict`".to_owned(),
        ));
    }
    tables
}

/// How each model was trained.
pub(crate) fn training(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "training",
        "Training",
        "The weights of the epoch with the least loss on the validation compounds are used.",
        &[
            ("model", Shape::Text),
            ("loss", Shape::Text),
            ("seed", Shape::Number),
            ("parameters", Shape::Number),
            ("compounds", Shape::Number),
            ("images", Shape::Number),
            ("epochs", Shape::Number),
            ("best epoch", Shape::Number),
            ("skipped steps", Shape::Number),
            ("unreadable images", Shape::Number),
            ("device", Shape::Text),
        ],
    );
    for t in &view.record.training {
        table.rows.push(vec![
            Cell::Text(t.model.clone()),
            Cell::Text(t.loss.clone()),
            Cell::Count(t.seed as usize),
            Cell::Count(t.parameters as usize),
            Cell::Count(t.compounds as usize),
            Cell::Count(t.images as usize),
            Cell::Count(t.history.len()),
            t.best_epoch
                .map_or_else(|| Cell::Missing("no loss was finite".to_owned()), |e| Cell::Count(e as usize + 1)),
            Cell::Count(t.skipped_steps as usize),
            Cell::Count(t.unreadable as usize),
            Cell::Text(t.device.clone()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use bench_core::RunRecord;

    use super::*;

    fn rows(direction: &str, protocol: &str, gallery: u64) -> Vec<RetrievalRow> {
        let row = |model: &str, metric: &str| RetrievalRow {
            model: model.to_owned(),
            protocol: protocol.to_owned(),
            direction: direction.to_owned(),
            gallery,
            metric: metric.to_owned(),
            value: Some(0.5),
            ..RetrievalRow::default()
        };
        ["emm", "random"].iter().flat_map(|model| METRICS.map(|metric| row(model, metric))).collect()
    }

    fn table(direction: &str, protocol: &str, gallery: u64) -> Table {
        let record = RunRecord { retrieval: rows(direction, protocol, gallery), ..RunRecord::default() };
        retrieval(&View::new(&record)).remove(0)
    }

    #[test]
    fn published_cells_stand_beside_the_same_task_only() {
        let names = |table: &Table| table.rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>();
        let same = table("molecule-to-image", "paper", 100);
        assert_eq!(names(&same), ["random", "emm", "emm, published"].map(|name| Cell::Text(name.to_owned())));
        // Table 2 of the paper, row EMM.
        assert_eq!(same.rows[2][1..], [0.103, 0.238, 0.335, 0.5, 0.225].map(Cell::Number));
        let unreadable = table("image-to-molecule", "paper", 100);
        assert!(unreadable.rows[2][1..].iter().all(|cell| *cell == Cell::Missing(UNREADABLE.to_owned())));
        for other in [table("molecule-to-image", "strict", 100), table("molecule-to-image", "paper", 1000)] {
            assert_eq!(names(&other).len(), 2, "{}", other.id);
        }
    }
}
