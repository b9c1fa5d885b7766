//! Tasks that run for too long.

use core::time::Duration;
use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Instant;

use asyncpal::Labelled;
use asyncpal::kind::{Fallible, With};
use asyncpal::process::{LostCause, ProcessPool, Within};

use crate::{cause, children, eventually, in_time, lost, millis, options, own_pid, spin, trials};

trials! {
    a_task_that_runs_for_too_long_fails_with_its_limit_and_its_worker_is_killed
    the_next_task_gets_another_worker_at_once
    a_task_in_time_is_left_alone_and_keeps_its_worker
    a_limit_of_one_call_counts_more_than_that_of_the_pool
    a_limit_stands_round_every_kind_of_call
    a_limit_of_zero_ends_every_task
    a_worker_that_ignores_sigterm_is_killed_after_the_grace
    what_a_task_has_started_ends_with_it
    only_the_task_that_is_late_fails
    a_worker_that_does_not_close_is_forced_out_within_the_grace
}

fn nap(millis: u64) -> u64 {
    sleep(Duration::from_millis(millis));
    millis
}

fn a_task_that_runs_for_too_long_fails_with_its_limit_and_its_worker_is_killed() {
    let pool = options().task_timeout(millis(100)).pool().max_workers(1).build().expect("valid");
    let worker = pool.run(in_time(own_pid)).expect("in time");

    let begun = Instant::now();
    let error = pool.run(spin).expect_err("it spins for ever");
    let took = begun.elapsed();

    assert_eq!(cause(&error), &LostCause::TimedOut(millis(100)));
    assert_eq!(lost(&error).pid(), worker);
    assert!(error.to_string().ends_with("its task ran for longer than its 100ms"), "{error}");
    assert!(took >= millis(100), "{took:?}");
    println!("with a limit of 100 ms the handle failed after {took:.2?}");
    eventually(|| !children().contains(&worker));
}

fn the_next_task_gets_another_worker_at_once() {
    let pool = options().task_timeout(millis(50)).pool().max_workers(1).build().expect("valid");
    let first = pool.run(in_time(own_pid)).expect("in time");
    let late = pool.submit(spin).expect("open");
    let next = pool.submit(in_time(own_pid)).expect("open");

    let error = late.collect().expect_err("it spins for ever");
    let failed = Instant::now();
    let second = next.collect().expect("it is not late");

    assert_eq!(lost(&error).pid(), first);
    assert_ne!(first, second);
    println!("the next task was over {:.2?} after the late one failed", failed.elapsed());
}

