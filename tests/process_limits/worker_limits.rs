//! What workers may take of the machine.

use std::fs;

use asyncpal::process::{LaunchError, LostCause, ProcessPool, WorkerLimits};

use crate::{cause, options, own_pid, spin, trials};

trials! {
    a_worker_has_no_more_address_space_than_its_limit
    a_worker_that_needs_more_address_space_is_lost_alone
    a_worker_that_uses_up_its_processor_time_is_lost_alone
    niceness_and_oom_score_are_those_of_the_worker_only
    limits_hold_before_the_initializer
    a_limit_that_cannot_be_set_is_named
}

const HALF_A_GIB: u64 = 1 << 29;

fn limited(limits: WorkerLimits) -> ProcessPool {
    options().worker_limits(limits).pool().max_workers(1).build().expect("valid")
}

fn can_have(bytes: u64) -> bool {
    Vec::<u8>::new().try_reserve_exact(bytes as usize).is_ok()
}

fn a_worker_has_no_more_address_space_than_its_limit() {
    let pool = limited(WorkerLimits::new().address_space(HALF_A_GIB));
    let try_it = |bytes| pool.submit_with(can_have, (bytes,)).expect("open").collect();

    assert!(try_it(1 << 20).expect("no panic"));
    assert!(!try_it(HALF_A_GIB).expect("no panic"));
    assert!(can_have(HALF_A_GIB), "this program has as much as before");
}

fn a_worker_that_needs_more_address_space_is_lost_alone() {
    fn fill() -> u64 {
        vec![1_u8; HALF_A_GIB as usize].len() as u64
    }
    let pool = limited(WorkerLimits::new().address_space(HALF_A_GIB));

    let error = pool.run(fill).expect_err("there is not so much");

    assert_eq!(cause(&error), &LostCause::Signal(libc::SIGABRT));
    assert!(pool.run(own_pid).is_ok());
}

fn a_worker_that_uses_up_its_processor_time_is_lost_alone() {
    let pool = limited(WorkerLimits::new().cpu_seconds(1));

    let error = pool.run(spin).expect_err("it spins for ever");

    assert_eq!(cause(&error), &LostCause::Signal(libc::SIGXCPU));
    assert!(pool.run(own_pid).is_ok());
}

/// Niceness and the badness for the OOM killer.
fn standing() -> (i32, i32) {
    // SAFETY: getpriority touches no memory of ours.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let score = fs::read_to_string("/proc/self/oom_score_adj").expect("Linux");
    (nice, score.trim().parse().expect("a number"))
}

fn niceness_and_oom_score_are_those_of_the_worker_only() {
    let own = standing();
    let wanted = (own.0.max(10), own.1.max(500));
    let pool = limited(WorkerLimits::new().nice(wanted.0).oom_score_adj(wanted.1));

    assert_eq!(pool.run(standing).expect("no panic"), wanted);
    assert_eq!(pool.run(|| std::thread::spawn(standing).join().unwrap()).expect("ends"), wanted);
    assert_eq!(standing(), own);
}

fn limits_hold_before_the_initializer() {
    fn check() -> Result<(), String> {
        if standing().0 >= 10 { Ok(()) } else { Err("as nice as anybody".to_owned()) }
    }
    let options = options().worker_limits(WorkerLimits::new().nice(10));
    let pool = options.pool().max_workers(1).initializer(check).build().expect("valid");

    assert!(pool.run(own_pid).is_ok(), "{:?}", pool.check());
}

fn a_limit_that_cannot_be_set_is_named() {
    // More than the system takes, whoever asks.
    let pool = limited(WorkerLimits::new().oom_score_adj(1001));

    let error = pool.run(own_pid).expect_err("no worker can start");

    assert!(error.is_cancelled(), "{error:?}");
    let cause = error.downcast_ref::<LaunchError>().unwrap_or_else(|| panic!("{error:?}"));
    assert!(matches!(cause, LaunchError::Limit { what: "oom_score_adj", .. }), "{cause:?}");
    assert!(error.to_string().contains("oom_score_adj"), "{error}");
}
