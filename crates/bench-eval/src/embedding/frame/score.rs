//! One row of the table: value, scale, null, interval and flag of one metric on one embedding.

use bench_core::number::{mean, sample_sd};
use bench_core::record::{EmbeddingPart, EmbeddingScore, Interval};
use bench_core::{Factor, Layout, Seed};
use rayon::prelude::*;

use super::controls::{ControlEmbedding, anchor};
use super::jackknife::Jackknife;
use super::null::{Compounds, Exchange, varies_within};
use super::{Rows, Settings, interval};
use crate::embedding::{EmbeddingMetric, MeanOver, Measured, NullCost, Part, Roles, Side, Space};

/// What all embeddings share.
pub(super) struct Tables<'a> {
    pub(super) rows: &'a Rows<'a>,
    pub(super) units: &'a [(&'a str, &'a Factor)],
    /// One level for metrics that ask for no unit.
    pub(super) whole: &'a Factor,
    pub(super) made: &'a [ControlEmbedding],
    pub(super) settings: &'a Settings<'a>,
    /// The rows without groups of plates, or why they are not divided.
    pub(super) jackknife: &'a Result<Jackknife, String>,
}

/// What one control embedding scored: by metric, then by unit; nothing for metrics that do not name a special one.
pub(super) type Outcomes = Vec<Vec<Result<Measured, String>>>;

impl<'a> Tables<'a> {
    /// The units under which a metric is measured; `None` for one without a unit.
    fn units_of(&self, metric: &dyn EmbeddingMetric) -> Vec<(Option<&'a str>, Roles<'a>)> {
        if !metric.per_unit() {
            return vec![(None, self.rows.roles("all", self.whole))];
        }
        self.units.iter().map(|&(name, factor)| (Some(name), self.rows.roles(name, factor))).collect()
    }
}

/// Values of one control embedding, without the contributions of rows: no interval is made of them.
pub(super) fn anchor_values(made: &ControlEmbedding, space: &Space<'_>, tables: &Tables<'_>) -> Outcomes {
    let measure = |metric: &dyn EmbeddingMetric, roles: &Roles<'_>| {
        let measured = metric.measure(space, roles)?;
        Ok(Measured { rows: Vec::new(), mean_over: MeanOver::Rows, ..measured })
    };
    let names = |metric: &dyn EmbeddingMetric| {
        let card = metric.card();
        !made.is_special || card.best == made.name || card.worst == made.name
    };
    let each = tables.settings.metrics.iter().map(|metric| {
        let units = if names(*metric) { tables.units_of(*metric) } else { Vec::new() };
        units.iter().map(|(_, roles)| measure(*metric, roles)).collect()
    });
    each.collect()
}

/// Rows of one embedding under test.
pub(super) fn of_embedding(
    space: &Space<'_>,
    name: (&str, &str),
    tables: &Tables<'_>,
    anchors: &[Outcomes],
    tick: &dyn Fn(usize),
) -> Vec<EmbeddingScore> {
    let collapse = collapse(space, tables);
    let mut scores: Vec<EmbeddingScore> = Vec::new();
    let mut again: Vec<(usize, &dyn EmbeddingMetric, Option<&str>, f64)> = Vec::new();
    for (at, metric) in tables.settings.metrics.iter().enumerate() {
        for (place, (unit, roles)) in tables.units_of(*metric).into_iter().enumerate() {
            let measured = metric.measure(space, &roles);
            let mut score = row(*metric, name, unit, measured.as_ref());
            if let Ok(measured) = &measured {
                scale(&mut score, *metric, (at, place), unit, tables, anchors);
                if let Err(why) = add_null(&mut score, *metric, space, &roles, measured, tables.settings) {
                    remark(&mut score, &format!("no null: {why}"));
                }
                match interval::bootstrap(measured, &roles, tables.settings.draws, tables.settings.seed) {
                    Some(found) => add_interval(&mut score, found),
                    None if tables.settings.draws > 0 => again.push((scores.len(), *metric, unit, measured.value)),
                    None => {}
                }
                // A collapsed embedding keeps its values and wins nothing with them.
                if let Some(why) = collapse.as_ref().filter(|_| metric.card().side != Side::Guard) {
                    score.flag = Some(why.clone());
                    score.scaled = None;
                }
            }
            scores.push(score);
        }
        tick(at + 1);
    }
    let wanted: Vec<(&dyn EmbeddingMetric, Option<&str>, f64)> =
        again.iter().map(|&(_, metric, unit, value)| (metric, unit, value)).collect();
    let found = match tables.jackknife {
        Ok(jackknife) => jackknife.intervals(space, &wanted, tables.settings),
        Err(why) => vec![Err(why.clone()); wanted.len()],
    };
    for ((at, ..), found) in again.into_iter().zip(found) {
        match found {
            Ok(found) => add_interval(&mut scores[at], found),
            Err(why) => remark(&mut scores[at], &format!("no interval: {why}")),
        }
    }
    scores
}

fn add_interval(score: &mut EmbeddingScore, (interval, of): (Interval, String)) {
    (score.low, score.high, score.resampled) = (Some(interval.low), Some(interval.high), Some(of));
}

