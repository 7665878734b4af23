//! Reverse-mode differentiation: a list of closures, run from the end.
//!
//! An operation computes its output, then hands [`Tape::record`] a closure that turns the
//! gradient of the output into the gradients of its inputs. The closure owns what it needs
//! (activations, argmax, batch statistics) and is dropped as soon as it has run. A first gradient
//! is stored as it comes; further ones are added into a fresh tensor, because operations may pass
//! one gradient to several inputs.

use bench_core::seed::Seed;
use candle_core::{DType, Tensor};

use crate::{Error, Param, Result, ops};

/// Arithmetic of the operations on a CUDA device; the CPU computes in the parameters' type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single precision throughout.
    #[default]
    F32,
    /// Single precision storage, tensor-core products with 10-bit mantissas.
    Tf32,
    /// Activations in bfloat16, products accumulated in single precision, f32 master weights.
    Bf16,
}

/// Which statistics batch normalisation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Those of the batch, which also move the running ones.
    Batch,
    /// Those of the batch; the running ones stay (a second pass over the same batch).
    BatchWithoutUpdate,
    /// The running ones (evaluation).
    Running,
}

/// A tensor on a tape: its value, and where its gradient goes.
#[derive(Clone, Debug)]
pub struct Value {
    tensor: Tensor,
    node: Option<usize>,
}

impl Value {
    /// The numbers.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Whether a gradient is wanted.
    pub fn requires_grad(&self) -> bool {
        self.node.is_some()
    }

    /// Dimensions.
    pub fn dims(&self) -> &[usize] {
        self.tensor.dims()
    }
}

type Backward = Box<dyn FnOnce(&Tensor) -> Result<Vec<Option<Tensor>>>>;

struct Node {
    inputs: Vec<Option<usize>>,
    backward: Option<Backward>,
    param: Option<usize>,
}

/// The record of one forward pass.
pub struct Tape {
    nodes: Vec<Node>,
    /// (parameter index, activation type?, value): one leaf per parameter.
    leaves: Vec<Option<Value>>,
    recording: bool,
    dropout: bool,
    statistics: Statistics,
    precision: Precision,
    seed: Seed,
    draws: u64,
}

impl Tape {
    /// For a training step: records, drops out, normalises by the batch and moves running statistics.
    /// `seed` decides the dropout masks.
    pub fn training(seed: Seed) -> Tape {
        Tape::new(true, true, Statistics::Batch, seed)
    }

    /// For evaluation: nothing is recorded, no dropout, running statistics.
    pub fn inference() -> Tape {
        Tape::new(false, false, Statistics::Running, Seed(0))
    }

    fn new(recording: bool, dropout: bool, statistics: Statistics, seed: Seed) -> Tape {
        let precision = Precision::F32;
        Tape { nodes: vec![], leaves: vec![], recording, dropout, statistics, precision, seed, draws: 0 }
    }

    /// The same with or without recording (the first pass of a chunked step records nothing).
    pub fn recording(mut self, recording: bool) -> Tape {
        self.recording = recording;
        self
    }

    /// The same with other normalisation statistics.
    pub fn with_statistics(mut self, statistics: Statistics) -> Tape {
        self.statistics = statistics;
        self
    }

    /// The same in another precision (CUDA only; ignored on the CPU).
    pub fn with_precision(mut self, precision: Precision) -> Tape {
        self.precision = precision;
        self
    }

    /// Whether dropout drops.
    pub fn drops_out(&self) -> bool {
        self.dropout
    }

    /// Statistics of batch normalisation.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Arithmetic on CUDA.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The seed of the next random mask. Two tapes of one seed that run the same operations draw
    /// the same masks, so a pass can be replayed.
    pub fn next_seed(&mut self) -> Seed {
        self.draws += 1;
        self.seed.derive("tape", self.draws)
    }

    /// A tensor that needs no gradient.
    pub fn constant(&self, tensor: Tensor) -> Value {
        Value { tensor, node: None }
    }

    /// An input whose gradient is wanted; read it from [`Gradients::of`].
    pub fn input(&mut self, tensor: Tensor) -> Value {
        let node = self.recording.then(|| self.push(vec![], None, None));
        Value { tensor, node }
    }

    /// The value of a parameter in its own (master) type. Asked twice, it is one leaf.
    pub fn param(&mut self, param: &Param) -> Value {
        if !param.trainable() || !self.recording {
            return Value { tensor: param.tensor().clone(), node: None };
        }
        let index = param.index();
        if self.leaves.len() <= index {
            self.leaves.resize(index + 1, None);
        }
        if let Some(value) = &self.leaves[index] {
            return value.clone();
        }
        let node = self.push(vec![], None, Some(index));
        let value = Value { tensor: param.tensor().clone(), node: Some(node) };
        self.leaves[index] = Some(value.clone());
        value
    }

