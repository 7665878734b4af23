//! Two towers, their heads, a temperature and a loss.

use bench_chem::{GraphBatch, MoleculeGraph};
use bench_core::Seed;
use bench_nn::{Builder, Gradients, ParamSet, Tape, Value};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::encoders::{
    FingerprintConfig, FingerprintMlp, Gin, GinConfig, GraphInputs, HeadConfig, ImageEncoder, MoleculeEncoder,
    MoleculeInput, MoleculeInputs, Pna, PnaConfig, ProjectionHead, ResNet, ResNetConfig,
};
use crate::losses::{Embeddings, Loss, LossConfig, LossOutput};
use crate::{Error, Result, Temperature, TemperatureConfig};

/// Which network reads images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageEncoderConfig {
    /// ResNet-18.
    Resnet18,
    /// ResNet-34, the reference's.
    #[default]
    Resnet34,
    /// ResNet-50.
    Resnet50,
    /// Demo networks A and B, which differ in the size of their images.
    DemoA,
    /// Demo network C.
    DemoC,
    /// For tests.
    Tiny,
    /// A residual network of another shape.
    Resnet(ResNetConfig),
}

impl ImageEncoderConfig {
    /// The shape that is meant.
    pub fn shape(&self) -> ResNetConfig {
        match self {
            ImageEncoderConfig::Resnet18 => ResNetConfig::resnet18(),
            ImageEncoderConfig::Resnet34 => ResNetConfig::resnet34(),
            ImageEncoderConfig::Resnet50 => ResNetConfig::resnet50(),
            ImageEncoderConfig::DemoA => ResNetConfig::demo_a(),
            ImageEncoderConfig::DemoC => ResNetConfig::demo_c(),
            ImageEncoderConfig::Tiny => ResNetConfig::tiny(),
            ImageEncoderConfig::Resnet(shape) => shape.clone(),
        }
    }
}

/// Which network reads molecules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoleculeEncoderConfig {
    /// Principal neighbourhood aggregation, the reference's.
    Pna(PnaConfig),
    /// Graph isomorphism network.
    Gin(GinConfig),
    /// Perceptron over fingerprints.
    Fingerprint(FingerprintConfig),
}

impl Default for MoleculeEncoderConfig {
    fn default() -> MoleculeEncoderConfig {
        MoleculeEncoderConfig::Pna(PnaConfig::default())
    }
}

/// A model and its loss. Defaults are those of the reference's CLIP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Loss between the embeddings.
    pub loss: LossConfig,
    /// Its temperature.
    pub temperature: TemperatureConfig,
    /// Channels of an image.
    pub channels: usize,
    /// Image tower.
    pub image: ImageEncoderConfig,
    /// Molecule tower.
    pub molecule: MoleculeEncoderConfig,
    /// Head of each tower.
    pub head: HeadConfig,
}

impl Default for ModelConfig {
    fn default() -> ModelConfig {
        ModelConfig::paper("clip")
    }
}

impl ModelConfig {
    /// `clip`, `emm` or `imm` (or a loss) at the size and settings of the reference: temperature
    /// 0.5 and dropout 0.2 in the heads for CLIP, 1 and 0 for the multi-view methods.
    pub fn paper(method: &str) -> ModelConfig {
        let loss = LossConfig::of(method);
        let single = !(loss.id().starts_with("emm") || loss.id().starts_with("imm"));
        let (start, dropout) = if single { (0.5, 0.2) } else { (1.0, 0.0) };
        ModelConfig {
            loss,
            temperature: TemperatureConfig { start, ..TemperatureConfig::default() },
            channels: 5,
            image: ImageEncoderConfig::default(),
            molecule: MoleculeEncoderConfig::default(),
            head: HeadConfig { dropout, ..HeadConfig::default() },
        }
    }

    /// The same at the size that two CPU cores train in minutes.
    pub fn demo(method: &str) -> ModelConfig {
        let paper = ModelConfig::paper(method);
        ModelConfig {
            image: ImageEncoderConfig::DemoA,
            molecule: MoleculeEncoderConfig::Pna(PnaConfig::demo()),
            head: HeadConfig { embedding: 128, ..paper.head },
            ..paper
        }
    }

    /// The same at a size for tests: images of 32 pixels.
    pub fn tiny(method: &str) -> ModelConfig {
        let demo = ModelConfig::demo(method);
        ModelConfig {
            image: ImageEncoderConfig::Tiny,
            molecule: MoleculeEncoderConfig::Pna(PnaConfig {
                hidden: 16,
                depth: 2,
                output: 32,
                ..PnaConfig::default()
            }),
            head: HeadConfig { embedding: 32, ..demo.head },
            ..demo
        }
    }
}

/// What a tower makes of a minibatch.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Output of the encoder (the "backbone"). `(n, features)`
    pub features: Value,
    /// Output of the head (the "projection"), not normalised. `(n, embedding)`
    pub embedding: Value,
}

/// Result of a training step before the optimiser.
#[derive(Debug)]
pub struct Step {
    /// Loss and its gradients.
    pub loss: LossOutput,
    /// Gradients of the parameters.
    pub gradients: Gradients,
}

/// Two towers and a loss.
#[derive(Debug)]
pub struct Model {
    /// As configured.
    pub config: ModelConfig,
    /// Image tower; parameters `image.*`.
    pub image: Box<dyn ImageEncoder>,
    /// Its head; parameters `image_head.*`.
    pub image_head: ProjectionHead,
    /// Molecule tower; parameters `molecule.*`.
    pub molecule: Box<dyn MoleculeEncoder>,
    /// Its head; parameters `molecule_head.*`.
    pub molecule_head: ProjectionHead,
    /// Temperature of the loss; parameter `log_temperature` if it is learnt.
    pub temperature: Temperature,
    /// Loss between the embeddings.
    pub loss: Box<dyn Loss>,
    /// All parameters.
    pub params: ParamSet,
    dtype: DType,
    device: Device,
}

