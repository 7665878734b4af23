//! Agreement of unsupervised clusters with the label.
//!
//! # What
//! k-means with as many clusters as labels, and Leiden on the UMAP graph of 15 Euclidean neighbours (25 cosine ones for
//! `arevalo-`); each compared with the label by NMI and ARI.
//!
//! # Dialects
//! Leiden at resolution 1 does not look at the labels. The rule of scib picks among the resolutions 0.2, 0.4, ... 2
//! the one with the best NMI, so its values are optimistic; its ids end in `-best`.
//!
//! # What it cannot show
//! Whether a low value is the embedding's or the clustering's: a label may hold together in a shape that neither
//! finds.
//!
//! # Reference
//! Luecken et al. 2022; scib-metrics 0.5.10 `nmi_ari_cluster_labels_kmeans`, `nmi_ari_cluster_labels_leiden`.

use std::sync::Arc;

use bench_core::Seed;
use bench_geometry::umap::fuzzy::FuzzyGraph;
use rayon::prelude::*;

use super::agreement::{ari, nmi};
use super::check_labels;
use super::leiden::leiden;
use crate::embedding::batch::shortest_paths::Fuzzy;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Part, Roles, Space};
use bench_geometry::kmeans::{KMeansSettings, kmeans};

/// Seed of the clusterings.
const SEED: Seed = Seed(0);

#[derive(Clone, Copy, Debug)]
enum Clustering {
    KMeans,
    Leiden,
    LeidenArevalo,
    LeidenBest,
}

/// One clustering compared by one measure.
#[derive(Clone, Copy, Debug)]
pub struct Clusters {
    card: &'static EmbeddingCard,
    clustering: Clustering,
    measure: fn(&[u32], &[u32]) -> f64,
}

const NMI: &str = "I(label; cluster) / ((H(label) + H(cluster)) / 2)";
const ARI: &str = "(pairs together in both - expected) / (maximum - expected)";
const LIMITS: &str = "A label may hold together in a shape that the clustering does not find. Constant embedding: 0, it \
                      has one cluster.";
const FOUND: &str = "A label may hold together in a shape that the clustering does not find. Constant embedding: that of the \
                     neighbours that row order gives, and flagged by the guards.";
const BEST: &str = "The resolution is chosen by the labels, so the value is optimistic. Constant embedding: that of the \
                    neighbours that row order gives, and flagged by the guards.";
const KMEANS: &str = "scib-metrics 0.5.10, k-means with one cluster per label";
const LEIDEN: &str = "scib-metrics 0.5.10, Leiden at resolution 1 as in arevalo2024, 15 Euclidean neighbours";
const AREVALO: &str = "arevalo2024: scanpy's Leiden at resolution 1 on 25 cosine neighbours";
const SCIB: &str = "scib-metrics 0.5.10, best of Leiden at ten resolutions 0.2 to 2";

macro_rules! clusters {
    ($name:ident, $clustering:ident, $measure:ident, $id:literal, $title:literal, $what:literal, $formula:expr, $range:literal, $limits:expr, $dialect:expr) => {
        #[doc = $title]
        pub static $name: Clusters = Clusters {
            card: &card! {
                id: $id, title: $title, what: $what, formula: $formula, better: "higher", range: $range,
                limits: $limits, reference: "Luecken et al., Nature Methods 19:41 (2022)", side: Biology,
                dialect: $dialect, best: "one-hot-label", worst: "noise",
            },
            clustering: Clustering::$clustering,
            measure: $measure,
        };
    };
}

