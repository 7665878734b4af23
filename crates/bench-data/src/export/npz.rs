//! A table as NumPy arrays in one archive: `embedding`, and one array per metadata column.

use std::io::{BufWriter, Write};
use std::path::Path;

use bench_core::{Matrix, atomic};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{ObsValues, failed};
use crate::Error;

/// Name of the matrix.
const MATRIX: &str = "embedding";

/// Writes a file.
pub(super) fn write(path: &Path, obs: &[(String, ObsValues)], matrix: &Matrix) -> Result<(), Error> {
    if let Some((name, _)) = obs.iter().find(|(name, _)| name == MATRIX || name.contains(['/', '\\', '\0'])) {
        let problem = "the name is that of the matrix, or has a slash";
        return Err(Error::Unwritable { file: path.display().to_string(), column: name.clone(), problem });
    }
    let written = atomic::write_with(path, |file| {
        let mut archive = ZipWriter::new(BufWriter::with_capacity(1 << 20, file));
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let mut put = |name: &str, head: Vec<u8>, bytes: &mut dyn Iterator<Item = Vec<u8>>, large: bool| {
            let options = options.large_file(large);
            archive.start_file(format!("{name}.npy"), options).map_err(std::io::Error::other)?;
            archive.write_all(&head)?;
            for bytes in bytes {
                archive.write_all(&bytes)?;
            }
            Ok::<(), std::io::Error>(())
        };
        let (rows, columns) = (matrix.rows(), matrix.cols());
        let mut lines = (0..rows).map(|row| matrix.row(row).iter().flat_map(|v| v.to_le_bytes()).collect());
        put(MATRIX, header("<f4", &format!("({rows}, {columns})")), &mut lines, rows * columns > 1 << 29)?;
        for (name, values) in obs {
            let (code, bytes) = column(values);
            put(name, header(&code, &format!("({rows},)")), &mut std::iter::once(bytes), rows > 1 << 22)?;
        }
        archive.finish().map_err(std::io::Error::other)?.flush()
    });
    written.map_err(|e| failed(path, e))
}

/// Magic, version and description, padded to a multiple of 64 bytes as NumPy does.
fn header(code: &str, shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': {shape}, }}");
    let padding = 63 - (10 + text.len()) % 64;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

/// Type code and bytes of a metadata column; no value is empty text.
fn column(values: &ObsValues) -> (String, Vec<u8>) {
    match values {
        ObsValues::Whole(values) => ("<i8".to_owned(), values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ObsValues::Real(values) => ("<f8".to_owned(), values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ObsValues::Truth(values) => ("|b1".to_owned(), values.iter().map(|&v| u8::from(v)).collect()),
        ObsValues::Text { levels, codes } => {
            let longest = levels.iter().map(|level| level.chars().count()).max().unwrap_or(0).max(1);
            let padded = |text: &str| -> Vec<u8> {
                let signs = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(longest);
                signs.flat_map(u32::to_le_bytes).collect()
            };
            let padded: Vec<Vec<u8>> = levels.iter().map(|level| padded(level)).collect();
            let none = vec![0; 4 * longest];
            let bytes = codes.iter().flat_map(|code| code.map_or(&none, |code| &padded[code as usize])).copied();
            (format!("<U{longest}"), bytes.collect())
        }
    }
}
