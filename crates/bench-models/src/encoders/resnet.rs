//! Residual networks over images of any number of channels.
//!
//! # What
//! A 7x7 stride-2 convolution, a 3x3 stride-2 max-pool, four stages of residual blocks, and the
//! average over pixels. No classifier.
//!
//! # Why
//! ResNet-34 is the image tower of the reference; the demo networks are its shape at sizes that
//! two CPU cores train.
//!
//! # Names
//! As torchvision's (`conv1.weight`, `layer1.0.bn1.running_mean`, `layer2.0.downsample.0.weight`),
//! so its weight files map one to one (see [`crate::weights`]). The stride of a bottleneck is on
//! its 3x3 convolution, as in torchvision and timm.
//!
//! # Reference
//! He et al. 2016; initialisation as torchvision: convolutions normal with variance 2 / fan-out,
//! batch norm scale one and shift zero.

use bench_nn::ops::{self, BatchNorm, ConvOptions};
use bench_nn::{Builder, Init, Param, Precision, Role, Tape, Value};
use candle_core::DType;
use serde::{Deserialize, Serialize};

use super::ImageEncoder;
use crate::layers::typed;
use crate::{Error, Result};

/// Momentum of the running statistics.
const MOMENTUM: f64 = 0.1;

/// Kind of residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3 and 1x1 convolutions; the output is four times as wide.
    Bottleneck,
}

impl Block {
    fn expansion(self) -> usize {
        match self {
            Block::Basic => 1,
            Block::Bottleneck => 4,
        }
    }

    /// Kernel and output channels of each convolution.
    fn convolutions(self, width: usize) -> Vec<(usize, usize)> {
        match self {
            Block::Basic => vec![(3, width), (3, width)],
            Block::Bottleneck => vec![(1, width), (3, width), (1, 4 * width)],
        }
    }
}

/// Shape of a residual network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ResNetConfig {
    /// Kind of block.
    pub block: Block,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Width of each stage; the first is also that of the stem.
    pub widths: Vec<usize>,
}

impl ResNetConfig {
    fn new(block: Block, depths: [usize; 4], width: usize) -> ResNetConfig {
        ResNetConfig { block, depths: depths.to_vec(), widths: (0..4).map(|stage| width << stage).collect() }
    }

    /// ResNet-18.
    pub fn resnet18() -> ResNetConfig {
        ResNetConfig::new(Block::Basic, [2, 2, 2, 2], 64)
    }

    /// ResNet-34.
    pub fn resnet34() -> ResNetConfig {
        ResNetConfig::new(Block::Basic, [3, 4, 6, 3], 64)
    }

    /// ResNet-50.
    pub fn resnet50() -> ResNetConfig {
        ResNetConfig::new(Block::Bottleneck, [3, 4, 6, 3], 64)
    }

    /// Demo networks A (images of 64 pixels) and B (96): one block per stage, half as wide.
    pub fn demo_a() -> ResNetConfig {
        ResNetConfig::new(Block::Basic, [1, 1, 1, 1], 32)
    }

    /// Demo network C: two blocks per stage, half as wide.
    pub fn demo_c() -> ResNetConfig {
        ResNetConfig::new(Block::Basic, [2, 2, 2, 2], 32)
    }

    /// Half the width of demo network A, for tests on images of 32 pixels.
    pub fn tiny() -> ResNetConfig {
        ResNetConfig::new(Block::Basic, [1, 1, 1, 1], 16)
    }

    fn check(&self) -> Result<()> {
        if self.depths.is_empty() || self.depths.len() != self.widths.len() {
            let reason = format!("{} depths and {} widths", self.depths.len(), self.widths.len());
            return Err(Error::setting("image.depths", reason));
        }
        if self.depths.iter().chain(&self.widths).any(|&n| n == 0) {
            return Err(Error::setting("image.depths", "depths and widths are at least 1"));
        }
        Ok(())
    }
}

/// A convolution and its normalisation.
#[derive(Clone, Debug)]
struct ConvNorm {
    weight: Param,
    norm: BatchNorm,
    options: ConvOptions,
}

impl ConvNorm {
    /// Parameters `{conv}.weight` and `{norm}.*`.
    fn new(
        builder: &Builder,
        names: (&str, &str),
        kernel: usize,
        channels: (usize, usize),
        stride: usize,
    ) -> Result<ConvNorm> {
        let (inputs, outputs) = channels;
        let start = Init::KaimingNormal { fan: outputs * kernel * kernel };
        let shape = (outputs, kernel, kernel, inputs);
        Ok(ConvNorm {
            weight: builder.within(names.0).param("weight", shape, Role::Weight, start)?,
            norm: BatchNorm::new(&builder.within(names.1), outputs, MOMENTUM)?,
            options: ConvOptions { stride, padding: kernel / 2 },
        })
    }

