//! Two pools at work, as a picture: writes what their hooks are told to a file that
//! <https://ui.perfetto.dev> and Chrome's `about:tracing` open, one row per worker.

use core::error::Error;
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Instant;

use asyncpal::{Ending, Event, EventKind, Labelled, TaskError, ThreadPool};
use clap::Parser;
use serde_json::{Value, json};

/// Runs bursts, nested waits and a cancellation on two thread pools, and writes a trace of it.
#[derive(Parser)]
struct Args {
    /// Where the trace goes.
    #[arg(default_value = "target/asyncpal-trace.json")]
    file: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { file } = Args::parse();
    let trace = Trace::new();
    let primes = work(&trace)?;
    trace.write(&file)?;
    println!("{primes} primes below 40000; the trace of {} events is in", trace.len());
    println!("{}: open it in https://ui.perfetto.dev", file.display());
    Ok(())
}

/// What is to be seen.
pub(crate) fn work(trace: &Trace) -> Result<usize, Box<dyn Error>> {
    let crunch = ThreadPool::builder().name("crunch").max_workers(3);
    let crunch = crunch.idle_timeout(Duration::from_millis(20)).on_event(trace.hook(1)).build()?;
    let nest = ThreadPool::builder().name("nest").max_workers(1).on_event(trace.hook(2)).build()?;

    // Two bursts; between them the workers are idle for so long that they leave.
    let mut primes = 0;
    for burst in 0..2 {
        let chunks = (0..8).map(|chunk| (burst * 8 + chunk) * 2500);
        let counts = crunch.map(|from: u32| (from..from + 2500).filter(is_prime).count(), chunks);
        for count in counts.label(format!("burst {burst}")) {
            primes += count?;
        }
        while crunch.count_workers() > 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }

    // The only worker runs the tasks that it waits for itself: they are inside of the one that waits.
    let nest = Arc::new(nest);
    let depth = nest.submit_labelled("level 0", {
        let pool = Arc::downgrade(&nest);
        move || descend(&pool, 1)
    });
    assert_eq!(depth?.collect()??, 4);

    // One that does not come to run.
    let (release, released) = mpsc::channel::<()>();
    let blocker = nest.submit_labelled("blocker", move || released.recv().is_err())?;
    let too_late = nest.submit_labelled("too late", || ())?;
    assert!(too_late.cancel());
    drop(release);
    assert!(blocker.collect()?);
    Ok(primes)
}

fn descend(pool: &Weak<ThreadPool>, level: u32) -> Result<u32, TaskError> {
    if level == 4 {
        return Ok(level);
    }
    let inside = pool.clone();
    let next = Labelled::new(format!("level {level}"), move || descend(&inside, level + 1));
    pool.upgrade().expect("its owner waits for this task").run(next)?
}

fn is_prime(n: &u32) -> bool {
    *n >= 2 && (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)
}

/// Events in the Trace Event Format, in the order in which they were told.
#[derive(Clone)]
pub(crate) struct Trace {
    begun: Instant,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), events: Arc::default() }
    }

    /// A hook for one pool, which is a process of the trace: its workers are the threads.
    fn hook(&self, pool: u32) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
        let trace = self.clone();
        move |event| trace.add(pool, event)
    }

    fn add(&self, pool: u32, event: &Event<'_>) {
        // Rows: 0 for all that are no workers, worker n is n + 1.
        let row = event.worker.map_or(0, |worker| worker + 1);
        let (phase, name, details) = match event.kind {
            EventKind::TaskStarted { task, waited, .. } => {
                let name = task.label.unwrap_or("task").to_owned();
                ("B", name, json!({ "task": task.id, "waited": format!("{waited:?}") }))
            }
            EventKind::TaskEnded { task, ending: Ending::Cancelled, .. } => {
                let name = task.label.unwrap_or("task");
                ("i", format!("{name} is cancelled"), json!({ "task": task.id }))
            }
            EventKind::TaskEnded { task, .. } => {
                let name = task.label.unwrap_or("task").to_owned();
                let failed = event.is_failure().then(|| event.to_string());
                ("E", name, json!({ "task": task.id, "failure": failed }))
            }
            _ => ("i", event.to_string(), json!({})),
        };
        let mut lines = Vec::with_capacity(3);
        if let EventKind::WorkerStarted = event.kind {
            let mut name = |what, row, name| {
                let args = json!({ "name": name });
                lines.push(
                    json!({ "ph": "M", "name": what, "pid": pool, "tid": row, "args": args }),
                );
            };
            name("process_name", 0, format!("pool {}", event.pool_name));
            name("thread_name", row, format!("{}-{}", event.pool_name, row - 1));
        }
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: later lines have later times.
        let micros = self.begun.elapsed().as_nanos() as f64 / 1000.0;
        lines.push(json!({
            "ph": phase, "name": name, "cat": "asyncpal", "pid": pool, "tid": row, "ts": micros,
            // The mark of an instant is as high as its row.
            "s": "t", "args": details,
        }));
        events.append(&mut lines);
    }

    fn len(&self) -> usize {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let content = json!({ "traceEvents": *events, "displayTimeUnit": "ns" });
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(file, serde_json::to_string(&content)?)?)
    }
}
