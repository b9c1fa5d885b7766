//! A worker that is killed while it runs a task.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::processes::pool::Pool;
use crate::processes::tasks::Sleep;
use crate::timing::median;

/// Who has not noticed until then never will.
const PATIENCE: Duration = Duration::from_secs(2);

/// Long enough for a task to be at work.
const UNDER_WAY: Duration = Duration::from_millis(30);

/// Median milliseconds until the handle of the task fails; infinity as soon as one does not.
pub(crate) fn noticed<P: Pool>(kills: usize) -> f64 {
    let noticed: Option<Vec<_>> = (0..kills).map(|_| noticed_once::<P>()).collect();
    noticed.map_or(f64::INFINITY, |millis| median(millis).expect("at least one kill"))
}

fn noticed_once<P: Pool>() -> Option<f64> {
    let pool = P::new(1);
    let worker = pool.run::<Sleep>(0);
    let handle = pool.submit::<Sleep>(60_000);
    let (verdict, noticed) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let outcome = pool.wait(handle);
        let at = Instant::now();
        assert_eq!(outcome, None, "the worker was killed");
        // Nobody listens any more if it came late.
        let _ = verdict.send(at);
        pool.shutdown();
    });
    thread::sleep(UNDER_WAY);

    let at = kill_process(worker);

    match noticed.recv_timeout(PATIENCE) {
        Ok(noticed) => {
            waiter.join().expect("the pool ends");
            Some(millis(noticed - at))
        }
        Err(_) => None,
    }
}

/// Returns when it did so.
pub(crate) fn kill_process(id: u64) -> Instant {
    let id = Pid::from_raw(id.try_into().expect("the id of a process"));
    let at = Instant::now();
    kill(id, Signal::SIGKILL).expect("the worker is there");
    at
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}
