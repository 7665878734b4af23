//! The kernels' source and its compilation.
//!
//! What: the files of `kernels/` as one program, compiled by nvrtc to machine code for one
//! architecture when a device is first used (some seconds).
//! Why machine code and not PTX: a driver refuses PTX of a newer compiler, but takes machine code
//! of any compiler of its major version.

use candle_core::cuda_backend::cudarc::nvrtc::{Ptx, result, sys};

use super::machine::failed;
use crate::Result;

/// All files, in the order in which they use each other.
pub(super) const SOURCE: &str = concat!(
    include_str!("kernels/common.cu"),
    include_str!("kernels/elementwise.cu"),
    include_str!("kernels/batch_norm.cu"),
    include_str!("kernels/pool.cu"),
    include_str!("kernels/rows.cu"),
    include_str!("kernels/table.cu"),
    include_str!("kernels/segment.cu"),
    include_str!("kernels/optimise.cu"),
);

/// Compiles the kernels for a compute capability, such as 9.0.
pub fn compile_for(major: u32, minor: u32) -> Result<Ptx> {
    let text = std::ffi::CString::new(SOURCE).map_err(|error| failed("nvrtc", error))?;
    let program = result::create_program(&text, Some(c"bench-nn kernels"))
        .map_err(|error| failed("nvrtcCreateProgram", error))?;
    let binary = compile(program, &[format!("--gpu-architecture=sm_{major}{minor}"), "--std=c++17".to_string()]);
    // SAFETY: the program was made above and is not used afterwards.
    unsafe { result::destroy_program(program) }.map_err(|error| failed("nvrtcDestroyProgram", error))?;
    Ok(Ptx::from_binary(binary?))
}

fn compile(program: sys::nvrtcProgram, options: &[String]) -> Result<Vec<u8>> {
    // SAFETY: the program exists, and the buffers have the sizes that it asks for.
    unsafe {
        if let Err(error) = result::compile_program(program, options) {
            let log = result::get_program_log(program).unwrap_or_default();
            let log: String = log.iter().map(|&byte| byte as u8 as char).filter(|&byte| byte != '\0').collect();
            return Err(failed("nvrtcCompileProgram", format!("{error}: {log}")));
        }
        let mut size = 0;
        sys::nvrtcGetCUBINSize(program, &mut size).result().map_err(|error| failed("nvrtcGetCUBINSize", error))?;
        let mut binary = vec![0u8; size];
        let filled = sys::nvrtcGetCUBIN(program, binary.as_mut_ptr().cast());
        filled.result().map_err(|error| failed("nvrtcGetCUBIN", error))?;
        Ok(binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_compile_for_hopper_and_its_elders() {
        if let Err(error) = compile_for(9, 0) {
            let message = error.to_string();
            assert!(message.contains("nvrtcCreateProgram"), "{message}");
            eprintln!("skipped: nvrtc was not found, so the kernels were not compiled ({message})");
            return;
        }
        compile_for(8, 0).unwrap();
    }
}
