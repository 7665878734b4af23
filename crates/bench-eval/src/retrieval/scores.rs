//! Scores of a retrieval task, as a record stores them.

use bench_core::record::Interval;
use serde::{Deserialize, Serialize};

use super::{Direction, Plan, Population, Protocol, Query, Settings};
use crate::aggregate::Outcomes;

/// Name of the model that ranks at random; its rows are closed forms.
pub const RANDOM: &str = "random";

/// One metric of one draw of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalScore {
    /// Model.
    pub model: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Direction.
    pub direction: Direction,
    /// Compounds per gallery.
    pub gallery: usize,
    /// Metric id.
    pub metric: String,
    /// Draw of images, counted from zero.
    pub draw: u32,
    /// Value; absent where the summary says why.
    pub value: Option<f64>,
    /// Standard deviation over galleries (ddof 1), which the paper reports.
    pub sd_galleries: Option<f64>,
    /// Galleries.
    pub galleries: usize,
    /// Queries.
    pub queries: usize,
}

/// One metric over all draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalSummary {
    /// Model, or [`RANDOM`].
    pub model: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Direction.
    pub direction: Direction,
    /// Compounds per gallery.
    pub gallery: usize,
    /// Metric id.
    pub metric: String,
    /// Mean over draws.
    pub value: Option<f64>,
    /// Value of a ranking without information, on the same queries.
    pub chance: Option<f64>,
    /// `(value - chance) / (perfect - chance)`: 0 is guessing, 1 is perfect, for ranks as well.
    pub corrected: Option<f64>,
    /// Standard deviation over galleries (ddof 1) within a draw, mean over draws.
    pub sd_galleries: Option<f64>,
    /// Standard deviation over draws (ddof 1).
    pub sd_draws: Option<f64>,
    /// 95 % percentile interval of the bootstrap over compounds.
    pub percentile: Option<Interval>,
    /// 95 % BCa interval; absent for the median, which is not smooth.
    pub bca: Option<Interval>,
    /// Compounds that were queried; the units that are drawn.
    pub compounds: usize,
    /// Galleries.
    pub galleries: usize,
    /// Draws of images.
    pub draws: usize,
    /// Queries in all draws.
    pub queries: usize,
    /// Why the value is absent.
    pub reason: Option<String>,
}

/// Everything about one model on one plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// Model.
    pub model: String,
    /// Settings.
    pub settings: Settings,
    /// Digest of the plan; models are comparable where it agrees.
    pub plan: String,
    /// What took part.
    pub population: Population,
    /// Candidates masked as duplicates of the queried compound, over all queries.
    pub masked: u64,
    /// Embeddings without length, molecules and images.
    pub zero_embeddings: usize,
    /// Every query, by direction, draw, gallery, place in the gallery and image.
    pub queries: Vec<Query>,
    /// Raw scores.
    pub scores: Vec<RetrievalScore>,
    /// Summaries, by direction and metric.
    pub summaries: Vec<RetrievalSummary>,
    /// The same for a ranking at random.
    pub baseline: Vec<RetrievalSummary>,
    /// Mean value of each queried compound and metric that is a mean, for paired tests: units count the
    /// queried compounds in the order of the plan.
    pub by_compound: Vec<Outcomes>,
    /// Duplicate group of each of those units.
    pub unit_group: Vec<u32>,
}

impl Retrieval {
    /// The queries as CSV, with names in place of positions: an independent check needs only this, the
    /// galleries and the embeddings. One line per query and level.
    pub fn queries_csv(&self, plan: &Plan) -> String {
        let mut text = "direction,draw,gallery,compound,image,candidates,masked,above,tied,relevant\n".to_owned();
        for query in &self.queries {
            let image = query.image.map_or("", |image| plan.images[image as usize].id.as_str());
            let compound = quoted(&plan.compounds[query.compound as usize]);
            for level in &query.levels {
                text.push_str(&format!(
                    "{},{},{},{compound},{},{},{},{},{},{}\n",
                    query.direction.id(),
                    query.draw,
                    query.gallery,
                    quoted(image),
                    query.candidates,
                    query.masked,
                    level.above,
                    level.size,
                    level.relevant
                ));
            }
        }
        text
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