/// Adds a reason why something is missing beside the value.
fn remark(score: &mut EmbeddingScore, why: &str) {
    score.remark = Some(match score.remark.take() {
        Some(before) => format!("{before}; {why}"),
        None => why.to_owned(),
    });
}

/// Rows of one control embedding: values and scale, no null.
pub(super) fn of_control(
    at: usize,
    made: &ControlEmbedding,
    tables: &Tables<'_>,
    anchors: &[Outcomes],
) -> Vec<EmbeddingScore> {
    let collapse = collapse(&Space::new(&made.treated, &made.controls), tables);
    let mut scores = Vec::new();
    for (place, metric) in tables.settings.metrics.iter().enumerate() {
        // A special control has nothing for metrics that do not name it.
        for (of, ((unit, _), measured)) in tables.units_of(*metric).into_iter().zip(&anchors[at][place]).enumerate() {
            let mut score = row(*metric, (&made.name, "none"), unit, measured.as_ref());
            scale(&mut score, *metric, (place, of), unit, tables, anchors);
            if metric.card().side != Side::Guard && score.value.is_some() && collapse.is_some() {
                (score.flag, score.scaled) = (collapse.clone(), None);
            }
            scores.push(score);
        }
    }
    scores
}

/// Why an embedding has collapsed, if a guard says so. Guards are asked whether or not they are to be reported.
fn collapse(space: &Space<'_>, tables: &Tables<'_>) -> Option<String> {
    let roles = tables.rows.roles("all", tables.whole);
    crate::embedding::guard::COLLAPSE.iter().find_map(|guard| {
        let measured = guard.measure(space, &roles).ok()?;
        guard.fires(&measured).filter(|_| guard.means_collapse(&measured))
    })
}

fn row(
    metric: &dyn EmbeddingMetric,
    (model, correction): (&str, &str),
    unit: Option<&str>,
    measured: Result<&Measured, &String>,
) -> EmbeddingScore {
    let card = metric.card();
    let mut score = EmbeddingScore {
        model: model.to_owned(),
        correction: correction.to_owned(),
        metric: card.card.id.to_owned(),
        side: card.side.word().to_owned(),
        dialect: card.dialect.to_owned(),
        unit: unit.map(str::to_owned),
        ..EmbeddingScore::default()
    };
    match measured {
        Ok(measured) => {
            score.value = Some(measured.value).filter(|value| value.is_finite());
            score.reason = score.value.is_none().then(|| "the value is no finite number".to_owned());
            score.n = measured.n;
            score.flag = metric.fires(measured);
            score.parts = measured.parts.iter().map(part).collect();
        }
        Err(reason) => score.reason = Some(reason.clone()),
    }
    score
}

fn part(part: &Part) -> EmbeddingPart {
    EmbeddingPart {
        unit: part.unit.to_owned(),
        name: part.name.clone(),
        n: part.n,
        value: Some(part.value).filter(|value| value.is_finite()),
        p: part.p,
    }
}

/// Places the value between the control embeddings of the card.
fn scale(
    score: &mut EmbeddingScore,
    metric: &dyn EmbeddingMetric,
    (at, place): (usize, usize),
    unit: Option<&str>,
    tables: &Tables<'_>,
    anchors: &[Outcomes],
) {
    let value_of = |control: &str| {
        let name = anchor(control, unit);
        let found = tables.made.iter().position(|made| made.name == name)?;
        let measured = anchors[found][at].get(place)?.as_ref().ok()?;
        Some(measured.value).filter(|value| value.is_finite())
    };
    let card = metric.card();
    (score.best, score.worst) = (value_of(card.best), value_of(card.worst));
    let Some(value) = score.value else { return };
    match (score.best, score.worst) {
        (Some(best), Some(worst)) if (best - worst).abs() > 1e-9 => {
            score.scaled = Some((value - worst) / (best - worst));
        }
        (Some(_), Some(_)) => remark(score, "not scaled: best and worst control embedding score the same"),
        (best, _) => {
            let name = if best.is_none() { card.best } else { card.worst };
            let why = match name.strip_prefix("none: ") {
                Some(why) => why.to_owned(),
                None => format!("`{}` has no value here", anchor(name, unit)),
            };
            remark(score, &format!("not scaled: {why}"));
        }
    }
}

