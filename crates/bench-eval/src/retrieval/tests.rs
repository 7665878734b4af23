//! What retrieval promises: known vectors, chance, order, threads, duplicates, galleries.

use bench_core::{Matrix, Seed};

use super::series::Series;
use super::*;

/// Embeddings that own their keys.
struct Data {
    keys: Vec<String>,
    identities: Option<Vec<String>>,
    molecule: Matrix,
    compounds: Vec<String>,
    ids: Vec<String>,
    image: Matrix,
}

impl Data {
    /// `count` compounds with one to `most` images; images show their molecule with weight `signal`.
    fn random(count: usize, most: usize, dims: usize, signal: f64, seed: u64) -> Self {
        let mut stream = Seed(seed).stream();
        let molecule: Vec<f64> = (0..count * dims).map(|_| stream.normal()).collect();
        let (mut compounds, mut ids, mut image) = (Vec::new(), Vec::new(), Vec::new());
        for compound in 0..count {
            for at in 0..1 + stream.below(most) {
                compounds.push(key(compound));
                ids.push(format!("image {at}"));
                image.extend((0..dims).map(|j| (signal * molecule[compound * dims + j] + stream.normal()) as f32));
            }
        }
        Self {
            keys: (0..count).map(key).collect(),
            identities: None,
            molecule: Matrix::new(count, dims, molecule.iter().map(|v| *v as f32).collect()),
            image: Matrix::new(ids.len(), dims, image),
            compounds,
            ids,
        }
    }

    fn molecules(&self) -> Molecules<'_> {
        Molecules { keys: &self.keys, identities: self.identities.as_deref(), matrix: &self.molecule }
    }

    fn images(&self) -> Images<'_> {
        Images { compounds: &self.compounds, ids: &self.ids, matrix: &self.image }
    }

    fn plan(&self, settings: &Settings) -> Plan {
        Plan::new(&self.molecules(), &self.images(), None, settings).unwrap()
    }

    fn score(&self, settings: &Settings) -> Retrieval {
        evaluate("m", &self.plan(settings), &self.molecules(), &self.images(), settings).unwrap()
    }

    fn error(&self, settings: &Settings) -> String {
        let plan = Plan::new(&self.molecules(), &self.images(), None, settings);
        let result = plan.and_then(|plan| evaluate("m", &plan, &self.molecules(), &self.images(), settings));
        result.unwrap_err().to_string()
    }

    /// The same data with both tables' rows in another order.
    fn shuffled(&self, seed: u64) -> Self {
        let a = Seed(seed).derive("a", 0).stream().permutation(self.keys.len());
        let b = Seed(seed).derive("b", 0).stream().permutation(self.ids.len());
        let pick = |of: &[String], order: &[u32]| order.iter().map(|&at| of[at as usize].clone()).collect();
        Self {
            keys: pick(&self.keys, &a),
            identities: self.identities.as_ref().map(|identities| pick(identities, &a)),
            molecule: self.molecule.take(&a),
            compounds: pick(&self.compounds, &b),
            ids: pick(&self.ids, &b),
            image: self.image.take(&b),
        }
    }
}

fn key(compound: usize) -> String {
    format!("C{:05}", compound * 7919 % 100_003)
}

fn gallery(size: usize) -> Settings {
    Settings { gallery: Amount::Count(size), bootstrap: 50, ..Settings::default() }
}

fn value(scored: &Retrieval, direction: Direction, metric: &str) -> RetrievalSummary {
    let is_it = |summary: &&RetrievalSummary| summary.direction == direction && summary.metric == metric;
    scored.summaries.iter().find(is_it).unwrap().clone()
}

