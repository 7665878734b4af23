//! The verdict's wording, case by case.

use bench_core::RunRecord;
use bench_core::record::{Interval, ModelKind, Summary};
use bench_report::verdict;

use crate::fake;

/// A record with `emb-a` only (and the controls).
fn single() -> RunRecord {
    let mut record = fake::record(0);
    record.models.retain(|m| m.kind == ModelKind::Control || m.name == "emb-a");
    record.comparisons.clear();
    record
}

/// Changes the headline's aggregate of `emb-a`.
fn change(record: &mut RunRecord, split: &str, quantity: &str, edit: impl Fn(&mut Summary)) {
    let found = record.summaries.iter_mut().find(|s| {
        s.model == "emb-a"
            && s.protocol == "strict"
            && s.probe == "logreg"
            && s.split == split
            && s.quantity == quantity
    });
    edit(found.expect("the aggregate"));
}

fn set(low: f64, value: f64, high: f64) -> impl Fn(&mut Summary) {
    move |s| {
        s.value = Some(value);
        s.bca = Some(Interval { low, high });
        s.percentile = s.bca;
    }
}

#[test]
fn the_share_that_is_kept_is_the_first_sentence() {
    let mut record = single();
    change(&mut record, "not-same-source", "g", set(0.69, 0.77, 0.86));
    assert_eq!(
        verdict(&record)[0],
        "emb-a keeps 77 % of its accuracy on sources it has not seen (G_NSS 0.77 [0.69, 0.86], strict, logistic regression; chance 0.12); source can be read from it almost perfectly (corrected accuracy 0.98)."
    );
}

#[test]
fn an_interval_that_holds_one_means_no_loss_is_detectable() {
    let mut record = single();
    change(&mut record, "not-same-source", "g", set(0.91, 0.97, 1.03));
    assert!(
        verdict(&record)[0]
            .starts_with("No loss of emb-a is detectable on sources it has not seen (G_NSS 0.97 [0.91, 1.03]")
    );
}

#[test]
fn an_interval_above_one_is_called_odd_not_good() {
    let mut record = single();
    change(&mut record, "not-same-source", "g", set(1.02, 1.1, 1.2));
    assert!(verdict(&record)[0].contains("easier held-out groups"), "{}", verdict(&record)[0]);
}

#[test]
fn without_an_interval_the_noise_is_called_unknown() {
    let mut record = single();
    change(&mut record, "not-same-source", "g", |s| {
        s.bca = None;
        s.percentile = None;
    });
    assert!(verdict(&record)[0].contains("no interval, so the noise is unknown"));
}

#[test]
fn percentile_intervals_step_in_for_bca() {
    let mut record = single();
    change(&mut record, "not-same-source", "g", |s| {
        s.bca = None;
        s.percentile = Some(Interval { low: 0.5, high: 0.9 });
    });
    assert!(verdict(&record)[0].contains("[0.50, 0.90]"));
}

#[test]
fn a_model_at_chance_is_told_that_its_scores_mean_nothing() {
    let mut record = single();
    change(&mut record, "random", "accuracy", set(0.10, 0.12, 0.14));
    let first = &verdict(&record)[0];
    assert!(first.starts_with("emb-a carries no label information"), "{first}");
    assert!(first.contains("its G-scores mean nothing"));
}

#[test]
fn falling_to_chance_on_unseen_sources_is_said() {
    let mut record = single();
    change(&mut record, "not-same-source", "accuracy", set(0.1, 0.13, 0.16));
    assert!(
        verdict(&record)[0].starts_with("emb-a falls to chance on sources it has not seen: accuracy 0.13 [0.10, 0.16]")
    );
}

#[test]
fn a_missing_headline_names_its_reason() {
    let mut record = single();
    change(&mut record, "not-same-source", "g", |s| {
        s.value = None;
        s.reason = Some("one source only".into());
    });
    assert!(
        verdict(&record)[0].starts_with(
            "There is no verdict on emb-a for sources it has not seen: G_NSS is missing (one source only)"
        )
    );
}

