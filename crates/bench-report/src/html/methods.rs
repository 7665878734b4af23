//! Methods and biases: excerpts of `benchmarks/METHODOLOGY.md` and `benchmarks/BIAS.md`.
//!
//! The pages are written for people who read the repository; the report shows the parts that a
//! reader of scores needs. Of Markdown this knows paragraphs, lists, indented blocks, code spans
//! and emphasis; a table or an image stays in the repository, and the text says so.

use minijinja::{Value, context};

const METHODOLOGY: &str = include_str!("../../../../benchmarks/METHODOLOGY.md");
const BIAS: &str = include_str!("../../../../benchmarks/BIAS.md");

/// Sections of the methods page that every report shows.
const ALWAYS: [&str; 7] = [
    "The task",
    "Two protocols",
    "Probes",
    "Uncertainty",
    "Controls",
    "Reading source, batch, plate and position",
    "What none of this shows",
];

/// The section for reports of models that the run trained.
const TRAINED: &str = "Models that a run trains";

/// Title and blocks of each section of the methods page.
pub(super) fn methodology(trained: bool) -> Vec<Value> {
    ALWAYS
        .into_iter()
        .chain(trained.then_some(TRAINED))
        .filter_map(|title| {
            let text = section(METHODOLOGY, title)?;
            Some(context! { title, blocks => blocks(text) })
        })
        .collect()
}

/// Blocks of the page on biases.
pub(super) fn bias() -> Vec<Value> {
    blocks(BIAS.split_once('\n').map_or("", |(_, rest)| rest))
}

/// Paragraphs of an essay, with code spans.
pub(super) fn essay(text: &str) -> Vec<Value> {
    let lines: Vec<String> = text.replace("\r\n", "\n").split('\n').map(crate::text::visible).collect();
    blocks(&lines.join("\n")).into_iter().take(200).collect()
}

/// The text below a heading of the second level, up to the next heading of any level.
fn section<'a>(page: &'a str, title: &str) -> Option<&'a str> {
    let start = page.find(&format!("\n## {title}\n"))? + 1;
    let text = page[start..].split_once('\n')?.1;
    let end = ["\n## ", "\n### "].iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    Some(&text[..end])
}

fn blocks(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for block in text.split("\n\n").map(|b| b.trim_matches('\n')).filter(|b| !b.trim().is_empty()) {
        let mut lines = block.lines();
        let first = lines.clone().next().unwrap_or("");
        if first.trim_start().starts_with(['|', '!']) {
            found.push(
                context! { kind => "left", spans => spans("(A table or image of the methods page is left out here.)") },
            );
        } else if block.lines().all(|l| l.starts_with("    ")) {
            let code: Vec<&str> = lines.map(|l| &l[4..]).collect();
            found.push(context! { kind => "code", text => code.join("\n") });
        } else if first.starts_with("- ") {
            let mut items: Vec<String> = Vec::new();
            for line in lines.by_ref() {
                match (line.strip_prefix("- "), items.last_mut()) {
                    (Some(item), _) => items.push(item.to_owned()),
                    (None, Some(item)) => {
                        item.push(' ');
                        item.push_str(line.trim());
                    }
                    (None, None) => {}
                }
            }
            found.push(context! { kind => "list", items => items.iter().map(|i| spans(i)).collect::<Vec<_>>() });
        } else {
            found.push(context! { kind => "text", spans => spans(block) });
        }
    }
    found
}

/// Runs of plain text, `code` and *emphasis*. Marks without a partner stay as they are.
fn spans(text: &str) -> Vec<Value> {
    let text: String = text.chars().take(8000).collect();
    let mut found = Vec::new();
    let mut rest = text.as_str();
    let mut plain = String::new();
    while let Some(c) = rest.chars().next() {
        let kind = match c {
            '`' => Some("code"),
            // Emphasis begins at a word, `5 * 3` is no emphasis.
            '*' if plain.chars().next_back().is_none_or(|p| !p.is_alphanumeric()) => Some("em"),
            _ => None,
        };
        let inner = kind.and_then(|kind| {
            let (inner, after) = rest[1..].split_once(c)?;
            let tight = !inner.is_empty() && !inner.starts_with(' ') && !inner.ends_with(' ') && inner.len() < 200;
            tight.then_some((kind, inner, after))
        });
        match inner {
            Some((kind, inner, after)) => {
                found.push(context! { kind => "plain", text => std::mem::take(&mut plain) });
                found.push(context! { kind, text => inner });
                rest = after;
            }
            None => {
                plain.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    found.push(context! { kind => "plain", text => plain });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_that_the_report_shows_is_in_the_methods_page() {
        for title in ALWAYS.into_iter().chain([TRAINED]) {
            assert!(section(METHODOLOGY, title).is_some_and(|t| t.trim().len() > 80), "{title}");
        }
        assert_eq!(methodology(false).len(), ALWAYS.len());
        assert!(!bias().is_empty());
    }

    #[test]
    fn markdown_is_read_as_far_as_the_pages_use_it() {
        let kind = |v: &Value| v.get_attr("kind").expect("a kind").to_string();
        let read = blocks("One `code` and *two words*, 5 * 3 * 2.\n\n- a\n  b\n- c\n\n    x = 1\n    y\n\n| a | b |");
        assert_eq!(read.iter().map(kind).collect::<Vec<_>>(), ["text", "list", "code", "left"]);
        let inner = |text: &str| -> Vec<String> {
            spans(text)
                .iter()
                .map(|s| format!("{}:{}", kind(s), s.get_attr("text").expect("a text")))
                .filter(|s| s != "plain:")
                .collect()
        };
        assert_eq!(
            inner("One `code` and *two words*, 5 * 3 * 2."),
            ["plain:One ", "code:code", "plain: and ", "em:two words", "plain:, 5 * 3 * 2."]
        );
        assert_eq!(inner("a ` b * c"), ["plain:a ` b * c"]);
    }
}