#[test]
fn the_similarities_of_the_specification_give_its_ranks() {
    // Rows are queries; with unit molecules e_j the inner product with row i is S[i][j].
    let s = [0.9, 0.1, 0.3, 0.2, 0.8, 0.5, 0.6, 0.1, 0.1, 0.2, 0.3, 0.4, 0.7, 0.6, 0.5, 0.4];
    let keys: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
    let identity: Vec<f32> = (0..16).map(|at| f32::from(u8::from(at % 5 == 0))).collect();
    let data = Data {
        keys: keys.clone(),
        identities: None,
        molecule: Matrix::new(4, 4, identity),
        compounds: keys.clone(),
        ids: keys,
        image: Matrix::new(4, 4, s.to_vec()),
    };
    let metrics = ["mrr", "hit-rate@1", "hit-rate@2", "hit-rate@3"].map(str::to_owned).to_vec();
    let settings =
        Settings { gallery: Amount::All, similarity: Similarity::Dot, metrics, draws: 1, ..Settings::default() };
    let scored = data.score(&settings);
    let levels = |direction: Direction| {
        let mut queries: Vec<&Query> = scored.queries.iter().filter(|query| query.direction == direction).collect();
        queries.sort_by_key(|query| query.compound);
        queries.iter().map(|query| (query.best_rank(), query.worst_rank())).collect::<Vec<_>>()
    };
    assert_eq!(levels(Direction::ImageToMolecule), [(1, 1), (3, 3), (2, 2), (4, 4)]);
    // In the last two columns the right answer ties with another one. The specification's ranks 1, 2, 3, 1 (mrr
    // .708333, hit rates .5, .75, 1) let it win; the expectation has it first half of the time.
    assert_eq!(levels(Direction::MoleculeToImage), [(1, 1), (2, 2), (3, 4), (1, 2)]);
    let mrr = |ranks: &[(u32, u32)]| ranks.iter().map(|(best, _)| 1.0 / f64::from(*best)).sum::<f64>() / 4.0;
    assert!((mrr(&levels(Direction::MoleculeToImage)) - 0.708333).abs() < 5e-7);
    for (direction, expected) in [
        (Direction::ImageToMolecule, [0.520833, 0.25, 0.5, 0.75]),
        (Direction::MoleculeToImage, [(1.0 + 0.5 + 7.0 / 24.0 + 0.75) / 4.0, 0.375, 0.75, 0.875]),
    ] {
        for (metric, expected) in settings.metrics.iter().zip(expected) {
            assert!((value(&scored, direction, metric).value.unwrap() - expected).abs() < 5e-7, "{metric}");
        }
    }
}

/// All orders of `0..n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(n - 1);
    let with =
        |order: &Vec<usize>| (0..n).map(|at| [&order[..at], &[n - 1], &order[at..]].concat()).collect::<Vec<_>>();
    shorter.iter().flat_map(with).collect()
}

#[test]
fn expectations_are_the_mean_over_every_order_of_ties() {
    // Levels (size, relevant) by falling similarity; those without a relevant one are not stored.
    let rankings: [&[(u32, u32)]; 5] =
        [&[(6, 1)], &[(2, 0), (4, 2)], &[(3, 1), (1, 0), (3, 2)], &[(1, 1), (5, 4)], &[(2, 2), (2, 0), (2, 1), (1, 0)]];
    let series = Series::new(10);
    let ids = ["hit-rate", "precision", "recall", "fall-out", "ndcg"];
    let ids = ids.iter().flat_map(|id| (1..=6).map(move |k| format!("{id}@{k}")));
    let ids = ids.chain(["mrr", "map", "mean-rank", "ndcg"].map(str::to_owned));
    let measures: Vec<Measure> = ids.map(|id| id.parse().unwrap()).collect();
    for ranking in rankings {
        let (mut levels, mut above, mut members) = (Vec::new(), 0, Vec::new());
        for &(size, relevant) in ranking {
            if relevant > 0 {
                levels.push(Level { above, size, relevant });
            }
            members.extend((0..size).map(|at| (above, at < relevant)));
            above += size;
        }
        let n = members.len();
        // Orders of all candidates that keep levels apart.
        let kept: Vec<Vec<usize>> = orders(n)
            .into_iter()
            .filter(|order| order.windows(2).all(|pair| members[pair[0]].0 <= members[pair[1]].0))
            .collect();
        for measure in &measures {
            let plain = |order: &Vec<usize>| {
                let places = order.iter().enumerate().filter(|(_, at)| members[**at].1);
                let untied: Vec<Level> =
                    places.map(|(rank, _)| Level { above: rank as u32, size: 1, relevant: 1 }).collect();
                measure.value(&untied, n as u32, &series)
            };
            let all: Vec<f64> = kept.iter().map(plain).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let ours = measure.value(&levels, n as u32, &series);
            assert!((ours - mean).abs() < 1e-12, "{measure} {ranking:?}: {ours} {mean}");
            let worst = measure.value(&query::pessimistic(&levels), n as u32, &series);
            let is_lower = measure.card().better == "lower";
            let extreme = all.iter().copied().reduce(if is_lower { f64::max } else { f64::min }).unwrap();
            assert!((worst - extreme).abs() < 1e-12, "{measure} {ranking:?}: {worst} {extreme}");
        }
    }
}

