//! The points that can still limit the slope of a line which lies above all points so far.

/// The largest number of points. Chains of 10^6 brackets have fewer than half of it.
const MAX_POINTS: usize = 32;

/// A point in the plane of ticks and ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// Ticks.
    pub(super) x: u64,
    /// Ns.
    pub(super) y: i128,
}

/// The corners of the upper convex hull of points that come in the order of their ticks: a line
/// that is above these is above all. A chain that becomes too long drops a corner. Then fewer lines
/// are excluded, so that a range of slopes stays true and becomes wider.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain(Vec<Point>);

impl Chain {
    /// The corners, in the order of their ticks.
    pub(super) fn points(&self) -> &[Point] {
        &self.0
    }

    /// Adds a point that is not before the last one.
    pub(super) fn push(&mut self, point: Point) {
        while let [.., first, middle] = self.0[..]
            && !is_above(middle, first, point)
        {
            self.0.pop();
        }
        if self.0.len() == MAX_POINTS {
            self.0.remove(MAX_POINTS / 2);
        }
        self.0.push(point);
    }
}

/// Whether `middle` is above the line from `first` to `last`.
fn is_above(middle: Point, first: Point, last: Point) -> bool {
    let dx = |to: Point| i128::from(to.x.saturating_sub(first.x));
    let dy = |to: Point| to.y.saturating_sub(first.y);
    dy(middle).saturating_mul(dx(last)) > dy(last).saturating_mul(dx(middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_corners_are_kept() {
        let mut chain = Chain::default();
        for (x, y) in [(0, 0), (1, 1), (2, 2), (3, 9), (4, 10), (5, 8)] {
            chain.push(Point { x, y });
        }
        let kept: Vec<_> = chain.points().iter().map(|point| point.x).collect();
        assert_eq!(kept, [0, 3, 4, 5]);
    }

    #[test]
    fn a_chain_is_bounded_and_keeps_its_ends() {
        let mut chain = Chain::default();
        for x in 0..10_000 {
            // A parabola: each point is a corner.
            let y = -i128::from(x) * i128::from(x);
            chain.push(Point { x, y });
        }
        let points = chain.points();
        assert_eq!(points.len(), MAX_POINTS);
        assert_eq!((points[0].x, points[MAX_POINTS - 1].x), (0, 9_999));
    }
}
