//! Cancels of tasks that run.

use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;

use asyncpal::Handle;
use asyncpal::process::{LostCause, ProcessPool};

use crate::gate::{Gate, wait_at};
use crate::{cause, eventually, kill, lost, options, own_pid, spin, trials};

trials! {
    a_cancel_kills_the_running_task_and_frees_its_slot
    a_cancel_kills_a_task_that_was_submitted_again
    a_cancel_kills_one_task_and_leaves_the_others
    a_cancelled_task_runs_on_unless_the_pool_kills
    a_cancel_of_a_task_that_is_over_harms_nobody
    a_handle_that_is_dropped_can_kill
    a_cancel_is_heard_while_another_worker_is_started_for_the_task
    a_kill_that_was_asked_for_is_no_failure_to_report
    a_thread_s_cancel_rings_and_nobody_is_killed
    a_shutdown_with_a_limit_does_not_kill
}

fn killing_pool(max_workers: usize) -> ProcessPool {
    options().kill_on_cancel(true).pool().max_workers(max_workers).build().expect("valid")
}

fn a_cancel_kills_the_running_task_and_frees_its_slot() {
    let pool = killing_pool(1);
    let first = pool.run(own_pid).expect("no panic");
    let handle = pool.submit(spin).expect("open");
    eventually(|| handle.is_running());

    let begun = Instant::now();
    assert!(!handle.cancel(), "it had started");
    let error = handle.collect().expect_err("cancelled");
    let took = begun.elapsed();

    assert_eq!(cause(&error), &LostCause::Cancelled);
    assert_eq!(lost(&error).pid(), first);
    assert!(error.to_string().ends_with("its task was cancelled while it ran"), "{error}");
    println!("the handle failed {took:.2?} after the cancel");
    assert_ne!(pool.run(own_pid).expect("another worker"), first);
}

fn a_cancel_kills_a_task_that_was_submitted_again() {
    let first = options().pool().max_workers(1).keep_cancelled_tasks(true);
    let first = first.build().expect("valid");
    let gate = Gate::new();
    drop(first.submit_with(wait_at, (gate.path(),)).expect("open"));
    eventually(|| first.count_pending_tasks() == 0);
    drop(first.submit(spin).expect("open"));
    first.shutdown_timeout(Duration::ZERO);
    drop(gate);
    first.shutdown();
    let task = first.take_cancelled_tasks().pop().expect("one was pending");

    let pool = killing_pool(1);
    let handle = pool.resubmit(task).expect("open");
    eventually(|| handle.is_running());
    assert!(!handle.cancel(), "it had started");

    assert_eq!(cause(&handle.collect().expect_err("cancelled")), &LostCause::Cancelled);
}

fn a_cancel_kills_one_task_and_leaves_the_others() {
    let pool = killing_pool(3);
    let handles: Vec<Handle<u32>> = (0..3).map(|_| pool.submit(spin).expect("open")).collect();
    eventually(|| handles.iter().all(Handle::is_running));
    let [first, second, third] = handles.try_into().expect("three");

    // All three owners hear each of these.
    second.cancel();
    assert_eq!(cause(&second.collect().expect_err("cancelled")), &LostCause::Cancelled);
    assert!(first.is_running() && third.is_running());
    first.cancel();
    assert_eq!(cause(&first.collect().expect_err("cancelled")), &LostCause::Cancelled);
    assert!(third.is_running());
    third.cancel();
    assert_eq!(cause(&third.collect().expect_err("cancelled")), &LostCause::Cancelled);
}

fn a_cancelled_task_runs_on_unless_the_pool_kills() {
    let pool = ProcessPool::builder().max_workers(1).build().expect("valid");
    let gate = Gate::new();
    let handle = pool.submit_with(wait_at, (gate.path(),)).expect("open");
    eventually(|| handle.is_running());

    assert!(!handle.cancel());

    drop(gate);
    handle.collect().expect("it runs on");
}

/// The ring of a cancel that came too late must not be taken for one of the next task.
fn a_cancel_of_a_task_that_is_over_harms_nobody() {
    let pool = killing_pool(1);
    for _ in 0..200 {
        let handle = pool.submit(own_pid).expect("open");
        // At some moment of its life.
        handle.cancel();
        match handle.collect() {
            Ok(pid) => assert_ne!(pid, 0),
            Err(error) if error.is_cancelled() => {}
            Err(error) => assert_eq!(cause(&error), &LostCause::Cancelled),
        }
        pool.run(own_pid).expect("nobody has cancelled it");
    }
}

