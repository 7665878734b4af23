//! The files of an ordinary report.

use std::collections::BTreeSet;

use base64::Engine;
use bench_report::{
    Artifact, Cell, Changes, Column, DPI, Extras, MAX_BYTES, SCORE_COLUMNS, Shape, Table, figures, html, html_with,
    render,
};
use resvg::usvg::{Options, Tree, roxmltree};

use crate::{fake, parse};

fn text<'a>(artifacts: &'a [Artifact], path: &str) -> &'a str {
    let found = artifacts.iter().find(|a| a.path == path).unwrap_or_else(|| panic!("{path} is missing"));
    std::str::from_utf8(&found.bytes).expect("text")
}

#[test]
fn every_file_of_a_report_is_there() {
    let mut record = fake::record(2500);
    record.confusion.retain(|c| c.model == "emb-b");
    let artifacts = render(&record).expect("render");
    let paths: BTreeSet<&str> = artifacts.iter().map(|a| a.path.as_str()).collect();
    assert_eq!(paths.len(), artifacts.len(), "paths are unique");
    for path in ["report.html", "summary.md", "scores.csv", "junit.xml", "tables/confusion.csv"] {
        assert!(paths.contains(path), "{path}");
    }
    for (protocol, probe) in [("paper", "logreg"), ("paper", "knn"), ("strict", "logreg"), ("strict", "knn")] {
        for ending in ["svg", "png"] {
            for kind in ["ladder", "g-scores"] {
                assert!(paths.contains(format!("figures/{kind}-{protocol}-{probe}.{ending}").as_str()));
            }
            for split in ["random", "not-same-source"] {
                assert!(
                    paths.contains(format!("figures/confusion-2-emb-b-{protocol}-{split}-{probe}.{ending}").as_str())
                );
            }
        }
        for ending in ["md", "csv", "tex"] {
            for kind in ["results", "g-scores", "metrics"] {
                assert!(paths.contains(format!("tables/{kind}-{protocol}-{probe}.{ending}").as_str()));
            }
        }
    }
    for figure in [
        "umap-1-emb-a",
        "umap-3-emb-c",
        "transfer-1-emb-a-logreg",
        "transfer-3-emb-c-knn",
        "batch-probes-logreg",
        "confounding",
    ] {
        assert!(paths.contains(format!("figures/{figure}.svg").as_str()), "{figure}");
        assert!(paths.contains(format!("figures/{figure}.png").as_str()), "{figure}");
    }
    for table in [
        "per-class",
        "per-group",
        "transfer",
        "batch-probes",
        "confounding",
        "controls",
        "comparisons",
        "ranks",
        "fits",
        "splits",
        "missing",
    ] {
        for ending in ["md", "csv", "tex"] {
            assert!(paths.contains(format!("tables/{table}.{ending}").as_str()), "{table}.{ending}");
        }
    }

    for artifact in artifacts.iter().filter(|a| a.path.ends_with(".csv")) {
        let records = parse::csv(text(&artifacts, &artifact.path));
        assert!(records.iter().all(|r| r.len() == records[0].len()), "{}", artifact.path);
    }
    for artifact in artifacts.iter().filter(|a| a.path.ends_with(".md")) {
        for table in parse::markdown_tables(text(&artifacts, &artifact.path)) {
            assert!(table.iter().all(|bars| *bars == table[0]), "{}", artifact.path);
        }
    }
}

#[test]
fn figures_are_valid_svg_and_png_of_the_promised_size() {
    let record = fake::record(2500);
    let figures = figures(&record).expect("figures");
    let chosen: Vec<_> =
        figures.iter().filter(|f| !f.id.starts_with("confusion") || f.id.ends_with("strict-random-logreg")).collect();
    assert!(chosen.len() > 12);
    for figure in chosen {
        let tree = Tree::from_str(&figure.svg, &Options::default()).expect("usvg reads it");
        assert!((f64::from(tree.size().width()) - figure.width).abs() < 0.01, "{}", figure.id);
        assert!(figure.svg.contains("viewBox=\"0 0 ") && figure.svg.contains(&format!("run {}", record.run_id)));
        let png = figure.png().expect("png");
        let decoder = png::Decoder::new(std::io::Cursor::new(&png));
        let mut reader = decoder.read_info().expect("a PNG");
        let info = reader.info();
        assert_eq!(f64::from(info.width), (figure.width * DPI / 96.0).ceil(), "{}", figure.id);
        assert_eq!(f64::from(info.height), (figure.height * DPI / 96.0).ceil());
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        reader.next_frame(&mut pixels).expect("pixels");
        let ink = pixels.chunks(3).filter(|p| p.iter().all(|c| *c < 60)).count();
        assert!(ink > 500, "{}: only {ink} dark pixels, so text is missing", figure.id);
    }
}

