//! Made-up records: a plain one with three models and five controls, and a hostile one whose
//! names try to break out of every notation. All numbers are invented and mean nothing.

mod corrections;
mod hostile;

use bench_core::record::*;
use bench_core::{RunRecord, Score, Seed};

pub(crate) use corrections::{full, hostile_full};
pub(crate) use hostile::{hostile, hostile_names};

pub(crate) const LABELS: [&str; 9] = ["ADRB2", "BRD4", "DNMT3A", "EGFR", "HDAC3", "KRAS", "MAPK14", "PLK1", "TUBB"];
pub(crate) const SOURCES: [&str; 5] = ["source_2", "source_3", "source_6", "source_8", "source_10"];
pub(crate) const CONTROLS: [&str; 5] = ["constant", "noise", "one-hot-label", "one-hot-source", "shuffled-labels"];
pub(crate) const SPLITS: [(&str, &str); 4] =
    [("random", "well"), ("not-same-plate", "plate"), ("not-same-batch", "batch"), ("not-same-source", "source")];

/// Accuracy of each model on random splits, and the share kept on plates, batches, sources.
const MODELS: [(&str, f64, [f64; 4]); 3] = [
    ("emb-a", 0.81, [1.0, 0.97, 0.91, 0.77]),
    ("emb-b", 0.78, [1.0, 0.99, 0.97, 0.95]),
    ("emb-c", 0.12, [1.0, 0.98, 1.03, 0.96]),
];

