//! Courses of a value over time.

/// The value at `t` on straight lines between points `(time, value)` in order of time; the ends hold outside.
pub fn along(points: &[(f64, f64)], t: f64) -> f64 {
    let Some(&(first, start)) = points.first() else { return 0.0 };
    if t <= first {
        return start;
    }
    for pair in points.windows(2) {
        let ((t0, a), (t1, b)) = (pair[0], pair[1]);
        if t < t1 {
            return a + (b - a) * (t - t0) / (t1 - t0);
        }
    }
    points.last().map_or(0.0, |last| last.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_between_their_points() {
        let points = [(0.0, 1.0), (10.0, 3.0), (20.0, 0.0)];
        assert_eq!(along(&points, -5.0), 1.0);
        assert_eq!(along(&points, 5.0), 2.0);
        assert_eq!(along(&points, 15.0), 1.5);
        assert_eq!(along(&points, 99.0), 0.0);
        assert_eq!(along(&[], 1.0), 0.0);
    }
}
