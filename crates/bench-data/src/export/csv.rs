//! A table as CSV (RFC 4180): metadata, then one column per feature; nothing stands for no value.

use std::io::{BufWriter, Write};
use std::path::Path;

use bench_core::{Matrix, atomic};

use super::{ObsValues, failed};
use crate::Error;

/// Writes a file.
pub(super) fn write(
    path: &Path,
    obs: &[(String, ObsValues)],
    features: &[String],
    matrix: &Matrix,
) -> Result<(), Error> {
    let written = atomic::write_with(path, |file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let header: Vec<String> = obs.iter().map(|(name, _)| name).chain(features).map(|name| quoted(name)).collect();
        writeln!(out, "{}", header.join(","))?;
        for row in 0..matrix.rows() {
            let metadata = obs.iter().map(|(_, values)| values.cell(row).map_or(String::new(), |cell| quoted(&cell)));
            let numbers = matrix.row(row).iter().map(|v| if v.is_nan() { String::new() } else { v.to_string() });
            let cells: Vec<String> = metadata.chain(numbers).collect();
            writeln!(out, "{}", cells.join(","))?;
        }
        out.flush()
    });
    written.map_err(|e| failed(path, e))
}

fn quoted(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