#[test]
fn random_embeddings_score_chance_within_three_standard_errors() {
    let data = Data::random(6000, 2, 16, 0.0, 11);
    let scored = data.score(&Settings { draws: 1, ..gallery(100) });
    assert_eq!(scored.queries.len(), 12_000);
    for direction in Direction::ALL {
        for (metric, chance) in [("hit-rate@1", 0.01), ("hit-rate@10", 0.1), ("mrr", 0.051874)] {
            let summary = value(&scored, direction, metric);
            let error = summary.sd_galleries.unwrap() / (summary.galleries as f64).sqrt();
            let distance = (summary.value.unwrap() - chance).abs();
            assert!(distance < 3.0 * error, "{metric} {} {error}", summary.value.unwrap());
            assert!((summary.chance.unwrap() - chance).abs() < 5e-7);
        }
    }
}

#[test]
fn constant_embeddings_score_exactly_chance() {
    let mut data = Data::random(230, 3, 5, 1.0, 3);
    let metrics = [DEFAULT_METRICS.map(str::to_owned).to_vec(), vec!["fall-out@5".to_owned()]].concat();
    for value in [0.0, 0.3, -7.0] {
        data.image = Matrix::new(data.image.rows(), 5, vec![value; data.image.rows() * 5]);
        data.molecule = Matrix::new(230, 5, vec![value; 230 * 5]);
        for images_per_compound in [Amount::Count(1), Amount::Count(2), Amount::All] {
            for similarity in [Similarity::Cosine, Similarity::Dot, Similarity::Euclidean] {
                let settings =
                    Settings { images_per_compound, similarity, metrics: metrics.clone(), bootstrap: 0, ..gallery(50) };
                let scored = data.score(&settings);
                for (summary, baseline) in scored.summaries.iter().zip(&scored.baseline) {
                    assert_eq!((summary.value, summary.corrected), (baseline.value, Some(0.0)), "{}", summary.metric);
                    assert_eq!(baseline.model, RANDOM);
                }
                assert_eq!(scored.zero_embeddings > 0, value == 0.0);
            }
        }
    }
}

#[test]
fn row_order_and_threads_change_no_bit() {
    let mut data = Data::random(320, 4, 33, 0.5, 5);
    data.identities = Some((0..320).map(|at| format!("I{}", at / 2)).collect());
    for protocol in [Protocol::Strict, Protocol::Paper] {
        let settings = Settings { protocol, ..gallery(150) };
        let text = |data: &Data| serde_json::to_string(&data.score(&settings)).unwrap();
        let whole = text(&data);
        assert!(whole == text(&data.shuffled(1)) && whole == text(&data.shuffled(2)));
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(whole == pool.install(|| text(&data)));
        }
        let other = serde_json::to_string(&data.score(&Settings { seed: 1, ..settings.clone() })).unwrap();
        assert_ne!(whole, other);
    }
}

