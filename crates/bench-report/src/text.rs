//! Names from outside made safe and readable: shortened, escaped, isolated.
//!
//! Labels, models and sources are whatever a user's table holds: markup, newlines, ten thousand
//! characters, right-to-left text, formulas. Every renderer passes names through here and
//! through nothing else. People read [`name`]; files for programs keep the full text.

use std::fmt::Write;

/// Characters of a name shown in figures and tables.
pub(crate) const NAME_CHARS: usize = 40;

/// Characters of a reason or note shown in a table.
pub(crate) const REASON_CHARS: usize = 240;

/// The text on one line: line breaks become `⏎`, tabs and other blanks a space, controls `�`;
/// invisible characters that change the direction of text are left out.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(4096));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('⏎'),
            '\t' => out.push(' '),
            c if is_bidi_control(c) => {}
            c if c.is_control() || !is_xml_char(c) => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// [`visible`] text of at most `limit` characters, the last one an ellipsis if it was cut.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    // Only the part that can be shown is looked at: names may have any length.
    let head: String = text.chars().take(4 * limit + 16).collect();
    let shown = visible(&head);
    let whole = head.len() == text.len();
    if whole && shown.chars().count() <= limit {
        return shown;
    }
    let mut cut: String = shown.chars().take(limit.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// A name as people see it in figures and tables: [`NAME_CHARS`] characters on one line.
pub(crate) fn short(text: &str) -> String {
    let shown = shorten(text, NAME_CHARS);
    if shown.trim().is_empty() { "(empty)".to_owned() } else { shown }
}

/// As [`short`], but cut in the middle: names of plates often differ at their ends only.
pub(crate) fn short_ends(text: &str) -> String {
    if text.chars().nth(NAME_CHARS).is_none() {
        return short(text);
    }
    let half = (NAME_CHARS - 1) / 2;
    let head: String = text.chars().take(half + 1).collect();
    let tail: Vec<char> = text.chars().rev().take(half).collect();
    format!("{}…{}", visible(&head), visible(&tail.into_iter().rev().collect::<String>()))
}

/// [`short`] for use inside a sentence: right-to-left names are isolated, so that they cannot
/// reorder the words and numbers around them.
pub(crate) fn name(text: &str) -> String {
    let shown = short(text);
    if shown.chars().any(is_right_to_left) { format!("\u{2068}{shown}\u{2069}") } else { shown }
}

/// A commit, by its first twelve characters.
pub(crate) fn commit(text: &str) -> String {
    visible(&text.chars().take(12).collect::<String>())
}

/// A reason or note on one line, cut at [`REASON_CHARS`].
pub(crate) fn reason(text: &str) -> String {
    shorten(text, REASON_CHARS)
}

/// Escaped for XML text and attributes; characters that XML forbids become `�`.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            c if !is_xml_char(c) => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// Escaped for a line of Markdown (GitHub's dialect), table cells included.
pub(crate) fn markdown(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Inside a word an underscore is one; brackets matter where a target or image follows,
            // or a task list could begin.
            '_' if inside_word(&text, at) => out.push('_'),
            '[' if at > 0 && !text[..at].ends_with('!') => out.push('['),
            ']' if !text[at + 1..].starts_with(['(', '[']) => out.push(']'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' | '@' => {
                out.push('\\');
                out.push(c);
            }
            // Bare addresses would become links.
            ':' if text[at..].starts_with("://") => out.push_str("\\:"),
            '.' if text[..at].to_ascii_lowercase().ends_with("www") => out.push_str("\\."),
            c => out.push(c),
        }
    }
    // What would start a list, a heading or a rule at the beginning of a line.
    match out.chars().next() {
        Some('-' | '+' | '=' | '!') => format!("\\{out}"),
        Some(c) if c.is_ascii_digit() => {
            let digits = out.bytes().take_while(u8::is_ascii_digit).count();
            match out.as_bytes().get(digits) {
                Some(b'.' | b')') if out.as_bytes().get(digits + 1).is_none_or(|b| *b == b' ') => {
                    format!("{}\\{}", &out[..digits], &out[digits..])
                }
                _ => out,
            }
        }
        _ => out,
    }
}

/// Whether the character at `at` (one byte long) has letters or digits on both sides.
fn inside_word(text: &str, at: usize) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    word(text[..at].chars().next_back()) && word(text[at + 1..].chars().next())
}