fn a_task_in_time_is_left_alone_and_keeps_its_worker() {
    let limit = Duration::from_secs(3600);
    let pool = options().task_timeout(limit).pool().max_workers(1).build().expect("valid");

    let pids: Vec<_> = (0..100).map(|_| pool.run(own_pid).expect("in time")).collect();

    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

fn a_limit_of_one_call_counts_more_than_that_of_the_pool() {
    let pool = options().task_timeout(millis(50)).pool().max_workers(1).build().expect("valid");

    let longer = pool.run(in_time(With { function: nap, arguments: (150,) }));
    let after = pool.run(spin);
    let nested = pool.run(Within::new(millis(20), in_time(spin)));

    assert_eq!(longer.expect("in its own time"), 150);
    assert_eq!(cause(&nested.expect_err("late")), &LostCause::TimedOut(millis(20)));
    let after = after.expect_err("late");
    assert_eq!(cause(&after), &LostCause::TimedOut(millis(50)), "a limit is for one call");
}

fn a_limit_stands_round_every_kind_of_call() {
    let pool = ProcessPool::builder().max_workers(1).build().expect("valid");
    let with = With { function: u32::pow, arguments: (2, 10) };
    let handle = pool.submit(in_time(Labelled::new("power", with))).expect("open");
    assert_eq!(handle.label(), Some("power"));
    assert_eq!(handle.collect().expect("in time"), 1024);

    let parse = Fallible(|| "12".parse::<u8>());
    let labelled = Labelled::new("parse", in_time(parse));
    assert_eq!(pool.submit(labelled).expect("open").collect().expect("a number"), 12);

    let error = pool.run(Within::new(millis(20), Fallible(|| Ok::<_, String>(spin()))));
    assert_eq!(cause(&error.expect_err("late")), &LostCause::TimedOut(millis(20)));
}

fn a_limit_of_zero_ends_every_task() {
    let pool = ProcessPool::builder().max_workers(1).build().expect("valid");

    let error = pool.run(Within::new(Duration::ZERO, spin)).expect_err("late");

    assert_eq!(cause(&error), &LostCause::TimedOut(Duration::ZERO));
    assert!(pool.run(own_pid).is_ok());
}

/// For workers that take no notice of SIGTERM, from their start on.
fn defy() {
    // SAFETY: SIG_IGN is a valid disposition, and no handler is replaced.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

fn a_worker_that_ignores_sigterm_is_killed_after_the_grace() {
    let build = |grace| {
        let options = options().task_timeout(millis(300)).kill_grace(grace);
        options.pool().max_workers(1).initializer(defy).build().expect("valid")
    };
    let (patient, impatient) = (build(millis(400)), build(Duration::ZERO));

    for (pool, least) in [(&patient, millis(700)), (&impatient, millis(300))] {
        pool.run(in_time(own_pid)).expect("in time");
        let begun = Instant::now();
        let error = pool.run(spin).expect_err("it spins for ever");
        let took = begun.elapsed();

        // The reason, and not the signal that came last.
        assert_eq!(cause(&error), &LostCause::TimedOut(millis(300)));
        assert!(took >= least, "{took:?}");
        println!("limit and grace together {least:?}: failed after {took:.2?}");
    }
}

fn what_a_task_has_started_ends_with_it() {
    fn start(path: String) -> u32 {
        let mut child = Command::new("sleep").arg("3600").spawn().expect("it starts");
        fs::write(path, child.id().to_string()).expect("writable");
        let _ = child.wait();
        0
    }
    let path = std::env::temp_dir().join(format!("asyncpal-limits-{}", own_pid()));
    let path_text = path.to_str().expect("plain").to_owned();
    let options = options().kill_on_cancel(true);
    let pool = options.pool().max_workers(1).build().expect("valid");
    let handle = pool.submit_with(start, (path_text,)).expect("open");
    let grandchild = || fs::read_to_string(&path).ok().filter(|text| !text.is_empty());
    eventually(|| grandchild().is_some());
    let grandchild = grandchild().expect("written");

    handle.cancel();

    assert_eq!(cause(&handle.collect().expect_err("cancelled")), &LostCause::Cancelled);
    // A zombie, if whoever adopted it has not reaped it, has no command line.
    let runs = || fs::read(format!("/proc/{grandchild}/cmdline")).is_ok_and(|it| !it.is_empty());
    eventually(|| !runs());
    fs::remove_file(path).expect("it is there");
}

fn only_the_task_that_is_late_fails() {
    let pool = ProcessPool::builder().max_workers(2).build().expect("valid");

    let handles: Vec<_> = (0..20)
        .map(|n| {
            let late = n % 5 == 0;
            let limit = if late { millis(20) } else { Duration::from_secs(3600) };
            let call = With { function: nap, arguments: (if late { 3_600_000 } else { n },) };
            (n, late, pool.submit(Within::new(limit, call)).expect("open"))
        })
        .collect();

    for (n, late, handle) in handles {
        match handle.collect() {
            Ok(slept) => assert!(!late && slept == n),
            Err(error) => {
                assert!(late, "{n}: {error}");
                assert_eq!(cause(&error), &LostCause::TimedOut(millis(20)));
            }
        }
    }
}

fn a_worker_that_does_not_close_is_forced_out_within_the_grace() {
    let grace = millis(200);
    let options = options().close_grace(grace);
    let builder = options.pool().max_workers(1).initializer(defy).finalizer(|| {
        spin();
    });
    let pool = builder.build().expect("valid");
    pool.run(own_pid).expect("no panic");

    let begun = Instant::now();
    pool.join();
    let took = begun.elapsed();

    assert!(took >= 2 * grace, "{took:?}");
    println!("CLOSE, SIGTERM, SIGKILL with {grace:?} between: gone after {took:.2?}");
    let cause = pool.check().expect_err("its finalizer did not end");
    assert!(cause.to_string().contains("did not end within the grace period"), "{cause}");
}
