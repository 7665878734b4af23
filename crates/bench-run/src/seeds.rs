//! What several trainings of one method come to.

use bench_core::RunRecord;
use bench_core::record::SeedSummary;
use bench_eval::aggregate::over_seeds;

/// Means over the trainings of each method that was trained more than once, in the order of the
/// record: accuracy and G of every split and probe, and every metric of retrieval.
pub fn summarise(record: &RunRecord) -> Vec<SeedSummary> {
    let mut methods: Vec<(&str, Vec<&str>)> = vec![];
    for training in &record.training {
        match methods.iter_mut().find(|(method, _)| *method == training.method) {
            Some((_, models)) => models.push(&training.model),
            None => methods.push((&training.method, vec![&training.model])),
        }
    }
    let mut found = vec![];
    for (method, models) in methods.iter().filter(|(_, models)| models.len() > 1) {
        let here = |model: &str| models.contains(&model);
        let batch =
            record.summaries.iter().filter(|s| here(&s.model) && ["accuracy", "g"].contains(&s.quantity.as_str()));
        let batch =
            batch.map(|s| ((s.protocol.clone(), format!("{}, {}", s.split, s.probe), s.quantity.clone()), s.value));
        let retrieval = record.retrieval.iter().filter(|row| here(&row.model)).map(|row| {
            let task = format!("{}, 1:{}", row.direction, row.gallery);
            ((row.protocol.clone(), task, row.metric.clone()), row.value)
        });
        let mut scores: Vec<((String, String, String), Vec<f64>)> = vec![];
        for (key, value) in batch.chain(retrieval) {
            let at = match scores.iter().position(|(known, _)| *known == key) {
                Some(at) => at,
                None => {
                    scores.push((key, vec![]));
                    scores.len() - 1
                }
            };
            scores[at].1.extend(value);
        }
        found.extend(scores.into_iter().map(|((protocol, task, quantity), values)| {
            let (mean, sd, interval) = over_seeds(&values);
            let (method, seeds) = ((*method).to_owned(), values.len() as u32);
            SeedSummary { method, protocol, task, quantity, seeds, mean, sd, interval }
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use bench_core::record::{RetrievalRow, Summary, TrainingInfo};

    use super::*;

    #[test]
    fn methods_that_were_trained_once_have_no_mean_over_seeds() {
        let training = |model: &str, method: &str| TrainingInfo {
            model: model.into(),
            method: method.into(),
            ..TrainingInfo::default()
        };
        let accuracy = |model: &str, value: f64| Summary {
            model: model.into(),
            protocol: "strict".into(),
            split: "random".into(),
            probe: "logreg".into(),
            quantity: "accuracy".into(),
            value: Some(value),
            ..Summary::default()
        };
        let row = |value| RetrievalRow {
            model: "emm-seed2".into(),
            protocol: "strict".into(),
            direction: "image-to-molecule".into(),
            gallery: 100,
            metric: "mrr".into(),
            value,
            ..RetrievalRow::default()
        };
        let record = RunRecord {
            training: vec![training("emm", "emm"), training("emm-seed2", "emm"), training("clip", "clip")],
            summaries: vec![accuracy("emm", 0.4), accuracy("clip", 0.9), accuracy("emm-seed2", 0.6)],
            retrieval: vec![row(Some(0.1)), row(None)],
            ..RunRecord::default()
        };
        let found = summarise(&record);
        assert!(found.iter().all(|summary| summary.method == "emm"));
        assert_eq!((found[0].task.as_str(), found[0].seeds, found[0].mean), ("random, logreg", 2, Some(0.5)));
        // A score that one of them lacks is the mean of the others, and says of how many.
        assert_eq!((found[1].quantity.as_str(), found[1].seeds, found[1].mean), ("mrr", 1, Some(0.1)));
        assert_eq!(found[1].interval, None);
    }
}
