//! Threads of the user's making.

use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::thread::{self, JoinHandle};

use asyncpal::{Event, EventKind, PoolError, SpawnedThread, TaskError, ThreadPool, WorkerThread};

fn pool<T: SpawnedThread>(
    max_workers: usize,
    spawner: impl Fn(WorkerThread) -> io::Result<T> + Send + Sync + 'static,
) -> ThreadPool {
    let builder = ThreadPool::builder().name("made").max_workers(max_workers);
    builder.stack_size(300_000).spawner(spawner).build().expect("valid")
}

fn thread(worker: WorkerThread) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(format!("my {}", worker.name())).spawn(|| worker.run())
}

/// What the caller of a submit is told that nobody can take.
fn refusal(pool: &ThreadPool) -> String {
    let error = pool.submit(|| ()).expect_err("there is no worker");
    assert!(matches!(error.reason(), PoolError::Spawn(_)), "{error:?}");
    error.reason().inner().expect("the cause").to_string()
}

#[test]
fn workers_run_on_the_spawners_threads_and_are_joined() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let pool = pool(2, {
        let seen = seen.clone();
        move |worker| {
            let told = (worker.name().to_owned(), worker.number(), worker.stack_size());
            seen.lock().expect("no panic").push(told);
            thread(worker)
        }
    });

    let name = pool.run(|| thread::current().name().map(str::to_owned)).expect("no panic");
    drop(pool);

    assert_eq!(name.as_deref(), Some("my made-0"));
    assert_eq!(*seen.lock().expect("no panic"), [("made-0".to_owned(), 0, Some(300_000))]);
}

#[test]
fn a_shutdown_waits_for_workers_on_detached_threads() {
    let ran = Arc::new(AtomicUsize::new(0));
    let pool = pool(2, |worker| thread(worker).map(drop));
    for _ in 0..10 {
        let ran = ran.clone();
        drop(pool.submit(move || ran.fetch_add(1, SeqCst)).expect("open"));
    }

    pool.join();

    assert_eq!(ran.load(SeqCst), 10);
    assert!(pool.shutdown() && pool.is_terminated());
}

#[test]
fn errors_panics_and_drops_of_a_spawner_are_the_cause_that_a_submit_is_told() {
    let failing = pool(2, |_| Err::<(), _>(io::Error::other("no more harts")));
    assert_eq!(refusal(&failing), "no more harts");
    let panicking = pool(2, |_| -> io::Result<()> { resume_unwind(Box::new("oh")) });
    assert_eq!(refusal(&panicking), "the spawner panicked: oh");
    let dropping = pool(2, |worker| {
        drop(worker);
        Ok(())
    });
    assert_eq!(refusal(&dropping), "a worker was dropped without being run");
}

#[test]
fn the_thread_that_calls_the_spawner_is_refused_as_a_worker() {
    let pool = pool(1, |worker| {
        worker.run();
        Ok(())
    });

    assert_eq!(refusal(&pool), "a spawner ran a worker on the thread that called it");
}

#[test]
fn a_worker_of_another_pool_is_refused_as_a_worker() {
    let other = ThreadPool::single().build().expect("valid");
    let pool = pool(1, move |worker| {
        drop(other.submit(|| worker.run()).expect("open"));
        Ok(())
    });

    let submitted = pool.submit(|| ());
    let cause = match submitted {
        Ok(handle) => match handle.collect() {
            Err(TaskError::Cancelled(cancelled)) => cancelled.cause().map(ToString::to_string),
            result => panic!("{result:?}"),
        },
        Err(error) => error.reason().inner().map(ToString::to_string),
    };

    let expected = "a worker was run on a thread that is a worker already";
    assert_eq!(cause.as_deref(), Some(expected));
}

/// Whoever has it drops it when tasks count on it already.
#[test]
fn a_worker_that_is_dropped_late_takes_its_tasks_along_and_the_pool_goes_on() {
    let (give, taken) = mpsc::channel();
    let first = OnceLock::new();
    let pool = pool(1, move |worker| {
        if first.set(()).is_ok() {
            give.send(worker).expect("it is taken");
            return Ok(None);
        }
        thread(worker).map(Some)
    });
    let handles = [(); 3].map(|()| pool.submit(|| 1).expect("a worker is about to come"));
    assert_eq!((pool.count_workers(), pool.count_pending_tasks()), (1, 3));

    thread::spawn(move || drop(taken.recv())).join().expect("no panic");

    for handle in handles {
        let error = handle.collect().expect_err("nobody has run it");
        let TaskError::Cancelled(cancelled) = &error else { panic!("{error:?}") };
        let cause = cancelled.cause().expect("a cause").to_string();
        assert_eq!(cause, "a worker was dropped without being run");
    }
    assert_eq!(pool.count_workers(), 0);
    assert_eq!(pool.run(|| 2).expect("the next spawn succeeds"), 2);
}

