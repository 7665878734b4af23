//! What a run will do, step by step, before it does it.

use crate::{Request, corrections};

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read tables, make splits, report confounding.
    Read,
    /// Scores of one embedding with one probe.
    Score {
        /// Model or control.
        model: String,
        /// Probe.
        probe: String,
    },
    /// Source x source transfer of one model.
    Transfer {
        /// Model.
        model: String,
    },
    /// Accuracy of one corrected model on unseen sources by the number of their control wells.
    ControlCurve {
        /// Model.
        model: String,
    },
    /// Source, batch, plate and position probes of one embedding.
    Origin {
        /// Model or control.
        model: String,
    },
    /// Embedding metrics of all embeddings.
    Embedding,
    /// Two-dimensional map of one model.
    Projection {
        /// Model.
        model: String,
    },
    /// Intervals, tests, control rules.
    Summarise,
    /// Record, tables, figures, report.
    Write,
}

impl Step {
    /// Name for people and for the record.
    pub fn name(&self) -> String {
        match self {
            Self::Read => "read tables and make splits".into(),
            Self::Score { model, probe } => format!("score {model} with {probe}"),
            Self::Transfer { model } => format!("transfer between sources, {model}"),
            Self::ControlCurve { model } => format!("control wells of unseen sources, {model}"),
            Self::Origin { model } => format!("origin probes, {model}"),
            Self::Embedding => "embedding metrics".into(),
            Self::Projection { model } => format!("projection, {model}"),
            Self::Summarise => "intervals, tests and controls".into(),
            Self::Write => "write record and report".into(),
        }
    }
}

/// The steps of a run over these models.
pub fn steps(request: &Request, models: &[String]) -> Vec<Step> {
    let suite = &request.suite;
    let mut steps = vec![Step::Read];
    for model in models.iter().chain(&suite.controls) {
        for probe in &suite.probes.ids {
            steps.push(Step::Score { model: model.clone(), probe: probe.clone() });
        }
    }
    for model in models {
        steps.push(Step::Transfer { model: model.clone() });
    }
    if suite.control_curve.enabled {
        let corrected = corrected(request);
        steps.extend(corrected.into_iter().map(|model| Step::ControlCurve { model }));
    }
    if suite.batch_probes.enabled {
        let probed = suite.controls.iter().filter(|c| ["constant", "one-hot-source"].contains(&c.as_str()));
        steps.extend(models.iter().chain(probed).map(|model| Step::Origin { model: model.clone() }));
    }
    if suite.embedding_metrics.enabled {
        steps.push(Step::Embedding);
    }
    if suite.projection.enabled {
        steps.extend(models.iter().map(|model| Step::Projection { model: model.clone() }));
    }
    steps.push(Step::Summarise);
    steps.push(Step::Write);
    steps
}

/// Names of the corrected models of a request.
fn corrected(request: &Request) -> Vec<String> {
    let chains: Vec<&str> = request.suite.corrections.iter().map(|chain| chain.trim()).collect();
    let chains: Vec<&str> = chains.into_iter().filter(|chain| *chain != corrections::NONE).collect();
    let models = raw(request);
    models.iter().flat_map(|model| chains.iter().map(|chain| corrections::name(model, chain))).collect()
}

/// Names of the embeddings of a request.
fn raw(request: &Request) -> Vec<String> {
    match request.embeddings.as_slice() {
        [] => vec!["simulated".to_owned()],
        embeddings => embeddings.iter().map(|e| e.name.clone()).collect(),
    }
}

/// Names of the models of a request.
pub fn models(request: &Request) -> Vec<String> {
    let models = raw(request);
    let chains = &request.suite.corrections;
    models.iter().flat_map(|model| chains.iter().map(|chain| corrections::name(model, chain.trim()))).collect()
}
