//! Tables that lie behind the main ones.

use std::collections::BTreeMap;

use super::build::kind;
use super::{Cell, Shape, Table, or_missing};
use crate::number;
use crate::view::{View, why};

fn words(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn prose(text: &str) -> Cell {
    Cell::Prose(text.to_owned())
}

/// A cell for a value whose absence is explained by its place alone.
fn number_or(value: Option<f64>, reason: &str) -> Cell {
    value.map_or_else(|| Cell::Missing(reason.to_owned()), Cell::Number)
}

/// Scores per class, over pooled repeats.
pub(crate) fn per_class(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "per-class",
        "Scores per class",
        "Over the pooled test rows of all repeats; ROC-AUC one class against the rest, mean over repeats.",
        &[
            ("model", Shape::Text),
            ("protocol", Shape::Text),
            ("split", Shape::Text),
            ("probe", Shape::Text),
            ("class", Shape::Text),
            ("n test", Shape::Number),
            ("precision", Shape::Number),
            ("recall", Shape::Number),
            ("F1", Shape::Number),
            ("ROC-AUC", Shape::Number),
        ],
    );
    for c in &view.record.per_class {
        table.rows.push(vec![
            words(&c.model),
            words(&c.protocol),
            words(&c.split),
            words(&c.probe),
            words(&c.class),
            Cell::Count(c.n_test),
            number_or(c.precision, "the class was never predicted"),
            number_or(c.recall, "the class has no test rows"),
            number_or(c.f1, "the class was neither present nor predicted"),
            number_or(c.roc_auc, "undefined: the class is missing from the training or test rows, or is alone in them"),
        ]);
    }
    table
}

/// Accuracy per held-out group.
pub(crate) fn per_group(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "per-group",
        "Accuracy per held-out group",
        "Over the pooled test rows of all repeats.",
        &[
            ("model", Shape::Text),
            ("protocol", Shape::Text),
            ("split", Shape::Text),
            ("probe", Shape::Text),
            ("unit", Shape::Text),
            ("group", Shape::Text),
            ("n test", Shape::Number),
            ("accuracy", Shape::Number),
            ("balanced accuracy", Shape::Number),
        ],
    );
    for g in &view.record.per_group {
        table.rows.push(vec![
            words(&g.model),
            words(&g.protocol),
            words(&g.split),
            words(&g.probe),
            words(&g.unit),
            words(&g.group),
            Cell::Count(g.n_test),
            number_or(g.accuracy, "the group was never tested"),
            number_or(g.balanced_accuracy, "the group was never tested"),
        ]);
    }
    table
}

/// Transfer from source to source.
pub(crate) fn transfer(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "transfer",
        "Transfer between sources",
        "Accuracy of a probe trained on one source and tested on another; the same source: five folds over its wells.",
        &[
            ("model", Shape::Text),
            ("probe", Shape::Text),
            ("trained on", Shape::Text),
            ("tested on", Shape::Text),
            ("n train", Shape::Number),
            ("n test", Shape::Number),
            ("accuracy", Shape::Number),
        ],
    );
    for t in &view.record.transfer {
        table.rows.push(vec![
            words(&t.model),
            words(&t.probe),
            words(&t.train),
            words(&t.test),
            Cell::Count(t.n_train),
            Cell::Count(t.n_test),
            or_missing(t.accuracy, t.reason.as_deref(), Cell::Number),
        ]);
    }
    table
}

/// What can be read from an embedding besides the label.
pub(crate) fn batch_probes(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "batch-probes",
        "Batch probes",
        "Balanced accuracy over five folds that never divide a well, and the same corrected for chance: 0 is chance, 1 is perfect. Lower is better.",
        &[
            ("model", Shape::Text),
            ("kind", Shape::Text),
            ("target", Shape::Text),
            ("rows", Shape::Text),
            ("probe", Shape::Text),
            ("n", Shape::Number),
            ("levels", Shape::Number),
            ("balanced accuracy", Shape::Number),
            ("corrected", Shape::Number),
        ],
    );
    for p in &view.record.batch_probes {
        table.rows.push(vec![
            words(&p.model),
            words(kind(view, &p.model)),
            words(&p.target),
            words(&p.rows),
            words(&p.probe),
            Cell::Count(p.n),
            Cell::Count(p.levels),
            or_missing(p.balanced_accuracy, p.reason.as_deref(), Cell::Number),
            or_missing(p.corrected, p.reason.as_deref(), Cell::Number),
        ]);
    }
    table
}

