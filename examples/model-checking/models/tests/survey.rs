//! Models of a survey: run with `RUSTFLAGS="--cfg asyncpal_loom" cargo test --release`.
#![cfg(asyncpal_loom)]

use asyncpal::ThreadPool;
use asyncpal::model::{Explored, check};
use survey::{Countdown, HastyCountdown, LastOut, Part, survey};

/// A survey of two parts: one for the pool's worker, one for the caller.
fn two_parts<L: LastOut>() -> Explored {
    check(2, || {
        let pool = ThreadPool::builder().max_workers(1).build().expect("valid settings");
        let parts: Vec<Part> = vec![Box::new(|| 1), Box::new(|| 2)];

        let report = survey::<L>(&pool, parts).expect("no part panics");

        assert!(report.totals == [3], "wrong report: {report:?}");
    })
}

#[test]
fn a_survey_is_summed_up_once() {
    let explored = two_parts::<Countdown>();

    println!("{explored:?}");
    assert!(explored.executions > 100);
}

#[test]
#[should_panic(expected = "totals: [3, 3]")]
fn the_checker_finds_that_a_hasty_survey_is_summed_up_twice() {
    two_parts::<HastyCountdown>();
}
