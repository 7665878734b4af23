//! Cells of one field, as dye per pixel before any microscope.
//!
//! # What
//! Cells are set at a distance from each other; every pixel belongs to the cell whose centre is
//! nearest in units of that cell's size, so that crowded cells touch along straight borders and
//! single ones are round. Five planes follow: nuclei with chromatin texture and dark nucleoli
//! (DNA); border, fibres and Golgi (AGP); a reticulum around the nucleus (ER); a granular network
//! (Mito); nucleoli and a haze of cytoplasm (RNA).
//!
//! # Units
//! Lengths in micrometres, so that pixel size is a property of the microscope; brightness so that
//! 1 is a bright object. The cost is proportional to the number of pixels.

use bench_core::{Seed, Stream};

use super::grid::{Size, smooth_noise};
use super::phenotype::{Phenotype, Trait, bounded_normal};

/// Channels of a field: DNA, AGP, ER, Mito, RNA.
pub(super) const CHANNELS: usize = 5;
/// Cells per square micrometre in an untreated well.
const DENSITY: f64 = 6.0e-4;
/// Cells whose centre lies this far outside may reach in.
const MARGIN_UM: f64 = 24.0;
/// Centres are at least this far apart where there is room.
const DISTANCE_UM: f64 = 17.0;
const CELL_RADIUS_UM: f64 = 21.0;
const NUCLEUS_RADIUS_UM: f64 = 7.4;
/// Softness of outlines.
const EDGE_UM: f32 = 0.9;

struct Nucleolus {
    x: f32,
    y: f32,
    radius: f32,
}

struct Cell {
    x: f32,
    y: f32,
    /// Rotation and inverse axes of the cell.
    cell: Ellipse,
    radius: f32,
    nucleus: Ellipse,
    nucleus_radius: f32,
    golgi: [f32; 3],
    nucleoli: Vec<Nucleolus>,
    fibre: [f32; 2],
    brightness: [f32; CHANNELS],
    chromatin: f32,
    er_texture: f32,
    er_spread: f32,
    fibres: f32,
    membrane: f32,
    golgi_brightness: f32,
    mito_coarse: f32,
    mito_spread: f32,
    nucleolus_brightness: f32,
}

#[derive(Clone, Copy)]
struct Ellipse {
    cos: f32,
    sin: f32,
    across: f32,
    along: f32,
}

impl Ellipse {
    /// Axes `radius * e^(+-stretch / 2)`, turned by `angle`.
    fn new(radius: f64, stretch: f64, angle: f64) -> Self {
        let ratio = (stretch / 2.0).exp();
        Self {
            cos: angle.cos() as f32,
            sin: angle.sin() as f32,
            along: (1.0 / (radius * ratio)) as f32,
            across: (ratio / radius) as f32,
        }
    }

    /// Distance from the centre in units of the outline.
    #[inline(always)]
    fn distance(&self, x: f32, y: f32) -> f32 {
        let u = (x * self.cos + y * self.sin) * self.along;
        let v = (y * self.cos - x * self.sin) * self.across;
        (u * u + v * v).sqrt()
    }
}

/// Planes of dye, one per channel, and working space that is used again for the next field.
#[derive(Default)]
pub(super) struct Canvas {
    pub(super) planes: [Vec<f32>; CHANNELS],
    nearest: Vec<f32>,
    second: Vec<f32>,
    owner: Vec<u32>,
    noise: [Vec<f32>; 5],
    pub(super) work: Vec<f32>,
}

/// What stands around the cells of a field.
pub(super) struct Scene<'a> {
    pub(super) size: Size,
    pub(super) pixel_um: f64,
    pub(super) phenotype: &'a Phenotype,
    pub(super) variation: f64,
    /// Factor on the number of cells.
    pub(super) density: f64,
}

/// Paints the cells of a field. `well` seeds what the fields of a well share.
pub(super) fn paint(scene: &Scene, well: Seed, field: Seed, canvas: &mut Canvas) {
    let mut stream = field.derive("cells", 0).stream();
    let mut shared = well.derive("well", 0).stream();
    let well_density = (0.12 * scene.variation * bounded_normal(&mut shared)).exp();
    let cells = place(scene, well_density, &mut stream);
    let noise_seed = field.derive("texture", 0);
    // Smoothness of the textures: outline, reticulum, grain, two grains of mitochondria.
    for (i, sigma_um) in [5.0, 1.7, 0.9, 0.8, 1.9].into_iter().enumerate() {
        let sigma = (sigma_um / scene.pixel_um) as f32;
        let stream = &mut noise_seed.derive("plane", i as u64).stream();
        smooth_noise(stream, scene.size, sigma, &mut canvas.noise[i], &mut canvas.work);
    }
    assign(scene, &cells, canvas);
    colour(scene, &cells, canvas);
}