    fn forward(&self, tape: &mut Tape, x: &Value, residual: Option<&Value>, relu: bool) -> Result<Value> {
        let weight = typed(tape, &self.weight, x)?;
        let y = ops::conv2d(tape, x, &weight, self.options)?;
        Ok(ops::batch_norm(tape, &y, &self.norm, residual, relu)?)
    }
}

#[derive(Clone, Debug)]
struct Residual {
    convolutions: Vec<ConvNorm>,
    downsample: Option<ConvNorm>,
}

impl Residual {
    fn new(builder: &Builder, block: Block, inputs: usize, width: usize, stride: usize) -> Result<Residual> {
        let mut channels = inputs;
        let mut convolutions = Vec::new();
        let mut strided = false;
        for (at, (kernel, outputs)) in block.convolutions(width).into_iter().enumerate() {
            let names = (format!("conv{}", at + 1), format!("bn{}", at + 1));
            let step = if kernel == 3 && !strided { stride } else { 1 };
            strided |= kernel == 3;
            let names = (names.0.as_str(), names.1.as_str());
            convolutions.push(ConvNorm::new(builder, names, kernel, (channels, outputs), step)?);
            channels = outputs;
        }
        let downsample = (stride != 1 || inputs != channels)
            .then(|| ConvNorm::new(&builder.within("downsample"), ("0", "1"), 1, (inputs, channels), stride))
            .transpose()?;
        Ok(Residual { convolutions, downsample })
    }

    fn forward(&self, tape: &mut Tape, x: &Value) -> Result<Value> {
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.forward(tape, x, None, false)?,
            None => x.clone(),
        };
        let last = self.convolutions.len() - 1;
        let mut y = x.clone();
        for (at, convolution) in self.convolutions.iter().enumerate() {
            y = convolution.forward(tape, &y, (at == last).then_some(&shortcut), true)?;
        }
        Ok(y)
    }
}

/// A residual network.
#[derive(Clone, Debug)]
pub struct ResNet {
    channels: usize,
    features: usize,
    stem: ConvNorm,
    blocks: Vec<Residual>,
}

impl ResNet {
    /// A network of a shape over images of `channels`.
    ///
    /// # Errors
    /// A shape without blocks, or no channels.
    pub fn new(builder: &Builder, config: &ResNetConfig, channels: usize) -> Result<ResNet> {
        config.check()?;
        if channels == 0 {
            return Err(Error::setting("channels", "at least one channel"));
        }
        let mut width = config.widths[0];
        let stem = ConvNorm::new(builder, ("conv1", "bn1"), 7, (channels, width), 2)?;
        let mut blocks = Vec::new();
        for (stage, (&depth, &planes)) in config.depths.iter().zip(&config.widths).enumerate() {
            let layer = builder.within(format_args!("layer{}", stage + 1));
            for at in 0..depth {
                let stride = if stage > 0 && at == 0 { 2 } else { 1 };
                blocks.push(Residual::new(&layer.within(at), config.block, width, planes, stride)?);
                width = planes * config.block.expansion();
            }
        }
        Ok(ResNet { channels, features: width, stem, blocks })
    }
}

impl ImageEncoder for ResNet {
    fn channels(&self) -> usize {
        self.channels
    }

    fn features(&self) -> usize {
        self.features
    }

    fn forward(&self, tape: &mut Tape, images: &Value) -> Result<Value> {
        let &[_, _, _, channels] = images.dims() else {
            return Err(Error::batch("resnet", "images (n, height, width, channels)", images.dims()));
        };
        if channels != self.channels {
            return Err(Error::batch("resnet", format!("{} channels", self.channels), images.dims()));
        }
        let brain = tape.precision() == Precision::Bf16 && images.tensor().device().is_cuda();
        let images = if brain { ops::cast(tape, images, DType::BF16)? } else { images.clone() };
        let mut x = self.stem.forward(tape, &images, None, true)?;
        x = ops::max_pool(tape, &x, 3, 2, 1)?;
        for block in &self.blocks {
            x = block.forward(tape, &x)?;
        }
        Ok(ops::global_average_pool(tape, &x)?)
    }
}