    /// The value of a weight in the type that products are computed in: bfloat16 under
    /// [`Precision::Bf16`] on CUDA, otherwise its own.
    pub fn weight(&mut self, param: &Param) -> Result<Value> {
        let value = self.param(param);
        if self.precision == Precision::Bf16 && value.tensor.device().is_cuda() {
            return ops::cast(self, &value, DType::BF16);
        }
        Ok(value)
    }

    /// Puts the output of an operation on the tape. `backward` turns the gradient of `output`
    /// into one gradient per input (`None` for those that need none). It is dropped unused when
    /// nothing is recorded or no input needs a gradient.
    pub fn record(
        &mut self,
        inputs: &[&Value],
        output: Tensor,
        backward: impl FnOnce(&Tensor) -> Result<Vec<Option<Tensor>>> + 'static,
    ) -> Value {
        if !self.recording || inputs.iter().all(|input| input.node.is_none()) {
            return Value { tensor: output, node: None };
        }
        let inputs = inputs.iter().map(|input| input.node).collect();
        let node = self.push(inputs, Some(Box::new(backward)), None);
        Value { tensor: output, node: Some(node) }
    }

    fn push(&mut self, inputs: Vec<Option<usize>>, backward: Option<Backward>, param: Option<usize>) -> usize {
        self.nodes.push(Node { inputs, backward, param });
        self.nodes.len() - 1
    }

    /// Runs the record backwards from `seeds`, pairs of an output and its gradient, and consumes
    /// it. Activations are freed on the way.
    pub fn backward(mut self, seeds: &[(&Value, Tensor)]) -> Result<Gradients> {
        self.leaves.clear();
        let mut slots: Vec<Option<Tensor>> = (0..self.nodes.len()).map(|_| None).collect();
        for (value, gradient) in seeds {
            if gradient.dims() != value.dims() {
                return Err(Error::shape("backward", format!("a gradient of {:?}", value.dims()), gradient.dims()));
            }
            if let Some(node) = value.node {
                add_into(&mut slots[node], gradient.clone())?;
            }
        }
        let mut gradients = Gradients { params: vec![], inputs: vec![] };
        while let Some(node) = self.nodes.pop() {
            let index = self.nodes.len();
            let Some(gradient) = slots[index].take() else { continue };
            match (node.backward, node.param) {
                (Some(backward), _) => {
                    for (input, part) in node.inputs.iter().zip(backward(&gradient)?) {
                        if let (Some(input), Some(part)) = (input, part) {
                            add_into(&mut slots[*input], part)?;
                        }
                    }
                }
                (None, Some(param)) => gradients.put(param, gradient)?,
                (None, None) => gradients.inputs.push((index, gradient)),
            }
        }
        Ok(gradients)
    }
}

fn add_into(slot: &mut Option<Tensor>, part: Tensor) -> Result<()> {
    *slot = Some(match slot.take() {
        None => part,
        Some(sum) => ops::sum_of(&sum, &part)?,
    });
    Ok(())
}

/// Gradients of a backward pass.
#[derive(Debug, Default)]
pub struct Gradients {
    params: Vec<Option<Tensor>>,
    inputs: Vec<(usize, Tensor)>,
}

impl Gradients {
    /// Gradient of an [`Tape::input`], if it was reached.
    pub fn of(&self, value: &Value) -> Option<&Tensor> {
        let node = value.node?;
        self.inputs.iter().find(|(index, _)| *index == node).map(|(_, gradient)| gradient)
    }

    /// Gradient of a parameter, if it was reached.
    pub fn param(&self, param: &Param) -> Option<&Tensor> {
        self.params.get(param.index())?.as_ref()
    }

    /// Gradient of the parameter at an index of its set, if it was reached.
    pub fn at(&self, index: usize) -> Option<&Tensor> {
        self.params.get(index)?.as_ref()
    }

    /// Parameter gradients with the indices of their parameters, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Tensor)> {
        self.params.iter().enumerate().filter_map(|(index, gradient)| Some((index, gradient.as_ref()?)))
    }

    /// Replaces the gradient of the parameter at `index`.
    pub fn set(&mut self, index: usize, gradient: Tensor) {
        if self.params.len() <= index {
            self.params.resize(index + 1, None);
        }
        self.params[index] = Some(gradient);
    }

    /// Adds the parameter gradients of another pass (of a chunk of the same batch).
    pub fn add(&mut self, other: Gradients) -> Result<()> {
        for (index, gradient) in other.params.into_iter().enumerate() {
            if let Some(gradient) = gradient {
                self.put(index, gradient)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, index: usize, gradient: Tensor) -> Result<()> {
        if self.params.len() <= index {
            self.params.resize(index + 1, None);
        }
        add_into(&mut self.params[index], gradient)
    }
}