fn a_kill_that_was_asked_for_is_no_failure_to_report() {
    let (tell, told) = mpsc::channel();
    let pool = options().kill_on_cancel(true).pool().max_workers(1);
    let pool =
        pool.on_uncollected(move |failure| tell.send(failure.task_id()).expect("waited for"));
    let pool = pool.build().expect("valid");

    let dropped = pool.submit(spin).expect("open").cancel_on_drop();
    eventually(|| dropped.is_running());
    drop(dropped);
    let cancelled = pool.submit(spin).expect("open");
    eventually(|| cancelled.is_running());
    cancelled.cancel();
    cancelled.wait();
    drop(cancelled);
    drop(pool.submit(|| -> () { std::process::abort() }).expect("open"));
    pool.join();

    assert_eq!(told.try_iter().collect::<Vec<_>>(), [3], "that one is a loss");
    assert_eq!(pool.stats().failed, 3, "they are counted all the same");
}

fn a_handle_that_is_dropped_can_kill() {
    let pool = killing_pool(1);
    let handle = pool.submit(spin).expect("open").cancel_on_drop();
    eventually(|| pool.count_pending_tasks() == 0);

    drop(handle);

    // The one slot is free.
    assert!(pool.run(own_pid).is_ok());
}

/// Initializers of this program's workers wait before it while it is closed: a file that is there. Another one says
/// that somebody waits.
struct Checkpoint([PathBuf; 2]);

impl Checkpoint {
    fn of(program: u32) -> Self {
        let file =
            |what| std::env::temp_dir().join(format!("asyncpal-checkpoint-{program}-{what}"));
        Self([file("closed"), file("reached")])
    }

    fn close(&self) -> Closed<'_> {
        let [closed, reached] = &self.0;
        let _ = fs::remove_file(reached);
        fs::write(closed, "").expect("writable");
        Closed(self)
    }

    fn pass() {
        let Self([closed, reached]) = Self::of(std::os::unix::process::parent_id());
        while closed.exists() {
            fs::write(&reached, "").expect("writable");
            std::thread::sleep(crate::millis(1));
        }
    }
}

/// Opened when this is dropped.
struct Closed<'c>(&'c Checkpoint);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        for file in &self.0.0 {
            let _ = fs::remove_file(file);
        }
    }
}

/// The worker has died before it reads the task, and the other one's initializer takes its time.
fn a_cancel_is_heard_while_another_worker_is_started_for_the_task() {
    let options = options().kill_on_cancel(true);
    let pool = options.pool().max_workers(1).initializer(Checkpoint::pass).build().expect("valid");
    let checkpoint = Checkpoint::of(own_pid());
    for _ in 0..200 {
        let worker = pool.run(own_pid).expect("no panic");
        let closed = checkpoint.close();
        kill(worker);
        let mut handle = pool.submit(own_pid).expect("open");
        eventually(|| checkpoint.0[1].exists() || handle.is_done());

        // Else the worker's end was noticed before the task came, or the task had been read.
        if handle.is_running() {
            assert!(!handle.cancel(), "it was given to the dead worker");
            let error = handle.collect_timeout(Duration::from_secs(20)).expect_err("cancelled");
            assert_eq!(cause(&error), &LostCause::Cancelled);
            drop(closed);
            assert!(pool.run(own_pid).is_ok());
            return;
        }
    }
    panic!("no task was given to a dead worker");
}

fn a_thread_s_cancel_rings_and_nobody_is_killed() {
    let processes = killing_pool(1);
    let worker = processes.run(own_pid).expect("no panic");
    let gate = Gate::new();
    let waiting = processes.submit_with(wait_at, (gate.path(),)).expect("open");
    eventually(|| waiting.is_running());
    let threads = asyncpal::ThreadPool::new();
    let looking = threads.submit(|| while !asyncpal::is_cancel_requested() {}).expect("open");
    eventually(|| looking.is_running());

    assert!(!looking.cancel());

    looking.collect().expect("it returned");
    drop(gate);
    waiting.collect().expect("nobody has cancelled it");
    assert_eq!(processes.run(own_pid).expect("no panic"), worker);
}

/// The pool asks its tasks to stop, which for a process means: as soon as it is done.
fn a_shutdown_with_a_limit_does_not_kill() {
    let pool = killing_pool(2);
    let gate = Gate::new();
    let waiting = pool.submit_with(wait_at, (gate.path(),)).expect("open");
    let spinning = pool.submit(spin).expect("open");
    eventually(|| waiting.is_running() && spinning.is_running());

    let report = pool.shutdown_timeout(crate::millis(1));
    assert!(!report.is_complete());
    // This rings at the other task's owner, too.
    spinning.cancel();

    assert_eq!(cause(&spinning.collect().expect_err("cancelled")), &LostCause::Cancelled);
    drop(gate);
    waiting.collect().expect("it ended in peace");
    // The handle tells before the worker is closed, and the pool waits for that no longer.
    eventually(|| crate::children().is_empty());
}
