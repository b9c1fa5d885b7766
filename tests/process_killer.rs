//! Ten thousand tasks while somebody kills a random worker every five milliseconds.
//!
//! The workers write down what they start, one line each, in a file that they append to. So the file says what no
//! pool says of itself: that no task is started twice, and which replies were written. A worker writes its reply
//! before it waits for the next request; so all tasks but its last were replied to, and so was the last, if the worker
//! was waiting when it was killed. The killer stops its victim and looks, before it kills it.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::Instant;

use asyncpal::TaskError;
use asyncpal::process::{LaunchError, LostCause, ProcessOptions, WorkerLost};
use libtest_mimic::{Arguments, Trial};

const TASKS: u64 = 10_000;
const WORKERS: usize = 4;
const BETWEEN_KILLS: Duration = Duration::from_millis(5);

fn main() {
    asyncpal::process::init();
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let trials = vec![
        Trial::test("no_task_is_lost_or_doubled_while_ready_workers_are_killed", || {
            run(Victims::Ready);
            Ok(())
        }),
        Trial::test("no_task_is_lost_or_doubled_while_workers_are_killed_at_any_time", || {
            run(Victims::Any);
            Ok(())
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// Who may be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victims {
    /// Workers that have started a task.
    Ready,
    /// Workers in their handshake, too.
    Any,
}

/// What a long reply is filled up with: it is read in several steps, and fits the pipe.
const LONG_REPLY_BYTES: usize = 150_000;

/// The task: writes its number and its worker's, and returns its number, sometimes with much behind it.
fn start(path: String, task: u64) -> (u64, String) {
    let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
    let line = format!("{task} {}\n", std::process::id());
    // One write: lines of several workers do not mix.
    let written = file.write(line.as_bytes()).expect("there is room");
    assert_eq!(written, line.len());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(task % 7 * 100) {
        core::hint::spin_loop();
    }
    (task, "x".repeat(if task % 2 == 0 { LONG_REPLY_BYTES } else { 0 }))
}

fn run(victims: Victims) {
    let before = descriptors();
    let path = Ledger::create();
    let file = path.0.to_str().expect("it is text").to_owned();
    // Few tasks wait: three failed starts in a row cancel all that do.
    // And the killer must not pass for a program that cannot start.
    let options = ProcessOptions::new().crash_loop(0);
    let mut builder = options.pool().max_workers(WORKERS).capacity(4 * WORKERS);
    if victims == Victims::Any {
        // A handshake long enough to be killed in.
        builder = builder.initializer(|| sleep(Duration::from_millis(2)));
    }
    let pool = builder.build().expect("valid");
    let over = AtomicBool::new(false);
    let resolved: Arc<[AtomicU8]> = (0..TASKS).map(|_| AtomicU8::new(0)).collect();

    let mut handles = Vec::new();
    let kills = thread::scope(|scope| {
        let killer = scope.spawn(|| kill_until(&over, victims, &path.0));
        for task in 0..TASKS {
            let handle = pool.submit_with(start, (file.clone(), task)).expect("open");
            let resolved = resolved.clone();
            handle.add_callback(move |_| {
                // ORDERING: Relaxed: `collect` comes before the count is read.
                resolved[task as usize].fetch_add(1, Ordering::Relaxed);
            });
            handles.push(handle);
        }
        handles.iter().for_each(asyncpal::Handle::wait);
        // ORDERING: Relaxed: nothing else is read by it.
        over.store(true, Ordering::Relaxed);
        killer.join().expect("no panic")
    });
    let outcomes: Vec<_> = handles.into_iter().map(asyncpal::Handle::collect).collect();
    drop(pool);

    let started = path.read();
    let (completed, unstarted) = judge(&outcomes, &started, &kills);
    // ORDERING: Relaxed: see above; and the pool has ended.
    let doubled = resolved.iter().filter(|times| times.load(Ordering::Relaxed) != 1).count();
    assert_eq!(doubled, 0, "handles that were not resolved exactly once");
    if victims == Victims::Ready {
        // They were sent to workers who were about to die, and lay unread: others ran them, but for a few.
        assert!(unstarted * 8 < kills.times, "{unstarted} tasks were lost before their start");
    }
    // Or else it shows nothing.
    assert!(completed > if victims == Victims::Ready { TASKS / 2 } else { 0 }, "{completed}");
    assert!(kills.times > 20 && (kills.handshakes > 0) == (victims == Victims::Any), "{kills:?}");
    assert_eq!(children(), BTreeSet::new());
    assert_eq!(descriptors(), before);
}

/// Checks each outcome against what the workers wrote. Returns how many tasks were completed, and how many were lost
/// although they had not started.
fn judge(
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
                if let Some(loss) = find::<WorkerLost>(error) {
                    let by_kill = loss.cause() == &LostCause::Signal(libc::SIGKILL);
                    assert!(by_kill, "task {task}: {error:?}");
                }
                if let Some(pid) = started_by {
                    let loss = find::<WorkerLost>(error).expect("what was started was lost");
                    assert_eq!(loss.pid(), pid, "task {task}: {error:?}");
                    let last = last_of[&pid];
                    assert_eq!(
                        last, task,
                        "worker {pid} replied to task {task}, then started {last}"
                    );
                    lost += 1;
                } else if error.is_cancelled() {
                    let cause = find::<LaunchError>(error);
                    assert!(cause.is_some(), "task {task} has no cause: {error:?}");
                    cancelled += 1;
                } else {
                    let named = find::<WorkerLost>(error).is_some();
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

/// The error of that type in the chain of a failure.
fn find<E: core::error::Error + 'static>(error: &TaskError) -> Option<&E> {
    let mut link: Option<&(dyn core::error::Error + 'static)> = Some(error);
    while let Some(error) = link {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        link = error.source();
    }
    None
}

/// What the killer did.
#[derive(Debug, Default)]
struct Kills {
    times: usize,
    /// So many of workers that had not started a task yet.
    handshakes: usize,
    /// Workers that were waiting for a request, so that no reply of theirs was under way.
    while_waiting: BTreeSet<u32>,
}

fn kill_until(over: &AtomicBool, victims: Victims, path: &Path) -> Kills {
    let mut ledger = File::open(path).expect("it is there");
    let (mut text, mut ready) = (String::new(), BTreeSet::new());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut kills = Kills::default();
    // ORDERING: Relaxed: nothing else is read by it.
    while !over.load(Ordering::Relaxed) {
        sleep(BETWEEN_KILLS);
        let mut alive = children();
        ledger.read_to_string(&mut text).expect("it is text");
        // A line that is being written is read with the next ones.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        ready.extend(parse(&text[..whole]).map(|(_, pid)| pid));
        text.drain(..whole);
        if victims == Victims::Ready {
            alive.retain(|pid| ready.contains(pid));
        }
        let Some(&victim) = alive.iter().nth(random.below(alive.len())) else { continue };
        if !signal(victim, libc::SIGSTOP) {
            continue;
        }
        if is_stopped_in_poll(victim) {
            kills.while_waiting.insert(victim);
        }
        if signal(victim, libc::SIGKILL) {
            kills.times += 1;
            kills.handshakes += usize::from(!ready.contains(&victim));
        }
    }
    kills
}

/// Whether the process was there to be signalled.
fn signal(pid: u32, signal: i32) -> bool {
    let pid = pid.try_into().expect("a process");
    // SAFETY: kill touches no memory. If the pool was faster, the number is nobody's yet.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// Waits until the process stands still; then, whether it waits for requests.
fn is_stopped_in_poll(pid: u32) -> bool {
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        match stat.rsplit_once(") ").and_then(|(_, fields)| fields.chars().next()) {
            Some('T') => break,
            // Somebody else has killed it.
            None | Some('Z' | 'X') => return false,
            Some(_) => thread::yield_now(),
        }
    }
    // "271 …": which system call. A worker polls for requests and for nothing else. Without permission there is
    // nothing to see.
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    call.starts_with(&format!("{} ", libc::SYS_ppoll))
}

/// Marsaglia's xorshift64 (2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).expect("below a usize")
    }
}

/// The file that the workers append to.
struct Ledger(PathBuf);

impl Ledger {
    fn create() -> Self {
        let name = format!("asyncpal-killer-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        File::create(&path).expect("a temporary folder");
        Self(path)
    }

    fn read(&self) -> Vec<(u64, u32)> {
        parse(&fs::read_to_string(&self.0).expect("it is text")).collect()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn parse(text: &str) -> impl Iterator<Item = (u64, u32)> {
    text.lines().map(|line| {
        let (task, pid) = line.split_once(' ').expect("two numbers");
        (task.parse().expect("a number"), pid.parse().expect("a number"))
    })
}

/// This program's children, zombies included.
fn children() -> BTreeSet<u32> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let lists =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    let pids = lists.flat_map(|list| {
        list.split_whitespace().map(|pid| pid.parse().expect("a number")).collect::<Vec<_>>()
    });
    pids.collect()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}
