//! What the tag of an object says about its bytes.
//!
//! # What
//! S3 tags a whole upload with the MD5 of its bytes, and a multipart upload with the MD5 of the
//! MD5s of its parts, a dash, and the number of parts. The size of the parts is not told; the
//! sizes that uploaders use are tried, those alone that give this number of parts.
//!
//! # What it cannot show
//! Objects encrypted with keys of a key service have tags that are no digests, and so have files
//! of web servers: they tell versions apart and nothing more.
//!
//! # Reference
//! Amazon S3 API reference, `Object`: "The entity tag ... may or may not be an MD5 digest".

const MIB: u64 = 1 << 20;
/// Parts that uploaders make, beside whole mebibytes: decimal megabytes, and the web console's.
const ODD: [u64; 8] = [5_000_000, 8_000_000, 10_000_000, 16_000_000, 17_179_870, 50_000_000, 64_000_000, 100_000_000];
/// Whole mebibytes that are tried even where very many would give the number of parts.
const USUAL: [u64; 17] = [5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 512, 1024, 5120];
/// Each size tried costs another MD5 of the object.
const MOST: u64 = 16;

/// What can be checked against a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// MD5 of the bytes.
    Whole(String),
    /// MD5 of MD5s of parts, and their number.
    Parts(String, u64),
    /// Nothing.
    Opaque,
}

impl Tag {
    /// Reads the tag of an S3 object.
    pub(crate) fn parse(etag: &str) -> Self {
        let is_md5 = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match etag.split_once('-') {
            None if is_md5(etag) => Self::Whole(etag.to_ascii_lowercase()),
            Some((md5, parts)) if is_md5(md5) => match parts.parse() {
                Ok(parts) if parts > 0 => Self::Parts(md5.to_ascii_lowercase(), parts),
                _ => Self::Opaque,
            },
            _ => Self::Opaque,
        }
    }

    /// Whether there is something to compute for an object of this length.
    pub(crate) fn tells(&self, bytes: u64) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Parts(_, parts) => !part_sizes(bytes, *parts).is_empty(),
            Self::Opaque => false,
        }
    }
}

/// Sizes in bytes that cut `bytes` into this number of parts.
pub(crate) fn part_sizes(bytes: u64, parts: u64) -> Vec<u64> {
    if bytes == 0 || parts == 0 {
        return Vec::new();
    }
    if parts == 1 {
        return vec![bytes];
    }
    let fits = |size: &u64| *size > 0 && bytes.div_ceil(*size) == parts;
    let (least, most) = (bytes.div_ceil(parts).div_ceil(MIB), (bytes - 1) / (parts - 1) / MIB);
    let mut sizes: Vec<u64> = if most.saturating_sub(least) < MOST {
        (least..=most).map(|size| size * MIB).collect()
    } else {
        USUAL.map(|size| size * MIB).to_vec()
    };
    sizes.extend(ODD);
    sizes.retain(fits);
    sizes
}

/// A tag as it is compared and stored: without quotation marks, unless it is a weak one.
pub(crate) fn plain(etag: &str) -> String {
    let etag = etag.trim();
    if is_weak(etag) { etag.to_owned() } else { etag.trim_matches('"').to_owned() }
}

/// A stored tag as it stands in a header.
pub(crate) fn quoted(etag: &str) -> String {
    if is_weak(etag) { etag.to_owned() } else { format!("\"{etag}\"") }
}

/// Whether the same tag may be on other bytes. Then nothing can be continued.
pub(crate) fn is_weak(etag: &str) -> bool {
    etag.starts_with("W/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn tags_are_told_apart() {
        assert_eq!(Tag::parse(&MD5.to_uppercase()), Tag::Whole(MD5.into()));
        assert_eq!(Tag::parse(&format!("{MD5}-12")), Tag::Parts(MD5.into(), 12));
        for opaque in ["", "abc", "5f3c-1a2b", &format!("{MD5}-"), &format!("{MD5}-0"), &format!("{MD5}-x")] {
            assert_eq!(Tag::parse(opaque), Tag::Opaque, "`{opaque}`");
        }
    }

    #[test]
    fn parts_of_usual_sizes_are_found() {
        for size in [5, 8, 15, 16, 64, 100] {
            for bytes in [size * MIB + 1, 2 * size * MIB, 7 * size * MIB - 1, 40 * size * MIB + 12_345] {
                let sizes = part_sizes(bytes, bytes.div_ceil(size * MIB));
                assert!(sizes.contains(&(size * MIB)), "{size} MiB of {bytes}");
                assert!(sizes.len() <= 24, "{sizes:?}");
            }
        }
        assert_eq!(part_sizes(3, 1), [3]);
        assert!(part_sizes(3, 2).is_empty());
        assert!(part_sizes(0, 1).is_empty());
        // Two parts of anything between 50 and 100 GiB are too many to try.
        assert!(part_sizes(100 << 30, 2).is_empty());
    }

    #[test]
    fn quotation_marks_come_and_go() {
        assert_eq!(plain("\"abc\""), "abc");
        assert_eq!(quoted("abc"), "\"abc\"");
        assert_eq!(quoted(&plain("W/\"abc\"")), "W/\"abc\"");
    }
}
