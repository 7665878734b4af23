//! Packed plates: all channels of a plate in one file, in tiles that decode on their own.
//!
//! # Format (version 1, numbers little-endian)
//! ```text
//! "BPLATE01"
//! tiles: field by field, row by row, each as `codec` writes it
//! index: u32 length, JSON header of that length, then per tile u32 length and u32 CRC-32
//! footer: u64 offset of the index, 32 bytes SHA-256 of the index, "BPLATE01"
//! ```
//! Offsets of tiles are the running sums of their lengths.
//!
//! # Why
//! A training crop of 512 x 512 from 768 x 768 px in five PNGs decodes five whole files; here it
//! decodes the tiles it touches, one read for each row of tiles. Files are read at given offsets
//! without a memory map, so a truncated file is an error and not a signal, and threads share one
//! handle. The digest of the index covers the checksums of all tiles: it names the content.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bench_core::digest;
use serde::{Deserialize, Serialize};

use super::codec::{self, Sample};
use super::{Problem, StoreOptions, has_extension, settle};
use crate::id::FieldId;
use crate::image::{Image, Pixels, Window};
use crate::{Error, Result};

/// First and last bytes of a packed plate.
pub(crate) const MAGIC: &[u8; 8] = b"BPLATE01";
/// Ending of the files.
pub const ENDING: &str = "bplate";
pub(crate) const FOOTER: usize = 8 + 32 + 8;
/// Handles that stay open; stores of more plates open files for each read.
const MOST_HANDLES: usize = 512;
/// Longest side of a tile and of a field: beyond it, a header is taken for damaged.
pub(crate) const LONGEST_TILE: usize = 4096;
const LONGEST_SIDE: usize = 1 << 16;

/// What the JSON header of a packed plate holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlateHeader {
    /// Whether the images are simulated. Simulated plates say so wherever they go.
    pub simulated: bool,
    /// Digest of what the plate was made from: configuration or source files.
    pub origin: String,
    /// Imaging centre.
    pub source: String,
    /// Experimental batch.
    pub batch: String,
    /// Plate barcode.
    pub plate: String,
    /// Names of the channels.
    pub channels: Vec<String>,
    /// Bits of a sample: 8 or 16.
    pub bits: u32,
    /// Side of a tile in pixels.
    pub tile: usize,
    /// The fields.
    pub fields: Vec<PackedField>,
    /// Fields that were left out, with reasons.
    pub left_out: Vec<(String, String)>,
}

/// One field of a packed plate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedField {
    /// Well.
    pub well: String,
    /// Field of view in the well.
    pub site: String,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl PackedField {
    /// Rows and columns of tiles.
    pub(crate) fn tiles(&self, tile: usize) -> (usize, usize) {
        (self.height.div_ceil(tile), self.width.div_ceil(tile))
    }
}

#[derive(Debug)]
pub(crate) struct PackedStore {
    pub(crate) ids: Vec<FieldId>,
    /// Per id: plate and field.
    places: Vec<(u32, u32)>,
    plates: Vec<Plate>,
    pub(crate) channels: Vec<String>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) simulated: bool,
    keep_open: bool,
}

#[derive(Debug)]
struct Plate {
    path: PathBuf,
    file: OnceLock<File>,
    header: PlateHeader,
    /// First tile of each field.
    first: Vec<usize>,
    /// Offset of each tile, and the end of the last.
    offsets: Vec<u64>,
    checksums: Vec<u32>,
}

