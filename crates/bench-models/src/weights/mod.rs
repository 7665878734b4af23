//! Weight files in the safetensors format: our own, and those of published networks.
//!
//! # Our own
//! [`save`] writes every parameter and running statistic under its name, in our layout
//! (convolutions `(out, height, width, in)`); [`load`] reads them back and refuses anything else.
//!
//! # Published networks
//! [`import`] fills one tower from a file whose tensors have the names of another project:
//!
//! | source | their name | ours | change |
//! |---|---|---|---|
//! | torchvision, timm ResNet-18/34/50 | `conv1.weight`, `layer1.0.bn1.bias`, `layer2.0.downsample.0.weight`, .. | the same under the tower's prefix | convolutions `(out, in, height, width)` are permuted; a stem of 3 channels is repeated R,G,B,R,G,.. up to ours, without rescaling |
//! | | `fc.*`, `*.num_batches_tracked` | | ignored |
//! | 3DInfomax PNA | `node_gnn.atom_encoder.atom_embedding_list.0.weight`, `node_gnn.mp_layers.0.pretrans.fully_connected.0.linear.weight`, `output.fully_connected.0.batch_norm.running_var`, .. | the same under the tower's prefix | a chirality table of 4 rows (OGB 1.3.3 and before) gets its last row twice |
//! | | `*.num_batches_tracked` | | ignored |
//!
//! Nothing changes unless everything fits: missing, unknown and mis-shaped tensors are all listed.
//! Files of PyTorch (`.pt`, `.pth`) are not read, because reading them can execute code; convert one
//! with `safetensors.torch.save_file(torch.load(path, weights_only=True), out)`, for 3DInfomax of
//! its entry `model_state_dict`.

use std::path::Path;

use bench_core::atomic;
use bench_nn::{Param, ParamSet};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{Error, Result};

mod infomax;
mod torchvision;

#[cfg(test)]
mod golden_tests;

/// Project whose names a file uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// torchvision or timm, a ResNet.
    Torchvision,
    /// 3DInfomax, a PNA.
    Infomax,
}

/// What an import did beside copying.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// How many tensors were filled.
    pub loaded: usize,
    /// Tensors of the file that have no place here.
    pub ignored: Vec<String>,
    /// Changes to say to the user.
    pub notes: Vec<String>,
}

/// A tensor of the file in our layout, with a note if that took more than a permutation.
type Converted = (Tensor, Option<String>);

/// The bytes of a weight file.
///
/// # Errors
/// A device that fails.
pub fn to_bytes(params: &ParamSet) -> Result<Vec<u8>> {
    let mut stored = Vec::with_capacity(params.len());
    for param in params.iter() {
        let tensor = param.tensor().to_device(&Device::Cpu)?.flatten_all()?;
        let (dtype, bytes): (Dtype, Vec<u8>) = match tensor.dtype() {
            DType::F64 => (Dtype::F64, tensor.to_vec1::<f64>()?.iter().flat_map(|v| v.to_le_bytes()).collect()),
            _ => {
                let values = tensor.to_dtype(DType::F32)?.to_vec1::<f32>()?;
                (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
        };
        stored.push((param, dtype, bytes));
    }
    let views = stored.iter().map(|(param, dtype, bytes)| {
        let view = TensorView::new(*dtype, param.tensor().dims().to_vec(), bytes);
        (param.name(), view.expect("the bytes are those of the shape"))
    });
    Ok(safetensors::serialize(views, None).expect("names are distinct and sizes are small"))
}

/// Writes all parameters and running statistics, whole or not at all.
///
/// # Errors
/// A file that cannot be written.
pub fn save(params: &ParamSet, path: &Path) -> Result<()> {
    let bytes = to_bytes(params)?;
    atomic::write(path, &bytes).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Fills all parameters and running statistics from a file of [`save`].
///
/// # Errors
/// A file that cannot be read, or that does not hold exactly these tensors.
pub fn load(params: &ParamSet, path: &Path) -> Result<()> {
    from_bytes(params, &read(path)?, path)
}

/// Fills all parameters and running statistics from the bytes of [`to_bytes`]; `path` is named in
/// errors.
///
/// # Errors
/// Bytes that do not hold exactly these tensors.
pub fn from_bytes(params: &ParamSet, bytes: &[u8], path: &Path) -> Result<()> {
    let targets: Vec<&Param> = params.iter().collect();
    fill(bytes, path, &targets, "", |_| false, |_, tensor, _| Ok((tensor, None)))?;
    Ok(())
}

/// Fills the parameters below `prefix` (such as `image.`) from a file of another project.
///
/// # Errors
/// A file that cannot be read, or whose tensors do not fit; then nothing is changed.
pub fn import(source: Source, params: &ParamSet, prefix: &str, path: &Path) -> Result<Import> {
    let targets: Vec<&Param> = params.iter().filter(|param| param.name().starts_with(prefix)).collect();
    let bytes = read(path)?;
    match source {
        Source::Torchvision => fill(&bytes, path, &targets, prefix, torchvision::ignored, torchvision::convert),
        Source::Infomax => fill(&bytes, path, &targets, prefix, infomax::ignored, infomax::convert),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Fills every target from the tensor of its name without `prefix`, as `convert(key, tensor,
/// wanted shape)` makes it, and refuses tensors that neither a target nor `ignored` names.
fn fill(
    bytes: &[u8],
    path: &Path,
    targets: &[&Param],
    prefix: &str,
    ignored: impl Fn(&str) -> bool,
    convert: impl Fn(&str, Tensor, &[usize]) -> Result<Converted>,
) -> Result<Import> {
    let not_safetensors = |source| Error::Safetensors { path: path.to_owned(), source };
    let file = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
    let key = |param: &Param| param.name()[prefix.len()..].to_owned();
    let mut names = file.names();
    names.sort_unstable();
    let (mut import, mut breaches, mut converted) = (Import::default(), Vec::new(), Vec::new());
    for name in &names {
        if targets.iter().any(|param| param.name()[prefix.len()..] == **name) {
            continue;
        }
        if ignored(name) {
            import.ignored.push((*name).to_owned());
        } else {
            breaches.push(format!("unknown `{name}`"));
        }
    }
    for param in targets {
        let key = key(param);
        if names.binary_search(&key.as_str()).is_err() {
            breaches.push(format!("missing `{key}`"));
            continue;
        }
        let view = file.tensor(&key).map_err(not_safetensors)?;
        let Some(tensor) = to_tensor(&view)? else {
            breaches.push(format!("`{key}` holds {:?}, not floating-point numbers", view.dtype()));
            continue;
        };
        let (tensor, note) = convert(&key, tensor, param.tensor().dims())?;
        if tensor.dims() != param.tensor().dims() {
            let (got, want) = (view.shape(), param.tensor().dims());
            breaches.push(format!("`{key}` has shape {got:?}, which does not fit {want:?}"));
            continue;
        }
        import.notes.extend(note);
        converted.push(tensor);
    }
    if !breaches.is_empty() {
        return Err(Error::Weights { breaches });
    }
    for (param, tensor) in targets.iter().zip(&converted) {
        param.assign(tensor)?;
    }
    import.loaded = converted.len();
    Ok(import)
}

fn to_tensor(view: &TensorView<'_>) -> Result<Option<Tensor>> {
    let dtype = match view.dtype() {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        _ => return Ok(None),
    };
    Ok(Some(Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?))
}
