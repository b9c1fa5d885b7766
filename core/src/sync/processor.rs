//! The processor's atomics; where it has no compare-and-swap those of `portable-atomic`, whose user
//! says how that is to be emulated there.

#[cfg(target_has_atomic = "ptr")]
pub use core::sync::atomic::{AtomicPtr, AtomicUsize, fence};
#[cfg(not(target_has_atomic = "ptr"))]
pub use portable_atomic::{AtomicPtr, AtomicUsize, fence};

use super::Ordering;

/// A fence for a thread whose last store that others look for was a read-modify-write.
///
/// On x86 no load overtakes a locked instruction, and every read-modify-write is one (Intel's manual, volume 3,
/// "Loads and Stores Are Not Reordered with Locked Instructions"; AMD's says the same of its own). So there
/// only the compiler must be told, and a second locked instruction is saved.
#[inline]
pub fn rmw_fence(order: Ordering) {
    if cfg!(all(any(target_arch = "x86", target_arch = "x86_64"), not(miri))) {
        core::sync::atomic::compiler_fence(order);
    } else {
        fence(order);
    }
}

#[cfg(all(not(target_has_atomic = "ptr"), feature = "alloc"))]
compile_error!("the feature `alloc` needs compare-and-swap, which this processor has not");

#[cfg(all(test, not(asyncpal_pauses)))]
mod tests {
    use super::*;
    use crossbeam_utils::CachePadded;
    use std::thread;
    use std::vec::Vec;

    const ROUNDS: usize = 20_000;

    /// What one of two threads does: each round it writes its own word, and then looks at the other's.
    fn looks(own: &[AtomicUsize; 2], other: &[AtomicUsize; 2]) -> Vec<usize> {
        let [word, round] = own;
        let look = |now| {
            // Both begin at once. ORDERING: Release, Acquire: none is needed, the rounds are only to coincide.
            round.store(now, Ordering::Release);
            while (0..1000).all(|_| other[1].load(Ordering::Acquire) < now) {
                thread::yield_now();
            }
            // ORDERING: Relaxed: the fence is between the two.
            word.fetch_add(1, Ordering::Relaxed);
            rmw_fence(Ordering::SeqCst);
            other[0].load(Ordering::Relaxed)
        };
        (1..=ROUNDS).map(look).collect()
    }

    #[test]
    fn of_two_threads_behind_a_read_modify_write_one_sees_the_other() {
        let [one, other] = [(), ()].map(|()| CachePadded::new([0, 0].map(AtomicUsize::new)));

        let (ones, others) = thread::scope(|scope| {
            let ones = scope.spawn(|| looks(&one, &other));
            let others = looks(&other, &one);
            (ones.join().expect("no panic"), others)
        });

        let rounds = ones.iter().zip(&others).zip(1..);
        assert_eq!(rounds.filter(|&((&one, &other), now)| one.max(other) < now).count(), 0);
    }
}
