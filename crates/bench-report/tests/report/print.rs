//! Figures and tables for print: width, size of text, selectable text, what each file says of its run.

use std::collections::BTreeMap;

use bench_core::RunRecord;
use bench_core::record::{Epoch, RetrievalRow, TrainingInfo};
use bench_report::{Artifact, DataFacts, Format, LEAST_POINTS, Paper, Publication, WIDTHS, model_cards, publish};
use resvg::usvg::roxmltree::Document;

use crate::{fake, parse};

/// A record with what the paper's tables need.
fn record(points: usize) -> RunRecord {
    let mut record = fake::record(points);
    for (model, name) in record.models.clone().iter().zip(["clip", "emm", "imm"]) {
        let renamed = |text: &mut String| {
            if *text == model.name {
                *text = name.to_owned();
            }
        };
        record.models.iter_mut().for_each(|m| renamed(&mut m.name));
        record.summaries.iter_mut().for_each(|s| renamed(&mut s.model));
        record.projections.iter_mut().for_each(|p| renamed(&mut p.model));
        record.transfer.iter_mut().for_each(|t| renamed(&mut t.model));
        record.batch_probes.iter_mut().for_each(|b| renamed(&mut b.model));
        record.confusion.iter_mut().for_each(|c| renamed(&mut c.model));
        for direction in ["image-to-molecule", "molecule-to-image"] {
            for metric in ["hit-rate@1", "hit-rate@3", "hit-rate@5", "hit-rate@10", "mrr"] {
                record.retrieval.push(RetrievalRow {
                    model: name.to_owned(),
                    protocol: "paper".to_owned(),
                    direction: direction.to_owned(),
                    gallery: 100,
                    metric: metric.to_owned(),
                    value: Some(0.25),
                    ..RetrievalRow::default()
                });
            }
        }
        let epoch = |epoch: u32| Epoch { epoch, train_loss: Some(3.0 - f64::from(epoch)), ..Epoch::default() };
        record.training.push(TrainingInfo {
            model: name.to_owned(),
            method: name.to_owned(),
            history: (0..3).map(epoch).collect(),
            best_epoch: Some(2),
            ..TrainingInfo::default()
        });
    }
    record
}

fn files(record: &RunRecord, paper: Option<Paper>, formats: &[Format], width_mm: f64) -> Vec<Artifact> {
    publish(record, &Publication { paper, formats: formats.to_vec(), width_mm }).expect("drawn").files
}

fn text(file: &Artifact) -> &str {
    std::str::from_utf8(&file.bytes).expect("text")
}

#[test]
fn every_figure_has_the_width_asked_for_and_no_text_below_six_points() {
    let mut record = record(2500);
    // A hundred classes: cells too small for numbers and for every name.
    record.confusion.truncate(3);
    record.confusion[0].classes = (0..100).map(|i| format!("class {i}")).collect();
    record.confusion[0].counts = vec![1.0; 10_000];
    for (_, width_mm) in WIDTHS.into_iter().chain([("", 80.0), ("", 120.0)]) {
        let files = files(&record, None, &[Format::Svg], width_mm);
        assert!(files.len() > 15, "{}", files.len());
        for file in files.iter().filter(|f| f.path.ends_with(".svg")) {
            let document = Document::parse(text(file)).expect("SVG");
            let root = document.root_element();
            assert_eq!(root.attribute("width"), Some(format!("{width_mm}mm").as_str()), "{}", file.path);
            let units: f64 = root.attribute("viewBox").expect("a size").split(' ').nth(2).unwrap().parse().unwrap();
            let points_per_unit = width_mm / 25.4 * 72.0 / units;
            for node in document.descendants().filter(|n| n.has_tag_name("text")) {
                let size: f64 = node.attribute("font-size").expect("a size").parse().unwrap();
                let points = size * points_per_unit;
                let words = node.text().unwrap_or_default().trim();
                // A tenth of a pixel is as exact as the canvas is.
                assert!(points > LEAST_POINTS - 0.02, "{} at {width_mm} mm: `{words}` has {points} pt", file.path);
                let (x, y) = (node.attribute("x").unwrap(), node.attribute("y").unwrap());
                let inside = (0.0..=units).contains(&x.parse::<f64>().unwrap());
                assert!(inside, "{} at {width_mm} mm: `{words}` at {x}, {y}", file.path);
            }
        }
    }
}

