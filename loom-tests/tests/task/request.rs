//! A running task that is asked to stop.

use crate::ends::Ends;
use crate::job::join;
use asyncpal_core::task::testing::{self, Home};
use asyncpal_core::task::{Job, Running};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use loom_tests::model_bounded;

/// A job that reads what came before the request to stop, if there is one.
struct Heedful {
    reason: Arc<Reason>,
    seen: Ends,
}

struct Reason(UnsafeCell<u8>);

// SAFETY: that no access races is what the model checks.
unsafe impl Sync for Reason {}

const HEEDED: usize = 0;
const UNASKED: usize = 1;

impl Job<(), ()> for Heedful {
    type Output = ();

    fn run(self, (): &mut ()) -> Result<(), ()> {
        unreachable!("it is run as itself")
    }

    fn run_as(self, (): &mut (), this: &Running<'_>) -> Result<(), ()> {
        let asked = this.is_cancel_requested();
        if asked {
            // SAFETY: E4.
            assert_eq!(self.reason.0.with(|reason| unsafe { *reason }), 7);
        }
        self.seen.note(if asked { HEEDED } else { UNASKED });
        Ok(())
    }
}

#[test]
fn a_request_to_stop_comes_with_what_came_before_it() {
    let all = Ends::default();
    let seen = all.clone();
    model_bounded("a_request_to_stop_comes_with_what_came_before_it", None, move || {
        let home = Home::new();
        let reason = Arc::new(Reason(UnsafeCell::new(0)));
        let job = Heedful { reason: reason.clone(), seen: seen.clone() };
        let (entry, mut handle) = testing::task(job, &home);
        let worker = thread::spawn(move || testing::work(entry));

        // SAFETY: E4: the job does not look before the request.
        reason.0.with_mut(|reason| unsafe { *reason = 7 });
        let cancelled = handle.cancel();

        assert_ne!(join(worker), cancelled, "it runs or is cancelled");
        assert!(cancelled || handle.take().is_some());
    });
    assert!([HEEDED, UNASKED].iter().all(|&end| all.of(end) > 0), "both can happen");
}
