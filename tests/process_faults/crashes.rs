//! Workers that die, each in its own way: their own task fails, with the cause named, and no other.

use core::time::Duration;
use std::process;

use asyncpal::process::{LostCause, ProcessOptions, Processes, WorkerLost};
use asyncpal::{BrokenCause, Builder, Handle, PoolError, ProcessPool, TaskError};

use crate::faults;
use crate::processes::{children, eventually};
use crate::tasks::{
    busy_worker, cause, kill_self, lost, own_pid, pool, show_busy, signal, sleep_long, works,
};

faults![
    a_worker_that_is_killed_fails_its_task_and_no_other,
    a_worker_with_an_invalid_access_is_lost_by_that_signal,
    a_worker_that_aborts_is_lost_by_that_signal,
    a_worker_whose_stack_overflows_is_lost,
    a_worker_that_exits_with_success_is_lost_all_the_same,
    a_worker_out_of_memory_is_lost,
    an_allocation_that_may_fail_costs_no_worker,
    a_worker_that_is_stopped_keeps_one_task_and_no_other,
    a_worker_killed_while_it_is_idle_costs_no_task,
    a_worker_killed_before_it_greets_is_named_as_the_cause,
    a_worker_killed_in_its_initializer_is_named_as_the_cause,
    a_worker_that_hangs_while_it_exits_is_ended_and_breaks_no_pool,
    a_worker_with_a_finalizer_that_hangs_while_it_exits_breaks_its_pool,
    a_worker_that_dies_in_its_finalizer_breaks_its_pool,
    a_worker_that_dies_before_its_finalizer_breaks_no_pool,
    a_worker_that_dies_after_its_finalizer_breaks_no_pool,
];

fn outcome_of(pool: &ProcessPool, task: Handle<()>) -> LostCause {
    let error = task.collect().expect_err("its worker is gone");
    assert_ne!(lost(&error).pid(), own_pid());
    assert!(works(pool));
    cause(&error).clone()
}

fn a_worker_that_is_killed_fails_its_task_and_no_other() {
    let pool = pool(2);
    let victim = pool.submit(|| {
        show_busy();
        sleep_long();
    });
    let victim = victim.expect("open");
    let worker = busy_worker();
    let others: Vec<_> =
        (0..20).map(|n: u8| pool.submit_with(|n| n, (n,)).expect("open")).collect();

    signal(worker, libc::SIGKILL);

    let error = victim.collect().expect_err("its worker was killed");
    assert_eq!((lost(&error).pid(), cause(&error)), (worker, &LostCause::Signal(libc::SIGKILL)));
    for (n, other) in (0..).zip(others) {
        assert_eq!(other.collect().expect("not its worker"), n);
    }
    assert!(works(&pool));
}

fn a_worker_with_an_invalid_access_is_lost_by_that_signal() {
    let pool = pool(1);
    let task = pool.submit(|| {
        let nowhere = core::ptr::without_provenance_mut::<u8>(8);
        // SAFETY: none: this is the fault.
        unsafe { nowhere.write_volatile(1) };
    });

    assert_eq!(outcome_of(&pool, task.expect("open")), LostCause::Signal(libc::SIGSEGV));
}

fn a_worker_that_aborts_is_lost_by_that_signal() {
    let pool = pool(1);
    let task = pool.submit(|| process::abort()).expect("open");

    assert_eq!(outcome_of(&pool, task), LostCause::Signal(libc::SIGABRT));
}

fn dive(depth: u64) -> u64 {
    let frame = core::hint::black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { dive(depth + 1) + core::hint::black_box(frame)[1] }
}

fn a_worker_whose_stack_overflows_is_lost() {
    let pool = pool(1);
    let task = pool.submit(|| assert!(dive(core::hint::black_box(1)) > 0)).expect("open");

    // Rust's runtime says what happened, and aborts; or does not see what it was, and lets it be a segfault.
    let cause = outcome_of(&pool, task);
    assert!(matches!(cause, LostCause::Signal(libc::SIGABRT | libc::SIGSEGV)), "{cause:?}");
}

