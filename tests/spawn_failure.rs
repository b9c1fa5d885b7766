//! Spawns fail, each in its turn: whatever a pool is used for, every task is settled, nothing hangs
//! or panics, and the pool grows again as soon as there are threads.

use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use core::time::Duration;
use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use asyncpal::{Builder, PoolError, SubmitError, TaskError, ThreadPool, Threads, WorkerThread};

const MAX_WORKERS: usize = 3;

/// Which spawns fail, by their number.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Nth(usize),
    From(usize),
    FiveFrom(usize),
}

/// How they fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Error,
    Panic,
    Dropped,
    /// By another thread, maybe after the spawner has returned.
    DroppedElsewhere,
    /// Run by the thread that called the spawner: refused.
    RunInSpawner,
}

const WAYS: [Way; 5] =
    [Way::Error, Way::Panic, Way::Dropped, Way::DroppedElsewhere, Way::RunInSpawner];

/// A spawner that fails.
struct Saboteur {
    plan: Plan,
    way: Way,
    spawns: AtomicUsize,
    injected: AtomicUsize,
    over: AtomicUsize,
}

impl Saboteur {
    fn strikes(&self) -> bool {
        let spawn = self.spawns.fetch_add(1, SeqCst);
        let strikes = match self.plan {
            Plan::Nth(n) => spawn == n,
            Plan::From(n) => spawn >= n,
            Plan::FiveFrom(n) => (n..n + 5).contains(&spawn),
        };
        let strikes = strikes && self.over.load(SeqCst) == 0;
        self.injected.fetch_add(usize::from(strikes), SeqCst);
        strikes
    }

    fn spawn(&self, worker: WorkerThread) -> io::Result<Option<JoinHandle<()>>> {
        if !self.strikes() {
            return thread::Builder::new().spawn(|| worker.run()).map(Some);
        }
        match self.way {
            Way::Error => Err(io::Error::other("sabotage")),
            // Without the panic hook's message.
            Way::Panic => resume_unwind(Box::new("sabotage")),
            Way::Dropped => Ok(None),
            Way::DroppedElsewhere => thread::Builder::new().spawn(|| drop(worker)).map(Some),
            Way::RunInSpawner => {
                worker.run();
                Ok(None)
            }
        }
    }
}

fn pool(
    saboteur: &Arc<Saboteur>,
    settings: fn(Builder<Threads>) -> Builder<Threads>,
) -> ThreadPool {
    let saboteur = saboteur.clone();
    settings(ThreadPool::builder().max_workers(MAX_WORKERS))
        .spawner(move |worker| saboteur.spawn(worker))
        .build()
        .expect("valid")
}

/// What a submit may come to.
fn assert_settled<T, F>(submitted: Result<asyncpal::Handle<T>, SubmitError<F>>) {
    match submitted {
        Ok(handle) => assert_result(handle.collect()),
        Err(error) => assert!(matches!(error.reason(), PoolError::Spawn(_)), "{error:?}"),
    }
}

