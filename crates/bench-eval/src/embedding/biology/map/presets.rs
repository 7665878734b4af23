//! The mAP definitions of this project and of its peers, as data.
//!
//! # What
//! A [`Preset`] names its rules, null and threshold. `bench` asks for replicates in another well; `copairs` is the
//! tutorial's definition; `arevalo2024` asks for positives in another well position (`negcon`), which on plates with
//! one map leaves only the compounds that sit in several positions.

use super::null::{NullSettings, Tail};
use super::rule::PairRule;

/// Replicates in other wells against the controls of the same plate.
pub static ACTIVITY: PairRule<'static> = PairRule {
    pos_sameby: &["compound"],
    pos_diffby: &["well"],
    neg_sameby: &["plate"],
    neg_diffby: &["kind", "compound"],
};

/// Replicates in other wells against other compounds of the same plate.
pub static DISTINCTIVENESS: PairRule<'static> =
    PairRule { pos_sameby: &["compound"], pos_diffby: &["well"], neg_sameby: &["plate"], neg_diffby: &["compound"] };

/// Replicates in other batches against other compounds of the same batch.
pub static CROSS_BATCH: PairRule<'static> =
    PairRule { pos_sameby: &["compound"], pos_diffby: &["batch"], neg_sameby: &["batch"], neg_diffby: &["compound"] };

/// Replicates in other sources against other compounds of the same source.
pub static CROSS_SOURCE: PairRule<'static> =
    PairRule { pos_sameby: &["compound"], pos_diffby: &["source"], neg_sameby: &["source"], neg_diffby: &["compound"] };

/// Arevalo 2024: replicates in another well position against the controls of the same plate.
pub static AREVALO_NEGCON: PairRule<'static> = PairRule {
    pos_sameby: &["compound"],
    pos_diffby: &["position"],
    neg_sameby: &["plate"],
    neg_diffby: &["kind", "compound"],
};

/// Arevalo 2024: replicates against other compounds of the same plate.
pub static AREVALO_NONREP: PairRule<'static> =
    PairRule { pos_sameby: &["compound"], pos_diffby: &[], neg_sameby: &["plate"], neg_diffby: &["compound"] };

/// copairs' tutorial: replicates against the controls of the same plate.
pub static COPAIRS_ACTIVITY: PairRule<'static> =
    PairRule { pos_sameby: &["compound"], pos_diffby: &[], neg_sameby: &["plate"], neg_diffby: &["kind", "compound"] };

/// The peers' null: 10,000 draws with seed 0, none enumerated, strict.
pub const PEER_NULL: NullSettings = NullSettings { size: 10_000, seed: 0, exact_up_to: 0, tail: Tail::Above };

/// Definitions of one project.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Id.
    pub id: &'static str,
    /// Phenotypic activity.
    pub activity: &'static PairRule<'static>,
    /// Distinctiveness.
    pub distinctiveness: &'static PairRule<'static>,
    /// The null.
    pub null: NullSettings,
    /// p or q below which a group counts as retrieved.
    pub threshold: f64,
    /// Where the definition is from.
    pub reference: &'static str,
}

/// All presets.
pub static PRESETS: [Preset; 3] = [
    Preset {
        id: "bench",
        activity: &ACTIVITY,
        distinctiveness: &DISTINCTIVENESS,
        null: NullSettings { size: 10_000, seed: 0, exact_up_to: 200_000, tail: Tail::AtLeast },
        threshold: 0.05,
        reference: "this project",
    },
    Preset {
        id: "copairs",
        activity: &COPAIRS_ACTIVITY,
        distinctiveness: &AREVALO_NONREP,
        null: PEER_NULL,
        threshold: 0.05,
        reference: "copairs 0.5.5, tutorials on phenotypic activity and distinctiveness",
    },
    Preset {
        id: "arevalo2024",
        activity: &AREVALO_NEGCON,
        distinctiveness: &AREVALO_NONREP,
        null: PEER_NULL,
        threshold: 0.05,
        reference: "Arevalo et al., Nature Communications 15:6516 (2024), mAP-negcon and mAP-nonrep",
    },
];

/// The preset of an id.
pub fn preset(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.id == id)
}
