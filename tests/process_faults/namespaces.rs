//! A host whose namespace of process ids is not that of its `/proc`, as `unshare --pid --fork` makes it.

use core::time::Duration;

use asyncpal::process::{ProcessOptions, WorkerLimits};

use crate::faults;
use crate::missing::Missing;
use crate::program::Program;
use crate::roles::say;
use crate::tasks::own_pid;

faults![limits_hold_for_the_worker_where_proc_counts_otherwise];

/// Starts a host as the first process of a namespace, and says what it says.
pub(crate) fn number_anew() {
    // SAFETY: unshare touches no memory.
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        return say("refused");
    }
    let ended = Program::start("limits-workers").finish().expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    say(ended.stdout.trim_end());
}

const SCORE: i32 = 777;

fn score() -> i32 {
    let score = std::fs::read_to_string("/proc/self/oom_score_adj").expect("Linux");
    score.trim().parse().expect("a number")
}

/// A pool with a limit that is set in `/proc`, and one that is read there: less than any worker uses.
pub(crate) fn limit_workers() {
    assert_eq!(own_pid(), 1);
    let options = ProcessOptions::new().worker_limits(WorkerLimits::new().oom_score_adj(SCORE));
    let options = options.max_worker_rss(1).handshake_timeout(Duration::from_secs(10));
    let pool = options.pool().max_workers(1).build().expect("valid");

    let scores = [(); 2].map(|()| pool.run(score).expect("no panic"));
    let workers = [(); 2].map(|()| pool.run(own_pid).expect("no panic"));

    assert_eq!(scores, [SCORE; 2]);
    assert_ne!(workers[0], workers[1]);
    say("limited");
}

fn limits_hold_for_the_worker_where_proc_counts_otherwise() -> Result<(), Missing> {
    let ended = Program::start("is-numbered-anew").finish().expect("it ends");

    if ended.stdout == "refused\n" {
        return Err(Missing::World);
    }
    ended.check(0, &["limited"]).expect("the limits are the worker's");
    Ok(())
}
