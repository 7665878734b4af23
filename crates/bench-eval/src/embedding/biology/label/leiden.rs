//! Leiden clustering of a weighted graph by modularity.
//!
//! # What
//! A partition of the vertices that no move of a vertex and no merge of well-connected parts improves.
//!
//! # Formula
//! `Q = (1/2m) sum_ij (A_ij - r k_i k_j / 2m) [c_i = c_j]`, `r` the resolution, `k` the strengths, `m` the total
//! weight.
//!
//! # How
//! Moving vertices from a queue to the best community, refining each community into well-connected parts by random
//! merges (weights `exp(gain / 0.01)`, gain as a share of the vertex' strength), aggregating by the parts, and again,
//! until nothing is left to aggregate; all of it twice, as igraph does by default. The order is random by the seed.
//!
//! # Reference
//! Traag, Waltman, van Eck, Scientific Reports 9:5233 (2019). igraph's
//! `community_leiden(objective_function="modularity")` draws other random numbers: modularities agree, partitions up
//! to ties between near-equal ones.

use std::collections::VecDeque;

use bench_core::{Seed, Stream};
use bench_geometry::umap::fuzzy::FuzzyGraph;

/// Randomness of the refinement.
const THETA: f64 = 0.01;
/// Gains below this share of the total weight are rounding.
const NOISE: f64 = 1e-12;

/// A symmetric weighted graph; weights inside a vertex count in its strength.
#[derive(Clone, Debug)]
struct Network {
    offset: Vec<usize>,
    edge: Vec<(u32, f64)>,
    /// Sum of the weights at each vertex, those inside it twice.
    strength: Vec<f64>,
    /// Twice the total weight.
    total: f64,
}

impl Network {
    fn new(graph: &FuzzyGraph) -> Self {
        let n = graph.vertices();
        let edge: Vec<(u32, f64)> =
            graph.column.iter().zip(&graph.weight).map(|(&other, &weight)| (other, f64::from(weight))).collect();
        let strength: Vec<f64> =
            (0..n).map(|v| edge[graph.offset[v]..graph.offset[v + 1]].iter().map(|edge| edge.1).sum()).collect();
        let total = strength.iter().sum();
        Self { offset: graph.offset.clone(), edge, strength, total }
    }

    fn vertices(&self) -> usize {
        self.strength.len()
    }

    fn edges(&self, vertex: usize) -> &[(u32, f64)] {
        &self.edge[self.offset[vertex]..self.offset[vertex + 1]]
    }

    /// Vertices of one part become one vertex; parts are numbered from zero.
    fn aggregate(&self, part: &[u32], parts: usize) -> Self {
        let mut members = vec![Vec::new(); parts];
        let mut strength = vec![0.0; parts];
        for (vertex, &part) in part.iter().enumerate() {
            members[part as usize].push(vertex);
            strength[part as usize] += self.strength[vertex];
        }
        let (mut offset, mut edge) = (vec![0], Vec::new());
        let mut weight = vec![0.0; parts];
        for (own, members) in members.iter().enumerate() {
            let mut touched: Vec<u32> = Vec::new();
            for &vertex in members {
                for &(other, value) in self.edges(vertex) {
                    let other = part[other as usize];
                    if other as usize == own {
                        continue;
                    }
                    if weight[other as usize] == 0.0 {
                        touched.push(other);
                    }
                    weight[other as usize] += value;
                }
            }
            touched.sort_unstable();
            for other in touched {
                edge.push((other, std::mem::take(&mut weight[other as usize])));
            }
            offset.push(edge.len());
        }
        Self { offset, edge, strength, total: self.total }
    }
}

/// Clusters the vertices; clusters are numbered by their lowest vertex.
pub fn leiden(graph: &FuzzyGraph, resolution: f64, seed: Seed) -> Vec<u32> {
    let network = Network::new(graph);
    let n = network.vertices();
    let mut cluster: Vec<u32> = (0..n as u32).collect();
    if network.total <= 0.0 {
        return cluster;
    }
    for round in 0..2 {
        let mut stream = seed.derive("leiden", round).stream();
        cluster = pass(&network, cluster, resolution, &mut stream);
    }
    renumber(&mut cluster);
    cluster
}

