//! Flags over suite: applies the command line to a suite and remembers which keys it set.

use bench_run::suite::{Control, Suite};
use bench_run::{Error, suite};

use crate::args::{ScoringArgs, TableArgs};

fn usage(message: String, hint: &str) -> Error {
    Error::Usage { message, hint: Some(hint.to_owned()) }
}

/// Splits `LEFT=RIGHT`.
fn pair<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), Error> {
    match text.split_once('=') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => Ok((left, right)),
        _ => Err(usage(
            format!("cannot read `{flag} {text}`: expected NAME=VALUE"),
            "quote the whole argument if a name holds spaces",
        )),
    }
}

/// Applies the options for reading tables; returns the keys that were set.
pub(crate) fn table(suite: &mut Suite, args: &TableArgs) -> Result<Vec<String>, Error> {
    let mut set = Vec::new();
    {
        let columns = &mut suite.columns;
        let units = [
            ("label", &mut columns.label, &args.label),
            ("compound", &mut columns.compound, &args.compound),
            ("source", &mut columns.source, &args.source),
            ("batch", &mut columns.batch, &args.batch),
            ("plate", &mut columns.plate, &args.plate),
            ("well", &mut columns.well, &args.well),
            ("site", &mut columns.site, &args.site),
        ];
        for (name, target, given) in units {
            if let Some(column) = given {
                *target = vec![column.clone()];
                set.push(format!("columns.{name}"));
            }
        }
        for text in &args.group {
            let (name, column) = pair("--group", text)?;
            columns.groups.insert(name.to_owned(), column.to_owned());
            set.push(format!("columns.groups.{name}"));
        }
        if let Some(text) = &args.control {
            let (column, value) = pair("--control", text)?;
            columns.control = Some(Control { column: vec![column.to_owned()], value: value.to_owned() });
            set.push("columns.control".into());
        }
    }
    if args.features.is_some() {
        suite.features.include.clone_from(&args.features);
        set.push("features.include".into());
    }
    if args.exclude_features.is_some() {
        suite.features.exclude.clone_from(&args.exclude_features);
        set.push("features.exclude".into());
    }
    for text in &args.conditions {
        let (column, values) = pair("--where", text)?;
        suite.select.conditions.insert(column.to_owned(), values.split(',').map(str::to_owned).collect());
        set.push(format!("select.where.{column}"));
    }
    if !args.labels.is_empty() {
        suite.select.labels = Some(args.labels.clone());
        suite.select.top_labels = None;
        suite.select.in_every = None;
        set.push("select.labels".into());
    }
    if args.top_labels.is_some() {
        suite.select.top_labels = args.top_labels;
        set.push("select.top-labels".into());
    }
    if args.in_every.is_some() {
        suite.select.in_every.clone_from(&args.in_every);
        set.push("select.in-every".into());
    }
    if let Some(n) = args.min_label_rows {
        suite.select.min_label_rows = n;
        set.push("select.min-label-rows".into());
    }
    let select = &mut suite.select;
    if let Some(name) = &args.rare_labels {
        select.rare_labels = suite::policy("--rare-labels", name)?;
        set.push("select.rare-labels".into());
    }
    if let Some(name) = &args.multi_label {
        select.multi_label = suite::policy("--multi-label", name)?;
        set.push("select.multi-label".into());
    }
    if let Some(name) = &args.missing {
        select.missing = suite::policy("--missing", name)?;
        set.push("select.missing".into());
    }
    if let Some(name) = &args.duplicates {
        select.duplicates = suite::policy("--duplicates", name)?;
        set.push("select.duplicates".into());
    }
    Ok(set)
}

