//! Workers that come and go.

use core::time::Duration;
use std::sync::mpsc;
use std::{fs, io, process};

use asyncpal::{BrokenCause, Departure, EventKind, PoolError, ProcessPool, WorkerThread};

use crate::{children, eventually, kill, nap, own_pid, pool};

crate::trials! {
    idle_processes_leave_down_to_none
    sequential_runs_use_one_process
    a_spawner_makes_the_threads_of_process_workers
    a_failing_initializer_breaks_the_pool
    initializer_and_finalizer_run_in_the_worker
    workers_are_recycled_after_their_share_of_tasks
    a_process_pool_counts_and_tells_like_any_other
    a_worker_that_is_lost_in_a_task_is_counted_and_told_as_lost
    every_process_that_served_counts_as_spawned_and_as_gone
}

fn idle_processes_leave_down_to_none() {
    let pool = ProcessPool::builder()
        .max_workers(2)
        .idle_timeout(Duration::from_millis(30))
        .build()
        .expect("`init` has run");
    let naps: Vec<_> = (0..2).map(|_| pool.submit_with(nap, (50,)).expect("open")).collect();
    naps.into_iter().for_each(|nap| assert_eq!(nap.collect().expect("no panic"), 50));

    eventually(|| pool.count_workers() == 0 && children().is_empty());
    eventually(|| !descriptors().iter().any(|what| what.contains("pidfd")));
}

/// What this program has open.
fn descriptors() -> Vec<String> {
    let open = fs::read_dir("/proc/self/fd").expect("Linux");
    let whats = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    whats.map(|what| what.to_string_lossy().into_owned()).collect()
}

fn sequential_runs_use_one_process() {
    let pool = pool(4);
    let first = pool.run(own_pid).expect("no panic");

    for _ in 0..1000 {
        assert_eq!(pool.run(own_pid).expect("no panic"), first);
    }

    assert_eq!(pool.count_workers(), 1);
}

/// The thread that owns a child is the spawner's.
fn a_spawner_makes_the_threads_of_process_workers() {
    let (tell, told) = mpsc::channel();
    let pool = ProcessPool::builder()
        .max_workers(1)
        .name("made")
        .spawner(move |worker: WorkerThread| {
            tell.send(worker.name().to_owned()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            std::thread::Builder::new().spawn(|| worker.run())
        })
        .build()
        .expect("valid");

    assert_ne!(pool.run(own_pid).expect("no panic"), process::id());

    assert_eq!(told.recv().as_deref(), Ok("made-0"));
}

fn a_failing_initializer_breaks_the_pool() {
    fn fail() -> Result<(), String> {
        Err("no flour".to_owned())
    }
    let pool = ProcessPool::builder().initializer(fail).build().expect("`init` has run");

    let handle = pool.submit(own_pid).expect("open");

    assert!(handle.collect().expect_err("cancelled").is_cancelled());
    let Err(PoolError::Broken(cause)) = pool.check() else { panic!("{pool:?}") };
    let BrokenCause::Initializer(error) = &*cause else { panic!("{cause:?}") };
    assert!(error.to_string().contains("no flour"), "{error}");
}

fn initializer_and_finalizer_run_in_the_worker() {
    static PREPARED: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);
    fn prepare() {
        PREPARED.store(process::id(), core::sync::atomic::Ordering::Relaxed);
    }
    fn spoil() {
        panic!("no salt");
    }
    let pool =
        ProcessPool::builder().initializer(prepare).finalizer(spoil).build().expect("`init` ran");

    let prepared =
        pool.run(|| PREPARED.load(core::sync::atomic::Ordering::Relaxed) == process::id());
    assert!(prepared.expect("no panic"));
    pool.join();

    let Err(PoolError::Broken(cause)) = pool.check() else { panic!("{pool:?}") };
    assert!(matches!(*cause, BrokenCause::Finalizer(_)), "{cause}");
}