#[test]
fn ranks_are_those_of_sorting_in_double_precision() {
    // Close neighbours, so that single precision would not do.
    let mut data = Data::random(700, 3, 40, 0.0, 9);
    for (at, value) in data.molecule.data_mut().iter_mut().enumerate() {
        *value = 3.0 + *value * 1e-5 + (at % 40) as f32;
    }
    for similarity in [Similarity::Cosine, Similarity::Dot, Similarity::Euclidean] {
        for images_per_compound in [Amount::Count(1), Amount::All] {
            let settings = Settings {
                gallery: Amount::All,
                similarity,
                images_per_compound,
                draws: 1,
                bootstrap: 0,
                ..gallery(2)
            };
            let plan = data.plan(&settings);
            let scored = data.score(&settings);
            let row = |key: &str| data.keys.iter().position(|other| other == key).unwrap();
            let image_row = |image: u32| {
                let name = &plan.images[image as usize];
                let key = &plan.compounds[name.compound as usize];
                (0..data.ids.len()).find(|&at| &data.compounds[at] == key && data.ids[at] == name.id).unwrap()
            };
            let compare = |a: &[f32], b: &[f32]| {
                let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
                let dot: f64 = pairs().map(|(a, b)| a * b).sum();
                match similarity {
                    Similarity::Cosine => {
                        dot / (pairs().map(|(a, _)| a * a).sum::<f64>() * pairs().map(|(_, b)| b * b).sum::<f64>())
                            .sqrt()
                    }
                    Similarity::Dot => dot,
                    Similarity::Euclidean => -pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>(),
                }
            };
            for query in scored.queries.iter().step_by(97) {
                let asking = match query.image {
                    Some(image) => data.image.row(image_row(image)),
                    None => data.molecule.row(row(&plan.compounds[query.compound as usize])),
                };
                let candidates: Vec<(u32, &[f32])> = match query.direction {
                    Direction::ImageToMolecule => {
                        (0..700).map(|c| (c, data.molecule.row(row(&plan.compounds[c as usize])))).collect()
                    }
                    Direction::MoleculeToImage => {
                        let shown = plan.draws[0].iter().enumerate();
                        let shown = shown.flat_map(|(c, images)| images.iter().map(move |&image| (c as u32, image)));
                        shown.map(|(c, image)| (c, data.image.row(image_row(image)))).collect()
                    }
                };
                let mut all: Vec<(f64, bool)> =
                    candidates.iter().map(|(c, row)| (compare(asking, row), *c == query.compound)).collect();
                all.sort_by(|a, b| b.0.total_cmp(&a.0));
                let ranks: Vec<u32> =
                    all.iter().enumerate().filter(|(_, (_, hit))| *hit).map(|(rank, _)| rank as u32).collect();
                assert_eq!(query.levels.iter().map(|level| level.above).collect::<Vec<_>>(), ranks);
                assert!(query.levels.iter().all(|level| (level.size, level.relevant) == (1, 1)));
            }
        }
    }
}

#[test]
fn duplicates_are_neither_right_nor_wrong() {
    let mut data = Data::random(60, 1, 8, 3.0, 1);
    // Compound 2i + 1 is the same substance as 2i, by first block; its molecule is the same too.
    data.identities = Some((0..60).map(|at| format!("BLOCK{}-{}-N", at / 2, at)).collect());
    for at in (1..60).step_by(2) {
        let (from, to) = data.molecule.data_mut().split_at_mut(at * 8);
        to[..8].copy_from_slice(&from[(at - 1) * 8..]);
    }
    let settings = Settings { gallery: Amount::All, draws: 1, ..gallery(2) };
    let open = data.score(&settings);
    assert!(open.masked == 0 && open.queries.iter().all(|query| query.candidates == 60));
    let images = |scored: &Retrieval| -> Vec<Query> {
        scored.queries.iter().filter(|query| query.image.is_some()).cloned().collect()
    };
    // Its double ties with the right molecule, and ranks suffer by half a place.
    assert!(images(&open).iter().all(|query| query.levels[0].size == 2));
    let masked = data.score(&Settings { duplicates: Duplicates::SameFirstBlock, ..settings });
    assert_eq!((masked.masked, masked.population.duplicate_compounds), (120, 60));
    assert!(masked.queries.iter().all(|query| (query.candidates, query.masked) == (59, 1)));
    for (masked, open) in images(&masked).iter().zip(images(&open)) {
        assert_eq!(masked.levels, [Level { size: 1, ..open.levels[0] }]);
    }
    // Doubles are drawn together: they are one cluster.
    assert_eq!(masked.unit_group.iter().collect::<std::collections::BTreeSet<_>>().len(), 30);
}

#[test]
fn strict_galleries_query_everyone_once_among_equally_many() {
    let data = Data::random(250, 3, 4, 1.0, 2);
    let plan = data.plan(&gallery(100));
    assert_eq!(plan.galleries.iter().map(|gallery| gallery.queried).collect::<Vec<_>>(), [100, 100, 50]);
    let mut queried: Vec<u32> = Vec::new();
    for gallery in &plan.galleries {
        let distinct: std::collections::BTreeSet<&u32> = gallery.compounds.iter().collect();
        assert_eq!(distinct.len(), 100);
        queried.extend(&gallery.compounds[..gallery.queried]);
    }
    queried.sort_unstable();
    assert_eq!(queried, (0..250).collect::<Vec<_>>());
    assert_eq!((plan.population.filled, plan.population.dropped), (50, 0));
    let scored = data.score(&gallery(100));
    assert_eq!(scored.summaries[0].queries, 1250);
    assert!(scored.queries.iter().all(|query| query.candidates == 100));
    // Galleries of 50 lie within those of 100.
    let small = data.plan(&gallery(50));
    assert_eq!(
        [&small.galleries[0].compounds[..], &small.galleries[1].compounds].concat(),
        plan.galleries[0].compounds
    );
    // Images of a compound are shown in turn.
    for compound in 0..250 {
        let images = plan.images.iter().filter(|image| image.compound == compound as u32).count();
        let shown: std::collections::BTreeSet<u32> = plan.draws.iter().map(|draw| draw[compound][0]).collect();
        assert_eq!(shown.len(), images.min(5));
    }
}