fn a_worker_that_exits_with_success_is_lost_all_the_same() {
    let pool = pool(1);
    let task = pool.submit(|| process::exit(0)).expect("open");

    assert_eq!(outcome_of(&pool, task), LostCause::Exited(0));
}

/// Leaves the process some 64 MiB of addresses.
fn be_poor() {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: libc::rlim_t =
        status.split(' ').next().and_then(|it| it.parse().ok()).expect("a number");
    let bytes = pages * 4096 + (64 << 20);
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: it reads one rlimit.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(set, 0, "it can be lowered");
}

fn a_worker_out_of_memory_is_lost() {
    let pool = pool(1);
    let task = pool.submit(|| {
        be_poor();
        let mut kept = Vec::new();
        loop {
            kept.push(core::hint::black_box(vec![1_u8; 1 << 20]));
        }
    });

    assert_eq!(outcome_of(&pool, task.expect("open")), LostCause::Signal(libc::SIGABRT));
}

fn an_allocation_that_may_fail_costs_no_worker() {
    let pool = pool(1);
    let worker = pool.run(own_pid).expect("no panic");

    let task = pool.submit_fallible(|| {
        be_poor();
        Vec::<u8>::new().try_reserve(1 << 30)
    });

    let error = task.expect("open").collect().expect_err("so much is not there");
    assert!(matches!(error, TaskError::Failed(_)), "{error:?}");
    assert_eq!(pool.run(own_pid).expect("no panic"), worker);
}

/// A process that goes on when this is dropped: a pool waits for it.
struct Stopped(u32);

impl Stopped {
    fn now(pid: u32) -> Self {
        signal(pid, libc::SIGSTOP);
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, libc::SIGCONT);
    }
}

fn a_worker_that_is_stopped_keeps_one_task_and_no_other() {
    let pool = pool(2);
    let brief = |n: u64| pool.submit_with(|n: u64| n, (n,)).expect("open");
    for _ in 0..20 {
        // So many that the workers have shown that theirs are brief.
        (0..200).map(brief).collect::<Vec<_>>().into_iter().for_each(|task| drop(task.collect()));

        let stopped = Stopped::now(pool.run(own_pid).expect("no panic"));
        let tasks: Vec<_> = (0..60).map(brief).collect();

        eventually(|| tasks.iter().filter(|task| !task.is_done()).count() <= 1);
        drop(stopped);
        for (n, task) in (0..).zip(tasks) {
            assert_eq!(task.collect().expect("no worker was lost"), n);
        }
    }
    assert!(works(&pool));
}

fn a_worker_killed_while_it_is_idle_costs_no_task() {
    let pool = pool(1);
    let mut workers = vec![pool.run(own_pid).expect("no panic")];

    for _ in 0..4 {
        signal(workers[workers.len() - 1], libc::SIGKILL);
        // It is noticed without a task. One that is sent before may have started, for all that one can know.
        eventually(|| children().is_empty());
        workers.push(pool.run(own_pid).expect("it was started by another worker"));
    }

    workers.dedup();
    assert_eq!(workers.len(), 5, "each was another one");
}

fn handshake(pool: ProcessPool) {
    let error = pool.run(own_pid).expect_err("no worker gets ready");

    assert!(error.is_cancelled(), "it did not start: {error:?}");
    assert_eq!(cause(&error), &LostCause::Signal(libc::SIGKILL));
    // The pool is not broken: it tries again.
    assert!(!pool.is_broken());
    assert!(pool.run(own_pid).is_err());
    assert!(!pool.is_broken());
    // Three for the first task, at most one for each that follows: with the fifth it gives up.
    eventually(|| pool.run(own_pid).is_err() && pool.is_broken());
    let Err(PoolError::Broken(broken)) = pool.check() else { panic!("{pool:?}") };
    assert!(matches!(&*broken, BrokenCause::CrashLoop { starts: 5, .. }), "{broken:?}");
}

