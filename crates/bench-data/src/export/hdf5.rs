//! Groups and arrays as HDF5.
//!
//! Numbers are stored as they are: what is written are embeddings, which compression makes a tenth smaller and ten times
//! slower.

use std::path::Path;

use bench_core::atomic;
use hdf5_pure::{AttrValue, DatasetBuilder, EnumTypeBuilder, FileBuilder, GroupBuilder, make_i8_type};

use super::anndata::{Array, Attribute, Group, Item, Values};
use super::failed;
use crate::Error;

/// Writes a file.
pub(super) fn write(path: &Path, root: &Group<'_>) -> Result<(), Error> {
    let mut file = FileBuilder::new();
    for (name, attribute) in &root.attributes {
        file.set_attr(name, value(attribute));
    }
    for (name, item) in &root.children {
        match item {
            Item::Array(array) => fill(file.create_dataset(name), array).map_err(|e| failed(path, e))?,
            Item::Group(group) => {
                let mut builder = file.create_group(name);
                fill_group(&mut builder, group).map_err(|e| failed(path, e))?;
                file.add_group(builder.finish());
            }
        }
    }
    let written = atomic::write_with(path, |to| {
        file.finish_to(to).map_err(|error| match error {
            hdf5_pure::Error::Io(error) => error,
            other => std::io::Error::other(other.to_string()),
        })
    });
    written.map_err(|e| failed(path, e))
}

fn fill_group(builder: &mut GroupBuilder, group: &Group<'_>) -> Result<(), hdf5_pure::FormatError> {
    for (name, attribute) in &group.attributes {
        builder.set_attr(name, value(attribute));
    }
    for (name, item) in &group.children {
        match item {
            Item::Array(array) => fill(builder.create_dataset(name), array)?,
            Item::Group(group) => {
                let mut inner = builder.create_group(name);
                fill_group(&mut inner, group)?;
                builder.add_group(inner.finish());
            }
        }
    }
    Ok(())
}

fn fill(dataset: &mut DatasetBuilder, array: &Array<'_>) -> Result<(), hdf5_pure::FormatError> {
    match &array.values {
        Values::F32(values) => dataset.with_f32_data(values),
        Values::F64(values) => dataset.with_f64_data(values),
        Values::I64(values) => dataset.with_i64_data(values),
        Values::I32(values) => dataset.with_i32_data(values),
        Values::Text(texts) => dataset.with_vlen_strings(texts),
        Values::Made(texts) => dataset.with_vlen_strings(&texts.iter().map(String::as_str).collect::<Vec<_>>()),
        Values::Bool(values) => {
            // h5py knows truth values by these two names.
            let truth = EnumTypeBuilder::with_base(make_i8_type()).value("FALSE", 0).value("TRUE", 1).build()?;
            dataset.with_raw_data(truth, values.iter().map(|&v| u8::from(v)).collect(), values.len() as u64)
        }
    };
    dataset.with_shape(&array.shape);
    for (name, attribute) in &array.attributes {
        dataset.set_attr(name, value(attribute));
    }
    Ok(())
}

fn value(attribute: &Attribute) -> AttrValue {
    match attribute {
        Attribute::Text(text) => AttrValue::VarLenString(text.clone()),
        Attribute::Texts(texts) => AttrValue::VarLenStringArray(texts.clone()),
        Attribute::Truth(truth) => AttrValue::I8(i8::from(*truth)),
    }
}
