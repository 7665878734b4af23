//! Timings.
use std::time::Instant;
use bench_core::{Matrix, Seed};
use bench_geometry::neighbours::*;
fn main() {
    let args: Vec<usize> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let (n, d, k, folds, what) = (args[0], args[1], args[2], args[3], args[4]);
    let mut s = Seed(1).stream();
    // low-rank, decaying spectrum, with class and batch effects
    let r = 64.min(d);
    let load: Vec<f32> = (0..r * d).map(|i| s.normal() as f32 / (1.0 + (i / d) as f32).sqrt()).collect();
    let classes = 9; let batches = 60;
    let cm: Vec<f32> = (0..classes * r).map(|_| s.normal() as f32 * 0.5).collect();
    let bm: Vec<f32> = (0..batches * r).map(|_| s.normal() as f32 * 0.7).collect();
    let mut data = vec![0f32; n * d];
    let class: Vec<u32> = (0..n).map(|_| s.below(classes) as u32).collect();
    let mut lat = vec![0f32; n * r];
    for i in 0..n { let b = i * batches / n; for j in 0..r { lat[i*r+j] = s.normal() as f32 + cm[class[i] as usize * r + j] + bm[b * r + j]; } }
    for i in 0..n { for j in 0..r { let z = lat[i*r+j]; for (o, l) in data[i*d..(i+1)*d].iter_mut().zip(&load[j*d..(j+1)*d]) { *o += z * l; } } 
      if n < 100_000 { for o in &mut data[i*d..(i+1)*d] { *o += 0.1 * s.normal() as f32; } } }
    let m = Matrix::new(n, d, data);
    if std::env::var("DUMP").is_ok() {
        use std::io::Write;
        let bytes: Vec<u8> = m.data().iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::File::create("/tmp/knn_bench.f32").unwrap().write_all(&bytes).unwrap();
    }
    if what & 1 == 1 {
        let t = Instant::now();
        let mut out = vec![0f32; 256 * 256];
        let reps = 200;
        for _ in 0..reps { bench_geometry::bench_products(&m.data()[..256*d], &m.data()[256*d..512*d], d, &mut out); }
        let e = t.elapsed().as_secs_f64();
        println!("gemm one thread {:.1} GFLOP/s", reps as f64 * 2.0 * 256.0*256.0*d as f64 / e / 1e9);
    }
    if what & 2 == 2 {
        for metric in [Metric::Cosine, Metric::Euclidean] {
            let t = Instant::now();
            let g = graph(&m, k, metric, &|_, _| ()).unwrap();
            println!("graph {metric:?} {:.2}s check {}", t.elapsed().as_secs_f64(), g.index.iter().map(|&x| x as u64).sum::<u64>());
        }
    }
    if what & 4 == 4 {
        let mut parts: Vec<Vec<Part>> = Vec::new();
        for f in 0..folds {
            let mut st = Seed(9).derive("f", f as u64).stream();
            let unit = [n, 60, 13, 3][f % 4];
            let held: Vec<bool> = { let mut p = st.permutation(unit); p.truncate((unit / 5).max(1)); let mut h = vec![false; unit]; for x in p { h[x as usize] = true; } h };
            parts.push((0..n).map(|i| if held[i * unit / n] { Part::Test } else { Part::Train }).collect());
        }
        let q = Question { matrix: &m, class: &class, folds, part: |f: usize, r: usize| parts[f][r], k: 3, metric: Metric::Cosine };
        let t = Instant::now();
        let done = std::sync::atomic::AtomicUsize::new(0);
        let out = sweep(&q, &|b| { let mut h = [0u32; 9]; for &r in b.rows { h[class[r as usize] as usize] += 1; } (0..9u32).max_by_key(|&c| (h[c as usize], 9 - c)).unwrap() }, &|d, tot| { let p = d * 20 / tot; if done.swap(p, std::sync::atomic::Ordering::Relaxed) != p && n > 100_000 { println!("{p}/20 {:.0}s", t.elapsed().as_secs_f64()); } }).unwrap();
        println!("sweep {folds} folds {:.2}s check {}", t.elapsed().as_secs_f64(), out.iter().flat_map(|s| s.kept.iter()).map(|&x| x as u64).sum::<u64>());
        let acc = |f: usize| { let rows: Vec<usize> = (0..n).filter(|&r| parts[f][r] == Part::Test).collect(); rows.iter().zip(&out[f].kept).filter(|(r, c)| class[**r] == **c).count() as f64 / rows.len() as f64 };
        println!("accuracy {:?}", (0..folds.min(4)).map(acc).collect::<Vec<_>>());
        let rss = std::fs::read_to_string("/proc/self/status").unwrap(); println!("{}", rss.lines().find(|l| l.starts_with("VmHWM")).unwrap());
    }
}
