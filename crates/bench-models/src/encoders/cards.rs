//! Cards of the encoders, under the names that a preset calls them by.

use bench_core::Card;

/// What all cards of encoders share: no value is better, and there is no range.
const NONE: &str = "none";

const fn image(id: &'static str, title: &'static str, what: &'static str, formula: &'static str) -> Card {
    Card {
        id,
        title,
        what,
        formula,
        better: NONE,
        range: NONE,
        limits: "It sees crops, not plates: what it knows of an experiment is in the pixels alone.",
        reference: "He et al. 2016; layers and names as torchvision",
    }
}

/// Cards of all encoders: images, then molecules.
pub static CARDS: [Card; 10] = [
    image(
        "resnet18",
        "ResNet-18, images",
        "A residual network of eight basic blocks; 512 features.",
        "7x7/2 convolution, 3x3/2 max-pool, stages of 2, 2, 2, 2 blocks at widths 64 to 512, mean over pixels",
    ),
    image(
        "resnet34",
        "ResNet-34, images",
        "A residual network of sixteen basic blocks; 512 features. The image tower of Watkinson et al. 2023.",
        "7x7/2 convolution, 3x3/2 max-pool, stages of 3, 4, 6, 3 blocks at widths 64 to 512, mean over pixels",
    ),
    image(
        "resnet50",
        "ResNet-50, images",
        "A residual network of sixteen bottleneck blocks; 2048 features.",
        "7x7/2 convolution, 3x3/2 max-pool, stages of 3, 4, 6, 3 bottlenecks at widths 64 to 512, mean over pixels",
    ),
    image(
        "demo-a",
        "Demo networks A and B, images",
        "One basic block per stage at half the width, for two processor cores; 256 features.",
        "7x7/2 convolution, 3x3/2 max-pool, stages of 1, 1, 1, 1 blocks at widths 32 to 256, mean over pixels",
    ),
    image(
        "demo-c",
        "Demo network C, images",
        "Two basic blocks per stage at half the width, for two processor cores; 256 features.",
        "7x7/2 convolution, 3x3/2 max-pool, stages of 2, 2, 2, 2 blocks at widths 32 to 256, mean over pixels",
    ),
    image(
        "tiny",
        "Network for tests, images",
        "One basic block per stage at a quarter of the width, for images of 32 pixels; 128 features.",
        "7x7/2 convolution, 3x3/2 max-pool, stages of 1, 1, 1, 1 blocks at widths 16 to 128, mean over pixels",
    ),
    image(
        "resnet",
        "Residual network of another shape, images",
        "Kind of block, depths and widths as the preset says.",
        "7x7/2 convolution, 3x3/2 max-pool, stages as given, mean over pixels",
    ),
    Card {
        id: "pna",
        title: "Principal neighbourhood aggregation, molecules",
        what: "A network over molecular graphs; each atom takes mean, maximum, minimum and deviation of its messages at three scales. The molecule tower of Watkinson et al. 2023.",
        formula: "h_v <- h_v + BN(drop(W [h_v, a_v, log(D+1) a_v, a_v / log(D+1)] + c)), a_v = [mean, max, min, std]_e m_e",
        better: NONE,
        range: NONE,
        limits: "Nothing about 3D shape beyond the chirality and stereo flags.",
        reference: "Corso et al. 2020; Stark et al. 2022 (3DInfomax)",
    },
    Card {
        id: "gin",
        title: "Graph isomorphism network, molecules",
        what: "Each atom sums its neighbours, itself and the bonds, and passes the sum through two layers; a molecule is the mean of its atoms.",
        formula: "h_v <- ReLU(BN(MLP(sum_{u -> v} (h_u + b_uv) + h_v + b_loop)))",
        better: NONE,
        range: NONE,
        limits: "Reads two atom and two bond features; published weight files of other vocabularies do not fit.",
        reference: "Xu et al. 2019; Hu et al. 2020",
    },
    Card {
        id: "fingerprint",
        title: "Perceptron over fingerprints, molecules",
        what: "MACCS keys and Morgan bits of radius 2 through hidden layers; a check on what graphs add.",
        formula: "linear, layer norm, ReLU, dropout per hidden layer; the last is linear",
        better: NONE,
        range: NONE,
        limits: "Molecules with the same substructures are the same to it.",
        reference: "Fingerprint encoder of the code of Watkinson et al. 2023",
    },
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{ImageEncoderConfig, MoleculeEncoderConfig};

    #[test]
    fn every_encoder_that_a_preset_can_name_has_a_card_and_no_other() {
        let shape = serde_json::to_value(ImageEncoderConfig::Tiny.shape()).unwrap();
        for card in &CARDS {
            let image = match card.id {
                "resnet" => json!({ "resnet": shape }),
                id => json!(id),
            };
            let molecule = json!({ card.id: {} });
            let is_image = serde_json::from_value::<ImageEncoderConfig>(image).is_ok();
            let is_molecule = serde_json::from_value::<MoleculeEncoderConfig>(molecule).is_ok();
            assert!(is_image != is_molecule, "{}", card.id);
            assert!(card.title.ends_with(if is_image { ", images" } else { ", molecules" }), "{}", card.id);
        }
        for (unknown, known) in [
            (serde_json::from_value::<ImageEncoderConfig>(json!("x")).unwrap_err().to_string(), 0),
            (serde_json::from_value::<MoleculeEncoderConfig>(json!({"x": {}})).unwrap_err().to_string(), 1),
        ] {
            // Serde lists every name that there is.
            for name in unknown.split('`').skip(3).step_by(2) {
                assert!(CARDS.iter().any(|card| card.id == name), "{name} of list {known}");
            }
        }
    }
}
