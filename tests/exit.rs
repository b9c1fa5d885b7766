//! The end of the program while a pool is open. Each test starts this program again as a child
//! that ends in some way; the child's tasks say what became of them on stdout.

use core::time::Duration;
use std::process::exit;
use std::sync::{Arc, Barrier, mpsc};
use std::thread::{self, sleep};

use asyncpal::{Event, EventKind, ThreadPool, is_cancel_requested};
use libtest_mimic::{Arguments, Failed, Trial};

#[path = "common/program.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod program;

use program::{Program, ending};

fn main() {
    if let Some(ending) = ending() {
        return child(&ending);
    }
    let trials = vec![
        Trial::test("a_return_from_main_lets_running_tasks_finish", || drained("return", 0)),
        Trial::test("a_panic_in_main_lets_running_tasks_finish", || drained("panic", 101)),
        Trial::test("process_exit_lets_running_tasks_finish_and_keeps_its_code", || {
            drained("exit", 7)
        }),
        Trial::test("exit_from_a_worker_does_not_wait_for_itself", || drained("worker-exit", 8)),
        Trial::test("exit_from_a_worker_waits_for_the_other_workers", || {
            drained("worker-exit-same-pool", 8)
        }),
        Trial::test("a_worker_that_exits_is_not_waited_for_by_another_pools_task", not_waited_for),
        Trial::test("exit_from_main_and_a_worker_at_once_is_one_exit", both_at_once),
        Trial::test("who_calls_the_exit_of_the_c_library_second_waits_for_the_first", || {
            drained("c-exit-second", 7)
        }),
        Trial::test("exit_from_a_thread_of_nobodys_lets_running_tasks_finish", || {
            drained("thread-exit", 9)
        }),
        Trial::test("every_open_pool_is_drained", || drained("two-pools", 0)),
        Trial::test("a_pool_is_drained_although_another_ones_destructor_panics", || {
            drained("destructor", 0)
        }),
        Trial::test("a_running_task_is_asked_to_stop", || drained("patient", 0)),
        Trial::test("a_task_that_has_closed_its_pool_finishes", || drained("closed-by-task", 0)),
        Trial::test("a_task_that_has_dropped_its_pool_finishes", || drained("dropped-by-task", 0)),
        Trial::test("a_task_whose_shutdown_was_given_up_finishes", || drained("given-up", 0)),
        Trial::test("what_a_close_calls_holds_the_end_up_no_longer_than_the_grace", held_up),
        Trial::test("a_stuck_task_is_waited_for_no_longer_than_the_grace", stuck),
        Trial::test("a_task_that_holds_the_standard_error_output_is_waited_for_no_longer", mute),
        Trial::test("the_graces_of_stuck_pools_run_side_by_side", side_by_side),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn drained(ending: &str, code: i32) -> Result<(), Failed> {
    Program::start(ending).finish()?.check(code, &["running task finished"])
}

fn both_at_once() -> Result<(), Failed> {
    let ended = Program::start("both").finish()?;
    let code = ended.status.code().unwrap_or_default();
    if ![7, 8].contains(&code) {
        return Err(format!("main's code or the worker's was expected: {ended:#?}").into());
    }
    ended.check(code, &["running task finished"])?;
    ended.check_time(Duration::from_millis(300), Duration::from_secs(20))
}

fn not_waited_for() -> Result<(), Failed> {
    let ended = Program::start("worker-exit-watched").finish()?;
    ended.check(8, &["running task finished"])?;
    ended.check_time(Duration::ZERO, Duration::from_secs(20))
}

fn stuck() -> Result<(), Failed> {
    let ended = Program::start("stuck").finish()?;
    ended.check(9, &[])?;
    if !ended.stderr.contains("\"stuck\"") {
        return Err(format!("a word on stderr was expected: {ended:#?}").into());
    }
    ended.check_time(Duration::from_millis(200), Duration::from_secs(20))
}

fn mute() -> Result<(), Failed> {
    let ended = Program::start("mute").finish()?;
    ended.check(0, &[])?;
    ended.check_time(Duration::from_millis(200), Duration::from_secs(20))
}

fn held_up() -> Result<(), Failed> {
    for ending in ["stuck-destructor", "stuck-callback", "stuck-hook"] {
        let ended = Program::start(ending).finish()?;
        ended.check(9, &[])?;
        ended.check_time(Duration::from_millis(200), Duration::from_secs(20))?;
    }
    Ok(())
}

fn side_by_side() -> Result<(), Failed> {
    let ended = Program::start("all-stuck").finish()?;
    ended.check(0, &[])?;
    // One after the other they would take 30 seconds.
    ended.check_time(Duration::from_secs(3), Duration::from_secs(20))
}

/// A pool that nobody drops.
fn pool() -> &'static ThreadPool {
    Box::leak(Box::new(ThreadPool::builder().max_workers(1).build().expect("valid")))
}

/// Submits a task and waits for its start.
fn start(pool: &ThreadPool, task: impl FnOnce() + Send + 'static) {
    let (started, wait) = mpsc::channel();
    let task = move || {
        started.send(()).expect("waited for");
        task();
    };
    pool.spawn(task).expect("open");
    wait.recv().expect("started");
}

fn until_asked() {
    while !is_cancel_requested() {
        sleep(Duration::from_millis(1));
    }
}

/// A task that ends 300 ms after the pool was closed, and, if the pool has one worker, one behind it
/// that must be cancelled.
fn occupy(pool: &'static ThreadPool) {
    start(pool, || {
        while !pool.is_closed() {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(300));
        println!("running task finished");
    });
    if pool.max_workers() == 1 {
        drop(pool.submit(|| println!("pending task ran")));
    }
}

/// Says that it has started, and finishes when `main` is about to be over.
fn finish_late(started: &mpsc::Sender<()>) {
    started.send(()).expect("waited for");
    sleep(Duration::from_millis(300));
    println!("running task finished");
}

/// A task ends the pool of its own, which nobody else has any more.
fn last_user(end: impl FnOnce(Arc<ThreadPool>) + Send + 'static) {
    let pool = Arc::new(ThreadPool::new());
    let theirs = pool.clone();
    let (started, wait) = mpsc::channel();
    let (gone, is_gone) = mpsc::channel::<()>();
    let task = move || {
        let _ = is_gone.recv();
        end(theirs);
        finish_late(&started);
    };
    pool.spawn(task).expect("open");
    drop(pool);
    drop(gone);
    wait.recv().expect("started");
}

fn child(ending: &str) {
    let pool = pool();
    match ending {
        "return" => occupy(pool),
        "panic" => {
            occupy(pool);
            panic!("the end of main");
        }
        "exit" => {
            occupy(pool);
            exit(7);
        }
        "worker-exit" => {
            occupy(self::pool());
            let _ = pool.run(|| exit(8));
        }
        "worker-exit-same-pool" => {
            let pool = Box::leak(Box::new(ThreadPool::dual().build().expect("valid")));
            occupy(pool);
            let _ = pool.run(|| exit(8));
        }
        "worker-exit-watched" => {
            // Built after the pool whose worker exits, so it is waited for after that.
            let other = self::pool();
            let (started, wait) = mpsc::channel();
            let shut_down = move || {
                started.send(()).expect("waited for");
                while !pool.is_closed() {
                    sleep(Duration::from_millis(1));
                }
                // Until then the exiting worker has waited for the others, and waits for this task.
                sleep(Duration::from_millis(100));
                assert!(!pool.shutdown());
                println!("running task finished");
            };
            other.spawn(shut_down).expect("open");
            wait.recv().expect("started");
            let _ = pool.run(|| exit(8));
        }
        "both" => {
            // Whoever comes second sleeps in `exit` for ever: a worker looks busy.
            let grace = Duration::from_secs(5);
            let pool = ThreadPool::dual().grace(grace).build().expect("valid");
            let pool = Box::leak(Box::new(pool));
            occupy(pool);
            let barrier = Arc::new(Barrier::new(2));
            let theirs = barrier.clone();
            drop(pool.submit(move || {
                theirs.wait();
                exit(8)
            }));
            barrier.wait();
            exit(7);
        }
        "c-exit-second" => {
            // In a C library with a lock there who comes second looks busy.
            let builder = ThreadPool::triple().grace(Duration::from_secs(5));
            let pool = Box::leak(Box::new(builder.build().expect("valid")));
            occupy(pool);
            for _ in 0..2 {
                start(pool, || {
                    until_asked();
                    // SAFETY: another thread has called it, which this one is about to wait for.
                    unsafe { libc::exit(8) }
                });
            }
            exit(7);
        }
        "mute" => {
            let grace = Duration::from_millis(200);
            let pool = ThreadPool::single().grace(grace).build().expect("valid");
            start(Box::leak(Box::new(pool)), || {
                let _held = std::io::stderr().lock();
                until_asked();
                sleep(Duration::from_secs(600));
            });
        }
        "thread-exit" => {
            occupy(pool);
            let _ = thread::spawn(|| exit(9)).join();
        }
        "destructor" => {
            struct Spoiled;
            impl Drop for Spoiled {
                fn drop(&mut self) {
                    panic!("of the pending task");
                }
            }
            let spoiled = Spoiled;
            let (started, wait) = mpsc::channel();
            drop(pool.submit(move || {
                started.send(()).expect("waited for");
                while !pool.is_closed() {
                    sleep(Duration::from_millis(1));
                }
            }));
            wait.recv().expect("started");
            drop(pool.submit(move || drop(spoiled)));
            occupy(self::pool());
        }
        "two-pools" => {
            let dropped = ThreadPool::new();
            dropped.run(|| ()).expect("no panic");
            drop(dropped);
            pool.run(|| ()).expect("no panic");
            occupy(self::pool());
        }
        "patient" => {
            let (started, wait) = mpsc::channel();
            drop(pool.submit(move || {
                started.send(()).expect("waited for");
                while !is_cancel_requested() {
                    sleep(Duration::from_millis(1));
                }
                println!("running task finished");
            }));
            wait.recv().expect("started");
        }
        "stuck" => {
            let pool = ThreadPool::builder()
                .name("stuck")
                .grace(Duration::from_millis(200))
                .build()
                .expect("valid");
            start(&pool, || sleep(Duration::from_secs(60)));
            exit(9);
        }
        "closed-by-task" => last_user(|pool| assert!(pool.shutdown())),
        "dropped-by-task" => last_user(drop),
        "given-up" => {
            let pool = ThreadPool::new();
            let (started, wait) = mpsc::channel();
            pool.spawn(move || finish_late(&started)).expect("open");
            wait.recv().expect("started");
            assert!(!pool.shutdown_timeout(Duration::ZERO).is_complete());
        }
        "stuck-destructor" | "stuck-callback" => {
            let grace = Duration::from_millis(200);
            let pool = ThreadPool::single().grace(grace).build().expect("valid");
            start(&pool, until_asked);
            if ending == "stuck-destructor" {
                struct Stuck;
                impl Drop for Stuck {
                    fn drop(&mut self) {
                        sleep(Duration::from_secs(60));
                    }
                }
                let stuck = Stuck;
                pool.spawn(move || drop(stuck)).expect("open");
            } else {
                let pending = pool.submit(|| ()).expect("open");
                pending.add_callback(|_| sleep(Duration::from_secs(60)));
                core::mem::forget(pending);
            }
            exit(9);
        }
        "stuck-hook" => {
            let hook = |event: &Event<'_>| {
                if matches!(event.kind, EventKind::PoolClosed) {
                    sleep(Duration::from_secs(60));
                }
            };
            let builder = ThreadPool::single().grace(Duration::from_millis(200)).on_event(hook);
            let _pool = builder.build().expect("valid");
            exit(9);
        }
        "all-stuck" => {
            let wait: Vec<_> = (0..10)
                .map(|_| {
                    let pool = ThreadPool::builder().grace(Duration::from_secs(3));
                    let pool = Box::leak(Box::new(pool.build().expect("valid")));
                    let (started, wait) = mpsc::channel();
                    drop(pool.submit(move || {
                        started.send(()).expect("waited for");
                        sleep(Duration::from_secs(60));
                    }));
                    wait
                })
                .collect();
            wait.iter().for_each(|wait| wait.recv().expect("started"));
        }
        other => panic!("no such ending: {other}"),
    }
}
