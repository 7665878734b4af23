//! Training and embedding before scoring, where no tables are given.

#[cfg(feature = "train")]
pub(crate) use with_networks::{dry, make, production};
#[cfg(not(feature = "train"))]
pub(crate) use without_networks::{dry, make, production};

#[cfg(feature = "train")]
mod with_networks {
    use std::io::Write;

    use bench_run::produce::{Preset, Production, cache_folder, produce, steps};
    use bench_run::{Error, Progress, Request, plan};

    use crate::args::TrainArgs;
    use crate::exit;

    /// What is to be made for this request; nothing if the suite trains nothing and no preset is given.
    pub(crate) fn production(request: &Request, args: TrainArgs) -> Result<Option<Production>, Error> {
        let Some(id) = args.preset.as_ref().or(request.suite.data.preset.as_ref()) else { return Ok(None) };
        let mut preset = Preset::load(id)?;
        if !args.models.is_empty() {
            preset.keep(&args.models)?;
        }
        if let Some(count) = args.train_seeds {
            let first = preset.seeds[0];
            preset.seeds = (0..u64::from(count)).map(|i| first + i).collect();
        }
        let device = args.device.parse().map_err(|error: bench_run::produce::DeviceError| Error::Usage {
            message: error.to_string(),
            hint: Some("devices are auto, cpu and cuda:N".into()),
        })?;
        let cache = match args.cache {
            Some(folder) => folder,
            None => cache_folder()?,
        };
        let policy =
            if args.skip_unreadable { bench_run::produce::Policy::Skip } else { bench_run::produce::Policy::Error };
        Ok(Some(Production { preset, data: args.data, device, cache, policy }))
    }

    /// Trains and embeds what is not in the cache yet, and puts the tables into the request.
    pub(crate) fn make(request: &mut Request, production: &Production, progress: &dyn Progress) -> Result<(), Error> {
        bench_run::produce::keep_freed_memory();
        let names = bench_run::produce::tables(&production.preset);
        let total = steps(production).len() + plan::steps(request, &names).len();
        let (embeddings, origin) = produce(production, total, progress)?;
        (request.embeddings, request.origin) = (embeddings, origin);
        request.check()
    }

    /// Prints the plan. The run's folder is not known before there are embeddings to name it.
    pub(crate) fn dry(request: &Request, production: &Production) -> Result<i32, Error> {
        let preset = &production.preset;
        let mut out = std::io::stdout().lock();
        let names = bench_run::produce::tables(preset);
        let made = steps(production);
        let scored = plan::steps(request, &names);
        let lines = made.into_iter().chain(scored.iter().map(|step| step.name()));
        // A closed pipe is the reader's choice.
        let _ = writeln!(out, "suite {} version {}, preset {}", request.suite.id, request.suite.version, preset.id);
        let _ = writeln!(out, "cache {}", production.cache.display());
        for (number, line) in lines.enumerate() {
            let _ = writeln!(out, "{:>4}  {line}", number + 1);
        }
        Ok(exit::DONE)
    }
}

#[cfg(not(feature = "train"))]
mod without_networks {
    use bench_run::{Error, Progress, Request};

    use crate::args::TrainArgs;

    /// A preset that this program cannot run.
    pub(crate) enum Production {}

    /// Refuses presets: this program was built without networks.
    pub(crate) fn production(request: &Request, args: TrainArgs) -> Result<Option<Production>, Error> {
        match args.preset.as_ref().or(request.suite.data.preset.as_ref()) {
            None => Ok(None),
            Some(_) => Err(Error::Usage {
                message: "this program was built without training".into(),
                hint: Some("build it with the feature `train`, or give `--embeddings FILE`".into()),
            }),
        }
    }

    pub(crate) fn make(_: &mut Request, production: &Production, _: &dyn Progress) -> Result<(), Error> {
        match *production {}
    }

    pub(crate) fn dry(_: &Request, production: &Production) -> Result<i32, Error> {
        match *production {}
    }
}
