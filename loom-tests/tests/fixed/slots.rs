//! Slots are used again: by one task after the other, at once, and all of them.

use crate::kind::{Script, TaskHandle};
use crate::observed::{Fate, Pool, fate};
use crate::owner::{Fixed, Owner};
use crate::scenes::{beside, end, join, taken};
use loom_tests::model_bounded;
use std::sync::Arc;

/// Nobody pops anything.
fn unattended() -> Script {
    Script { starting_workers: 0, ..Script::default() }
}

/// Leaves as many stubs as there are slots.
fn fill_with_stubs<const TASKS: usize>(pool: &Pool<Fixed<TASKS, 1>>) {
    let handles = [(); TASKS].map(|()| taken(pool.submit()));
    assert!(handles.iter().all(TaskHandle::cancel));
}

/// Ends a pool that is at rest; all of its slots can be taken.
fn end_with_all_slots<const TASKS: usize>(pool: Pool<Fixed<TASKS, 1>>, fates: &[Fate]) {
    pool.executor.renew_workers();
    pool.join_workers();
    let handles = [(); TASKS].map(|()| taken(pool.submit()));
    pool.executor.close();
    assert!(handles.map(|handle| fate(Ok(handle))) == [Fate::Cancelled(None); TASKS]);
    pool.end().with_fates(fates);
}

/// G2: each of two submitters finds room, since each finds a stub, or what the other made room for.
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

/// A3: the second task's slot is the first one's, which its worker may not have left yet.
#[test]
fn one_slot_serves_one_task_after_the_other() {
    model_bounded("one_slot_serves_one_task_after_the_other", Some(2), || {
        let pool = Pool::<Fixed<1, 1>>::new(1, Script::default());

        let fates = [(); 2].map(|()| pool.join(pool.submit_patiently()));

        assert_eq!(fates, [Fate::Ran; 2]);
        pool.end().with_fates(&fates);
    });
}

#[test]
fn one_slot_serves_two_submitters() {
    model_bounded("one_slot_serves_two_submitters", Some(0), || {
        let pool = Arc::new(Pool::<Fixed<1, 1>>::new(1, Script::default()));
        let other = beside(&pool, |pool| fate(pool.submit_patiently()));

        let mine = fate(pool.submit_patiently());

        let fates = [mine, join(other)];
        assert_eq!(fates, [Fate::Ran; 2]);
        end(pool).with_fates(&fates);
    });
}

/// The worker may have the stub in hand: then the slot is free in a moment.
#[test]
fn the_slot_of_a_cancelled_task_is_used_again_whatever_the_worker_does() {
    model_bounded(
        "the_slot_of_a_cancelled_task_is_used_again_whatever_the_worker_does",
        Some(1),
        || {
            let script = Script { starting_workers: 1, ..Script::default() };
            let pool = Pool::<Fixed<1, 1>>::new(1, script);
            let first = taken(pool.submit());
            let cancelled = first.cancel();
            let first = fate(Ok(first));
            assert_eq!(first, if cancelled { Fate::Cancelled(None) } else { Fate::Ran });

            let second = pool.join(pool.submit_patiently());

            assert_eq!(second, Fate::Ran);
            end_with_all_slots(pool, &[first, second]);
        },
    );
}

/// With a slot to spare for the worker there is no such moment.
#[test]
fn a_slot_more_than_threads_is_never_refused() {
    model_bounded("a_slot_more_than_threads_is_never_refused", Some(1), || {
        let script = Script { starting_workers: 1, ..Script::default() };
        let pool = Pool::<Fixed<2, 1>>::new(1, script);
        let over = [(); 2].map(|()| {
            let handle = taken(pool.submit());
            handle.cancel();
            fate(Ok(handle))
        });

        let third = taken(pool.submit());

        let [first, second] = over;
        let third = fate(Ok(third));
        pool.end().with_fates(&[first, second, third]);
    });
}

#[test]
fn a_task_without_a_handle_gives_its_slot_back() {
    model_bounded("a_task_without_a_handle_gives_its_slot_back", Some(2), || {
        let script = Script { starting_workers: 1, ..Script::default() };
        let pool = Pool::<Fixed<1, 1>>::new(1, script);

        drop(taken(pool.submit()));

        end_with_all_slots(pool, &[Fate::Ran]);
    });
}

/// A2: a worker pops the stub that a submitter looks at, or the task that is there later.
#[test]
fn a_stub_is_cleared_once_by_two_submitters_and_a_worker() {
    model_bounded("a_stub_is_cleared_once_by_two_submitters_and_a_worker", Some(0), || {
        let script = Script { starting_workers: 1, ..Script::default() };
        let pool = Arc::new(Pool::<Fixed<1, 1>>::new(1, script));
        let first = taken(pool.submit());
        first.cancel();
        let first = fate(Ok(first));
        let other = beside(&pool, |pool| fate(pool.submit_patiently()));

        let mine = fate(pool.submit_patiently());

        let fates = [first, mine, join(other)];
        assert_eq!(fates[1..], [Fate::Ran; 2]);
        end(pool).with_fates(&fates);
    });
}
