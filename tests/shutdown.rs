//! How a pool ends: the report, and the tasks that are given back.

use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, mpsc};
use std::thread;

use asyncpal::{
    Builder, CancelledTask, Handle, PoolError, Status, TaskError, ThreadPool, Threads,
    is_cancel_requested,
};

/// A pool of one worker that keeps its cancelled tasks, and a task that runs until the gate goes.
fn busy_pool() -> (ThreadPool, mpsc::Sender<()>, Handle<bool>) {
    busy(ThreadPool::single().keep_cancelled_tasks(true))
}

fn busy(builder: Builder<Threads>) -> (ThreadPool, mpsc::Sender<()>, Handle<bool>) {
    let pool = builder.build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let (started, wait) = mpsc::channel();
    let running = pool.submit(move || {
        started.send(()).expect("waited for");
        closed.recv().is_err()
    });
    wait.recv().expect("sent");
    (pool, gate, running.expect("open"))
}

#[test]
fn a_shutdown_that_gives_up_reports_what_still_runs() {
    let (pool, gate, running) = busy_pool();
    let pending = [1, 2, 3].map(|n| pool.submit(move || n).expect("open"));

    let report = pool.shutdown_timeout(Duration::from_millis(5));

    assert_eq!((report.completed, report.cancelled, report.running), (0, 3, 1));
    assert!(!report.is_complete());
    assert_eq!(report.to_string(), "0 tasks completed, 3 cancelled, 1 still running");
    assert!(pending.iter().all(Handle::is_cancelled));
    assert!(pool.is_closed() && !pool.is_terminated());

    drop(gate);
    let report = pool.shutdown_timeout(Duration::MAX);
    assert!(report.is_complete() && report.running == 0 && report.cancelled == 3);
    assert!(running.collect().expect("no panic"));
    assert!(pool.is_terminated());
}

#[test]
fn a_shutdown_gives_up_on_locals_that_take_too_long() {
    struct Slow(mpsc::Receiver<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }
    thread_local! {
        static SLOW: RefCell<Option<Slow>> = const { RefCell::new(None) };
    }
    let pool = ThreadPool::single().build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    pool.run(move || SLOW.with(|slow| *slow.borrow_mut() = Some(Slow(closed)))).expect("no panic");

    let report = pool.shutdown_timeout(Duration::from_millis(10));

    assert_eq!((report.running, report.workers), (0, 1));
    drop(gate);
    assert!(pool.shutdown_timeout(Duration::MAX).is_complete());
}

