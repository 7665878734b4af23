//! Chains of corrections: parsed from text, fitted step by step, applied to unseen rows.
//!
//! # Grammar
//! `step > step > ...`; a step is an id with parameters in parentheses, `sphere(method=zca-cor, epsilon=1e-6)`, or the
//! name of a preset, which stands for its chain. `mad-plate` is short for `mad(by=plate)`. `none` is the empty chain.
//! Every parameter has a default; unknown ones are errors.
//!
//! # Names
//! [`Chain::name`] is what the user wrote, [`Chain::canonical`] names every parameter, so that a record stays readable
//! when a default changes.

use bench_core::Matrix;

use crate::correction::{Correction, FitInput, Fitted, check};
use crate::params::Setting;
use crate::registry::{self, Kind};
use crate::{CorrectionCard, Error, Origin, presets};

/// One step of a chain.
pub struct Step {
    kind: &'static Kind,
    settings: Vec<Setting>,
    correction: Box<dyn Correction>,
}

impl Step {
    /// Its card.
    pub fn card(&self) -> &'static CorrectionCard {
        self.kind.card
    }

    /// Its settings, in order of the card.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The correction.
    pub fn correction(&self) -> &dyn Correction {
        &*self.correction
    }

    fn text(&self, with_defaults: bool) -> String {
        let shown: Vec<String> = self
            .settings
            .iter()
            .filter(|setting| with_defaults || !setting.is_default)
            .map(|setting| format!("{}={}", setting.name, setting.value))
            .collect();
        let id = self.kind.card.card.id;
        if shown.is_empty() { id.to_owned() } else { format!("{id}({})", shown.join(", ")) }
    }
}

/// A chain of corrections; the empty one leaves rows as they are.
pub struct Chain {
    name: String,
    steps: Vec<Step>,
}

impl Chain {
    /// Reads a chain.
    ///
    /// # Errors
    /// Text that is no chain, an unknown correction or parameter, a setting out of range.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let name = text.trim().to_owned();
        let mut steps = Vec::new();
        if name != "none" {
            read_steps(&name, &name, &mut steps)?;
        }
        Ok(Self { name, steps })
    }

    /// The chain as it was written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The chain with every parameter, as records keep it.
    pub fn canonical(&self) -> String {
        self.text(true)
    }

    /// The chain with the parameters that are not the default.
    pub fn short(&self) -> String {
        self.text(false)
    }

    fn text(&self, with_defaults: bool) -> String {
        if self.steps.is_empty() {
            return "none".to_owned();
        }
        let steps: Vec<String> = self.steps.iter().map(|step| step.text(with_defaults)).collect();
        steps.join(" > ")
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether any step's results depend on all fitted rows together.
    pub fn is_transductive(&self) -> bool {
        self.steps.iter().any(|step| step.correction.is_transductive())
    }

    /// Whether any step keeps the effect of a covariate, which is an answer.
    pub fn wants_covariate(&self) -> bool {
        self.steps.iter().any(|step| step.correction.wants_covariate())
    }

    /// Fits every step on what the steps before it give.
    ///
    /// # Errors
    /// What a step says.
    pub fn fit(&self, input: &FitInput<'_>) -> Result<FittedChain, Error> {
        self.learn(input, false).map(|(fitted, _)| fitted)
    }

    /// Fits the chain and returns the corrected rows of the fit too, which are those that `apply` would give.
    ///
    /// # Errors
    /// What a step says.
    pub fn fit_apply(&self, input: &FitInput<'_>) -> Result<(FittedChain, Matrix), Error> {
        let (fitted, corrected) = self.learn(input, true)?;
        Ok((fitted, corrected.unwrap_or_else(|| input.matrix.clone())))
    }

    fn learn(&self, input: &FitInput<'_>, to_the_end: bool) -> Result<(FittedChain, Option<Matrix>), Error> {
        check("chain", input.matrix, input.origin, input.matrix.cols(), true)?;
        let mut current: Option<Matrix> = None;
        let mut fitted: Vec<Box<dyn Fitted>> = Vec::with_capacity(self.steps.len());
        let mut notes = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let matrix = current.as_ref().unwrap_or(input.matrix);
            let seed = input.seed.derive("correction", at as u64);
            let learned = step.correction.fit(&FitInput { matrix, seed, ..*input })?;
            notes.extend(learned.notes().iter().map(|note| format!("{}: {note}", step.card().card.id)));
            if to_the_end || at + 1 < self.steps.len() {
                current = Some(learned.apply(matrix, input.origin)?);
            }
            fitted.push(learned);
        }
        let kept = kept(&fitted, input.matrix.cols());
        Ok((FittedChain { steps: fitted, kept, notes }, current))
    }
}

/// A chain with what its steps learned.
pub struct FittedChain {
    steps: Vec<Box<dyn Fitted>>,
    kept: Option<Vec<u32>>,
    notes: Vec<String>,
}

impl std::fmt::Debug for FittedChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FittedChain").field("steps", &self.steps.len()).field("notes", &self.notes).finish()
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Chain").field(&self.canonical()).finish()
    }
}