/// Whether a folder holds packed plates itself.
pub(crate) fn is_folder_of_plates(path: &Path) -> Result<bool> {
    let failed = |source| Error::read(path, source);
    for entry in std::fs::read_dir(path).map_err(failed)? {
        if has_extension(&entry.map_err(failed)?.path(), &[ENDING]) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl PackedStore {
    pub(crate) fn open(path: &Path, options: &StoreOptions) -> Result<Self> {
        let failed = |source| Error::read(path, source);
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            files = std::fs::read_dir(path)
                .map_err(failed)?
                .map(|e| e.map(|e| e.path()))
                .collect::<io::Result<_>>()
                .map_err(failed)?;
            files.retain(|file| has_extension(file, &[ENDING]));
            files.sort();
        }
        let wanted = options.channels.names();
        let open = |file: &PathBuf| {
            let plate = Plate::open(file)?;
            let same = plate.header.channels.len() == wanted.len()
                && plate.header.channels.iter().enumerate().all(|(i, name)| options.channels.find(name) == Some(i));
            if !same {
                let reason = format!("its channels are {:?}, and {wanted:?} are wanted", plate.header.channels);
                return Err(Error::Unsupported { path: file.clone(), reason });
            }
            Ok(plate)
        };
        let found = files.iter().map(|file| (file.display().to_string(), open(file))).collect();
        let mut problems = Vec::new();
        let plates: Vec<Plate> = settle(found, options.policy, &mut problems)?;
        let mut fields = Vec::new();
        for (p, plate) in plates.iter().enumerate() {
            let header = &plate.header;
            for (f, field) in header.fields.iter().enumerate() {
                let id = FieldId::new(&header.source, &header.batch, &header.plate, &field.well, &field.site)?;
                fields.push((id, (p as u32, f as u32)));
            }
            for (name, reason) in &header.left_out {
                let message = format!("field `{name}` was left out when the plate was packed: {reason}");
                problems.push(Problem { name: name.clone(), reason: "left-out".to_owned(), message });
            }
        }
        fields.sort();
        if let Some(pair) = fields.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let file = plates[pair[1].1.0 as usize].path.display();
            let reason = format!("it is also in `{file}`");
            return Err(Error::Inconsistent { field: pair[0].0.to_string(), reason });
        }
        let (ids, places) = fields.into_iter().unzip();
        let simulated = plates.iter().any(|plate| plate.header.simulated);
        let keep_open = plates.len() <= MOST_HANDLES;
        Ok(Self { ids, places, plates, channels: wanted.to_vec(), problems, simulated, keep_open })
    }

    /// Keeps the fields that `keep` says.
    pub(crate) fn retain(&mut self, keep: &dyn Fn(&FieldId) -> bool) {
        let marks: Vec<bool> = self.ids.iter().map(keep).collect();
        let (mut i, mut j) = (marks.iter(), marks.iter());
        self.ids.retain(|_| *i.next().expect("a mark per field"));
        self.places.retain(|_| *j.next().expect("a mark per field"));
    }

    /// Digest of the content of all plates.
    pub(crate) fn digest(&self) -> String {
        digest::of_bytes(self.plates.iter().map(Plate::content).collect::<String>().as_bytes())
    }

    fn place(&self, index: usize) -> (&Plate, usize) {
        let (plate, field) = self.places[index];
        (&self.plates[plate as usize], field as usize)
    }

    pub(crate) fn shape(&self, index: usize) -> (usize, usize) {
        let (plate, field) = self.place(index);
        (plate.header.fields[field].height, plate.header.fields[field].width)
    }

    pub(crate) fn load(&self, index: usize, window: Window) -> Result<Image> {
        let (plate, field) = self.place(index);
        let (height, width) = self.shape(index);
        window.check(height, width)?;
        let fresh;
        let file = match plate.file.get() {
            Some(file) => file,
            None => {
                let opened = File::open(&plate.path).map_err(|source| Error::read(&plate.path, source))?;
                if self.keep_open {
                    plate.file.get_or_init(|| opened)
                } else {
                    fresh = opened;
                    &fresh
                }
            }
        };
        let pixels = SCRATCH.with_borrow_mut(|scratch| {
            Ok::<_, Error>(if plate.header.bits == 8 {
                Pixels::U8(plate.read(file, field, window, &mut scratch.bytes, &mut scratch.narrow)?)
            } else {
                Pixels::U16(plate.read(file, field, window, &mut scratch.bytes, &mut scratch.wide)?)
            })
        })?;
        Ok(Image { height: window.height, width: window.width, channels: self.channels.len(), pixels })
    }
}