fn poisson(mean: f64, stream: &mut Stream) -> usize {
    if mean > 40.0 {
        return (mean + mean.sqrt() * stream.normal()).round().max(0.0) as usize;
    }
    let (limit, mut product, mut n) = ((-mean).exp(), stream.uniform(), 0);
    while product > limit {
        product *= stream.uniform();
        n += 1;
    }
    n
}

fn place(scene: &Scene, well_density: f64, stream: &mut Stream) -> Vec<Cell> {
    let (height, width) = (scene.size.height as f64 * scene.pixel_um, scene.size.width as f64 * scene.pixel_um);
    let area = (height + 2.0 * MARGIN_UM) * (width + 2.0 * MARGIN_UM);
    let mean = area * DENSITY * well_density * scene.density * scene.phenotype.get(Trait::Count).exp();
    let n = poisson(mean, stream);
    // Centres by cells of a coarse grid, so that a look at the neighbours costs the same anywhere.
    let columns = ((width + 2.0 * MARGIN_UM) / DISTANCE_UM).ceil() as usize + 1;
    let rows = ((height + 2.0 * MARGIN_UM) / DISTANCE_UM).ceil() as usize + 1;
    let mut grid: Vec<Vec<(f64, f64)>> = vec![Vec::new(); rows * columns];
    let mut cells = Vec::with_capacity(n);
    for _ in 0..n {
        let mut best = (0.0, 0.0);
        let mut best_distance = -1.0;
        // Of eight tries the first with room, otherwise the one with the most.
        for _ in 0..8 {
            let (x, y) = (stream.uniform() * (width + 2.0 * MARGIN_UM), stream.uniform() * (height + 2.0 * MARGIN_UM));
            let (c, r) = ((x / DISTANCE_UM) as usize, (y / DISTANCE_UM) as usize);
            let mut distance = DISTANCE_UM;
            for row in grid[r.saturating_sub(1) * columns..(r + 2).min(rows) * columns].chunks_exact(columns) {
                for (px, py) in row[c.saturating_sub(1)..(c + 2).min(columns)].iter().flatten() {
                    distance = f64::min(distance, (px - x).hypot(py - y));
                }
            }
            if distance > best_distance {
                (best, best_distance) = ((x, y), distance);
            }
            if distance >= DISTANCE_UM {
                break;
            }
        }
        let (x, y) = best;
        grid[(y / DISTANCE_UM) as usize * columns + (x / DISTANCE_UM) as usize].push(best);
        cells.push(cell(scene, x - MARGIN_UM, y - MARGIN_UM, stream));
    }
    cells
}