/// Association of label and origin.
pub(crate) fn confounding(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "confounding",
        "Confounding of label and origin",
        "Cramér's V, 0 to 1, plain and corrected for bias (Bergsma 2013), before any embedding is looked at.",
        &[
            ("factor", Shape::Text),
            ("with", Shape::Text),
            ("levels", Shape::Number),
            ("levels with", Shape::Number),
            ("V", Shape::Number),
            ("V corrected", Shape::Number),
            ("empty cells", Shape::Number),
        ],
    );
    for p in &view.record.confounding.pairs {
        let single = "a factor has one level";
        table.rows.push(vec![
            words(&p.a),
            words(&p.b),
            Cell::Count(p.levels_a),
            Cell::Count(p.levels_b),
            number_or(p.cramers_v, single),
            number_or(p.cramers_v_corrected, single),
            Cell::Number(p.empty_cells),
        ]);
    }
    table
}

/// Whether the controls are in order.
pub(crate) fn controls(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "controls",
        "Control rules",
        "What embeddings with a known verdict must score; a broken rule puts every number in doubt.",
        &[
            ("control", Shape::Text),
            ("rule", Shape::Text),
            ("expected", Shape::Text),
            ("observed", Shape::Text),
            ("holds", Shape::Text),
        ],
    );
    for c in &view.record.controls {
        let holds = match c.holds {
            Some(true) => words("yes"),
            Some(false) => words("no"),
            None => Cell::Missing(why(c.reason.as_deref())),
        };
        table.rows.push(vec![words(&c.control), prose(&c.rule), prose(&c.expected), prose(&c.observed), holds]);
    }
    table
}

/// Paired tests between models.
pub(crate) fn comparisons(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "comparisons",
        "Paired tests between models",
        "Difference is first minus second on the same splits, with its 95 % percentile interval; p of the paired permutation test, plain and after Holm's correction over all comparisons of the run.",
        &[
            ("first", Shape::Text),
            ("second", Shape::Text),
            ("protocol", Shape::Text),
            ("split", Shape::Text),
            ("probe", Shape::Text),
            ("metric", Shape::Text),
            ("difference", Shape::Estimate),
            ("p", Shape::Number),
            ("p Holm", Shape::Number),
            ("units", Shape::Number),
            ("permutations", Shape::Text),
            ("reading", Shape::Text),
        ],
    );
    for c in &view.record.comparisons {
        let inside = c.p_holm >= 0.05 || c.interval.is_some_and(|i| i.low <= 0.0 && i.high >= 0.0);
        let reading = match (inside, c.difference > 0.0) {
            (true, _) => "inside the noise",
            (false, true) => "first is higher",
            (false, false) => "second is higher",
        };
        table.rows.push(vec![
            words(&c.a),
            words(&c.b),
            words(&c.protocol),
            words(&c.split),
            words(&c.probe),
            words(&c.metric),
            Cell::Estimate(c.difference, c.interval),
            Cell::Probability(c.p),
            Cell::Probability(c.p_holm),
            Cell::Count(c.units),
            if c.permutations == 0 { words("all") } else { Cell::Text(number::count(c.permutations)) },
            words(reading),
        ]);
    }
    table
}

/// Ranks of models with intervals.
pub(crate) fn ranks(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "ranks",
        "Ranks of models",
        "Rank by mean accuracy, 1 is best, with its 95 % interval over bootstrap draws; models whose intervals overlap are not told apart.",
        &[
            ("model", Shape::Text),
            ("protocol", Shape::Text),
            ("split", Shape::Text),
            ("probe", Shape::Text),
            ("rank", Shape::Number),
            ("low", Shape::Number),
            ("high", Shape::Number),
        ],
    );
    for r in &view.record.ranks {
        table.rows.push(vec![
            words(&r.model),
            words(&r.protocol),
            words(&r.split),
            words(&r.probe),
            Cell::Size(r.rank),
            Cell::Size(r.low),
            Cell::Size(r.high),
        ]);
    }
    table
}

