//! `bench data list` and `bench data show`: public data sets, before a byte of them is here.

use std::collections::BTreeMap;

use bench_run::Error;
use bench_run::manifest::{Counts, Manifest, embedded};

use crate::args::{DataListArgs, DataShowArgs};
use crate::exit;

/// Prints one line per data set.
pub(crate) fn list(args: &DataListArgs) -> Result<i32, Error> {
    if args.json {
        let rows: Vec<serde_json::Value> = embedded()
            .iter()
            .map(|m| {
                serde_json::json!({
                    "id": m.id, "title": m.title, "accession": m.accession, "licence": m.licence,
                    "plates": m.plates().count(), "held_out": m.held_out, "fetch": fetchable(m),
                })
            })
            .collect();
        println!("{}", serde_json::Value::Array(rows));
        return Ok(exit::DONE);
    }
    println!("{:<18} {:>6}  {:<9} {:<6} title", "id", "plates", "held out", "fetch");
    for manifest in embedded() {
        let plates = match manifest.plates().count() {
            0 => "-".to_owned(),
            n => n.to_string(),
        };
        let word = |yes: bool| if yes { "yes" } else { "no" };
        let (held, fetch) = (word(manifest.held_out), word(fetchable(manifest)));
        println!("{:<18} {plates:>6}  {held:<9} {fetch:<6} {}", manifest.id, manifest.title);
    }
    Ok(exit::DONE)
}

/// Prints what is known of one data set.
pub(crate) fn show(args: &DataShowArgs) -> Result<i32, Error> {
    let manifest = Manifest::load(&args.id)?;
    if args.json {
        let mut value = serde_json::json!(manifest);
        value["plates"] = manifest
            .plates()
            .map(|p| serde_json::json!({"source": p.source, "batch": p.batch, "plate": p.barcode, "type": p.kind}))
            .collect();
        println!("{value}");
        return Ok(exit::DONE);
    }
    println!("{} ({})\n", manifest.title, manifest.id);
    let line = |name: &str, text: &str| println!("{name:<10} {text}");
    line("licence", &manifest.licence);
    line("cite", &manifest.citation);
    line("images", &manifest.images);
    if let Some(fetch) = &manifest.fetch {
        line("fetch", &format!("{}: {}", if fetch.possible { "yes" } else { "no" }, fetch.why));
    }
    line("training", if manifest.held_out { "never: the plates are held out" } else { "allowed" });
    let size: Vec<String> = manifest.size.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
    if !size.is_empty() {
        line("size", &size.join("; "));
    }
    plates(manifest);
    if !manifest.layout.is_empty() {
        println!("\nlayout");
        for (name, template) in &manifest.layout {
            println!("  {name:<26} {}", plain(template));
        }
    }
    if !manifest.bad_plates.is_empty() {
        println!("\nbad plates");
        for bad in &manifest.bad_plates {
            let mut names: Vec<&str> = bad.plate.iter().chain(&bad.plates).map(String::as_str).collect();
            names.extend(bad.platemap.as_deref());
            if names.is_empty() {
                names.extend(bad.batch.iter().chain(&bad.batches).map(String::as_str));
            }
            let source = bad.source.as_deref().map(|source| format!("{source} ")).unwrap_or_default();
            let action = format!("{:?}", bad.action).to_lowercase();
            println!("  {action:<7} {source}{}: {} ({})", names.join(", "), bad.reason, bad.reference);
        }
    }
    println!("\nwhat to know");
    for caveat in &manifest.caveats {
        println!("  {}: {}", caveat.about, caveat.text);
    }
    if !manifest.unverified.is_empty() {
        println!("\nnot confirmed by a second text\n  {}", manifest.unverified.join(", "));
    }
    println!("\ntables");
    for table in &manifest.tables {
        let commit = table.commit.as_deref().map(|commit| format!(" at {commit:.12}")).unwrap_or_default();
        println!("  {}: {}, {}{commit}", table.holds, table.repository, table.path);
    }
    Ok(exit::DONE)
}

fn fetchable(manifest: &Manifest) -> bool {
    manifest.fetch.as_ref().is_some_and(|fetch| fetch.possible)
}

fn plain(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Numbers of plates by type.
fn plates(manifest: &Manifest) {
    let mut kinds: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for plate in manifest.plates() {
        kinds.entry(&plate.kind).or_default().push(plate);
    }
    if !kinds.is_empty() {
        println!("\nplates");
    }
    for (kind, plates) in kinds {
        let counts = Counts::of(plates.iter().copied());
        let (n, sources, batches) = (counts.plates, counts.sources, counts.batches);
        println!("  {kind:<16} {n:>5} plates, {sources} sources, {batches} batches, {} wells", counts.wells);
    }
}
