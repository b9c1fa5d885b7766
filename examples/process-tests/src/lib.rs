//! Sums of squares, in other processes.

use asyncpal::{ProcessPool, TaskError};

// The unit tests' harness has a `main` of its own.
#[cfg(test)]
asyncpal::process::init_before_main!();

fn square(n: u64) -> u64 {
    n * n
}

/// The sum of the squares.
///
/// # Errors
///
/// If a worker was lost.
pub fn sum_of_squares(pool: &ProcessPool, numbers: &[u64]) -> Result<u64, TaskError> {
    pool.map(square, numbers.iter().copied()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_and_four_make_twenty_five() {
        let pool = ProcessPool::builder().max_workers(2).build().unwrap();

        assert_eq!(sum_of_squares(&pool, &[3, 4]).unwrap(), 25);
    }
}
