//! Guards against NumPy, and when they fire.

use bench_core::{Factor, Layout, Matrix, Seed};

use super::COLLAPSE;
use crate::embedding::testing::Input;
use crate::embedding::{Measured, Roles, Space, lookup};

fn measure(input: &Input, id: &str) -> Measured {
    input.with(|space, roles| lookup(id).unwrap().measure(space, roles).unwrap_or_else(|why| panic!("{id}: {why}")))
}

#[test]
fn values_are_those_of_numpy() {
    for (name, input, values) in Input::all() {
        let ids = [
            ("effective-rank", "effective_rank", 1e-5),
            ("uniformity", "uniformity", 1e-6),
            ("alignment", "alignment", 1e-6),
            ("duplicate-rows", "duplicates", 1e-12),
            ("hubness", "hubness", 1e-9),
        ];
        for (id, key, tolerance) in ids {
            let (got, expected) = (measure(&input, id).value, values["guards"][key].as_f64().unwrap());
            assert!((got - expected).abs() <= tolerance, "{name} {id}: {got} {expected}");
        }
        let all = values["guards"]["alignment_all"].as_f64().unwrap();
        assert!((measure(&input, "alignment").parts[0].value - all).abs() < 1e-6, "{name}");
    }
}

#[test]
fn a_constant_embedding_is_flagged_as_collapsed_and_noise_is_not() {
    let (_, input, _) = Input::all().remove(0);
    let n = input.matrix.rows();
    let constant = Input { matrix: Matrix::new(n, 3, vec![0.7; n * 3]), ..input.clone() };
    for (id, value) in
        [("effective-rank", 0.0), ("uniformity", 0.0), ("alignment", 0.0), ("duplicate-rows", 1.0 - 1.0 / n as f64)]
    {
        let measured = measure(&constant, id);
        assert_eq!(measured.value, value, "{id}");
        assert!(lookup(id).unwrap().fires(&measured).is_some(), "{id}");
    }
    assert!(measure(&constant, "hubness").value > 1.4);
    for guard in COLLAPSE {
        let measured = measure(&input, guard.card().card.id);
        assert_eq!(guard.fires(&measured), None, "{}", guard.card().card.id);
    }
    // One direction that holds everything is a collapse, too.
    let line: Vec<f32> = (0..n).flat_map(|row| [row as f32, 1.0, 2.0]).collect();
    let line = Input { matrix: Matrix::new(n, 3, line), ..input };
    assert!(lookup("effective-rank").unwrap().fires(&measure(&line, "effective-rank")).is_some());
}

/// Controls on `plates` plates at `positions` positions, whose position is worth `leak` standard deviations.
fn leaky(plates: usize, positions: usize, leak: f64) -> (Matrix, Layout) {
    let d = 12;
    let mut stream = Seed(4).stream();
    let of_position: Vec<f64> = (0..positions * d).map(|_| leak * stream.normal()).collect();
    let (mut data, mut plate, mut position) = (Vec::new(), Vec::new(), Vec::new());
    for p in 0..plates {
        for q in 0..positions {
            data.extend((0..d).map(|at| (stream.normal() + of_position[q * d + at]) as f32));
            plate.push(format!("p{p}"));
            position.push(format!("A{q:02}"));
        }
    }
    let rows = plates * positions;
    let layout = Layout {
        rows,
        plate: Some(Factor::sorted(&plate)),
        position: Some(Factor::sorted(&position)),
        file_row: (0..rows as u64).collect(),
        ..Layout::default()
    };
    (Matrix::new(rows, d, data), layout)
}

#[test]
fn a_leak_of_positions_fires_and_its_absence_does_not() {
    let treated = Matrix::new(2, 12, vec![1.0; 24]);
    let label = Factor::sorted(&["a", "b"]);
    let layout = Layout { rows: 2, ..Layout::default() };
    let guard = lookup("position-leak").unwrap();
    let measure = |plates: usize, positions: usize, leak: f64| {
        let (matrix, controls) = leaky(plates, positions, leak);
        let space = Space::new(&treated, &matrix);
        let roles = Roles { label: &label, unit: &label, unit_name: "all", layout: &layout, controls: &controls };
        guard.measure(&space, &roles).unwrap()
    };
    let (none, strong) = (measure(6, 40, 0.0), measure(6, 40, 1.0));
    assert!(none.value < 0.2 && guard.fires(&none).is_none(), "{none:?}");
    assert!(strong.value > 0.8 && guard.fires(&strong).is_some(), "{strong:?}");
    assert_eq!(strong.parts.len(), 40);
    // More plates than positions: groups of different positions are smaller than a position's own.
    let crowded = measure(20, 6, 1.0);
    assert!(crowded.value > 0.5 && crowded.parts.len() == 6, "{crowded:?}");
}