/// Modularity of a partition at a resolution.
pub fn modularity(graph: &FuzzyGraph, cluster: &[u32], resolution: f64) -> f64 {
    let network = Network::new(graph);
    let mut strength = vec![0.0; cluster.iter().max().map_or(0, |&last| last as usize + 1)];
    let mut inside = 0.0;
    for (vertex, &own) in cluster.iter().enumerate() {
        strength[own as usize] += network.strength[vertex];
        inside += network.edges(vertex).iter().filter(|e| cluster[e.0 as usize] == own).map(|e| e.1).sum::<f64>();
    }
    let expected: f64 = strength.iter().map(|strength| (strength / network.total).powi(2)).sum();
    inside / network.total - resolution * expected
}

/// One descent through aggregated networks; returns the cluster of every vertex.
fn pass(network: &Network, mut cluster: Vec<u32>, resolution: f64, stream: &mut Stream) -> Vec<u32> {
    let mut level = network.clone();
    // Vertex of the current level that each original vertex is in, and community of each vertex of the level.
    let mut place: Vec<u32> = (0..network.vertices() as u32).collect();
    renumber(&mut cluster);
    let mut community = cluster;
    loop {
        move_vertices(&level, &mut community, resolution, stream);
        let communities = renumber(&mut community);
        if communities == level.vertices() {
            break;
        }
        let mut part = refine(&level, &community, communities, resolution, stream);
        let mut parts = renumber(&mut part);
        if parts == level.vertices() {
            // Nothing merged in the refinement: go on with the communities themselves.
            part.clone_from(&community);
            parts = communities;
        }
        let mut upper = vec![0; parts];
        for (vertex, &part) in part.iter().enumerate() {
            upper[part as usize] = community[vertex];
        }
        place.iter_mut().for_each(|place| *place = part[*place as usize]);
        level = level.aggregate(&part, parts);
        community = upper;
    }
    place.iter().map(|&vertex| community[vertex as usize]).collect()
}

/// Numbers classes in the order in which they occur; returns how many there are.
fn renumber(codes: &mut [u32]) -> usize {
    let mut new = vec![u32::MAX; codes.iter().max().map_or(0, |&last| last as usize + 1)];
    let mut count = 0;
    for code in codes.iter_mut() {
        let entry = &mut new[*code as usize];
        if *entry == u32::MAX {
            *entry = count;
            count += 1;
        }
        *code = *entry;
    }
    count as usize
}

/// Weights from one vertex to communities.
struct Weights {
    to: Vec<f64>,
    touched: Vec<u32>,
}

impl Weights {
    fn gather(&mut self, network: &Network, vertex: usize, community: &[u32], keep: impl Fn(usize) -> bool) {
        for &touched in &self.touched {
            self.to[touched as usize] = 0.0;
        }
        self.touched.clear();
        for &(other, weight) in network.edges(vertex) {
            if keep(other as usize) {
                let community = community[other as usize];
                if self.to[community as usize] == 0.0 {
                    self.touched.push(community);
                }
                self.to[community as usize] += weight;
            }
        }
    }
}

