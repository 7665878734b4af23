//! `[gates]` of a suite: which losses against a baseline it does not tolerate.
//!
//! ```toml
//! [gates]
//! level = 0.95                # of the interval of a difference
//! window = 10                 # runs that `history:window` compares with
//!
//! [[gates.rules]]
//! quantity = "g"              # accuracy, g or gap
//! protocols = ["strict"]
//! splits = ["not-same-source"]    # none named: all that have the quantity
//! probes = ["logreg"]             # none named: all
//! min-effect = 0.02           # losses up to this are tolerated
//! ```
//!
//! Where several rules meet, the last one counts. Without a rule, accuracy may fall by 0.01 and G by
//! 0.02, on every split of the protocols `strict` and `fixed`.

use bench_core::record::{GateRule, Gates, ModelInfo, ModelKind, Summary};
use serde::{Deserialize, Serialize};

/// Quantities that are derived from correct predictions per well, and so can be gated.
pub const QUANTITIES: [&str; 3] = ["accuracy", "g", "gap"];

/// Gates of a suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GateSettings {
    /// Level of the interval of a difference.
    pub level: f64,
    /// Runs of a history that a moving window holds.
    pub window: usize,
    /// Rules; the last one that matches counts.
    pub rules: Vec<GateSetting>,
}

/// One rule, for all models and for every split and probe that it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GateSetting {
    /// `accuracy`, `g` or `gap`.
    pub quantity: String,
    /// Protocols.
    #[serde(default = "strict")]
    pub protocols: Vec<String>,
    /// Splits; none named are all.
    #[serde(default)]
    pub splits: Vec<String>,
    /// Probes; none named are all.
    #[serde(default)]
    pub probes: Vec<String>,
    /// Losses up to this are tolerated.
    pub min_effect: f64,
    /// Level of this rule, if it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<f64>,
}

fn strict() -> Vec<String> {
    vec!["strict".into()]
}

impl GateSetting {
    fn covers(&self, summary: &Summary) -> bool {
        let named = |list: &[String], is: &dyn Fn(&str) -> bool| list.is_empty() || list.iter().any(|name| is(name));
        let split = |name: &str| {
            name == summary.split || bench_eval::split::find(name, &[]).is_ok_and(|split| split.id == summary.split)
        };
        self.quantity == summary.quantity
            && self.protocols.contains(&summary.protocol)
            && named(&self.splits, &split)
            && named(&self.probes, &|name| name == summary.probe)
    }
}

impl Default for GateSettings {
    fn default() -> Self {
        let rule = |quantity: &str, min_effect| GateSetting {
            quantity: quantity.into(),
            protocols: vec!["strict".into(), "fixed".into()],
            splits: Vec::new(),
            probes: Vec::new(),
            min_effect,
            level: None,
        };
        Self { level: 0.95, window: 10, rules: vec![rule("accuracy", 0.01), rule("g", 0.02)] }
    }
}

