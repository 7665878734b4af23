//! Load-data tables of CellProfiler: which files hold the channels of each field of view.
//!
//! # What
//! A row per field: `Metadata_Well`, `Metadata_Site`, and per channel the address of its image, as
//! `URL_Orig{channel}` or as `PathName_Orig{channel}` and `FileName_Orig{channel}`.
//!
//! # Why
//! Names of image folders differ between laboratories (time stamps, blanks, prefixes, random names),
//! so keys are taken from here and never built.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Error;

/// One channel of one field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Channel {
    /// Well.
    pub(super) well: String,
    /// Site as the table names it.
    pub(super) site: String,
    /// Channel.
    pub(super) channel: String,
    /// Key of the image in the bucket.
    pub(super) key: String,
}

/// Reads the channels of all fields, in the order of the table.
pub(super) fn read(path: &Path, channels: &[&str], bucket: &str) -> Result<Vec<Channel>, Error> {
    let broken = |row: Option<usize>, why: String| Error::Metadata {
        path: path.to_owned(),
        row: row.map(|row| row + 2),
        why,
        hint: "a load-data table names a file per channel; fetch it again, or report it where it was published".into(),
    };
    let of = |prefix: &str| -> Vec<String> { channels.iter().map(|name| format!("{prefix}{name}")).collect() };
    let columns = |prefixes: &[&str]| -> Result<Vec<Vec<String>>, bench_data::Error> {
        let wanted: Vec<String> = ["Metadata_Well", "Metadata_Site"]
            .map(str::to_owned)
            .into_iter()
            .chain(prefixes.iter().flat_map(|prefix| of(prefix)))
            .collect();
        bench_data::read_columns(path, &wanted.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let n = channels.len();
    let (columns, split) = match columns(&["URL_Orig"]) {
        Ok(columns) => (columns, false),
        Err(_) => (columns(&["PathName_Orig", "FileName_Orig"])?, true),
    };
    let (wells, sites) = (&columns[0], &columns[1]);
    let mut out = Vec::with_capacity(wells.len() * n);
    for (row, (well, site)) in wells.iter().zip(sites).enumerate() {
        // Numbers of tables that other programs wrote may have a decimal point.
        let site = site.strip_suffix(".0").unwrap_or(site);
        for (at, channel) in channels.iter().enumerate() {
            let address = if split {
                format!("{}/{}", columns[2 + at][row].trim_end_matches('/'), columns[2 + n + at][row])
            } else {
                columns[2 + at][row].clone()
            };
            let key = key(&address, bucket)
                .ok_or_else(|| broken(Some(row), format!("`{address}` of channel {channel} is not in `{bucket}`")))?;
            let (well, site, channel) = (well.clone(), site.to_owned(), (*channel).to_owned());
            out.push(Channel { well, site, channel, key });
        }
    }
    if out.is_empty() {
        return Err(broken(None, "the table names no image".to_owned()));
    }
    Ok(out)
}

/// Keys of the illumination functions by channel; none if the table does not say where they are.
pub(super) fn illumination(path: &Path, channels: &[&str], bucket: &str) -> Result<BTreeMap<String, String>, Error> {
    let of = |prefix: &str| -> Vec<String> { channels.iter().map(|name| format!("{prefix}{name}")).collect() };
    let columns = |prefixes: &[&str]| {
        let wanted: Vec<String> = prefixes.iter().flat_map(|prefix| of(prefix)).collect();
        bench_data::read_columns(path, &wanted.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let (columns, split) = match (columns(&["URL_Illum"]), columns(&["PathName_Illum", "FileName_Illum"])) {
        (Ok(columns), _) => (columns, false),
        (Err(_), Ok(columns)) => (columns, true),
        (Err(_), Err(_)) => return Ok(BTreeMap::new()),
    };
    let mut keys = BTreeMap::new();
    for (at, channel) in channels.iter().enumerate() {
        for (row, last) in columns[columns.len() - channels.len() + at].iter().enumerate() {
            let address = match split {
                true => format!("{}/{last}", columns[at][row].trim_end_matches('/')),
                false => last.clone(),
            };
            let broken = |why: String| Error::Metadata {
                path: path.to_owned(),
                row: Some(row + 2),
                why,
                hint: "a plate has one illumination function per channel; leave `illumination` out of `--what`".into(),
            };
            let key = key(&address, bucket)
                .ok_or_else(|| broken(format!("`{address}` of Illum{channel} is not in `{bucket}`")))?;
            let known = keys.entry((*channel).to_owned()).or_insert_with(|| key.clone());
            if *known != key {
                return Err(broken(format!("Illum{channel} is `{key}`, and `{known}` in rows before")));
            }
        }
    }
    Ok(keys)
}

/// Key of an address in a bucket.
fn key(address: &str, bucket: &str) -> Option<String> {
    let heads = [
        format!("s3://{bucket}/"),
        format!("https://{bucket}.s3.amazonaws.com/"),
        format!("https://s3.amazonaws.com/{bucket}/"),
        // Where the machines that made the tables had mounted the bucket.
        "/home/ubuntu/bucket/".to_owned(),
    ];
    let key = heads.iter().find_map(|head| address.strip_prefix(head.as_str()))?;
    // Paths and names were joined with a slash too many in some tables.
    let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty()).collect();
    (!parts.is_empty() && !key.ends_with('/')).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_all_forms_become_keys() {
        let of = |address: &str| key(address, "gallery");
        assert_eq!(of("s3://gallery/a/b//c d.tif").as_deref(), Some("a/b/c d.tif"));
        assert_eq!(of("https://gallery.s3.amazonaws.com/a/c.tif").as_deref(), Some("a/c.tif"));
        assert_eq!(of("/home/ubuntu/bucket/a/c.tif").as_deref(), Some("a/c.tif"));
        assert_eq!(of("s3://other/a/c.tif"), None);
        assert_eq!(of("s3://gallery/a/"), None);
    }

    #[test]
    fn illumination_functions_are_one_per_channel() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = |text: &str| {
            let path = folder.path().join("t.csv");
            std::fs::write(&path, text).expect("written");
            illumination(&path, &["DNA"], "g")
        };
        let is = |key: &str| BTreeMap::from([("DNA".to_owned(), key.to_owned())]);
        assert_eq!(read("URL_IllumDNA\ns3://g/i/d.npy\ns3://g/i/d.npy\n").expect("read"), is("i/d.npy"));
        assert_eq!(read("PathName_IllumDNA,FileName_IllumDNA\ns3://g/i/,e.npy\n").expect("read"), is("i/e.npy"));
        assert!(read("FileName_IllumDNA\ne.npy\n").expect("no folder is named").is_empty());
        let error = read("URL_IllumDNA\ns3://g/i/d.npy\ns3://g/i/e.npy\n").expect_err("two functions").to_string();
        assert!(error.contains("row 3") && error.contains("i/d.npy"), "{error}");
    }

    #[test]
    fn both_forms_of_tables_are_read_and_others_are_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = |text: &str| {
            let path = folder.path().join("t.csv");
            std::fs::write(&path, text).expect("written");
            super::read(&path, &["DNA", "ER"], "g")
        };
        let new = read(
            "Metadata_Plate,Metadata_Well,Metadata_Site,URL_OrigDNA,URL_OrigER,URL_IllumDNA\n\
             p,A01,1,s3://g/a/1.tif,s3://g/a/2.tif,s3://g/i.npy\n",
        );
        let new = new.expect("read");
        assert_eq!(new.len(), 2);
        assert_eq!((new[1].key.as_str(), new[1].channel.as_str(), new[1].site.as_str()), ("a/2.tif", "ER", "1"));
        let old = read(
            "Metadata_Well,Metadata_Site,FileName_OrigDNA,PathName_OrigDNA,FileName_OrigER,PathName_OrigER\n\
             A01,1,1.tif,s3://g/a/,2.tif,s3://g/a\n",
        );
        assert_eq!(old.expect("read"), new);
        let error = read("Metadata_Well,Metadata_Site,URL_OrigDNA\nA01,1,s3://g/a.tif\n").expect_err("a channel lacks");
        assert!(error.to_string().contains("PathName_OrigDNA"), "{error}");
        let error = read("Metadata_Well,Metadata_Site,URL_OrigDNA,URL_OrigER\nA01,1,s3://g/a.tif,b.tif\n");
        assert!(error.expect_err("elsewhere").to_string().contains("row 2: `b.tif` of channel ER"));
    }
}
