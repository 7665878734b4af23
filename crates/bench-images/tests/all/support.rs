//! Folders of small images in the JUMP layout.

use std::fs;
use std::path::{Path, PathBuf};

use bench_core::Seed;
use bench_images::{FieldId, Image, Pixels};

pub(crate) const CHANNELS: [&str; 5] = ["DNA", "AGP", "ER", "Mito", "RNA"];

/// A field of smooth noise whose pixels follow from its name.
pub(crate) fn field(id: &FieldId, height: usize, width: usize, white: u32) -> Image {
    let mut stream = Seed(7).derive(&id.to_string(), 0).stream();
    let values: Vec<u32> = (0..height * width * 5)
        .map(|i| (i as u32 / 5 % width as u32 * (white / width as u32) + stream.next_u32() % (white / 4)).min(white))
        .collect();
    let pixels = if white > 255 {
        Pixels::U16(values.into_iter().map(|v| v as u16).collect())
    } else {
        Pixels::U8(values.into_iter().map(|v| v as u8).collect())
    };
    Image { height, width, channels: 5, pixels }
}

pub(crate) fn plane_bytes(image: &Image, channel: usize) -> (Vec<u8>, bool) {
    match &image.pixels {
        Pixels::U8(v) => (v[channel..].iter().step_by(5).copied().collect(), false),
        Pixels::U16(v) => (v[channel..].iter().step_by(5).flat_map(|v| v.to_be_bytes()).collect(), true),
    }
}

pub(crate) fn write_png(path: &Path, height: usize, width: usize, bytes: &[u8], wide: bool) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), width as u32, height as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(if wide { png::BitDepth::Sixteen } else { png::BitDepth::Eight });
    encoder.write_header().unwrap().write_image_data(bytes).unwrap();
}

pub(crate) fn write_tiff(path: &Path, height: usize, width: usize, values: &[u16]) {
    use tiff::encoder::{Compression, TiffEncoder, colortype::Gray16};
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::File::create(path).unwrap();
    let mut encoder = TiffEncoder::new(file).unwrap().with_compression(Compression::Lzw);
    encoder.write_image::<Gray16>(width as u32, height as u32, values).unwrap();
}

pub(crate) fn file(root: &Path, id: &FieldId, channel: &str, ending: &str) -> PathBuf {
    let name = format!("{}__{}__{}__{}__{channel}.{ending}", id.source, id.plate, id.well, id.site);
    root.join(&id.source).join(&id.batch).join(&id.plate).join(name)
}

/// Fields of two plates of two sources.
pub(crate) fn ids() -> Vec<FieldId> {
    let mut out = Vec::new();
    for (source, batch, plate) in [("source_1", "b_1", "P1"), ("source_2", "b_1", "P2")] {
        for well in ["A01", "C07"] {
            for site in ["1", "2"] {
                out.push(FieldId::new(source, batch, plate, well, site).unwrap());
            }
        }
    }
    out
}

/// Writes all fields and returns what they hold, in the order of the ids.
pub(crate) fn folder(root: &Path, height: usize, width: usize, white: u32) -> Vec<Image> {
    ids()
        .iter()
        .map(|id| {
            let image = field(id, height, width, white);
            for (c, channel) in CHANNELS.iter().enumerate() {
                let (bytes, wide) = plane_bytes(&image, c);
                write_png(&file(root, id, channel, "png"), height, width, &bytes, wide);
            }
            image
        })
        .collect()
}

/// The packed plates of a folder, in the order of their names.
pub(crate) fn packed_plates(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut plates: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "bplate")).collect();
    plates.sort();
    plates
}
