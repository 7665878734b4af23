//! Checkpoint files: safetensors that any tool reads, with a digest inside.
//!
//! # Format
//! Tensors are sorted by width of type, then name; the header's `__metadata__` holds `state` (one
//! JSON text) and `digest`, the SHA-256 over the state and over name, type, shape and numbers of
//! every tensor. Parameters stand under their own names, so weight loaders need to know nothing
//! about checkpoints; what belongs to training alone starts with `state/`. Equal contents give
//! equal bytes: there is no clock, no map order and no machine in them.
//!
//! # Crashes
//! A file is written under a temporary name, synced and renamed. Whoever reads sees the old one
//! or the new one, and the digest tells if the disk did not keep it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Contents of a checkpoint.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Tensors by name, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// Everything that is not a tensor.
    pub state: Value,
}

impl Checkpoint {
    /// Writes the file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut order: Vec<(&String, &Tensor)> = self.tensors.iter().collect();
        order.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().size_in_bytes()));
        let state = self.state.to_string();
        let mut digest = Content::new(&state);
        let mut header = Map::new();
        header.insert("__metadata__".to_owned(), Value::Null);
        let mut end = 0;
        for (name, tensor) in &order {
            // Made again when written: one tensor at a time is in memory twice.
            let bytes = bytes_of(tensor)?;
            let (start, dtype) = (end, name_of(tensor.dtype())?);
            end += bytes.len();
            digest.tensor(name, dtype, tensor.dims(), &bytes);
            let entry = json!({ "dtype": dtype, "shape": tensor.dims(), "data_offsets": [start, end] });
            header.insert((*name).clone(), entry);
        }
        header["__metadata__"] = json!({ "state": state, "digest": digest.finish() });
        let mut header = Value::Object(header).to_string().into_bytes();
        // The format wants the numbers to start at a multiple of eight.
        header.resize(header.len().next_multiple_of(8), b' ');
        let write = |file: &mut std::fs::File| {
            file.write_all(&(header.len() as u64).to_le_bytes())?;
            file.write_all(&header)?;
            for (_, tensor) in &order {
                file.write_all(&bytes_of(tensor).map_err(std::io::Error::other)?)?;
            }
            Ok(())
        };
        bench_core::atomic::write_with(path, write).map_err(|source| failure(path, source))
    }

    /// Reads the file and checks its digest.
    pub fn read(path: &Path) -> Result<Checkpoint> {
        let bytes = std::fs::read(path).map_err(|source| failure(path, source))?;
        let damaged = |problem: String| Error::CheckpointDamaged { path: path.to_owned(), problem };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let entry =
            |key: &str| metadata.get(key).ok_or_else(|| damaged(format!("it has no `{key}`, so it is no checkpoint")));
        let (state, stored) = (entry("state")?, entry("digest")?);
        let mut found = vec![];
        for (name, tensor) in file.tensors() {
            let Some((dtype, width)) = type_of(tensor.dtype()) else {
                return Err(damaged(format!("`{name}` is of type {:?}", tensor.dtype())));
            };
            found.push((name, dtype, width, tensor.shape().to_vec(), tensor.data()));
        }
        found.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
        let mut digest = Content::new(state);
        found.iter().for_each(|(name, dtype, _, shape, data)| digest.tensor(name, dtype, shape, data));
        let computed = digest.finish();
        if computed != *stored {
            return Err(damaged(format!("its digest is `{computed}`, and it says `{stored}`")));
        }
        let state = serde_json::from_str(state).map_err(|error| damaged(error.to_string()))?;
        let tensors = found
            .into_iter()
            .map(|(name, dtype, _, shape, data)| Ok((name, tensor_of(dtype, &shape, data)?)))
            .collect::<Result<BTreeMap<String, Tensor>>>()?;
        Ok(Checkpoint { tensors, state })
    }
}

fn failure(path: &Path, source: std::io::Error) -> Error {
    Error::CheckpointFile { path: path.to_owned(), source }
}

/// SHA-256 over the state and over tensors in the order of the file, every part with its length.
struct Content(Sha256);

