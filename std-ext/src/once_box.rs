//! A value that is made at most once per program, as `once_cell::race::OnceBox`: whoever comes first has made it.
//!
//! Not `OnceLock`: a child that is forked while another thread makes the value would wait for that thread for ever. Here
//! nobody waits: who comes meanwhile makes one, too, and drops it if it was not the first.

use core::ptr;

use crate::sync::Ordering;
use crate::sync::program::AtomicPtr;

/// See the head of this file. It is for statics: the value is never dropped.
#[derive(Debug)]
pub struct OnceBox<T: 'static>(AtomicPtr<T>);

impl<T: Send + Sync> OnceBox<T> {
    /// Without a value.
    #[allow(clippy::new_without_default, reason = "for statics")]
    pub const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// The value, made by `make` if there is none.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &'static T {
        // ORDERING: Acquire: the value.
        let mut value = self.0.load(Ordering::Acquire);
        if value.is_null() {
            let ours = Box::into_raw(Box::new(make()));
            // ORDERING: Release: our value. Acquire on failure: theirs.
            match self.0.compare_exchange(value, ours, Ordering::Release, Ordering::Acquire) {
                Ok(_) => value = ours,
                Err(theirs) => {
                    // SAFETY: it was made above, and nobody else has seen it.
                    drop(unsafe { Box::from_raw(ours) });
                    value = theirs;
                }
            }
        }
        // SAFETY: it came from a box that nobody frees, and is only ever shared.
        unsafe { &*value }
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn whoever_comes_has_the_value_of_the_first() {
        static VALUE: OnceBox<String> = OnceBox::new();
        let start = Barrier::new(4);

        let all = thread::scope(|scope| {
            let get = |n: usize| {
                start.wait();
                VALUE.get_or_init(|| n.to_string())
            };
            let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || get(n))).collect();
            threads.into_iter().map(|it| it.join().expect("no panic")).collect::<Vec<_>>()
        });

        assert!(all.iter().all(|value| core::ptr::eq(*value, all[0])));
        assert!(core::ptr::eq(VALUE.get_or_init(|| unreachable!("there is one")), all[0]));
    }
}