#[test]
fn many_points_become_an_image_layer_and_are_visible_in_the_png() {
    let (few, many) = (fake::record(1500), fake::record(2500));
    let map = |record| figures(record).expect("figures").into_iter().find(|f| f.id == "umap-1-emb-a").expect("a map");
    let (few, many) = (map(&few), map(&many));
    assert!(!few.svg.contains("<image"));
    assert_eq!(many.svg.matches("<image").count(), 5);
    assert!(many.caption.contains("2,500 of 3,333 points shown"), "{}", many.caption);
    assert!(many.svg.contains("… and 32 more"), "48 plates, 16 named");
    // The first model's colour of the layer, drawn by compositing.
    let png = many.png().expect("png");
    let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut pixels).expect("pixels");
    let blue =
        pixels.chunks(3).filter(|p| p[0] < 20 && (104..124).contains(&p[1]) && (168..188).contains(&p[2])).count();
    assert!(blue > 1000, "{blue}");
}

#[test]
fn every_accuracy_plot_shows_chance_band_n_and_interval() {
    let record = fake::record(100);
    for ladder in figures(&record).expect("figures").iter().filter(|f| f.id.starts_with("ladder")) {
        for words in [
            "majority 0.115",
            "uniform 0.111",
            "control band",
            "n 21,600 / 6,000",
            "whiskers: 95 % BCa",
            "axis from zero",
        ] {
            assert!(ladder.svg.contains(words), "{words} in {}", ladder.id);
        }
        assert!(ladder.caption.contains("constant, noise and shuffled-labels"));
    }
}

#[test]
fn the_same_record_gives_the_same_bytes_at_any_thread_count() {
    let mut record = fake::record(300);
    record.confusion.truncate(9);
    record.transfer.truncate(25);
    let once = render(&record).expect("render");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let again = pool.install(|| render(&record)).expect("render");
    assert_eq!(once.len(), again.len());
    for (a, b) in once.iter().zip(&again) {
        assert!(a == b, "{} differs", a.path);
    }
}

#[test]
fn raw_scores_come_back_bit_by_bit() {
    let record = fake::record(10);
    let records = parse::csv(&bench_report::scores_csv(&record));
    assert_eq!(records[0], SCORE_COLUMNS);
    assert_eq!(records.len(), record.scores.len() + 1);
    for (line, score) in records[1..].iter().zip(&record.scores) {
        assert_eq!(line[0], score.model);
        assert_eq!(line[8], score.repeat.to_string());
        match score.value {
            Some(value) => assert_eq!(line[14].parse::<f64>().expect("a number").to_bits(), value.to_bits()),
            None => {
                assert_eq!((line[14].as_str(), line[15].as_str()), ("", score.reason.as_deref().expect("a reason")))
            }
        }
    }
}

#[test]
fn junit_has_a_case_for_each_rule_and_each_missing_score() {
    let mut record = fake::record(10);
    record.controls[1].holds = Some(false);
    let xml = bench_report::junit(&record);
    let document = roxmltree::Document::parse(&xml).expect("well-formed");
    let missing = record.scores.iter().filter(|s| s.value.is_none()).count();
    let of = |name: &str| document.descendants().filter(|n| n.has_tag_name(name)).count();
    assert_eq!(of("testcase"), record.controls.len() + missing);
    assert_eq!((of("failure"), of("skipped")), (1, missing + 1));
    assert_eq!(document.root_element().attribute("failures"), Some("1"));
}