clusters!(
    NMI_KMEANS,
    KMeans,
    nmi,
    "nmi-kmeans",
    "NMI of k-means clusters",
    "What k-means clusters and labels tell about each other.",
    NMI,
    "0 to 1",
    LIMITS,
    KMEANS
);
clusters!(
    ARI_KMEANS,
    KMeans,
    ari,
    "ari-kmeans",
    "ARI of k-means clusters",
    "Pairs of rows that k-means and labels put together.",
    ARI,
    "-0.5 to 1",
    LIMITS,
    KMEANS
);
clusters!(
    NMI_LEIDEN,
    Leiden,
    nmi,
    "nmi-leiden",
    "NMI of Leiden clusters",
    "What Leiden clusters and labels tell about each other.",
    NMI,
    "0 to 1",
    FOUND,
    LEIDEN
);
clusters!(
    ARI_LEIDEN,
    Leiden,
    ari,
    "ari-leiden",
    "ARI of Leiden clusters",
    "Pairs of rows that Leiden and labels put together.",
    ARI,
    "-0.5 to 1",
    FOUND,
    LEIDEN
);
clusters!(
    AREVALO_NMI,
    LeidenArevalo,
    nmi,
    "arevalo-nmi-leiden",
    "NMI of Leiden clusters (Arevalo 2024)",
    "What Leiden clusters on 25 cosine neighbours and labels tell about each other.",
    NMI,
    "0 to 1",
    FOUND,
    AREVALO
);
clusters!(
    AREVALO_ARI,
    LeidenArevalo,
    ari,
    "arevalo-ari-leiden",
    "ARI of Leiden clusters (Arevalo 2024)",
    "Pairs of rows that Leiden on 25 cosine neighbours and labels put together.",
    ARI,
    "-0.5 to 1",
    FOUND,
    AREVALO
);
clusters!(
    NMI_LEIDEN_BEST,
    LeidenBest,
    nmi,
    "nmi-leiden-best",
    "NMI of Leiden clusters, best resolution",
    "What Leiden clusters and labels tell about each other, at the best resolution.",
    NMI,
    "0 to 1",
    BEST,
    SCIB
);
clusters!(
    ARI_LEIDEN_BEST,
    LeidenBest,
    ari,
    "ari-leiden-best",
    "ARI of Leiden clusters, best resolution",
    "Pairs of rows that Leiden and labels put together, at the resolution of best NMI.",
    ARI,
    "-0.5 to 1",
    BEST,
    SCIB
);

/// The fuzzy graph on which Leiden runs, shared.
pub(crate) fn connectivities(space: &Space<'_>, of: Fuzzy) -> Result<Arc<FuzzyGraph>, String> {
    let graph = space.graph(of.metric())?;
    let entries = of.neighbours().min(graph.k + 1);
    Ok(space.remember(&format!("connectivities/{of:?}"), || FuzzyGraph::new(graph, entries)))
}

/// Leiden clusters at a resolution in tenths, shared.
pub(crate) fn leiden_clusters(space: &Space<'_>, of: Fuzzy, tenths: u32) -> Result<Arc<Vec<u32>>, String> {
    let graph = connectivities(space, of)?;
    Ok(space.remember(&format!("leiden/{of:?}/{tenths}"), || leiden(&graph, f64::from(tenths) / 10.0, SEED)))
}

impl Clusters {
    fn partition(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<(Arc<Vec<u32>>, String), String> {
        let codes = &roles.label.codes;
        match self.clustering {
            Clustering::KMeans => {
                let clusters = check_labels(roles.label)?;
                let made = space.remember(&format!("kmeans/{clusters}"), || {
                    kmeans(space.treated, &KMeansSettings::new(clusters), SEED).cluster
                });
                Ok((made, format!("k = {clusters}")))
            }
            Clustering::Leiden => Ok((leiden_clusters(space, Fuzzy::Scib, 10)?, "resolution 1".to_owned())),
            Clustering::LeidenArevalo => Ok((leiden_clusters(space, Fuzzy::Arevalo, 10)?, "resolution 1".to_owned())),
            Clustering::LeidenBest => {
                let mut best: Option<(f64, u32, Arc<Vec<u32>>)> = None;
                let resolutions: Vec<u32> = (2..=20).step_by(2).collect();
                // Clusterings of several resolutions at once; the first call has made the graph they share.
                connectivities(space, Fuzzy::Scib)?;
                let found: Vec<Arc<Vec<u32>>> = resolutions
                    .par_iter()
                    .map(|&tenths| leiden_clusters(space, Fuzzy::Scib, tenths))
                    .collect::<Result<_, _>>()?;
                for (tenths, clusters) in resolutions.into_iter().zip(found) {
                    let score = nmi(codes, &clusters);
                    if best.as_ref().is_none_or(|best| score > best.0) {
                        best = Some((score, tenths, clusters));
                    }
                }
                let (_, tenths, clusters) = best.ok_or("there is no resolution to try")?;
                Ok((clusters, format!("resolution {}", f64::from(tenths) / 10.0)))
            }
        }
    }
}

impl EmbeddingMetric for Clusters {
    fn card(&self) -> &'static EmbeddingCard {
        self.card
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        check_labels(roles.label)?;
        let (clusters, name) = self.partition(space, roles)?;
        let value = (self.measure)(&roles.label.codes, &clusters);
        let found = clusters.iter().max().map_or(0, |&last| last as usize + 1);
        Ok(Measured {
            value,
            n: clusters.len(),
            parts: vec![Part { unit: "clusters", name, n: found, value, p: None }],
            ..Measured::default()
        })
    }
}
