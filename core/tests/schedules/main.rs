//! Whole pools of many threads under shuttle's randomised schedules.
//!
//! The production worker loop and submit run on shuttle's threads: six workers, four submitters,
//! with cancels, detached tasks, tasks that wait for tasks, callers that borrow seats, renewals, a close, failing
//! spawns, failing initializers and idle timeouts as random choices. It is loom's part to try every order of
//! a few steps and every weak ordering; this is to try some orders of very many steps.
//!
//! # Claims
//! Whatever the schedule:
//! - every submit is settled: its handle resolves, or the job comes back; what hangs is reported as
//!   a deadlock;
//! - a task runs at most once, and just if its handle says so; its job is dropped once;
//! - in the end nothing is pending; once the keep-alive elapses, nobody lives; when the owner is
//!   gone, nothing is left.
//!
//! # Runs
//! `cargo shuttle`. Each test plays its schedules twice: uniformly random, and by PCT (Burckhardt
//! et al., *A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs*, ASPLOS 2010).
//! `ASYNCPAL_SCHEDULES` says how many; a failure prints the seed, which `SHUTTLE_RANDOM_SEED` takes.
#![cfg_attr(
    asyncpal_shuttle,
    expect(unreachable_pub, reason = "the modules of one test file see each other only")
)]

#[cfg(asyncpal_shuttle)]
#[path = "under_shuttle.rs"]
mod under_shuttle;

/// No test at all would pass, too.
#[cfg(not(asyncpal_shuttle))]
const _: () = assert!(
    option_env!("ASYNCPAL_SHUTTLE").is_none(),
    "`cargo shuttle` sets rustflags, and RUSTFLAGS from outside replaces them: unset it"
);
