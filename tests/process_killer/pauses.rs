//! The pauses between starts, as anybody can see them: a spawner hears when a worker is to start, a hook when its start
//! has failed, and when it runs a task or leaves.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::Instant;
use std::{env, fs, process};

use asyncpal::process::{ProcessOptions, Processes};
use asyncpal::{Builder, EventKind, WorkerThread};

use crate::eventually;
use crate::killer::signal;
use crate::processes::children;

/// What was seen of the workers, in the order in which it happened.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<Entry>>>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Instant,
    worker: usize,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    ToStart,
    Failed,
    /// Its child is ready: it runs a task, or leaves.
    Lives,
}

/// One worker, from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    worker: usize,
    to_start: Instant,
    failed: Option<Instant>,
    /// When it was seen to live, first and last.
    seen: Option<(Instant, Instant)>,
}

impl Diary {
    /// Lets the diary see what happens.
    pub(crate) fn watch(&self, builder: Builder<Processes>) -> Builder<Processes> {
        let (starts, events) = (self.clone(), self.clone());
        let builder = builder.spawner(move |worker: WorkerThread| {
            starts.note(worker.number(), What::ToStart);
            thread::Builder::new().spawn(|| worker.run())
        });
        builder.on_event(move |event| match (event.kind, event.worker) {
            (EventKind::SpawnFailed { worker, .. }, _) => events.note(worker, What::Failed),
            (EventKind::TaskStarted { .. } | EventKind::WorkerLeft(_), Some(worker)) => {
                events.note(worker, What::Lives);
            }
            _ => {}
        })
    }

    fn note(&self, worker: usize, what: What) {
        let mut entries = self.0.lock().expect("no panic");
        entries.push(Entry { at: Instant::now(), worker, what });
    }

    /// Those of the second place.
    fn others(&self) -> Vec<Life> {
        self.lives().into_iter().filter(|life| life.worker == 1).collect()
    }

    /// All workers in the order of their starts.
    pub(crate) fn lives(&self) -> Vec<Life> {
        let mut lives: Vec<Life> = Vec::new();
        for &Entry { at, worker, what } in &*self.0.lock().expect("no panic") {
            if what == What::ToStart {
                lives.push(Life { worker, to_start: at, failed: None, seen: None });
                continue;
            }
            let life = lives.iter_mut().rfind(|life| life.worker == worker).expect("it started");
            match what {
                What::Failed => life.failed = Some(at),
                _ => life.seen = Some((life.seen.map_or(at, |(first, _)| first), at)),
            }
        }
        lives
    }
}

/// How long nobody tries after so many failures in a row: it doubles, from one millisecond to about one second.
fn pause(failures: usize) -> Duration {
    Duration::from_millis(1 << failures.saturating_sub(1).min(10))
}

/// What the starts that came after a failure tell, as long as somebody lived and no start had succeeded in between.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    /// So many there were.
    pub(crate) all: usize,
    /// Before their pause was over. Such a one may have been decided on before the failure.
    pub(crate) early: usize,
    /// Sooner than if no success had ended the failures before the last ones.
    pub(crate) anew: usize,
}

impl Pauses {
    pub(crate) fn of(lives: &[Life]) -> Self {
        let mut pauses = Self::default();
        for &Life { to_start: at, .. } in lives {
            // Ready at some moment between these two.
            let ready = lives.iter().filter_map(|life| Some((life.to_start, life.seen?.0)));
            let last_ready = ready.filter(|&(begun, _)| begun < at).map(|(_, seen)| seen).max();
            let failed = lives.iter().filter_map(|life| life.failed).filter(|&failed| failed < at);
            let in_a_row =
                failed.clone().filter(|&failed| last_ready.is_none_or(|ready| ready < failed));
            let in_company =
                lives.iter().filter_map(|life| life.seen).any(|(a, b)| a < at && at < b);
            let Some(last) = in_a_row.clone().max().filter(|_| in_company) else { continue };
            // From the third on, failures side by side count once.
            let known = in_a_row.count().min(3);
            pauses.all += 1;
            pauses.early += usize::from(at - last < pause(known));
            pauses.anew += usize::from(at - last < pause(failed.count()));
        }
        pauses
    }
}

/// How many starts fail in a row, and how often.
const IN_A_ROW: usize = 8;
const ROUNDS: usize = 3;

/// Makes initializers hang as long as this file is there.
const HANG: &str = "ASYNCPAL_TEST_HANG";

fn hang() {
    let path = PathBuf::from(env::var_os(HANG).expect("set"));
    while path.exists() {
        sleep(Duration::from_millis(1));
    }
}

fn doze() {
    sleep(Duration::from_millis(1));
}

/// One worker lives, and all others are killed in their handshakes, but for one now and then. Only the first one tries to
/// have others, when it has finished a task: so each of them was decided on after the one before had failed.
pub(crate) fn starts_that_fail_are_further_apart_each_time_until_one_succeeds() {
    let path = env::temp_dir().join(format!("asyncpal-hang-{}", process::id()));
    let options = ProcessOptions::new().crash_loop(0).env(HANG, &path);
    let diary = Diary::default();
    let builder = diary.watch(options.pool().max_workers(2).initializer(hang));
    let pool = builder.on_uncollected(|_| ()).build().expect("valid");
    let first = pool.run(process::id).expect("it lives");
    fs::write(&path, "").expect("writable");
    // More than it can do meanwhile.
    let tasks: Vec<_> = (0..30_000).map(|_| pool.submit(doze).expect("open")).collect();

    let kill_others = || {
        for pid in children().into_iter().filter(|&pid| pid != first) {
            signal(pid, libc::SIGKILL);
        }
    };
    for _ in 0..ROUNDS {
        eventually(|| {
            kill_others();
            diary.others().iter().rev().take_while(|life| life.failed.is_some()).count() >= IN_A_ROW
        });
        fs::remove_file(&path).expect("there");
        eventually(|| diary.others().last().is_some_and(|life| life.seen.is_some()));
        fs::write(&path, "").expect("writable");
    }
    pool.shutdown();
    drop((tasks, pool));
    fs::remove_file(&path).expect("there");

    let others = diary.others();
    let succeeded = others.iter().position(|life| life.failed.is_none()).expect("one was let");
    let (mut in_a_row, mut anew, mut longest) = (0, Duration::MAX, Duration::ZERO);
    for (nth, pair) in others.windows(2).enumerate() {
        in_a_row = if pair[0].failed.is_some() { in_a_row + 1 } else { 0 };
        let apart = pair[1].to_start - pair[0].to_start;
        assert!(in_a_row == 0 || apart >= pause(in_a_row), "{apart:?} after {in_a_row}");
        longest = longest.max(apart);
        if in_a_row == 1 && nth > succeeded {
            anew = anew.min(apart);
        }
    }
    println!("    up to {longest:.1?} apart, {anew:.1?} after the first failure behind a success");
    assert!(anew < pause(IN_A_ROW + 1), "after a success the pause begins anew");
}
