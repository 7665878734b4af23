//! The layout of AnnData: which group holds what, and how each object says what it is.
//!
//! # Reference
//! anndata, "On-disk format": AnnData 0.1.0, data frame 0.2.0, array 0.2.0, text 0.2.0, categories 0.2.0.

use std::path::Path;

use super::{Annotated, ObsValues};
use crate::Error;

/// A group.
pub(super) struct Group<'a> {
    pub(super) attributes: Vec<(&'static str, Attribute)>,
    pub(super) children: Vec<(String, Item<'a>)>,
}

/// What a group holds.
pub(super) enum Item<'a> {
    Group(Group<'a>),
    Array(Array<'a>),
}

/// An array.
pub(super) struct Array<'a> {
    pub(super) attributes: Vec<(&'static str, Attribute)>,
    /// Rows, and columns of a matrix.
    pub(super) shape: Vec<u64>,
    pub(super) values: Values<'a>,
}

/// Elements of an array, row after row.
pub(super) enum Values<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    I64(&'a [i64]),
    I32(Vec<i32>),
    Bool(&'a [bool]),
    Text(Vec<&'a str>),
    /// Text that is made here.
    Made(Vec<String>),
}

/// What an object says of itself.
pub(super) enum Attribute {
    Text(String),
    Texts(Vec<String>),
    Truth(bool),
}

/// A table as AnnData.
pub(super) fn layout<'a>(path: &Path, table: &'a Annotated) -> Result<Group<'a>, Error> {
    let rows = table.matrix.rows();
    let unwritable = |column: &str, problem| {
        Err(Error::Unwritable { file: path.display().to_string(), column: column.to_owned(), problem })
    };
    for (name, _) in &table.obs {
        let taken = name == "_index" || name.starts_with("__") || name.starts_with('.');
        if name.is_empty() || taken || name.contains(['/', '\\', '\0', ':']) {
            return unwritable(name, "names of AnnData have no slash or colon, and neither dot nor `__` in front");
        }
    }
    // Names that came with an AnnData file go back to their place.
    let names = table.obs.iter().position(|(name, values)| name == INDEX && is_index(values));
    let index = match names.map(|at| &table.obs[at].1) {
        Some(ObsValues::Text { levels, codes }) => {
            Values::Text(codes.iter().flatten().map(|&code| levels[code as usize].as_str()).collect())
        }
        _ => Values::Made((0..rows).map(|row| row.to_string()).collect()),
    };
    let obs: Vec<&(String, ObsValues)> =
        table.obs.iter().enumerate().filter(|(i, _)| Some(*i) != names).map(|(_, column)| column).collect();
    let order = obs.iter().map(|(name, _)| name.clone()).collect();
    let columns = obs.into_iter().map(|(name, values)| (name.clone(), column(values))).collect();
    let features = Values::Text(table.features.iter().map(String::as_str).collect());
    let matrix = |matrix: &'a bench_core::Matrix| {
        let shape = vec![matrix.rows() as u64, matrix.cols() as u64];
        array("array", shape, Values::F32(matrix.data()))
    };
    let obsm = table.obsm.iter().map(|(name, of)| (name.clone(), matrix(of))).collect();
    let mut children = vec![
        ("X".to_owned(), matrix(&table.matrix)),
        ("obs".to_owned(), frame(index, rows, order, columns)),
        ("obsm".to_owned(), dictionary(obsm)),
        ("var".to_owned(), frame(features, table.features.len(), Vec::new(), Vec::new())),
    ];
    children.extend(["layers", "obsp", "uns", "varm", "varp"].map(|name| (name.to_owned(), dictionary(Vec::new()))));
    Ok(Group { attributes: encoding("anndata", "0.1.0"), children })
}

/// The column that is the index of a file that was read.
const INDEX: &str = "obs_names";

/// Whether every row has a text of its own.
fn is_index(values: &ObsValues) -> bool {
    match values {
        ObsValues::Text { levels, codes } => levels.len() == codes.len() && codes.iter().all(Option::is_some),
        _ => false,
    }
}

fn encoding(kind: &str, version: &str) -> Vec<(&'static str, Attribute)> {
    vec![("encoding-type", Attribute::Text(kind.to_owned())), ("encoding-version", Attribute::Text(version.to_owned()))]
}

fn dictionary<'a>(children: Vec<(String, Item<'a>)>) -> Item<'a> {
    Item::Group(Group { attributes: encoding("dict", "0.1.0"), children })
}

fn array<'a>(kind: &str, shape: Vec<u64>, values: Values<'a>) -> Item<'a> {
    Item::Array(Array { attributes: encoding(kind, "0.2.0"), shape, values })
}

fn frame<'a>(index: Values<'a>, rows: usize, order: Vec<String>, columns: Vec<(String, Item<'a>)>) -> Item<'a> {
    let mut attributes = encoding("dataframe", "0.2.0");
    attributes.push(("_index", Attribute::Text("_index".to_owned())));
    attributes.push(("column-order", Attribute::Texts(order)));
    let mut children = vec![("_index".to_owned(), array("string-array", vec![rows as u64], index))];
    children.extend(columns);
    Item::Group(Group { attributes, children })
}

/// Text is stored as categories where it repeats or lacks values, as anndata does by itself.
fn column(values: &ObsValues) -> Item<'_> {
    match values {
        ObsValues::Whole(values) => array("array", vec![values.len() as u64], Values::I64(values)),
        ObsValues::Real(values) => array("array", vec![values.len() as u64], Values::F64(values)),
        ObsValues::Truth(values) => array("array", vec![values.len() as u64], Values::Bool(values)),
        ObsValues::Text { levels, codes } if is_index(values) => {
            let texts = codes.iter().flatten().map(|&code| levels[code as usize].as_str()).collect();
            array("string-array", vec![codes.len() as u64], Values::Text(texts))
        }
        ObsValues::Text { levels, codes } => {
            // Categories are sorted, as pandas has them.
            let mut sorted: Vec<usize> = (0..levels.len()).collect();
            sorted.sort_unstable_by_key(|&level| &levels[level]);
            let mut rank = vec![0; levels.len()];
            sorted.iter().zip(0..).for_each(|(&level, place)| rank[level] = place);
            let codes: Vec<i32> = codes.iter().map(|code| code.map_or(-1, |code| rank[code as usize])).collect();
            let categories = sorted.iter().map(|&level| levels[level].as_str()).collect();
            let mut attributes = encoding("categorical", "0.2.0");
            attributes.push(("ordered", Attribute::Truth(false)));
            let children = vec![
                ("categories".to_owned(), array("string-array", vec![levels.len() as u64], Values::Text(categories))),
                ("codes".to_owned(), array("array", vec![codes.len() as u64], Values::I32(codes))),
            ];
            Item::Group(Group { attributes, children })
        }
    }
}
