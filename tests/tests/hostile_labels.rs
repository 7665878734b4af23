//! Hostile names appear escaped in every output, and break nothing.

use std::fs;

use bench_tests::{Csv, bench, folder, record};

#[test]
fn hostile_label_and_source_names_are_escaped_in_every_output() {
    let long = "x".repeat(10_000);
    let names = [
        "<script>alert('pwned')</script>",
        "\"quoted\", with comma\nand newline",
        "\u{202e}drawkcab \u{5e9}\u{5dc}\u{5d5}\u{5dd} & 100 % _under_ $math$ {brace} \\backslash ~^#",
        long.as_str(),
    ];
    let folder = folder();
    let mut table = Csv::experiment(24, 4);
    table.map("target", |t| {
        t.strip_prefix('t').and_then(|n| n.parse::<usize>().ok()).map_or(String::new(), |n| names[n].to_owned())
    });
    table.map(
        "source",
        |s| if s == "s1" { "=cmd|'/c calc'!A1 <img src=x onerror=alert(1)>".into() } else { s.to_owned() },
    );
    let path = table.write(folder.path(), "t.csv");
    let run = folder.path().join("run");
    bench()
        .args(["score", "--label", "target", "--bootstrap", "100", "--repeats", "1", "--embeddings"])
        .arg(format!("<b>model&\"={}", path.display()))
        .arg("--out")
        .arg(&run)
        .assert()
        .code(0);
    let record = record(&run);
    assert_eq!(record.data.labels.len(), 4);
    assert!(record.data.labels.iter().any(|(name, _)| name == names[1]), "names are kept whole in the record");

    let html = fs::read_to_string(run.join("report.html")).expect("a page");
    for inert in ["<script>alert", "<img src=x", "<b>model", "onerror=alert(1)>"] {
        assert!(!html.contains(inert), "`{inert}` is live in the page");
    }
    assert!(html.len() < 5 * 1024 * 1024, "{} bytes", html.len());
    for word in ["http://", "https://"] {
        let external = html
            .match_indices(word)
            .filter(|(at, _)| !html[..*at].ends_with("xmlns=\"") && !html[..*at].ends_with("xmlns='"));
        let external: Vec<&str> = external.map(|(at, _)| html.get(at..at + 40).unwrap_or_default()).collect();
        let loaded = external
            .iter()
            .any(|_| html.contains("src=\"http") || html.contains("href=\"http") || html.contains("@import"));
        assert!(!loaded, "the page loads from the network: {external:?}");
    }

    for entry in fs::read_dir(run.join("figures")).expect("figures").flatten() {
        let name = entry.file_name().into_string().expect("a plain name");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{name}");
        if name.ends_with(".svg") {
            let svg = fs::read_to_string(entry.path()).expect("text");
            assert!(!svg.contains("<script") && !svg.contains("<img"), "{name}");
        }
    }
    for entry in fs::read_dir(run.join("tables")).expect("tables").flatten() {
        let path = entry.path();
        let text = fs::read_to_string(&path).expect("text");
        match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => {
                for line in text.lines() {
                    assert!(!line.starts_with('=') && !line.contains(",=cmd"), "formula in {}", path.display());
                }
            }
            Some("md") => assert!(!text.contains("<script>") && !text.contains("<img"), "{}", path.display()),
            Some("tex") => {
                for bad in ["100 % _", "$math$", "{brace}", " & 100"] {
                    assert!(!text.contains(bad), "`{bad}` in {}", path.display());
                }
            }
            other => panic!("{other:?}"),
        }
    }
    let junit = fs::read_to_string(run.join("junit.xml")).expect("text");
    assert!(!junit.contains("<script>"));
    let scores = fs::read_to_string(run.join("scores.csv")).expect("text");
    assert!(scores.lines().count() > 100);
}