#[test]
fn what_a_shutdown_cancels_may_wait_for_what_it_asks_to_stop() {
    let pool = ThreadPool::single().build().expect("valid");
    let running = pool.submit(|| {
        while !is_cancel_requested() {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let running = running.expect("open");
    while running.status() == Status::Pending {
        thread::yield_now();
    }
    let pending = pool.submit(|| ()).expect("open");
    let (waited, told) = mpsc::channel();
    pending.add_callback(move |_| {
        running.wait();
        waited.send(()).expect("received");
    });

    let report = pool.shutdown_timeout(Duration::from_secs(20));

    told.try_recv().expect("the callback was called");
    assert!(report.is_complete());
}

#[test]
fn dropping_a_pool_that_was_given_up_does_not_wait() {
    let (pool, gate, running) = busy_pool();
    assert!(!pool.shutdown_timeout(Duration::ZERO).is_complete());

    drop(pool);

    assert!(running.is_running());
    drop(gate);
    assert!(running.collect().expect("it goes on"));
}

#[test]
fn a_shutdown_waits_for_what_runs_and_counts_it() {
    let (pool, gate, running) = busy_pool();

    let report = std::thread::scope(|scope| {
        let pool = &pool;
        scope.spawn(move || {
            while !pool.is_closed() {
                std::thread::yield_now();
            }
            drop(gate);
        });
        pool.shutdown_timeout(Duration::from_secs(60))
    });

    assert_eq!((report.completed, report.cancelled, report.running), (1, 0, 0));
    assert!(report.is_complete());
    assert!(running.is_completed());
}

#[test]
fn cancelled_tasks_are_given_back_in_order_and_run_elsewhere() {
    let (pool, gate, _running) = busy_pool();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let handles = [0, 1, 2, 3].map(|n| {
        let order = order.clone();
        pool.submit(move || order.lock().expect("no panic").push(n)).expect("open")
    });
    pool.shutdown_timeout(Duration::ZERO);
    drop(gate);

    let tasks = pool.take_cancelled_tasks();

    assert!(pool.take_cancelled_tasks().is_empty(), "each is returned once");
    let ids: Vec<_> = tasks.iter().map(CancelledTask::task_id).collect();
    assert_eq!(ids, handles.each_ref().map(Handle::task_id));
    assert!(order.lock().expect("no panic").is_empty());
    let other = ThreadPool::single().build().expect("valid");
    for (n, task) in tasks.into_iter().enumerate() {
        if n < 2 {
            task.run().expect("no panic");
        } else {
            other.resubmit(task).expect("open").collect().expect("no panic");
        }
    }
    assert_eq!(*order.lock().expect("no panic"), [0, 1, 2, 3]);
    assert!(handles.iter().all(Handle::is_cancelled), "an end is final");
}

#[test]
fn a_closed_pool_gives_a_resubmitted_task_back() {
    let (pool, gate, _running) = busy_pool();
    drop(pool.submit(|| ()).expect("open"));
    pool.shutdown_timeout(Duration::ZERO);
    drop(gate);
    let task: CancelledTask<Threads> = pool.take_cancelled_tasks().pop().expect("one");

    let refused = pool.resubmit(task).expect_err("closed");

    assert!(matches!(refused.reason(), PoolError::Closed));
    assert_eq!(refused.into_inner().task_id(), 2);
}

#[test]
fn a_cancelled_task_keeps_its_label() {
    let (pool, gate, _running) = busy_pool();
    let handles =
        ["first", "second"].map(|label| pool.submit_labelled(label, || ()).expect("open"));
    drop(pool.submit(|| ()).expect("open"));
    pool.shutdown_timeout(Duration::ZERO);
    drop(gate);

    let mut tasks = pool.take_cancelled_tasks();

    let labels: Vec<_> = tasks.iter().map(CancelledTask::label).collect();
    assert_eq!(labels, [Some("first"), Some("second"), None]);
    assert!(format!("{tasks:?}").contains("label: \"second\""), "{tasks:?}");
    let refused = pool.resubmit(tasks.swap_remove(0)).expect_err("closed").into_inner();
    assert_eq!((refused.task_id(), refused.label()), (handles[0].task_id(), Some("first")));
    // Cancelled a second time.
    let (other, gate, _running) = busy_pool();
    let again = other.resubmit(refused).expect("open");
    assert_eq!(again.label(), Some("first"));
    other.shutdown_timeout(Duration::ZERO);
    drop(gate);
    assert_eq!(other.take_cancelled_tasks()[0].label(), Some("first"));
}

#[test]
fn a_cancelled_task_that_panics_says_so() {
    let (pool, gate, _running) = busy_pool();
    drop(pool.submit(|| panic!("burnt")).expect("open"));
    pool.shutdown_timeout(Duration::ZERO);
    drop(gate);

    let task = pool.take_cancelled_tasks().pop().expect("one");

    let Err(TaskError::Panicked(panic)) = task.run() else { panic!("it panics") };
    assert_eq!(panic.message(), Some("burnt"));
}

#[test]
fn a_break_gives_the_pending_tasks_back() {
    let (gate, closed) = mpsc::channel::<()>();
    let closed = std::sync::Mutex::new(closed);
    let pool = ThreadPool::single()
        .keep_cancelled_tasks(true)
        .initializer(move || {
            let _ = closed.lock().expect("no panic").recv();
            Err::<(), _>("no flour")
        })
        .build()
        .expect("valid");
    let handles = [1, 2].map(|n| pool.submit(move || n).expect("open"));

    drop(gate);

    for handle in handles {
        assert!(handle.collect().expect_err("no worker started").is_cancelled());
    }
    let tasks = pool.take_cancelled_tasks();
    assert_eq!(tasks.iter().map(CancelledTask::task_id).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_task_that_its_handle_cancels_is_not_kept() {
    let (pool, gate, _running) = busy_pool();
    let token = Arc::new(AtomicUsize::new(0));
    let theirs = token.clone();
    let handle = pool.submit(move || theirs.fetch_add(1, Ordering::SeqCst)).expect("open");

    assert!(handle.cancel());

    assert_eq!(Arc::strong_count(&token), 1, "its closure is dropped at once");
    pool.shutdown_timeout(Duration::ZERO);
    drop(gate);
    assert!(pool.take_cancelled_tasks().is_empty());
}

#[test]
fn without_being_asked_a_pool_keeps_nothing() {
    let (pool, gate, _running) = busy(ThreadPool::single());
    let token = Arc::new(());
    let theirs = token.clone();
    drop(pool.submit(move || drop(theirs)).expect("open"));

    let report = pool.shutdown_timeout(Duration::ZERO);
    drop(gate);

    assert_eq!(report.cancelled, 1);
    assert_eq!(Arc::strong_count(&token), 1);
    assert!(pool.take_cancelled_tasks().is_empty());
}