impl Model {
    /// A model with initial weights drawn from `seed`. `dtype` is `F32`, or `F64` to check
    /// gradients.
    ///
    /// # Errors
    /// Settings out of their range.
    pub fn new(config: &ModelConfig, seed: Seed, dtype: DType, device: &Device) -> Result<Model> {
        let builder = Builder::new(seed.derive("weights", 0), dtype, device);
        let image = ResNet::new(&builder.within("image"), &config.image.shape(), config.channels)?;
        let image_head = ProjectionHead::new(&builder.within("image_head"), image.features(), config.head)?;
        let tower = builder.within("molecule");
        let molecule: Box<dyn MoleculeEncoder> = match &config.molecule {
            MoleculeEncoderConfig::Pna(size) => Box::new(Pna::new(&tower, *size)?),
            MoleculeEncoderConfig::Gin(size) => Box::new(Gin::new(&tower, *size)?),
            MoleculeEncoderConfig::Fingerprint(size) => Box::new(FingerprintMlp::new(&tower, size)?),
        };
        let molecule_head = ProjectionHead::new(&builder.within("molecule_head"), molecule.features(), config.head)?;
        Ok(Model {
            image: Box::new(image),
            image_head,
            molecule,
            molecule_head,
            temperature: Temperature::new(config.temperature, &builder)?,
            loss: config.loss.build()?,
            params: builder.finish(),
            config: config.clone(),
            dtype,
            device: device.clone(),
        })
    }

    /// Type of the parameters.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Where the parameters are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Molecules on the device, as the molecule tower reads them.
    ///
    /// # Errors
    /// A tower that reads fingerprints, or a molecule without atoms.
    pub fn graphs(&self, molecules: &[&MoleculeGraph]) -> Result<MoleculeInputs> {
        match self.molecule.input() {
            MoleculeInput::Graphs(vocabulary) => {
                let batch = GraphBatch::new(molecules);
                let graphs = GraphInputs::new(&batch, vocabulary, self.dtype, &self.device)?;
                Ok(MoleculeInputs::Graphs(Box::new(graphs)))
            }
            MoleculeInput::Fingerprints(bits) => {
                Err(Error::batch("fingerprint", format!("fingerprints of {bits} bits"), "graphs"))
            }
        }
    }

    /// Runs the image tower. `images`: `(n, height, width, channels)` in [0, 1], on the device
    ///
    /// # Errors
    /// Images that the tower cannot take.
    pub fn encode_images(&self, tape: &mut Tape, images: &Tensor) -> Result<Encoded> {
        let features = self.image.forward(tape, &tape.constant(images.clone()))?;
        let embedding = self.image_head.forward(tape, &features)?;
        Ok(Encoded { features, embedding })
    }

    /// Runs the molecule tower.
    ///
    /// # Errors
    /// Inputs of another kind than the tower reads.
    pub fn encode_molecules(&self, tape: &mut Tape, molecules: &MoleculeInputs) -> Result<Encoded> {
        let features = self.molecule.forward(tape, molecules)?;
        let embedding = self.molecule_head.forward(tape, &features)?;
        Ok(Encoded { features, embedding })
    }

    /// The loss between embeddings. Rows `i m .. (i + 1) m` of the `n m` images belong to molecule
    /// `i`; the images' gradient comes back in the same shape.
    ///
    /// # Errors
    /// Counts that do not divide, or a loss that does not take this many views.
    pub fn compare(&self, molecules: &Tensor, images: &Tensor) -> Result<LossOutput> {
        let (&[n, width], &[rows, _]) = (molecules.dims(), images.dims()) else {
            return Err(Error::batch("compare", "two matrices", (molecules.dims(), images.dims())));
        };
        if n == 0 || !rows.is_multiple_of(n) {
            return Err(Error::batch("compare", format!("a multiple of {n} images"), rows));
        }
        // The image tower may run in bfloat16, the molecule tower does not.
        let common = |x: &Tensor| if x.dtype() == DType::F64 { Ok(x.clone()) } else { x.to_dtype(DType::F32) };
        let batch = Embeddings {
            molecules: common(molecules)?,
            images: common(images)?.reshape((n, rows / n, width))?,
            tau: self.temperature.value()?,
        };
        let output = self.loss.evaluate(&batch)?;
        Ok(LossOutput {
            molecules: output.molecules.to_dtype(molecules.dtype())?,
            images: output.images.reshape((rows, width))?.to_dtype(images.dtype())?,
            ..output
        })
    }

    /// Loss and parameter gradients of a minibatch, in one pass.
    ///
    /// # Errors
    /// Inputs that the towers or the loss cannot take.
    pub fn step(&self, mut tape: Tape, images: &Tensor, molecules: &MoleculeInputs) -> Result<Step> {
        let molecules = self.encode_molecules(&mut tape, molecules)?.embedding;
        let images = self.encode_images(&mut tape, images)?.embedding;
        let loss = self.compare(molecules.tensor(), images.tensor())?;
        let seeds = [(&molecules, loss.molecules.clone()), (&images, loss.images.clone())];
        let mut gradients = tape.backward(&seeds)?;
        self.add_temperature(&mut gradients, &loss)?;
        Ok(Step { loss, gradients })
    }

    /// Puts the gradient of a learnt temperature among those of the parameters.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn add_temperature(&self, gradients: &mut Gradients, loss: &LossOutput) -> Result<()> {
        if let Some(log) = &self.temperature.log {
            gradients.set(log.index(), self.temperature.log_gradient(&loss.tau)?);
        }
        Ok(())
    }
}