/// Moves vertices to their best community until none gains.
fn move_vertices(network: &Network, community: &mut [u32], resolution: f64, stream: &mut Stream) {
    let n = network.vertices();
    let mut strength = vec![0.0; n];
    let mut size = vec![0_u32; n];
    for (vertex, &own) in community.iter().enumerate() {
        strength[own as usize] += network.strength[vertex];
        size[own as usize] += 1;
    }
    let mut empty: Vec<u32> = (0..n as u32).rev().filter(|&code| size[code as usize] == 0).collect();
    let mut queue: VecDeque<u32> = stream.permutation(n).into();
    let mut waiting = vec![true; n];
    let mut weights = Weights { to: vec![0.0; n], touched: Vec::new() };
    let noise = NOISE * network.total;
    while let Some(vertex) = queue.pop_front() {
        let vertex = vertex as usize;
        waiting[vertex] = false;
        let own = community[vertex];
        weights.gather(network, vertex, community, |other| other != vertex);
        let k = network.strength[vertex];
        strength[own as usize] -= k;
        let gain = |to: u32, weights: &Weights, strength: &[f64]| {
            weights.to[to as usize] - resolution * k * strength[to as usize] / network.total
        };
        let mut best = (own, gain(own, &weights, &strength));
        for &to in &weights.touched {
            let gain = gain(to, &weights, &strength);
            if gain > best.1 + noise {
                best = (to, gain);
            }
        }
        if best.1 < -noise
            && size[own as usize] > 1
            && let Some(&to) = empty.last()
        {
            best = (to, 0.0);
        }
        let to = best.0;
        strength[to as usize] += k;
        if to == own {
            continue;
        }
        if size[to as usize] == 0 {
            empty.retain(|&code| code != to);
        }
        size[to as usize] += 1;
        size[own as usize] -= 1;
        if size[own as usize] == 0 {
            empty.push(own);
        }
        community[vertex] = to;
        for &(other, _) in network.edges(vertex) {
            if community[other as usize] != to && !std::mem::replace(&mut waiting[other as usize], true) {
                queue.push_back(other);
            }
        }
    }
}

/// Divides each community into well-connected parts.
fn refine(network: &Network, community: &[u32], communities: usize, resolution: f64, stream: &mut Stream) -> Vec<u32> {
    let n = network.vertices();
    let mut part: Vec<u32> = (0..n as u32).collect();
    let mut strength = network.strength.clone();
    let mut size = vec![1_u32; n];
    let mut whole = vec![0.0; communities];
    for (vertex, &community) in community.iter().enumerate() {
        whole[community as usize] += network.strength[vertex];
    }
    // Weight from each part to the rest of its community.
    let mut outside: Vec<f64> = (0..n)
        .map(|v| network.edges(v).iter().filter(|e| community[e.0 as usize] == community[v]).map(|e| e.1).sum())
        .collect();
    let connected = |strength: f64, outside: f64, whole: f64| {
        outside + NOISE * network.total >= resolution * strength * (whole - strength) / network.total
    };
    let mut weights = Weights { to: vec![0.0; n], touched: Vec::new() };
    let mut chances: Vec<(u32, f64)> = Vec::new();
    for vertex in stream.permutation(n) {
        let vertex = vertex as usize;
        let own = part[vertex] as usize;
        let all = whole[community[vertex] as usize];
        let k = network.strength[vertex];
        if size[own] != 1 || !connected(k, outside[own], all) {
            continue;
        }
        weights.gather(network, vertex, &part, |other| other != vertex && community[other] == community[vertex]);
        chances.clear();
        // Staying alone is a choice too, with a gain of zero.
        chances.push((own as u32, 0.0));
        for &to in &weights.touched {
            let at = to as usize;
            let gain = weights.to[at] - resolution * k * strength[at] / network.total;
            if gain >= 0.0 && connected(strength[at], outside[at], all) {
                chances.push((to, gain / k));
            }
        }
        let best = chances.iter().map(|chance| chance.1).fold(0.0, f64::max);
        let total: f64 = chances.iter().map(|chance| ((chance.1 - best) / THETA).exp()).sum();
        let mut left = stream.uniform() * total;
        let mut to = chances[chances.len() - 1].0 as usize;
        for chance in &chances {
            left -= ((chance.1 - best) / THETA).exp();
            if left < 0.0 {
                to = chance.0 as usize;
                break;
            }
        }
        if to != own {
            let between = weights.to[to];
            outside[to] += outside[own] - 2.0 * between;
            strength[to] += k;
            size[to] += 1;
            size[own] = 0;
            part[vertex] = to as u32;
        }
    }
    part
}
