//! Names from outside that try to break out of HTML, SVG, Markdown, CSV, LaTeX, XML, file names.

use bench_report::{MAX_BYTES, html, render};
use resvg::usvg::{Options, Tree, roxmltree};

use crate::{fake, parse};

#[test]
fn no_name_adds_markup_to_the_page() {
    let (plain, hostile) = (fake::record(300), fake::hostile(300));
    let page = html(&hostile).expect("html");
    assert!(page.len() < MAX_BYTES);
    let tags = parse::tags(&page);
    let count = |tags: &[&str], start: &str| tags.iter().filter(|t| t.starts_with(start)).count();
    assert_eq!(count(&tags, "<script"), 2, "the program and its data");
    assert_eq!(count(&tags, "<style"), 1);
    assert_eq!(count(&tags, "<!--"), 0);
    let plain_page = html(&plain).expect("html");
    let plain_tags = parse::tags(&plain_page);
    assert_eq!(count(&tags, "<img"), count(&plain_tags, "<img"), "no image but ours");
    assert_eq!(count(&tags, "<svg"), count(&plain_tags, "<svg"), "no drawing but ours");
    // Drawings of the page hold marks and text only.
    let known = ["svg", "metadata", "rect", "circle", "polyline", "polygon", "text"];
    for drawing in page.split("<svg xmlns=").skip(1).map(|rest| &rest[..rest.find("</svg>").expect("its end")]) {
        for tag in parse::tags(&drawing[drawing.find('>').expect("a root") + 1..]) {
            let name = tag.trim_start_matches(['<', '/']).split([' ', '>', '/']).next().expect("a name");
            assert!(known.contains(&name), "{tag}");
        }
    }
    let start = page.find("id=\"data\">").expect("the data") + 10;
    let data = &page[start..start + page[start..].find("</script>").expect("their end")];
    assert!(!data.contains(['<', '>', '&']) && serde_json::from_str::<serde_json::Value>(data).is_ok());
    // What opens is closed, as in the plain page.
    for name in ["div", "table", "tr", "td", "th", "section", "figure", "details", "ul", "li", "bdi", "p", "pre", "a"] {
        let open = tags.iter().filter(|t| **t == format!("<{name}>") || t.starts_with(&format!("<{name} "))).count();
        assert_eq!(open, count(&tags, &format!("</{name}>")), "<{name}>");
    }
    for tag in &tags {
        let outside_quotes: String = tag.split('"').step_by(2).collect();
        assert!(!outside_quotes.contains(" on"), "an event handler: {tag}");
    }
    assert!(!page.contains(|c: char| c.is_control() && c != '\n'), "no control characters");
    assert!(!page.contains('\u{202E}'), "no direction override");
    // The essay and the command are shown in full; no table, figure or sentence is.
    let before = &page[..page.find("id=\"methods\"").expect("the section")];
    assert!(!before.contains(&"x".repeat(1100)), "long names are cut");
}

#[test]
fn the_page_loads_nothing_from_outside() {
    for page in [html(&fake::record(300)).expect("html"), html(&fake::hostile(300)).expect("html")] {
        for tag in parse::tags(&page) {
            assert!(
                !["<link", "<iframe", "<object", "<embed", "<base", "<form"].iter().any(|t| tag.starts_with(t)),
                "{tag}"
            );
            for attribute in ["src=\"", "href=\"", "action=\"", "poster=\"", "srcset=\""] {
                for value in tag.split(&format!(" {attribute}")).skip(1) {
                    assert!(
                        value.starts_with("data:image/svg+xml,") || value.starts_with('#') || beside(value),
                        "{attribute}{}",
                        &value[..40.min(value.len())]
                    );
                }
            }
        }
        let style = &page[page.find("<style>").expect("a style")..page.find("</style>").expect("its end")];
        assert!(!style.contains("url(") && !style.contains("@import"));
        assert!(page.contains("default-src &#x27;none&#x27;"), "a policy forbids loads");
    }
}

/// Whether an address is that of a file in the page's folder.
fn beside(value: &str) -> bool {
    let path = value.split('"').next().expect("a value");
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains("..")
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
}

