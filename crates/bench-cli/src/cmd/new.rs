//! `bench new`: the first lines of a new metric, split, control, correction, loss, suite or preset.

use bench_core::suggest::closest;
use bench_run::Error;
use bench_run::scaffold::{KINDS, start};

use crate::args::NewArgs;
use crate::exit;

/// Writes the file, and prints or writes what registers it.
pub(crate) fn run(args: &NewArgs) -> Result<i32, Error> {
    let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == args.kind) else {
        let names = || KINDS.iter().map(|(name, _)| *name);
        let meant = closest(&args.kind, names()).map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
        return Err(Error::Usage {
            message: format!("nothing of the kind `{}` can be started", args.kind),
            hint: Some(format!("{meant}kinds are {}", names().collect::<Vec<_>>().join(", "))),
        });
    };
    let started = start(*kind, &args.id, &args.dir, args.register)?;
    println!("{}", started.file.display());
    let mut file = None;
    for (path, place, line) in &started.lines {
        if file != Some(path) {
            println!("\n{} in {}:", if started.registered { "added" } else { "add" }, path.display());
            file = Some(path);
        }
        println!("  {place}\n{line}");
    }
    println!("\nnext: {}", started.next);
    Ok(exit::DONE)
}