#[test]
fn a_paper_has_its_tables_and_its_figure() {
    let files = files(&record(300), Some(Paper::Watkinson2023), &[Format::Svg, Format::Pdf, Format::Png], 174.0);
    let paths: Vec<&str> = files.iter().map(|f| f.path.as_str()).collect();
    let expected = [
        "table-1.tex",
        "table-1.csv",
        "table-2.tex",
        "table-2.csv",
        "table-3.tex",
        "table-3.csv",
        "table-3-strict.tex",
        "table-3-strict.csv",
        "figure-2.svg",
        "figure-2.pdf",
        "figure-2.png",
        "index.json",
    ];
    assert_eq!(paths, expected);
    let find = |path: &str| files.iter().find(|f| f.path == path).expect(path);
    let latex = text(find("table-2.tex"));
    assert!(latex.starts_with("% run target2-1f2e3d4c, suite target2@1\n"), "{latex}");
    for words in ["\\toprule", "\\midrule", "\\bottomrule", "emm, published", "0.103"] {
        assert!(latex.contains(words), "{words}");
    }
    let csv = parse::csv(text(find("table-1.csv")));
    let suite = csv[0].iter().position(|head| head == "suite").expect("a column");
    assert!(csv[1..].iter().all(|row| row[suite] == "target2@1" && row[suite - 1] == "target2-1f2e3d4c"));
    let figure = text(find("figure-2.svg"));
    // Panels in the order of the paper.
    let at = |name: &str| figure.find(&format!("\n{name}\n")).unwrap_or_else(|| panic!("{name}"));
    assert!(at("clip") < at("emm") && at("emm") < at("imm"));
    let index: serde_json::Value = serde_json::from_str(text(find("index.json"))).expect("JSON");
    for line in index["files"].as_array().expect("a list") {
        let file = find(line["file"].as_str().expect("a name"));
        assert_eq!(line["sha256"], bench_core::digest::of_bytes(&file.bytes));
    }
}

#[test]
fn what_a_run_cannot_give_is_said_part_by_part() {
    let mut record = fake::record(0);
    record.projections.clear();
    record.retrieval = vec![RetrievalRow { gallery: 10, ..RetrievalRow::default() }];
    let request = Publication { paper: Some(Paper::Watkinson2023), formats: vec![Format::Svg], width_mm: 85.0 };
    let published = publish(&record, &request).expect("drawn");
    let parts: Vec<&str> = published.missing.iter().map(|(part, _)| part.as_str()).collect();
    assert_eq!(parts, ["table 1", "table 2", "figure 2"]);
    assert!(published.missing[0].1.contains("100 compounds, those of the run 10"), "{:?}", published.missing);
    assert!(published.files.iter().any(|f| f.path == "table-3.csv"));
}

#[test]
fn every_file_says_which_run_it_is_from() {
    let mut record = record(2500);
    record.confusion.truncate(1);
    let stamp = "run target2-1f2e3d4c, suite target2@1";
    for file in files(&record, None, &[Format::Svg, Format::Pdf, Format::Png], 85.0) {
        let holds = |words: &[u8]| file.bytes.windows(words.len()).any(|window| window == words);
        match file.path.rsplit_once('.').expect("an ending").1 {
            "svg" => assert!(text(&file).contains(&format!("<metadata>{stamp}</metadata>")), "{}", file.path),
            "pdf" => {
                let hex: String = stamp.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
                assert!(holds(hex.as_bytes()), "{}", file.path);
            }
            "png" => assert!(holds(format!("tEXtSource\0{stamp}").as_bytes()), "{}", file.path),
            _ => assert!(text(&file).contains("\"suite\": \"target2@1\"")),
        }
    }
}

#[test]
fn the_same_record_gives_the_same_files_at_any_thread_count() {
    let mut record = record(2500);
    record.confusion.truncate(1);
    let formats = [Format::Svg, Format::Pdf, Format::Png];
    let draw = || [None, Some(Paper::Watkinson2023)].map(|paper| files(&record, paper, &formats, 85.0));
    let once = draw();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    assert!(once == pool.install(draw));
}

