use super::*;
use crate::golden::{clustered, geometry, numbers, on_one_and_two_threads};
use proptest::prelude::*;

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }
}

#[test]
fn components_are_scikit_learns() {
    let golden = geometry();
    for (name, data) in [("tall", clustered(90, 7, 3, 1)), ("wide", clustered(12, 40, 3, 2))] {
        let golden = &golden[name];
        let k = golden["k"].as_u64().unwrap() as usize;
        for method in [Method::Exact, Method::Randomised] {
            let pca = Pca::fit(&data, k, method, Seed(5)).unwrap();
            assert!(pca.converged);
            close(&pca.mean, &numbers(&golden["mean"]), 1e-10);
            let variance = numbers(&golden["variance"]);
            close(&pca.variance, &variance, 1e-9 * variance[0]);
            close(&pca.ratio, &numbers(&golden["ratio"]), 1e-9);
            let mut expected = numbers(&golden["components"]);
            expected.chunks_exact_mut(data.cols()).for_each(fix_sign);
            close(&pca.components, &expected, 1e-7);
        }
    }
}

#[test]
fn both_methods_agree_on_a_decaying_spectrum() {
    let mut data = clustered(700, 40, 9, 12);
    for (at, value) in data.data_mut().iter_mut().enumerate() {
        *value *= 0.8_f32.powi((at % 40) as i32);
    }
    let exact = Pca::fit(&data, 5, Method::Exact, Seed(1)).unwrap();
    let random = Pca::fit(&data, 5, Method::Randomised, Seed(1)).unwrap();
    assert!(random.converged);
    close(&random.variance, &exact.variance, 1e-6 * exact.variance[0]);
    close(&random.components, &exact.components, 1e-3);
}

#[test]
fn one_and_two_threads_give_the_same_bytes() {
    let data = clustered(1500, 30, 9, 3);
    for method in [Method::Exact, Method::Randomised] {
        let (one, two) = on_one_and_two_threads(|| {
            let pca = Pca::fit(&data, 4, method, Seed(1)).unwrap();
            let scores = pca.scores(&data).unwrap();
            (pca, scores)
        });
        assert!(one == two);
    }
}

#[test]
fn a_constant_table_has_orthonormal_components_without_variance() {
    for (n, d) in [(2, 5), (9, 4), (4, 9), (3, 3)] {
        let data = Matrix::new(n, d, vec![2.5; n * d]);
        let k = n.min(d);
        for method in [Method::Exact, Method::Randomised] {
            let pca = Pca::fit(&data, k, method, Seed(1)).unwrap();
            assert_eq!((pca.variance, pca.ratio), (vec![0.0; k], vec![0.0; k]));
            for i in 0..k {
                for j in 0..k {
                    let dot = dense::dot(&pca.components[i * d..(i + 1) * d], &pca.components[j * d..(j + 1) * d]);
                    assert!((dot - f64::from(i == j)).abs() < 1e-9);
                }
            }
        }
    }
}

#[test]
fn impossible_requests_are_refused() {
    let data = clustered(10, 3, 2, 1);
    assert!(matches!(Pca::fit(&data, 0, Method::Auto, Seed(1)), Err(Error::Setting { .. })));
    assert!(matches!(Pca::fit(&data, 4, Method::Auto, Seed(1)), Err(Error::Setting { .. })));
    assert!(matches!(Pca::fit(&data.take(&[0]), 1, Method::Auto, Seed(1)), Err(Error::TooFewRows { .. })));
    assert!(matches!(Pca::fit(&Matrix::zeros(3, 0), 1, Method::Auto, Seed(1)), Err(Error::Empty { .. })));
    let mut bad = data.clone();
    bad.data_mut()[7] = f32::NAN;
    assert!(matches!(Pca::fit(&bad, 1, Method::Auto, Seed(1)), Err(Error::NotFinite { row: 2, col: 1, .. })));
    let pca = Pca::fit(&data, 1, Method::Auto, Seed(1)).unwrap();
    assert!(matches!(pca.scores(&Matrix::zeros(1, 2)), Err(Error::Shape { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn scores_have_the_variances_of_their_components(n in 3_usize..40, d in 1_usize..20, seed in any::<u64>()) {
        let data = clustered(n, d, 3, seed);
        let k = n.min(d);
        let pca = Pca::fit(&data, k, Method::Auto, Seed(seed)).unwrap();
        let scores = pca.scores(&data).unwrap();
        let total: f64 = pca.ratio.iter().sum();
        prop_assert!(total < 1.0 + 1e-9);
        for i in 0..k {
            let variance = (0..n).map(|row| f64::from(scores.row(row)[i]).powi(2)).sum::<f64>() / (n - 1) as f64;
            prop_assert!((variance - pca.variance[i]).abs() < 1e-4 * pca.variance[0]);
        }
    }
}
