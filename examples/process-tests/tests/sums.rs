//! The same from outside: an integration test is a program of its own.

use asyncpal::ProcessPool;
use squares::sum_of_squares;

asyncpal::process::init_before_main!();

#[test]
fn nothing_makes_nothing() {
    let pool = ProcessPool::builder().max_workers(1).build().unwrap();

    assert_eq!(sum_of_squares(&pool, &[]).unwrap(), 0);
    assert_eq!(sum_of_squares(&pool, &[5, 12]).unwrap(), 169);
}