fn workers_are_recycled_after_their_share_of_tasks() {
    let pool = ProcessPool::builder()
        .max_workers(1)
        .max_tasks_per_worker(2)
        .build()
        .expect("`init` has run");

    let pids: Vec<_> = (0..4).map(|_| pool.run(own_pid).expect("no panic")).collect();

    assert!(pids[0] == pids[1] && pids[2] == pids[3] && pids[0] != pids[2], "{pids:?}");
}

fn a_process_pool_counts_and_tells_like_any_other() {
    let (tell, told) = mpsc::channel();
    let builder = ProcessPool::builder().max_workers(1).measure_times(true);
    let pool = builder
        .on_event(move |event| {
            let ended = matches!(event.kind, EventKind::TaskEnded { .. });
            let label = event.task().and_then(|task| task.label.map(String::from));
            ended.then(|| tell.send((label, event.is_failure())).expect("it is heard"));
        })
        .build()
        .expect("`init` has run");

    let call = asyncpal::kind::With { function: nap, arguments: (0_u64,) };
    let napped = pool.submit_labelled("nap", call).expect("open");
    assert_eq!(napped.label(), Some("nap"));
    assert_eq!(napped.collect().expect("no panic"), 0);
    assert!(pool.run(|| kill(own_pid())).is_err());
    pool.join();

    let stats = pool.stats();
    assert_eq!((stats.completed, stats.failed, stats.panicked), (1, 1, 0));
    assert_eq!((stats.spawned, stats.lost_workers), (1, 1), "{stats}");
    assert_eq!(stats.running_times.expect("it measures").count(), 2);
    drop(pool);
    assert!(told.into_iter().eq([(Some("nap".into()), false), (None, true)]));
}

fn a_worker_that_is_lost_in_a_task_is_counted_and_told_as_lost() {
    let (tell, told) = mpsc::channel();
    let builder = ProcessPool::builder().max_workers(1).max_tasks_per_worker(2);
    let pool = builder
        .on_event(move |event| {
            if let EventKind::WorkerLeft(why) = event.kind {
                tell.send((why, event.to_string())).expect("it is heard");
            }
        })
        .build()
        .expect("`init` has run");

    // By a submitter in an idle worker's place, by the worker, and in the last task that it may run.
    assert!(pool.run(|| kill(own_pid())).is_err());
    assert!(pool.submit(|| kill(own_pid())).expect("open").collect().is_err());
    pool.run(own_pid).expect("no panic");
    assert!(pool.run(|| kill(own_pid())).is_err());
    let last = [(); 2].map(|()| pool.run(own_pid).expect("no panic"));
    assert_eq!(last, [last[0]; 2]);
    pool.join();

    let stats = pool.stats();
    assert_eq!((stats.spawned, stats.lost_workers, stats.recycled), (4, 3, 1), "{stats}");
    assert!(stats.to_string().contains("1 recycled, 0 sent home, 3 lost"), "{stats}");
    drop(pool);
    let (whys, texts): (Vec<_>, Vec<_>) = told.into_iter().unzip();
    assert_eq!(whys[..3], [Departure::SeatLost; 3]);
    assert_eq!(whys[3..], [Departure::Recycled]);
    assert!(texts[0].ends_with("the worker leaves: it was lost"), "{}", texts[0]);
}

fn every_process_that_served_counts_as_spawned_and_as_gone() {
    let pool = pool(1);
    let mut served = std::collections::BTreeSet::new();
    for _ in 0..30 {
        // It may have read the task before it died.
        let Ok(worker) = pool.submit(own_pid).expect("open").collect() else { continue };
        if served.insert(worker) {
            kill(worker);
        }
    }

    pool.join();

    let stats = pool.stats();
    assert_eq!(stats.spawned, served.len(), "{stats:?}");
    let gone = stats.retired + stats.recycled + stats.dismissed + stats.lost_workers;
    assert_eq!(stats.spawned, gone, "{stats:?}");
}
