//! The numeric vectors of the method descriptions, computed there with NumPy from the formulas.

use candle_core::{DType, Device, Tensor};

use super::imm_code::ImmCode;
use super::imm_paper::ImmPaper;
use super::*;

/// Three molecules and three views each; lengths test the normalisation.
fn fixture(views: usize, tau: f64, dtype: DType) -> Embeddings {
    let polar = [
        [(1.0, 10.0), (2.0, 20.0), (3.0, -30.0)],
        [(0.5, 100.0), (1.0, 80.0), (2.0, 60.0)],
        [(4.0, 200.0), (1.0, 170.0), (1.0, 150.0)],
    ];
    let images: Vec<f64> = polar
        .iter()
        .flat_map(|compound| compound[..views].iter())
        .flat_map(|&(length, degrees): &(f64, f64)| {
            let angle = degrees.to_radians();
            [length * angle.cos(), length * angle.sin()]
        })
        .collect();
    let molecules = [2.0, 0.0, 0.0, 3.0, -0.5, 0.0];
    batch(&molecules, &images, (3, views, 2), tau, dtype)
}

fn batch(molecules: &[f64], images: &[f64], shape: (usize, usize, usize), tau: f64, dtype: DType) -> Embeddings {
    let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
    Embeddings {
        molecules: tensor(molecules).reshape((shape.0, shape.2)).unwrap(),
        images: tensor(images).reshape(shape).unwrap(),
        tau: tensor(&[tau]).squeeze(0).unwrap(),
    }
}

/// `n` orthonormal compounds whose views all equal the molecule.
fn orthonormal(n: usize, views: usize) -> Embeddings {
    let unit = |i: usize| (0..n).map(move |j| f64::from(u8::from(i == j)));
    let molecules: Vec<f64> = (0..n).flat_map(unit).collect();
    let images: Vec<f64> = (0..n).flat_map(|i| (0..views).flat_map(move |_| unit(i))).collect();
    batch(&molecules, &images, (n, views, n), 1.0, DType::F64)
}

fn number(tensor: &Tensor) -> f64 {
    tensor.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn built(loss: &str, change: impl Fn(&mut LossConfig)) -> Box<dyn Loss> {
    let mut config = LossConfig::of(loss);
    change(&mut config);
    config.build().unwrap()
}

/// 1e-5 absolute or relative, whichever is larger.
#[track_caller]
fn near(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-5 * want.abs().max(1.0), "{got} for {want}");
}

#[track_caller]
fn values(loss: &dyn Loss, views: usize, wanted: [f64; 3]) {
    for dtype in [DType::F64, DType::F32] {
        for (tau, want) in [1.0, 0.5, 0.1].into_iter().zip(wanted) {
            near(number(&loss.value(&fixture(views, tau, dtype)).unwrap()), want);
        }
    }
}

fn reverse(config: &mut LossConfig) {
    config.direction = Direction::MoleculeToImage;
}

#[test]
fn single_view_losses_have_the_values_of_the_table() {
    values(&*built("nt-xent", |_| ()), 1, [-0.552721, -1.681567, -9.669074]);
    values(&*built("nt-xent", reverse), 1, [-0.537555, -1.625579, -9.116792]);
    values(&*built("info-nce", |_| ()), 1, [0.460687, 0.183746, 0.000204006]);
    values(&*built("info-nce", reverse), 1, [0.463802, 0.187843, 0.000260676]);
    values(&*built("symmetric", |_| ()), 1, [0.462244, 0.185794, 0.000232341]);
}

#[test]
fn multi_view_losses_have_the_values_of_the_table() {
    values(&*built("emm-code", |_| ()), 3, [-0.438160, -1.421809, -8.200863]);
    values(&*built("emm-paper", |_| ()), 3, [-0.424297, -1.346570, -6.550171]);
    values(&*built("imm-code", |_| ()), 3, [-1.714725, -5.866207, -34.354348]);
    for (pairs, wanted) in [
        (Pairs::All, [-0.579396, -1.872752, -8.571619]),
        (Pairs::Distinct, [-0.533355, -1.763094, -8.126757]),
        (Pairs::Upper, [-0.558162, -1.880343, -9.666918]),
    ] {
        values(&*built("imm-paper", |config| config.pairs = pairs), 3, wanted);
    }
}

#[test]
fn the_terms_of_imm_have_the_values_of_the_table() {
    let terms = ImmCode { lambda: 0.5 }.weighted_terms(&fixture(3, 0.5, DType::F64)).unwrap();
    let wanted = [-1.625579, -1.435347, -1.204502, -0.714435, -0.392503, -0.493842];
    assert_eq!(terms.dims(), [6]);
    numbers(&terms).into_iter().zip(wanted).for_each(|(got, want)| near(got, want));
    for (pairs, wanted) in [
        (Pairs::All, [-0.310198, -1.052364, -4.042897]),
        (Pairs::Distinct, [-0.218116, -0.833048, -3.153172]),
        (Pairs::Upper, [-0.267730, -1.067546, -6.233494]),
    ] {
        for (tau, want) in [1.0, 0.5, 0.1].into_iter().zip(wanted) {
            let intra = ImmPaper { gamma: 0.5, pairs }.intra(&fixture(3, tau, DType::F64)).unwrap();
            near(number(&intra), want);
        }
    }
}

#[test]
fn gradients_are_those_of_the_table() {
    for dtype in [DType::F64, DType::F32] {
        let output = built("nt-xent", |_| ()).evaluate(&fixture(1, 0.5, dtype)).unwrap();
        let images = [-0.125683, 0.712783, -0.659887, -0.116356, -0.017097, 0.046973];
        let molecules = [0.0, 0.024951, 0.077487, 0.0, 0.0, 1.352609];
        numbers(&output.images).into_iter().zip(images).for_each(|(got, want)| near(got, want));
        numbers(&output.molecules).into_iter().zip(molecules).for_each(|(got, want)| near(got, want));
        for (loss, wanted) in [
            ("emm-code", [0.0, 0.276562, -0.040194, 0.0, 0.0, 0.832622]),
            ("emm-paper", [0.0, 0.271454, -0.048538, 0.0, 0.0, 0.953764]),
        ] {
            let output = built(loss, |_| ()).evaluate(&fixture(3, 0.5, dtype)).unwrap();
            numbers(&output.molecules).into_iter().zip(wanted).for_each(|(got, want)| near(got, want));
        }
    }
}

#[test]
fn orthonormal_pairs_have_the_values_found_by_hand() {
    let value = |loss: &str, n, views| number(&built(loss, |_| ()).value(&orthonormal(n, views)).unwrap());
    near(value("nt-xent", 2, 1), -1.0);
    near(value("info-nce", 2, 1), (1.0 + (-1f64).exp()).ln());
    near(value("nt-xent", 3, 1), 2f64.ln() - 1.0);
    near(value("emm-code", 2, 3), -1.0);
    near(value("emm-paper", 2, 3), -1.0);
    near(value("imm-code", 2, 3), -4.5);
    near(value("emm-code", 3, 2), 2f64.ln() - 1.0);
    near(value("imm-code", 3, 2), 2.5 * (2f64.ln() - 1.0));
}
