//! Graphs and fingerprints on the device, in the form that the encoders read.

use bench_chem::{ATOM_SIZES, BOND_SIZES, Fingerprint, GraphBatch};
use bench_nn::ops::{Codes, RowIndex, Segments};
use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

/// Which feature columns an encoder reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// All nine atom and three bond columns of OGB.
    Full,
    /// Atomic number and chirality, bond type and stereo, and a bond type for self-loops.
    Short,
}

impl Vocabulary {
    /// Rows of the atom tables, in order.
    pub fn atom_sizes(self) -> Vec<usize> {
        match self {
            Vocabulary::Full => ATOM_SIZES.to_vec(),
            Vocabulary::Short => ATOM_SIZES[..2].to_vec(),
        }
    }

    /// Rows of the bond tables, in order.
    pub fn bond_sizes(self) -> Vec<usize> {
        match self {
            Vocabulary::Full => BOND_SIZES.to_vec(),
            Vocabulary::Short => vec![BOND_SIZES[0] + 1, BOND_SIZES[1]],
        }
    }
}

/// A batch of graphs on the device.
#[derive(Clone, Debug)]
pub struct GraphInputs {
    vocabulary: Vocabulary,
    /// Rows of the stacked atom tables, per atom.
    pub(super) atoms: Codes,
    /// Rows of the stacked bond tables, per edge.
    pub(super) bonds: Codes,
    /// The self-loop's rows of the stacked bond tables, per atom ([`Vocabulary::Short`] only).
    pub(super) loops: Option<Codes>,
    /// Source atom of each edge.
    pub(super) sources: RowIndex,
    /// Target atom of each edge.
    pub(super) targets: RowIndex,
    /// Edges into each atom.
    pub(super) incoming: Segments,
    /// Atoms of each molecule.
    pub(super) members: Segments,
    /// log(D + 1) per atom, with D its in-degree. `(atoms)`
    pub(super) amplification: Tensor,
    /// 1 / log(D + 1) per atom; 0 where D = 0, whose aggregates are 0. `(atoms)`
    pub(super) attenuation: Tensor,
}

impl GraphInputs {
    /// Copies `batch` to `device`. `dtype` is that of the molecule encoder's parameters.
    ///
    /// # Errors
    /// No molecules, a molecule without atoms, or codes outside the vocabulary.
    pub fn new(batch: &GraphBatch, vocabulary: Vocabulary, dtype: DType, device: &Device) -> Result<GraphInputs> {
        if batch.is_empty() || batch.atom_offsets.windows(2).any(|ends| ends[0] == ends[1]) {
            return Err(Error::batch("graphs", "molecules of at least one atom", batch.atom_offsets.len() - 1));
        }
        let (atom_sizes, bond_sizes) = (vocabulary.atom_sizes(), vocabulary.bond_sizes());
        let count = batch.atoms.len();
        let loops = match vocabulary {
            Vocabulary::Full => None,
            Vocabulary::Short => {
                let own = [BOND_SIZES[0] as u32, bond_sizes[0] as u32];
                Some(Codes::new(own.repeat(count), 2, bond_sizes.iter().sum(), device)?)
            }
        };
        let logarithms: Vec<f64> =
            batch.edge_offsets.windows(2).map(|ends| f64::from(ends[1] - ends[0]).ln_1p()).collect();
        let inverse = logarithms.iter().map(|&l| if l > 0.0 { 1.0 / l } else { 0.0 }).collect();
        let per_atom = |values: Vec<f64>| -> Result<Tensor> {
            Ok(Tensor::from_vec(values, count, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)
        };
        Ok(GraphInputs {
            vocabulary,
            atoms: codes(&batch.atoms, &atom_sizes, device)?,
            bonds: codes(&batch.bonds, &bond_sizes, device)?,
            loops,
            sources: RowIndex::new(batch.sources.clone(), count, device)?,
            targets: RowIndex::new(batch.targets.clone(), count, device)?,
            incoming: Segments::new(batch.edge_offsets.clone(), device)?,
            members: Segments::new(batch.atom_offsets.clone(), device)?,
            attenuation: per_atom(inverse)?,
            amplification: per_atom(logarithms)?,
        })
    }

    /// Which columns it holds.
    pub fn vocabulary(&self) -> Vocabulary {
        self.vocabulary
    }

    /// How many molecules.
    pub fn molecules(&self) -> usize {
        self.members.count()
    }

    /// How many directed edges.
    pub(super) fn edges(&self) -> usize {
        self.incoming.rows()
    }
}

/// The first columns of `rows`, as row numbers of tables of `sizes` rows that are stacked.
fn codes<const K: usize>(rows: &[[u8; K]], sizes: &[usize], device: &Device) -> Result<Codes> {
    let mut numbers = Vec::with_capacity(rows.len() * sizes.len());
    for row in rows {
        let mut first = 0;
        for (column, &size) in sizes.iter().enumerate() {
            let code = usize::from(row[column]);
            if code >= size {
                return Err(Error::batch("graphs", format!("codes below {size} in column {column}"), code));
            }
            numbers.push((first + code) as u32);
            first += size;
        }
    }
    Ok(Codes::new(numbers, sizes.len(), sizes.iter().sum(), device)?)
}

/// Fingerprints as rows of zeros and ones. Each molecule's parts stand side by side.
/// `(n, sum of sizes)`
///
/// # Errors
/// No molecules, or molecules of different sizes.
pub fn fingerprint_rows(molecules: &[Vec<&Fingerprint>], dtype: DType, device: &Device) -> Result<Tensor> {
    let size = |parts: &Vec<&Fingerprint>| parts.iter().map(|part| part.size()).sum::<usize>();
    let bits = molecules.first().map_or(0, size);
    let mut rows = vec![0f32; molecules.len() * bits];
    for (at, parts) in molecules.iter().enumerate() {
        if size(parts) != bits || bits == 0 {
            return Err(Error::batch("fingerprints", format!("{bits} bits of each molecule"), size(parts)));
        }
        let mut row = &mut rows[at * bits..(at + 1) * bits];
        for part in parts {
            let (own, rest) = row.split_at_mut(part.size());
            part.write_bits(own);
            row = rest;
        }
    }
    if molecules.is_empty() {
        return Err(Error::batch("fingerprints", "at least one molecule", 0));
    }
    Ok(Tensor::from_vec(rows, (molecules.len(), bits), &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)
}
