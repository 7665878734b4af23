//! Training on several devices: exchange between ranks, and gradients through it.
//!
//! What: each rank computes the embeddings of its own rows, gathers those of all ranks, and
//! evaluates its share of the objective. With the objective defined as the sum over ranks of their
//! shares, the gradient of a rank's own rows is the sum over ranks of the gradients of those rows
//! in the gathered matrix, and the gradient of a parameter is the sum over ranks.
//! Why this way: contrastive losses compare every row with every row, so ranks must see all rows,
//! while the encoders, which cost nearly everything, stay apart.
//! What it does not do: batch normalisation uses each rank's own rows.
//!
//! [`Alone`] and [`InProcess`] (threads on the CPU, which the tests use) need no device;
//! `cuda::Nccl` is the one for several GPUs. Every rank must make the same calls in the same order,
//! and sums are added in the order of the ranks or in an order fixed by the library.

use std::sync::{Arc, Barrier, Mutex, PoisonError};

use candle_core::Tensor;

use crate::ops::sum_of;
use crate::{Error, Gradients, Result, Tape, Value};

/// One rank's way to all ranks.
pub trait Communicator {
    /// Number of this rank, from zero.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn size(&self) -> usize;

    /// The tables `(rows, columns)` of all ranks, of one shape, below each other in rank order.
    fn all_gather_rows(&self, x: &Tensor) -> Result<Tensor>;

    /// The sum over ranks of tensors of one shape; the same on all ranks.
    fn all_reduce_sum(&self, x: &Tensor) -> Result<Tensor>;

    /// Several sums at once.
    fn all_reduce_sums(&self, tensors: &[&Tensor]) -> Result<Vec<Tensor>> {
        tensors.iter().map(|tensor| self.all_reduce_sum(tensor)).collect()
    }
}

/// The only rank.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Communicator for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_gather_rows(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn all_reduce_sum(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }
}

/// Ranks that are threads of this process, for tests of the mathematics.
#[derive(Clone, Debug)]
pub struct InProcess {
    rank: usize,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    slots: Mutex<Vec<Option<Tensor>>>,
    barrier: Barrier,
}

impl InProcess {
    /// One communicator for each of `size` threads.
    pub fn ranks(size: usize) -> Vec<InProcess> {
        let shared = Arc::new(Shared { slots: Mutex::new(vec![None; size]), barrier: Barrier::new(size) });
        (0..size).map(|rank| InProcess { rank, shared: shared.clone() }).collect()
    }

    /// The tensors of all ranks. Waits until all have come, and again until all have read.
    fn exchange(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let slots = || self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots()[self.rank] = Some(x.clone());
        self.shared.barrier.wait();
        let all: Vec<Tensor> = slots().iter().flatten().cloned().collect();
        self.shared.barrier.wait();
        match all.iter().find(|other| other.dims() != x.dims()) {
            Some(other) => Err(Error::shape("exchange", format!("{:?} on every rank", x.dims()), other.dims())),
            None => Ok(all),
        }
    }
}

impl Communicator for InProcess {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn all_gather_rows(&self, x: &Tensor) -> Result<Tensor> {
        Ok(Tensor::cat(&self.exchange(x)?, 0)?.contiguous()?)
    }

    fn all_reduce_sum(&self, x: &Tensor) -> Result<Tensor> {
        let all = self.exchange(x)?;
        all[1..].iter().try_fold(all[0].clone(), |sum, part| sum_of(&sum, part))
    }
}

/// The rows of all ranks, `(size * rows, columns)`, with a gradient: that of the own rows, summed
/// over ranks.
pub fn gather_embeddings(tape: &mut Tape, x: &Value, ranks: &Arc<dyn Communicator>) -> Result<Value> {
    let &[rows, _] = x.dims() else {
        return Err(Error::shape("gather_embeddings", "a table (rows, columns)", x.dims()));
    };
    let output = ranks.all_gather_rows(&x.tensor().contiguous()?)?;
    let ranks = ranks.clone();
    Ok(tape.record(&[x], output, move |dy| {
        let sum = ranks.all_reduce_sum(&dy.contiguous()?)?;
        Ok(vec![Some(sum.narrow(0, ranks.rank() * rows, rows)?.contiguous()?)])
    }))
}