fn cell(scene: &Scene, x: f64, y: f64, stream: &mut Stream) -> Cell {
    let variation = scene.variation;
    // How strongly this cell responds; some hardly do.
    let response = (1.0 + 0.35 * variation * bounded_normal(stream)).max(0.0);
    let change = |which: Trait| scene.phenotype.get(which) * response;
    let vary = |stream: &mut Stream, spread: f64| spread * variation * bounded_normal(stream);
    let angle = |stream: &mut Stream| std::f64::consts::TAU * stream.uniform();

    // A share of 0.04 in untreated wells; the trait shifts its logit.
    let logit = (0.04f64 / 0.96).ln() + scene.phenotype.get(Trait::Condensed);
    let condensed = stream.uniform() < 1.0 / (1.0 + (-logit).exp());
    let replicated = stream.uniform() < 0.3;
    let (mut radius, mut nucleus_radius, mut dna) = (CELL_RADIUS_UM, NUCLEUS_RADIUS_UM, 0.0);
    if replicated {
        (nucleus_radius, dna) = (nucleus_radius * 1.14, 0.30);
    }
    let (mut stretch, mut others) = (0.35 + change(Trait::CellShape) + vary(stream, 0.25), 0.0);
    if condensed {
        (radius, nucleus_radius, dna, others, stretch) = (radius * 0.6, nucleus_radius * 0.62, dna + 0.75, 0.35, 0.0);
    }
    radius *= (change(Trait::CellSize) + vary(stream, 0.13)).exp();
    nucleus_radius *= (change(Trait::NucleusSize) + vary(stream, 0.09)).exp();
    nucleus_radius = nucleus_radius.min(0.8 * radius);
    let turn = angle(stream);
    let nucleus_turn = turn + vary(stream, 0.4);
    let nucleus_stretch = 0.22 + change(Trait::NucleusShape) + vary(stream, 0.12);

    let nucleoli = (2.4 * change(Trait::NucleolusSize).exp()).clamp(0.0, 6.0);
    let count = nucleoli as usize + usize::from(stream.uniform() < nucleoli.fract());
    let nucleoli = (0..if condensed { 0 } else { count })
        .map(|_| {
            let (distance, direction) = (nucleus_radius * 0.6 * stream.uniform().sqrt(), angle(stream));
            let size = (1.15 * (0.5 * change(Trait::NucleolusSize) + vary(stream, 0.2)).exp()).max(0.4);
            Nucleolus {
                x: (distance * direction.cos()) as f32,
                y: (distance * direction.sin()) as f32,
                radius: size as f32,
            }
        })
        .collect();
    let side = angle(stream);
    let away = nucleus_radius * (1.15 + 0.15 * stream.uniform());
    let golgi = [(away * side.cos()) as f32, (away * side.sin()) as f32, (2.6 * vary(stream, 0.2).exp()) as f32];
    // Brightness: what the dyes share in a cell, then each dye.
    let thickness = vary(stream, 0.15);
    let lights = [
        dna + change(Trait::Dna),
        others,
        others + change(Trait::Er),
        others + change(Trait::Mito),
        others + change(Trait::Rna),
    ];
    let brightness = lights.map(|log| (log + thickness + vary(stream, 0.14)).exp() as f32);
    let fibre = turn + vary(stream, 0.3);
    Cell {
        x: x as f32,
        y: y as f32,
        cell: Ellipse::new(radius, stretch, turn),
        radius: radius as f32,
        nucleus: Ellipse::new(nucleus_radius, nucleus_stretch, nucleus_turn),
        nucleus_radius: nucleus_radius as f32,
        golgi,
        nucleoli,
        fibre: [fibre.cos() as f32, fibre.sin() as f32],
        brightness,
        chromatin: (0.20 * (1.0 + change(Trait::Chromatin))).clamp(0.0, 0.7) as f32,
        er_texture: (0.35 * (1.0 + change(Trait::ErTexture))).clamp(0.0, 1.0) as f32,
        er_spread: (9.0 * change(Trait::ErSpread).exp()) as f32,
        fibres: (0.30 * change(Trait::Fibres).exp()) as f32,
        membrane: (0.45 * change(Trait::Membrane).exp()) as f32,
        golgi_brightness: (0.75 * change(Trait::Golgi).exp()) as f32,
        mito_coarse: (0.35 + 0.4 * change(Trait::MitoScale)).clamp(0.0, 1.0) as f32,
        mito_spread: (10.0 * change(Trait::MitoSpread).exp()) as f32,
        nucleolus_brightness: (0.8 * change(Trait::Nucleolus).exp()) as f32,
    }
}

/// Which cell each pixel belongs to, and how near the two nearest are.
fn assign(scene: &Scene, cells: &[Cell], canvas: &mut Canvas) {
    let Size { height, width } = scene.size;
    let pixel = scene.pixel_um as f32;
    let n = scene.size.pixels();
    for (plane, start) in [(&mut canvas.nearest, 9.0), (&mut canvas.second, 9.0)] {
        plane.clear();
        plane.resize(n, start);
    }
    canvas.owner.clear();
    canvas.owner.resize(n, u32::MAX);
    let outline = &canvas.noise[0];
    for (index, cell) in cells.iter().enumerate() {
        // A wobbling outline reaches at most a quarter further than the ellipse.
        let reach = 1.25 / cell.cell.along.min(cell.cell.across);
        let range = |centre: f32, side: usize| {
            let low = ((centre - reach) / pixel).floor().max(0.0) as usize;
            let high = ((centre + reach) / pixel).ceil().clamp(0.0, side as f32) as usize;
            low.min(high)..high
        };
        for row in range(cell.y, height) {
            let y = (row as f32 + 0.5) * pixel - cell.y;
            for column in range(cell.x, width) {
                let x = (column as f32 + 0.5) * pixel - cell.x;
                let at = row * width + column;
                let wobble = (1.0 + 0.12 * outline[at]).clamp(0.8, 1.25);
                let distance = cell.cell.distance(x, y) * wobble;
                if distance < canvas.nearest[at] {
                    canvas.second[at] = canvas.nearest[at];
                    canvas.nearest[at] = distance;
                    canvas.owner[at] = index as u32;
                } else if distance < canvas.second[at] {
                    canvas.second[at] = distance;
                }
            }
        }
    }
}

