//! Times sorted into buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::text::Text;

/// The upper bounds of the buckets in microseconds and, for the text, in seconds. What is larger than all of them
/// has a bucket too.
const BOUNDS: [(u64, &str); 16] = [
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (10_000_000, "10"),
];

/// How often something took how long.
#[derive(Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_micros: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|(bound, _)| micros <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        if micros > 0 {
            self.sum_micros.fetch_add(micros, Ordering::Relaxed);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// Writes the samples of one series. Each bucket counts those before it too.
    pub(super) fn write(&self, text: &mut Text, labels: &[(&str, &str)]) {
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|(_, seconds)| *seconds).chain(["+Inf"]);
        for (bucket, bound) in self.buckets.iter().zip(bounds) {
            count += bucket.load(Ordering::Relaxed);
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound)]).collect();
            text.sample("_bucket", &labels, count);
        }
        text.sample("_sum", labels, self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6);
        text.sample("_count", labels, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_in_the_first_bucket_that_holds_it_and_in_all_after() {
        let histogram = Histogram::default();
        for micros in [0, 50, 51, 10_000_000, 10_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut text = Text::default();
        text.family("x", "histogram", "X.");
        histogram.write(&mut text, &[("a", "b")]);
        let text = text.finish();
        for line in [
            r#"x_bucket{a="b",le="0.00005"} 2"#,
            r#"x_bucket{a="b",le="0.0001"} 3"#,
            r#"x_bucket{a="b",le="2.5"} 3"#,
            r#"x_bucket{a="b",le="10"} 4"#,
            r#"x_bucket{a="b",le="+Inf"} 5"#,
            r#"x_sum{a="b"} 20.000102"#,
            r#"x_count{a="b"} 5"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
    }

    #[test]
    fn bounds_rise_and_are_written_in_seconds() {
        assert!(BOUNDS.is_sorted_by(|(low, _), (high, _)| low < high));
        for (micros, seconds) in BOUNDS {
            assert_eq!((seconds.parse::<f64>().unwrap() * 1e6).round() as u64, micros);
        }
    }
}
