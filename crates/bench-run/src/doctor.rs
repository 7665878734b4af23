//! What this machine and this program are like, for people with a question and for bug reports.
//!
//! # What
//! A list of [`Check`]s: what was looked at, what was found, and one hint where it is not as it should be. Nothing is
//! changed; folders that would be written to are looked at, not made.
//!
//! # What it cannot show
//! Whether a run will succeed: memory and disk are those of this moment.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::layers::Layers;
use crate::manifest;
use crate::suite::{Suite, embedded};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Works, but worth knowing.
    Warn,
    /// Will not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it is.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Check { name, status: Status::Ok, found: found.into(), hint: None }
    }

    fn warn(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Check { name, status: Status::Warn, found: found.into(), hint: Some(hint.into()) }
    }

    fn fail(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Check { name, status: Status::Fail, found: found.into(), hint: Some(hint.into()) }
    }
}

/// What is to be looked at.
#[derive(Clone, Debug)]
pub struct Patient<'a> {
    /// Version, commit and lock file of this program, in words.
    pub program: String,
    /// A user's settings, or what is wrong with them.
    pub layers: Result<&'a Layers, String>,
    /// Folder that runs are written to.
    pub out: &'a Path,
    /// Variables of the environment.
    pub environment: &'a dyn Environment,
}

/// Variables of the environment.
pub trait Environment: std::fmt::Debug {
    /// The value of a variable, if it is set to something.
    fn get(&self, name: &str) -> Option<String>;
}

/// Memory below which larger suites do not fit, in bytes.
const LITTLE_MEMORY: u64 = 2 << 30;
/// Free space below which a run may not fit, in bytes.
const LITTLE_SPACE: u64 = 2 << 30;

/// Looks at everything.
pub fn examine(patient: &Patient<'_>) -> Vec<Check> {
    let environment = patient.environment;
    let mut checks = vec![
        Check::ok("program", patient.program.clone()),
        Check::ok("features", features()),
        Check::ok("platform", platform()),
    ];
    checks.extend(devices());
    checks.push(threads());
    checks.push(memory());
    checks.push(space("disk, results", patient.out));
    checks.extend(cache(patient));
    checks.push(shipped());
    checks.push(match &patient.layers {
        Ok(layers) => match layers.file() {
            Some(file) => {
                Check::ok("settings", format!("{} keys, from {} and variables", layers.given().len(), file.display()))
            }
            None => Check::ok("settings", format!("no bench.toml here, {} variables", layers.given().len())),
        },
        Err(why) => Check::fail("settings", why.clone(), "mend the file or unset the variable"),
    });
    checks.push(locale(environment));
    checks.push(proxy(environment));
    checks
}

fn features() -> String {
    let on = [("train", cfg!(feature = "train")), ("cuda", cfg!(feature = "cuda"))];
    let on: Vec<&str> = on.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    if on.is_empty() { format!("none, {build}") } else { format!("{}, {build}", on.join(", ")) }
}

fn platform() -> String {
    let base = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let vectors = vectors();
    if vectors.is_empty() { base } else { format!("{base}, {vectors}") }
}

/// Widest vector instructions that the programs's kernels choose among.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "AVX-512";
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            return "AVX2 and FMA";
        }
        "SSE2 only"
    }
    #[cfg(not(target_arch = "x86_64"))]
    ""
}

#[cfg(feature = "train")]
fn devices() -> Vec<Check> {
    let driver = driver();
    let built = cfg!(feature = "cuda");
    let device = match crate::produce::DeviceChoice::Auto.select() {
        Ok(selected) => {
            let name = format!("{:?}", selected.device.location()).to_lowercase();
            match selected.notice {
                Some(notice) if driver.is_some() => Check::warn("device", name, notice),
                Some(_) => Check::ok("device", name),
                None => Check::ok("device", name),
            }
        }
        Err(error) => Check::fail("device", error.to_string(), "choose another with `--device cpu`"),
    };
    let card = match (driver, built) {
        (Some(found), true) => Check::ok("driver", found),
        (Some(found), false) => Check::warn(
            "driver",
            found,
            "this program was built without the feature `cuda` and trains on the processor",
        ),
        (None, true) => Check::warn("driver", "nvidia-smi found none", "training runs on the processor"),
        (None, false) => Check::ok("driver", "no NVIDIA driver, and none is needed"),
    };
    vec![device, card]
}

