//! The end of the program while a pool is open. Each test starts this program again as a child
//! that ends in some way; the child's tasks say what became of them on stdout.

use core::time::Duration;
use std::env;
use std::process::{Command, Output, exit};
use std::sync::mpsc;
use std::thread::sleep;
use std::time::Instant;

use asyncpal::{ThreadPool, is_cancel_requested};
use libtest_mimic::{Arguments, Failed, Trial};

const ENDING: &str = "ASYNCPAL_TEST_ENDING";

fn main() {
    if let Ok(ending) = env::var(ENDING) {
        return child(&ending);
    }
    let trials = vec![
        Trial::test("a_return_from_main_lets_running_tasks_finish", || drained("return", 0)),
        Trial::test("a_panic_in_main_lets_running_tasks_finish", || drained("panic", 101)),
        Trial::test("process_exit_lets_running_tasks_finish_and_keeps_its_code", || {
            drained("exit", 7)
        }),
        Trial::test("exit_from_a_worker_does_not_wait_for_itself", || drained("worker-exit", 8)),
        Trial::test("every_open_pool_is_drained", || drained("two-pools", 0)),
        Trial::test("a_running_task_is_asked_to_stop", || drained("patient", 0)),
        Trial::test("a_stuck_task_is_waited_for_no_longer_than_the_grace", stuck),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn run(ending: &str) -> (Output, Duration) {
    let begun = Instant::now();
    let this = env::current_exe().expect("a test program has a path");
    let output = Command::new(this).env(ENDING, ending).output().expect("it starts");
    (output, begun.elapsed())
}

fn drained(ending: &str, code: i32) -> Result<(), Failed> {
    let (output, _) = run(ending);
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() != Some(code) {
        return Err(format!("exit code {code} was expected: {output:?}").into());
    }
    if said.trim() != "running task finished" {
        return Err(format!("one finished task was expected: {output:?}").into());
    }
    Ok(())
}

fn stuck() -> Result<(), Failed> {
    let (output, took) = run("stuck");
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(9) || !complaint.contains("\"stuck\"") {
        return Err(format!("exit code 9 and a word on stderr were expected: {output:?}").into());
    }
    if took < Duration::from_millis(200) || took > Duration::from_secs(20) {
        return Err(format!("a grace of 200 ms was expected, not {took:?}").into());
    }
    Ok(())
}

/// A pool that nobody drops.
fn pool() -> &'static ThreadPool {
    Box::leak(Box::new(ThreadPool::builder().max_workers(1).build().expect("valid")))
}

/// A task that ends 300 ms after the pool was closed, and one behind it that must be cancelled.
fn occupy(pool: &'static ThreadPool) {
    let (started, wait) = mpsc::channel();
    drop(pool.submit(move || {
        started.send(()).expect("waited for");
        while !pool.is_closed() {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(300));
        println!("running task finished");
    }));
    wait.recv().expect("started");
    drop(pool.submit(|| println!("pending task ran")));
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
            let (started, wait) = mpsc::channel();
            drop(pool.submit(move || {
                started.send(()).expect("waited for");
                sleep(Duration::from_secs(60));
            }));
            wait.recv().expect("started");
            exit(9);
        }
        other => panic!("no such ending: {other}"),
    }
}