/// How the fits went.
pub(crate) fn fits(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "fits",
        "Fits",
        "Convergence, iterations, largest gradient component and training objective per row at the end; tied votes and tied neighbours are resolved by expectation.",
        &[
            ("model", Shape::Text),
            ("protocol", Shape::Text),
            ("split", Shape::Text),
            ("probe", Shape::Text),
            ("back end", Shape::Text),
            ("fits", Shape::Number),
            ("converged", Shape::Number),
            ("iterations", Shape::Text),
            ("gradient", Shape::Number),
            ("objective", Shape::Number),
            ("tied votes", Shape::Number),
            ("tied neighbours", Shape::Number),
        ],
    );
    for f in &view.record.fits {
        table.rows.push(vec![
            words(&f.model),
            words(&f.protocol),
            words(&f.split),
            words(&f.probe),
            words(&f.backend),
            Cell::Count(f.fits),
            f.converged.map_or(Cell::Blank, Cell::Count),
            f.iterations.map_or(Cell::Blank, |i| Cell::Text(number::span(i))),
            f.gradient.map_or(Cell::Blank, Cell::Size),
            f.objective.map_or(Cell::Blank, Cell::Size),
            Cell::Count(f.tied_votes),
            Cell::Count(f.tied_neighbours),
        ]);
    }
    table
}

/// What the splits are, and what lies on both sides of them.
pub(crate) fn splits(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "splits",
        "Splits and their audit",
        "Units found in both training and test rows are counted under `on both sides`; few distinct test sets mean that the deviation over repeats says little.",
        &[
            ("protocol", Shape::Text),
            ("split", Shape::Text),
            ("held out", Shape::Text),
            ("folds", Shape::Number),
            ("pooled", Shape::Text),
            ("n train", Shape::Text),
            ("n test", Shape::Text),
            ("distinct test sets", Shape::Number),
            ("unseen-class rows", Shape::Number),
            ("on both sides", Shape::Text),
        ],
    );
    for s in &view.record.splits {
        let missing = || Cell::Missing(why(s.reason.as_deref()));
        let leaks: Vec<String> =
            s.leaks.iter().filter(|(_, n)| *n > 0).map(|(unit, n)| format!("{} × {unit}", number::count(*n))).collect();
        let made = s.reason.is_none();
        let mut row = vec![words(&s.protocol), words(&s.split), words(&s.unit)];
        row.extend(if made {
            vec![
                Cell::Count(s.folds),
                words(if s.pooled { "yes" } else { "no" }),
                Cell::Text(number::span(s.n_train)),
                Cell::Text(number::span(s.n_test)),
                Cell::Count(s.distinct_test_sets),
                Cell::Count(s.unseen_test_rows),
                if leaks.is_empty() { words("none") } else { Cell::Prose(leaks.join(", ")) },
            ]
        } else {
            (0..7).map(|_| missing()).collect()
        });
        table.rows.push(row);
    }
    table
}

/// Missing scores, counted by place and reason.
pub(crate) fn missing(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "missing",
        "Missing scores",
        "Scores that could not be computed, with the number of repeats concerned; none is dropped.",
        &[
            ("model", Shape::Text),
            ("protocol", Shape::Text),
            ("split", Shape::Text),
            ("probe", Shape::Text),
            ("metric", Shape::Text),
            ("repeats", Shape::Number),
            ("reason", Shape::Text),
        ],
    );
    let mut order = Vec::new();
    let mut counts: BTreeMap<[&str; 6], usize> = BTreeMap::new();
    for s in view.record.scores.iter().filter(|s| s.value.is_none()) {
        let key =
            [&s.model, &s.protocol, &s.split, &s.probe, &s.metric, s.reason.as_deref().unwrap_or("no reason recorded")];
        let count = counts.entry(key).or_insert_with(|| {
            order.push(key);
            0
        });
        *count += 1;
    }
    for key in order {
        let mut row: Vec<Cell> = key[..5].iter().map(|k| words(k)).collect();
        row.push(Cell::Count(counts[&key]));
        row.push(prose(key[5]));
        table.rows.push(row);
    }
    table
}

/// Every cell of every confusion matrix, a long CSV file.
///
/// # Errors
/// If a matrix has not one count per pair of classes.
pub(crate) fn confusion_counts(view: &View<'_>) -> Result<Option<String>, crate::Error> {
    if view.record.confusion.is_empty() {
        return Ok(None);
    }
    let mut out = "model,protocol,split,probe,true,predicted,count\r\n".to_owned();
    for c in &view.record.confusion {
        crate::figure::check_confusion(c)?;
        let place: Vec<String> =
            [&c.model, &c.protocol, &c.split, &c.probe].iter().map(|t| crate::text::csv(t)).collect();
        let names: Vec<String> = c.classes.iter().map(|t| crate::text::csv(t)).collect();
        for (at, count) in c.counts.iter().enumerate() {
            let (row, column) = (at / names.len(), at % names.len());
            out.push_str(&format!("{},{},{},{count}\r\n", place.join(","), names[row], names[column]));
        }
    }
    Ok(Some(out))
}
