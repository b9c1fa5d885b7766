//! Pipes that are full, closed, or printed to.

use asyncpal::process::LostCause;

use crate::faults;
use crate::tasks::{cause, own_pid, pool, sleep_long, works};

faults![
    a_hundred_megabytes_that_nobody_collects_yet_deadlock_nothing,
    a_worker_that_closes_its_reply_pipe_and_lives_on_is_killed,
    a_worker_that_closes_its_request_pipe_is_replaced,
    a_worker_that_closes_all_it_has_is_killed,
];

fn a_hundred_megabytes_that_nobody_collects_yet_deadlock_nothing() {
    fn turn(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.reverse();
        bytes
    }
    let pool = pool(1);

    let handles: Vec<_> = (0..100_u8)
        .map(|n| {
            let mut bytes = vec![n; 1 << 20];
            bytes[0] = 255;
            pool.submit_with(turn, (bytes,)).expect("open")
        })
        .collect();

    for (n, handle) in (0..).zip(handles) {
        let bytes = handle.collect().expect("no panic");
        let (last, others) = bytes.split_last().expect("as many as there were");
        assert!(*last == 255 && others.len() == (1 << 20) - 1, "{n}");
        assert!(others.iter().all(|&byte| byte == n), "{n}");
    }
}

fn close(descriptor: i32) {
    // SAFETY: whoever owns it is about to find out: this is the fault.
    unsafe { libc::close(descriptor) };
}

fn a_worker_that_closes_its_reply_pipe_and_lives_on_is_killed() {
    let pool = pool(1);

    let error = pool.run(|| {
        close(4);
        sleep_long();
    });

    let error = error.expect_err("there is no way to reply");
    let LostCause::Protocol(what) = cause(&error) else { panic!("{error:?}") };
    assert_eq!(&**what, "it closed its reply pipe");
    assert!(works(&pool));
}

fn a_worker_that_closes_its_request_pipe_is_replaced() {
    let pool = pool(1);

    let task = || {
        close(3);
        own_pid()
    };
    let first = pool.run(task).expect("the reply is on another pipe");

    assert_ne!(pool.run(own_pid).expect("by another worker"), first);
    assert!(works(&pool));
}

fn a_worker_that_closes_all_it_has_is_killed() {
    let pool = pool(1);

    let error = pool.run(|| {
        (0..1000).for_each(close);
        sleep_long();
    });

    let error = error.expect_err("there is no way to reply");
    assert!(matches!(cause(&error), LostCause::Protocol(_)), "{error:?}");
    assert!(works(&pool));
}