#[test]
fn the_page_answers_first_and_keeps_its_order() {
    let record = fake::record(300);
    let page = html(&record).expect("html");
    let verdict = page.find("class=\"lead\"").expect("a verdict");
    let mut last = verdict;
    let order = [
        "headline",
        "ladder",
        "results",
        "changes",
        "breakdown",
        "origin",
        "maps",
        "checks",
        "methods",
        "citation",
        "provenance",
        "downloads",
    ];
    for id in order {
        let at = page.find(&format!("<h2 id=\"{id}\"")).unwrap_or_else(|| panic!("{id}"));
        assert!(at > last, "{id} is out of order");
        last = at;
    }
    assert_eq!(page.matches("<h1>").count(), 1);
    assert!(page.contains("<main>") && page.contains("<nav aria-label") && page.contains("lang=\"en\""));
    assert!(page.contains("missing (a)") && page.contains("label `KRAS` has one compound only"));
    assert!(page.contains(&bench_report::shell_command(&record.command).replace('\'', "&#x27;")));
    let tags = parse::tags(&page);
    for (element, attribute) in [("<img", "alt=\""), ("<svg xmlns", "aria-label=\"")] {
        let found: Vec<_> = tags.iter().filter(|t| t.starts_with(element)).collect();
        assert!(found.len() > 4, "{element}");
        for tag in found {
            let words = tag.split(attribute).nth(1).and_then(|rest| rest.split('"').next()).expect("words for it");
            assert!(words.len() > 20, "{words}");
        }
    }
    for t in ["Two protocols", "Biases of the suite", "CC0-1.0", "@article{chandrasekaran2023", "@software{bench"] {
        assert!(page.contains(t), "{t}");
    }
}

#[test]
fn sections_without_content_are_left_out_and_appear_with_it() {
    let record = fake::record(100);
    let page = html(&record).expect("html");
    assert!(page.contains("This page was made without a baseline") && page.contains("--baseline BASE"));
    for id in ["retrieval", "training", "metrics", "plates"] {
        assert!(!page.contains(&format!("id=\"{id}\"")) && !page.contains(&format!("href=\"#{id}\"")), "{id}");
    }
    let table = |id: &str| Table {
        id: id.into(),
        title: format!("Table {id} <b>"),
        note: String::new(),
        columns: vec![
            Column { title: "model".into(), shape: Shape::Text },
            Column { title: "x".into(), shape: Shape::Number },
        ],
        rows: vec![vec![Cell::Text("emb-a".into()), Cell::Number(-0.125)]],
    };
    let changes = Changes {
        baseline: "target2-0000".into(),
        sentences: vec!["No gate failed & all is <well>.".into()],
        tables: vec![table("differences")],
    };
    let suite = [table("embedding-metrics")];
    let extras = Extras { changes: Some(&changes), metric_suite: &suite, ..Extras::default() };
    let page = html_with(&record, &extras).expect("html");
    let place = |what: &str| page.find(what).unwrap_or_else(|| panic!("{what}"));
    assert!(place("<h2 id=\"results\"") < place("<h2 id=\"changes\""));
    assert!(place("<h2 id=\"changes\"") < place("<h2 id=\"breakdown\""));
    assert!(place("<h2 id=\"maps\"") < place("<h2 id=\"metrics\""));
    assert!(page.contains("No gate failed &amp; all is &lt;well&gt;.") && page.contains("Table differences &lt;b&gt;"));
    assert!(page.contains("data-raw=\"-0.125\">−0.125"));
}

#[test]
fn every_figure_has_its_numbers_beside_it() {
    let mut record = fake::record(300);
    record.confusion.retain(|c| c.model == "emb-b");
    let artifacts = render(&record).expect("render");
    let figures = figures(&record).expect("figures");
    for figure in &figures {
        let records = parse::csv(text(&artifacts, &format!("figures/{}.csv", figure.id)));
        assert!(records.len() > 1, "{}", figure.id);
    }
    let ladder = parse::csv(text(&artifacts, "figures/ladder-strict-logreg.csv"));
    assert_eq!(ladder[0][..7], ["model", "split", "n train", "n test", "accuracy", "accuracy low", "accuracy high"]);
    let row = ladder.iter().find(|r| r[0] == "emb-a" && r[1] == "random").expect("a point");
    assert_eq!(row[4].parse::<f64>().expect("a number"), 0.81);
    let matrix = parse::csv(text(&artifacts, "figures/confusion-2-emb-b-strict-not-same-source-knn.csv"));
    let counts: f64 = matrix[1..].iter().map(|r| r[2].parse::<f64>().expect("a count")).sum();
    let wanted = record
        .confusion
        .iter()
        .find(|c| c.protocol == "strict" && c.split == "not-same-source" && c.probe == "knn")
        .expect("the matrix");
    assert_eq!((matrix.len() - 1, counts), (81, wanted.counts.iter().sum()));
    let transfer = parse::csv(text(&artifacts, "figures/transfer-3-emb-c-knn.csv"));
    assert!(transfer[1..].iter().all(|r| r[0] == "emb-c" && r[1] == "knn") && transfer.len() == 26);
    let points = parse::csv(text(&artifacts, "figures/umap-2-emb-b.csv"));
    assert_eq!(points[0], ["row", "x", "y", "label", "source", "batch", "plate", "position"]);
    assert_eq!(points.len(), 301);
}

