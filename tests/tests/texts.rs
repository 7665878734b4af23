//! What people read besides help and reports: kept as files, so that a changed word is seen.
//!
//! Numbers that were measured, digests, times and places are masked; counts and words are not.

use std::path::Path;

use bench_tests::{Csv, bench, folder};

/// Both streams and the exit code of a command, without what differs between machines.
fn said(folder: &Path, args: &[&str]) -> String {
    let mut command = bench();
    command.current_dir(folder).args(args).env("BENCH_CACHE", "cache").env_remove("COLUMNS");
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("an exit code");
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut said = format!("$ bench {}\n(exit code {code})\n", args.join(" "));
    for (name, stream) in [("stdout", out), ("stderr", errors)] {
        if !stream.is_empty() {
            let stream = stream.replace(checkout, "CHECKOUT").replace(&folder.display().to_string(), "FOLDER");
            said += &format!("-- {name}\n{}\n", masked(stream.trim_end()));
        }
    }
    said
}

/// Decimals as `#.#`, digests as `HEX`, and whole seconds as `# s`.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word: &str = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())];
        if word.is_empty() {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = word.trim_end_matches('.');
        let after = &rest[word.len()..];
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let hex = |part: &str| part.len() >= 12 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let seconds = word.len() == end.len() && digits(end) && (after.starts_with(" s ") || after.starts_with(" ms"));
        if end.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part)) {
            out += "#.#";
            out += &word[end.len()..];
        } else if hex(end) {
            out += "HEX";
            out += &word[end.len()..];
        } else if seconds {
            out += "#";
        } else {
            out += word;
        }
        rest = after;
    }
    out
}

fn keep(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots/texts", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn masks_leave_words_and_counts() {
    let text = "IMM: 0.912 [0.88, 0.95] of 144 wells in 3 s (12.5 s); 1a2b3c4d5e6f. Version 2.";
    assert_eq!(masked(text), "IMM: #.# [#.#, #.#] of 144 wells in # s (#.# s); HEX. Version 2.");
    assert_eq!(masked("took 3 s in all, 20 ms"), "took # s in all, # ms");
}

#[test]
fn lists_and_cards_read_as_kept() {
    let folder = folder();
    keep("list", &said(folder.path(), &["list"]));
    for id in ["not-same-source", "accuracy", "logreg", "bras", "combat", "arevalo2024", "one-hot-source", "imm-code"] {
        keep(&format!("show-{id}"), &said(folder.path(), &["show", id]));
    }
}

#[test]
fn plans_and_settings_read_as_kept() {
    let folder = folder();
    let csv = Csv::experiment(12, 3);
    csv.write(folder.path(), "t.csv");
    let table = ["--label", "target", "--control", "control=negcon"];
    let with = |args: &[&'static str]| [args, &table].concat();
    keep("validate", &said(folder.path(), &with(&["validate", "t.csv"])));
    keep(
        "dry-run-score",
        &said(folder.path(), &with(&["score", "--embeddings", "t.csv", "--dry-run", "--out", "run"])),
    );
    let args = ["run", "--suite", "target2", "--preset", "smoke", "--dry-run", "--out", "run"];
    keep("dry-run-target2", &said(folder.path(), &args));
    keep("config-show", &said(folder.path(), &["config", "show", "--origin", "--suite", "smoke"]));
    keep("cache-size", &said(folder.path(), &["cache", "size"]));
    keep("cache-why", &said(folder.path(), &["cache", "why", "simulate plates", "--preset", "smoke"]));
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    // A checkout of nothing but what is edited: the file itself is written.
    let file = folder.path().join("crates/bench-eval/src/metric/mod.rs");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::copy(Path::new(checkout).join("crates/bench-eval/src/metric/mod.rs"), &file).expect("copied");
    keep("new-metric", &said(folder.path(), &["new", "metric", "my-metric"]));
}

#[test]
fn a_run_and_what_comes_after_it_read_as_kept() {
    let folder = folder();
    Csv::experiment(12, 3).write(folder.path(), "t.csv");
    let score = ["score", "--embeddings", "t.csv", "--label", "target", "--control", "control=negcon", "--bootstrap"];
    let score: Vec<&str> =
        score.into_iter().chain(["100", "--repeats", "2", "--no-projection", "--out", "run"]).collect();
    let first = said(folder.path(), &score);
    keep("run", &first);
    keep("run-again", &said(folder.path(), &score));
    keep("history-add", &said(folder.path(), &["history", "add", "run", "--pin", "--commit", "1a2b3c4d"]));
    keep("compare-itself", &said(folder.path(), &["compare", "run", "run", "--gate"]));
    keep("export", &said(folder.path(), &["export", "run", "--what", "scores", "--out", "scores.csv"]));
    keep("card", &said(folder.path(), &["card", "run", "--out", "cards"]));
}

#[test]
fn mistakes_are_answered_as_kept() {
    let folder = folder();
    let csv = Csv::experiment(12, 3);
    csv.write(folder.path(), "t.csv");
    let mut text = csv.clone();
    let column = text.column("emb_3");
    text.rows[7][column] = "n/a".to_owned();
    text.write(folder.path(), "text.csv");
    let mut twice = csv;
    let row = twice.rows[4].clone();
    twice.rows.push(row);
    twice.write(folder.path(), "twice.csv");
    std::fs::write(folder.path().join("record.json"), "{\"schema_version\": 1,").expect("written");
    std::fs::write(folder.path().join("new.json"), "{\"schema_version\": 99}").expect("written");
    std::fs::write(folder.path().join("history.jsonl"), "{\"line\": 1\n").expect("written");
    std::fs::write(folder.path().join("cut.parquet"), b"PAR1....PAR").expect("written");
    let mistakes: [(&str, &[&str]); 14] = [
        ("no-verb", &["scroe"]),
        ("no-flag", &["score", "--embedings", "t.csv"]),
        ("no-label", &["score", "--embeddings", "t.csv", "--label", "targt"]),
        ("no-file", &["score", "--embeddings", "absent.csv", "--label", "target"]),
        ("text", &["score", "--embeddings", "text.csv", "--label", "target"]),
        ("twice", &["score", "--embeddings", "twice.csv", "--label", "target"]),
        ("cut", &["score", "--embeddings", "cut.parquet", "--label", "target"]),
        ("no-suite", &["score", "--suite", "target3", "--embeddings", "t.csv"]),
        (
            "no-correction",
            &["score", "--embeddings", "t.csv", "--label", "target", "--corrections", "mad-plate > spere"],
        ),
        ("no-card", &["show", "accuracyy"]),
        ("damaged-record", &["report", "record.json"]),
        ("newer-record", &["report", "new.json"]),
        ("damaged-history", &["history", "show", "--file", "history.jsonl"]),
        ("no-plates", &["run", "--suite", "target2", "--data", "absent"]),
    ];
    let all: Vec<String> =
        mistakes.iter().map(|(name, args)| format!("# {name}\n{}", said(folder.path(), args))).collect();
    keep("mistakes", &all.join("\n"));
    assert!(!folder.path().join("reports").exists(), "nothing is begun");
}
