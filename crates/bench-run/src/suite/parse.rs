//! TOML to a checked suite, with errors that name line, key and the nearest valid name.

use bench_core::suggest::closest;

use super::Suite;
use crate::Error;

/// Parses and checks a suite. `place` names the file in errors.
pub(super) fn parse(place: &str, text: &str) -> Result<Suite, Error> {
    let suite: Suite = toml::from_str(text).map_err(|error| explain(place, text, &error))?;
    check(&suite).map_err(|(key, why)| Error::SuiteValue { place: place.to_owned(), key: key.to_owned(), why })?;
    Ok(suite)
}

pub(crate) fn explain(place: &str, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let message = error.message().to_owned();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let suggestion = message.starts_with("unknown field").then(|| {
        let given = quoted.next().unwrap_or_default();
        let valid: Vec<&str> = quoted.collect();
        match closest(given, valid.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("valid keys here: {}", valid.join(", ")),
        }
    });
    let message = match message.strip_prefix("unknown field ") {
        Some(rest) => format!("unknown key {}", rest.split(',').next().unwrap_or(rest)),
        None => message,
    };
    Error::SuiteText { place: place.to_owned(), line, message, suggestion }
}

pub(super) fn one_of(key: &'static str, value: &str, valid: &[&str]) -> Result<(), (&'static str, String)> {
    if valid.contains(&value) {
        return Ok(());
    }
    let meant = closest(value, valid.iter().copied()).map(|v| format!("; did you mean `{v}`?")).unwrap_or_default();
    Err((key, format!("`{value}` is none of {}{meant}", valid.join(", "))))
}

/// Checks what types cannot say.
pub(crate) fn check(suite: &Suite) -> Result<(), (&'static str, String)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if suite.id.is_empty() || !suite.id.chars().all(plain) || suite.id.starts_with('.') {
        return Err(("id", format!("`{}` must be letters, digits, `-`, `_`", suite.id)));
    }
    if let Some(id) = &suite.data.manifest {
        one_of("data.manifest", id, &crate::manifest::ids().collect::<Vec<_>>())?;
    }
    let select = &suite.select;
    if let Some(control) = &suite.columns.control {
        if control.column.is_empty() {
            return Err(("columns.control.column", "name at least one column".into()));
        }
        if control.column.len() > 1 && control.value != bench_data::NEGATIVE_CONTROL {
            return Err((
                "columns.control.column",
                "several candidates are searched for `negcon` only; name one".into(),
            ));
        }
    }
    one_of("splits.missing-columns", &suite.splits.missing_columns, &["error", "skip"])?;
    if select.top_labels.is_some_and(|n| n < 2) {
        return Err(("select.top-labels", "a classification needs at least 2 labels".into()));
    }
    if suite.splits.repeats == 0 || suite.splits.repeats > 1000 {
        return Err(("splits.repeats", "must be 1 to 1000".into()));
    }
    if !(suite.splits.test_fraction > 0.0 && suite.splits.test_fraction < 1.0) {
        return Err(("splits.test-fraction", "must lie between 0 and 1".into()));
    }
    if suite.splits.max_test_rows == 0 {
        return Err(("splits.max-test-rows", "must be at least 1".into()));
    }
    let probes = &suite.probes;
    if probes.ids.is_empty() {
        return Err(("probes.ids", "name at least one of logreg, knn".into()));
    }
    for id in &probes.ids {
        one_of("probes.ids", id, &["logreg", "knn"])?;
    }
    for protocol in probes.logreg_standardise.iter().chain(&probes.knn_standardise) {
        one_of("probes.*-standardise", protocol, &["paper", "strict", "fixed"])?;
    }
    one_of("probes.logreg-backend", &probes.logreg_backend, &["gemm", "linfa"])?;
    one_of("probes.knn-backend", &probes.knn_backend, &["gemm", "linfa"])?;
    if suite.metrics.is_empty() {
        return Err(("metrics", "name at least one metric".into()));
    }
    let controls = bench_eval::control::CONTROLS.map(|control| control.card().id);
    for id in &suite.controls {
        one_of("controls", id, &controls)?;
    }
    let curve = &suite.control_curve;
    if curve.wells.is_empty() || curve.wells[0] == 0 || !curve.wells.is_sorted_by(|a, b| a < b) {
        return Err(("control-curve.wells", "name ascending numbers of at least 1".into()));
    }
    if curve.draws == 0 || curve.draws > 1000 {
        return Err(("control-curve.draws", "must be 1 to 1000".into()));
    }
    if suite.uncertainty.bootstrap < 100 {
        return Err(("uncertainty.bootstrap", "an interval needs at least 100 draws".into()));
    }
    if suite.projection.shown == 0 || suite.projection.shown > 50_000 {
        return Err(("projection.shown", "must be 1 to 50000".into()));
    }
    suite.gates.check()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "id = \"x\"\nversion = 1\ntitle = \"X\"\n";

    #[test]
    fn every_embedded_suite_parses() {
        for id in super::super::embedded::ids() {
            let (suite, _) = Suite::load(id).expect("embedded suites are valid");
            assert_eq!(suite.id, id);
            assert!(suite.essay.contains('.'), "{id} has an essay");
        }
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_key_that_was_meant() {
        let error = parse("s.toml", &format!("{HEAD}[splits]\nrepeat = 3\n")).expect_err("unknown key");
        let text = format!("{error}");
        assert!(text.contains("s.toml:5") && text.contains("unknown key `repeat`"), "{text}");
        assert_eq!(error.hint().as_deref(), Some("did you mean `repeats`?"));
    }

    #[test]
    fn gates_have_defaults_strict_keys_and_limits() {
        let suite = parse("s.toml", HEAD).expect("valid");
        assert_eq!(suite.gates, super::super::GateSettings::default());
        let rule = "[[gates.rules]]\nquantity = \"g\"\nmin-effect = 0.03\n";
        let suite = parse("s.toml", &format!("{HEAD}[gates]\nwindow = 3\n{rule}")).expect("valid");
        assert_eq!((suite.gates.window, suite.gates.rules.len(), suite.gates.level), (3, 1, 0.95));
        let error = parse("s.toml", &format!("{HEAD}{rule}min-efect = 1\n")).expect_err("unknown key");
        assert!(format!("{error}").contains("unknown key `min-efect`"), "{error}");
        let error = parse("s.toml", &format!("{HEAD}{}", rule.replace("\"g\"", "\"gee\""))).expect_err("bad value");
        assert!(format!("{error}").contains("gates.rules.quantity"), "{error}");
        let error = parse("s.toml", &format!("{HEAD}[gates]\nlevel = 95\n")).expect_err("bad value");
        assert!(format!("{error}").contains("gates.level"), "{error}");
    }

    #[test]
    fn an_invalid_value_names_its_key() {
        let error = parse("s.toml", &format!("{HEAD}[splits]\nmissing-columns = \"skp\"\n")).expect_err("bad value");
        let text = format!("{error}");
        assert!(text.contains("splits.missing-columns") && text.contains("did you mean `skip`"), "{text}");
        let error = parse("s.toml", &format!("{HEAD}[data]\nmanifest = \"cpg16-target2\"\n")).expect_err("bad id");
        let text = format!("{error}");
        assert!(text.contains("data.manifest") && text.contains("did you mean `cpg0016-target2`"), "{text}");
        let error = parse("s.toml", &format!("{HEAD}[select]\nmissing = \"drop-row\"\n")).expect_err("bad value");
        let text = format!("{error}");
        assert!(text.contains("s.toml:5") && text.contains("drop-rows"), "{text}");
    }
}
