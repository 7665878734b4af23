//! Comparisons and histories: what people read is kept as files, limits hold, names are inert.

use bench_core::compared::*;
use bench_core::history::{HISTORY_VERSION, HistoryCheck, HistoryRun, HistoryValue, MarkedGate};
use bench_core::record::{GateRule, Gates, Interval, SuiteInfo};
use bench_report::{
    COMMENT_BYTES, HistoryView, compared_html, compared_junit, compared_markdown, compared_text, compared_verdict,
    history_html, history_text, marker,
};

use crate::{fake, parse};

fn check(name: &str, text: String) {
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

fn gate(model: &str, quantity: &str, split: &str, difference: f64, outcome: GateOutcome) -> Gate {
    Gate {
        model: model.into(),
        quantity: quantity.into(),
        protocol: "strict".into(),
        split: split.into(),
        probe: "logreg".into(),
        base: Some(0.81),
        head: Some(0.81 + difference),
        difference: Some(difference),
        interval: Some(Interval { low: difference - 0.02, high: difference + 0.02 }),
        level: 0.95,
        p: Some(0.001),
        p_holm: Some(0.004),
        min_effect: 0.01,
        outcome,
        ..Gate::default()
    }
}

fn run(place: &str, commit: &str) -> RunName {
    RunName {
        run_id: "target2-1f2e3d4c".into(),
        place: place.into(),
        commit: (!commit.is_empty()).then(|| commit.to_owned()),
        scores_digest: "ab".repeat(32),
    }
}

fn compared(gates: Vec<Gate>) -> Compared {
    Compared {
        compared_version: COMPARED_VERSION,
        suite: "target2".into(),
        suite_version: 1,
        title: "Nine targets on TARGET2 plates".into(),
        base: Baseline { what: "the pinned run".into(), runs: vec![run("history:3", "0123abcd")] },
        head: run("reports/new", "4567cdef"),
        status: Compared::status_of(&gates),
        gates,
        only_in_head: vec!["clip".into()],
        units: 864,
        cluster: Some(("batch".into(), 24)),
        draws: 2000,
        notes: vec!["the text of suite `target2` changed, its version did not".into()],
        ..Compared::default()
    }
}

fn mixed() -> Compared {
    let mut missing = gate("emm", "g", "not-same-batch", 0.0, GateOutcome::Unchecked);
    (missing.head, missing.difference, missing.interval, missing.p_holm) = (None, None, None, None);
    missing.reason = Some("the head has no score on `not-same-batch`".into());
    let mut window = gate("emm", "accuracy", "random", -0.015, GateOutcome::Noise);
    window.window_spread = Some(0.03);
    let mut renamed = gate("imm-v2", "accuracy", "not-same-source", 0.06, GateOutcome::Improvement);
    renamed.base_model = Some("imm".into());
    compared(vec![
        window,
        gate("emm", "accuracy", "not-same-source", -0.11, GateOutcome::Regression),
        gate("emm", "g", "not-same-source", -0.14, GateOutcome::Regression),
        missing,
        renamed,
        gate("imm-v2", "accuracy", "random", -0.008, GateOutcome::Tolerated),
    ])
}

#[test]
fn a_comparison_reads_as_kept() {
    check("compared-text", compared_text(&mixed()));
    check("compared-markdown", compared_markdown(&mixed()));
    check("compared-junit", compared_junit(&mixed()));
    let same = compared(vec![gate("emm", "accuracy", "random", -0.003, GateOutcome::Noise)]);
    check("compared-unchanged-text", compared_text(&same));
    assert!(compared_verdict(&same)[0].contains("noise"));
    assert!(compared_verdict(&mixed())[0].contains("2 of 5 checked gates fail"));
}

#[test]
fn a_comment_fits_into_one_whatever_is_compared_and_says_what_it_leaves_out() {
    let many = (0..3000).map(|at| match at {
        0..3 => gate(&format!("model-{at}"), "g", "not-same-source", -0.2, GateOutcome::Regression),
        _ => gate(&format!("model-{at}"), "accuracy", "leave-one-source-out", -0.001, GateOutcome::Noise),
    });
    let comment = compared_markdown(&compared(many.collect()));
    assert!(comment.len() <= COMMENT_BYTES && comment.len() > COMMENT_BYTES / 2, "{}", comment.len());
    assert_eq!(comment.lines().next(), Some(marker("target2").as_str()));
    assert_eq!(comment.matches("**REGRESSION**").count(), 3, "what matters stays");
    assert!(comment.contains("gates did not fit into one comment") && comment.contains("noise); `--format json`"));
    let all = (0..3000).map(|at| gate(&format!("model-{at}"), "g", "random", -0.2, GateOutcome::Regression));
    let comment = compared_markdown(&compared(all.collect()));
    assert!(comment.len() <= COMMENT_BYTES && comment.contains("REGRESSION); `--format json`"));
    assert!(comment.contains("3,000 of 3,000 checked gates fail"), "{}", &comment[..300]);
}

#[test]
fn one_junit_case_per_gate() {
    let text = compared_junit(&mixed());
    let document = resvg::usvg::roxmltree::Document::parse(&text).expect("XML");
    let cases = document.descendants().filter(|n| n.has_tag_name("testcase")).count();
    let failures = document.descendants().filter(|n| n.has_tag_name("failure")).count();
    let skipped = document.descendants().filter(|n| n.has_tag_name("skipped")).count();
    assert_eq!((cases, failures, skipped), (6, 2, 1));
}

fn history() -> Vec<HistoryRun> {
    let value = |quantity: &str, split: &str, value: f64| HistoryValue {
        model: "emm".into(),
        quantity: quantity.into(),
        protocol: "strict".into(),
        split: split.into(),
        probe: "logreg".into(),
        value: Some(value),
        interval: Some(Interval { low: value - 0.03, high: value + 0.03 }),
    };
    let rule = |quantity: &str| GateRule {
        quantity: quantity.into(),
        protocol: "strict".into(),
        split: "not-same-source".into(),
        probe: "logreg".into(),
        ..GateRule::default()
    };
    let mut runs: Vec<HistoryRun> = (0..6)
        .map(|at| HistoryRun {
            history_version: HISTORY_VERSION,
            run_id: format!("target2-{at}"),
            suite: SuiteInfo { id: "target2".into(), version: 1 + u32::from(at > 3), ..SuiteInfo::default() },
            scores_digest: format!("{at}").repeat(64),
            commit: Some(format!("c0ffee{at}")),
            date: Some(format!("2026-01-0{}", at + 1)),
            commit_url: Some(format!("https://example.org/commit/{at}?a=1&b=2")),
            report_url: (at % 2 == 0).then(|| format!("runs/{at}/report.html")),
            models: vec!["emm".into()],
            values: vec![
                value("accuracy", "not-same-source", 0.6 + 0.01 * f64::from(at)),
                value("g", "not-same-source", 0.8),
            ],
            gates: Gates { window: 10, rules: vec![rule("accuracy"), rule("g")] },
            ..HistoryRun::default()
        })
        .collect();
    runs[3].checks = vec![HistoryCheck {
        against: "pinned".into(),
        runs: vec![1],
        status: Some(Status::Regression),
        checked: 2,
        gates: vec![MarkedGate {
            model: "emm".into(),
            quantity: "g".into(),
            protocol: "strict".into(),
            split: "not-same-source".into(),
            probe: "logreg".into(),
            difference: Some(-0.1),
            outcome: GateOutcome::Regression,
        }],
        reason: None,
    }];
    runs
}

#[test]
fn a_history_reads_as_kept_and_its_page_links_every_point() {
    let runs = history();
    let view = HistoryView { runs: &runs, pinned: Some(1) };
    check("history-text", history_text(&view));
    let page = history_html(&view).expect("a page");
    assert_eq!(page.matches("<svg class=\"trend\"").count(), 2);
    // Two trends of six points each, and six rows of the table.
    for at in 0..6 {
        let report = format!("href=\"runs&#x2f;{at}&#x2f;report.html\"");
        let in_svg = format!("href=\"runs/{at}/report.html\"");
        let commit = format!("commit/{at}?a=1&amp;b=2\"");
        let links = page.matches(&in_svg).count() + page.matches(&commit).count() + page.matches(&report).count();
        assert!(links >= 2, "run {at} is linked: {links}");
    }
    assert_eq!(page.matches("class=\"failed\"").count(), 1);
    // The version changed after the fourth run: two pieces of each line.
    assert_eq!(page.matches("<polyline").count(), 4);
    assert!(!page.contains("<script"));
    assert_eq!(page, history_html(&view).expect("a page"), "the same runs give the same bytes");
    let none = HistoryView { runs: &[], pinned: None };
    assert!(history_html(&none).expect("a page").contains("No run was added yet"));
}

#[test]
fn hostile_names_stay_names() {
    let hostile = fake::hostile_names();
    let mut gates = Vec::new();
    for name in &hostile {
        let mut gate = gate(name, "g", name, -0.2, GateOutcome::Regression);
        gate.reason = Some(name.clone());
        gate.base_model = Some(name.clone());
        gates.push(gate);
        gates.push(Gate {
            model: name.clone(),
            outcome: GateOutcome::Unchecked,
            reason: Some(name.clone()),
            ..Gate::default()
        });
    }
    let mut compared = compared(gates);
    compared.notes = hostile.clone();
    compared.title = hostile[0].clone();
    compared.suite = hostile[0].clone();
    let page = compared_html(&compared).expect("a page");
    let known = [
        "html", "head", "meta", "title", "style", "body", "div", "header", "p", "h1", "h2", "bdi", "main", "section",
        "ul", "li", "dl", "dt", "dd", "table", "caption", "strong", "span", "thead", "tbody", "tr", "th", "td", "svg",
        "line", "circle",
    ];
    for tag in parse::tags(&page).iter().filter(|tag| !tag.starts_with("<!")) {
        let name: String = tag.trim_start_matches(['<', '/']).chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(known.contains(&name.as_str()), "{tag}");
    }
    let comment = compared_markdown(&compared);
    let html: Vec<&str> = parse::tags(&comment);
    let fine = ["<!--", "<details>", "</details>", "<summary>", "</summary>", "<sub>", "</sub>"];
    assert!(html.iter().all(|tag| fine.iter().any(|good| tag.starts_with(good))), "{html:?}");
    assert!(resvg::usvg::roxmltree::Document::parse(&compared_junit(&compared)).is_ok());
    let mut runs = history();
    for (run, name) in runs.iter_mut().zip(&hostile) {
        (run.run_id, run.commit, run.date) = (name.clone(), Some(name.clone()), Some(name.clone()));
        run.commit_url = Some(format!("https://example.org/\"><script>{name}"));
        run.models = vec![name.clone()];
        run.values.iter_mut().for_each(|value| value.model.clone_from(name));
    }
    let page = history_html(&HistoryView { runs: &runs, pinned: None }).expect("a page");
    assert!(!page.contains("<script"), "no element from a name");
}