/// A record with three models, two protocols and two probes, and maps of `points` points.
pub(crate) fn record(points: usize) -> RunRecord {
    let mut r = RunRecord {
        schema_version: SCHEMA_VERSION,
        run_id: "target2-1f2e3d4c".into(),
        suite: SuiteInfo {
            id: "target2".into(),
            version: 1,
            title: "Nine targets on TARGET2 plates".into(),
            essay: "Asks whether a representation learned on some laboratories can be used in another.\n\nMisread it like this: a high G of a model at chance; a low gap of a model that was trained on these plates.".into(),
            citation: "Chandrasekaran et al. 2023, JUMP Cell Painting dataset".into(),
            simulated: false,
            digest: "ab".repeat(32),
            dataset: Some(DataSet {
                id: "cpg0016-target2".into(),
                title: "JUMP-CP production, TARGET2 plates".into(),
                licence: "CC0-1.0".into(),
                citation: "Chandrasekaran et al. 2023, JUMP Cell Painting dataset, doi:10.1101/2023.03.23.534023".into(),
            }),
        },
        command: ["bench", "score", "--suite", "target2", "--embeddings", "emb-a=my embeddings.parquet", "--where", "plate=A|B"].map(String::from).to_vec(),
        settings: vec![
            Setting { key: "probe.logreg.c".into(), value: "1".into(), origin: "default".into() },
            Setting { key: "labels.top".into(), value: "9".into(), origin: "suite".into() },
        ],
        software: Software { version: "0.1.0".into(), commit: Some("0123abc".into()), dirty: Some(false), lockfile: "cd".repeat(32) },
        machine: Machine { device: "cpu".into(), dtype: "f32".into(), threads: 2, platform: "linux x86_64".into() },
        seed: 1,
        data: DataInfo {
            label: "Metadata_target".into(),
            rows: 27_000,
            labels: LABELS.iter().map(|l| ((*l).to_owned(), 3000)).collect(),
            units: [("source", 5), ("batch", 24), ("plate", 48), ("well", 864), ("compound", 18)].map(|(u, n)| (u.to_owned(), n)).to_vec(),
            sources: SOURCES.iter().map(|s| ((*s).to_owned(), 5400)).collect(),
            majority: 0.115,
            uniform: 1.0 / 9.0,
        },
        confounding: confounding(),
        controls: controls(),
        warnings: vec!["3 fits of `logreg` stopped at the iteration limit.".into()],
        steps: vec![
            Step { name: "read".into(), seconds: 1.25, cache: CacheState::Computed },
            Step { name: "score".into(), seconds: 41.0, cache: CacheState::Reused },
        ],
        scores_digest: "ef".repeat(32),
        record_digest: "01".repeat(32),
        ..RunRecord::default()
    };
    for (name, ..) in MODELS {
        r.models.push(ModelInfo {
            name: name.into(),
            kind: ModelKind::Model,
            origin: format!("{name}.parquet"),
            digest: "98".repeat(32),
            dims: 512,
            rows: 27_000,
            control_rows: 9000,
            understood: vec!["512 features, `emb_0` to `emb_511`".into()],
            dropped: vec![("label not in the suite's list".into(), 120)],
            ..ModelInfo::default()
        });
    }
    for name in CONTROLS {
        r.models.push(ModelInfo {
            name: name.into(),
            kind: ModelKind::Control,
            origin: "generated".into(),
            dims: 8,
            rows: 27_000,
            ..ModelInfo::default()
        });
    }
    for (p, protocol) in ["paper", "strict"].into_iter().enumerate() {
        for (split, unit) in SPLITS {
            let unit = if protocol == "paper" && split == "random" { "row" } else { unit };
            r.splits.push(SplitInfo {
                protocol: protocol.into(),
                split: split.into(),
                unit: unit.into(),
                folds: 5,
                pooled: false,
                n_train: (21_000, 21_600),
                n_test: (5400, 6000),
                distinct_test_sets: if split == "not-same-source" { 4 } else { 5 },
                unseen_test_rows: 0,
                leaks: if unit == "row" { vec![("well".into(), 864)] } else { vec![("plate".into(), 0)] },
                reason: None,
            });
        }
        if protocol == "strict" {
            r.splits.push(SplitInfo {
                protocol: protocol.into(),
                split: "leave-one-source-out".into(),
                unit: "source".into(),
                folds: 5,
                pooled: true,
                n_train: (21_600, 21_600),
                n_test: (5400, 5400),
                distinct_test_sets: 5,
                ..SplitInfo::default()
            });
            r.splits.push(SplitInfo {
                protocol: protocol.into(),
                split: "leave-compound-out".into(),
                unit: "compound".into(),
                reason: Some("label `KRAS` has one compound only".into()),
                ..SplitInfo::default()
            });
        }
        for (k, probe) in ["logreg", "knn"].into_iter().enumerate() {
            for (m, (name, random, kept)) in MODELS.into_iter().enumerate() {
                // The paper's protocol flatters, neighbours are a little weaker.
                let base = random + if p == 0 && m < 2 { 0.09 } else { 0.0 } - if k == 1 && m < 2 { 0.04 } else { 0.0 };
                cells(&mut r, name, protocol, probe, base, kept, if p == 0 { 0.5 } else { 1.0 });
            }
            for name in CONTROLS {
                let (base, kept) = match name {
                    "one-hot-label" => (1.0, [1.0; 4]),
                    "one-hot-source" => (0.13, [1.0, 1.0, 1.0, 0.85]),
                    "constant" => (0.115, [1.0; 4]),
                    _ => (0.108, [1.0, 1.04, 0.97, 1.02]),
                };
                cells(&mut r, name, protocol, probe, base, kept, 1.0);
            }
        }
    }
    details(&mut r);
    for model in MODELS.map(|m| m.0) {
        r.projections.push(projection(model, points, 48));
    }
    r.verdict = bench_report::verdict(&r);
    r
}

/// [`record`] with `n` models that differ a little, and no details.
pub(crate) fn crowd(n: usize) -> RunRecord {
    let mut r = record(0);
    let (model, summaries) = (r.models[0].clone(), r.summaries.clone());
    r.models.retain(|m| m.kind == ModelKind::Control);
    r.summaries.retain(|s| CONTROLS.contains(&s.model.as_str()));
    for i in 0..n {
        let name = format!("backbone-{i:02}-with-a-rather-long-name");
        r.models.push(ModelInfo { name: name.clone(), ..model.clone() });
        for s in summaries.iter().filter(|s| s.model == "emb-a") {
            let shift = |v: f64| v - 0.01 * i as f64;
            let value = if s.quantity == "accuracy" { s.value.map(shift) } else { s.value };
            r.summaries.push(Summary { model: name.clone(), value, ..s.clone() });
        }
    }
    (r.confusion, r.transfer, r.projections, r.batch_probes) = Default::default();
    r.verdict = bench_report::verdict(&r);
    r
}

