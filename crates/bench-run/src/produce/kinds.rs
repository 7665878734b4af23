//! Losses and encoders for `bench list` and `bench show`: their cards and their settings by default.

use bench_core::Card;
use bench_models::encoders::cards;
use bench_models::encoders::{FingerprintConfig, GinConfig, PnaConfig};
use bench_models::losses::{LOSSES, LossConfig};
use bench_models::{ImageEncoderConfig, MoleculeEncoderConfig};
use serde_json::{Value, json};

/// Cards of all losses.
pub fn losses() -> Vec<&'static Card> {
    LOSSES.iter().map(|entry| entry.card).collect()
}

/// Cards of all encoders.
pub fn encoders() -> Vec<&'static Card> {
    cards::CARDS.iter().collect()
}

/// Settings by default of a loss or encoder; nothing for other ids, and for those that have none.
pub fn defaults(id: &str) -> Option<Value> {
    if LOSSES.iter().any(|entry| entry.card.id == id) {
        let mut value = serde_json::to_value(LossConfig::of(id)).ok()?;
        // Variants choose among losses, and this one is chosen.
        value.as_object_mut()?.retain(|key, value| !key.ends_with("-variant") && !value.is_null());
        return Some(value);
    }
    let molecule = match id {
        "pna" => Some(MoleculeEncoderConfig::Pna(PnaConfig::default())),
        "gin" => Some(MoleculeEncoderConfig::Gin(GinConfig::default())),
        "fingerprint" => Some(MoleculeEncoderConfig::Fingerprint(FingerprintConfig::default())),
        _ => None,
    };
    if let Some(config) = molecule {
        return serde_json::to_value(config).ok()?.get(id).cloned();
    }
    let image: ImageEncoderConfig = serde_json::from_value(json!(id)).ok()?;
    serde_json::to_value(image.shape()).ok()
}
