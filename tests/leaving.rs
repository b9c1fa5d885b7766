//! Workers that leave, and pools that end by their own tasks.

use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Barrier, mpsc};
use std::thread::{self, ThreadId};
use std::time::Instant;

use asyncpal::{Handle, ThreadPool};

/// A pool whose task has closed it, and runs until the gate goes; and what it has done in the end.
fn closed_by_its_task() -> (Arc<ThreadPool>, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let pool = Arc::new(ThreadPool::dual().build().expect("valid"));
    let (gate, closed) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let done = Arc::new(AtomicUsize::new(0));
    let (theirs, doing) = (pool.clone(), done.clone());
    let close = move || {
        let first = theirs.shutdown();
        drop(theirs);
        tell.send(first).expect("waited for");
        let _ = closed.recv();
        doing.fetch_add(1, Ordering::Relaxed);
    };
    pool.spawn(close).expect("open");
    assert!(told.recv().expect("sent"), "it was open");
    (pool, gate, done)
}

#[test]
fn a_pool_is_terminated_when_the_task_that_has_closed_it_is_over() {
    let (pool, gate, done) = closed_by_its_task();
    assert!(pool.is_closed() && !pool.is_terminated());

    drop(gate);
    assert!(!pool.shutdown(), "it was closed before");

    assert!(pool.is_terminated());
    assert_eq!(done.load(Ordering::Relaxed), 1);
}

#[test]
fn dropping_a_pool_that_its_task_has_closed_waits_for_that() {
    let (pool, gate, done) = closed_by_its_task();
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        drop(gate);
    });

    drop(Arc::into_inner(pool).expect("the only one"));

    assert_eq!(done.load(Ordering::Relaxed), 1);
    opener.join().expect("no panic");
}

#[test]
fn a_worker_that_has_left_runs_no_task_of_its_pool() {
    /// Collects a task among a thread's locals.
    struct Late(mpsc::Receiver<Handle<ThreadId>>, mpsc::Sender<ThreadId>);
    impl Drop for Late {
        fn drop(&mut self) {
            let ran_on = self.0.recv().expect("sent").collect().expect("no panic");
            self.1.send(ran_on).expect("waited for");
        }
    }
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    let pool = ThreadPool::single().max_tasks_per_worker(1).build().expect("valid");
    let (give, given) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let stay = move || {
        LATE.with(|late| *late.borrow_mut() = Some(Late(given, tell)));
        thread::current().id()
    };
    let left = pool.run(stay).expect("no panic");
    // The second worker is held, so that the first one's thread finds the task pending.
    let (gate, closed) = mpsc::channel::<()>();
    pool.spawn(move || assert!(closed.recv().is_err())).expect("open");

    give.send(pool.submit(|| thread::current().id()).expect("open")).expect("waited for");
    thread::sleep(Duration::from_millis(20));
    drop(gate);

    assert_ne!(told.recv().expect("collected"), left);
}

/// Mappings of this process that may be stacks of such a size. The C library keeps some for the next threads.
#[cfg(target_os = "linux")]
fn stacks(bytes: usize) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
    let sizes = maps.lines().filter_map(|line| {
        let (begin, rest) = line.split_once('-')?;
        let (end, _) = rest.split_once(' ')?;
        let address = |text| u64::from_str_radix(text, 16).ok();
        usize::try_from(address(end)? - address(begin)?).ok()
    });
    sizes.filter(|size| (bytes..bytes + bytes / 4).contains(size)).count()
}

#[test]
#[cfg(target_os = "linux")]
fn threads_that_have_left_keep_no_stacks() {
    const WORKERS: usize = 64;
    const STACK: usize = 5 << 20;
    let pool = ThreadPool::builder().max_workers(WORKERS).stack_size(STACK);
    let pool = pool.idle_timeout(Duration::from_millis(1)).build().expect("valid");
    let all_here = Arc::new(Barrier::new(WORKERS + 1));
    let handles: Vec<_> = (0..WORKERS)
        .map(|_| {
            let all_here = all_here.clone();
            pool.submit(move || all_here.wait().is_leader()).expect("open")
        })
        .collect();
    let most = loop {
        let stacks = stacks(STACK);
        if stacks >= WORKERS {
            break stacks;
        }
        thread::yield_now();
    };
    all_here.wait();
    let leaders = handles.into_iter().filter_map(|handle| handle.collect().ok().filter(|it| *it));
    assert!(leaders.count() <= 1);

    while pool.count_workers() > 0 {
        thread::sleep(Duration::from_millis(1));
    }
    // Each one's last steps are out of sight.
    let begun = Instant::now();
    while stacks(STACK) > most / 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{} of {most}", stacks(STACK));
        thread::sleep(Duration::from_millis(1));
    }
}
