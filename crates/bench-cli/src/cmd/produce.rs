//! Training and embedding before scoring, where no tables are given.

#[cfg(feature = "train")]
pub(crate) use with_networks::{device, dry, make, of_preset, policy, preset_text, presets, production};
#[cfg(not(feature = "train"))]
pub(crate) use without_networks::{dry, make, preset_text, presets, production};

#[cfg(feature = "train")]
mod with_networks {
    use std::io::Write;

    use bench_run::produce::{DeviceChoice, EMBEDDED, Policy, Preset, Production, cache_folder, produce, steps};
    use bench_run::{Error, Progress, Request, plan};

    use crate::args::TrainArgs;
    use crate::exit;

    /// What is to be made for this request; nothing if the suite trains nothing and no preset is given.
    pub(crate) fn production(request: &Request, args: TrainArgs) -> Result<Option<Production>, Error> {
        let Some(id) = args.preset.clone().or(request.suite.data.preset.clone()) else { return Ok(None) };
        of_preset(&id, args).map(Some)
    }

    /// What a preset makes with these options.
    pub(crate) fn of_preset(id: &str, args: TrainArgs) -> Result<Production, Error> {
        let mut preset = Preset::load(id)?;
        if !args.models.is_empty() {
            preset.keep(&args.models)?;
        }
        if let Some(count) = args.train_seeds {
            let first = preset.seeds[0];
            preset.seeds = (0..u64::from(count)).map(|i| first + i).collect();
        }
        let cache = match args.cache {
            Some(folder) => folder,
            None => cache_folder()?,
        };
        let policy = policy(args.skip_unreadable);
        Ok(Production { preset, data: args.data, device: device(&args.device)?, cache, policy })
    }

    /// Ids and titles of the presets.
    pub(crate) fn presets() -> Result<Vec<(String, String)>, Error> {
        EMBEDDED.iter().map(|(id, _)| Ok(((*id).to_owned(), Preset::load(id)?.title))).collect()
    }

    /// Text of a preset.
    pub(crate) fn preset_text(id: &str) -> Option<&'static str> {
        EMBEDDED.iter().find(|(known, _)| *known == id).map(|(_, text)| *text)
    }

    /// Reads the name of a device.
    pub(crate) fn device(text: &str) -> Result<DeviceChoice, Error> {
        text.parse().map_err(|error: bench_run::produce::DeviceError| Error::Usage {
            message: error.to_string(),
            hint: Some("devices are auto, cpu and cuda:N".into()),
        })
    }

    /// What becomes of images that cannot be read.
    pub(crate) fn policy(skip: bool) -> Policy {
        if skip { Policy::Skip } else { Policy::Error }
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

    /// There are none.
    pub(crate) fn presets() -> Result<Vec<(String, String)>, Error> {
        Ok(vec![])
    }

    /// There is none.
    pub(crate) fn preset_text(_: &str) -> Option<&'static str> {
        None
    }

    pub(crate) fn make(_: &mut Request, production: &Production, _: &dyn Progress) -> Result<(), Error> {
        match *production {}
    }

    pub(crate) fn dry(_: &Request, production: &Production) -> Result<i32, Error> {
        match *production {}
    }
}