/// Working space of a thread: compressed bytes, a tile and its planes.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    narrow: [Vec<u8>; 2],
    wide: [Vec<u16>; 2],
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Plate {
    fn open(path: &Path) -> Result<Self> {
        let corrupt = |reason: &str| Error::corrupt(path, reason);
        let failed = |source| Error::read(path, source);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if length < (MAGIC.len() + FOOTER) as u64 {
            return Err(corrupt("the file is too short for a packed plate"));
        }
        let mut magic = [0; 8];
        let mut footer = [0; FOOTER];
        read_at(&file, &mut magic, 0).map_err(failed)?;
        read_at(&file, &mut footer, length - FOOTER as u64).map_err(failed)?;
        if magic != *MAGIC || footer[FOOTER - 8..] != *MAGIC {
            return Err(corrupt("the marks of a packed plate are missing at its begin or end"));
        }
        let start = u64::from_le_bytes(std::array::from_fn(|i| footer[i]));
        let end = length - FOOTER as u64;
        if start < MAGIC.len() as u64 || start > end {
            return Err(corrupt("the index lies outside the file"));
        }
        let mut index = vec![0; usize::try_from(end - start).map_err(|_| corrupt("the index is too long"))?];
        read_at(&file, &mut index, start).map_err(failed)?;
        if raw_digest(&index) != footer[8..40] {
            return Err(corrupt("the index does not have its digest"));
        }
        let (size, rest) = index.split_first_chunk::<4>().ok_or_else(|| corrupt("the index is too short"))?;
        let (json, table) = rest
            .split_at_checked(u32::from_le_bytes(*size) as usize)
            .ok_or_else(|| corrupt("the index is too short"))?;
        let header: PlateHeader = serde_json::from_slice(json).map_err(|e| corrupt(&format!("the header: {e}")))?;
        let sides = |field: &PackedField| {
            (1..=LONGEST_SIDE).contains(&field.height) && (1..=LONGEST_SIDE).contains(&field.width)
        };
        let sound = matches!(header.bits, 8 | 16) && (1..=LONGEST_TILE).contains(&header.tile);
        if !sound || header.channels.is_empty() || !header.fields.iter().all(sides) {
            return Err(corrupt("the header holds a size out of range"));
        }
        let mut first = Vec::with_capacity(header.fields.len());
        let mut tiles = 0;
        for field in &header.fields {
            first.push(tiles);
            let (rows, columns) = field.tiles(header.tile);
            tiles += rows * columns;
        }
        if table.len() != tiles * 8 {
            return Err(corrupt("the table of tiles does not fit the fields"));
        }
        let mut offsets = vec![MAGIC.len() as u64];
        let mut checksums = Vec::with_capacity(tiles);
        for (i, entry) in table.chunks_exact(8).enumerate() {
            let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|b| entry[at + b]));
            offsets.push(offsets[i] + u64::from(word(0)));
            checksums.push(word(4));
        }
        if offsets[tiles] != start {
            return Err(corrupt("the tiles do not fill the file"));
        }
        Ok(Self { path: path.to_owned(), file: OnceLock::new(), header, first, offsets, checksums })
    }

    /// Digest of names, sizes and checksums of tiles.
    fn content(&self) -> String {
        let header = &self.header;
        let names = (&header.source, &header.batch, &header.plate, &header.channels, header.tile, &header.fields);
        let mut bytes = serde_json::to_vec(&names).expect("names become JSON");
        for (pair, checksum) in self.offsets.windows(2).zip(&self.checksums) {
            bytes.extend_from_slice(&(pair[1] - pair[0]).to_le_bytes());
            bytes.extend_from_slice(&checksum.to_le_bytes());
        }
        digest::of_bytes(&bytes)
    }

    /// Pixels of a window of a field.
    fn read<T: Sample>(
        &self,
        file: &File,
        field: usize,
        window: Window,
        bytes: &mut Vec<u8>,
        [pixels, planes]: &mut [Vec<T>; 2],
    ) -> Result<Vec<T>> {
        let side = self.header.tile;
        let channels = self.header.channels.len();
        let size = &self.header.fields[field];
        let (_, columns) = size.tiles(side);
        let mut out = vec![T::default(); window.height * window.width * channels];
        let (bottom, right) = (window.top + window.height, window.left + window.width);
        let (first_column, last_column) = (window.left / side, (right - 1) / side);
        for row in window.top / side..=(bottom - 1) / side {
            let start = self.first[field] + row * columns + first_column;
            let end = start + last_column - first_column + 1;
            let from = self.offsets[start];
            bytes.resize((self.offsets[end] - from) as usize, 0);
            read_at(file, bytes, from).map_err(|source| Error::read(&self.path, source))?;
            for tile in start..end {
                let packed = &bytes[(self.offsets[tile] - from) as usize..(self.offsets[tile + 1] - from) as usize];
                let (top, left) = (row * side, (first_column + tile - start) * side);
                let (height, width) = (side.min(size.height - top), side.min(size.width - left));
                pixels.resize(height * width * channels, T::default());
                let sound = crc32fast::hash(packed) == self.checksums[tile]
                    && codec::decode(packed, width, channels, pixels, planes).is_some();
                if !sound {
                    let name = format!("{}, site {}", size.well, size.site);
                    return Err(Error::corrupt(&self.path, format!("a tile of well {name} fails its checksum")));
                }
                let (x0, x1) = (window.left.max(left), right.min(left + width));
                for y in window.top.max(top)..bottom.min(top + height) {
                    let n = (x1 - x0) * channels;
                    let from = ((y - top) * width + x0 - left) * channels;
                    let to = ((y - window.top) * window.width + x0 - window.left) * channels;
                    out[to..to + n].copy_from_slice(&pixels[from..from + n]);
                }
            }
        }
        Ok(out)
    }
}

/// The header of a packed plate, and the digest of its index.
pub fn read_header(path: &Path) -> Result<PlateHeader> {
    Plate::open(path).map(|plate| plate.header)
}

/// Digest of the pixels, fields and channels of a packed plate, from its index: the same for the
/// same content, whatever it was made from.
pub fn content_digest(path: &Path) -> Result<String> {
    Plate::open(path).map(|plate| plate.content())
}

/// SHA-256 of bytes as bytes.
pub(crate) fn raw_digest(bytes: &[u8]) -> [u8; 32] {
    let hex = digest::of_bytes(bytes);
    std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("a digest is hexadecimal"))
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                buffer = &mut buffer[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}
