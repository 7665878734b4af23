//! A molecule as a set of numbered structural features.

/// Bits of fixed length, stored as the sorted numbers of those that are on, with how often each
/// feature occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    size: u32,
    on: Vec<(u32, u32)>,
}

impl Fingerprint {
    /// Collects (bit, count) pairs in any order; the counts of equal bits are added.
    pub(crate) fn collect(size: u32, pairs: impl IntoIterator<Item = (u32, u32)>) -> Fingerprint {
        let mut on: Vec<(u32, u32)> = pairs.into_iter().collect();
        on.sort_unstable();
        on.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        Fingerprint { size, on }
    }

    /// Length in bits.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Bits that are on, ascending.
    pub fn bits(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.on.iter().map(|&(bit, _)| bit)
    }

    /// Bits that are on with the number of times their feature occurs, ascending.
    pub fn counts(&self) -> &[(u32, u32)] {
        &self.on
    }

    /// Writes zeros and ones to `row`, which has [`Fingerprint::size`] entries.
    ///
    /// # Panics
    /// If the length of `row` is another.
    pub fn write_bits(&self, row: &mut [f32]) {
        assert_eq!(row.len(), self.size(), "a row has one entry per bit");
        row.fill(0.0);
        for bit in self.bits() {
            row[bit as usize] = 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bits_are_one_bit_with_their_counts_added() {
        let print = Fingerprint::collect(8, [(5, 1), (2, 3), (5, 2)]);
        assert_eq!(print.counts(), [(2, 3), (5, 3)]);
        let mut row = [7.0; 8];
        print.write_bits(&mut row);
        assert_eq!(row, [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    }
}
