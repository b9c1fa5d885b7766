//! The scenes of the engine on the heap, in a `static`.

use crate::kind::{Cause, Fate, Refusal, Script};
use crate::owner::Fixed;
use crate::scenes::{a_submit_against_close, two_submits, two_submitters};
use loom_tests::model_bounded;

#[test]
fn a_task_submitted_while_the_worker_goes_idle_runs() {
    model_bounded("a_task_submitted_while_the_worker_goes_idle_runs", Some(2), || {
        two_submits::<Fixed<2, 1>>(1, Script::default());
    });
}