impl GateSettings {
    /// What types cannot say: key and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let mut levels = std::iter::once(self.level).chain(self.rules.iter().filter_map(|rule| rule.level));
        if let Some(level) = levels.find(|level| !(0.5..1.0).contains(level)) {
            return Err(("gates.level", format!("`{level}` must lie between 0.5 and 1")));
        }
        if self.window == 0 || self.window > 1000 {
            return Err(("gates.window", "must be 1 to 1000".into()));
        }
        for rule in &self.rules {
            super::parse::one_of("gates.rules.quantity", &rule.quantity, &QUANTITIES)?;
            for protocol in &rule.protocols {
                super::parse::one_of("gates.rules.protocols", protocol, &["paper", "strict", "fixed"])?;
            }
            for probe in &rule.probes {
                super::parse::one_of("gates.rules.probes", probe, &["logreg", "knn"])?;
            }
            if !(0.0..=1.0).contains(&rule.min_effect) {
                return Err(("gates.rules.min-effect", format!("`{}` must lie between 0 and 1", rule.min_effect)));
            }
        }
        Ok(())
    }

    /// The rules of a run: one per quantity, split and probe that its models have, in the order of its summaries.
    pub fn resolve(&self, models: &[ModelInfo], summaries: &[Summary]) -> Gates {
        let is_model = |name: &str| models.iter().any(|m| m.kind == ModelKind::Model && m.name == name);
        let mut rules: Vec<GateRule> = Vec::new();
        for summary in summaries.iter().filter(|summary| is_model(&summary.model)) {
            let Some(rule) = self.rules.iter().rev().find(|rule| rule.covers(summary)) else { continue };
            let known = rules.iter().any(|known| {
                (&known.quantity, &known.protocol, &known.split, &known.probe)
                    == (&summary.quantity, &summary.protocol, &summary.split, &summary.probe)
            });
            if known {
                continue;
            }
            rules.push(GateRule {
                quantity: summary.quantity.clone(),
                protocol: summary.protocol.clone(),
                split: summary.split.clone(),
                probe: summary.probe.clone(),
                baseline: if summary.quantity == "accuracy" { String::new() } else { baseline(summaries, summary) },
                min_effect: rule.min_effect,
                level: rule.level.unwrap_or(self.level),
            });
        }
        Gates { window: self.window, rules }
    }

    /// A sentence for every rule of the suite's own that nothing in the run falls under.
    pub fn idle(&self, summaries: &[Summary]) -> Vec<String> {
        let own = self.rules.iter().filter(|_| *self != Self::default());
        own.filter(|rule| !summaries.iter().any(|summary| rule.covers(summary)))
            .map(|rule| {
                let list = |names: &[String]| if names.is_empty() { "any".to_owned() } else { names.join(", ") };
                format!(
                    "the gate of {} (protocol {}; split {}; probe {}) has nothing to check in this run",
                    rule.quantity,
                    list(&rule.protocols),
                    list(&rule.splits),
                    list(&rule.probes)
                )
            })
            .collect()
    }
}

/// The split that stands for random beside a `g`: the one that has an accuracy and no `g` of its own.
fn baseline(summaries: &[Summary], of: &Summary) -> String {
    let place = |s: &Summary| (&s.model, &s.protocol, &s.probe) == (&of.model, &of.protocol, &of.probe);
    let has_g = |split: &str| summaries.iter().any(|s| place(s) && s.split == split && s.quantity == "g");
    let mut splits = summaries.iter().filter(|s| place(s) && s.quantity == "accuracy").map(|s| s.split.as_str());
    splits.find(|split| !has_g(split)).unwrap_or("random").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(model: &str, split: &str, quantity: &str) -> Summary {
        Summary {
            model: model.into(),
            protocol: "strict".into(),
            split: split.into(),
            probe: "knn".into(),
            quantity: quantity.into(),
            ..Summary::default()
        }
    }

    #[test]
    fn the_last_rule_that_matches_counts_and_controls_have_no_gates() {
        let models = [
            ModelInfo { name: "m".into(), ..ModelInfo::default() },
            ModelInfo { name: "noise".into(), kind: ModelKind::Control, ..ModelInfo::default() },
        ];
        let summaries = [
            summary("noise", "random", "accuracy"),
            summary("m", "random", "accuracy"),
            summary("m", "not-same-source", "accuracy"),
            summary("m", "not-same-source", "g"),
            summary("m", "not-same-source", "mcc"),
        ];
        let mut settings = GateSettings::default();
        settings.rules.push(GateSetting {
            quantity: "accuracy".into(),
            protocols: strict(),
            splits: vec!["not-same-source".into()],
            probes: vec!["knn".into()],
            min_effect: 0.05,
            level: Some(0.99),
        });
        let gates = settings.resolve(&models, &summaries);
        let short: Vec<_> = gates.rules.iter().map(|r| (r.quantity.as_str(), r.split.as_str(), r.min_effect)).collect();
        assert_eq!(
            short,
            [("accuracy", "random", 0.01), ("accuracy", "not-same-source", 0.05), ("g", "not-same-source", 0.02)]
        );
        assert_eq!((gates.rules[1].level, gates.rules[2].baseline.as_str()), (0.99, "random"));
    }
}
