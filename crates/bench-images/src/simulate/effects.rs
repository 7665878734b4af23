//! What source, batch, plate and well do to an image.
//!
//! # What
//! [`Effects::new`] turns the dials and the names of source, batch, plate and well into numbers;
//! `Effects::expose` applies them in the order of physics: bleed-through of filters, blur of
//! optics and focus, illumination, staining and gain, background, shot and read noise, camera.
//! Every deviate is drawn from (seed, purpose, name), so a source is the same source on all its
//! plates, and turning one dial does not move another.

use bench_core::{Seed, Stream};

use super::cells::{CHANNELS, Canvas};
use super::dials::Dials;
use super::grid::{Size, blur, white_noise};
use super::phenotype::bounded_normal;

/// Point spread of the best microscope.
const OPTICS_UM: f64 = 0.55;
/// Photoelectrons of a bright object.
const PHOTONS: f64 = 1500.0;
/// Read noise as a part of a bright object.
const READ_NOISE: f64 = 0.008;
/// Camera counts of a bright object, of 65,535.
const EXPOSURE: f32 = 36_000.0;

/// Effects on the images of one well.
#[derive(Clone, Debug, PartialEq)]
pub struct Effects {
    /// Factor on the number of cells.
    pub density: f64,
    bleed: [[f32; CHANNELS]; CHANNELS],
    sigma_um: [f64; CHANNELS],
    gain: [f32; CHANNELS],
    offset: [f32; CHANNELS],
    photons: f32,
    read_noise: f32,
    /// Fall-off at the corners, and the centre in units of half a side.
    illumination: [[f32; 3]; CHANNELS],
    levels: f32,
}

/// Where a well is.
pub struct Place<'a> {
    /// Imaging centre.
    pub source: &'a str,
    /// Batch of that centre.
    pub batch: &'a str,
    /// Barcode.
    pub plate: &'a str,
    /// Row, counted from 0.
    pub row: usize,
    /// Column, counted from 0.
    pub column: usize,
    /// Rows of the plate.
    pub rows: usize,
    /// Columns of the plate.
    pub columns: usize,
}

fn deviates(seed: Seed, purpose: &str, name: &str) -> Stream {
    seed.derive(&format!("{purpose} {name}"), 0).stream()
}

impl Effects {
    /// Effects at a place.
    pub fn new(seed: Seed, dials: &Dials, place: &Place) -> Self {
        let source = |purpose: &str| deviates(seed, purpose, place.source);
        let batch = |purpose: &str| deviates(seed, purpose, &format!("{}__{}", place.source, place.batch));
        let plate =
            |purpose: &str| deviates(seed, purpose, &format!("{}__{}__{}", place.source, place.batch, place.plate));
        let each = |mut stream: Stream| -> [f64; CHANNELS] { std::array::from_fn(|_| bounded_normal(&mut stream)) };

        // Source.
        let mut optics = source("blur");
        let width = 0.9 * dials.blur * bounded_normal(&mut optics).abs();
        let widths = [0; CHANNELS].map(|_| width * (1.0 + 0.15 * bounded_normal(&mut optics)));
        let common = bounded_normal(&mut source("exposure"));
        let mut log_gain = each(source("gain")).map(|z| dials.gain * (0.22 * common + 0.22 * z));
        let mut offset = each(source("offset")).map(|z| 0.06 * dials.offset * z.abs());
        let noise = 1.0 + 2.5 * dials.noise * bounded_normal(&mut source("noise")).abs();
        let fall = each(source("illumination")).map(|z| 0.25 * dials.illumination * z.abs());
        let mut centre = source("illumination centre");
        let centre: [f64; 2] = std::array::from_fn(|_| 0.3 * dials.illumination * bounded_normal(&mut centre));
        let mut filters = source("bleed-through");
        let mut bleed = [[0.0f32; CHANNELS]; CHANNELS];
        // Dyes whose spectra overlap: (from, to), DNA, AGP, ER, Mito, RNA.
        for (from, to) in [(0, 2), (2, 4), (4, 2), (4, 1), (1, 4), (1, 3)] {
            bleed[to][from] = (0.22 * dials.bleed_through * filters.uniform()) as f32;
        }
        let bits = 16.0 - 11.0 * dials.bit_depth * source("bit depth").uniform();
        let mut log_density = 0.30 * dials.confluency * bounded_normal(&mut source("confluency"));

        // Batch.
        for (log, z) in log_gain.iter_mut().zip(each(batch("staining"))) {
            *log += 0.25 * dials.staining * z;
        }
        for (offset, z) in offset.iter_mut().zip(each(batch("haze"))) {
            *offset += 0.03 * dials.staining * z.abs();
        }

        // Plate: focus drifts along a direction of its own.
        let mut focus = plate("focus");
        let [height, tilt_row, tilt_column] = [(); 3].map(|()| bounded_normal(&mut focus));
        let (down, across) = (place.rows - 1, place.columns - 1);
        let (r, c) = (place.row as f64 / down as f64 - 0.5, place.column as f64 / across as f64 - 0.5);
        let defocus = 0.7 * dials.focus * (height + tilt_row * r + tilt_column * c).abs();
        let border = place.row.min(down - place.row).min(place.column).min(across - place.column);
        let edge = match border {
            0 => 1.0,
            1 => 0.5,
            _ => 0.0,
        };
        log_density -= 0.35 * dials.edge * edge;
        log_gain.iter_mut().for_each(|log| *log += 0.2 * dials.edge * edge);

        // Well: the same rows and columns on all plates.
        let mut rows = deviates(seed, "position row", &place.row.to_string());
        let mut columns = deviates(seed, "position column", &place.column.to_string());
        for log in &mut log_gain {
            *log += 0.10 * dials.position * (bounded_normal(&mut rows) + bounded_normal(&mut columns));
        }
        log_density += 0.12 * dials.position * (bounded_normal(&mut rows) + bounded_normal(&mut columns));

        Self {
            density: log_density.exp(),
            bleed,
            sigma_um: widths.map(|w| (OPTICS_UM * OPTICS_UM + w * w + defocus * defocus).sqrt()),
            gain: log_gain.map(|log| log.exp() as f32),
            offset: offset.map(|o| o as f32),
            photons: (PHOTONS / noise) as f32,
            read_noise: (READ_NOISE * noise) as f32,
            illumination: fall.map(|f| [f as f32, centre[0] as f32, centre[1] as f32]),
            levels: bits.clamp(3.0, 16.0).exp2() as f32,
        }
    }

