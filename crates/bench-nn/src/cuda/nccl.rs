//! Exchange between GPUs through NCCL, one rank per device.
//!
//! Each rank is a process (or a thread) of its own. Rank zero makes an identifier with
//! [`Nccl::identifier`] and hands it to the others, who all [`Nccl::join`]; the call returns when
//! every rank has come. All exchange is in the order of the device's stream; nothing waits for it.

use std::fmt;

use candle_core::cuda_backend::cudarc::driver::DeviceRepr;
use candle_core::cuda_backend::cudarc::nccl::safe::{Comm, Id, NcclType, ReduceOp, group_end, group_start};
use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage, CudaStorageSlice};
use candle_core::op::BackpropOp;
use candle_core::{Device, Storage, Tensor};

use super::machine::failed;
use crate::distributed::Communicator;
use crate::{Error, Result};

/// A rank of several GPUs.
pub struct Nccl {
    comm: Comm,
    device: CudaDevice,
}

impl fmt::Debug for Nccl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nccl(rank {} of {})", self.comm.rank(), self.comm.world_size())
    }
}

impl Nccl {
    /// A name for a new group of ranks.
    pub fn identifier() -> Result<[u8; 128]> {
        let id = Id::new().map_err(|error| failed("ncclGetUniqueId", format!("{:?}", error.0)))?;
        Ok(id.internal().map(|byte| byte as u8))
    }

    /// Joins the group as `rank` of `size`; waits for the others.
    pub fn join(device: &Device, identifier: [u8; 128], rank: usize, size: usize) -> Result<Nccl> {
        let device = device.as_cuda_device()?.clone();
        let stream = device.cuda_stream();
        stream.context().bind_to_thread().map_err(|error| failed("cuCtxSetCurrent", format!("{:?}", error.0)))?;
        let id = Id::uninit(identifier.map(|byte| byte as std::ffi::c_char));
        let comm = Comm::from_rank(stream, rank, size, id);
        Ok(Nccl { comm: comm.map_err(|error| failed("ncclCommInitRank", format!("{:?}", error.0)))?, device })
    }

    /// Runs `exchange` on the numbers of `x` and fresh room for `copies` times as many.
    fn exchange(&self, x: &Tensor, dims: &[usize], kind: Kind) -> Result<Tensor> {
        let (storage, layout) = x.storage_and_layout();
        let (Storage::Cuda(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
            return Err(Error::unsupported("exchange", "a tensor that is not contiguous on a CUDA device"));
        };
        let len = dims.iter().product();
        let result = match &storage.slice {
            CudaStorageSlice::F32(slice) => self.typed(&slice.slice(start..end), len, kind)?,
            CudaStorageSlice::BF16(slice) => self.typed(&slice.slice(start..end), len, kind)?,
            _ => return Err(Error::unsupported("exchange", format!("{:?}", x.dtype()))),
        };
        Ok(Tensor::from_storage(Storage::Cuda(result), dims, BackpropOp::none(), false))
    }

    fn typed<T: NcclType + DeviceRepr + CudaDType>(
        &self,
        from: &candle_core::cuda_backend::cudarc::driver::CudaView<'_, T>,
        len: usize,
        kind: Kind,
    ) -> Result<CudaStorage> {
        // SAFETY: the exchange writes all of it.
        let mut to = unsafe { self.device.alloc::<T>(len)? };
        let done = match kind {
            Kind::Gather => self.comm.all_gather(from, &mut to),
            Kind::Sum => self.comm.all_reduce(from, &mut to, &ReduceOp::Sum),
        };
        done.map_err(|error| failed("nccl", format!("{:?}", error.0)))?;
        Ok(CudaStorage::wrap_cuda_slice(to, self.device.clone()))
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Gather,
    Sum,
}

impl Communicator for Nccl {
    fn rank(&self) -> usize {
        self.comm.rank()
    }

    fn size(&self) -> usize {
        self.comm.world_size()
    }

    fn all_gather_rows(&self, x: &Tensor) -> Result<Tensor> {
        let mut dims = x.dims().to_vec();
        dims[0] *= self.size();
        self.exchange(x, &dims, Kind::Gather)
    }

    fn all_reduce_sum(&self, x: &Tensor) -> Result<Tensor> {
        self.exchange(x, x.dims(), Kind::Sum)
    }

    /// One launch for all.
    fn all_reduce_sums(&self, tensors: &[&Tensor]) -> Result<Vec<Tensor>> {
        group_start().map_err(|error| failed("ncclGroupStart", format!("{:?}", error.0)))?;
        let sums = tensors.iter().map(|tensor| self.all_reduce_sum(tensor)).collect();
        group_end().map_err(|error| failed("ncclGroupEnd", format!("{:?}", error.0)))?;
        sums
    }
}
