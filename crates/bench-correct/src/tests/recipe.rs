//! Outputs that JUMP published of its own profiling recipe, reproduced.

use bench_core::{Matrix, Seed};
use serde_json::Value;

use crate::testing::{golden, numbers, origin};
use crate::{Chain, FitInput, Origin};

fn matrix(values: &Value) -> Matrix {
    let rows = values.as_array().unwrap().len();
    let data: Vec<f32> = numbers(values).into_iter().map(|v| v as f32).collect();
    Matrix::new(rows, data.len() / rows, data)
}

fn origin_of(table: &Value) -> Origin {
    let plate: Vec<String> =
        table["plate"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    let control = table["control"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
    origin(&plate, &plate, control)
}

fn corrected(matrix: &Matrix, origin: &Origin, chain: &str, seed: u64) -> Matrix {
    let input = FitInput { matrix, origin, covariate: None, seed: Seed(seed) };
    Chain::parse(chain).unwrap().fit_apply(&input).unwrap().1
}

fn column(matrix: &Matrix, col: usize) -> Vec<f32> {
    (0..matrix.rows()).map(|row| matrix.row(row)[col]).collect()
}

#[test]
fn mad_and_normal_scores_are_those_that_jump_published() {
    let golden = golden("correct_recipe.json");
    let table = &golden["compound"];
    let (raw, scored) = (matrix(&table["raw"]), matrix(&table["scored"]));
    let chain = "variant(by=plate) > mad(by=plate, constant=1) > int > select(operations=frequency+correlation)";
    let ours = corrected(&raw, &origin_of(table), chain, 1);
    assert_eq!((ours.rows(), ours.cols()), (768, 3));
    let mad = corrected(&raw, &origin_of(table), "mad(by=plate, constant=1)", 1);
    let mut untied = [0; 3];
    for (col, untied) in untied.iter_mut().enumerate() {
        let values = column(&mad, col);
        for row in 0..768 {
            // The recipe draws the ranks of tied values: any score within the tie is right.
            let tied = (0..768).filter(|&other| (values[other] - values[row]).abs() < 1e-5);
            let (mut count, mut low, mut high) = (0, f32::MAX, f32::MIN);
            for other in tied {
                count += 1;
                low = low.min(ours.row(other)[col]);
                high = high.max(ours.row(other)[col]);
            }
            let score = scored.row(row)[col];
            assert!(score >= low - 1e-5 && score <= high + 1e-5, "row {row}, column {col}: {score} in {low} to {high}");
            *untied += usize::from(count == 1);
        }
    }
    assert!(untied.iter().all(|&count| count > 300), "{untied:?}");
}

/// Correlation of what two results added to a table, over all values of a column, the least of the columns.
fn agreement(before: &Matrix, ours: &Matrix, theirs: &Matrix) -> f64 {
    (0..before.cols())
        .map(|col| {
            let added = |after: &Matrix| -> Vec<f64> {
                (0..before.rows()).map(|row| f64::from(after.row(row)[col]) - f64::from(before.row(row)[col])).collect()
            };
            let (a, b) = (added(ours), added(theirs));
            let n = a.len() as f64;
            let (x, y) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
            let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
            for (a, b) in a.iter().zip(&b) {
                xy += (a - x) * (b - y);
                xx += (a - x).powi(2);
                yy += (b - y).powi(2);
            }
            xy / (xx * yy).sqrt()
        })
        .fold(1.0, f64::min)
}

const HARMONY: &str = "harmony(by=plate, dialect=0.0, clusters=300, iterations=20)";

#[test]
fn harmony_moves_the_published_profiles_as_published() {
    let golden = golden("correct_recipe.json");
    let table = &golden["compound"];
    let (scored, theirs) = (matrix(&table["scored"]), matrix(&table["harmony"]));
    let ours = corrected(&scored, &origin_of(table), HARMONY, 1);
    let still = Matrix::zeros(scored.rows(), scored.cols());
    let (added, whole) = (agreement(&scored, &ours, &theirs), agreement(&still, &ours, &theirs));
    println!("harmony of published profiles: correlation {whole:.5}, of what it adds {added:.4}");
    assert!(whole > 0.999 && added > 0.99, "{whole}, {added}");
}

#[test]
fn sphering_and_harmony_give_the_published_profiles() {
    let golden = golden("correct_recipe.json");
    for name in ["orf", "efficientnet"] {
        let table = &golden[name];
        let (before, theirs) = (matrix(&table["before"]), matrix(&table["after"]));
        let still = Matrix::zeros(before.rows(), before.cols());
        // The recipe keeps the epsilon of two with the better score; which one is not published.
        let best = numbers(&golden["epsilon"])
            .into_iter()
            .map(|epsilon| {
                let chain = format!("sphere(method=zca-cor, epsilon={epsilon}) > {HARMONY}");
                agreement(&still, &corrected(&before, &origin_of(table), &chain, 1), &theirs)
            })
            .fold(0.0, f64::max);
        println!("{name}: correlation {best:.5}");
        assert!(best > 0.99, "{name}: {best}");
    }
}