/// Scores and summaries of one model, protocol and probe on all splits.
fn cells(r: &mut RunRecord, model: &str, protocol: &str, probe: &str, base: f64, kept: [f64; 4], loss: f64) {
    for ((split, unit), kept) in SPLITS.into_iter().zip(kept) {
        let value = base * (1.0 - (1.0 - kept) * loss);
        let missing = model == "emb-c" && split == "not-same-batch" && protocol == "strict";
        let reason = missing.then(|| "class `KRAS` never occurs in training".to_owned());
        for (metric, value) in [
            ("accuracy", value),
            ("balanced-accuracy", value - 0.004),
            ("f1-macro", value - 0.011),
            ("log-loss", 2.2 - value),
        ] {
            for repeat in 0..5 {
                r.scores.push(Score {
                    model: model.into(),
                    features: "all".into(),
                    correction: "none".into(),
                    task: "Metadata_target".into(),
                    protocol: protocol.into(),
                    split: split.into(),
                    probe: probe.into(),
                    metric: metric.into(),
                    repeat,
                    seed: 17 + u64::from(repeat),
                    n_train: 21_600,
                    n_test: 5400,
                    classes_train: if missing { 8 } else { 9 },
                    classes_test: 9,
                    value: (!missing).then_some(value + (f64::from(repeat) - 2.0) * 0.006),
                    reason: reason.clone(),
                });
            }
            let half = 0.012 + 0.03 * (1.0 - kept).abs();
            let around = |v: f64| Interval { low: v - half, high: v + half };
            r.summaries.push(Summary {
                model: model.into(),
                protocol: protocol.into(),
                split: split.into(),
                probe: probe.into(),
                quantity: metric.into(),
                value: (!missing).then_some(value),
                sd: (!missing).then_some(0.0095),
                min: (!missing).then_some(value - 0.012),
                max: (!missing).then_some(value + 0.012),
                repeats: 5,
                percentile: (!missing && metric == "accuracy").then_some(around(value)),
                bca: (!missing && metric == "accuracy").then_some(around(value)),
                cluster: Some((unit.into(), if unit == "source" { 5 } else { 48 })),
                reason: reason.clone(),
            });
        }
        if split != "random" {
            let g = value / base;
            let half = 0.03 + 0.3 * (1.0 - g).abs();
            for (quantity, value) in
                [("g", g), ("g-star", (value - 0.115) / (base - 0.115).max(0.002)), ("gap", base - value)]
            {
                r.summaries.push(Summary {
                    model: model.into(),
                    protocol: protocol.into(),
                    split: split.into(),
                    probe: probe.into(),
                    quantity: quantity.into(),
                    value: (!missing).then_some(value),
                    repeats: 5,
                    percentile: (!missing).then_some(Interval { low: value - half, high: value + half }),
                    bca: (!missing && quantity == "g")
                        .then_some(Interval { low: value - half, high: value + 0.9 * half }),
                    cluster: Some((unit.into(), 5)),
                    reason: reason.clone(),
                    ..Summary::default()
                });
            }
        }
    }
}

