//! What can be chosen about a retrieval task, checked before anything is computed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Measure;
use crate::Error;

/// How galleries are cut and images drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// As in the reference code: consecutive compounds of the stored order, the last partial gallery
    /// dropped, one image per compound drawn independently in each draw. Unlike there, draws are seeded.
    Paper,
    /// Seeded galleries in which every compound is queried once, all of the same size; the draws of a
    /// compound show different images as long as it has some.
    #[default]
    Strict,
}

impl Protocol {
    /// Id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Strict => "strict",
        }
    }
}

/// What is asked, and what is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// An image ranks the molecules of its gallery (table 1 of the paper).
    ImageToMolecule,
    /// A molecule ranks the images of its gallery (table 2 of the paper).
    MoleculeToImage,
}

impl Direction {
    /// Both, in the order of the paper's tables.
    pub const ALL: [Self; 2] = [Self::ImageToMolecule, Self::MoleculeToImage];

    /// Id.
    pub fn id(self) -> &'static str {
        match self {
            Self::ImageToMolecule => "image-to-molecule",
            Self::MoleculeToImage => "molecule-to-image",
        }
    }
}

/// How alike a query and a candidate are; larger is more alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Similarity {
    /// Cosine of the angle; zero where a vector has no length.
    #[default]
    Cosine,
    /// Inner product of the vectors as they are.
    Dot,
    /// Minus the Euclidean distance.
    Euclidean,
}

/// How equal similarities are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// All orders equally likely: the exact mean over them.
    #[default]
    Expected,
    /// Relevant candidates come last.
    Pessimistic,
}

/// Which compounds are the same substance, so that neither is a wrong answer for the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// The same identity (InChIKey).
    #[default]
    SameIdentity,
    /// The same first block of the identity, up to its first hyphen: the same skeleton, whatever
    /// stereochemistry and isotopes.
    SameFirstBlock,
}

/// A number of things, or all there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// This many.
    Count(usize),
    /// All.
    All,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::All => f.write_str("all"),
        }
    }
}

impl FromStr for Amount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.parse() {
            _ if text == "all" => Ok(Self::All),
            Ok(count) if count > 0 => Ok(Self::Count(count)),
            _ => Err(invalid("amount", text, "give a number of at least one, or `all`")),
        }
    }
}

/// Everything that decides the scores of a retrieval task, beside the embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Settings {
    /// How galleries are cut.
    pub protocol: Protocol,
    /// Compounds per gallery: 100 for 1:100.
    pub gallery: Amount,
    /// Directions to score.
    pub directions: Vec<Direction>,
    /// Draws of images, each scored on the same galleries.
    pub draws: usize,
    /// Images of a compound that a gallery holds; all of them make further draws pointless, so that
    /// there is one.
    pub images_per_compound: Amount,
    /// Similarity.
    pub similarity: Similarity,
    /// Ties.
    pub ties: Ties,
    /// Which compounds are masked for each other.
    pub duplicates: Duplicates,
    /// Metric ids, see [`super::CARDS`].
    pub metrics: Vec<String>,
    /// Bootstrap draws behind the intervals.
    pub bootstrap: usize,
    /// Seed of galleries, image draws and bootstrap.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            protocol: Protocol::default(),
            gallery: Amount::Count(100),
            directions: Direction::ALL.to_vec(),
            draws: 5,
            images_per_compound: Amount::Count(1),
            similarity: Similarity::default(),
            ties: Ties::default(),
            duplicates: Duplicates::default(),
            metrics: super::DEFAULT_METRICS.map(str::to_owned).to_vec(),
            bootstrap: 1000,
            seed: 0,
        }
    }
}

impl Settings {
    /// Checks ranges and metric ids, and returns the metrics.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::UnknownId`] for the first setting that cannot be used.
    pub fn check(&self) -> Result<Vec<Measure>, Error> {
        if let Amount::Count(count @ (0 | 1)) = self.gallery {
            return Err(invalid("gallery", &count.to_string(), "a gallery holds at least two compounds"));
        }
        if self.draws == 0 {
            return Err(invalid("draws", "0", "at least one draw of images is needed"));
        }
        if self.images_per_compound == Amount::Count(0) {
            return Err(invalid("images-per-compound", "0", "at least one image per compound is needed"));
        }
        if self.directions.is_empty() {
            return Err(invalid("directions", "[]", "name at least one direction"));
        }
        for (at, direction) in self.directions.iter().enumerate() {
            if self.directions[..at].contains(direction) {
                return Err(invalid("directions", direction.id(), "is named twice"));
            }
        }
        let measures: Vec<Measure> = self.metrics.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
        for (at, measure) in measures.iter().enumerate() {
            if measures[..at].contains(measure) {
                return Err(invalid("metrics", &measure.to_string(), "is named twice"));
            }
        }
        Ok(measures)
    }
}

pub(super) fn invalid(key: &str, value: &str, why: &str) -> Error {
    Error::Setting { key: format!("retrieval.{key}"), value: value.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_used_are_refused_by_name() {
        assert_eq!(Settings::default().check().unwrap().len(), Settings::default().metrics.len());
        let bad = [
            Settings { gallery: Amount::Count(1), ..Settings::default() },
            Settings { draws: 0, ..Settings::default() },
            Settings { images_per_compound: Amount::Count(0), ..Settings::default() },
            Settings { directions: vec![], ..Settings::default() },
            Settings { directions: vec![Direction::ImageToMolecule; 2], ..Settings::default() },
            Settings { metrics: vec!["mrr".into(), "mrr".into()], ..Settings::default() },
            Settings { metrics: vec!["hit-rate@0".into()], ..Settings::default() },
        ];
        for settings in bad {
            assert!(matches!(settings.check(), Err(Error::Setting { .. })), "{settings:?}");
        }
        let unknown = Settings { metrics: vec!["hitrate@5".into()], ..Settings::default() };
        assert!(matches!(unknown.check(), Err(Error::UnknownId { suggestion: Some(s), .. }) if s == "hit-rate@5"));
    }

    #[test]
    fn settings_are_read_back_as_written_and_unknown_keys_are_errors() {
        let settings = Settings { gallery: Amount::All, protocol: Protocol::Paper, ..Settings::default() };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
        assert!(serde_json::from_str::<Settings>(r#"{"galery": "all"}"#).is_err());
        assert_eq!("all".parse::<Amount>().unwrap(), Amount::All);
        assert_eq!("1000".parse::<Amount>().unwrap().to_string(), "1000");
        assert!("0".parse::<Amount>().is_err() && "1:100".parse::<Amount>().is_err());
    }
}
