//! A killer that lets no worker become ready.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::thread::{self, sleep};
use std::time::Instant;

use asyncpal::process::error::HandshakeError;
use asyncpal::process::{LaunchError, LostCause, ProcessPool};
use asyncpal::{BrokenCause, PoolError};

use crate::killer::signal;
use crate::processes::children;
use crate::{Resolved, WORKERS};

/// More than are ever submitted.
const MOST_TASKS: usize = 60_000;

/// An initializer that no worker survives here.
fn hang() {
    sleep(Duration::from_secs(3600));
}

pub(crate) fn a_killer_of_every_handshake_breaks_the_pool_and_each_handle_resolves_once() {
    let pool = ProcessPool::builder().max_workers(WORKERS).initializer(hang);
    let pool = pool.build().expect("valid");
    let (resolved, over) = (Resolved::new(MOST_TASKS), AtomicBool::new(false));

    let (handles, checked, kills) = thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut kills = 0;
            // ORDERING: Relaxed: nothing else is read by it.
            while !over.load(Ordering::Relaxed) {
                kills += children().into_iter().filter(|&pid| signal(pid, libc::SIGKILL)).count();
                sleep(Duration::from_millis(1));
            }
            kills
        });
        let begun = Instant::now();
        let mut handles = Vec::new();
        while let Ok(handle) = pool.submit(std::process::id) {
            resolved.watch(&handle, handles.len());
            handles.push(handle);
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not break: {pool:?}");
            sleep(Duration::from_millis(1));
        }
        handles.iter().for_each(asyncpal::Handle::wait);
        let checked = pool.check();
        // A worker may be under way still, and hang: it is killed before the killer goes.
        pool.shutdown();
        // ORDERING: Relaxed: nothing else is read by it.
        over.store(true, Ordering::Relaxed);
        (handles, checked, killer.join().expect("no panic"))
    });

    let Err(PoolError::Broken(cause)) = checked else { panic!("{pool:?}") };
    let BrokenCause::CrashLoop { starts, last, .. } = &*cause else { panic!("{cause:?}") };
    // Those under way count, too.
    assert!((5..5 + WORKERS).contains(&(*starts as usize)), "{cause}");
    let last = last.downcast_ref::<LaunchError>().unwrap_or_else(|| panic!("{last:?}"));
    let LaunchError::Handshake(HandshakeError::Lost(lost)) = last else { panic!("{last:?}") };
    assert_eq!(lost.cause(), &LostCause::Signal(libc::SIGKILL));
    println!("    {kills} kills, {} tasks; {cause}", handles.len());
    let count = handles.len();
    for handle in handles {
        let error = handle.collect().expect_err("nobody ran it");
        assert!(error.is_cancelled(), "{error:?}");
        assert!(error.downcast_ref::<LaunchError>().is_some(), "{error:?}");
    }
    resolved.assert_once_each(count);
}
