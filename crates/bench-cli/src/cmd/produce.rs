//! Training and embedding before scoring, where no tables are given.

#[cfg(feature = "train")]
pub(crate) use with_networks::{
    cache, defaults, device, dry, encoders, explain, losses, make, of_preset, policy, preset_text, presets, production,
};
#[cfg(not(feature = "train"))]
pub(crate) use without_networks::{defaults, dry, encoders, explain, losses, make, preset_text, presets, production};

#[cfg(feature = "train")]
mod with_networks {
    use std::io::Write;
    use std::path::PathBuf;

    pub(crate) use bench_run::produce::kinds::{defaults, encoders, losses};
    use bench_run::produce::{DeviceChoice, EMBEDDED, Policy, Preset, Production, cache_folder, produce, steps};
    use bench_run::settings::{Origins, Resolved};
    use bench_run::{Error, Layers, Progress, Request, plan};

    use crate::args::TrainArgs;
    use crate::exit;

    /// What is to be made for this request; nothing if the suite trains nothing and no preset is given.
    pub(crate) fn production(request: &Request, args: TrainArgs, layers: &Layers) -> Result<Option<Production>, Error> {
        let Some(id) = args.preset.clone().or(request.suite.data.preset.clone()) else { return Ok(None) };
        of_preset(&id, args, layers).map(Some)
    }

    /// What a preset makes with these options.
    pub(crate) fn of_preset(id: &str, args: TrainArgs, layers: &Layers) -> Result<Production, Error> {
        let (mut preset, ..) = Preset::load_with(id, layers)?;
        flags(&mut preset, &args)?;
        let policy = policy(args.skip_unreadable);
        let device = device(args.device.as_deref(), layers)?;
        Ok(Production { preset, data: args.data, device, cache: cache(args.cache, layers)?, policy })
    }

    /// Applies flags to a preset; returns the keys that they set.
    fn flags(preset: &mut Preset, args: &TrainArgs) -> Result<Vec<String>, Error> {
        let mut set = Vec::new();
        if !args.models.is_empty() {
            preset.keep(&args.models)?;
            set.push("preset.models".to_owned());
        }
        if let Some(count) = args.train_seeds {
            let first = preset.seeds[0];
            preset.seeds = (0..u64::from(count)).map(|i| first + i).collect();
            set.push("preset.seeds".to_owned());
        }
        Ok(set)
    }

    /// The folder of the cache: the flag's, the user's, or where it is by default.
    pub(crate) fn cache(flag: Option<PathBuf>, layers: &Layers) -> Result<PathBuf, Error> {
        match flag.or_else(|| layers.text("cache").map(|(path, _)| path.into())) {
            Some(folder) => Ok(folder),
            None => cache_folder(),
        }
    }

    /// The values of device, cache and preset that a run would have, and where they are from.
    pub(crate) fn explain(request: &Request, args: TrainArgs, layers: &Layers) -> Result<Vec<Resolved>, Error> {
        let given = layers.given();
        let mut set: Vec<String> = args.device.iter().map(|_| "device".to_owned()).collect();
        set.extend(args.cache.iter().map(|_| "cache".to_owned()));
        let own = Origins { flags: &set, given: &given, text: "suite" };
        let device = device(args.device.as_deref(), layers)?;
        let mut found = vec![
            own.one("device", device.to_string(), false),
            own.one("cache", cache(args.cache.clone(), layers)?.display().to_string(), false),
        ];
        let Some(id) = args.preset.clone().or(request.suite.data.preset.clone()) else { return Ok(found) };
        let (mut preset, text, given) = Preset::load_with(&id, layers)?;
        let set = flags(&mut preset, &args)?;
        let origins = Origins { flags: &set, given: &given, text: "preset" };
        let value = serde_json::to_value(&preset)
            .map_err(|error| Error::Usage { message: format!("preset `{id}` cannot be shown: {error}"), hint: None })?;
        found.extend(origins.of("preset", &value, &text));
        Ok(found)
    }

    /// Ids and titles of the presets.
    pub(crate) fn presets() -> Result<Vec<(String, String)>, Error> {
        EMBEDDED.iter().map(|(id, _)| Ok(((*id).to_owned(), Preset::load(id)?.title))).collect()
    }

    /// Text of a preset.
    pub(crate) fn preset_text(id: &str) -> Option<&'static str> {
        EMBEDDED.iter().find(|(known, _)| *known == id).map(|(_, text)| *text)
    }

    /// The device: the flag's, the user's, or the best there is.
    pub(crate) fn device(flag: Option<&str>, layers: &Layers) -> Result<DeviceChoice, Error> {
        let set = layers.text("device").map(|(device, _)| device);
        let text = flag.map(str::to_owned).or(set).unwrap_or_else(|| "auto".to_owned());
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
    use bench_run::settings::Resolved;
    use bench_run::{Error, Layers, Progress, Request};

    use crate::args::TrainArgs;

    /// A preset that this program cannot run.
    pub(crate) enum Production {}

    /// Refuses presets: this program was built without networks.
    pub(crate) fn production(request: &Request, args: TrainArgs, _: &Layers) -> Result<Option<Production>, Error> {
        match args.preset.as_ref().or(request.suite.data.preset.as_ref()) {
            None => Ok(None),
            Some(_) => Err(Error::Usage {
                message: "this program was built without training".into(),
                hint: Some("build it with the feature `train`, or give `--embeddings FILE`".into()),
            }),
        }
    }

    /// There is nothing to train, so nothing is set.
    pub(crate) fn explain(_: &Request, _: TrainArgs, _: &Layers) -> Result<Vec<Resolved>, Error> {
        Ok(vec![])
    }

    /// There are none.
    pub(crate) fn losses() -> Vec<&'static bench_core::Card> {
        vec![]
    }

    /// There are none.
    pub(crate) fn encoders() -> Vec<&'static bench_core::Card> {
        vec![]
    }

    /// There are none.
    pub(crate) fn defaults(_: &str) -> Option<serde_json::Value> {
        None
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
