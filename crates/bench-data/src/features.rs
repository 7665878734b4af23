//! Which columns are features.
//!
//! # What
//! Features are numbers. Columns that play a role, or start with `Metadata_`, are not features.
//! With `--features REGEX` the matching columns are. Otherwise the columns of a matrix that names them
//! (AnnData, GCT) are; or, if some columns are named as CellProfiler names features (`Cells_`,
//! `Cytoplasm_`, `Nuclei_`, `Image_`) or are numbered (`emb_0`, `emb_1`, ...), these are, and other
//! numbers are left out and listed; failing that, every column of numbers is. Counts, indices and
//! positions that are known not to be features (`cell_count`, `Unnamed: 0`, ...) are left out and
//! listed. `--exclude-features REGEX` has the last word.
//!
//! # Why
//! A cell count or a row number among the features is leakage that nobody sees in a score.

use std::collections::BTreeMap;

use regex::Regex;

use crate::Error;
use crate::error::backticked;
use crate::options::ReadOptions;
use crate::raw::{Column, Kind, Piece};

/// Compartments of CellProfiler.
const COMPARTMENTS: [&str; 4] = ["Cells_", "Cytoplasm_", "Nuclei_", "Image_"];

/// Parts of a CellProfiler table that are no measurement of cells.
const IMAGE_METADATA: [&str; 12] = [
    "Image_Metadata_",
    "Image_FileName_",
    "Image_PathName_",
    "Image_URL_",
    "Image_MD5Digest_",
    "Image_Count_",
    "Image_Group_",
    "Image_Height_",
    "Image_Width_",
    "Image_Frame_",
    "Image_Series_",
    "Image_ExecutionTime_",
];

/// Names, in lower case, of numbers that are no features.
const NOT_FEATURES: [&str; 24] = [
    "cell_count",
    "cellcount",
    "n_cells",
    "num_cells",
    "count",
    "row",
    "col",
    "column",
    "well_row",
    "well_col",
    "well_column",
    "index",
    "level_0",
    "id",
    "fold",
    "split",
    "site",
    "field",
    "fov",
    "imagenumber",
    "objectnumber",
    "tablenumber",
    "batch",
    "plate",
];

/// Stems of embeddings that may have a single column.
const STEMS: [&str; 10] = ["emb", "embedding", "feature", "feat", "f", "x", "z", "pc", "dim", "latent"];

/// The features of a table.
#[derive(Debug, Default)]
pub(crate) struct Features {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) names: Vec<String>,
    /// How they are named, for people.
    pub(crate) naming: String,
    pub(crate) understood: Vec<String>,
}

/// Whether a name looks like that of a feature.
pub(crate) fn is_named_like_feature(name: &str) -> bool {
    if is_metadata(name) || is_known_not(name) {
        return false;
    }
    is_cellprofiler(name)
        || numbered(name).is_some_and(|stem| {
            let stem = stem.to_lowercase();
            stem.is_empty() || STEMS.iter().any(|s| *s == stem || format!("{s}s") == stem)
        })
}

fn is_metadata(name: &str) -> bool {
    name.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("metadata_"))
}

fn is_cellprofiler(name: &str) -> bool {
    COMPARTMENTS.iter().any(|c| name.starts_with(c)) && !IMAGE_METADATA.iter().any(|m| name.starts_with(m))
}

fn is_known_not(name: &str) -> bool {
    let lower = name.to_lowercase();
    NOT_FEATURES.contains(&lower.as_str())
        || lower.starts_with("unnamed: ")
        || lower.starts_with("__index_level_")
        || lower.starts_with("count_")
        || IMAGE_METADATA.iter().any(|m| name.starts_with(m))
        || ["_Number_Object_Number", "_Object_Number"].iter().any(|end| name.ends_with(end))
}

/// The stem of a numbered name: `emb` of `emb_12`; empty for `12`.
fn numbered(name: &str) -> Option<&str> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.len() < name.len()).then(|| stem.trim_end_matches(['_', '-', '.', ' ']))
}