/// Adds mean, spread, z and p of the permutation null, and a p to every part without one.
///
/// # Errors
/// Why there is no null, where one was asked for.
fn add_null(
    score: &mut EmbeddingScore,
    metric: &dyn EmbeddingMetric,
    space: &Space<'_>,
    roles: &Roles<'_>,
    measured: &Measured,
    settings: &Settings<'_>,
) -> Result<(), String> {
    if settings.permutations == 0 {
        return Ok(());
    }
    let is_large = roles.layout.rows > settings.jackknife_rows;
    let draws = match metric.null_cost() {
        NullCost::Low => settings.permutations,
        NullCost::Pass => settings.pass_permutations,
        NullCost::Small if is_large => return Err(format!("more than {} rows", settings.jackknife_rows)),
        NullCost::Small => settings.pass_permutations,
        NullCost::Pairs => settings.pair_permutations,
        NullCost::Unmoved => return Err("the value does not depend on what would be exchanged".to_owned()),
    };
    if draws == 0 {
        return Err("permutations of this cost are turned off".to_owned());
    }
    let nulls =
        permuted(metric, space, roles, draws, settings.seed).ok_or("nothing can be exchanged in this design")?;
    let values: Vec<f64> = nulls.iter().map(|null| null.value).filter(|value| value.is_finite()).collect();
    if values.len() < 2 {
        return Err("it is undefined under permutation".to_owned());
    }
    // Extreme is towards a batch effect, or towards biology.
    let higher_is_extreme = (metric.card().card.better == "lower") == (metric.card().side == Side::Batch)
        && metric.card().card.better != "none";
    let p = |value: f64, null: &[f64]| {
        let slack = 1e-9 * value.abs().max(1e-9);
        let extreme =
            null.iter().filter(|&&null| if higher_is_extreme { null >= value - slack } else { null <= value + slack });
        (1 + extreme.count()) as f64 / (1 + null.len()) as f64
    };
    score.permutations = values.len();
    score.null_mean = mean(&values);
    score.null_sd = sample_sd(&values);
    score.p = Some(p(measured.value, &values));
    if let (Some(centre), Some(sd)) = (score.null_mean, score.null_sd)
        && sd > 1e-12 * centre.abs().max(1.0)
    {
        score.z = Some((measured.value - centre) / sd);
    }
    if !metric.on_controls() {
        return Ok(());
    }
    for part in score.parts.iter_mut().filter(|part| part.p.is_none()) {
        let null: Vec<f64> = nulls
            .iter()
            .filter_map(|null| null.parts.iter().find(|other| other.unit == part.unit && other.name == part.name))
            .map(|other| other.value)
            .collect();
        part.p = part.value.filter(|_| null.len() == nulls.len()).map(|value| p(value, &null));
    }
    Ok(())
}

/// What is kept of one draw.
struct Drawn {
    value: f64,
    /// Of metrics on controls, whose parts have a null of their own.
    parts: Vec<Part>,
}

/// The metric under permutations of what it asks about; `None` if nothing can be exchanged.
fn permuted(
    metric: &dyn EmbeddingMetric,
    space: &Space<'_>,
    roles: &Roles<'_>,
    draws: usize,
    seed: Seed,
) -> Option<Vec<Drawn>> {
    let plate = roles.layout.plate.as_ref();
    let value = |roles: &Roles<'_>| Some(Drawn { value: metric.value(space, roles).ok()?, parts: Vec::new() });
    if metric.on_controls() {
        let unit = roles.controls.unit(roles.unit_name)?;
        let exchange = Exchange::new(unit, &[], roles.controls)?;
        return Some(drawn(draws, |index| {
            let controls = with_unit(roles.controls, roles.unit_name, exchange.draw(unit, seed, index));
            let measured = metric.measure(space, &Roles { controls: &controls, ..*roles }).ok()?;
            Some(Drawn { value: measured.value, parts: measured.parts })
        }));
    }
    if metric.per_unit() {
        let within_plates = plate.filter(|plate| varies_within(roles.unit, plate));
        let within: Vec<&Factor> = [Some(roles.label), within_plates].into_iter().flatten().collect();
        let exchange = Exchange::new(roles.unit, &within, roles.layout)?;
        return Some(drawn(draws, |index| value(&Roles { unit: &exchange.draw(roles.unit, seed, index), ..*roles })));
    }
    if metric.about_compounds() {
        let compounds = Compounds::new(roles)?;
        return Some(drawn(draws, |index| {
            let (layout, label) = compounds.draw(roles, seed, index);
            value(&Roles { label: &label, layout: &layout, ..*roles })
        }));
    }
    let exchange = if metric.labels_compounds() {
        let compounds = Layout { rows: roles.layout.rows, well: roles.layout.compound.clone(), ..Layout::default() };
        Exchange::new(roles.label, &[], &compounds)?
    } else {
        Exchange::new(roles.label, &plate.into_iter().collect::<Vec<_>>(), roles.layout)?
    };
    Some(drawn(draws, |index| value(&Roles { label: &exchange.draw(roles.label, seed, index), ..*roles })))
}

/// Draws side by side, in order of their numbers. What the space shares was made by the first measurement, so that no draw
/// waits for another.
fn drawn(draws: usize, measure: impl Fn(u64) -> Option<Drawn> + Sync + Send) -> Vec<Drawn> {
    (0..draws as u64).into_par_iter().filter_map(measure).collect()
}

/// A layout with another factor in the place of a unit.
fn with_unit(layout: &Layout, name: &str, factor: Factor) -> Layout {
    let mut layout = layout.clone();
    match name {
        "source" => layout.source = Some(factor),
        "batch" => layout.batch = Some(factor),
        "plate" => layout.plate = Some(factor),
        other => {
            layout.groups.insert(other.to_owned(), factor);
        }
    }
    layout
}