/// A shutdown waits for what is still in somebody's hands, and ends when it is dropped.
#[test]
fn a_shutdown_ends_when_the_last_worker_is_dropped() {
    let (give, taken) = mpsc::channel();
    let pool = pool(1, move |worker| {
        give.send(worker).expect("it is taken");
        Ok(())
    });
    let handle = pool.submit(|| 1).expect("a worker is about to come");

    assert!(!pool.shutdown_timeout(Duration::from_millis(1)).is_complete());
    assert!(handle.is_cancelled());
    drop(taken);

    assert!(pool.shutdown_timeout(Duration::MAX).is_complete());
}

/// That worker counts as present until the hook and the callback have returned.
#[test]
fn who_drops_a_worker_may_shut_the_pool_down_in_what_that_calls() {
    for by_hook in [true, false] {
        let (give, taken) = mpsc::channel();
        let pool = Arc::new_cyclic(|pool: &Weak<ThreadPool>| {
            let pool = pool.clone();
            let hook = move |event: &Event<'_>| {
                if by_hook && matches!(event.kind, EventKind::SpawnFailed { .. }) {
                    pool.upgrade().expect("it is used").shutdown();
                }
            };
            let builder = ThreadPool::builder().max_workers(1).on_event(hook);
            let spawner = move |worker| give.send(worker).map_err(|_| ErrorKind::BrokenPipe.into());
            builder.spawner(spawner).build().expect("valid")
        });
        let handle = pool.submit(|| 1).expect("a worker is about to come");
        let theirs = pool.clone();
        if !by_hook {
            handle.add_callback(move |_| assert!(theirs.shutdown()));
        }

        drop(taken.recv().expect("it was given"));

        assert!(handle.is_cancelled());
        assert!(pool.is_closed() && pool.is_terminated());
    }
}

/// Such a worker would work beside the one that takes its place.
#[test]
fn a_worker_whose_spawner_has_failed_does_not_work() {
    let (give, taken) = mpsc::channel();
    let first = OnceLock::new();
    let pool = pool(1, move |worker| {
        if first.set(()).is_ok() {
            give.send(worker).expect("it is taken");
            return Err(io::Error::other("late regrets"));
        }
        thread(worker)
    });

    assert_eq!(pool.run(|| 1).expect("the second spawn succeeds"), 1);
    taken.recv().expect("it was given").run();

    assert_eq!(pool.count_workers(), 1);
}

#[test]
fn an_error_after_the_worker_has_begun_does_not_count() {
    let (tell, told) = mpsc::channel();
    let told = Mutex::new(told);
    let pool = ThreadPool::builder()
        .max_workers(1)
        .initializer(move || tell.send(()))
        .spawner(move |worker: WorkerThread| {
            thread(worker)?;
            told.lock().expect("no panic").recv().expect("it begins");
            Err::<(), _>(io::Error::other("late regrets"))
        })
        .build()
        .expect("valid");

    let handle = pool.submit(|| 1).expect("there is a worker");

    assert_eq!(handle.collect().expect("no panic"), 1);
    assert_eq!(pool.count_workers(), 1);
}

/// One thread is one worker after the other, of two pools.
#[test]
fn a_thread_runs_one_worker_after_another() {
    let (give, taken) = mpsc::channel::<WorkerThread>();
    let worked = thread::spawn(move || {
        let mut names = Vec::new();
        for worker in taken {
            names.push(worker.name().to_owned());
            worker.run();
        }
        (names, thread::current().id())
    });
    let pools = ["a", "b"].map(|name| {
        let give = give.clone();
        let spawner = move |worker| give.send(worker).map_err(|_| ErrorKind::BrokenPipe.into());
        let builder = ThreadPool::builder().name(name).max_workers(1).spawner(spawner);
        builder.max_tasks_per_worker(1).build().expect("valid")
    });
    drop(give);

    let mut threads = Vec::new();
    for _ in 0..2 {
        for pool in &pools {
            threads.push(pool.run(|| thread::current().id()).expect("no panic"));
        }
    }
    drop(pools);

    let (names, id) = worked.join().expect("no panic");
    assert_eq!(names, ["a-0", "b-0", "a-0", "b-0"]);
    assert!(threads.iter().all(|&thread| thread == id));
}

