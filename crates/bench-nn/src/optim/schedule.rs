//! Learning rates over time.
//!
//! What: [`Schedule`] is a linear warm-up and then half a cosine, stepped per epoch, as in
//! Watkinson et al. 2023 (`0.5 lr (1 + cos(pi (e - w) / (E - w)))` for epoch `e` of `E` after `w`
//! warm-up epochs; the warm-up reaches `lr` in its last epoch). [`Cosine`] is half a cosine
//! between two numbers, stepped per iteration.

use std::f64::consts::PI;

/// Warm-up and cosine decay per epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Rate at the end of the warm-up.
    pub lr: f64,
    /// Rate of the first warm-up epoch.
    pub warmup_start: f64,
    /// Warm-up epochs.
    pub warmup_epochs: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Rate that the cosine approaches.
    pub minimum: f64,
}

impl Schedule {
    /// 1e-5 to `lr` over `warmup_epochs`, then towards zero at `epochs`.
    pub fn warmup_cosine(lr: f64, warmup_epochs: usize, epochs: usize) -> Schedule {
        Schedule { lr, warmup_start: 1e-5, warmup_epochs, epochs, minimum: 0.0 }
    }

    /// The rate of `epoch`, counted from zero. From epoch `epochs` on it is the minimum.
    pub fn at(&self, epoch: usize) -> f64 {
        let warmup = self.warmup_epochs;
        if epoch < warmup {
            // One epoch of warm-up runs at the full rate.
            let share = if warmup == 1 { 1.0 } else { epoch as f64 / (warmup - 1) as f64 };
            return self.warmup_start + share * (self.lr - self.warmup_start);
        }
        let steps = self.epochs.saturating_sub(warmup);
        Cosine { start: self.lr, end: self.minimum, steps }.at(epoch - warmup)
    }
}

/// Half a cosine from `start` at step zero to `end` at step `steps`, where it stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    /// First value.
    pub start: f64,
    /// Last value.
    pub end: f64,
    /// Steps between them.
    pub steps: usize,
}

impl Cosine {
    /// The value at `step`, counted from zero.
    pub fn at(&self, step: usize) -> f64 {
        if step >= self.steps {
            return self.end;
        }
        self.end + 0.5 * (self.start - self.end) * (1.0 + (PI * step as f64 / self.steps as f64).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_that_of_the_paper() {
        // Values stated with the reference configuration: 200 epochs, 10 of warm-up, rate 1e-4.
        let schedule = Schedule::warmup_cosine(1e-4, 10, 200);
        let stated = [
            (0, 1e-5),
            (1, 2e-5),
            (5, 6e-5),
            (9, 1e-4),
            (10, 1e-4),
            (50, 8.9457e-5),
            (105, 5e-5),
            (150, 1.6136e-5),
            (199, 6.8e-9),
        ];
        for (epoch, lr) in stated {
            let got = schedule.at(epoch);
            assert!((got - lr).abs() <= 5e-5 * lr || (epoch == 199 && (got - lr).abs() < 5e-11), "{epoch}: {got}");
        }
        assert_eq!(schedule.at(200), 0.0);
        assert_eq!(schedule.at(500), 0.0);
    }

    #[test]
    fn short_schedules_are_defined() {
        assert_eq!(Schedule::warmup_cosine(1e-3, 0, 4).at(0), 1e-3);
        assert_eq!(Schedule::warmup_cosine(1e-3, 1, 4).at(0), 1e-3);
        assert_eq!(Schedule::warmup_cosine(1e-3, 4, 4).at(3), 1e-3);
        let cosine = Cosine { start: 0.996, end: 1.0, steps: 100 };
        assert_eq!((cosine.at(0), cosine.at(100), cosine.at(101)), (0.996, 1.0, 1.0));
        assert!((cosine.at(50) - 0.998).abs() < 1e-12);
    }
}
