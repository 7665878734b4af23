//! Retrieval between two tables: embeddings of images, and embeddings of molecules.
//!
//! The tables may come from any model. Rows are matched by a compound column; the galleries are
//! those of [`bench_eval::retrieval`].

use std::path::{Path, PathBuf};

use bench_core::atomic;
use bench_core::record::RetrievalRow;
use bench_data::{ColumnRef, Columns, VectorOptions, Vectors, read_columns, read_vectors};
use bench_eval::retrieval::{self, Images, Molecules, Plan, RetrievalSummary, Settings, evaluate};

use crate::Error;

/// What is to be ranked.
#[derive(Clone, Debug)]
pub struct RetrieveRequest {
    /// Name of the model.
    pub name: String,
    /// Table of image embeddings, a row per image.
    pub images: PathBuf,
    /// Table of molecule embeddings, a row per compound.
    pub molecules: PathBuf,
    /// Compound column of both, if it has an unusual name.
    pub compound: Option<String>,
    /// Column that names an image; source, batch, plate, well and site together if absent.
    pub image_id: Option<String>,
    /// Table that lists the compounds that take part, and the roles (column `role`) that count.
    pub compounds: Option<(PathBuf, Vec<String>)>,
    /// The tasks.
    pub tasks: Vec<Settings>,
    /// Folder for `retrieval.csv` and the queries of every task.
    pub out: Option<PathBuf>,
}

/// Ranks and scores. The rows of a random ranking on the same galleries come last.
///
/// # Errors
/// A table or column cannot be used, images and molecules do not fit each other, a gallery cannot
/// be filled, the output cannot be written.
pub fn retrieve(request: &RetrieveRequest) -> Result<Vec<RetrievalRow>, Error> {
    let compound = match &request.compound {
        Some(name) => ColumnRef::Named(name.clone()),
        None => Columns::default().compound,
    };
    let options = |keys: Vec<(String, ColumnRef)>, optional: &[&str]| VectorOptions {
        keys,
        optional: optional.iter().map(|&name| name.to_owned()).collect(),
        ..VectorOptions::default()
    };
    let key = || vec![("compound".to_owned(), compound.clone())];
    let mut of_image = key();
    of_image.extend(request.image_id.iter().map(|name| ("image".to_owned(), ColumnRef::Named(name.clone()))));
    let images = read_vectors(&request.images, &options(of_image, &PLACE))?;
    let molecules = read_vectors(&request.molecules, &options(key(), &["Metadata_identity"]))?;
    let ids = image_ids(&images, request.image_id.is_some());
    let identities: Vec<String> = match &molecules.optional[0] {
        Some(column) => column.clone(),
        None => molecules.keys[0].iter().map(|key| identity(key)).collect(),
    };
    let listed =
        request.compounds.as_ref().map(|(path, roles)| listed(path, roles, &molecules.columns[0])).transpose()?;
    let image_side = Images { compounds: &images.keys[0], ids: &ids, matrix: &images.matrix };
    let molecule_side =
        Molecules { keys: &molecules.keys[0], identities: Some(&identities), matrix: &molecules.matrix };
    let (mut rows, mut chance) = (vec![], vec![]);
    for settings in &request.tasks {
        let plan = Plan::new(&molecule_side, &image_side, listed.as_deref(), settings)?;
        let result = evaluate(&request.name, &plan, &molecule_side, &image_side, settings)?;
        rows.extend(result.summaries.iter().map(row));
        chance
            .extend(result.baseline.iter().map(row).map(|row| RetrievalRow { model: retrieval::RANDOM.into(), ..row }));
        if let Some(out) = &request.out {
            put(&out.join(queries_name(settings)), &result.queries_csv(&plan))?;
        }
    }
    rows.extend(chance);
    if let Some(out) = &request.out {
        put(&out.join("retrieval.csv"), &csv(&rows))?;
    }
    Ok(rows)
}

/// Columns that together name an image.
const PLACE: [&str; 6] =
    ["Metadata_Image", "Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well", "Metadata_Site"];

