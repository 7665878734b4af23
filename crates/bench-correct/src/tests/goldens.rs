//! Values of the peers' packages; the generator says which, and why the tolerances are what they are.

use bench_core::{Factor, Matrix, Seed};
use serde_json::Value;

use crate::knee::knee;
use crate::testing::{golden, numbers, origin};
use crate::{Chain, FitInput, Fitted, Origin};

/// A table of `correct_inputs.json`.
struct Table {
    matrix: Matrix,
    origin: Origin,
    shown: Vec<u32>,
}

fn table(name: &str) -> Table {
    let all = golden("correct_inputs.json");
    let input = &all[name];
    let words = |key: &str| -> Vec<String> {
        input[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let control = input["control"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
    let rows = input["x"].as_array().unwrap().len();
    let values: Vec<f32> = numbers(&input["x"]).into_iter().map(|v| v as f32).collect();
    Table {
        matrix: Matrix::new(rows, values.len() / rows, values),
        origin: origin(&words("batch"), &words("plate"), control),
        shown: numbers(&input["shown"]).into_iter().map(|v| v as u32).collect(),
    }
}

fn corrected(table: &Table, chain: &str, covariate: Option<&Factor>) -> Matrix {
    let input = FitInput { matrix: &table.matrix, origin: &table.origin, covariate, seed: Seed(1) };
    Chain::parse(chain).unwrap().fit_apply(&input).unwrap_or_else(|error| panic!("{chain}: {error}")).1
}

/// Compares rows with a golden: relative to the largest value of the column.
fn compare(what: &str, ours: &Matrix, golden: &Value, tolerance: f64) {
    let rows = golden.as_array().unwrap().len();
    let theirs = numbers(golden);
    let cols = theirs.len() / rows;
    assert_eq!((ours.rows(), ours.cols()), (rows, cols), "{what}");
    for col in 0..cols {
        let largest = (0..rows).map(|row| theirs[row * cols + col].abs()).fold(0.0, f64::max);
        for row in 0..rows {
            let (got, expected) = (f64::from(ours.row(row)[col]), theirs[row * cols + col]);
            let error = (got - expected).abs();
            assert!(error <= tolerance * largest.max(1e-3), "{what}, row {row}, column {col}: {got}, not {expected}");
        }
    }
}

/// 1e-8 of the method, and 32-bit storage: half a unit in the last place of the largest value of a column.
const STORED: f64 = 1e-8 + 6e-8;

fn check(name: &str, key: &str, chain: &str, tolerance: f64) {
    let (table, goldens) = (table(name), golden("correct_linear.json"));
    let ours = corrected(&table, chain, None).take(&table.shown);
    compare(&format!("{name}: {chain}"), &ours, &goldens[name][key], tolerance);
}

const ALL: [&str; 4] = ["generated", "real", "ugly", "single"];

#[test]
fn location_and_scale_are_those_of_scikit_learn_and_pycytominer() {
    for name in ALL {
        check(name, "centre", "centre(by=plate, on=controls)", STORED);
        check(name, "standardise", "standardise(by=plate, on=controls)", STORED);
        check(name, "robust", "robust(by=plate, on=controls)", STORED);
        check(name, "mad", "mad(by=plate, on=controls, epsilon=1e-18)", STORED);
    }
}

#[test]
fn components_are_removed_as_by_scikit_learn() {
    for name in ALL {
        check(name, "remove-components", "remove-components(k=2, on=controls)", 1e-6);
    }
}

#[test]
fn variant_features_are_those_of_the_recipe() {
    let goldens = golden("correct_linear.json");
    for name in ALL {
        let table = table(name);
        let input = FitInput { matrix: &table.matrix, origin: &table.origin, covariate: None, seed: Seed(1) };
        let fitted = Chain::parse("variant(by=plate, on=controls)").unwrap().fit(&input);
        let expected: Vec<u32> = numbers(&goldens[name]["variant"]).into_iter().map(|col| col as u32).collect();
        match fitted {
            Ok(fitted) => assert_eq!(fitted.kept().unwrap(), expected, "{name}"),
            Err(error) => assert!(expected.is_empty(), "{name}: {error}"),
        }
    }
}

#[test]
fn sphering_is_that_of_pycytominer() {
    let goldens = golden("correct_linear.json");
    for name in ALL {
        for method in ["pca", "zca", "pca-cor", "zca-cor"] {
            let key = format!("sphere-{method}");
            let chain = format!("sphere(method={method}, epsilon=1e-6)");
            let table = table(name);
            // pycytominer refuses a constant feature for `-cor` alone: its check of the rank for the others can never fail
            // (`not center & ...`), and it multiplies the direction without data by a million.
            if name == "ugly" {
                assert_eq!(goldens[name][&key].is_string(), method.ends_with("-cor"));
                let input = FitInput { matrix: &table.matrix, origin: &table.origin, covariate: None, seed: Seed(1) };
                assert!(Chain::parse(&chain).unwrap().fit(&input).is_err(), "{name}: {method}");
                continue;
            }
            let mut ours = corrected(&table, &chain, None).take(&table.shown);
            let theirs = numbers(&goldens[name][&key]);
            if method.starts_with("pca") {
                // Axes are defined up to sign.
                let cols = ours.cols();
                for col in 0..cols {
                    let agreement: f64 =
                        (0..ours.rows()).map(|row| f64::from(ours.row(row)[col]) * theirs[row * cols + col]).sum();
                    if agreement < 0.0 {
                        ours.data_mut().iter_mut().skip(col).step_by(cols).for_each(|value| *value = -*value);
                    }
                }
            }
            compare(&format!("{name}: {chain}"), &ours, &goldens[name][&key], 1e-6);
        }
    }
}

#[test]
fn sphering_with_fewer_rows_than_features_repeats_the_last_singular_value() {
    let goldens = golden("correct_linear.json");
    for name in ["generated", "real", "single"] {
        let table = table(name);
        let few: Vec<u32> = numbers(&goldens[name]["few"]).into_iter().map(|v| v as u32).collect();
        let (matrix, origin) = (table.matrix.take(&few), table.origin.take(&few));
        for method in ["zca", "zca-cor"] {
            let chain = Chain::parse(&format!("sphere(method={method})")).unwrap();
            let input = FitInput { matrix: &matrix, origin: &origin, covariate: None, seed: Seed(1) };
            let ours = chain.fit(&input).unwrap().apply(&table.matrix, &table.origin).unwrap().take(&table.shown);
            compare(&format!("{name}: few rows, {method}"), &ours, &goldens[name]["sphere-few"][method], 1e-6);
        }
    }
}

#[test]
fn shrinkage_is_ledoit_and_wolfs() {
    let goldens = golden("correct_linear.json");
    for name in ["generated", "real", "single"] {
        let table = table(name);
        let controls = table.origin.controls();
        let share = goldens[name]["ledoit-wolf"].as_f64().unwrap();
        // Whitened controls have eigenvalues e / ((1 - a) e + a) of the correlation's e (whose mean is n / (n - 1)).
        let chain = "sphere(method=pca-cor, shrinkage=ledoit-wolf, epsilon=0)";
        let white = corrected(&table, chain, None).take(&controls);
        let plain = corrected(&table, "standardise(by=all, on=controls)", None).take(&controls);
        let (mean, _) = crate::linear::moments(&plain);
        let d = plain.cols();
        let (eigen, _) = bench_geometry::pca::dense::eigen(&crate::linear::covariance(&plain, &mean), d);
        let average = eigen.iter().sum::<f64>() / d as f64;
        let (_, variance) = crate::linear::moments(&white);
        let n = controls.len() as f64;
        for (value, e) in variance.iter().zip(&eigen) {
            let expected = e / ((1.0 - share) * e + share * average);
            assert!((value * n / (n - 1.0) - expected).abs() < 1e-5, "{name}: {value}, {expected}");
        }
    }
}

#[test]
fn normal_scores_are_those_of_scipy_and_scikit_learn() {
    for name in ALL {
        check(name, "int-quantile", "int(dialect=quantile)", 1e-6);
        check(name, "int-quantile-20", "int(dialect=quantile, quantiles=20)", 1e-6);
    }
    let goldens = golden("correct_linear.json");
    for name in ["generated", "single"] {
        check(name, "int-ordinal", "int(dialect=ordinal)", STORED);
        assert!(goldens[name].is_object());
    }
    // Where values are tied, ranks are drawn; the scores are the same as a whole.
    let table = table("ugly");
    let ours = corrected(&table, "int(dialect=ordinal)", None);
    let n = ours.rows() as f64;
    for col in [0, 1, 3, 5] {
        let mut distinct: Vec<f32> =
            (0..31).filter(|row| ![5, 20, 21].contains(row)).map(|row| ours.row(row)[col]).collect();
        distinct.sort_unstable_by(f32::total_cmp);
        assert!(distinct.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ours.row(3), ours.row(5));
        let highest = bench_core::normal::quantile((n - 0.375) / (n + 0.25));
        assert!(f64::from(distinct[distinct.len() - 1]) <= highest + 1e-6);
    }
}

#[test]
fn selections_are_pycytominers() {
    let goldens = golden("correct_linear.json");
    for name in ALL {
        let table = table(name);
        let kept = |matrix: &Matrix, operation: &str| -> Vec<u64> {
            let chain = Chain::parse(&format!("select(operations={operation})")).unwrap();
            let input = FitInput { matrix, origin: &table.origin, covariate: None, seed: Seed(1) };
            chain.fit(&input).unwrap().kept().unwrap().iter().map(|&col| u64::from(col)).collect()
        };
        let change = |work: &dyn Fn(usize, usize, f32) -> f32| {
            let (rows, cols) = (table.matrix.rows(), table.matrix.cols());
            let values = (0..rows * cols).map(|at| work(at / cols, at % cols, table.matrix.data()[at])).collect();
            Matrix::new(rows, cols, values)
        };
        let expected = |operation: &str| -> Vec<u64> {
            goldens[name]["select"][operation].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect()
        };
        assert_eq!(kept(&table.matrix, "variance"), expected("variance"), "{name}");
        let few = numbers(&goldens[name]["select"]["few"]);
        let rows = table.matrix.rows();
        let changed = change(&|row, col, value| match col {
            1 => few[row] as f32,
            3 => few[rows + row] as f32,
            _ => value,
        });
        assert_eq!(kept(&changed, "frequency"), expected("frequency"), "{name}");
        let holes = change(&|row, col, value| match col {
            1 if row % 15 == 0 => f32::NAN,
            3 if row % 40 == 0 => f32::NAN,
            _ => value,
        });
        assert_eq!(kept(&holes, "na"), expected("na"), "{name}");
        let large = change(&|_, col, value| if col == 0 { value * 1000.0 } else { value });
        assert_eq!(kept(&large, "outliers"), expected("outliers"), "{name}");
        let first = |row: usize| table.matrix.row(row)[0];
        let alike = change(&|row, col, value| match col {
            1 => first(row) + 0.05 * value,
            3 => -first(row) + 0.05 * value,
            _ => value,
        });
        assert_eq!(kept(&alike, "correlation"), expected("correlation"), "{name}");
    }
}

#[test]
fn combat_is_scanpys() {
    for name in ["generated", "real", "ugly"] {
        check(name, "combat", "combat(by=batch)", 1e-6);
    }
    let goldens = golden("correct_linear.json");
    for name in ["generated", "real", "ugly"] {
        let table = table(name);
        let levels: Vec<String> = (0..table.matrix.rows()).map(|row| (row % 3).to_string()).collect();
        let ours = corrected(&table, "combat(by=batch, covariate=given)", Some(&Factor::sorted(&levels)));
        compare(name, &ours.take(&table.shown), &goldens[name]["combat-covariate"], 1e-6);
    }
}

#[test]
fn knees_are_kneeds() {
    let goldens = golden("correct_linear.json");
    for (at, curve) in goldens["knees"].as_array().unwrap().iter().enumerate() {
        let expected = curve["knee"].as_u64().map(|v| v as usize);
        assert_eq!(knee(&numbers(&curve["y"]), 1.0), expected, "curve {at}");
    }
    let mut compared = 0;
    for name in ALL {
        if goldens[name]["zca-corr"].is_array() {
            check(name, "zca-corr", "zca-corr(by=all, on=controls)", 1e-6);
            compared += 1;
        }
    }
    assert!(compared >= 2, "{compared}");
}

#[test]
fn closed_forms_are_those_of_numpy() {
    let goldens = golden("correct_linear.json");
    for name in ALL {
        check(name, "coral", "coral(by=batch, on=controls)", 1e-6);
    }
    for name in ALL {
        let table = table(name);
        // The axes are defined up to sign, lengths and products are not.
        let ours = products(&corrected(&table, "tvn(by=batch)", None).take(&table.shown));
        compare(&format!("{name}: tvn"), &ours, &goldens[name]["tvn"], 1e-5);
        let mut ours = corrected(&table, "pca-cs(by=batch, components=5)", None).take(&table.shown);
        let theirs = numbers(&goldens[name]["pca-cs"]);
        for col in 0..5 {
            let agreement: f64 =
                (0..ours.rows()).map(|row| f64::from(ours.row(row)[col]) * theirs[row * 5 + col]).sum();
            if agreement < 0.0 {
                ours.data_mut().iter_mut().skip(col).step_by(5).for_each(|value| *value = -*value);
            }
        }
        compare(&format!("{name}: pca-cs"), &ours, &goldens[name]["pca-cs"], 1e-5);
    }
}

/// Inner products of all rows.
fn products(matrix: &Matrix) -> Matrix {
    let n = matrix.rows();
    let dot = |a: usize, b: usize| -> f64 {
        matrix.row(a).iter().zip(matrix.row(b)).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    Matrix::new(n, n, (0..n * n).map(|at| dot(at / n, at % n) as f32).collect())
}

#[test]
fn neighbour_methods_follow_their_definitions_and_scanorama() {
    let goldens = golden("correct_neighbours.json");
    for name in ["generated", "real", "ugly"] {
        let table = table(name);
        for (key, chain, tolerance) in
            [("mnn-exact", "mnn(k=10, sigma=0.5)", 1e-6), ("mnn-mnnpy", "mnn(k=10, sigma=1, dialect=mnnpy)", 1e-6)]
        {
            let ours = corrected(&table, chain, None).take(&table.shown);
            compare(&format!("{name}: {chain}"), &ours, &goldens[name][key], tolerance);
        }
        let ours = products(&corrected(&table, "fast-mnn(components=6, k=10)", None).take(&table.shown));
        compare(&format!("{name}: fast-mnn"), &ours, &goldens[name]["fast-mnn"], 1e-5);

        let mut unit = corrected(&table, "standardise(by=all, on=all)", None);
        let cols = unit.cols();
        for row in unit.data_mut().chunks_exact_mut(cols) {
            let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        }
        let unit = Table { matrix: unit, origin: table.origin.clone(), shown: table.shown.clone() };
        // Scanorama asks for no more neighbours than the smallest batch has rows.
        let sizes: &[(&str, usize)] =
            if name == "ugly" { &[("scanorama-2", 2)] } else { &[("scanorama", 20), ("scanorama-3", 3)] };
        for &(key, k) in sizes {
            let ours = corrected(&unit, &format!("scanorama(k={k})"), None).take(&unit.shown);
            compare(&format!("{name}: {key}"), &ours, &goldens[name][key], 1e-5);
        }
    }
}