/// Applies the options for scoring; returns the keys that were set.
pub(crate) fn scoring(suite: &mut Suite, args: &ScoringArgs) -> Result<Vec<String>, Error> {
    let mut set = Vec::new();
    // Before the other flags, which win.
    if !args.metric_preset.is_empty() {
        set.extend(bench_run::metric_preset::apply(suite, &args.metric_preset)?);
    }
    let mut mark = |key: &str| set.push(key.to_owned());
    if let Some(path) = &args.relationships {
        suite.embedding_metrics.relationships = Some(path.clone());
        mark("embedding-metrics.relationships");
        // Alone, it asks for this metric and no other.
        if !suite.embedding_metrics.enabled && args.embedding_metrics.is_empty() {
            suite.embedding_metrics.enabled = true;
            suite.embedding_metrics.ids = vec!["known-relationships".to_owned()];
            suite.embedding_metrics.presets.clear();
            mark("embedding-metrics");
        }
    }
    if !args.protocols.is_empty() {
        for protocol in &args.protocols {
            if !["paper", "strict"].contains(&protocol.as_str()) {
                return Err(usage(format!("unknown protocol `{protocol}`"), "protocols are paper and strict"));
            }
        }
        if !args.protocols.iter().any(|p| p == "paper") {
            suite.splits.paper.clear();
        }
        if !args.protocols.iter().any(|p| p == "strict") {
            suite.splits.strict.clear();
        }
        mark("splits.paper");
        mark("splits.strict");
    }
    if !args.splits.is_empty() {
        for list in [&mut suite.splits.paper, &mut suite.splits.strict] {
            if !list.is_empty() {
                list.clone_from(&args.splits);
            }
        }
        mark("splits.paper");
        mark("splits.strict");
    }
    if args.fold_column.is_some() {
        suite.splits.fold_column.clone_from(&args.fold_column);
        mark("splits.fold-column");
    }
    if args.baseline.is_some() {
        suite.splits.baseline.clone_from(&args.baseline);
        mark("splits.baseline");
    }
    if let Some(repeats) = args.repeats {
        suite.splits.repeats = repeats;
        mark("splits.repeats");
    }
    if !args.probes.is_empty() {
        suite.probes.ids.clone_from(&args.probes);
        mark("probes.ids");
    }
    if !args.embedding_metrics.is_empty() {
        let all = args.embedding_metrics.iter().any(|id| id == "all");
        suite.embedding_metrics.enabled = true;
        suite.embedding_metrics.ids = if all { Vec::new() } else { args.embedding_metrics.clone() };
        mark("embedding-metrics");
    }
    if !args.corrections.is_empty() {
        suite.corrections = args.corrections.iter().flat_map(|text| bench_run::corrections::split(text)).collect();
        mark("corrections");
    }
    if !args.control_curve.is_empty() {
        suite.control_curve.enabled = true;
        suite.control_curve.wells.clone_from(&args.control_curve);
        mark("control-curve");
    }
    if !args.metrics.is_empty() {
        suite.metrics.clone_from(&args.metrics);
        mark("metrics");
    }
    if let Some(backend) = &args.backend {
        suite.probes.logreg_backend.clone_from(backend);
        suite.probes.knn_backend.clone_from(backend);
        mark("probes.logreg-backend");
        mark("probes.knn-backend");
    }
    if let Some(which) = &args.standardise {
        let (logreg, knn) = match which.as_str() {
            "logreg" => (true, false),
            "knn" => (false, true),
            "all" => (true, true),
            "none" => (false, false),
            other => {
                return Err(usage(
                    format!("cannot read `--standardise={other}`"),
                    "use --standardise=logreg, =knn, =all or =none",
                ));
            }
        };
        let every = || ["paper", "strict", "fixed"].map(String::from).to_vec();
        suite.probes.logreg_standardise = if logreg { every() } else { Vec::new() };
        suite.probes.knn_standardise = if knn { every() } else { Vec::new() };
        mark("probes.logreg-standardise");
        mark("probes.knn-standardise");
    }
    if let Some(c) = args.c {
        suite.probes.logreg.c = c;
        mark("probes.logreg.c");
    }
    if let Some(n) = args.max_iterations {
        suite.probes.logreg.max_iterations = n;
        mark("probes.logreg.max-iterations");
    }
    if let Some(k) = args.k {
        suite.probes.knn.k = k;
        mark("probes.knn.k");
    }
    if let Some(metric) = &args.metric {
        let metric = suite::metric(metric)?;
        suite.probes.knn.metric = metric;
        suite.projection.umap.metric = metric;
        mark("probes.knn.metric");
        mark("projection.umap.metric");
    }
    if let Some(ties) = &args.ties {
        suite.probes.knn.ties = suite::vote_ties(ties)?;
        mark("probes.knn.ties");
    }
    if let Some(rows) = args.max_test_rows {
        suite.splits.max_test_rows = rows;
        mark("splits.max-test-rows");
    }
    if let Some(draws) = args.bootstrap {
        suite.uncertainty.bootstrap = draws;
        mark("uncertainty.bootstrap");
    }
    if args.no_projection {
        suite.projection.enabled = false;
        mark("projection.enabled");
    }
    if args.no_controls {
        suite.controls.clear();
        mark("controls");
    }
    if args.no_batch_probes {
        suite.batch_probes.enabled = false;
        mark("batch-probes.enabled");
    }
    Ok(set)
}