#[test]
fn hostile_names_are_inert_in_every_file() {
    let mut record = fake::hostile(2100);
    record.confusion.truncate(8);
    record.transfer.truncate(25);
    record.projections.truncate(1);
    let artifacts = render(&record).expect("render");
    for artifact in &artifacts {
        let stem = artifact.path.rsplit_once('.').expect("an ending").0;
        assert!(
            stem.len() < 200 && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '/'),
            "{}",
            artifact.path
        );
        let Ok(text) = std::str::from_utf8(&artifact.bytes) else { continue };
        match artifact.path.rsplit_once('.').expect("an ending").1 {
            "svg" => {
                Tree::from_str(text, &Options::default()).expect("usvg reads it");
                let document = roxmltree::Document::parse(text).expect("well-formed");
                let known =
                    ["svg", "title", "desc", "metadata", "rect", "circle", "polyline", "polygon", "text", "image"];
                assert!(
                    document.descendants().filter(|n| n.is_element()).all(|n| known.contains(&n.tag_name().name())),
                    "{}",
                    artifact.path
                );
            }
            "xml" => {
                roxmltree::Document::parse(text).expect("well-formed");
            }
            "csv" => {
                let records = parse::csv(text);
                assert!(records.iter().all(|r| r.len() == records[0].len()), "{}", artifact.path);
                let formula = |f: &String| {
                    f.starts_with(['=', '+', '@', '\t', '\r']) || (f.starts_with('-') && f.parse::<f64>().is_err())
                };
                assert!(!records.iter().flatten().any(formula), "{}", artifact.path);
            }
            "md" => {
                for table in parse::markdown_tables(text) {
                    assert!(table.iter().all(|bars| *bars == table[0]), "{}", artifact.path);
                }
                let prose: String = text.split("```").step_by(2).collect::<String>().replace("\\]", "");
                assert!(
                    !prose.contains('<') && !prose.contains("](") && !prose.contains("http://"),
                    "{}",
                    artifact.path
                );
            }
            "tex" => {
                let body = text.split_once("\\midrule").expect("a table").1;
                assert!(!body.contains("\\input"), "{}", artifact.path);
                assert!(!body.contains("50%") && !body.contains(" #1"), "{}", artifact.path);
            }
            _ => {}
        }
    }
}

#[test]
fn full_names_survive_in_csv() {
    let record = fake::hostile(10);
    let names = fake::hostile_names();
    let records = parse::csv(&bench_report::scores_csv(&record));
    for (line, score) in records[1..].iter().zip(&record.scores) {
        assert_eq!(line[0], score.model.replace('\0', "\u{FFFD}"));
    }
    let class = bench_report::tables(&record).into_iter().find(|t| t.id == "per-class").expect("a table").csv();
    let classes: Vec<String> = parse::csv(&class).into_iter().map(|r| r[4].clone()).collect();
    assert!(classes.contains(&names[3]), "ten thousand characters");
    assert!(classes.contains(&format!("'{}", names[6])), "a formula behind an apostrophe");
}

#[test]
fn latex_specials_are_escaped() {
    let mut record = fake::record(10);
    record.models[0].name = "50%_of $x^2$ \\input{a} #1 {b} ~c & d|e".into();
    let old = "emb-a";
    for s in &mut record.summaries {
        if s.model == old {
            s.model.clone_from(&record.models[0].name);
        }
    }
    let table = bench_report::tables(&record).into_iter().find(|t| t.id == "results-strict-logreg").expect("a table");
    let latex = table.latex();
    assert!(
        latex.contains("50\\%\\_of \\$x\\textasciicircum{}2\\$ \\textbackslash{}input\\{a\\} \\#1 \\{b\\} \\textasciitilde{}c \\& d\\textbar{}e"),
        "{latex}"
    );
    assert!(latex.contains("0.810 $\\pm$ 0.009"));
    assert!(latex.contains("\\toprule") && latex.contains("\\bottomrule"));
}

#[test]
fn right_to_left_names_are_isolated_in_sentences() {
    let record = fake::hostile(10);
    let sentence = record.verdict.iter().find(|s| s.contains("שלום")).expect("a sentence on that model");
    assert!(sentence.contains("\u{2068}txt.exe שלום"), "{sentence:?}");
    assert_eq!(sentence.matches('\u{2068}').count(), sentence.matches('\u{2069}').count());
}