/// Chooses the features. `used` marks columns that play a role.
pub(crate) fn choose(
    columns: &[Column],
    used: &[bool],
    options: &ReadOptions,
    file: &str,
    breaches: &mut Vec<Error>,
) -> Features {
    let regex = |flag, text: &Option<String>, breaches: &mut Vec<Error>| match text.as_deref().map(Regex::new) {
        Some(Ok(regex)) => Some(regex),
        Some(Err(error)) => {
            let problem = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let regex = text.clone().unwrap_or_default();
            breaches.push(Error::BadRegex { flag, regex, problem });
            None
        }
        None => None,
    };
    let include = regex("--features", &options.features, breaches);
    let exclude = regex("--exclude-features", &options.exclude_features, breaches);
    let free: Vec<usize> = (0..columns.len())
        .filter(|&i| !used[i] && !columns[i].only_metadata)
        .filter(|&i| columns[i].kind != Kind::Text || !is_metadata(&columns[i].name))
        .filter(|&i| exclude.as_ref().is_none_or(|r| !r.is_match(&columns[i].name)))
        .collect();

    let mut wanted = Wanted { left_out: BTreeMap::new(), columns: Vec::new(), naming: String::new() };
    match &include {
        Some(regex) => {
            wanted.columns = free
                .into_iter()
                .filter(|&i| regex.is_match(&columns[i].name) || lists_elements(&columns[i], regex))
                .collect();
            wanted.naming = format!("named by `{regex}`");
        }
        None => by_name(columns, free, &mut wanted, file, breaches),
    }

    let mut features = Features { naming: wanted.naming.clone(), ..Features::default() };
    for index in std::mem::take(&mut wanted.columns) {
        let column = &columns[index];
        match &column.kind {
            Kind::Number | Kind::Empty => {
                features.pieces.push(Piece::Column(index));
                features.names.push(column.name.clone());
            }
            Kind::List { width, .. } => {
                features.pieces.push(Piece::List { column: index, width: *width });
                features.names.extend((0..*width).map(|i| format!("{}_{i}", column.name)));
            }
            Kind::Boolean => wanted.leave_out("truth values", &column.name),
            Kind::Other(dtype) => wanted.leave_out(&format!("of the type {dtype}"), &column.name),
            Kind::Text => breaches.push(text_breach(column, file)),
        }
    }
    for (why, names) in &wanted.left_out {
        features.understood.push(format!("left out of the features, {why}: {}", backticked(names)));
    }
    if features.pieces.is_empty() && !breaches.iter().any(explains_no_features) {
        let why = match &options.features {
            Some(regex) => format!(": no column matches `{regex}`"),
            None if wanted.left_out.is_empty() => String::new(),
            None => {
                let names: Vec<String> = wanted.left_out.values().flatten().cloned().collect();
                format!(": {} are left out", backticked(&names))
            }
        };
        breaches.push(Error::NoFeatures { file: file.to_owned(), why });
    }
    features
}

/// Whether a breach already says why there are no features.
fn explains_no_features(breach: &Error) -> bool {
    matches!(
        breach,
        Error::TextInFeature { .. }
            | Error::NumbersAsText { .. }
            | Error::AmbiguousFeatures { .. }
            | Error::BadRegex { .. }
    )
}

/// Whether the elements' names of a list column match (`emb_3` of a matrix).
fn lists_elements(column: &Column, regex: &Regex) -> bool {
    match column.kind {
        Kind::List { width, .. } => (0..width).all(|i| regex.is_match(&format!("{}_{i}", column.name))),
        _ => false,
    }
}

struct Wanted {
    columns: Vec<usize>,
    naming: String,
    left_out: BTreeMap<String, Vec<String>>,
}

impl Wanted {
    fn leave_out(&mut self, why: &str, name: &str) {
        self.left_out.entry(why.to_owned()).or_default().push(name.to_owned());
    }
}

