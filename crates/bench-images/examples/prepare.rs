//! Prepares raw images by a recipe and prints the report as JSON.
//!
//! ```text
//! cargo run --release -p bench-images --example prepare -- INPUT OUT [recipe] [format] [threads] [resize] [illumination]
//! ```
//! INPUT is a folder in the layout of JUMP or a table of files; `recipe` is `jump` or `bray`,
//! `format` is `packed` or `png`, `resize` the shorter side in pixels or `none`, `illumination` is
//! `none`, `table` or a path with `{source}`, `{batch}`, `{plate}` and `{channel}` in it.

use std::path::Path;

use bench_images::prepare::{Illumination, Output, PrepareOptions, Recipe, write};
use bench_images::{ImageStore, Policy, StoreOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, out, rest @ ..] = &arguments[..] else {
        return Err("usage: prepare INPUT OUT [recipe] [format] [threads] [resize] [illumination]".into());
    };
    let word = |i: usize, default: &'static str| rest.get(i).map_or(default, String::as_str);
    let mut recipe = Recipe::named(word(0, "jump")).ok_or("no such recipe")?;
    let output = match word(1, "packed") {
        "packed" => Output::Packed,
        "png" => Output::Png,
        _ => return Err("the format is `packed` or `png`".into()),
    };
    let threads: usize = word(2, "0").parse()?;
    recipe.resize = match word(3, "none") {
        "none" => None,
        side => Some(side.parse()?),
    };
    recipe.illumination = match word(4, "none") {
        "none" => None,
        "table" => Some(Illumination::Table),
        template => Some(Illumination::Template(template.to_owned())),
    };
    let options = PrepareOptions { output, policy: Policy::Skip, ..PrepareOptions::default() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let report = pool.install(|| {
        let store =
            ImageStore::open_with(Path::new(input), &StoreOptions { policy: options.policy, ..recipe.options() })?;
        write(&store, Path::new(out), &options, &|_, _| {})
    })?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
