//! Circles and bars, batch against biology, plates, compounds: what they show, and that names stay inert in them.

use bench_report::{Artifact, Format, Publication, figures, html, publish, render, tables};
use resvg::usvg::{Options, Tree, roxmltree};

use crate::{fake, parse};

fn text<'a>(artifacts: &'a [Artifact], path: &str) -> &'a str {
    let found = artifacts.iter().find(|a| a.path == path).unwrap_or_else(|| panic!("{path} is missing"));
    std::str::from_utf8(&found.bytes).expect("text")
}

/// Words of a drawing.
fn words(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let texts = document.descendants().filter(|n| n.has_tag_name("text"));
    texts.map(|n| n.text().unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn circles_and_bars_rank_what_is_ranked_and_mark_the_rest() {
    let record = fake::full(10);
    let all = figures(&record).expect("figures");
    let table = all.iter().find(|f| f.id == "aggregate").expect("the table of circles");
    let words = words(&table.svg);
    let place = |word: &str| words.iter().position(|w| w == word).unwrap_or_else(|| panic!("{word} in {words:?}"));
    assert!(words.iter().any(|w| w == "harmony*"), "transductive corrections are marked: {words:?}");
    assert!(words.iter().any(|w| w == "pcr-50 ↓"), "lower is better there");
    for group in ["Batch correction", "Bio conservation", "Aggregate"] {
        place(group);
    }
    // The collapsed embedding has the highest total and stands below all others.
    let below = place("not ranked: a guard fired, or a side has no value");
    assert_eq!(words[below..].iter().filter(|w| *w == "emb-c").count(), 1);
    assert!(table.caption.contains("emb-c, harmony: effective rank 0.00"), "{}", table.caption);
    assert!(table.caption.contains("emb-b, mad-plate > sphere without kbet-label"), "{}", table.caption);
    assert!(words.iter().any(|w| w.ends_with('‡')), "a total without a metric is marked");
    // As many circles of full size as there are values: two each, and one or two for the value itself.
    let circles = table.svg.matches("<circle").count();
    assert!(circles > 3 * (9 * 10 - 1), "{circles}");
    Tree::from_str(&table.svg, &Options::default()).expect("usvg reads it");
}

#[test]
fn ranks_are_shared_in_the_table_of_totals_and_controls_have_none() {
    let mut record = fake::full(10);
    record.embedding_totals.push(bench_core::record::EmbeddingTotal {
        model: "one-hot-label".into(),
        correction: "none".into(),
        total: Some(1.0),
        ..record.embedding_totals[0].clone()
    });
    let all = tables(&record);
    let csv = all.iter().find(|t| t.id == "embedding-totals").expect("the table").csv();
    let rows = parse::csv(&csv);
    let column = |name: &str| rows[0].iter().position(|head| head == name).unwrap_or_else(|| panic!("{name}"));
    let (rank, model, correction, remark, front) =
        (column("rank"), column("embedding"), column("correction"), column("remark"), column("front"));
    let of = |m: &str, c: &str| rows.iter().find(|r| r[model] == m && r[correction] == c).expect("a row");
    assert_eq!(rows.len(), 1 + 2 * 9 + 1, "both units, and a control");
    assert_eq!((of("emb-c", "harmony")[rank].as_str(), of("emb-c", "harmony")[front].as_str()), ("", ""));
    assert!(of("emb-c", "harmony")[remark].contains("collapsed"));
    assert!(of("emb-a", "harmony")[remark].contains("transductive"));
    assert_eq!(of("one-hot-label", "none")[rank], "");
    assert_eq!(of("one-hot-label", "none")[remark], "control embedding");
    let first: Vec<&String> = rows[1..].iter().filter(|r| r[0] == "scib").map(|r| &r[rank]).take(2).collect();
    assert!(first.iter().all(|r| r.starts_with('1')), "the first two overlap: {first:?}");
    assert!(first.iter().any(|r| r.contains('–')), "{first:?}");
}

#[test]
fn the_front_holds_no_mark_that_another_passes() {
    let record = fake::full(10);
    let figure = figures(&record).expect("figures").into_iter().find(|f| f.id == "trade-off").expect("a scatter");
    let named = figure.alt.split("On the front: ").nth(1).expect("a list");
    assert!(named.contains("emb-a with correction harmony"), "{named}");
    assert!(!named.contains("emb-c"), "a collapsed embedding is on no front: {named}");
    assert!(figure.caption.contains("The axes do not start at zero"), "{}", figure.caption);
    let words = words(&figure.svg);
    assert!(words.iter().any(|w| w == "harmony*") && words.iter().any(|w| w == "emb-a"), "{words:?}");
}

#[test]
fn plates_show_that_the_edge_fails() {
    let record = fake::full(10);
    let figure = figures(&record).expect("figures").into_iter().find(|f| f.id == "plates").expect("heat maps");
    assert!(figure.alt.contains("16 by 24 wells"), "{}", figure.alt);
    assert!(figure.caption.contains("36 of 384 positions hold tested wells, 6 each"), "{}", figure.caption);
    let all = tables(&record);
    let csv = |id: &str| parse::csv(&all.iter().find(|t| t.id == id).unwrap_or_else(|| panic!("{id}")).csv());
    let edges = csv("edges");
    for row in &edges[1..3] {
        let (edge, inside): (f64, f64) = (row[2].parse().expect("a share"), row[3].parse().expect("a share"));
        assert!(edge < inside, "{row:?}");
    }
    // All counts of a model and split come back in its positions and its plates.
    let cell = &record.outcomes.cells[0];
    let correct: f64 = cell.correct[0].iter().sum();
    let positions = csv("positions");
    let mine = positions[1..].iter().filter(|r| r[0] == cell.model && r[1] == "random");
    let back: f64 = mine.map(|r| r[5].parse::<f64>().unwrap() * r[6].parse::<f64>().unwrap()).sum();
    assert!((back - correct).abs() < 1e-9, "{back} of {correct}");
    assert_eq!(csv("plates").len(), 1 + 6);
    let compounds = csv("compounds");
    assert_eq!(compounds.len(), 1 + 18);
    assert!(compounds[0].iter().any(|head| head == "emb-a, activity-map"), "{:?}", compounds[0]);
    assert_eq!(compounds[1][1], "ADRB2", "the label of the compound's wells");
}

#[test]
fn every_picture_has_its_data_and_the_page_has_its_sections() {
    let record = fake::full(300);
    let artifacts = render(&record).expect("render");
    for path in ["figures/aggregate", "figures/trade-off", "figures/plates"] {
        for ending in ["svg", "png", "csv"] {
            assert!(artifacts.iter().any(|a| a.path == format!("{path}.{ending}")), "{path}.{ending}");
        }
    }
    let circles = parse::csv(text(&artifacts, "figures/aggregate.csv"));
    assert_eq!(circles.len(), 1 + 2 * 9 * 13, "both units, ten metrics and three totals each");
    let missing = circles.iter().filter(|r| r.iter().any(|f| f.contains("no batch has fifty rows"))).count();
    assert_eq!(missing, 2, "the reason of a dash is in the data");
    let wells = parse::csv(text(&artifacts, "tables/wells.csv"));
    assert_eq!(wells.len(), 1 + 216 * 6);
    assert!(parse::csv(text(&artifacts, "tables/embedding-parts.csv")).len() > 400);
    let page = text(&artifacts, "report.html");
    for words in [
        "<h2 id=\"plates\"",
        "id=\"wells\"",
        "fig-aggregate",
        "fig-trade-off",
        "data-name=\"compounds\"",
        "data-name=\"edges\"",
    ] {
        assert!(page.contains(words), "{words}");
    }
    // The fold of a label has the metrics that are measured by label.
    assert!(page.contains("<td class=\"t s\"><bdi>source</bdi></td>") && page.contains("kbet-label"));
}

#[test]
fn records_without_these_fields_have_no_such_pictures() {
    let page = html(&fake::record(10)).expect("html");
    assert!(!page.contains("id=\"plates\"") && !page.contains("fig-aggregate"));
    // Totals of older records do not say which metrics they are made of, and wells not where they lie.
    let mut record = fake::full(10);
    for total in &mut record.embedding_totals {
        total.batch_metrics.clear();
        total.biology_metrics.clear();
        (total.batch_range, total.biology_range, total.total_range) = (None, None, None);
    }
    record.outcomes.factors.clear();
    let page = html(&record).expect("html");
    assert!(!page.contains("fig-aggregate") && page.contains("written before totals named the metrics"));
    assert!(page.contains("fig-plates"), "the names of wells say where they lie");
    record.outcomes.units[3] = "somewhere".to_owned();
    let page = html(&record).expect("html");
    assert!(!page.contains("fig-plates") && page.contains("the position `somewhere` is none of a plate"));
}

#[test]
fn hostile_names_are_inert_in_pictures_and_fit() {
    let record = fake::hostile_full(10);
    let page = html(&record).expect("html");
    let tags = parse::tags(&page);
    assert_eq!(tags.iter().filter(|t| t.starts_with("<script")).count(), 2);
    assert!(!tags.iter().any(|t| t.split('"').step_by(2).any(|outside| outside.contains(" on"))));
    let start = page.find("id=\"data\">").expect("the data") + 10;
    let data = &page[start..start + page[start..].find("</script>").expect("their end")];
    assert!(!data.contains(['<', '>', '&']) && serde_json::from_str::<serde_json::Value>(data).is_ok());
    for figure in figures(&record).expect("figures") {
        if !["aggregate", "trade-off", "plates"].contains(&figure.id.as_str()) {
            continue;
        }
        Tree::from_str(&figure.svg, &Options::default()).expect("usvg reads it");
        assert!(
            figure.width < 1200.0 && figure.height < 4000.0,
            "{} is {} by {}",
            figure.id,
            figure.width,
            figure.height
        );
    }
    for artifact in render(&record).expect("render").iter().filter(|a| a.path.ends_with(".csv")) {
        let rows = parse::csv(std::str::from_utf8(&artifact.bytes).expect("text"));
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{}", artifact.path);
    }
}

#[test]
fn pictures_fit_the_columns_of_a_journal() {
    let record = fake::full(10);
    for width_mm in [80.0, 85.0, 120.0, 174.0] {
        let request = Publication { paper: None, formats: vec![Format::Svg], width_mm };
        let files = publish(&record, &request).expect("drawn").files;
        for id in ["aggregate", "trade-off", "plates"] {
            let svg = text(&files, &format!("{id}.svg"));
            let document = roxmltree::Document::parse(svg).expect("SVG");
            let size: Vec<f64> = document
                .root_element()
                .attribute("viewBox")
                .expect("a size")
                .split(' ')
                .map(|n| n.parse().expect("a number"))
                .collect();
            for node in document.descendants().filter(|n| n.has_tag_name("text")) {
                let number = |name: &str| node.attribute(name).expect("a number").parse::<f64>().expect("a number");
                let points = number("font-size") * width_mm / 25.4 * 72.0 / size[2];
                assert!(points > bench_report::LEAST_POINTS - 0.02, "{id} at {width_mm} mm: {points} pt");
                assert!((0.0..=size[2]).contains(&number("x")) && (0.0..=size[3]).contains(&number("y")), "{id}");
            }
        }
    }
}
