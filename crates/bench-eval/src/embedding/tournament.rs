//! An order in which all pairs of blocks are met without two tasks waiting for the same block.

/// Every pair of `n` players once, in rounds in which each plays at most once (the circle method of round-robin
/// tournaments). Pairs of a round may run side by side; rounds follow each other, so that what a player adds up comes in
/// one order, whatever the number of threads.
pub(super) fn rounds(n: usize) -> Vec<Vec<(usize, usize)>> {
    let even = n + n % 2;
    (1..even)
        .map(|round| {
            let seat = |at: usize| (round + at) % (even - 1);
            let pairs = (0..even / 2)
                .map(|at| if at == 0 { (seat(0), even - 1) } else { (seat(at), seat(even - 1 - at)) })
                .filter(|&(a, b)| a < n && b < n);
            pairs.map(|(a, b)| (a.min(b), a.max(b))).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tournament_meets_every_pair_once_and_nobody_twice_in_a_round() {
        for n in 0..12 {
            let mut met = std::collections::BTreeSet::new();
            for round in rounds(n) {
                let mut seen = std::collections::BTreeSet::new();
                for (a, b) in round {
                    assert!(a < b && b < n && seen.insert(a) && seen.insert(b) && met.insert((a, b)));
                }
            }
            assert_eq!(met.len(), n * n.saturating_sub(1) / 2);
        }
    }
}