/// Escaped for LaTeX text.
pub(crate) fn latex(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in visible(text).chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '|' => out.push_str("\\textbar{}"),
            '"' => out.push_str("\\char34{}"),
            // Two hyphens would be joined into a dash.
            '-' if out.ends_with('-') => out.push_str("{}-"),
            '`' => out.push_str("\\textasciigrave{}"),
            '⏎' => out.push_str("$\\hookleftarrow$"),
            '…' => out.push_str("\\ldots{}"),
            '±' => out.push_str("$\\pm$"),
            '×' => out.push_str("$\\times$"),
            '−' => out.push_str("$-$"),
            '÷' => out.push_str("$\\div$"),
            '→' => out.push_str("$\\rightarrow$"),
            '≥' => out.push_str("$\\geq$"),
            '≤' => out.push_str("$\\leq$"),
            '\u{FFFD}' => out.push('?'),
            '\u{2068}' | '\u{2069}' => {}
            c => out.push(c),
        }
    }
    out
}

/// A string of a JSON file (RFC 8259), quotes included; YAML reads it, too.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            // Signs of markup and of line ends too: what reads JSON also reads these.
            c if c.is_control() || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{FEFF}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text field of a CSV file (RFC 4180). A text that a spreadsheet would run as a formula gets
/// an apostrophe in front; zero bytes, which many readers take for the end, become `�`.
pub(crate) fn csv(text: &str) -> String {
    let guarded = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mut out = String::with_capacity(text.len() + 3);
    if guarded {
        out.push('\'');
    }
    out.extend(text.chars().map(|c| if c == '\0' { '\u{FFFD}' } else { c }));
    if out.contains([',', '"', '\n', '\r']) || out.starts_with(' ') || out.ends_with(' ') {
        format!("\"{}\"", out.replace('"', "\"\""))
    } else {
        out
    }
}

/// Lower-case letters, digits and hyphens for a file name, at most 40; `x` if nothing is left.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(400) {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() == NAME_CHARS {
            break;
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() { "x".to_owned() } else { out.to_owned() }
}

/// Percent-encoded for use in a `data:` address inside quotes.
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'~' | b'/' | b':' | b'=' | b';' | b',' | b'+' | b'(' | b')' | b' ' | b'!' => {
                out.push(char::from(byte));
            }
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// `one`, `one and two`, `one, two and three`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn is_right_to_left(c: char) -> bool {
    matches!(u32::from(c), 0x590..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFF | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_to_forty_characters_with_an_ellipsis() {
        let long = "é".repeat(10_000);
        assert_eq!(short(&long).chars().count(), NAME_CHARS);
        assert!(short(&long).ends_with('…'));
        assert_eq!(short("exactly"), "exactly");
        assert_eq!(short(&"a".repeat(40)), "a".repeat(40));
        assert_eq!(short(" \t"), "(empty)");
        let plates = short_ends(&format!("{}7", "p".repeat(80)));
        assert!(plates.ends_with("p7") && plates.chars().count() == NAME_CHARS, "{plates}");
    }

    #[test]
    fn line_breaks_are_shown_and_direction_overrides_are_dropped() {
        assert_eq!(visible("a\r\nb\nc\td\u{7}\u{202E}e"), "a⏎b⏎c d\u{FFFD}e");
        assert_eq!(name("אבג"), "\u{2068}אבג\u{2069}");
        assert_eq!(name("abc"), "abc");
    }

    #[test]
    fn markup_is_inert_in_every_notation() {
        assert_eq!(xml("<a b='c'>&\u{1}"), "&lt;a b=&#39;c&#39;&gt;&amp;\u{FFFD}");
        assert_eq!(markdown("a|b_c<d>"), "a\\|b_c&lt;d&gt;");
        assert_eq!(markdown("_a_ [b](c) ![d](e) 0.5 [0.4, 0.6]"), "\\_a\\_ [b\\](c) !\\[d\\](e) 0.5 [0.4, 0.6]");
        assert_eq!(markdown("- x"), "\\- x");
        assert_eq!(markdown("12. x"), "12\\. x");
        assert_eq!(markdown("0.123"), "0.123");
        assert_eq!(
            latex("50%_a\\b{}~^#&$"),
            "50\\%\\_a\\textbackslash{}b\\{\\}\\textasciitilde{}\\textasciicircum{}\\#\\&\\$"
        );
        assert_eq!(json("a\"b\\c\n\u{1}é"), "\"a\\\"b\\\\c\\u000a\\u0001é\"");
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv("a\"b,c\n"), "\"a\"\"b,c\n\"");
    }

    #[test]
    fn file_names_hold_letters_digits_and_hyphens_only() {
        assert_eq!(slug("../../etc/Pass wd\0"), "etc-pass-wd");
        assert_eq!(slug("<>"), "x");
        assert!(slug(&"ab ".repeat(100)).len() <= NAME_CHARS);
    }

    #[test]
    fn addresses_of_data_hold_no_quotes_or_markup() {
        let encoded = percent("<svg a=\"b\" c='d'>#% é</svg>");
        assert!(!encoded.contains(['<', '>', '"', '\'', '#', 'é']), "{encoded}");
    }
}
