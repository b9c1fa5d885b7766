//! Closures as jobs, where nobody can catch an unwinding panic.

#![forbid(unsafe_code)]

use crate::task::Job;

/// A closure as a job.
pub(super) struct Call<F>(pub(super) F);

/// A closure that gets its worker's seat, as a job.
pub(super) struct CallWithSeat<F>(pub(super) F);

impl<F, T, S, E> Job<S, E> for Call<F>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    type Output = T;

    fn run(self, _: &mut S) -> Result<T, E> {
        Ok(without_unwinding(self.0))
    }
}

impl<F, T, S, E> Job<S, E> for CallWithSeat<F>
where
    F: FnOnce(&mut S) -> T + Send,
    T: Send,
{
    type Output = T;

    fn run(self, seat: &mut S) -> Result<T, E> {
        Ok(without_unwinding(|| self.0(seat)))
    }
}

/// Calls `f`; ends the program if it unwinds, since a worker's loop must not.
fn without_unwinding<T>(f: impl FnOnce() -> T) -> T {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            // A panic while panicking aborts.
            panic!("a task of a static executor panicked");
        }
    }

    let bomb = Bomb;
    let value = f();
    core::mem::forget(bomb);
    value
}
