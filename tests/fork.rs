//! Programs that fork while they have pools: the child has their memory, and none of their workers.
//! Each test starts this program again; that one forks, and says what it saw on stdout.

use core::mem::ManuallyDrop;
use core::time::Duration;
use std::process::{exit, id};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, sleep};

use asyncpal::{
    CompletionFilter, Handle, PoolError, TaskError, ThreadPool, as_done, as_done_in_order, collect,
    wait,
};
use libtest_mimic::Arguments;

#[path = "common/fork.rs"]
mod fork;
#[path = "common/program.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod program;

use fork::{fork, reap, test};
use program::ending;

fn main() {
    if let Some(ending) = ending() {
        return run(&ending);
    }
    const KEPT: &[&str] = &["first", "second"];
    let trials = vec![
        test("a_child_that_exits_leaves_the_parents_tasks_alone", "exit", KEPT),
        test("a_child_that_returns_from_main_leaves_the_parents_tasks_alone", "return", KEPT),
        test("a_child_that_panics_leaves_the_parents_tasks_alone", "panic", KEPT),
        test("a_child_that_leaves_at_once_leaves_the_parents_tasks_alone", "_exit", KEPT),
        test("a_child_that_drops_the_pool_leaves_the_parents_tasks_alone", "drop", KEPT),
        test("a_childs_submit_gives_the_call_back", "submit", KEPT),
        test("a_childs_wait_does_not_wait", "wait", KEPT),
        test("what_was_done_before_the_fork_is_there_in_the_child", "done", KEPT),
        test("a_childs_filters_and_maps_end", "iterate", KEPT),
        test("a_scope_ends_at_once_in_the_child", "scope", KEPT),
        test("a_childs_own_pool_works_and_is_drained", "own-pool", &["child's task", "first"]),
        test("a_childs_child_is_told_apart_from_both", "grandchild", KEPT),
        test("locks_that_others_hold_at_the_fork_stop_nobody", "busy", &["forked"]),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn leave(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// A pool with a task that runs until the gate goes, and one behind it. What the child waits for it
/// waits for in vain: the gate goes after the child. The grace is longer than the child may live.
struct Scene {
    pool: ThreadPool,
    running: Handle<()>,
    pending: Handle<()>,
    /// A channel has a lock, which the task may hold at the fork: the child leaves it alone.
    gate: ManuallyDrop<Sender<()>>,
}

/// What a pending task owns: to be dropped by the process in which it was made.
struct Here(u32);

impl Drop for Here {
    fn drop(&mut self) {
        if id() != self.0 {
            println!("dropped in a child");
        }
    }
}

fn occupied() -> Scene {
    let hour = Duration::from_secs(3600);
    let pool = ThreadPool::single().grace(hour).build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let running = move || {
        started.send(()).expect("waited for");
        let _ = closed.recv();
        println!("first");
    };
    let running = pool.submit(running).expect("open");
    let here = Here(id());
    let pending = move || {
        println!("second");
        drop(here);
    };
    let pending = pool.submit(pending).expect("open");
    has_started.recv().expect("started");
    Scene { pool, running, pending, gate: ManuallyDrop::new(gate) }
}

impl Scene {
    /// The parent's part: the child ends with `code`, the tasks run once each.
    fn outlive(self, child: i32, code: i32) {
        assert_eq!(reap(child), Some(code));
        drop(ManuallyDrop::into_inner(self.gate));
        self.running.collect().expect("undisturbed");
        self.pending.collect().expect("undisturbed");
    }
}

fn run(ending: &str) {
    match ending {
        "return" => fork_and(0, core::mem::forget),
        "exit" => fork_and(3, |_| exit(3)),
        "panic" => fork_and(101, |_| panic!("the end of the child's main")),
        "_exit" => fork_and(4, |_| leave(4)),
        "drop" => fork_and(0, drop),
        "submit" => fork_and(0, submit),
        "wait" => fork_and(0, wait_for),
        "grandchild" => fork_and(0, grandchild),
        "own-pool" => own_pool(),
        "done" => done(),
        "iterate" => iterate(),
        "scope" => scope(),
        "busy" => busy(),
        other => panic!("no such ending: {other}"),
    }
}

/// Forks while the pool is occupied. The child returns from `main` after `in_child`.
fn fork_and(code: i32, in_child: impl FnOnce(Scene)) {
    let scene = occupied();
    match fork() {
        None => in_child(scene),
        Some(child) => scene.outlive(child, code),
    }
}

fn is_forked<T>(result: Result<T, TaskError>) -> bool {
    matches!(result, Err(TaskError::Forked))
}

fn submit(Scene { pool, .. }: Scene) {
    let token = "given back";
    let refused = pool.submit(move || token).expect_err("it is the parent's");
    assert!(matches!(refused.reason(), PoolError::Forked));
    assert_eq!(refused.into_inner()(), token);

    assert!(matches!(pool.run(|| ()), Err(TaskError::Rejected(PoolError::Forked))));
    assert!(matches!(pool.check(), Err(PoolError::Forked)));
    assert!(matches!(pool.spawn_max_workers(), Err(PoolError::Forked)));
    assert!(!pool.join_timeout(Duration::MAX) && !pool.shutdown());
    assert!(!pool.shutdown_timeout(Duration::MAX).is_complete());
    pool.join();
    pool.set_idle_timeout(Duration::ZERO);
    assert_eq!(pool.take_cancelled_tasks().len(), 0);
    assert!(!pool.is_closed());
}

fn wait_for(Scene { mut running, pending, .. }: Scene) {
    running.wait();
    assert!(!running.wait_timeout(Duration::MAX) && !wait([&running, &pending], None));
    assert!(is_forked(running.try_collect()));
    assert!(is_forked(running.collect_timeout(Duration::MAX)));
    assert!(is_forked(futures::executor::block_on(&mut running)));
    assert!(!running.cancel() && !pending.cancel(), "that is the parent's affair");
    assert!(pending.is_pending());
    assert!(is_forked(running.collect()));
    assert!(is_forked(collect([pending], None)));
}

fn grandchild(scene: Scene) {
    let own = ThreadPool::new();
    let (gate, closed) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let task = move || {
        started.send(()).expect("waited for");
        closed.recv().is_err()
    };
    let task = own.submit(task).expect("open");
    has_started.recv().expect("started");
    let gate = ManuallyDrop::new(gate);
    match fork() {
        None => {
            assert!(is_forked(task.collect()) && is_forked(scene.running.collect()));
            assert!(matches!(own.check(), Err(PoolError::Forked)));
            assert_eq!(ThreadPool::new().run(|| 42).expect("its own"), 42);
            drop(own);
        }
        Some(child) => {
            assert_eq!(reap(child), Some(0));
            drop(ManuallyDrop::into_inner(gate));
            assert!(task.collect().expect("undisturbed"));
            assert!(is_forked(scene.running.collect()));
        }
    }
}

fn own_pool() {
    let scene = occupied();
    let Some(child) = fork() else {
        let pool = Box::leak(Box::new(ThreadPool::new()));
        assert_eq!(pool.map(|n: u32| n + 1, 0..10).flatten().sum::<u32>(), 55);
        assert!(pool.submit(|| sleep(Duration::from_millis(1))).expect("open").collect().is_ok());
        let (started, has_started) = mpsc::channel();
        let task = move || {
            started.send(()).expect("waited for");
            sleep(Duration::from_millis(300));
            println!("child's task");
        };
        drop(pool.submit(task));
        has_started.recv().expect("started");
        exit(5);
    };
    assert_eq!(reap(child), Some(5));
    scene.pending.cancel();
    drop(ManuallyDrop::into_inner(scene.gate));
    scene.running.collect().expect("undisturbed");
}

fn done() {
    let scene = occupied();
    let pool = ThreadPool::new();
    let handle = pool.submit(|| 42).expect("open");
    handle.wait();
    let Some(child) = fork() else {
        assert_eq!(handle.collect().expect("it was done"), 42);
        return core::mem::forget(scene);
    };
    scene.outlive(child, 0);
}

fn iterate() {
    let scene = occupied();
    // Of a pool of one worker, which is busy: nothing here is done before the fork.
    let task = || scene.pool.submit(|| 1).expect("open");
    let filter: CompletionFilter<_> = [task()].into_iter().collect();
    let (mut unordered, mut ordered) = (as_done([task()]), as_done_in_order([task()]));
    let mut eager = scene.pool.map_all(|n: u32| n, 0..10, 5);
    let lazy = || scene.pool.map(|n: u32| n, 0..10);
    let (mut begun, mut fresh) = (lazy().timeout(Duration::ZERO), lazy());
    assert!(matches!(begun.next(), Some(Err(TaskError::TimedOut))));
    let (late, handles) = (CompletionFilter::new(), [task()]);
    let Some(child) = fork() else {
        assert!(filter.get().is_none() && filter.try_get().is_none() && filter.is_empty());
        assert!(unordered.next().is_none() && ordered.next().is_none());
        assert!(is_forked(eager.next().expect("one error")) && eager.next().is_none());
        assert!(is_forked(fresh.next().expect("one error")) && fresh.next().is_none());
        let own = CompletionFilter::new();
        own.populate(handles);
        assert!(is_forked(own.get().expect("as good as over").collect()));
        let pool = ThreadPool::new();
        own.put(pool.submit(|| 3).expect("its own"));
        assert_eq!(own.get().expect("in it").collect().expect("it ran"), 3);
        late.put(pool.submit(|| 4).expect("its own"));
        assert!(late.get().is_none(), "a filter is its maker's");
        return;
    };
    drop((begun, fresh, eager));
    scene.outlive(child, 0);
    assert!(late.is_empty() && filter.get_all().count() == 1);
}

fn scope() {
    let scene = occupied();
    let mut number = 1;
    let in_child = scene.pool.scope(|scope| {
        let mut handle = scope.submit(|| number += 1).expect("open");
        let in_parent = fork();
        match in_parent {
            None => {
                let refused = scope.submit(|| ()).map_err(|error| error.reason().clone());
                assert!(matches!(refused, Err(PoolError::Forked)));
                let lost = handle.collect_timeout(Duration::ZERO);
                assert!(matches!(lost, Err(TaskError::Forked)), "{lost:?}");
            }
            Some(child) => {
                assert_eq!(reap(child), Some(0));
                drop(ManuallyDrop::into_inner(scene.gate));
            }
        }
        in_parent.is_none()
    });
    assert_eq!(number, if in_child { 1 } else { 2 });
    if in_child {
        // By way of exit handlers.
        exit(0);
    }
    scene.running.collect().expect("undisturbed");
    scene.pending.collect().expect("undisturbed");
}

/// Others submit, wait, cancel, drop and build pools all the time: any lock may be held.
fn busy() {
    let pool = ThreadPool::builder().max_workers(4).capacity(2).build().expect("valid");
    let (pool, filter) = (&pool, &CompletionFilter::new());
    let stop = &core::sync::atomic::AtomicBool::new(false);
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while !stop.load(core::sync::atomic::Ordering::Relaxed) {
                    filter.put(pool.submit(|| ()).expect("open"));
                    drop(filter.try_get());
                    drop(pool.submit(|| ()).expect("open").cancel_on_drop());
                    let own = ThreadPool::single().build().expect("valid");
                    own.run(|| ()).expect("no panic");
                }
            });
        }
        for _ in 0..100 {
            let handle = pool.submit(|| ()).expect("open");
            let Some(child) = fork() else {
                let done = handle.is_done();
                assert!(done || is_forked(handle.collect()));
                assert!(matches!(pool.run(|| ()), Err(TaskError::Rejected(PoolError::Forked))));
                assert!(filter.get().is_none() && filter.is_empty() && !pool.shutdown());
                // The standard library has a lock of its own round the start and the end of threads, of
                // which some is just starting. So no worker here, and C's way to the exit handlers.
                drop(ThreadPool::new());
                // SAFETY: this process has one thread.
                unsafe { libc::exit(6) }
            };
            assert_eq!(reap(child), Some(6));
        }
        stop.store(true, core::sync::atomic::Ordering::Relaxed);
    });
    println!("forked");
}