#[cfg(not(feature = "train"))]
fn devices() -> Vec<Check> {
    vec![Check::ok("device", "cpu; this program scores and does not train")]
}

/// Name, memory and driver of each NVIDIA device, as its own tool says.
#[cfg(feature = "train")]
fn driver() -> Option<String> {
    let asked = std::process::Command::new("nvidia-smi")
        .args(["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&asked.stdout);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    (asked.status.success() && !lines.is_empty()).then(|| lines.join("; "))
}

fn threads() -> Check {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let workers = rayon::current_num_threads();
    let found = format!("{workers} workers on {cores} cores");
    if cores > 0 && workers > cores {
        return Check::warn("threads", found, format!("more workers than cores are slower; `--threads {cores}`"));
    }
    Check::ok("threads", found)
}

fn memory() -> Check {
    let Some((total, free)) = memory_of_machine() else {
        return Check::warn(
            "memory",
            "not known on this system",
            "scoring needs three times the embedding tables and 300 MB",
        );
    };
    let found = format!("{} free of {}", bytes(free), bytes(total));
    if free < LITTLE_MEMORY {
        return Check::warn("memory", found, "scoring needs three times the embedding tables and 300 MB");
    }
    Check::ok("memory", found)
}

/// Bytes in all and bytes available, the limit of a container taken into account.
fn memory_of_machine() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    let (mut total, mut free) = (field("MemTotal")?, field("MemAvailable")?);
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    if let Some(limit) = number("/sys/fs/cgroup/memory.max").filter(|limit| *limit < total) {
        total = limit;
        free = free.min(limit.saturating_sub(number("/sys/fs/cgroup/memory.current").unwrap_or(0)));
    }
    Some((total, free))
}

/// Free space where a folder is or would be made, and whether it can be written to.
fn space(name: &'static str, folder: &Path) -> Check {
    let Some(there) = existing(folder) else {
        return Check::fail(name, format!("{} cannot be reached", folder.display()), "name another folder");
    };
    let shown = folder.display();
    if !writable(&there) {
        return Check::fail(name, format!("{shown} cannot be written to"), "name another folder, or change its rights");
    }
    match free_space(&there) {
        None => Check::warn(name, format!("{shown}, free space not known on this system"), "a run writes some 100 MB"),
        Some(free) if free < LITTLE_SPACE => Check::warn(
            name,
            format!("{shown}, {} free", bytes(free)),
            "a run writes some 100 MB, its plates and checkpoints up to gigabytes; name another folder",
        ),
        Some(free) => Check::ok(name, format!("{shown}, {} free", bytes(free))),
    }
}

/// The folder, or the closest one above it that exists.
fn existing(folder: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(folder).ok()?;
    whole.ancestors().find(|path| path.is_dir()).map(Path::to_owned)
}

#[cfg(unix)]
fn writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn writable(folder: &Path) -> bool {
    std::fs::metadata(folder).is_ok_and(|meta| !meta.permissions().readonly())
}

#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Option<u64> {
    None
}

