//! The 166 public MACCS keys as RDKit defines them (`MACCSkeys.GenMACCSKeys`).
//!
//! Bit `k` is key `k`; bit 0 is never on, as in RDKit, and neither is key 1 (isotopes), which RDKit
//! leaves out. All keys equal RDKit's on every golden molecule.
//! Reference: Durant et al. 2002, doi:10.1021/ci010132r.

use chematic_core::Molecule as Parsed;

use crate::fingerprint::Fingerprint;

/// Length of the fingerprint: keys 1 to 166, and bit 0.
pub const MACCS_BITS: usize = 167;

pub(crate) fn of(parsed: &Parsed) -> Fingerprint {
    let keys = chematic_fp::maccs(parsed);
    // The library numbers key k as bit k - 1.
    let on = (1..MACCS_BITS).filter(|&key| keys.get(key - 1)).map(|key| (key as u32, 1));
    Fingerprint::collect(MACCS_BITS as u32, on)
}