impl Content {
    fn new(state: &str) -> Content {
        let mut content = Content(Sha256::new());
        content.put(state.as_bytes());
        content
    }

    fn tensor(&mut self, name: &str, dtype: &str, shape: &[usize], bytes: &[u8]) {
        self.put(name.as_bytes());
        self.put(dtype.as_bytes());
        self.put(&shape.iter().flat_map(|&size| (size as u64).to_le_bytes()).collect::<Vec<u8>>());
        self.put(bytes);
    }

    fn put(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Names of the types that training uses, in the words of the format.
fn name_of(dtype: DType) -> Result<&'static str> {
    match dtype {
        DType::F32 => Ok("F32"),
        DType::F64 => Ok("F64"),
        DType::U32 => Ok("U32"),
        other => Err(bench_nn::Error::unsupported("checkpoint", format!("{other:?}")).into()),
    }
}

fn type_of(dtype: Dtype) -> Option<(&'static str, usize)> {
    match dtype {
        Dtype::F32 => Some(("F32", 4)),
        Dtype::F64 => Some(("F64", 8)),
        Dtype::U32 => Some(("U32", 4)),
        _ => None,
    }
}

fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>> {
    let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
    Ok(match tensor.dtype() {
        DType::F64 => flat.to_vec1::<f64>()?.into_iter().flat_map(f64::to_le_bytes).collect(),
        DType::U32 => flat.to_vec1::<u32>()?.into_iter().flat_map(u32::to_le_bytes).collect(),
        _ => flat.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect(),
    })
}

fn tensor_of(dtype: &str, shape: &[usize], data: &[u8]) -> Result<Tensor> {
    let fours = || data.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    let device = &Device::Cpu;
    Ok(match dtype {
        "F64" => {
            let eights =
                data.chunks_exact(8).map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]));
            Tensor::from_vec(eights.collect::<Vec<f64>>(), shape, device)?
        }
        "U32" => Tensor::from_vec(fours().map(u32::from_le_bytes).collect::<Vec<u32>>(), shape, device)?,
        _ => Tensor::from_vec(fours().map(f32::from_le_bytes).collect::<Vec<f32>>(), shape, device)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Checkpoint {
        let device = &Device::Cpu;
        let tensors = BTreeMap::from([
            ("b.weight".to_owned(), Tensor::new(&[[1f32, -0.0], [f32::MIN_POSITIVE, 4.5]], device).unwrap()),
            ("a".to_owned(), Tensor::new(&[7u32], device).unwrap()),
            ("wide".to_owned(), Tensor::new(&[0.1f64, 2.0], device).unwrap()),
            ("scalar".to_owned(), Tensor::new(3f32, device).unwrap()),
        ]);
        Checkpoint { tensors, state: json!({ "loss": 0.1 + 0.2, "epoch": 3 }) }
    }

    #[test]
    fn what_is_read_is_what_was_written_and_equal_contents_give_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.safetensors"), folder.path().join("b.safetensors"));
        example().write(&a).unwrap();
        let read = Checkpoint::read(&a).unwrap();
        assert_eq!(read.state["loss"].as_f64(), Some(0.1 + 0.2));
        assert_eq!(read.tensors["wide"].to_vec1::<f64>().unwrap(), [0.1, 2.0]);
        assert_eq!(read.tensors["scalar"].rank(), 0);
        read.write(&b).unwrap();
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        example().write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            // Turning padding or a space of the header into another space changes nothing.
            if let Ok(read) = Checkpoint::read(&path) {
                assert_eq!(read.state, example().state, "byte {place}");
            }
        }
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let error = Checkpoint::read(&path).unwrap_err().to_string();
        assert!(error.contains("is damaged"), "{error}");
    }

    #[test]
    fn other_safetensors_files_are_not_checkpoints() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        std::fs::write(&path, b"\x08\0\0\0\0\0\0\0{}      ").unwrap();
        let error = Checkpoint::read(&path).unwrap_err().to_string();
        assert!(error.contains("no checkpoint"), "{error}");
        assert!(matches!(Checkpoint::read(&folder.path().join("none")), Err(Error::CheckpointFile { .. })));
    }
}