fn assert_result<T>(result: Result<T, TaskError>) {
    match result {
        Ok(_) | Err(TaskError::Rejected(PoolError::Spawn(_))) => {}
        Err(TaskError::Cancelled(cancelled)) => {
            assert!(cancelled.cause().is_some(), "nobody else cancels");
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// With the saboteur gone, a load makes the pool grow to its maximum; then it ends.
fn assert_recovers(pool: &ThreadPool, saboteur: &Saboteur) {
    saboteur.over.store(1, SeqCst);
    let (release, gate) = mpsc::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let mut handles = Vec::new();
    // Each submit tries, if growth is due; the watchdog ends a pool that does not grow.
    while pool.count_workers() < MAX_WORKERS {
        let gate = gate.clone();
        handles
            .extend(pool.try_submit(move || gate.lock().expect("no panic").recv().is_err()).ok());
        thread::yield_now();
    }
    drop(release);
    // A worker that is dropped late may still take along what has nobody else.
    handles.into_iter().for_each(|handle| assert_result(handle.collect()));
    pool.shutdown();
    assert_eq!((pool.count_workers(), pool.count_pending_tasks()), (0, 0));
}

/// Nothing was given back or cancelled: that may happen only after a spawn has failed.
fn assert_all_ran(pool: &ThreadPool) {
    let stats = pool.stats();
    assert!(stats.submitted > 0);
    assert_eq!(stats.completed, stats.submitted, "{stats:?}");
}

/// Plays the scenario with every spawn failing in its turn, until none is left to fail.
fn at_every_spawn(settings: fn(Builder<Threads>) -> Builder<Threads>, scenario: fn(&ThreadPool)) {
    for way in WAYS {
        for plan in [Plan::Nth, Plan::From, Plan::FiveFrom] {
            for spawn in 0.. {
                if !play(plan(spawn), way, settings, scenario) {
                    assert!(spawn > 0, "{way:?}: no spawn was to fail");
                    break;
                }
            }
        }
    }
}

/// Whether a spawn failed.
fn play(
    plan: Plan,
    way: Way,
    settings: fn(Builder<Threads>) -> Builder<Threads>,
    scenario: fn(&ThreadPool),
) -> bool {
    let zero = || AtomicUsize::new(0);
    let saboteur = Saboteur { plan, way, spawns: zero(), injected: zero(), over: zero() };
    let saboteur = Arc::new(saboteur);
    let (done, ended) = mpsc::channel();
    let player = thread::spawn({
        let saboteur = saboteur.clone();
        move || {
            let pool = pool(&saboteur, settings);
            scenario(&pool);
            assert_recovers(&pool, &saboteur);
            if saboteur.injected.load(SeqCst) == 0 {
                assert_all_ran(&pool);
            }
            drop(done);
        }
    });
    let waited = ended.recv_timeout(Duration::from_secs(60)) as Result<(), _>;
    assert_ne!(waited, Err(mpsc::RecvTimeoutError::Timeout), "{plan:?}, {way:?}: it hangs");
    assert!(player.join().is_ok(), "{plan:?}, {way:?}");
    saboteur.injected.load(SeqCst) > 0
}

fn plain(builder: Builder<Threads>) -> Builder<Threads> {
    builder
}

#[test]
fn a_burst_of_submits_is_settled() {
    at_every_spawn(plain, |pool| {
        let submitted: Vec<_> = (0..24).map(|n| pool.submit(move || n)).collect();
        submitted.into_iter().for_each(assert_settled);
    });
}

#[test]
fn tasks_that_wait_for_tasks_are_settled() {
    at_every_spawn(plain, |pool| {
        pool.scope(|scope| {
            for _ in 0..4 {
                // Three deep: more tasks wait than there are workers.
                let outer = scope.submit(|| {
                    scope.submit(|| assert_settled(pool.submit(|| 1))).map(|inner| inner.collect())
                });
                drop(outer);
            }
        });
    });
}

#[test]
fn tasks_of_recycled_workers_are_settled() {
    at_every_spawn(
        |builder| builder.max_tasks_per_worker(1),
        |pool| {
            let submitted: Vec<_> = (0..8).map(|n| pool.submit(move || n)).collect();
            submitted.into_iter().for_each(assert_settled);
        },
    );
}

#[test]
fn a_minimum_of_workers_is_spawned_as_far_as_it_can_be() {
    at_every_spawn(
        |builder| builder.min_workers(2).idle_timeout(Duration::ZERO),
        |pool| {
            match pool.spawn_workers(2) {
                Ok(spawned) => assert!(spawned <= 2),
                Err(error) => assert!(matches!(error, PoolError::Spawn(_)), "{error:?}"),
            }
            (0..4).map(|n| pool.submit(move || n)).for_each(assert_settled);
        },
    );
}

#[test]
fn a_join_ends_although_a_spawn_fails() {
    at_every_spawn(plain, |pool| {
        for _ in 0..3 {
            let submitted: Vec<_> = (0..6).map(|n| pool.submit(move || n)).collect();
            pool.join();
            assert_eq!(pool.count_pending_tasks(), 0);
            submitted.into_iter().for_each(assert_settled);
        }
    });
}

#[test]
fn a_shutdown_in_the_middle_ends_although_spawns_fail() {
    for way in WAYS {
        for spawn in 0..6 {
            let zero = || AtomicUsize::new(0);
            let plan = Plan::FiveFrom(spawn);
            let saboteur = Saboteur { plan, way, spawns: zero(), injected: zero(), over: zero() };
            let pool = pool(&Arc::new(saboteur), |builder| builder.max_tasks_per_worker(2));
            let submitted: Vec<_> = (0..24).map(|n| pool.submit(move || n)).collect();

            pool.shutdown();

            assert_eq!((pool.count_workers(), pool.count_pending_tasks()), (0, 0));
            assert!(submitted.iter().flatten().all(asyncpal::Handle::is_done));
        }
    }
}

#[test]
fn a_scope_ends_although_a_spawn_fails() {
    at_every_spawn(plain, |pool| {
        let ran = AtomicUsize::new(0);
        let taken = pool.scope(|scope| {
            let submits = (0..12).map(|_| scope.submit(|| ran.fetch_add(1, SeqCst)));
            submits.filter(Result::is_ok).count()
        });
        assert!(ran.load(SeqCst) <= taken);
    });
}

#[test]
fn a_map_ends_although_a_spawn_fails() {
    at_every_spawn(plain, |pool| {
        pool.map(|n: u32| n, 0..20).for_each(assert_result);
        pool.map_all_unordered(|n: u32| n, 0..20, 3).for_each(assert_result);
    });
}

#[test]
fn submits_that_wait_for_room_are_let_in() {
    at_every_spawn(
        |builder| builder.capacity(2),
        |pool| {
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        let submitted: Vec<_> = (0..10).map(|n| pool.submit(move || n)).collect();
                        submitted.into_iter().for_each(assert_settled);
                    });
                }
            });
        },
    );
}
