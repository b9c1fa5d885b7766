//! What the workers write down, and what became of the tasks beside it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;

use asyncpal::TaskError;
use asyncpal::process::{LaunchError, LostCause, WorkerLost};

use crate::killer::Kills;

/// The file that the workers append to.
pub(crate) struct Ledger(pub(crate) PathBuf);

impl Ledger {
    pub(crate) fn create() -> Self {
        let name = format!("asyncpal-killer-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        File::create(&path).expect("a temporary folder");
        Self(path)
    }

    pub(crate) fn read(&self) -> Vec<(u64, u32)> {
        parse(&fs::read_to_string(&self.0).expect("it is text")).collect()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

pub(crate) fn parse(text: &str) -> impl Iterator<Item = (u64, u32)> {
    text.lines().map(|line| {
        let (task, pid) = line.split_once(' ').expect("two numbers");
        (task.parse().expect("a number"), pid.parse().expect("a number"))
    })
}

/// Checks each outcome against what the workers wrote. Returns how many tasks were completed, and how many were lost
/// although they had not started.
pub(crate) fn judge(
    outcomes: &[Result<(u64, String), TaskError>],
    started: &[(u64, u32)],
    kills: &Kills,
) -> (u64, usize) {
    let mut by_task = BTreeMap::new();
    let mut last_of = BTreeMap::new();
    for &(task, pid) in started {
        assert_eq!(by_task.insert(task, pid), None, "task {task} was started twice");
        last_of.insert(pid, task);
    }
    let (mut completed, mut lost, mut unread, mut cancelled) = (0, 0, 0, 0);
    for (task, outcome) in (0..).zip(outcomes) {
        let started_by = by_task.get(&task).copied();
        match outcome {
            Ok((result, _)) => {
                assert_eq!(*result, task);
                assert!(started_by.is_some(), "task {task} has a result, and was not started");
                completed += 1;
            }
            Err(error) => {
                if let Some(loss) = WorkerLost::of(error) {
                    let by_kill = loss.cause() == &LostCause::Signal(libc::SIGKILL);
                    assert!(by_kill, "task {task}: {error:?}");
                }
                if let Some(pid) = started_by {
                    let loss = WorkerLost::of(error).expect("what was started was lost");
                    assert_eq!(loss.pid(), pid, "task {task}: {error:?}");
                    let last = last_of[&pid];
                    assert_eq!(
                        last, task,
                        "worker {pid} replied to task {task}, then started {last}"
                    );
                    assert!(
                        !kills.while_waiting.contains(&pid),
                        "worker {pid} replied to task {task}, then waited for the next one"
                    );
                    lost += 1;
                } else if error.is_cancelled() {
                    let cause = error.downcast_ref::<LaunchError>();
                    assert!(cause.is_some(), "task {task} has no cause: {error:?}");
                    cancelled += 1;
                } else {
                    let named = WorkerLost::of(error).is_some();
                    assert!(named, "task {task} has no cause: {error:?}");
                    unread += 1;
                }
            }
        }
    }
    let Kills { times, handshakes, while_waiting } = kills;
    println!(
        "    {times} kills, {handshakes} in the handshake, {} of workers that had replied; {completed} \
         completed, {lost} lost, {unread} lost before their start, {cancelled} cancelled",
        while_waiting.len()
    );
    (completed, unread)
}
