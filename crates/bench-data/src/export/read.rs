//! Any table as a matrix with metadata, all rows in the order of the file.

use std::path::Path;

use bench_core::Matrix;

use super::{Annotated, ObsValues};
use crate::Error;
use crate::coded::{Coded, MISSING};
use crate::error::{LISTED, Place};
use crate::features;
use crate::options::ReadOptions;
use crate::raw::{self, Kind, Scatter, is_too_large};
use crate::report::Report;

/// Reads a table as it is: features as [`crate::read`] finds them, every other column as metadata. Of the options,
/// `features`, `exclude_features`, `metadata` and `array` count. Missing feature values stay missing (NaN).
///
/// # Errors
/// The file cannot be read or has no features, or values do not fit 32-bit floats.
pub fn read_annotated(path: &Path, options: &ReadOptions) -> Result<Annotated, Error> {
    let open = || raw::open(path, options.metadata.as_deref(), options.array.as_deref());
    let opened = open()?;
    let names = opened.names();
    // Once to learn the kinds of the columns, once to read the metadata as text.
    let looked = opened.load(&vec![false; names.len()])?;
    let mut options = options.clone();
    if options.features.is_none() && looked.columns.iter().any(|column| column.declared) {
        // A matrix goes on whole.
        options.features = Some(String::new());
    }
    let mut report = Report { file: path.display().to_string(), ..Report::default() };
    let used = vec![false; looked.columns.len()];
    let chosen = features::choose(&looked.columns, &used, &options, &report.file, &mut report.errors);
    if let Some(error) = Error::of_all(std::mem::take(&mut report.errors), &report.file) {
        return Err(error);
    }
    let mut is_feature = vec![false; looked.columns.len()];
    chosen.pieces.iter().for_each(|piece| is_feature[piece.column()] = true);
    let readable = |kind: &Kind| !matches!(kind, Kind::List { .. } | Kind::Other(_));
    let wanted: Vec<bool> = (0..names.len()).map(|i| !is_feature[i] && readable(&looked.columns[i].kind)).collect();
    let kinds: Vec<Kind> = looked.columns.iter().map(|column| column.kind.clone()).collect();
    drop(looked);

    let mut loaded = open()?.load(&wanted)?;
    let (rows, width) = (loaded.rows as usize, chosen.names.len());
    let mut data = vec![0.0; rows * width];
    let order: Vec<u32> = (0..loaded.rows as u32).collect();
    loaded.scatter(&chosen.pieces, &mut Scatter::new(&mut data, width, &order))?;
    let too_large: Vec<usize> = (0..data.len()).filter(|&i| is_too_large(data[i])).collect();
    if !too_large.is_empty() {
        let place = |&i: &usize| Place { row: (i / width) as u64 + 1, column: chosen.names[i % width].clone() };
        let places = too_large.iter().take(LISTED).map(place).collect();
        return Err(Error::TooLarge { file: report.file, cells: too_large.len() as u64, places });
    }
    let text = std::mem::take(&mut loaded.text);
    let columns = names.into_iter().zip(text).zip(&kinds);
    let obs = columns.filter_map(|((name, text), kind)| Some((name, typed(text?, kind)))).collect();
    Ok(Annotated { obs, features: chosen.names, matrix: Matrix::new(rows, width, data), obsm: Vec::new() })
}

/// Text as what it was in the file. Numbers with missing ones become floating-point, truth values with missing ones
/// text.
fn typed(column: Coded, kind: &Kind) -> ObsValues {
    let complete = column.codes.iter().all(|code| *code != MISSING);
    let each = |code: u32| column.levels[code as usize].as_str();
    match kind {
        // A barcode such as 0012 is a name.
        Kind::Number if !column.levels.iter().any(|level| is_padded(level)) => {
            let whole: Option<Vec<i64>> = column
                .levels
                .iter()
                .map(|level| level.parse().ok().filter(|n: &i64| n.to_string() == *level))
                .collect();
            if let (true, Some(whole)) = (complete, whole) {
                return ObsValues::Whole(column.codes.iter().map(|&code| whole[code as usize]).collect());
            }
            let real: Option<Vec<f64>> = column.levels.iter().map(|level| level.parse().ok()).collect();
            if let Some(real) = real {
                let value = |&code: &u32| if code == MISSING { f64::NAN } else { real[code as usize] };
                return ObsValues::Real(column.codes.iter().map(value).collect());
            }
        }
        Kind::Boolean if complete && column.levels.iter().all(|l| truth(l).is_some()) => {
            return ObsValues::Truth(column.codes.iter().map(|&code| truth(each(code)) == Some(true)).collect());
        }
        _ => {}
    }
    let codes = column.codes.iter().map(|&code| Some(code).filter(|code| *code != MISSING)).collect();
    ObsValues::Text { levels: column.levels, codes }
}

/// Whether a number is written with zeros in front.
fn is_padded(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']).as_bytes();
    digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit()
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "True" | "true" | "TRUE" => Some(true),
        "False" | "false" | "FALSE" => Some(false),
        _ => None,
    }
}