/// 0 below 0, 1 above 1, smooth between.
#[inline(always)]
fn step(x: f32) -> f32 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// A bell of height 1: like a Gaussian with that standard deviation, without an exponential.
#[inline(always)]
fn bell(squared_distance: f32, sigma: f32) -> f32 {
    let t = 1.0 / (1.0 + squared_distance / (4.0 * sigma * sigma));
    t * t
}

fn colour(scene: &Scene, cells: &[Cell], canvas: &mut Canvas) {
    let Size { width, .. } = scene.size;
    let pixel = scene.pixel_um as f32;
    for plane in &mut canvas.planes {
        plane.clear();
        plane.resize(scene.size.pixels(), 0.02);
    }
    let [_, reticulum, grain, fine, coarse] = &canvas.noise;
    for at in 0..scene.size.pixels() {
        let distance = canvas.nearest[at];
        if distance >= 1.0 {
            continue;
        }
        let cell = &cells[canvas.owner[at] as usize];
        let x = ((at % width) as f32 + 0.5) * pixel - cell.x;
        let y = ((at / width) as f32 + 0.5) * pixel - cell.y;
        // Towards the border of the cell, or halfway to the neighbour: micrometres to go.
        let inward = (1.0 - distance).min(0.5 * (canvas.second[at] - distance)) * cell.radius;
        let body = step(inward / 5.0) * (1.1 - 0.6 * distance);
        let around = cell.nucleus.distance(x, y);
        let outward = ((around - 1.0) * cell.nucleus_radius).max(0.0);
        let nucleus = step(0.5 + (1.0 - around) * cell.nucleus_radius / (2.0 * EDGE_UM));
        let cytoplasm = body * (1.0 - nucleus);
        let nucleoli: f32 = cell
            .nucleoli
            .iter()
            .map(|n| bell((x - n.x) * (x - n.x) + (y - n.y) * (y - n.y), n.radius))
            .fold(0.0, f32::max)
            * nucleus;

        let chromatin = (1.0 + cell.chromatin * grain[at]).max(0.1);
        canvas.planes[0][at] += cell.brightness[0] * 0.62 * nucleus * chromatin * (1.0 - 0.4 * nucleoli);

        let along = (y * cell.fibre[0] - x * cell.fibre[1]) / 4.2 + 0.35 * reticulum[at];
        // A triangle wave: stripes along the cell.
        let stripe = (2.0 * (along - along.floor()) - 1.0).abs();
        let rim = bell(inward * inward, 1.3) * step(0.5 + inward);
        let [gx, gy, golgi_size] = cell.golgi;
        let golgi = bell((x - gx) * (x - gx) + (y - gy) * (y - gy), golgi_size) * (1.0 + 0.5 * grain[at]).max(0.0);
        let agp = 0.16 * body
            + cell.fibres * body * stripe * stripe * (1.0 - 0.6 * nucleus)
            + cell.membrane * rim
            + cell.golgi_brightness * golgi * (1.0 - nucleus) * step(inward / 2.0);
        canvas.planes[1][at] += cell.brightness[1] * agp;

        let lace = 1.0 - 1.1 * reticulum[at].abs().min(1.6) + 0.35 * grain[at];
        let er = cytoplasm / (1.0 + outward / cell.er_spread).powi(2) * (1.0 + cell.er_texture * lace).max(0.0);
        canvas.planes[2][at] += cell.brightness[2] * (0.9 * er + 0.07 * nucleus);

        let network = fine[at] + cell.mito_coarse * (coarse[at] - fine[at]);
        let filament = (1.0 - 1.5 * network.abs()).max(0.0);
        let mito = cytoplasm / (1.0 + outward / cell.mito_spread).powi(2) * (0.22 + 1.15 * filament * filament);
        canvas.planes[3][at] += cell.brightness[3] * (1.3 * mito + 0.03 * nucleus);

        let haze = cytoplasm * (0.55 + 0.45 / (1.0 + outward / 8.0)) * (1.0 + 0.18 * reticulum[at] + 0.12 * grain[at]);
        let rna = 0.55 * haze + nucleus * 0.34 + cell.nucleolus_brightness * nucleoli;
        canvas.planes[4][at] += cell.brightness[4] * rna;
    }
}
