//! Canonical row order: the same rows give the same order, however the file was sorted.
//!
//! Floating-point sums and seeded splits depend on row order. Sorting rows by where they come
//! from (source, batch, plate, well position, site, compound, groups) and then by their values
//! makes every score independent of the order of the file. Labels take no part, so renaming
//! them changes nothing.

use std::cmp::Ordering;

use crate::{Block, Factor};

/// Positions of the block's rows in canonical order.
///
/// `without` names units that must not take part (the compound, where it is the label).
pub fn canonical(block: &Block, without: &[&str]) -> Vec<u32> {
    let layout = &block.layout;
    let mut keys: Vec<Vec<u32>> = Vec::new();
    let units = ["source", "batch", "plate", "position", "well", "site", "compound"];
    let factors: Vec<&Factor> = units
        .iter()
        .filter(|unit| !without.contains(unit))
        .filter_map(|unit| layout.unit(unit))
        .chain(layout.groups.iter().filter(|(name, _)| !without.contains(&name.as_str())).map(|(_, f)| f))
        .collect();
    for factor in factors {
        let ranks = factor.name_ranks();
        keys.push(factor.codes.iter().map(|&code| ranks[code as usize]).collect());
    }
    let mut order: Vec<u32> = (0..layout.rows as u32).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        keys.iter()
            .map(|key| key[a].cmp(&key[b]))
            .find(|o| o.is_ne())
            .unwrap_or_else(|| compare_values(block.matrix.row(a), block.matrix.row(b)))
            .then_with(|| layout.file_row[a].cmp(&layout.file_row[b]))
    });
    order
}

fn compare_values(a: &[f32], b: &[f32]) -> Ordering {
    a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layout, Matrix};

    fn block(order: &[usize]) -> Block {
        let source = ["s2", "s1", "s1", "s2"];
        let value = [1.0, 5.0, 2.0, -1.0];
        let names: Vec<&str> = order.iter().map(|&i| source[i]).collect();
        Block {
            layout: Layout {
                rows: 4,
                source: Some(Factor::sorted(&names)),
                file_row: (0..4).collect(),
                ..Layout::default()
            },
            matrix: Matrix::new(4, 1, order.iter().map(|&i| value[i]).collect()),
        }
    }

    #[test]
    fn any_file_order_gives_the_same_canonical_order() {
        let expected = block(&[0, 1, 2, 3]);
        let expected = expected.take(&canonical(&expected, &[])).matrix;
        for order in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]] {
            let shuffled = block(&order);
            assert_eq!(shuffled.take(&canonical(&shuffled, &[])).matrix, expected);
        }
        assert_eq!(expected.data(), [2.0, 5.0, -1.0, 1.0]);
    }
}
