//! Majority votes with ties resolved by expectation.
//!
//! # What it computes
//! The expected outcome of a vote whose last places are drawn without replacement from a set of
//! equally distant neighbours.
//!
//! # Formula
//! With a_c certain votes, t_c tied neighbours of class c, N = sum of t_c, and m places to fill,
//! the votes drawn are multivariate hypergeometric: P(x) = prod C(t_c, x_c) / C(N, m). Class c
//! wins with probability sum over v, s of P(c has v votes, no other has more, s others have as
//! many) / (1 + s). The sum over x runs class by class over (places filled, classes at v), which
//! is exact and needs classes^2 * m^3 steps at most. The expected share of the votes is
//! (a_c + m t_c / N) / k.

use super::VoteTies;

/// Votes by class, and what the missing votes are drawn from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Electorate {
    /// Certain votes as `(class, votes)`, ascending by class.
    pub certain: Vec<(u32, u32)>,
    /// Equally distant neighbours as `(class, rows)`, ascending by class.
    pub tied: Vec<(u32, u32)>,
    /// How many of the tied ones vote.
    pub drawn: u32,
}

/// Expected outcome of a vote, as `(class, weight)` ascending by class, weights summing to one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Probability of being decided for.
    pub decision: Vec<(u32, f64)>,
    /// Expected share of the votes.
    pub share: Vec<(u32, f64)>,
}

impl Electorate {
    /// The outcome under a tie rule. [`VoteTies::LowestClass`] expects that nothing is drawn.
    pub fn outcome(&self, ties: VoteTies, name_rank: &[u32]) -> Outcome {
        let candidates = self.candidates();
        let votes: u32 = candidates.iter().map(|c| c.certain).sum::<u32>() + self.drawn;
        let tied: u32 = candidates.iter().map(|c| c.tied).sum();
        let share = candidates
            .iter()
            .map(|c| {
                let expected =
                    if tied == 0 { 0.0 } else { f64::from(self.drawn) * f64::from(c.tied) / f64::from(tied) };
                (c.class, (f64::from(c.certain) + expected) / f64::from(votes))
            })
            .collect();
        let decision = match ties {
            VoteTies::Expected if self.drawn > 0 => expected_decision(&candidates, self.drawn as usize),
            VoteTies::Expected => {
                let winners = winners(&candidates);
                winners.iter().map(|&class| (class, 1.0 / winners.len() as f64)).collect()
            }
            VoteTies::LowestClass => winners(&candidates)
                .into_iter()
                .min_by_key(|&c| name_rank[c as usize])
                .map(|c| (c, 1.0))
                .into_iter()
                .collect(),
        };
        Outcome { decision, share }
    }