    /// Camera counts of each channel, from dye per pixel.
    pub(super) fn expose(&self, canvas: &mut Canvas, size: Size, pixel_um: f64, field: Seed) -> [Vec<u16>; CHANNELS] {
        self.mix(canvas);
        let mut noise = Vec::new();
        std::array::from_fn(|c| {
            let plane = &mut canvas.planes[c];
            blur(plane, size, (self.sigma_um[c] / pixel_um) as f32, &mut canvas.work);
            let [fall, down, right] = self.illumination[c];
            let half = [size.height as f32 / 2.0, size.width as f32 / 2.0];
            noise.resize(size.pixels(), 0.0);
            white_noise(&mut field.derive("camera", c as u64).stream(), &mut noise);
            let mut counts = Vec::with_capacity(size.pixels());
            for (y, (row, noise)) in plane.chunks_exact(size.width).zip(noise.chunks_exact(size.width)).enumerate() {
                let v = (y as f32 + 0.5) / half[0] - 1.0 - down;
                for (x, (&dye, &z)) in row.iter().zip(noise).enumerate() {
                    let u = (x as f32 + 0.5) / half[1] - 1.0 - right;
                    let light = (1.0 - fall * 0.5 * (u * u + v * v)).max(0.05);
                    let signal = dye * self.gain[c] * light + self.offset[c];
                    let spread = (signal / self.photons + self.read_noise * self.read_noise).sqrt();
                    let level = ((signal + spread * z) * (EXPOSURE / 65536.0)).clamp(0.0, 1.0) * self.levels;
                    // The camera tells `levels` greys apart and spreads them over 16 bits.
                    let level = level.floor().min(self.levels - 1.0);
                    counts.push((level / self.levels * 65536.0) as u16);
                }
            }
            counts
        })
    }

    /// Light of other dyes in each filter.
    fn mix(&self, canvas: &mut Canvas) {
        if self.bleed.iter().flatten().all(|&b| b == 0.0) {
            return;
        }
        for at in 0..canvas.planes[0].len() {
            let dyes: [f32; CHANNELS] = std::array::from_fn(|c| canvas.planes[c][at]);
            for (c, weights) in self.bleed.iter().enumerate() {
                canvas.planes[c][at] += weights.iter().zip(&dyes).map(|(w, d)| w * d).sum::<f32>();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(dials: &Dials, source: &str, row: usize) -> Effects {
        on_plate(dials, source, row, [16, 24])
    }

    fn on_plate(dials: &Dials, source: &str, row: usize, [rows, columns]: [usize; 2]) -> Effects {
        Effects::new(Seed(1), dials, &Place { source, batch: "b", plate: "p", row, column: 7, rows, columns })
    }

    #[test]
    fn the_edge_is_that_of_the_plate() {
        let edge = Dials { edge: 1.0, ..Dials::none() };
        let density = |row: usize, size: [usize; 2]| on_plate(&edge, "source_9", row, size).density;
        assert!(density(15, [16, 24]) < 1.0);
        assert_eq!(density(15, [32, 48]), 1.0);
        assert_eq!(density(31, [32, 48]), density(15, [16, 24]));
    }

    #[test]
    fn dials_at_zero_make_all_places_alike() {
        let none = Dials::none();
        let one = effects(&none, "source_2", 0);
        assert_eq!(one, effects(&none, "source_3", 9));
        assert_eq!((one.density, one.gain, one.offset, one.levels), (1.0, [1.0; CHANNELS], [0.0; CHANNELS], 65536.0));
        assert_ne!(effects(&Dials::all(1.0), "source_2", 0), effects(&Dials::all(1.0), "source_3", 0));
    }

    #[test]
    fn each_dial_moves_its_own_effect_only() {
        let base = effects(&Dials::none(), "source_5", 0);
        let gain = effects(&Dials { gain: 1.0, ..Dials::none() }, "source_5", 0);
        assert_ne!(base.gain, gain.gain);
        assert_eq!(Effects { gain: base.gain, ..gain }, base);
        let more = effects(&Dials { gain: 1.0, blur: 2.0, ..Dials::none() }, "source_5", 0);
        assert_eq!(more.gain, effects(&Dials { gain: 1.0, ..Dials::none() }, "source_5", 0).gain);
        for dials in [
            Dials { blur: 1.0, ..Dials::none() },
            Dials { offset: 1.0, ..Dials::none() },
            Dials { noise: 1.0, ..Dials::none() },
            Dials { illumination: 1.0, ..Dials::none() },
            Dials { bleed_through: 1.0, ..Dials::none() },
            Dials { bit_depth: 1.0, ..Dials::none() },
            Dials { confluency: 1.0, ..Dials::none() },
            Dials { staining: 1.0, ..Dials::none() },
            Dials { focus: 1.0, ..Dials::none() },
            Dials { edge: 1.0, ..Dials::none() },
            Dials { position: 1.0, ..Dials::none() },
        ] {
            assert_ne!(effects(&dials, "source_5", 0), base, "{dials:?}");
        }
    }
}