fn details(r: &mut RunRecord) {
    for (m, (model, ..)) in MODELS.into_iter().enumerate() {
        for protocol in ["paper", "strict"] {
            for probe in ["logreg", "knn"] {
                for (s, (split, unit)) in SPLITS.into_iter().enumerate() {
                    for (c, class) in LABELS.into_iter().enumerate() {
                        let recall = (0.9 - 0.1 * m as f64 - 0.06 * s as f64 - 0.03 * c as f64).max(0.02);
                        r.per_class.push(ClassScore {
                            model: model.into(),
                            protocol: protocol.into(),
                            split: split.into(),
                            probe: probe.into(),
                            class: class.into(),
                            n_test: 3000,
                            precision: Some(recall - 0.02),
                            recall: Some(recall),
                            f1: Some(recall - 0.01),
                            roc_auc: (c != 3).then_some(0.5 + recall / 2.0),
                        });
                    }
                    let groups: &[&str] = if unit == "source" { &SOURCES } else { &["p1", "p2", "p3"] };
                    for (g, group) in groups.iter().enumerate() {
                        r.per_group.push(GroupScore {
                            model: model.into(),
                            protocol: protocol.into(),
                            split: split.into(),
                            probe: probe.into(),
                            unit: unit.into(),
                            group: (*group).into(),
                            n_test: 5400,
                            accuracy: Some(0.8 - 0.05 * g as f64 - 0.07 * m as f64),
                            balanced_accuracy: Some(0.79 - 0.05 * g as f64 - 0.07 * m as f64),
                        });
                    }
                    let n = LABELS.len();
                    let counts = (0..n * n)
                        .map(|at| {
                            let (i, j) = (at / n, at % n);
                            if i == j {
                                400.0 - 30.0 * s as f64 - 90.0 * m as f64
                            } else {
                                5.5 + ((i * 7 + j * 3) % 11) as f64 * (1.0 + s as f64)
                            }
                        })
                        .collect();
                    r.confusion.push(Confusion {
                        model: model.into(),
                        protocol: protocol.into(),
                        split: split.into(),
                        probe: probe.into(),
                        classes: LABELS.map(String::from).to_vec(),
                        counts,
                    });
                    r.fits.push(FitInfo {
                        model: model.into(),
                        protocol: protocol.into(),
                        split: split.into(),
                        probe: probe.into(),
                        backend: "gemm".into(),
                        fits: 5,
                        converged: (probe == "logreg").then_some(5),
                        iterations: (probe == "logreg").then_some((18, 24)),
                        gradient: (probe == "logreg").then_some(3.2e-8),
                        objective: (probe == "logreg").then_some(0.5321),
                        tied_votes: if probe == "knn" { 212 } else { 0 },
                        tied_neighbours: 0,
                    });
                }
            }
        }
        for probe in ["logreg", "knn"] {
            for (i, train) in SOURCES.into_iter().enumerate() {
                for (j, test) in SOURCES.into_iter().enumerate() {
                    let missing = i == 2 && j == 4;
                    let value = if i == j { 0.84 } else { 0.72 - 0.09 * ((i + 2 * j) % 5) as f64 } - 0.22 * m as f64;
                    r.transfer.push(Transfer {
                        model: model.into(),
                        probe: probe.into(),
                        train: train.into(),
                        test: test.into(),
                        n_train: 5400 - 100 * i,
                        n_test: 5400,
                        accuracy: (!missing).then_some(value.max(0.05)),
                        reason: missing.then(|| "no label is shared".into()),
                    });
                }
            }
        }
        for (t, (target, levels)) in
            [("source", 5), ("batch", 24), ("plate", 48), ("well-row", 16), ("well-column", 24), ("well-edge", 2)]
                .into_iter()
                .enumerate()
        {
            for rows in ["treated", "controls"] {
                let missing = target == "well-row" && rows == "controls";
                let value = ([0.98, 0.42, 0.02][m] - 0.12 * t as f64).max(-0.04);
                r.batch_probes.push(BatchProbe {
                    model: model.into(),
                    target: target.into(),
                    rows: rows.into(),
                    probe: "logreg".into(),
                    n: if rows == "treated" { 27_000 } else { 9000 },
                    levels,
                    balanced_accuracy: (!missing).then_some(1.0 / levels as f64 + value * (1.0 - 1.0 / levels as f64)),
                    corrected: (!missing).then_some(value),
                    reason: missing.then(|| "control wells lie in two rows only".into()),
                });
            }
        }
        r.ranks.push(RankInterval {
            model: model.into(),
            protocol: "strict".into(),
            split: "not-same-source".into(),
            probe: "logreg".into(),
            rank: [2.0, 1.0, 3.0][m],
            low: [1.0, 1.0, 3.0][m],
            high: [2.0, 2.0, 3.0][m],
        });
    }
    for (a, b, difference, p, p_holm) in [
        ("emb-a", "emb-b", -0.117, 0.0002, 0.0012),
        ("emb-a", "emb-c", 0.51, 0.0002, 0.0012),
        ("emb-b", "emb-c", 0.62, 0.0002, 0.0012),
    ] {
        r.comparisons.push(Comparison {
            a: a.into(),
            b: b.into(),
            protocol: "strict".into(),
            split: "not-same-source".into(),
            probe: "logreg".into(),
            metric: "accuracy".into(),
            difference,
            interval: Some(Interval { low: difference - 0.05, high: difference + 0.05 }),
            p,
            p_holm,
            units: 48,
            permutations: 10_000,
        });
    }
}

