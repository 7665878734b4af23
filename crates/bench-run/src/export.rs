//! What a run made, for other tools: embeddings with their map, and the raw scores.

use std::path::Path;

use bench_core::{Matrix, RunRecord};
use bench_data::{Annotated, Column, ColumnValues, ExportFormat, ObsValues, ReadOptions};

use crate::Error;
use crate::outputs::{read_record, slug};

/// The matrix of a map in an AnnData table; scanpy draws it by this name.
const MAP: &str = "X_umap";

/// Whether a path is a run: its folder, or its record.
pub fn is_run(path: &Path) -> bool {
    path.join("record.json").is_file() || path.file_name().is_some_and(|name| name == "record.json")
}

/// Embeddings of one model of a run, with the coordinates of its map where the run has one. Rows that are not on the
/// map (controls) have none there.
///
/// # Errors
/// No such model, or a file of the run cannot be read.
pub fn embeddings(run: &Path, model: Option<&str>) -> Result<Annotated, Error> {
    let (folder, record) = open(run)?;
    let name = choose(&record, model)?;
    let file = format!("{}.parquet", slug(name));
    let mut table = bench_data::read_annotated(&folder.join("embeddings").join(&file), &ReadOptions::default())?;
    let map = folder.join("projection").join(&file);
    if map.is_file() {
        let matrix = coordinates(&map, &table)?;
        table.obsm.push((MAP.to_owned(), matrix));
    }
    Ok(table)
}

/// Writes the raw scores of a run as one Parquet table, one row per score.
///
/// # Errors
/// The record cannot be read or the file not written.
pub fn scores(run: &Path, format: ExportFormat, out: &Path) -> Result<usize, Error> {
    if format != ExportFormat::Parquet {
        return Err(Error::Usage {
            message: "raw scores are exported as Parquet".into(),
            hint: Some("`scores.csv` of the run has them as CSV".into()),
        });
    }
    let (_, record) = open(run)?;
    let scores = &record.scores;
    let text = |name: &str, of: fn(&bench_core::Score) -> &str| {
        let texts = scores.iter().map(|score| of(score).to_owned()).collect();
        Column::new(name, ColumnValues::Text(texts))
    };
    let count = |name: &str, of: fn(&bench_core::Score) -> u64| {
        Column::new(name, ColumnValues::U64(scores.iter().map(of).collect()))
    };
    let columns = [
        text("model", |s| &s.model),
        text("features", |s| &s.features),
        text("correction", |s| &s.correction),
        text("task", |s| &s.task),
        text("protocol", |s| &s.protocol),
        text("split", |s| &s.split),
        text("probe", |s| &s.probe),
        text("metric", |s| &s.metric),
        count("repeat", |s| u64::from(s.repeat)),
        count("seed", |s| s.seed),
        count("n_train", |s| s.n_train as u64),
        count("n_test", |s| s.n_test as u64),
        count("classes_train", |s| s.classes_train as u64),
        count("classes_test", |s| s.classes_test as u64),
        Column::new("value", ColumnValues::F64(scores.iter().map(|s| s.value.unwrap_or(f64::NAN)).collect())),
        text("reason", |s| s.reason.as_deref().unwrap_or_default()),
    ];
    bench_data::write_parquet(out, &columns)?;
    Ok(scores.len())
}

fn open(run: &Path) -> Result<(std::path::PathBuf, RunRecord), Error> {
    let path = if run.is_dir() { run.join("record.json") } else { run.to_owned() };
    let record = read_record(&path)?;
    Ok((path.parent().unwrap_or(Path::new(".")).to_owned(), record))
}

/// The model asked for, or the only one.
fn choose<'a>(record: &'a RunRecord, model: Option<&str>) -> Result<&'a str, Error> {
    use bench_core::record::ModelKind;
    let models = record.models.iter().filter(|m| m.kind == ModelKind::Model);
    let names: Vec<&str> = models.map(|m| m.name.as_str()).collect();
    match (model, names.as_slice()) {
        (Some(wanted), _) => names.iter().copied().find(|name| *name == wanted).ok_or_else(|| Error::Usage {
            message: format!("the run has no model `{wanted}`"),
            hint: Some(format!("its models are {}", names.join(", "))),
        }),
        (None, [only]) => Ok(only),
        (None, _) => Err(Error::Usage {
            message: format!("the run has {} models", names.len()),
            hint: Some(format!("choose one with `--model`: {}", names.join(", "))),
        }),
    }
}

/// Coordinates of a map in the order of a table, by the row of the file that both were made from.
fn coordinates(map: &Path, table: &Annotated) -> Result<Matrix, Error> {
    let columns = bench_data::read_columns(map, &["row", "x", "y"])?;
    let damaged = || Error::Record { path: map.to_owned(), why: "its rows are not those of the embeddings".into() };
    let mut at = std::collections::HashMap::new();
    for ((row, x), y) in columns[0].iter().zip(&columns[1]).zip(&columns[2]) {
        let number = |text: &str| text.parse::<f32>().map_err(|_| damaged());
        at.insert(row.parse::<i64>().map_err(|_| damaged())?, [number(x)?, number(y)?]);
    }
    let rows = table.obs.iter().find(|(name, _)| name == "Metadata_file_row");
    let Some((_, ObsValues::Whole(rows))) = rows else { return Err(damaged()) };
    let nowhere = [f32::NAN; 2];
    let points = rows.iter().flat_map(|row| *at.get(row).unwrap_or(&nowhere)).collect();
    Ok(Matrix::new(rows.len(), 2, points))
}
