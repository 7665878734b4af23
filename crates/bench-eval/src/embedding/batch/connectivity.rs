//! Graph connectivity of labels, in the dialects of scib and scib-metrics.
//!
//! # What
//! How much of a label hangs together in the neighbour graph restricted to it.
//!
//! # Formula
//! Mean over labels of (rows of the largest component) / (rows of the label), graph of 15 neighbours with the row
//! itself. scib takes the fuzzy graph, whose edges go both ways; scib-metrics the directed graph, and strong components.
//!
//! # Why
//! Packages count it among batch scores. It behaves as a biology score: it is 1 for a one-hot label and low for noise.
//!
//! # What it cannot show
//! A label in one piece may still be split by unit as long as a single chain of neighbours connects the parts.
//!
//! # Reference
//! Luecken et al. 2022; scib 1.1.7 and scib-metrics 0.5.10, `graph_connectivity`.

use bench_core::Card;
use bench_geometry::neighbours::Metric;

use super::shortest_paths::{FUZZY_NEIGHBOURS, Fuzzy, fuzzy_graph};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, Roles, Side, Space, summary};

/// The card of the symmetric form.
pub static SYMMETRIC_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "graph-connectivity",
        title: "Graph connectivity",
        what: "The mean share of a label in its largest component of the fuzzy graph. Counted as a batch score by the packages, it behaves as a biology score. Constant embedding: the few rows that all others point to, with those that point to them.",
        formula: "mean over labels of |largest component| / |label|, fuzzy graph of 15 neighbours",
        better: "higher",
        range: "above 0 to 1",
        limits: "One chain of neighbours makes two halves count as connected.",
        reference: "scib 1.1.7, graph_connectivity",
    },
    side: Side::Batch,
    dialect: "scib",
    best: "one-hot-label",
    worst: "noise",
};

/// The card of the symmetric form on the graph of Arevalo et al. 2024.
pub static AREVALO_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "arevalo-graph-connectivity",
        title: "Graph connectivity (Arevalo 2024)",
        what: "The mean share of a label in its largest component of the fuzzy graph of 25 cosine neighbours. Counted as a batch score by the paper, it behaves as a biology score. Constant embedding: the few rows that all others point to, with those that point to them.",
        formula: "mean over labels of |largest component| / |label|, fuzzy graph of 25 cosine neighbours",
        better: "higher",
        range: "above 0 to 1",
        limits: "One chain of neighbours makes two halves count as connected.",
        reference: "Arevalo et al. 2024; scib 1.1.7, graph_connectivity",
    },
    side: Side::Batch,
    dialect: "arevalo2024: scib on 25 cosine neighbours",
    best: "one-hot-label",
    worst: "noise",
};

/// The card of the directed form.
pub static DIRECTED_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "graph-connectivity-directed",
        title: "Graph connectivity (directed)",
        what: "The mean share of a label in its largest strong component of the directed graph of 15 neighbours. Counted as a batch score by the packages, it behaves as a biology score. Constant embedding: the few rows that all others point to.",
        formula: "mean over labels of |largest strong component| / |label|, directed graph of 15 neighbours with the row itself",
        better: "higher",
        range: "above 0 to 1",
        limits: "One chain of neighbours makes two halves count as connected; values are lower than scib's.",
        reference: "scib-metrics 0.5.10, graph_connectivity",
    },
    side: Side::Batch,
    dialect: "scib-metrics",
    best: "one-hot-label",
    worst: "noise",
};

/// Graph connectivity.
#[derive(Clone, Copy, Debug)]
pub enum Connectivity {
    /// Components of the fuzzy graph.
    Symmetric,
    /// Components of the fuzzy graph of Arevalo et al. 2024.
    Arevalo,
    /// Strong components of the directed graph.
    Directed,
}

