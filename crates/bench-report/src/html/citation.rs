//! What to cite, as BibTeX: the references that the suite and the data's manifest name, and the
//! program.
//!
//! A reference is read from the words of a citation (`Chandrasekaran et al. 2023, Title,
//! doi:10…; …`). What the words do not say is taken from a short list of papers that suites cite
//! by name alone; nothing is guessed.

use std::fmt::Write;

use bench_core::RunRecord;

use crate::text;

/// Papers that suites cite by name: key, title, DOI.
const KNOWN: [(&str, &str, &str); 2] = [
    ("watkinson2023", "Weakly Supervised Cross-Modal Learning in High-Content Screening", "10.48550/arXiv.2311.04678"),
    (
        "chandrasekaran2023",
        "JUMP Cell Painting dataset: morphological impact of 136,000 chemical and genetic perturbations",
        "10.1101/2023.03.23.534023",
    ),
];

/// One reference.
#[derive(Clone, Debug, Default, PartialEq)]
struct Reference {
    author: String,
    year: String,
    title: String,
    doi: String,
}

impl Reference {
    fn key(&self) -> String {
        format!("{}{}", self.author.to_lowercase(), self.year)
    }
}

/// Entries for everything that a report of this record rests on.
pub(super) fn bibtex(record: &RunRecord) -> String {
    let mut references: Vec<Reference> = Vec::new();
    let data = record.suite.dataset.as_ref().map_or("", |d| d.citation.as_str());
    for part in [data, record.suite.citation.as_str()].iter().flat_map(|c| c.split(';')) {
        let Some(mut found) = read(part) else { continue };
        if let Some((_, title, doi)) = KNOWN.iter().find(|(key, ..)| *key == found.key()) {
            for (field, known) in [(&mut found.title, title), (&mut found.doi, doi)] {
                if field.is_empty() {
                    (*known).clone_into(field);
                }
            }
        }
        if references.iter().all(|r| r.key() != found.key()) {
            references.push(found);
        }
    }
    let mut out = String::new();
    for r in references {
        let _ = writeln!(out, "@article{{{},\n  author = {{{} and others}},", r.key(), r.author);
        for (field, value) in [("title", &r.title), ("doi", &r.doi)] {
            if !value.is_empty() {
                let _ = writeln!(out, "  {field} = {{{}}},", text::visible(value).replace(['{', '}'], ""));
            }
        }
        let _ = writeln!(out, "  year = {{{}}}\n}}\n", r.year);
    }
    let software = &record.software;
    let commit = software.commit.as_deref().map_or(String::new(), |c| format!(", commit {}", text::short(c)));
    let _ = write!(
        out,
        "@software{{bench,\n  title = {{bench: batch effects in image representations of cells}},\n  version = {{{}}},\n  note = {{suite {} version {}, run {}{commit}}}\n}}",
        bare(&software.version),
        bare(&record.suite.id),
        record.suite.version,
        bare(&record.run_id),
    );
    out
}

/// A name inside braces.
fn bare(name: &str) -> String {
    text::short(name).replace(['{', '}', '\\'], "")
}

/// `Name et al. 2023, Title, doi:10…` with words before the name and a remark in brackets behind.
fn read(part: &str) -> Option<Reference> {
    let (before, after) = part.split_once(" et al. ")?;
    let author: String = before.chars().rev().take_while(|c| c.is_alphabetic() || *c == '-').collect();
    let author: String = author.chars().rev().collect();
    let year = after.get(..4).filter(|y| y.bytes().all(|b| b.is_ascii_digit()))?;
    let named = author.chars().next().is_some_and(char::is_uppercase) && author.len() <= 40;
    if !named {
        return None;
    }
    let (words, doi) = match after.split_once("doi:") {
        Some((words, doi)) => (words, doi.split([' ', ',', ')']).next().unwrap_or("")),
        None => (after, ""),
    };
    let title = words[4..].trim().trim_start_matches(',').trim().trim_end_matches(',').trim();
    // A remark such as `(protocol)`, or an accession with one, is no title.
    let title = if title.contains('(') || title.split_whitespace().count() < 4 { "" } else { title };
    Some(Reference { author, year: year.to_owned(), title: title.to_owned(), doi: doi.to_owned() })
}

#[cfg(test)]
mod tests {
    use bench_core::record::DataSet;

    use super::*;

    #[test]
    fn references_are_read_from_the_words_of_a_citation() {
        let found = read(" for the bucket: Weisbart et al. 2024, doi:10.1038/s41592-024-02399-z").expect("a reference");
        assert_eq!((found.key().as_str(), found.doi.as_str()), ("weisbart2024", "10.1038/s41592-024-02399-z"));
        assert_eq!(found.title, "");
        let found = read("Bray et al. 2017, A dataset of images and profiles, doi:10.1/x").expect("a reference");
        assert_eq!(found.title, "A dataset of images and profiles");
        assert_eq!(read("Data brought by the user"), None);
        assert_eq!(read("x et al. abcd"), None);
        assert_eq!(read("X et al. 20"), None);
    }

    #[test]
    fn entries_name_paper_data_and_program_once() {
        let mut record = RunRecord::default();
        record.suite.citation =
            "Watkinson et al. 2023 (protocol); Chandrasekaran et al. 2023, JUMP-CP cpg0016 (data, CC0)".into();
        record.suite.dataset = Some(DataSet {
            citation: "Chandrasekaran et al. 2023, JUMP Cell Painting dataset: a title, doi:10.1101/2023.03.23.534023"
                .into(),
            ..DataSet::default()
        });
        let entries = bibtex(&record);
        assert_eq!(entries.matches("@article{").count(), 2, "{entries}");
        assert!(entries.contains("@article{chandrasekaran2023,\n  author = {Chandrasekaran and others},\n  title = {JUMP Cell Painting dataset: a title},\n  doi = {10.1101/2023.03.23.534023},\n  year = {2023}\n}"));
        assert!(entries.contains("doi = {10.48550/arXiv.2311.04678}"));
        assert!(entries.ends_with("}") && entries.contains("@software{bench,"));
    }
}