    /// Whether more than one class can win.
    pub fn is_tied(&self) -> bool {
        let candidates = self.candidates();
        if self.drawn == 0 {
            winners(&candidates).len() > 1
        } else {
            expected_decision(&candidates, self.drawn as usize).len() > 1
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> =
            self.certain.iter().map(|&(class, certain)| Candidate { class, certain, tied: 0 }).collect();
        for &(class, tied) in &self.tied {
            match candidates.binary_search_by_key(&class, |c| c.class) {
                Ok(at) => candidates[at].tied += tied,
                Err(at) => candidates.insert(at, Candidate { class, certain: 0, tied }),
            }
        }
        candidates
    }
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    class: u32,
    certain: u32,
    tied: u32,
}

/// Classes with the most certain votes.
fn winners(candidates: &[Candidate]) -> Vec<u32> {
    let most = candidates.iter().map(|c| c.certain).max().unwrap_or(0);
    candidates.iter().filter(|c| c.certain == most).map(|c| c.class).collect()
}

fn expected_decision(candidates: &[Candidate], drawn: usize) -> Vec<(u32, f64)> {
    let total: u32 = candidates.iter().map(|c| c.tied).sum();
    // C(t, x) / N^x: products over classes keep their proportions, and nothing overflows.
    let ways: Vec<Vec<f64>> = candidates
        .iter()
        .map(|c| {
            let mut ways = vec![1.0];
            for x in 1..=drawn.min(c.tied as usize) {
                let step = f64::from(c.tied - (x as u32 - 1)) / (x as f64 * f64::from(total));
                ways.push(ways[x - 1] * step);
            }
            ways
        })
        .collect();
    let weights: Vec<f64> = (0..candidates.len())
        .map(|own| {
            let drawn_by_own = 0..ways[own].len();
            drawn_by_own.map(|x| ways[own][x] * win_weight(candidates, &ways, own, x, drawn)).sum()
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    candidates.iter().zip(weights).filter(|entry| entry.1 > 0.0).map(|(c, weight)| (c.class, weight / sum)).collect()
}

/// Weight of the outcomes in which class `own`, having drawn `x`, has no fewer votes than any
/// other, each divided by the number of classes that have as many.
fn win_weight(candidates: &[Candidate], ways: &[Vec<f64>], own: usize, x: usize, drawn: usize) -> f64 {
    let left = drawn - x;
    let votes = candidates[own].certain as usize + x;
    if candidates.iter().any(|c| c.certain as usize > votes) {
        return 0.0;
    }
    // A class other than `own` reaches `votes` by certain votes alone or by drawing.
    let most_level = candidates.len() - 1;
    let mut weight = vec![0.0; (left + 1) * (most_level + 1)]; // [places filled, classes level]
    weight[0] = 1.0;
    for (other, candidate) in candidates.iter().enumerate().filter(|entry| entry.0 != own) {
        let mut next = vec![0.0; weight.len()];
        let room = votes - candidate.certain as usize;
        for filled in 0..=left {
            for level in 0..=most_level {
                let from = weight[filled * (most_level + 1) + level];
                if from > 0.0 {
                    for y in 0..=room.min(left - filled).min(ways[other].len() - 1) {
                        let level = level + usize::from(y == room);
                        next[(filled + y) * (most_level + 1) + level] += from * ways[other][y];
                    }
                }
            }
        }
        weight = next;
    }
    (0..=most_level).map(|level| weight[left * (most_level + 1) + level] / (level + 1) as f64).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All ways to draw, one by one.
    fn enumerate(candidates: &[Candidate], drawn: usize) -> Vec<f64> {
        let tied: Vec<usize> = candidates.iter().enumerate().flat_map(|(i, c)| vec![i; c.tied as usize]).collect();
        let mut wins = vec![0.0; candidates.len()];
        let mut draws = 0.0;
        for mask in 0_u32..1 << tied.len() {
            if mask.count_ones() as usize != drawn {
                continue;
            }
            let mut votes: Vec<u32> = candidates.iter().map(|c| c.certain).collect();
            (0..tied.len()).filter(|i| mask >> i & 1 == 1).for_each(|i| votes[tied[i]] += 1);
            let most = votes.iter().max().copied().unwrap();
            let level = votes.iter().filter(|&&v| v == most).count() as f64;
            votes.iter().zip(&mut wins).filter(|entry| *entry.0 == most).for_each(|(_, win)| *win += 1.0 / level);
            draws += 1.0;
        }
        wins.iter().map(|win| win / draws).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_expected_decision_is_that_of_all_draws(
            counts in prop::collection::vec((0_u32..4, 0_u32..4), 1..5), share in 0.0_f64..1.0,
        ) {
            let candidates: Vec<Candidate> = counts
                .iter()
                .enumerate()
                .map(|(class, &(certain, tied))| Candidate { class: class as u32, certain, tied })
                .collect();
            let total: usize = candidates.iter().map(|c| c.tied as usize).sum();
            let drawn = ((total as f64 * share) as usize).max(1);
            prop_assume!(total > 0);
            let mut ours = vec![0.0; candidates.len()];
            for (class, weight) in expected_decision(&candidates, drawn) {
                ours[class as usize] = weight;
            }
            for (ours, all) in ours.iter().zip(enumerate(&candidates, drawn)) {
                prop_assert!((ours - all).abs() < 1e-12, "{ours} {all}");
            }
        }
    }

    #[test]
    fn a_vote_of_one_each_is_split_and_the_dialect_takes_the_first_name() {
        let vote = Electorate { certain: vec![(0, 1), (1, 1), (4, 1)], ..Electorate::default() };
        let third = 1.0 / 3.0;
        assert_eq!(vote.outcome(VoteTies::Expected, &[]).decision, [(0, third), (1, third), (4, third)]);
        let dialect = vote.outcome(VoteTies::LowestClass, &[2, 1, 3, 4, 0]);
        assert_eq!(dialect.decision, [(4, 1.0)]);
        assert_eq!(dialect.share, [(0, third), (1, third), (4, third)]);
        assert!(vote.is_tied());
    }

    #[test]
    fn a_large_draw_from_a_million_rows_neither_over_nor_underflows() {
        let vote = Electorate { certain: Vec::new(), tied: vec![(0, 600_000), (1, 400_000)], drawn: 100 };
        let outcome = vote.outcome(VoteTies::Expected, &[]);
        assert!(outcome.decision[0].1 > 0.97 && outcome.decision[0].1 < 0.99, "{outcome:?}");
        assert!((outcome.decision.iter().map(|d| d.1).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((outcome.share[0].1 - 0.6).abs() < 1e-12);
    }
}
