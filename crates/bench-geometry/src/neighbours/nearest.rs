//! The exact neighbours of one query in one fold, ties at the boundary kept as a set.
//!
//! # What it computes
//! Points are offered with their exact distance and the training rows they stand for. Kept are
//! the rows nearer than the k-th, one by one, and the rows at the distance of the k-th as a
//! histogram of classes and the k lowest of them. Whatever the order of the offers, the result
//! is the same, and it needs little memory even if every row of a table is tied.

/// The training rows that one point stands for in one fold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pool {
    /// Number of rows.
    pub(super) count: usize,
    /// The lowest rows, ascending, at most k.
    pub(super) lowest: Vec<u32>,
    /// Rows per class, ascending by class, without zeros.
    pub(super) classes: Vec<(u32, u32)>,
}

impl Pool {
    /// Adds the rows of another pool.
    fn merge(&mut self, other: &Self, k: usize) {
        self.count += other.count;
        self.lowest.extend_from_slice(&other.lowest);
        self.lowest.sort_unstable();
        self.lowest.truncate(k);
        for &(class, count) in &other.classes {
            match self.classes.binary_search_by_key(&class, |entry| entry.0) {
                Ok(at) => self.classes[at].1 += count,
                Err(at) => self.classes.insert(at, (class, count)),
            }
        }
    }
}

/// The k nearest rows of one query in one fold.
#[derive(Clone, Debug, Default)]
pub(super) struct Nearest {
    /// Points nearer than the k-th row, with their distance; fewer than k rows in all.
    near: Vec<(f64, u32)>,
    near_rows: usize,
    /// Distance of the k-th row; infinite while fewer than k rows are known.
    boundary: f64,
    /// Rows at that distance.
    tied: Pool,
}

/// The k nearest rows with the ties at the boundary.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// The nearest rows with their ordering distance, by (distance, row), at most k.
    pub(super) rows: Vec<(f64, u32)>,
    /// How many of them are nearer than the boundary, or not cut off by it.
    pub(super) certain: usize,
    /// Where more rows are at the boundary than there are places: all of them by class.
    pub(super) tied: Vec<(u32, u32)>,
}

impl Nearest {
    pub(super) fn new() -> Self {
        Self { boundary: f64::INFINITY, ..Self::default() }
    }

    /// Distance of the k-th row; infinite while fewer than k rows are known.
    pub(super) fn boundary(&self) -> f64 {
        self.boundary
    }

    /// Offers a point at an ordering distance. `pool` gives the rows that a point stands for.
    pub(super) fn offer(&mut self, k: usize, distance: f64, point: u32, pool: &dyn Fn(u32) -> Pool) {
        if distance > self.boundary {
            return;
        }
        let rows = pool(point);
        if distance == self.boundary {
            self.tied.merge(&rows, k);
            return;
        }
        self.near.push((distance, point));
        self.near_rows += rows.count;
        while self.near_rows >= k {
            let farthest = self.near.iter().fold(0.0, |farthest: f64, entry| farthest.max(entry.0));
            self.boundary = farthest;
            self.tied = Pool::default();
            let mut near = std::mem::take(&mut self.near);
            near.retain(|&(distance, point)| {
                if distance == farthest {
                    self.tied.merge(&pool(point), k);
                }
                distance < farthest
            });
            self.near = near;
            self.near_rows -= self.tied.count;
        }
    }

    /// The rows found, in order.
    pub(super) fn finish(&self, k: usize, pool: &dyn Fn(u32) -> Pool) -> Found {
        let mut rows: Vec<(f64, u32)> = Vec::with_capacity(k);
        for &(distance, point) in &self.near {
            rows.extend(pool(point).lowest.iter().map(|&row| (distance, row)));
        }
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let places = k - rows.len();
        let is_cut = self.tied.count > places;
        let certain = if is_cut { rows.len() } else { rows.len() + self.tied.count };
        rows.extend(self.tied.lowest.iter().take(places).map(|&row| (self.boundary, row)));
        Found { rows, certain, tied: if is_cut { self.tied.classes.clone() } else { Vec::new() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Point p stands for the rows 10 p .. 10 p + sizes[p], all of class p.
    fn pools(sizes: &[usize], k: usize) -> impl Fn(u32) -> Pool {
        let sizes = sizes.to_vec();
        move |p| {
            let count = sizes[p as usize];
            Pool { count, lowest: (10 * p..10 * p + count as u32).take(k).collect(), classes: vec![(p, count as u32)] }
        }
    }

    fn nearest(offers: &[(f64, u32)], sizes: &[usize], k: usize) -> Found {
        let pool = pools(sizes, k);
        let mut nearest = Nearest::new();
        for &(distance, point) in offers {
            nearest.offer(k, distance, point, &pool);
        }
        nearest.finish(k, &pool)
    }

    #[test]
    fn the_order_of_offers_does_not_matter() {
        let sizes = [1, 2, 1, 5, 1];
        let mut offers = [(0.5, 0), (0.25, 1), (0.5, 2), (0.5, 3), (0.125, 4)];
        let expected = Found {
            rows: vec![(0.125, 40), (0.25, 10), (0.25, 11), (0.5, 0)],
            certain: 3,
            tied: vec![(0, 1), (2, 1), (3, 5)],
        };
        for _ in 0..5 {
            offers.rotate_left(1);
            assert_eq!(nearest(&offers, &sizes, 4), expected);
            offers.reverse();
            assert_eq!(nearest(&offers, &sizes, 4), expected);
        }
    }

    #[test]
    fn a_boundary_that_fits_is_no_tie_and_few_rows_are_all_kept() {
        let found = nearest(&[(0.5, 0), (0.25, 1), (0.75, 2)], &[1, 2, 1], 3);
        assert_eq!((found.certain, found.tied.len(), found.rows.len()), (3, 0, 3));
        let found = nearest(&[(0.5, 0)], &[2], 3);
        assert_eq!((found.certain, found.tied.len()), (2, 0));
        assert_eq!(found.rows, [(0.5, 0), (0.5, 1)]);
    }

    #[test]
    fn a_large_pool_is_cut_to_its_lowest_rows() {
        let found = nearest(&[(0.0, 0)], &[9], 3);
        assert_eq!(found, Found { rows: vec![(0.0, 0), (0.0, 1), (0.0, 2)], certain: 0, tied: vec![(0, 9)] });
    }
}
