//! Which device computes.
//!
//! What: `auto`, `cpu` or `cuda:N` as a user writes it, and the device it stands for.
//! Why: `auto` takes the first CUDA device if there is one and otherwise the CPU, and says why;
//! `cuda:N` is a demand, so a missing device is an error. Nothing of the driver is called before it
//! answered that a device exists, because a binary built as `.ci/cuda` does starts without it.
//! One stream serves all threads, so tensors may be made on one thread and used on another.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;

use crate::{Error, Result};

/// A device as a user writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this number, as the driver counts.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<DeviceChoice> {
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            _ => {
                let number = text.strip_prefix("cuda:").and_then(|number| number.parse().ok());
                number.map(DeviceChoice::Cuda).ok_or_else(|| Error::UnknownDevice(text.to_string()))
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// What a choice came to.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The device.
    pub device: Device,
    /// Why it is not the one that was hoped for, to be shown to the user.
    pub notice: Option<String>,
}

impl DeviceChoice {
    /// Opens the device. An error if a CUDA device was named and cannot be opened.
    pub fn select(self) -> Result<Selected> {
        match self {
            DeviceChoice::Cpu => Ok(Selected { device: Device::Cpu, notice: None }),
            DeviceChoice::Cuda(number) => match open(number) {
                Ok(device) => Ok(Selected { device, notice: None }),
                Err(reason) => Err(Error::NoDevice { device: self.to_string(), reason }),
            },
            DeviceChoice::Auto => Ok(match open(0) {
                Ok(device) => Selected { device, notice: None },
                Err(reason) => {
                    Selected { device: Device::Cpu, notice: Some(format!("computing on the CPU: {reason}")) }
                }
            }),
        }
    }
}

#[cfg(feature = "cuda")]
fn open(number: usize) -> Result<Device, String> {
    crate::cuda::open(number)
}

#[cfg(not(feature = "cuda"))]
fn open(_: usize) -> Result<Device, String> {
    Err("this binary was built without the feature `cuda`".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_and_written_alike() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda:0", DeviceChoice::Cuda(0)),
            ("cuda:11", DeviceChoice::Cuda(11)),
        ] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), choice);
            assert_eq!(choice.to_string(), text);
        }
        assert_eq!("cuda".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(0));
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:a", "CPU"] {
            let message = text.parse::<DeviceChoice>().unwrap_err().to_string();
            assert_eq!(message, format!("unknown device `{text}`, expected `auto`, `cpu` or `cuda:N`"));
        }
    }

    #[test]
    fn auto_falls_back_with_a_notice_and_a_named_device_does_not() {
        assert!(DeviceChoice::Cpu.select().unwrap().notice.is_none());
        let auto = DeviceChoice::Auto.select().unwrap();
        assert_eq!(auto.notice.is_some(), auto.device.is_cpu());
        if let Some(notice) = auto.notice {
            assert!(notice.starts_with("computing on the CPU: "), "{notice}");
        }
        let message = DeviceChoice::Cuda(97).select().unwrap_err().to_string();
        assert!(message.starts_with("device `cuda:97` cannot be used: "), "{message}");
    }
}
