//! Embeddings of molecules and images, as a model gives them.
//!
//! Rows may come in any order: keys and ids say what a row is, so the order of a file cannot change
//! a score.

use std::collections::BTreeMap;

use bench_core::Matrix;

use super::Plan;
use crate::Error;

/// One embedding per compound.
///
/// # Shapes
/// `matrix` `[compounds, dims]`; `keys` and `identities` one per row.
#[derive(Clone, Copy, Debug)]
pub struct Molecules<'a> {
    /// Key of each compound, unique.
    pub keys: &'a [String],
    /// What the compound is (InChIKey), where keys are something else; two keys may share it.
    pub identities: Option<&'a [String]>,
    /// Embeddings.
    pub matrix: &'a Matrix,
}

/// Any number of embeddings per compound.
///
/// # Shapes
/// `matrix` `[images, dims]`; `compounds` and `ids` one per row.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// Key of the compound that each image shows.
    pub compounds: &'a [String],
    /// Id of each image, unique within its compound.
    pub ids: &'a [String],
    /// Embeddings.
    pub matrix: &'a Matrix,
}

/// Rows of the compounds and images of a [`Plan`] in one model's matrices.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) molecule_row: Vec<u32>,
    pub(super) image_row: Vec<u32>,
}

impl Molecules<'_> {
    /// Row of each key.
    pub(super) fn rows(&self) -> Result<BTreeMap<&str, u32>, Error> {
        let (keys, rows) = (self.keys.len(), self.matrix.rows());
        if keys != rows || self.identities.is_some_and(|identities| identities.len() != rows) {
            return Err(refuse(format!("molecule embeddings have {rows} rows but {keys} keys")));
        }
        let mut row_of = BTreeMap::new();
        for (row, key) in self.keys.iter().enumerate() {
            if let Some(first) = row_of.insert(key.as_str(), row as u32) {
                return Err(refuse(format!("compound `{key}` has two molecule embeddings, rows {first} and {row}")));
            }
        }
        Ok(row_of)
    }
}

impl Images<'_> {
    /// Row of each image, by compound and id.
    pub(super) fn rows(&self) -> Result<BTreeMap<(&str, &str), u32>, Error> {
        let (keys, ids, rows) = (self.compounds.len(), self.ids.len(), self.matrix.rows());
        if keys != rows || ids != rows {
            return Err(refuse(format!("image embeddings have {rows} rows but {keys} compounds and {ids} ids")));
        }
        let mut row_of = BTreeMap::new();
        for (row, (key, id)) in self.compounds.iter().zip(self.ids).enumerate() {
            if let Some(first) = row_of.insert((key.as_str(), id.as_str()), row as u32) {
                return Err(refuse(format!("image `{id}` of compound `{key}` is given twice, rows {first} and {row}")));
            }
        }
        Ok(row_of)
    }
}

/// Finds the rows of a plan in a model's embeddings.
///
/// # Errors
/// A row is missing, is not finite, or the two sides have different numbers of dimensions.
pub(super) fn resolve(plan: &Plan, molecules: &Molecules<'_>, images: &Images<'_>) -> Result<Resolved, Error> {
    let (left, right) = (molecules.matrix.cols(), images.matrix.cols());
    if left != right || left == 0 {
        return Err(refuse(format!("molecule embeddings have {left} dimensions, image embeddings {right}")));
    }
    let (of_molecule, of_image) = (molecules.rows()?, images.rows()?);
    let mut resolved = Resolved { molecule_row: Vec::new(), image_row: Vec::new() };
    for key in &plan.compounds {
        let row = *of_molecule
            .get(key.as_str())
            .ok_or_else(|| refuse(format!("compound `{key}` of the galleries has no molecule embedding")))?;
        if !is_finite(molecules.matrix.row(row as usize)) {
            return Err(refuse(format!("the molecule embedding of compound `{key}` (row {row}) is not finite")));
        }
        resolved.molecule_row.push(row);
    }
    for image in &plan.images {
        let (key, id) = (&plan.compounds[image.compound as usize], &image.id);
        let row = *of_image
            .get(&(key.as_str(), id.as_str()))
            .ok_or_else(|| refuse(format!("image `{id}` of compound `{key}` has no embedding")))?;
        if !is_finite(images.matrix.row(row as usize)) {
            let what = format!("the embedding of image `{id}` of compound `{key}` (row {row}) is not finite");
            return Err(refuse(what));
        }
        resolved.image_row.push(row);
    }
    Ok(resolved)
}

fn is_finite(row: &[f32]) -> bool {
    row.iter().all(|value| value.is_finite())
}

pub(super) fn refuse(why: String) -> Error {
    Error::Retrieval { why }
}