/// Sums the parameter gradients over all ranks, which must have reached the same parameters.
pub fn sum_gradients(gradients: &mut Gradients, ranks: &dyn Communicator) -> Result<()> {
    let mut indices = vec![];
    let mut parts = vec![];
    for (index, gradient) in gradients.iter() {
        indices.push(index);
        parts.push(gradient.contiguous()?);
    }
    let sums = ranks.all_reduce_sums(&parts.iter().collect::<Vec<_>>())?;
    for (index, sum) in indices.into_iter().zip(sums) {
        gradients.set(index, sum);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bench_core::seed::Seed;
    use candle_core::{DType, Device};

    use super::*;
    use crate::{Builder, Init, ParamSet, Role, from_values, ops, view};

    const ROWS: usize = 3;
    const RANKS: usize = 3;

    fn network() -> ParamSet {
        let builder = Builder::new(Seed(5), DType::F64, &Device::Cpu);
        builder.param("weight", (4, 5), Role::Weight, Init::Normal { std: 1.0 }).unwrap();
        builder.finish()
    }

    fn images(from: usize, to: usize) -> Tensor {
        let mut stream = Seed(11).stream();
        let all: Vec<f64> = (0..RANKS * ROWS).map(|_| stream.normal()).collect();
        from_values(all[from..to].to_vec(), (to - from, 1)).unwrap()
    }

    /// Embeddings of rows `from..to`: each image times each of the four rows of the weight.
    fn embed(tape: &mut Tape, params: &ParamSet, from: usize, to: usize) -> Value {
        let weight = tape.param(params.get("weight").unwrap());
        let index = ops::RowIndex::new((from..to).map(|row| row as u32 % 4).collect(), 4, &Device::Cpu).unwrap();
        let rows = ops::gather_rows(tape, &weight, &index).unwrap();
        let scaled = ops::scale_rows(tape, &rows, &images(from, to).flatten_all().unwrap()).unwrap();
        ops::normalize_rows(tape, &scaled).unwrap()
    }

    /// Softmax of all cosines of rows `from..to` against all rows: a share of a contrastive loss.
    /// Returns the gradient with respect to the gathered embeddings by finite weights.
    fn share(all: &Tensor, from: usize, to: usize) -> Tensor {
        let all = candle_core::Var::from_tensor(all).unwrap();
        let logits = all.narrow(0, from, to - from).unwrap().matmul(&all.t().unwrap()).unwrap();
        let exponentials = (logits * 3.0).unwrap().exp().unwrap();
        let loss = exponentials.sum(1).unwrap().log().unwrap().sum_all().unwrap();
        loss.backward().unwrap().get(&all).unwrap().clone()
    }

    fn numbers(gradients: &Gradients, params: &ParamSet) -> Vec<f64> {
        view::<f64>(gradients.param(params.get("weight").unwrap()).unwrap()).unwrap().to_vec()
    }

    #[test]
    fn ranks_together_get_the_gradient_of_one_process() {
        let params = network();
        let mut tape = Tape::training(Seed(1));
        let all = embed(&mut tape, &params, 0, RANKS * ROWS);
        let mut slope = share(all.tensor(), 0, RANKS * ROWS);
        let whole = numbers(&tape.backward(&[(&all, slope.clone())]).unwrap(), &params);
        // The shares add up to the whole.
        for rank in 0..RANKS {
            slope = (slope - share(all.tensor(), rank * ROWS, (rank + 1) * ROWS)).unwrap();
        }
        assert!(slope.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap() < 1e-12);

        let results: Vec<Vec<f64>> = std::thread::scope(|scope| {
            let start = |ranks: InProcess| {
                scope.spawn(move || {
                    let (params, rank) = (network(), ranks.rank());
                    let ranks: Arc<dyn Communicator> = Arc::new(ranks);
                    let mut tape = Tape::training(Seed(1));
                    let own = embed(&mut tape, &params, rank * ROWS, (rank + 1) * ROWS);
                    let all = gather_embeddings(&mut tape, &own, &ranks).unwrap();
                    let slope = share(all.tensor(), rank * ROWS, (rank + 1) * ROWS);
                    let mut gradients = tape.backward(&[(&all, slope)]).unwrap();
                    sum_gradients(&mut gradients, &*ranks).unwrap();
                    numbers(&gradients, &params)
                })
            };
            let threads: Vec<_> = InProcess::ranks(RANKS).into_iter().map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for result in &results {
            assert_eq!(result, &results[0], "all ranks hold the same sum");
            for (own, whole) in result.iter().zip(&whole) {
                assert!((own - whole).abs() < 1e-12, "{own} {whole}");
            }
        }
    }

    #[test]
    fn alone_changes_nothing_and_shapes_must_agree() {
        let x = from_values(vec![1f64, 2.0], (2, 1)).unwrap();
        assert_eq!(Alone.all_gather_rows(&x).unwrap().dims(), &[2, 1]);
        assert_eq!((Alone.rank(), Alone.size()), (0, 1));
        assert_eq!(Alone.all_reduce_sum(&x).unwrap().to_vec2::<f64>().unwrap(), vec![vec![1.0], vec![2.0]]);

        let failures = std::thread::scope(|scope| {
            let start = |ranks: InProcess| {
                scope.spawn(move || {
                    let shape = (ranks.rank() + 1, 1);
                    ranks.all_gather_rows(&Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap()).is_err()
                })
            };
            let threads: Vec<_> = InProcess::ranks(2).into_iter().map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(failures, [true, true]);
    }
}