fn by_name(columns: &[Column], free: Vec<usize>, wanted: &mut Wanted, file: &str, breaches: &mut Vec<Error>) {
    if free.iter().any(|&i| columns[i].declared) {
        for i in free {
            let name = columns[i].name.as_str();
            match is_metadata(name) || is_known_not(name) {
                true => wanted.leave_out("known not to be features", name),
                false => wanted.columns.push(i),
            }
        }
        wanted.naming = "the columns of the matrix".to_owned();
        return;
    }
    let mut stems: BTreeMap<&str, usize> = BTreeMap::new();
    for &i in &free {
        let column = &columns[i];
        if column.kind == Kind::Number
            && !is_metadata(&column.name)
            && !is_known_not(&column.name)
            && let Some(stem) = numbered(&column.name)
        {
            *stems.entry(stem).or_default() += 1;
        }
    }
    let in_series = |name: &str| numbered(name).is_some_and(|stem| stems.get(stem).is_some_and(|n| *n > 1));
    let mut named = Vec::new();
    let mut lists = Vec::new();
    let mut others = Vec::new();
    for i in free {
        let column = &columns[i];
        let name = column.name.as_str();
        let looks = is_named_like_feature(name) || (in_series(name) && !is_known_not(name));
        match &column.kind {
            _ if is_metadata(name) => {}
            Kind::List { .. } => lists.push(i),
            Kind::Number if is_known_not(name) => wanted.leave_out("known not to be features", name),
            Kind::Number if looks => named.push(i),
            Kind::Number => others.push(i),
            Kind::Text if looks || column.numbers > column.texts => {
                // An error that names the cell, raised where the features are put together.
                named.push(i);
            }
            Kind::Empty if looks => named.push(i),
            Kind::Empty => wanted.leave_out("without any value", name),
            Kind::Boolean => wanted.leave_out("truth values", name),
            Kind::Text | Kind::Other(_) => {}
        }
    }
    let by = |of: &[usize]| of.iter().map(|&i| columns[i].name.clone()).collect::<Vec<_>>();
    if lists.len() > 1 || (!lists.is_empty() && !named.is_empty()) {
        let mut forms = vec![format!("the list columns {}", backticked(&by(&lists)))];
        if !named.is_empty() {
            forms.push(format!("{} columns like `{}`", named.len(), columns[named[0]].name));
        }
        breaches.push(Error::AmbiguousFeatures { file: file.to_owned(), forms });
        return;
    }
    let (chosen, naming) = if !lists.is_empty() {
        (lists, "one list per row")
    } else if !named.is_empty() {
        let cellprofiler = named.iter().filter(|&&i| is_cellprofiler(&columns[i].name)).count();
        let naming = match named.len() - cellprofiler {
            0 => "named as CellProfiler names them",
            n if n == named.len() => "numbered",
            _ => "numbered or named as CellProfiler names them",
        };
        (named, naming)
    } else {
        wanted.naming = "every column of numbers that is not metadata".to_owned();
        wanted.columns = others;
        return;
    };
    for i in others {
        wanted.leave_out("not named like the features", &columns[i].name);
    }
    wanted.columns = chosen;
    wanted.naming = naming.to_owned();
}

fn text_breach(column: &Column, file: &str) -> Error {
    let (file, name) = (file.to_owned(), column.name.clone());
    match &column.first_text {
        Some((row, text)) => {
            Error::TextInFeature { file, column: name, row: row + 1, text: text.clone(), count: column.texts }
        }
        None => Error::NumbersAsText { file, column: name },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(columns: &[Column], options: &ReadOptions) -> (Vec<String>, Vec<String>, Vec<String>) {
        let mut breaches = Vec::new();
        let features = choose(columns, &vec![false; columns.len()], options, "t.csv", &mut breaches);
        (features.names, features.understood, breaches.iter().map(Error::to_string).collect())
    }

    fn numbers(names: &[&str]) -> Vec<Column> {
        names.iter().map(|name| Column::new(name, Kind::Number)).collect()
    }

    #[test]
    fn cellprofiler_names_win_over_other_numbers_which_are_listed() {
        let columns = numbers(&[
            "Metadata_x",
            "cell_count",
            "age",
            "Cells_AreaShape_Area",
            "Image_Count_Cells",
            "Nuclei_Texture_3",
        ]);
        let (features, understood, breaches) = names(&columns, &ReadOptions::default());
        assert_eq!(features, ["Cells_AreaShape_Area", "Nuclei_Texture_3"]);
        assert_eq!(
            understood,
            [
                "left out of the features, known not to be features: `cell_count`, `Image_Count_Cells`",
                "left out of the features, not named like the features: `age`",
            ]
        );
        assert!(breaches.is_empty());
    }

    #[test]
    fn numbered_columns_are_features_under_any_stem() {
        let (features, _, _) =
            names(&numbers(&["dose", "harmony_0", "harmony_1", "Unnamed: 0"]), &ReadOptions::default());
        assert_eq!(features, ["harmony_0", "harmony_1"]);
        let (features, _, _) = names(&numbers(&["0", "1", "row"]), &ReadOptions::default());
        assert_eq!(features, ["0", "1"]);
        let (features, _, _) = names(&numbers(&["dose", "area"]), &ReadOptions::default());
        assert_eq!(features, ["dose", "area"]);
    }

    #[test]
    fn expressions_bring_in_and_leave_out() {
        let options = ReadOptions {
            features: Some("^(cell_count|Cells_)".into()),
            exclude_features: Some("Area$".into()),
            ..ReadOptions::default()
        };
        let (features, _, _) = names(&numbers(&["cell_count", "Cells_Area", "Cells_B", "x"]), &options);
        assert_eq!(features, ["cell_count", "Cells_B"]);
        let none = ReadOptions { features: Some("^q".into()), ..ReadOptions::default() };
        assert_eq!(names(&numbers(&["x"]), &none).2, ["`t.csv` has no feature columns: no column matches `^q`"]);
        let bad = ReadOptions { features: Some("(".into()), ..ReadOptions::default() };
        assert_eq!(
            names(&numbers(&["x"]), &bad).2,
            ["`(` is not a regular expression that can be used for --features: unclosed group"]
        );
    }
}