/// Ids from the column that was named, from the columns of the field's place, or row numbers.
fn image_ids(images: &Vectors, named: bool) -> Vec<String> {
    if named {
        return images.keys[1].clone();
    }
    let known: Vec<&Vec<String>> = match &images.optional[0] {
        Some(image) => vec![image],
        None => images.optional[1..].iter().flatten().collect(),
    };
    // A table without wells, or with fields of view that it does not number, has only its rows.
    let ids: Vec<String> = (0..images.matrix.rows())
        .map(|row| known.iter().map(|column| column[row].as_str()).collect::<Vec<_>>().join("__"))
        .collect();
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    if distinct.len() == ids.len() {
        return ids;
    }
    images.file_rows.iter().map(|row| format!("row {row}")).collect()
}

/// Stereoisomers and salts share the first block of an InChIKey; any other name stands for itself.
fn identity(key: &str) -> String {
    let blocks: Vec<&str> = key.split('-').collect();
    let lengths: Vec<usize> = blocks.iter().map(|block| block.len()).collect();
    if lengths == [14, 10, 1] { blocks[0].to_owned() } else { key.to_owned() }
}

/// Compounds of a list, in its order.
fn listed(path: &Path, roles: &[String], column: &str) -> Result<Vec<String>, Error> {
    let compounds = read_columns(path, &[column])?.remove(0);
    if roles.is_empty() {
        return Ok(compounds);
    }
    let of = read_columns(path, &["role"])?.remove(0);
    let kept: Vec<String> =
        compounds.into_iter().zip(&of).filter(|(_, role)| roles.contains(role)).map(|(key, _)| key).collect();
    if kept.is_empty() {
        let mut known = of;
        known.sort();
        known.dedup();
        return Err(Error::Nothing {
            message: format!("`{}` lists no compound of role {}", path.display(), roles.join(", ")),
            hint: format!("its roles are {}", known.join(", ")),
        });
    }
    Ok(kept)
}

/// Name of the file with every query of a task.
pub fn queries_name(settings: &Settings) -> String {
    format!("queries-{}-{}.csv", settings.protocol.id(), settings.gallery)
}

/// A summary as it stands in the record.
pub fn row(summary: &RetrievalSummary) -> RetrievalRow {
    RetrievalRow {
        model: summary.model.clone(),
        protocol: summary.protocol.id().to_owned(),
        direction: summary.direction.id().to_owned(),
        gallery: summary.gallery as u64,
        metric: summary.metric.clone(),
        value: summary.value,
        chance: summary.chance,
        corrected: summary.corrected,
        sd_galleries: summary.sd_galleries,
        sd_draws: summary.sd_draws,
        interval: summary.bca.or(summary.percentile),
        compounds: summary.compounds as u64,
        galleries: summary.galleries as u64,
        draws: summary.draws as u64,
        reason: summary.reason.clone(),
    }
}

/// The rows as CSV.
pub fn csv(rows: &[RetrievalRow]) -> String {
    let mut text =
        "model,protocol,direction,gallery,metric,value,low,high,chance,corrected,sd_galleries,sd_draws,compounds,\
         galleries,draws,reason\n"
            .to_owned();
    let cell = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for row in rows {
        let (low, high) = (cell(row.interval.map(|i| i.low)), cell(row.interval.map(|i| i.high)));
        text.push_str(&format!(
            "{},{},{},{},{},{},{low},{high},{},{},{},{},{},{},{},{}\n",
            quoted(&row.model),
            row.protocol,
            row.direction,
            row.gallery,
            row.metric,
            cell(row.value),
            cell(row.chance),
            cell(row.corrected),
            cell(row.sd_galleries),
            cell(row.sd_draws),
            row.compounds,
            row.galleries,
            row.draws,
            quoted(row.reason.as_deref().unwrap_or_default()),
        ));
    }
    text
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn put(path: &Path, text: &str) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    }
    atomic::write(path, text.as_bytes()).map_err(|source| Error::Write { path: path.to_owned(), source })
}