#[test]
fn controls_out_of_order_come_first() {
    let mut record = single();
    record.controls[0].holds = Some(false);
    record.controls[0].observed = "0.31".into();
    let sentences = verdict(&record);
    assert_eq!(
        sentences[0],
        "This run cannot be trusted: 1 of 4 control rules is broken (constant: accuracy is that of the most frequent label (expected 0.115, observed 0.31))."
    );
    assert!(sentences[1].starts_with("emb-a keeps"));
}

#[test]
fn simulated_data_are_named_in_the_first_lines_everywhere() {
    let mut record = single();
    record.suite.simulated = true;
    record.verdict = verdict(&record);
    assert!(record.verdict[0].starts_with("On simulated data, emb-a keeps"), "{}", record.verdict[0]);
    let head = |text: &str| text.lines().take(4).collect::<String>().to_lowercase();
    assert!(head(&bench_report::summary(&record)).contains("simulated data"));
    let page = bench_report::html(&record).expect("html");
    assert!(page.find("Simulated data:").expect("said") < page.find("class=\"lead\"").expect("a verdict"));
    assert!(bench_report::figures(&record).expect("figures").iter().all(|f| f.svg.contains("simulated data")));
}

#[test]
fn models_that_cannot_be_told_apart_are_worded_so() {
    let mut record = fake::record(0);
    let c = record.comparisons.iter_mut().find(|c| c.a == "emb-a" && c.b == "emb-b").expect("a test");
    c.difference = -0.012;
    c.interval = Some(Interval { low: -0.04, high: 0.02 });
    c.p_holm = 0.41;
    let sentences = verdict(&record);
    let ranking = sentences.iter().find(|s| s.contains("highest accuracy")).expect("a ranking");
    assert_eq!(
        ranking,
        "emb-b has the highest accuracy on sources it has not seen, rank 1 [1, 2], ahead of emb-c (difference 0.62 [0.57, 0.67], p 0.001 after Holm), but inside the noise of emb-a (difference 0.01 [−0.02, 0.04], p 0.410 after Holm)."
    );
}

#[test]
fn missing_scores_and_unmade_splits_are_named() {
    let sentences = verdict(&fake::record(0)).join("\n");
    assert!(sentences.contains("40 of 2,560 scores are missing: class `KRAS` never occurs in training (40)."));
    assert!(sentences.contains("strict / leave-compound-out (label `KRAS` has one compound only)"));
    assert!(sentences.contains("The intervals rest on 5 sources only"));
}

#[test]
fn fixed_folds_are_compared_with_their_baseline() {
    let mut record = single();
    record.splits.retain(|s| s.protocol == "strict" && ["random", "not-same-source"].contains(&s.split.as_str()));
    record.summaries.retain(|s| s.protocol == "strict" && ["random", "not-same-source"].contains(&s.split.as_str()));
    let rename =
        |split: &mut String| *split = if split == "random" { "hashed5".into() } else { "not_same_source".into() };
    for s in &mut record.splits {
        (s.protocol, s.unit) = ("fixed".into(), "fold".into());
        rename(&mut s.split);
    }
    for s in &mut record.summaries {
        s.protocol = "fixed".into();
        rename(&mut s.split);
    }
    assert!(
        verdict(&record)[0].starts_with("emb-a keeps 77 % of its accuracy on sources it has not seen (G_NSS 0.77"),
        "{}",
        verdict(&record)[0]
    );
    let figures = bench_report::figures(&record).expect("figures");
    assert!(
        figures.iter().any(|f| f.id == "ladder-fixed-logreg")
            && figures.iter().any(|f| f.id == "g-scores-fixed-logreg")
    );

    record.summaries.retain(|s| s.quantity == "accuracy");
    let first = &verdict(&record)[0];
    assert!(first.contains("reaches an accuracy of 0.62") && first.contains("no G-score was computed"), "{first}");
}

#[test]
fn without_held_out_units_nothing_is_said_about_new_ones() {
    let mut record = single();
    record.splits.retain(|s| s.split == "random");
    record.summaries.retain(|s| s.split == "random");
    assert!(verdict(&record)[0].contains("nothing can be said about new ones"), "{}", verdict(&record)[0]);
}
