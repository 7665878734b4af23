use std::borrow::Cow;

use bench_core::Seed;
use bench_data::{
    Column, ColumnValues, Error, ReadOptions, SplitPart, SyntheticSpec, read, simulate, write_embeddings,
    write_parquet, write_splits,
};
use polars::prelude::{DataFrame, DataType, ParquetReader, SerReader};

use super::{Folder, content};

fn frame(path: &std::path::Path) -> DataFrame {
    ParquetReader::new(std::fs::File::open(path).unwrap()).finish().unwrap()
}

#[test]
fn a_table_survives_writing_and_reading() {
    let folder = Folder::new();
    let mut table = simulate(&SyntheticSpec::default(), Seed(5)).unwrap();
    table.treated.layout.groups.insert("lab".into(), table.treated.layout.source.clone().unwrap());
    table.controls.layout.groups.insert("lab".into(), table.controls.layout.source.clone().unwrap());
    let path = folder.path("model.parquet");
    write_embeddings(&path, &table).unwrap();
    let mut options = ReadOptions::default();
    options.columns.groups.insert("lab".into(), "Metadata_lab".into());
    let again = read(&path, &options).unwrap();
    assert_eq!(content(&again), {
        let mut table = table.clone();
        table.answers.column = "Metadata_label".into();
        content(&table)
    });
    assert_eq!(again.features, table.features);
    assert_eq!(again.name, "model");
    let first = std::fs::read(&path).unwrap();
    write_embeddings(&path, &table).unwrap();
    assert!(first == std::fs::read(&path).unwrap(), "the same table gives the same bytes");
}

#[test]
fn splits_stream_across_row_groups() {
    let folder = Folder::new();
    let path = folder.path("deep/splits.parquet");
    let rows: Vec<u64> = (0..1000).rev().collect();
    let roles: Vec<u8> = (0..1000).map(|i| (i % 3) as u8).collect();
    let long: Vec<u64> = (0..600_000).collect();
    let long_roles = vec![1; long.len()];
    let parts = (0..100).map(|i| SplitPart {
        protocol: if i < 50 { "paper" } else { "strict" },
        split: "random",
        repeat: i,
        fold: i % 5,
        rows: Cow::from(if i == 60 { &long } else { &rows }),
        roles: Cow::from(if i == 60 { &long_roles } else { &roles }),
    });
    write_splits(&path, &["unused", "train", "test"], parts).unwrap();
    let frame = frame(&path);
    assert_eq!(frame.height(), 99 * 1000 + 600_000);
    assert_eq!(frame.get_column_names(), ["protocol", "split", "repeat", "fold", "row", "role"]);
    assert_eq!(frame.column("row").unwrap().dtype(), &DataType::UInt64);
    let role = frame.column("role").unwrap().as_materialized_series().str().unwrap().clone();
    let row = frame.column("row").unwrap().as_materialized_series().u64().unwrap().clone();
    let repeat = frame.column("repeat").unwrap().as_materialized_series().u32().unwrap().clone();
    for at in [0usize, 1, 2, 59_999] {
        assert_eq!(role.get(at), Some(["unused", "train", "test"][at % 1000 % 3]));
        assert_eq!(row.get(at), Some(999 - at as u64 % 1000));
        assert_eq!(repeat.get(at), Some(at as u32 / 1000));
    }
    assert_eq!((row.get(60_000), row.get(659_999), row.get(660_000)), (Some(0), Some(599_999), Some(999)));
    assert_eq!((row.get(262_143), row.get(262_144)), (Some(202_143), Some(202_144)));
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 3_000_000, "{size} bytes");
    write_splits(&path, &["unused"], []).unwrap();
    assert_eq!(self::frame(&path).height(), 0);
}

#[test]
fn columns_of_unequal_length_are_refused_and_leave_the_old_file() {
    let folder = Folder::new();
    let path = folder.path("t.parquet");
    let column = |name: &str, values: Vec<u32>| Column::new(name, ColumnValues::U32(values));
    write_parquet(&path, &[column("a", vec![1, 2])]).unwrap();
    let error = write_parquet(&path, &[column("a", vec![1]), column("b", vec![1, 2])]).unwrap_err();
    assert_eq!(folder.message(&error), "`t.parquet` cannot be written: column `b` has 2 rows where the first has 1");
    assert!(matches!(error, Error::Write { .. }));
    let twice = write_parquet(&path, &[column("a", vec![1]), column("a", vec![1])]).unwrap_err();
    assert!(matches!(twice, Error::Write { .. }));
    assert_eq!(frame(&path).height(), 2);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}
