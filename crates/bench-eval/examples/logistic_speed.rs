//! Times logistic regression on embeddings with a decaying spectrum.
//!
//! ```text
//! logistic_speed [rows] [features] [classes] [folds] [tolerance] [save-prefix]
//! ```
//! With a prefix the data are saved as `<prefix>.f32` (row-major) and `<prefix>.u32` (classes),
//! and the first fold's test rows and their probabilities as `<prefix>.test.u32` and `<prefix>.p.f64`, so that other programs can be timed
//! on the same problem. Fold `f` tests the rows `i` with `hash(i, f) mod 5 = 0`.

use std::time::Instant;

use bench_core::{Matrix, Seed};
use bench_eval::probe::logistic::{LogisticProbe, LogisticSettings};
use bench_eval::probe::{Probe, ProbeInput};
use bench_eval::{Fold, Role};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: usize| arguments.get(i).map_or(Ok(default), |a| a.parse());
    let (rows, features, classes, folds) = (number(0, 27_000)?, number(1, 1024)?, number(2, 9)?, number(3, 20)?);
    let (matrix, class) = embeddings(rows, features, classes, Seed(11));
    let folds: Vec<Fold> = (0..folds).map(|f| random_fold(rows, f as u32)).collect();
    let name_rank: Vec<u32> = (0..classes as u32).collect();
    let input = ProbeInput { matrix: &matrix, class: &class, classes, name_rank: &name_rank };
    if let Some(prefix) = arguments.get(5) {
        std::fs::write(
            format!("{prefix}.f32"),
            matrix.data().iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>(),
        )?;
        std::fs::write(format!("{prefix}.u32"), class.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())?;
    }

    let mut settings = LogisticSettings::default();
    if let Some(tolerance) = arguments.get(4) {
        settings.tolerance = tolerance.parse()?;
    }
    let probe = LogisticProbe::new(settings)?;
    let borrowed: Vec<&Fold> = folds.iter().collect();
    let start = Instant::now();
    let mut saved = Ok(());
    probe.run(input, &borrowed, &|_, _| {}, &mut |fold, result| match result {
        Ok(fitted) => {
            let (p, d) = (&fitted.predictions, fitted.diagnostics);
            let hits: f64 = (0..p.len()).map(|i| p.decided(i, class[p.rows[i] as usize])).sum();
            println!(
                "{:6.2} s  fold {fold}: accuracy {:.4}, objective {:.9}, gradient {:.1e}, {} iterations, converged {}",
                start.elapsed().as_secs_f64(),
                hits / p.len() as f64,
                d.objective.unwrap_or(f64::NAN),
                d.gradient.unwrap_or(f64::NAN),
                d.iterations.unwrap_or(0),
                d.converged.unwrap_or(false),
            );
            if let (0, Some(prefix)) = (fold, arguments.get(5)) {
                let bytes: Vec<u8> = p.probability.iter().flat_map(|v| v.to_le_bytes()).collect();
                let rows: Vec<u8> = p.rows.iter().flat_map(|v| v.to_le_bytes()).collect();
                saved = std::fs::write(format!("{prefix}.p.f64"), bytes)
                    .and_then(|()| std::fs::write(format!("{prefix}.test.u32"), rows));
            }
        }
        Err(reason) => println!("fold {fold}: {reason}"),
    })?;
    saved?;
    println!("total {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Latent factors with a decaying spectrum, mixed at random: classes shift some of them.
fn embeddings(rows: usize, features: usize, classes: usize, seed: Seed) -> (Matrix, Vec<u32>) {
    let latent = (features / 2).clamp(1, 512);
    let mut stream = seed.derive("mixing", 0).stream();
    let scale: Vec<f64> = (0..latent).map(|j| (1.0 + j as f64).powf(-0.9)).collect();
    let mixing: Vec<f32> = (0..latent * features).map(|i| (stream.normal() * scale[i / features]) as f32).collect();
    let centres: Vec<f64> = (0..classes * latent).map(|_| 0.1 * stream.normal()).collect();
    let mut data = Vec::with_capacity(rows * features);
    let mut class = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut stream = seed.derive("row", row as u64).stream();
        let label = row % classes;
        let mut values: Vec<f32> = (0..features).map(|_| 0.003 * stream.normal() as f32).collect();
        for (j, mixing) in mixing.chunks_exact(features).enumerate() {
            let factor = (stream.normal() + centres[label * latent + j]) as f32;
            values.iter_mut().zip(mixing).for_each(|(v, m)| *v += factor * m);
        }
        data.extend(values);
        class.push(label as u32);
    }
    (Matrix::new(rows, features, data), class)
}

fn random_fold(rows: usize, fold: u32) -> Fold {
    let role = |i: usize| {
        let mut stream = Seed(u64::from(fold)).derive("fold", i as u64).stream();
        if stream.next_u32().is_multiple_of(5) { Role::Test } else { Role::Train }
    };
    Fold { repeat: fold, seed: 0, held_out: Vec::new(), roles: (0..rows).map(role).collect() }
}
