//! Writes montages of simulated (or stored) fields, to look at.
//!
//! ```text
//! cargo run --release -p bench-images --example montage -- OUT_FOLDER [effect_size] [dials]
//! ```

use std::path::Path;

use bench_images::simulate::{Dials, SimulationConfig, Simulator};
use bench_images::{Image, Pixels};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let out = Path::new(arguments.get(1).ok_or("usage: montage OUT_FOLDER [effect_size] [dials] [px] [um]")?);
    let number = |i: usize, default: f64| arguments.get(i).map_or(Ok(default), |text| text.parse::<f64>());
    std::fs::create_dir_all(out)?;
    let side = number(4, 80.0)? as usize;
    let config = SimulationConfig {
        effect_size: number(2, 1.0)?,
        dials: Dials::all(number(3, 0.0)?),
        height: side,
        width: side,
        pixel_um: number(5, 1.6)?,
        ..SimulationConfig::demo()
    };
    let simulator = Simulator::new(config)?;
    let columns = if side > 200 { 2 } else { 8 };
    let mut chosen = Vec::new();
    for plate in simulator.plates().iter().filter(|p| p.kind.name() == "TARGET2").step_by(2) {
        for well in plate.wells.iter().step_by(3) {
            chosen.push((plate, well));
        }
    }
    let images: Vec<Image> = chosen
        .iter()
        .take(columns * if side > 200 { 1 } else { 6 })
        .map(|(plate, well)| simulator.render(plate, well, 1))
        .collect();
    for (name, channels) in [
        ("dna", [0, 0, 0]),
        ("agp", [1, 1, 1]),
        ("er", [2, 2, 2]),
        ("mito", [3, 3, 3]),
        ("rna", [4, 4, 4]),
        ("colour", [1, 2, 0]),
    ] {
        montage(&out.join(format!("{name}.png")), &images, columns, channels)?;
    }
    for (i, (plate, well)) in chosen.iter().take(images.len()).enumerate() {
        println!("{i} {} {} {}", plate.name, well.name(), well.compound.target);
    }
    Ok(())
}

fn montage(
    path: &Path,
    images: &[Image],
    columns: usize,
    channels: [usize; 3],
) -> Result<(), Box<dyn std::error::Error>> {
    let (height, width) = (images[0].height + 2, images[0].width + 2);
    let rows = images.len().div_ceil(columns);
    let mut pixels = vec![255u8; rows * height * columns * width * 3];
    for (i, image) in images.iter().enumerate() {
        let Pixels::U8(from) = &image.pixels else { continue };
        for y in 0..image.height {
            for x in 0..image.width {
                for (k, &c) in channels.iter().enumerate() {
                    let to = ((i / columns * height + y) * columns * width + i % columns * width + x) * 3 + k;
                    pixels[to] = from[(y * image.width + x) * image.channels + c];
                }
            }
        }
    }
    let file = std::fs::File::create(path)?;
    let mut encoder = png::Encoder::new(file, (columns * width) as u32, (rows * height) as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}