/// Its worker has left, and the pool would join the thread that is joining.
#[test]
fn a_shutdown_by_a_thread_whose_worker_has_left_does_not_wait_for_itself() {
    let slot = Arc::new(OnceLock::<ThreadPool>::new());
    let (done, ended) = mpsc::channel();
    let built = pool(1, {
        let slot = slot.clone();
        move |worker| {
            let (slot, done) = (slot.clone(), done.clone());
            thread::Builder::new().spawn(move || {
                worker.run();
                let shut = slot.get().expect("it is in its place").shutdown_timeout(Duration::MAX);
                done.send(shut.is_complete()).expect("waited for");
            })
        }
    });
    let pool = slot.get_or_init(|| built);

    pool.run(|| ()).expect("no panic");
    pool.join();

    assert!(ended.recv().expect("it ends"));
}

/// The spawner is called without any lock of the pool.
#[test]
fn a_spawner_may_look_at_its_pool_and_submit_to_it() {
    let slot = Arc::new(OnceLock::<ThreadPool>::new());
    let ran = Arc::new(AtomicUsize::new(0));
    let built = pool(2, {
        let (slot, ran) = (slot.clone(), ran.clone());
        move |worker| {
            let pool = slot.get().expect("it is in its place");
            assert!(pool.count_workers() > 0 && !pool.is_closed());
            if worker.number() == 0 {
                let ran = ran.clone();
                drop(pool.submit(move || ran.fetch_add(1, SeqCst)).expect("open"));
            }
            thread(worker)
        }
    });
    let pool = slot.get_or_init(|| built);

    pool.run(|| ()).expect("no panic");
    pool.join();

    assert!(ran.load(SeqCst) > 0);
    pool.shutdown();
}

/// The twin of a pool is tried with the same spawner.
#[test]
fn a_test_of_the_settings_tries_the_spawner() {
    let pool = pool(1, |_| Err::<(), _>(io::Error::other("no more harts")));

    let error = pool.test().expect_err("no worker can be spawned");

    assert!(error.to_string().contains("no more harts"), "{error}");
}

/// What a thread of the spawner's panics with, behind its worker.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("it goes off");
    }
}

#[test]
fn what_a_spawners_thread_panics_with_is_dropped_for_nobody() {
    let pool = pool(1, |worker| {
        Ok(thread::spawn(move || {
            worker.run();
            resume_unwind(Box::new(Bomb));
        }))
    });
    assert_eq!(pool.run(|| 7).expect("no panic"), 7);

    assert!(pool.shutdown());
}

/// Runs the worker when its thread is about to be gone.
struct Late(Option<WorkerThread>);

impl Drop for Late {
    fn drop(&mut self) {
        if let Some(worker) = self.0.take() {
            worker.run();
        }
    }
}

/// The pool's own locals of that thread are gone by then.
#[test]
fn a_worker_may_run_in_a_destructor_of_a_thread_that_has_run_one() {
    thread_local! {
        static LATE: RefCell<Late> = const { RefCell::new(Late(None)) };
    }
    let (offer, offered) = mpsc::channel();
    let builder = ThreadPool::builder().max_workers(1).max_tasks_per_worker(1);
    let builder = builder.spawner(move |worker| {
        offer.send(worker).expect("waited for");
        Ok(())
    });
    let pool = builder.build().expect("valid");
    let thread = thread::spawn(move || {
        LATE.with(|_| ());
        let next = || -> WorkerThread { offered.recv().expect("one is wanted") };
        next().run();
        let last = next();
        LATE.with_borrow_mut(|late| late.0 = Some(last));
    });
    assert_eq!(pool.run(|| 7).expect("no panic"), 7);

    assert_eq!(pool.run(|| 8).expect("no panic"), 8);

    assert!(pool.shutdown());
    thread.join().expect("no panic");
}
