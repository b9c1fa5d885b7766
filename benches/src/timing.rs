//! Medians, and what they are of.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// `None` of nothing.
pub(crate) fn median(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    if samples.len() % 2 == 1 {
        Some(samples[middle])
    } else {
        Some((*samples.get(middle)? + *samples.get(middle.checked_sub(1)?)?) / 2.0)
    }
}

/// Long enough for every spinning phase to end and for the threads and processes to sleep in the kernel.
pub(crate) const PAUSE: Duration = Duration::from_millis(2);

/// Median microseconds of `repetitions` calls, each preceded by an untimed `prepare`.
pub(crate) fn p50(
    repetitions: usize,
    mut prepare: impl FnMut(),
    timed: impl FnMut(u64) -> u64,
) -> f64 {
    let question = |number| {
        prepare();
        number
    };
    p50_of_questions(repetitions, question, timed, |answer| answer)
}

/// The same with questions and answers that contain the number rather than being it.
pub(crate) fn p50_of_questions<Q, A>(
    repetitions: usize,
    mut question: impl FnMut(u64) -> Q,
    mut timed: impl FnMut(Q) -> A,
    number_of: impl Fn(A) -> u64,
) -> f64 {
    let micros: Vec<f64> = (0..repetitions as u64)
        .map(|number| {
            let question = black_box(question(number));
            let begun = Instant::now();
            let answer = timed(question);
            let elapsed = begun.elapsed();
            assert_eq!(number_of(answer), number, "the answer belongs to the question");
            elapsed.as_nanos() as f64 / 1e3
        })
        .collect();
    median(micros).expect("at least one repetition")
}

/// When one of several threads was at work.
pub(crate) struct Span {
    begun: Instant,
    ended: Instant,
}

impl Span {
    /// The span of a job, and what it returns.
    pub(crate) fn of<T>(job: impl FnOnce() -> T) -> (Self, T) {
        let begun = Instant::now();
        let outcome = job();
        (Self { begun, ended: Instant::now() }, outcome)
    }

    /// From the first beginning to the last end.
    pub(crate) fn across(spans: &[Self]) -> Duration {
        let begun = spans.iter().map(|span| span.begun).min().expect("a thread");
        let ended = spans.iter().map(|span| span.ended).max().expect("a thread");
        ended - begun
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_middles() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