#[test]
fn paper_galleries_follow_the_stored_order_and_drop_the_rest() {
    let data = Data::random(250, 3, 4, 1.0, 2);
    let order: Vec<String> = data.keys.iter().rev().cloned().collect();
    let settings = Settings { protocol: Protocol::Paper, ..gallery(100) };
    let plan = Plan::new(&data.molecules(), &data.images(), Some(&order), &settings).unwrap();
    let keys = |gallery: &Gallery| -> Vec<String> {
        gallery.compounds.iter().map(|&compound| plan.compounds[compound as usize].clone()).collect()
    };
    assert_eq!(plan.galleries.len(), 2);
    assert_eq!(keys(&plan.galleries[1]), order[100..200]);
    assert_eq!(plan.population.dropped, 50);
    let scored = evaluate("m", &plan, &data.molecules(), &data.images(), &settings).unwrap();
    assert_eq!((scored.summaries[0].galleries, scored.summaries[0].compounds), (2, 200));
    let again: Vec<String> = [order.clone(), order[..1].to_vec()].concat();
    assert!(Plan::new(&data.molecules(), &data.images(), Some(&again), &settings).is_err());
}

#[test]
fn a_metric_at_a_depth_no_smaller_than_the_gallery_is_refused_with_a_reason() {
    let data = Data::random(40, 2, 4, 1.0, 2);
    let metrics = ["hit-rate@10", "hit-rate@9", "ndcg"].map(str::to_owned).to_vec();
    let scored = data.score(&Settings { metrics, ..gallery(10) });
    let reasons: Vec<bool> = scored.summaries.iter().map(|summary| summary.reason.is_some()).collect();
    assert_eq!(reasons, [true, false, false, true, false, false]);
    assert!(scored.summaries.iter().all(|summary| summary.value.is_some() != summary.reason.is_some()));
    assert!(scored.baseline[0].value.is_none() && scored.scores[0].value.is_none());
}

#[test]
fn summaries_are_recomputed_from_the_queries() {
    let data = Data::random(330, 4, 12, 0.4, 8);
    let settings = Settings { bootstrap: 400, ..gallery(100) };
    let scored = data.score(&settings);
    for direction in Direction::ALL {
        let of = |draw: u32| scored.queries.iter().filter(move |q| q.direction == direction && q.draw == draw);
        let by_draw: Vec<f64> =
            (0..5).map(|draw| of(draw).map(|q| 1.0 / f64::from(q.best_rank())).sum::<f64>() / 330.0).collect();
        let summary = value(&scored, direction, "mrr");
        assert!((summary.value.unwrap() - by_draw.iter().sum::<f64>() / 5.0).abs() < 1e-12);
        assert!((summary.sd_draws.unwrap() - bench_core::number::sample_sd(&by_draw).unwrap()).abs() < 1e-12);
        let interval = summary.percentile.unwrap();
        assert!(interval.low < summary.value.unwrap() && summary.value.unwrap() < interval.high);
        assert!(summary.bca.is_some() && summary.corrected.unwrap() < summary.value.unwrap());
        let mut ranks: Vec<u32> = of(2).map(Query::best_rank).collect();
        ranks.sort_unstable();
        let median = f64::from(ranks[164] + ranks[165]) / 2.0;
        let is_it = |s: &&RetrievalScore| s.direction == direction && s.draw == 2 && s.metric == "median-rank";
        assert_eq!(scored.scores.iter().find(is_it).unwrap().value, Some(median));
        let summary = value(&scored, direction, "median-rank");
        assert!(summary.bca.is_none() && summary.percentile.unwrap().low <= summary.value.unwrap());
        assert!((summary.chance.unwrap() - 50.5).abs() < 1e-12 && summary.corrected.unwrap() > 0.0);
    }
    let plan = data.plan(&settings);
    assert_eq!(scored.queries_csv(&plan).lines().count(), 1 + 2 * 5 * 330);
    let text = serde_json::to_string(&scored).unwrap();
    assert_eq!(serde_json::from_str::<Retrieval>(&text).unwrap(), scored);
}

