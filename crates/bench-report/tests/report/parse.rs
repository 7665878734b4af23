//! Small strict readers for what the reports write.

/// Reads RFC 4180: records of fields, quotes doubled, lines ended by CR LF.
pub(crate) fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match (quoted, c) {
            (true, '"') if chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            (true, '"') => quoted = false,
            (true, c) => field.push(c),
            (false, '"') => {
                assert!(field.is_empty(), "a quote inside an unquoted field");
                quoted = true;
            }
            (false, ',') => record.push(std::mem::take(&mut field)),
            (false, '\r') => {
                assert_eq!(chars.next(), Some('\n'), "a lone carriage return");
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            (false, '\n') => panic!("a bare line feed"),
            (false, c) => field.push(c),
        }
    }
    assert!(!quoted && field.is_empty() && record.is_empty(), "the last line is not ended");
    records
}

/// Cells of the lines of a Markdown table, split at bars that are not escaped.
pub(crate) fn markdown_tables(text: &str) -> Vec<Vec<usize>> {
    let (mut tables, mut current) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.starts_with('|') {
            let mut bars = 0;
            let mut escaped = false;
            for c in line.chars() {
                bars += usize::from(c == '|' && !escaped);
                escaped = c == '\\' && !escaped;
            }
            current.push(bars);
        } else if !current.is_empty() {
            tables.push(std::mem::take(&mut current));
        }
    }
    if !current.is_empty() {
        tables.push(current);
    }
    tables
}

/// Every tag of an HTML text, as written, markup inside the style and script elements left out.
pub(crate) fn tags(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag is closed") + 1;
        let tag = &rest[start..end];
        tags.push(tag);
        rest = &rest[end..];
        for (open, close) in [("<style>", "</style>"), ("<script", "</script>")] {
            if tag.starts_with(open) {
                rest = &rest[rest.find(close).expect("the element is closed")..];
            }
        }
    }
    tags
}
