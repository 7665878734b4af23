//! The tables that a manifest names, as objects of the site that publishes them.

use bench_fetch::Object;

use crate::manifest::Manifest;

/// Tables of GitHub repositories: `{repository}/{commit}/{path}`, stored under their own names.
///
/// Tables that lie in the bucket or on another site are not among them.
pub(super) fn objects(manifest: &Manifest) -> Vec<Object> {
    let on_github = manifest.tables.iter().filter(|table| table.repository.split('/').count() == 2);
    on_github
        .map(|table| {
            let commit = table.commit.as_deref().unwrap_or("HEAD");
            let own = table.path.rsplit('/').next().unwrap_or(&table.path);
            let path = table.file.as_deref().unwrap_or(own);
            let key = format!("{}/{commit}/{}", table.repository, table.path);
            Object { sha256: table.sha256.clone(), ..Object::new(key).at(path) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_get_names_of_their_own_and_their_digests() {
        for id in crate::manifest::ids() {
            let objects = objects(Manifest::load(id).expect("embedded"));
            let mut names: Vec<&str> = objects.iter().map(|object| object.path.as_str()).collect();
            names.sort_unstable();
            let before = names.len();
            names.dedup();
            assert_eq!(names.len(), before, "{id}");
        }
        let objects = objects(Manifest::load("cpg0016-target2").expect("embedded"));
        let found = objects.iter().find(|object| object.path == "plate.csv.gz").expect("plates");
        assert!(found.key.starts_with("jump-cellpainting/datasets/016e865f") && found.sha256.is_some());
        let samples = objects.iter().filter(|object| object.path.starts_with("JUMP-Target-2_compound_metadata"));
        assert_eq!(samples.count(), 2, "both versions");
    }
}
