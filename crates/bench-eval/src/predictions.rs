//! What a probe says about the test rows of one fold.

/// Predictions of one fit, ties kept as ties.
///
/// # Shapes
/// `n` test rows, `classes` classes of the whole task (not only those seen in training).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Test rows, ascending canonical row numbers; length `n`.
    pub rows: Vec<u32>,
    /// Number of classes.
    pub classes: usize,
    /// Class probabilities `[n, classes]`, each row sums to one. Classes unseen in training
    /// have probability zero.
    pub probability: Vec<f64>,
    /// Start of each row's decision in `decision`; length `n + 1`.
    pub decision_start: Vec<u32>,
    /// Expected decision: `(class, weight)` with weights of a row summing to one. One entry of
    /// weight one unless the decision is tied; a tie between two classes is `[(a, 0.5), (b, 0.5)]`.
    pub decision: Vec<(u32, f64)>,
}

impl Predictions {
    /// An empty set of predictions to which rows are pushed.
    pub fn with_classes(classes: usize) -> Self {
        Self { classes, decision_start: vec![0], ..Self::default() }
    }

    /// Appends a test row.
    pub fn push(&mut self, row: u32, probability: &[f64], decision: impl IntoIterator<Item = (u32, f64)>) {
        debug_assert_eq!(probability.len(), self.classes);
        self.rows.push(row);
        self.probability.extend_from_slice(probability);
        self.decision.extend(decision);
        self.decision_start.push(self.decision.len() as u32);
    }

    /// Number of test rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no test rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Class probabilities of the `i`-th test row.
    pub fn probability(&self, i: usize) -> &[f64] {
        &self.probability[i * self.classes..(i + 1) * self.classes]
    }

    /// Expected decision of the `i`-th test row.
    pub fn decision(&self, i: usize) -> &[(u32, f64)] {
        &self.decision[self.decision_start[i] as usize..self.decision_start[i + 1] as usize]
    }

    /// Probability that the decision of the `i`-th test row is `class`.
    pub fn decided(&self, i: usize, class: u32) -> f64 {
        self.decision(i).iter().filter(|(c, _)| *c == class).map(|(_, w)| w).sum()
    }

    /// Appends all rows of another set (folds that are pooled).
    pub fn append(&mut self, other: &Self) {
        assert_eq!(self.classes, other.classes, "pooled folds share their classes");
        let offset = self.decision.len() as u32;
        self.rows.extend_from_slice(&other.rows);
        self.probability.extend_from_slice(&other.probability);
        self.decision.extend_from_slice(&other.decision);
        self.decision_start.extend(other.decision_start[1..].iter().map(|s| s + offset));
    }
}