#[test]
fn a_better_model_is_told_from_a_worse_one_on_the_same_galleries() {
    let (good, bad) = (Data::random(300, 2, 12, 0.6, 8), Data::random(300, 2, 12, 0.2, 8));
    let settings = Settings { bootstrap: 200, ..gallery(100) };
    let plan = good.plan(&settings);
    let score = |name: &str, data: &Data| evaluate(name, &plan, &data.molecules(), &data.images(), &settings).unwrap();
    let (a, b) = (score("good", &good), score("bad", &bad));
    let same = Retrieval { model: "same".to_owned(), by_compound: a.by_compound.clone(), ..a.clone() };
    let comparisons = compare(&[&a, &b], &["mrr", "hit-rate@1"], 2000).unwrap();
    assert_eq!(comparisons.len(), 4);
    for comparison in &comparisons {
        assert_eq!((comparison.a.as_str(), comparison.probe.as_str()), ("good", "retrieval"));
        let interval = comparison.interval.unwrap();
        assert!(comparison.p < 0.01 && interval.low > 0.0 && comparison.difference > 0.0, "{comparison:?}");
    }
    assert_eq!(
        (comparisons[0].metric.as_str(), comparisons[0].split.as_str()),
        ("hit-rate@1", "image-to-molecule/100")
    );
    let mut same = same;
    same.by_compound.iter_mut().for_each(|cell| cell.model = "same".to_owned());
    assert!(compare(&[&a, &same], &["mrr"], 500).unwrap().iter().all(|comparison| comparison.p == 1.0));
    let other = bad.score(&Settings { seed: 9, ..settings.clone() });
    assert!(compare(&[&a, &other], &["mrr"], 500).is_err());
    assert!(compare(&[], &["mrr"], 500).unwrap().is_empty());
}

#[test]
fn embeddings_that_cannot_be_scored_are_named() {
    let settings = gallery(10);
    let fresh = || Data::random(30, 2, 4, 1.0, 2);
    let mut data = fresh();
    data.image.data_mut()[4 * 4 + 1] = f32::NAN;
    let why = data.error(&settings);
    assert!(why.contains(&format!("image `{}` of compound `{}` (row 4)", data.ids[4], data.compounds[4])), "{why}");
    let mut data = fresh();
    data.molecule.data_mut()[7 * 4] = f32::INFINITY;
    assert!(data.error(&settings).contains(&format!("`{}` (row 7)", key(7))));
    let mut data = fresh();
    data.keys[3] = key(2);
    assert!(data.error(&settings).contains("two molecule embeddings"));
    let mut data = fresh();
    (data.compounds[1], data.ids[1]) = (data.compounds[0].clone(), data.ids[0].clone());
    assert!(data.error(&settings).contains("given twice"));
    assert!(fresh().error(&gallery(31)).contains("cannot be made of 30"));
    let narrow = Matrix::zeros(30, 3);
    let data = Data { molecule: narrow, ..fresh() };
    assert!(data.error(&settings).contains("3 dimensions"));
    // A model that lacks an image of the plan.
    let (data, plan) = (fresh(), fresh().plan(&settings));
    let keep: Vec<u32> = (1..data.ids.len() as u32).collect();
    let image = data.image.take(&keep);
    let images = Images { compounds: &data.compounds[1..], ids: &data.ids[1..], matrix: &image };
    assert!(evaluate("m", &plan, &data.molecules(), &images, &settings).is_err());
}

#[test]
fn compounds_without_a_partner_are_counted_and_left_out() {
    let mut data = Data::random(30, 1, 4, 1.0, 2);
    data.compounds[5] = "unknown".to_owned();
    let plan = data.plan(&gallery(10));
    let expected = Population {
        compounds: 29,
        images: 29,
        molecules_without_image: 1,
        images_without_molecule: 1,
        filled: 1,
        ..Population::default()
    };
    assert_eq!(plan.population, expected);
}
