//! Slots are used again: by one task after the other, at once, and all of them.

use crate::kind::{Fate, Pool, Refusal, Script, TaskHandle, fate};
use crate::owner::{Fixed, Owner};
use crate::scenes::{beside, end, join};
use loom_tests::model_bounded;
use std::sync::Arc;

/// Nobody pops anything.
fn unattended() -> Script {
    Script { starting_workers: 0, ..Script::default() }
}

fn taken(submitted: Result<TaskHandle, Refusal>) -> TaskHandle {
    submitted.unwrap_or_else(|refusal| panic!("refused: {refusal:?}"))
}

/// Leaves as many stubs as there are slots.
fn fill_with_stubs<const TASKS: usize>(pool: &Pool<Fixed<TASKS, 1>>) {
    let handles = [(); TASKS].map(|()| taken(pool.submit()));
    assert!(handles.iter().all(TaskHandle::cancel));
}

/// T2: each of two submitters finds room, since each finds a stub, or what the other made room for.
#[test]
fn two_submitters_find_the_room_of_two_stubs() {
    model_bounded("two_submitters_find_the_room_of_two_stubs", Some(2), || {
        let pool = Arc::new(Pool::<Fixed<2, 1>>::new(1, unattended()));
        fill_with_stubs(&pool);
        let other = beside(&pool, |pool| taken(pool.submit()));

        let mine = taken(pool.submit());

        let theirs = join(other);
        pool.executor.close();
        let fates = [mine, theirs].map(|handle| fate(Ok(handle)));
        assert_eq!(fates, [Fate::Cancelled(None); 2]);
        end(pool).with_fates(&fates);
    });
}