impl Fitted for FittedChain {
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        let mut current = None;
        for step in &self.steps {
            current = Some(step.apply(current.as_ref().unwrap_or(matrix), origin)?);
        }
        Ok(current.unwrap_or_else(|| matrix.clone()))
    }

    /// The columns that every selecting step kept, if columns keep their meaning through the other steps; steps that
    /// turn to new axes end that.
    fn kept(&self) -> Option<&[u32]> {
        self.kept.as_deref()
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Composition of the selections, if every step but them keeps the number of columns.
fn kept(steps: &[Box<dyn Fitted>], cols: usize) -> Option<Vec<u32>> {
    let mut current: Vec<u32> = (0..cols as u32).collect();
    let mut selects = false;
    for step in steps {
        if let Some(kept) = step.kept() {
            selects = true;
            current = kept.iter().map(|&col| current.get(col as usize).copied()).collect::<Option<_>>()?;
        }
    }
    selects.then_some(current)
}

fn read_steps(whole: &str, text: &str, steps: &mut Vec<Step>) -> Result<(), Error> {
    for part in split(whole, text, '>')? {
        let part = part.trim();
        let (id, given) = read_step(whole, part)?;
        if let (Some(preset), true) = (presets::lookup(id), given.is_empty()) {
            read_steps(whole, preset.chain, steps)?;
            continue;
        }
        if presets::lookup(id).is_some() && registry::lookup(id).is_err() {
            let why = format!("the preset `{id}` takes no parameters; write its steps instead");
            return Err(Error::Syntax { chain: whole.to_owned(), why });
        }
        let (kind, built) = registry::build(id, given)?;
        steps.push(Step { kind, settings: built.settings, correction: built.correction });
    }
    Ok(())
}

/// Parts of a text between separators outside of parentheses.
fn split<'a>(whole: &str, text: &'a str, separator: char) -> Result<Vec<&'a str>, Error> {
    let refuse = |why: String| Error::Syntax { chain: whole.to_owned(), why };
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Err(refuse("a `)` closes nothing".to_owned())),
            ')' => depth -= 1,
            c if c == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err(refuse("a `(` is not closed".to_owned()));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

/// Id and parameters of a step.
type Parsed<'a> = (&'a str, Vec<(String, String)>);

fn read_step<'a>(whole: &str, step: &'a str) -> Result<Parsed<'a>, Error> {
    let refuse = |why: String| Error::Syntax { chain: whole.to_owned(), why };
    let (id, rest) = step.find('(').map_or((step, ""), |at| step.split_at(at));
    let id = id.trim();
    if id.is_empty() {
        return Err(refuse("a step is empty; a chain looks like `mad-plate > int > select > sphere`".to_owned()));
    }
    if id == "none" {
        return Err(refuse("`none` stands alone".to_owned()));
    }
    if rest.is_empty() {
        return Ok((id, Vec::new()));
    }
    let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
        return Err(refuse(format!("`{rest}` after `{id}` is not a list of parameters")));
    };
    let mut given = Vec::new();
    for part in inner.split(',').map(str::trim).filter(|part| !part.is_empty() || !inner.trim().is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(refuse(format!("`{part}` of `{id}` is not `parameter=value`")));
        };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() || value.contains(['(', ')', '=']) {
            return Err(refuse(format!("`{part}` of `{id}` is not `parameter=value`")));
        }
        given.push((name.to_owned(), value.to_owned()));
    }
    Ok((id, given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_reads_back_from_its_canonical_form() {
        let chain = Chain::parse(" mad-plate > int>select ( na = 0.1 )> sphere(epsilon=1e-3,method=pca) ").unwrap();
        assert_eq!(chain.short(), "mad > int > select(na=0.1) > sphere(method=pca, epsilon=0.001)");
        let again = Chain::parse(&chain.canonical()).unwrap();
        assert_eq!(again.canonical(), chain.canonical());
        assert!(
            chain.canonical().starts_with("mad(by=plate, on=controls, constant=1.4826, epsilon=0, defect=none) > ")
        );
        assert!(chain.is_transductive() && !chain.wants_covariate());
        assert_eq!(Chain::parse("none").unwrap().canonical(), "none");
        assert_eq!(Chain::parse("mad-source").unwrap().short(), "mad(by=source)");
    }

    #[test]
    fn every_preset_is_a_chain_and_no_preset_hides_a_correction() {
        for preset in &presets::PRESETS {
            let chain = Chain::parse(preset.name).unwrap();
            assert_eq!(chain.canonical(), Chain::parse(preset.chain).unwrap().canonical());
            assert!(registry::lookup(preset.name).is_err(), "{}", preset.name);
            assert_eq!(chain.name(), preset.name);
        }
    }

    #[test]
    fn breaches_are_named() {
        let message = |text: &str| Chain::parse(text).unwrap_err().to_string();
        for (text, part) in [
            ("", "a step is empty"),
            ("mad > > int", "a step is empty"),
            ("mad(by=plate", "not closed"),
            ("mad)", "closes nothing"),
            ("mad(plate)", "`plate` of `mad` is not `parameter=value`"),
            ("mad(by=plate)x", "not a list of parameters"),
            ("mad(by=well)", "one of `all`, `source`, `batch`, `plate`"),
            ("mad(constant=-1)", "a number above 0"),
            ("mad(constant=NaN)", "a number above 0"),
            ("mad(by=plate, by=batch)", "given twice"),
            ("mad-plate(by=plate)", "given twice"),
            ("mad > none", "`none` stands alone"),
            ("arevalo2024(by=plate)", "takes no parameters"),
            ("select(operations=na+na)", "named twice"),
            ("select(operations=nan)", "one of `na`"),
            ("sphere(k=2)", "has no parameter `k`; it has `method`"),
            ("int-well", "unknown correction `int-well`"),
            ("combat(covariate=given, on=controls)", "no covariate to keep"),
        ] {
            assert!(message(text).contains(part), "`{text}`: {}", message(text));
        }
        let hint = |text: &str| Chain::parse(text).unwrap_err().hint();
        assert_eq!(hint("sphere(methd=zca)").as_deref(), Some("did you mean `method`?"));
        assert_eq!(hint("arevalo2023").as_deref(), Some("did you mean `arevalo2024`?"));
    }
}
