//! Durations counted by powers of two.

use core::fmt;
use core::time::Duration;

use crate::sync::{AtomicUsize, Ordering};

const BUCKETS: usize = 64;

/// How many durations there were of each order of magnitude: a snapshot.
///
/// Bucket *k* of 64 counts durations of 2^k up to, but not including, 2^(k+1) nanoseconds; those of
/// zero are in bucket 0. So every figure is exact up to a factor of two, whatever the range, and takes
/// two words to count. Part of [`Stats`](crate::Stats), for pools that were built with
/// [`measure_times`](crate::Builder::measure_times).
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::ThreadPool;
///
/// let pool = ThreadPool::builder().measure_times(true).build()?;
/// for result in pool.map(|n: u64| n * n, 0..100) {
///     result?;
/// }
/// pool.join();
///
/// let running = pool.stats().running_times.expect("it measures");
/// assert_eq!(running.count(), 100);
/// println!("half of the tasks took less than {:?}", running.quantile(0.5).unwrap());
/// println!("{running}");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: [usize; BUCKETS],
}

impl Histogram {
    /// How many durations were counted.
    pub fn count(&self) -> usize {
        self.counts.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// The duration below which the share `q` of all lies (0.5: the median), rounded up to the end of
    /// its bucket: the true one is less, and at least half of it. `None` if nothing was counted.
    ///
    /// # Panics
    ///
    /// If `q` is not between 0 and 1.
    #[track_caller]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        assert!((0.0..=1.0).contains(&q), "a quantile is between 0 and 1, not {q}");
        let count = self.count();
        // The nearest rank, from 1.
        let rank = ((q * count as f64).ceil() as usize).clamp(1, count.max(1));
        let mut below = 0_usize;
        self.counts.iter().enumerate().find_map(|(bucket, count)| {
            below = below.saturating_add(*count);
            (below >= rank).then(|| end(bucket))
        })
    }

    /// The mean, if all durations were in the middle of their buckets: 0.75 to 1.5 times the true one.
    /// `None` if nothing was counted.
    pub fn mean(&self) -> Option<Duration> {
        let count = self.count();
        let sum: f64 =
            self.buckets().map(|bucket| bucket.count as f64 * bucket.middle_seconds()).sum();
        (count > 0).then(|| Duration::from_secs_f64(sum / count as f64))
    }

    /// All buckets that are not empty, from the shortest durations to the longest.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        let full = |(bucket, count): (usize, &usize)| {
            let from = if bucket == 0 { Duration::ZERO } else { Duration::from_nanos(1 << bucket) };
            (*count > 0).then(|| Bucket { from, to: end(bucket), count: *count })
        };
        self.counts.iter().enumerate().filter_map(full)
    }
}

/// Where a bucket ends.
fn end(bucket: usize) -> Duration {
    Duration::from_nanos(1_u64.checked_shl(bucket as u32 + 1).unwrap_or(u64::MAX))
}

/// Durations of one order of magnitude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// The shortest duration that belongs to it.
    pub from: Duration,
    /// The shortest that is too long for it.
    pub to: Duration,
    /// How many there were.
    pub count: usize,
}

impl Bucket {
    fn middle_seconds(&self) -> f64 {
        f64::midpoint(self.from.as_secs_f64(), self.to.as_secs_f64())
    }
}

impl fmt::Display for Histogram {
    /// One line per bucket: where it begins, how many there were, and a bar.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BAR: usize = 40;
        let most = self.buckets().map(|bucket| bucket.count).max().unwrap_or(1);
        for (line, Bucket { from, count, .. }) in self.buckets().enumerate() {
            if line > 0 {
                writeln!(f)?;
            }
            let bar = (count as f64 / most as f64 * BAR as f64).ceil() as usize;
            write!(f, "{:>10} {count:>8} {:#<bar$}", format!("{from:.0?}"), "")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.buckets().map(|bucket| (bucket.from, bucket.count))).finish()
    }
}

/// Counts as they grow.
#[derive(Debug)]
pub(super) struct Counting([AtomicUsize; BUCKETS]);

impl Counting {
    pub(super) fn new() -> Self {
        Self([const { 0 }; BUCKETS].map(AtomicUsize::new))
    }

    fn word(&self, duration: Duration) -> &AtomicUsize {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        &self.0[nanos.checked_ilog2().unwrap_or(0) as usize]
    }

    /// Counts one. For the only writer.
    pub(super) fn count(&self, duration: Duration) {
        let word = self.word(duration);
        // ORDERING: Relaxed, both: a number, with one writer at a time.
        word.store(word.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Counts one. For one writer of many.
    pub(super) fn count_shared(&self, duration: Duration) {
        // ORDERING: Relaxed: a number.
        self.word(duration).fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what was counted.
    pub(super) fn add_to(&self, histogram: &mut Histogram) {
        for (sum, word) in histogram.counts.iter_mut().zip(&self.0) {
            // ORDERING: Relaxed: a snapshot.
            *sum = sum.wrapping_add(word.load(Ordering::Relaxed));
        }
    }
}

impl Histogram {
    pub(super) const EMPTY: Self = Self { counts: [0; BUCKETS] };
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;

    fn of(nanos: &[u64]) -> Histogram {
        let counting = Counting::new();
        nanos.iter().for_each(|nanos| counting.count(Duration::from_nanos(*nanos)));
        let mut histogram = Histogram::EMPTY;
        counting.add_to(&mut histogram);
        histogram
    }

    #[test]
    fn a_duration_is_in_the_bucket_of_its_highest_bit() {
        for nanos in [0, 1, 2, 3, 4, 1023, 1024, u64::MAX / 2, u64::MAX] {
            let histogram = of(&[nanos]);
            let bucket = histogram.buckets().next().unwrap();
            let duration = Duration::from_nanos(nanos);
            assert!(bucket.from <= duration, "{nanos}");
            assert!(duration < bucket.to || nanos == u64::MAX, "{nanos}");
            assert_eq!((bucket.count, histogram.count()), (1, 1));
        }
        assert_eq!(of(&[0, 1]).buckets().count(), 1);
    }

    #[test]
    fn a_quantile_is_the_end_of_the_bucket_in_which_its_rank_lies() {
        let histogram = of(&[1, 10, 100, 1000]);
        let ends = [0.0, 0.25, 0.26, 0.5, 0.75, 0.76, 1.0]
            .map(|q| histogram.quantile(q).unwrap().as_nanos());
        assert_eq!(ends, [2, 2, 16, 16, 128, 1024, 1024]);
        assert_eq!((of(&[]).quantile(0.5), of(&[]).mean()), (None, None));
    }

    #[test]
    fn the_mean_is_that_of_the_middles() {
        assert_eq!(of(&[4, 8]).mean(), Some(Duration::from_nanos(9)));
    }

    #[test]
    fn a_histogram_is_shown_as_bars() {
        let shown = of(&[1, 1500, 1600]).to_string();
        assert_eq!(
            shown.lines().map(str::trim_end).collect::<Vec<_>>(),
            [
                "       0ns        1 ####################",
                "       1µs        2 ########################################"
            ]
        );
    }
}