fn a_worker_killed_before_it_greets_is_named_as_the_cause() {
    let name = crate::words::name("killed");
    handshake(ProcessPool::builder().max_workers(1).name(name).build().expect("valid"));
}

fn a_worker_killed_in_its_initializer_is_named_as_the_cause() {
    let builder = ProcessPool::builder().max_workers(1).initializer(kill_self);
    handshake(builder.build().expect("valid"));
}

extern "C" fn hang() {
    sleep_long();
}

/// It broke the pool, as if a finalizer had failed, although there was none.
fn a_worker_that_hangs_while_it_exits_is_ended_and_breaks_no_pool() {
    let builder = ProcessPool::builder().max_workers(1).idle_timeout(Duration::from_millis(1));
    let pool = builder.build().expect("valid");

    // SAFETY: the handler may be called at any exit.
    let refused = pool.run(|| unsafe { libc::atexit(hang) }).expect("no panic");

    assert_eq!(refused, 0);
    eventually(|| pool.count_workers() == 0);
    assert!(!pool.is_broken());
    assert!(works(&pool));
}

extern "C" fn leave(_: i32) {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(9) };
}

/// What its finalizer has begun may need the exit.
fn a_worker_with_a_finalizer_that_hangs_while_it_exits_breaks_its_pool() {
    let options = ProcessOptions::new().close_grace(Duration::from_millis(100));
    let pool = options.pool().max_workers(1).finalizer(|| ()).build().expect("valid");
    let task = || {
        let handler = leave as extern "C" fn(i32);
        // SAFETY: the handler only ends the process.
        unsafe { libc::signal(libc::SIGTERM, handler as *const () as libc::sighandler_t) };
        // SAFETY: the handler may be called at any exit.
        unsafe { libc::atexit(hang) }
    };
    assert_eq!(pool.run(task).expect("no panic"), 0);

    pool.join();

    let error = pool.check().expect_err("it is broken");
    let lost = WorkerLost::of(&error).unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(lost.cause(), &LostCause::Exited(9), "by SIGTERM");
}

fn a_worker_that_dies_in_its_finalizer_breaks_its_pool() {
    fn exit_early() {
        process::exit(0);
    }
    let broken_by = |builder: Builder<Processes>| {
        let pool = builder.max_workers(1).build().expect("valid");
        pool.run(own_pid).expect("no panic");
        pool.join();
        let error = pool.check().expect_err("it is broken");
        WorkerLost::of(&error).unwrap_or_else(|| panic!("{error:?}")).cause().clone()
    };

    let killed = broken_by(ProcessPool::builder().finalizer(kill_self));
    let left = broken_by(ProcessPool::builder().finalizer(exit_early));

    assert_eq!([killed, left], [LostCause::Signal(libc::SIGKILL), LostCause::Exited(0)]);
}

fn a_worker_that_dies_before_its_finalizer_breaks_no_pool() {
    let pool = ProcessPool::builder().max_workers(1).finalizer(kill_self);
    let pool = pool.build().expect("valid");
    for _ in 0..4 {
        let worker = pool.run(own_pid).expect("no panic");

        signal(worker, libc::SIGKILL);

        eventually(|| children().is_empty());
        assert!(pool.check().is_ok());
    }
    let error = pool.run(kill_self).expect_err("its worker is gone");
    assert_eq!(cause(&error), &LostCause::Signal(libc::SIGKILL));
    assert!(pool.check().is_ok());
}

fn a_worker_that_dies_after_its_finalizer_breaks_no_pool() {
    extern "C" fn die() {
        kill_self();
    }
    let die_later = || {
        // SAFETY: the handler may be called at any exit.
        unsafe { libc::atexit(die) };
    };
    let pool = ProcessPool::builder().max_workers(1).finalizer(die_later);
    let pool = pool.build().expect("valid");
    pool.run(own_pid).expect("no panic");

    pool.join();

    assert!(pool.check().is_ok());
}
