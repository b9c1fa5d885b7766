//! Ordinary tests, which see the interleavings that happen to occur.

use asyncpal::ThreadPool;
use survey::{Countdown, Part, survey};

#[test]
fn a_survey_is_summed_up_once() {
    let pool = ThreadPool::new();
    for _ in 0..100 {
        let parts = (1..=10_u64).map(|count| Box::new(move || count) as Part).collect();

        let report = survey::<Countdown>(&pool, parts).expect("no part panics");

        assert_eq!(report.totals, [55]);
    }
}