#[test]
fn maps_of_the_same_rows_share_what_is_known_of_them() {
    let data = |record: &bench_core::RunRecord| -> serde_json::Value {
        let page = html(record).expect("html");
        let start = page.find("id=\"data\">").expect("the data") + 10;
        serde_json::from_str(&page[start..start + page[start..].find("</script>").expect("their end")]).expect("JSON")
    };
    let mut record = fake::record(300);
    let maps = &data(&record)["maps"];
    assert_eq!((maps["groups"].as_array().map(Vec::len), maps["list"].as_array().map(Vec::len)), (Some(1), Some(3)));
    let bytes = base64::engine::general_purpose::STANDARD.decode(maps["list"][0]["x"].as_str().expect("text"));
    let x: Vec<u16> = bytes.expect("base64").chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
    assert_eq!(x, record.projections[0].x);
    assert_eq!(maps["groups"][0]["by"][4]["name"], "position");
    record.projections[2].colourings.pop();
    assert_eq!(data(&record)["maps"]["groups"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_page_stays_under_its_limit_and_says_what_it_leaves_out() {
    let page = html(&fake::record(50_000)).expect("html");
    assert!(page.len() < MAX_BYTES, "{}", page.len());
    assert!(page.contains("50,000 of 66,666 points shown"), "three maps of 50,000 points fit");

    let record = fake::record(20_000);
    let page = html(&record).expect("html");
    assert!(page.len() < MAX_BYTES, "{}", page.len());
    assert!(page.contains("20,000 of 26,666 points shown"));
    assert!(!page.contains("more maps not shown"));

    let mut many = fake::record(10_000);
    let first = many.projections[0].clone();
    many.projections = (0..16).map(|_| first.clone()).collect();
    many.confusion.clear();
    let page = html(&many).expect("html");
    assert!(page.len() < MAX_BYTES, "{}", page.len());
    assert!(page.contains("more maps not shown here"), "the page says what is left out");
    assert!(page.contains("10,000 of 13,333 points shown"), "the thinning of those shown is said");
}

#[test]
fn thirty_models_fit_into_figures_and_legends() {
    let record = fake::crowd(30);
    let figures = figures(&record).expect("figures");
    let ladder = figures.iter().find(|f| f.id == "ladder-strict-logreg").expect("a ladder");
    assert!(ladder.svg.contains("… and 6 more"));
    let bars = figures.iter().find(|f| f.id == "g-scores-strict-logreg").expect("bars");
    assert!(bars.caption.contains("6 more models are in the table"), "{}", bars.caption);
    assert!(record.verdict.iter().any(|s| s == "22 more models are in the tables."), "{:?}", record.verdict);
}

#[test]
fn an_empty_record_still_gives_a_report() {
    let artifacts = render(&bench_core::RunRecord::default()).expect("render");
    assert!(text(&artifacts, "summary.md").contains("No split was scored"));
    assert!(text(&artifacts, "report.html").contains("No split was scored"));
    assert_eq!(parse::csv(text(&artifacts, "scores.csv")).len(), 1);
}

#[test]
fn lists_that_do_not_fit_together_are_an_error() {
    let mut record = fake::record(10);
    record.projections[1].x.pop();
    let error = figures(&record).expect_err("an error").to_string();
    assert_eq!(error, "x of the projection of `emb-b` has 9 entries where 10 are needed");
    let mut record = fake::record(10);
    record.confusion[0].counts.pop();
    assert!(figures(&record).expect_err("an error").to_string().contains("has 80 entries where 81 are needed"));
}
