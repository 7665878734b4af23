//! Notations of a table.

use std::fmt::Write;

use super::{Cell, Column, Shape, Table, letter, shown};
use crate::text;

/// Rows above which LaTeX needs page breaks.
const LONG: usize = 40;

pub(super) fn markdown(table: &Table, headed: bool) -> String {
    let reasons = table.reasons();
    let mut out = String::new();
    if headed {
        let _ = writeln!(out, "# {}\n", text::markdown(&table.title));
        if !table.note.is_empty() {
            let _ = writeln!(out, "{}\n", text::markdown(&table.note));
        }
    }
    let cell = |s: &str| text::markdown(s);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(table.columns.iter().map(|c| cell(&text::short(&c.title))).collect()));
    out.push_str(&line(
        table
            .columns
            .iter()
            .map(|c| if c.shape == Shape::Text { ":--".to_owned() } else { "--:".to_owned() })
            .collect(),
    ));
    for row in &table.rows {
        out.push_str(&line(row.iter().map(|c| cell(&shown(c, &reasons))).collect()));
    }
    if !reasons.is_empty() {
        out.push('\n');
        for (at, reason) in reasons.iter().enumerate() {
            let _ = writeln!(out, "- missing ({}): {}", letter(at), text::markdown(reason));
        }
    }
    out
}

pub(super) fn csv(table: &Table) -> String {
    let explain = table.rows.iter().flatten().any(|c| matches!(c, Cell::Missing(_)));
    let mut out = String::new();
    let mut heads: Vec<String> = table.columns.iter().flat_map(csv_heads).collect();
    if explain {
        heads.push("missing".to_owned());
    }
    push_record(&mut out, &heads);
    for row in &table.rows {
        let mut fields: Vec<String> =
            row.iter().zip(&table.columns).flat_map(|(cell, column)| csv_fields(cell, column.shape)).collect();
        if explain {
            let reasons: Vec<String> = row
                .iter()
                .zip(&table.columns)
                .filter_map(|(cell, column)| match cell {
                    Cell::Missing(reason) => Some(format!("{}: {reason}", column.title)),
                    _ => None,
                })
                .collect();
            fields.push(text::csv(&reasons.join("; ")));
        }
        push_record(&mut out, &fields);
    }
    out
}

/// One line of ready fields, ended as RFC 4180 wants it.
pub(crate) fn push_record(out: &mut String, fields: &[String]) {
    out.push_str(&fields.join(","));
    out.push_str("\r\n");
}

fn csv_heads(column: &Column) -> Vec<String> {
    let title = &column.title;
    let heads = match column.shape {
        Shape::Text | Shape::Number => vec![title.clone()],
        Shape::Spread => vec![title.clone(), format!("{title} sd")],
        Shape::Estimate => vec![title.clone(), format!("{title} low"), format!("{title} high")],
    };
    heads.iter().map(|h| text::csv(h)).collect()
}

fn csv_fields(cell: &Cell, shape: Shape) -> Vec<String> {
    let mut fields = match cell {
        Cell::Text(words) | Cell::Prose(words) => vec![text::csv(words)],
        Cell::Count(n) => vec![n.to_string()],
        Cell::Number(v) | Cell::Size(v) | Cell::Probability(v) => vec![v.to_string()],
        Cell::Spread(mean, sd) => vec![mean.to_string(), sd.map_or(String::new(), |s| s.to_string())],
        Cell::Estimate(value, interval) => vec![
            value.to_string(),
            interval.map_or(String::new(), |i| i.low.to_string()),
            interval.map_or(String::new(), |i| i.high.to_string()),
        ],
        Cell::Missing(_) | Cell::Blank => Vec::new(),
    };
    let width = match shape {
        Shape::Text | Shape::Number => 1,
        Shape::Spread => 2,
        Shape::Estimate => 3,
    };
    fields.resize(width, String::new());
    fields
}

pub(super) fn latex(table: &Table) -> String {
    let reasons = table.reasons();
    let spec: String = table.columns.iter().map(|c| if c.shape == Shape::Text { 'l' } else { 'r' }).collect();
    let line = |cells: Vec<String>| format!("{} \\\\\n", cells.join(" & "));
    let head = line(table.columns.iter().map(|c| text::latex(&text::short(&c.title))).collect());
    let mut body = String::new();
    for row in &table.rows {
        body.push_str(&line(row.iter().map(|c| text::latex(&shown(c, &reasons))).collect()));
    }
    let mut caption = format!("{}.", text::latex(&table.title));
    for part in [&table.note].into_iter().filter(|n| !n.is_empty()) {
        let _ = write!(caption, " {}", text::latex(part));
    }
    for (at, reason) in reasons.iter().enumerate() {
        let _ = write!(caption, " Missing ({}): {}.", letter(at), text::latex(reason));
    }
    let (id, long) = (&table.id, table.rows.len() > LONG);
    let mut out = format!("% needs \\usepackage{{booktabs{}}}\n", if long { ",longtable" } else { "" });
    if long {
        let _ = write!(
            out,
            "\\begin{{longtable}}{{{spec}}}\n\\caption{{{caption}}}\\label{{tab:{id}}}\\\\\n\\toprule\n{head}\\midrule\n\\endfirsthead\n\\toprule\n{head}\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n{body}\\end{{longtable}}\n"
        );
    } else {
        let _ = write!(
            out,
            "\\begin{{table}}\n\\centering\n\\caption{{{caption}}}\\label{{tab:{id}}}\n\\begin{{tabular}}{{{spec}}}\n\\toprule\n{head}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
        );
    }
    out
}