#[cfg(feature = "train")]
fn cache(patient: &Patient<'_>) -> Vec<Check> {
    let set = patient.layers.as_ref().ok().and_then(|layers| layers.text("cache")).map(|(path, _)| PathBuf::from(path));
    let folder = match set.map_or_else(crate::produce::cache_folder, Ok) {
        Ok(folder) => folder,
        Err(error) => return vec![Check::fail("cache", error.to_string(), "give `--cache DIR`, or set `BENCH_CACHE`")],
    };
    let size = match crate::produce::cache::entries(&folder) {
        Ok(entries) => {
            let total: u64 = entries.iter().map(|entry| entry.bytes).sum();
            Check::ok("cache", format!("{} entries, {}", entries.len(), bytes(total)))
        }
        Err(error) => Check::fail("cache", error.to_string(), "name another folder with `--cache DIR`"),
    };
    vec![space("disk, cache", &folder), size]
}

#[cfg(not(feature = "train"))]
fn cache(_: &Patient<'_>) -> Vec<Check> {
    vec![]
}

/// What is embedded in the program.
fn shipped() -> Check {
    let broken = embedded::ids().find_map(|id| Suite::load(id).err().map(|error| error.to_string()));
    #[cfg(feature = "train")]
    let broken = broken.or_else(|| {
        use crate::produce::{EMBEDDED, Preset};
        EMBEDDED.iter().find_map(|(id, _)| Preset::load(id).err().map(|error| error.to_string()))
    });
    match broken {
        Some(why) => Check::fail("shipped", why, "this program is damaged; install it again"),
        None => {
            let (suites, manifests) = (embedded::ids().count(), manifest::embedded().len());
            Check::ok("shipped", format!("{suites} suites, {} presets, {manifests} manifests", presets()))
        }
    }
}

#[cfg(feature = "train")]
fn presets() -> usize {
    crate::produce::EMBEDDED.len()
}

#[cfg(not(feature = "train"))]
fn presets() -> usize {
    0
}

fn locale(environment: &dyn Environment) -> Check {
    let Some(name) = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| environment.get(name)) else {
        return Check::warn("locale", "not set", "progress and tables are UTF-8; set LANG=C.UTF-8 if they look broken");
    };
    let plain = name.to_lowercase().replace('-', "");
    if plain.contains("utf8") || cfg!(windows) {
        return Check::ok("locale", name);
    }
    Check::warn("locale", name, "progress and tables are UTF-8; set LANG=C.UTF-8 if they look broken")
}

fn proxy(environment: &dyn Environment) -> Check {
    // Addresses of proxies may hold passwords.
    let set: Vec<&str> = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"]
        .into_iter()
        .filter(|name| environment.get(name).is_some())
        .collect();
    Check::ok("proxy", if set.is_empty() { "none".to_owned() } else { format!("{} set", set.join(", ")) })
}

/// A number of bytes as people read it.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 9.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed(&'static [(&'static str, &'static str)]);

    impl Environment for Fixed {
        fn get(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_a_hint_and_what_is_right_without() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let environment = Fixed(&[("LANG", "de_DE.ISO-8859-1"), ("HTTPS_PROXY", "http://user:secret@host")]);
        let layers = Layers::default();
        let out = folder.path().join("not/yet/there");
        let mut patient =
            Patient { program: "bench".into(), layers: Ok(&layers), out: &out, environment: &environment };
        let checks = examine(&patient);
        let of = |checks: &[Check], name: &str| checks.iter().find(|c| c.name == name).cloned().expect("a check");
        assert_eq!(of(&checks, "disk, results").status, Status::Ok);
        assert!(!out.exists(), "nothing is made");
        assert_eq!(of(&checks, "locale").status, Status::Warn);
        assert_eq!(of(&checks, "proxy").found, "HTTPS_PROXY set");
        for check in &checks {
            assert_eq!(check.hint.is_some(), check.status != Status::Ok, "{check:?}");
        }
        patient.layers = Err("bench.toml:1: unknown key".into());
        assert_eq!(of(&examine(&patient), "settings").status, Status::Fail);
    }

    #[test]
    fn bytes_have_three_digits_at_most() {
        let shown = [0, 999, 1500, 99_400, 999_600, 2_340_000_000].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.5 kB", "99 kB", "1.0 MB", "2.3 GB"]);
    }
}