fn confounding() -> Confounding {
    let pair = |a: &str, b: &str, la, lb, v: Option<f64>| Association {
        a: a.into(),
        b: b.into(),
        levels_a: la,
        levels_b: lb,
        cramers_v: v,
        cramers_v_corrected: v.map(|v| (v - 0.01).max(0.0)),
        empty_cells: if v.is_some_and(|v| v > 0.9) { 0.88 } else { 0.0 },
    };
    Confounding {
        pairs: vec![
            pair("label", "source", 9, 5, Some(0.02)),
            pair("label", "batch", 9, 24, Some(0.03)),
            pair("label", "plate", 9, 48, Some(0.04)),
            pair("label", "well", 9, 384, Some(0.97)),
            pair("compound", "well", 18, 384, Some(1.0)),
            pair("compound", "source", 18, 5, None),
        ],
        single: vec![SingleLevel {
            unit: "compound".into(),
            label: "KRAS".into(),
            level: "AAAA-BBBB-N".into(),
            rows: 3000,
        }],
        compounds: 18,
        single_position_compounds: 16,
        notes: vec!["Label and well position are nearly one: the plate map is the same everywhere.".into()],
    }
}

fn controls() -> Vec<ControlCheck> {
    let check =
        |control: &str, rule: &str, expected: &str, observed: &str, holds: Option<bool>, reason: Option<&str>| {
            ControlCheck {
                control: control.into(),
                rule: rule.into(),
                expected: expected.into(),
                observed: observed.into(),
                holds,
                reason: reason.map(String::from),
            }
        };
    vec![
        check("constant", "accuracy is that of the most frequent label", "0.115", "0.115", Some(true), None),
        check("noise", "accuracy is not above chance", "at most 0.13", "0.108", Some(true), None),
        check("one-hot-label", "accuracy is perfect", "at least 0.999", "1.000", Some(true), None),
        check(
            "one-hot-source",
            "source can be read perfectly",
            "at least 0.999",
            "",
            None,
            Some("no batch probe was asked for"),
        ),
    ]
}

/// A map of `points` points in islands, with `plates` plates.
fn projection(model: &str, points: usize, plates: usize) -> Projection {
    // Rows have their labels whatever the model, so that maps share them.
    let mut stream = Seed(3).derive(model, 0).stream();
    let mut labels = Seed(3).derive("labels", 0).stream();
    let (mut x, mut y) = (Vec::with_capacity(points), Vec::with_capacity(points));
    let mut codes: [Vec<u32>; 5] = Default::default();
    for i in 0..points {
        let plate = i * plates / points.max(1);
        let (label, source, batch) = (labels.below(9), plate * 5 / plates, plate / 2);
        let (lx, ly) = ((label % 3) as f64, (label / 3) as f64);
        let shift = source as f64 * if model == "emb-a" { 0.16 } else { 0.02 };
        let place = |centre: f64, noise: f64| {
            (16_000.0 + 17_000.0 * (centre + shift - 0.3) + 2600.0 * noise).clamp(0.0, 65_535.0) as u16
        };
        x.push(place(lx, stream.normal()));
        y.push(place(ly, stream.normal()));
        for (list, code) in codes.iter_mut().zip([label, source, batch, plate, (i * 7) % 384]) {
            list.push(code as u32);
        }
    }
    let names = |prefix: &str, n: usize| (0..n).map(|i| format!("{prefix}{i:02}")).collect::<Vec<_>>();
    let wells = || (0..384).map(|w| format!("{}{:02}", char::from(b'A' + (w / 24) as u8), w % 24 + 1)).collect();
    let [label_codes, sources, batches, plate_codes, positions] = codes;
    Projection {
        model: model.into(),
        method: "umap".into(),
        parameters: "15 neighbours, minimal distance 0.1, cosine, 200 epochs".into(),
        points: points + points / 3,
        trustworthiness: Some(0.953),
        row: (0..points as u32).collect(),
        x,
        y,
        colourings: vec![
            Colouring { by: "label".into(), levels: LABELS.map(String::from).to_vec(), codes: label_codes },
            Colouring { by: "source".into(), levels: SOURCES.map(String::from).to_vec(), codes: sources },
            Colouring {
                by: "batch".into(),
                levels: names("source/2021_04_26_Batch", plates.div_ceil(2)),
                codes: batches,
            },
            Colouring { by: "plate".into(), levels: names("BR001170", plates), codes: plate_codes },
            Colouring { by: "position".into(), levels: wells(), codes: positions },
        ],
    }
}