#[test]
fn the_text_of_a_pdf_is_that_of_its_svg() {
    let mut record = fake::hostile(2500);
    record.run_id = "target2-1f2e3d4c".to_owned();
    let mut seen = 0;
    for mut record in [record, fake::record(2500)] {
        record.confusion.truncate(2);
        let files = files(&record, None, &[Format::Svg, Format::Pdf], 174.0);
        for svg in files.iter().filter(|f| f.path.ends_with(".svg")) {
            let path = svg.path.replace(".svg", ".pdf");
            let pdf = files.iter().find(|f| f.path == path).expect("a PDF");
            let document = Document::parse(text(svg)).expect("SVG");
            let texts = document.descendants().filter(|n| n.has_tag_name("text"));
            let expected: Vec<String> =
                texts.map(|n| n.text().unwrap_or_default().trim().to_owned()).filter(|t| !t.is_empty()).collect();
            assert_eq!(selected(&pdf.bytes), expected, "{path}");
            seen += expected.len();
        }
    }
    assert!(seen > 500, "{seen}");
}

/// What a reader selects: glyphs through `ToUnicode`, or the text that is given in their place.
fn selected(pdf: &[u8]) -> Vec<String> {
    let streams: Vec<String> = streams(pdf).iter().filter_map(|bytes| String::from_utf8(bytes.clone()).ok()).collect();
    let map = streams.iter().find(|s| s.contains("beginbfchar")).expect("a map of characters");
    let units = |hex: &str| -> String {
        let codes: Vec<u16> =
            (0..hex.len() / 4).map(|i| u16::from_str_radix(&hex[4 * i..4 * i + 4], 16).expect("hex")).collect();
        String::from_utf16(&codes).expect("UTF-16")
    };
    let mut characters = BTreeMap::new();
    for line in map.lines().filter(|line| line.starts_with('<') && line.contains("> <") && !line.contains("FFFF")) {
        let (glyph, code) = line.split_once(' ').expect("a pair");
        characters.insert(glyph.trim_matches(['<', '>']).to_owned(), units(code.trim_matches(['<', '>'])));
    }
    let content = streams.iter().find(|s| s.contains(" Tj ET")).expect("text");
    content
        .lines()
        .filter(|line| line.contains(" Tj ET"))
        .map(|line| {
            if let Some((_, rest)) = line.split_once("/ActualText <FEFF") {
                return units(rest.split_once('>').expect("an end").0);
            }
            let hex = line.rsplit_once(" Tj ET").and_then(|(head, _)| head.rsplit_once('<')).expect("glyphs").1;
            let hex = hex.trim_end_matches('>');
            (0..hex.len() / 4).map(|i| characters[&hex[4 * i..4 * i + 4]].clone()).collect()
        })
        .filter(|words: &String| !words.is_empty())
        .collect()
}

/// Every stream of a file, inflated.
fn streams(pdf: &[u8]) -> Vec<Vec<u8>> {
    let find = |from: usize, what: &[u8]| pdf[from..].windows(what.len()).position(|w| w == what).map(|at| from + at);
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(start) = find(from, b"stream\n") {
        let end = find(start, b"\nendstream").expect("an end");
        found.push(miniz_oxide::inflate::decompress_to_vec_zlib(&pdf[start + 7..end]).expect("compressed"));
        from = end + 11;
    }
    found
}

#[test]
fn cards_hold_scores_where_hubs_look_for_them_and_markup_stays_inert() {
    let record = record(0);
    let facts = DataFacts {
        id: "cpg0016-target2".into(),
        title: "JUMP-CP production, TARGET2 plates".into(),
        licence: "CC0-1.0 (images)".into(),
        citation: "Chandrasekaran et al. 2023".into(),
        ..DataFacts::default()
    };
    let cards = model_cards(&record, Some(&facts));
    let paths: Vec<&str> = cards.iter().map(|card| card.path.as_str()).collect();
    assert_eq!(paths, ["model-clip.md", "model-emm.md", "model-imm.md", "dataset.md"]);
    let card = text(&cards[0]);
    assert!(card.starts_with("---\ntags:\n"), "{card}");
    for words in ["model-index:\n- name: \"clip\"", "type: g_score", "split: \"not-same-source\"", "\n---\n\n# clip\n"]
    {
        assert!(card.contains(words), "{words} in {card}");
    }
    let data = text(&cards[3]);
    assert!(data.contains("license: cc0-1.0\n") && data.contains("size_categories:\n- 10K<n<100K"), "{data}");
    for card in model_cards(&fake::hostile(0), None) {
        let body = text(&card);
        assert!(!body.contains("<script") && !body.contains("<img"), "{body}");
        assert_eq!(body.matches("\n---\n").count(), 1, "the front matter ends once: {body}");
    }
}