impl EmbeddingMetric for Connectivity {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::Symmetric => &SYMMETRIC_CARD,
            Self::Arevalo => &AREVALO_CARD,
            Self::Directed => &DIRECTED_CARD,
        }
    }

    /// It asks for no unit.
    fn per_unit(&self) -> bool {
        false
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let label = &roles.label.codes;
        let edges: Vec<Vec<u32>> = match self {
            Self::Symmetric | Self::Arevalo => {
                let of = if matches!(self, Self::Arevalo) { Fuzzy::Arevalo } else { Fuzzy::Scib };
                let fuzzy = fuzzy_graph(space, of)?;
                let within =
                    |row: usize| fuzzy.row(row).0.iter().copied().filter(move |&o| label[o as usize] == label[row]);
                (0..fuzzy.vertices()).map(|row| within(row).collect()).collect()
            }
            Self::Directed => {
                let graph = space.graph(Metric::Euclidean)?;
                let k = (FUZZY_NEIGHBOURS - 1).min(graph.k);
                let within = |row: usize| {
                    graph.neighbours(row)[..k].iter().copied().filter(move |&o| label[o as usize] == label[row])
                };
                (0..graph.n).map(|row| within(row).collect()).collect()
            }
        };
        let component = strong_components(&edges);
        let mut size = vec![0_usize; edges.len()];
        component.iter().for_each(|&at| size[at as usize] += 1);
        // The largest of each label; of equal ones that of the lowest row.
        let mut largest = vec![u32::MAX; roles.label.level_count()];
        for (&label, &at) in label.iter().zip(&component) {
            let best = &mut largest[label as usize];
            if *best == u32::MAX || size[at as usize] > size[*best as usize] {
                *best = at;
            }
        }
        let inside =
            label.iter().zip(&component).map(|(&label, at)| f64::from(u8::from(largest[label as usize] == *at)));
        let rows: Vec<f64> = inside.collect();
        let parts = summary::parts_by("label", roles.label, &rows);
        summary::of_rows(rows, MeanOver::Labels, roles, parts)
    }
}

/// Number of the strong component of every vertex (Tarjan 1972), without recursion.
fn strong_components(edges: &[Vec<u32>]) -> Vec<u32> {
    const NEW: u32 = u32::MAX;
    let n = edges.len();
    let (mut order, mut low, mut component) = (vec![NEW; n], vec![0; n], vec![NEW; n]);
    let (mut stack, mut calls, mut next, mut found) = (Vec::new(), Vec::new(), 0, 0);
    for start in 0..n {
        if order[start] != NEW {
            continue;
        }
        calls.push((start, 0));
        while let Some((vertex, edge)) = calls.pop() {
            if edge == 0 {
                order[vertex] = next;
                low[vertex] = next;
                next += 1;
                stack.push(vertex);
            } else {
                let child = edges[vertex][edge - 1] as usize;
                if component[child] == NEW {
                    low[vertex] = low[vertex].min(low[child]);
                }
            }
            let open =
                edges[vertex][edge..].iter().position(|&other| component[other as usize] == NEW).map(|at| at + edge);
            match open {
                Some(at) => {
                    let other = edges[vertex][at] as usize;
                    calls.push((vertex, at + 1));
                    if order[other] == NEW {
                        calls.push((other, 0));
                    } else {
                        low[vertex] = low[vertex].min(order[other]);
                    }
                }
                None if low[vertex] == order[vertex] => {
                    while let Some(member) = stack.pop() {
                        component[member] = found;
                        if member == vertex {
                            break;
                        }
                    }
                    found += 1;
                }
                None => {}
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_those_that_reach_each_other() {
        // 0 -> 1 -> 2 -> 0, 2 -> 3 -> 4 -> 3, 5 alone.
        let edges = vec![vec![1], vec![2], vec![0, 3], vec![4], vec![3], vec![]];
        let found = strong_components(&edges);
        assert!(found[0] == found[1] && found[1] == found[2] && found[3] == found[4]);
        assert!(found[0] != found[3] && found[5] != found[0] && found[5] != found[3]);
    }

    #[test]
    fn a_long_ring_needs_no_deep_stack() {
        let n = 200_000;
        let ring: Vec<Vec<u32>> = (0..n).map(|row| vec![((row + 1) % n) as u32]).collect();
        assert!(strong_components(&ring).iter().all(|&at| at == 0));
    }
}
