//! Named chains: what the peers do, under their names.

/// A named chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Name.
    pub name: &'static str,
    /// The chain.
    pub chain: &'static str,
    /// What it reproduces, and how far.
    pub what: &'static str,
}

/// All presets, in order of report.
pub static PRESETS: [Preset; 16] = [
    Preset {
        name: "arevalo2024",
        chain: "variant(by=plate) > mad(by=plate, constant=1) > int > select(operations=frequency+correlation)",
        what: "preprocessing of Arevalo et al. 2024 (mad_int_featselect), the input of all their corrections",
    },
    Preset {
        name: "arevalo2024-combat",
        chain: "arevalo2024 > combat(by=batch)",
        what: "ComBat as in Arevalo et al. 2024, scenario 1; by=source for scenarios 2 to 5",
    },
    Preset {
        name: "arevalo2024-sphering",
        chain: "arevalo2024 > sphere(method=zca-cor)",
        what: "sphering as in Arevalo et al. 2024, at a fixed epsilon: theirs was chosen by the score that it is judged by",
    },
    Preset {
        name: "arevalo2024-harmony",
        chain: "arevalo2024 > harmony(by=batch, dialect=0.0, clusters=300, iterations=20)",
        what: "Harmony as in Arevalo et al. 2024, scenario 1: harmonypy 0.0.9 on features, 300 clusters",
    },
    Preset {
        name: "arevalo2024-mnn",
        chain: "arevalo2024 > mnn(by=batch, dialect=mnnpy)",
        what: "mnnpy as in Arevalo et al. 2024, batches in order of names",
    },
    Preset {
        name: "arevalo2024-fastmnn",
        chain: "arevalo2024 > fast-mnn(by=batch)",
        what: "batchelor's fastMNN as in Arevalo et al. 2024, batches in order of names",
    },
    Preset {
        name: "arevalo2024-scanorama",
        chain: "arevalo2024 > scanorama(by=batch)",
        what: "Scanorama as in Arevalo et al. 2024, with exact instead of approximate neighbours",
    },
    Preset {
        name: "jump-models",
        chain: "zca-corr(by=plate, on=controls)",
        what: "what gwatkinson/jump_models means to do: ZCA_corr of every plate on its controls",
    },
    Preset {
        name: "jump-models-as-run",
        chain: "zca-corr(by=plate, on=controls, defect=last-group-only)",
        what: "what gwatkinson/jump_models does: only the last plate stays corrected",
    },
    Preset {
        name: "pycytominer",
        chain: "mad(by=plate, on=all, epsilon=1e-18) > select(operations=variance+correlation+na+outliers) \
                > sphere(method=zca-cor, on=controls)",
        what: "mad_robustize per plate on all wells, feature selection and sphering at pycytominer's defaults",
    },
    Preset { name: "tvn-efaar", chain: "tvn(by=batch, ridge=0.5)", what: "TVN as in EFAAR_benchmarking" },
    Preset {
        name: "pca-cs-efaar",
        chain: "pca-cs(by=batch, components=128)",
        what: "PCA and centre-scale as in EFAAR_benchmarking",
    },
    Preset { name: "scanpy-combat", chain: "combat(by=batch, on=all)", what: "scanpy.pp.combat with default settings" },
    Preset {
        name: "harmonypy",
        chain: "harmony(by=batch, dialect=2)",
        what: "harmonypy 2.x with default settings, on the features as they are",
    },
    Preset {
        name: "per-plate",
        chain: "standardise(by=plate, on=controls)",
        what: "the z-score on controls of each plate, a strong simple correction",
    },
    Preset {
        name: "per-plate-sphere",
        chain: "standardise(by=plate, on=controls) > sphere(method=zca-cor, shrinkage=ledoit-wolf)",
        what: "the z-score of each plate, then shrunk sphering on all controls: safe with few controls",
    },
];

/// Names of all presets, in order of report.
pub fn list() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name)
}

/// The preset of a name.
pub fn lookup(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}
