//! Process pools, on real child processes. The workers are this test program, so its `main` calls
//! `init` first, and the tests run one at a time: they count the program's children.

use core::error::Error;
use core::time::Duration;
use std::process::Command;
use std::sync::mpsc;
use std::thread::sleep;
use std::time::Instant;
use std::{env, fs, io, process};

use asyncpal::process::{LostCause, RemoteError, WorkerLost};
use asyncpal::{BrokenCause, BuildError, Handle, PoolError, ProcessPool, TaskError, WorkerThread};
use libtest_mimic::{Arguments, Trial};

const WITHOUT_INIT: &str = "ASYNCPAL_TEST_WITHOUT_INIT";
const OPEN_AT_EXIT: &str = "ASYNCPAL_TEST_OPEN_AT_EXIT";

fn main() {
    if env::var_os(WITHOUT_INIT).is_some() {
        let built = ProcessPool::builder().build();
        process::exit(if matches!(built, Err(BuildError::InitMissing)) { 0 } else { 1 });
    }
    asyncpal::process::init();
    if env::var_os(OPEN_AT_EXIT).is_some() {
        return leave_a_pool_open();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials()).exit();
}

macro_rules! trials {
    ($($name:ident)*) => {
        fn trials() -> Vec<Trial> {
            vec![$(Trial::test(stringify!($name), || {
                $name();
                assert_eq!(children(), [], "no child is left, zombie or not");
                Ok(())
            })),*]
        }
    };
}

trials! {
    a_function_runs_in_another_process
    a_closure_that_captures_nothing_runs_in_another_process
    arguments_and_results_travel
    a_map_keeps_its_order
    a_killed_worker_fails_its_own_task_and_no_other
    a_worker_killed_while_idle_is_reaped_and_replaced
    an_exit_inside_a_task_is_a_lost_worker
    a_failure_in_a_worker_that_nobody_collects_is_reported
    a_remote_panic_arrives_with_place_and_backtrace
    a_remote_error_arrives_with_its_chain
    idle_processes_leave_down_to_none
    sequential_runs_use_one_process
    a_spawner_makes_the_threads_of_process_workers
    a_failing_initializer_breaks_the_pool
    initializer_and_finalizer_run_in_the_worker
    shutdown_cancels_what_is_pending_and_finishes_what_runs
    workers_are_recycled_after_their_share_of_tasks
    a_process_pool_counts_and_tells_like_any_other
    without_init_no_pool_is_built
    a_pool_open_at_the_end_of_main_is_drained
}

fn pool(max_workers: usize) -> ProcessPool {
    ProcessPool::builder().max_workers(max_workers).build().expect("`init` has run")
}

/// The process ids of this program's children, zombies included.
fn children() -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let lists =
        tasks.map(|task| fs::read_to_string(task.expect("readable").path().join("children")));
    let ids = lists.flat_map(|list| {
        let list = list.unwrap_or_default();
        list.split_whitespace().map(|id| id.parse().expect("a number")).collect::<Vec<_>>()
    });
    ids.collect()
}

fn eventually(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not happen");
        sleep(Duration::from_millis(1));
    }
}

fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("it starts");
    assert!(status.success());
}

fn own_pid() -> u32 {
    process::id()
}

fn nap(millis: u64) -> u64 {
    sleep(Duration::from_millis(millis));
    millis
}

fn lost(error: &TaskError) -> &WorkerLost {
    // The chain's links: the task's failure, the call's, the loss.
    let mut link: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = link {
        if let Some(lost) = error.downcast_ref() {
            return lost;
        }
        link = error.source();
    }
    panic!("no worker was lost: {error:?}");
}

fn remote(error: &TaskError) -> &RemoteError {
    let TaskError::Failed(error) = error else { panic!("{error:?}") };
    error.downcast_ref().unwrap_or_else(|| panic!("{error:?}"))
}

fn a_function_runs_in_another_process() {
    let worker = pool(1).run(own_pid).expect("no panic");

    assert_ne!(worker, own_pid());
}

fn a_closure_that_captures_nothing_runs_in_another_process() {
    let text = pool(1).run(|| format!("{:?}", process::id() == 0)).expect("no panic");

    assert_eq!(text, "false");
}

fn arguments_and_results_travel() {
    fn join(words: Vec<String>, by: char, times: Option<u8>) -> (String, usize) {
        let text = words.join(&by.to_string()).repeat(times.unwrap_or(1).into());
        let length = text.len();
        (text, length)
    }
    let pool = pool(2);

    let words = vec!["a".to_owned(), "b".to_owned()];
    let handle = pool.submit_with(join, (words, '-', Some(2))).expect("open");
    let bytes = pool.submit_with(|bytes: Vec<u8>| bytes, (vec![7; 1 << 20],)).expect("open");

    assert_eq!(handle.collect().expect("no panic"), ("a-ba-b".to_owned(), 6));
    assert_eq!(bytes.collect().expect("no panic"), vec![7; 1 << 20]);
}

fn a_map_keeps_its_order() {
    let pool = pool(2);

    let squares: Result<Vec<_>, _> = pool.map(|n: u64| n * n, 0..1000).chunk_size(7).collect();

    assert!(squares.expect("no panic").into_iter().eq((0..1000).map(|n| n * n)));
}

fn a_killed_worker_fails_its_own_task_and_no_other() {
    let pool = pool(2);
    let sleeper = pool.submit(own_pid).expect("open").collect().expect("no panic");
    let victim = pool.submit(|| {
        // The handle says that it runs before the worker has read it.
        fs::write("/proc/self/comm", "asleep").expect("Linux");
        nap(60_000)
    });
    let victim = victim.expect("open");
    let name = || fs::read_to_string(format!("/proc/{sleeper}/comm"));
    eventually(|| name().is_ok_and(|name| name == "asleep\n"));
    let others: Vec<Handle<u64>> =
        (0..20).map(|n| pool.submit_with(nap, (n,)).expect("open")).collect();

    // One worker so far, so that is the one which naps.
    kill(sleeper);

    let error = victim.collect().expect_err("its worker was killed");
    assert!(error.to_string().contains("SIGKILL"), "{error}");
    assert_eq!(lost(&error).cause(), &LostCause::Signal(9));
    assert_eq!(lost(&error).pid(), sleeper);
    for (n, other) in (0..).zip(others) {
        assert_eq!(other.collect().expect("not its worker"), n);
    }
    assert_eq!(pool.run(|| 1_u8).expect("the pool goes on"), 1);
}

fn a_worker_killed_while_idle_is_reaped_and_replaced() {
    let pool = pool(1);
    let first = pool.run(own_pid).expect("no panic");

    kill(first);

    eventually(|| children().is_empty());
    let second = pool.run(own_pid).expect("nothing was lost");
    assert_ne!(first, second);
}

fn an_exit_inside_a_task_is_a_lost_worker() {
    let pool = pool(1);

    let error = pool.run(|| -> () { process::exit(0) }).expect_err("its worker is gone");

    assert_eq!(lost(&error).cause(), &LostCause::Exited(0));
}

fn a_failure_in_a_worker_that_nobody_collects_is_reported() {
    let (tell, told) = mpsc::channel();
    let pool = ProcessPool::builder()
        .max_workers(1)
        .on_uncollected(move |failure| {
            let error = failure.error();
            let by = if let TaskError::Failed(cause) = error {
                if cause.is::<WorkerLost>() { "loss" } else { "error" }
            } else {
                "something else"
            };
            tell.send((failure.task_id(), by)).expect("waited for");
        })
        .build()
        .expect("valid");

    drop(pool.submit(|| -> () { panic!("nobody looks") }));
    drop(pool.submit(|| -> () { process::exit(0) }));
    pool.join();

    assert_eq!(told.try_iter().collect::<Vec<_>>(), [(1, "error"), (2, "loss")]);
}

fn a_remote_panic_arrives_with_place_and_backtrace() {
    fn burn(what: String) {
        panic!("burnt {what}");
    }
    let pool = pool(1);

    let handle = pool.submit_with(burn, ("bread".to_owned(),)).expect("open");
    let error = handle.collect().expect_err("it panicked");

    let error = remote(&error);
    assert!(error.is_panic());
    assert_eq!(error.message(), "burnt bread");
    assert!(error.location().is_some_and(|place| place.contains("process_pool.rs")), "{error:?}");
    assert!(error.backtrace().contains("burn"), "{}", error.backtrace());
    assert_ne!(error.worker_pid(), process::id());
    assert_eq!(pool.run(|| 1_u8).expect("the worker lives on"), 1);
}

fn a_remote_error_arrives_with_its_chain() {
    fn parse() -> Result<u8, io::Error> {
        "300".parse::<u8>().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
    let pool = pool(1);

    let error = pool.submit_fallible(parse).expect("open").collect().expect_err("out of range");

    let error = remote(&error);
    assert!(!error.is_panic());
    assert!(error.message().contains("too large"), "{error:?}");
    let fine = pool.submit_fallible(|| "30".parse::<u8>()).expect("open").collect();
    assert_eq!(fine.expect("in range"), 30);
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

fn shutdown_cancels_what_is_pending_and_finishes_what_runs() {
    let pool = pool(1);
    let running = pool.submit_with(nap, (200,)).expect("open");
    eventually(|| running.is_running());
    let pending = pool.submit_with(nap, (1,)).expect("open");

    assert!(pool.shutdown());

    assert_eq!(running.collect().expect("it ran"), 200);
    assert!(pending.is_cancelled());
    let error = pool.submit_with(nap, (3,)).expect_err("closed");
    assert_eq!(error.into_inner().arguments, (3,));
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
            let ended = matches!(event.kind, asyncpal::EventKind::TaskEnded { .. });
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
    assert_eq!((stats.spawned, stats.recycled), (1, 1), "{stats}");
    assert_eq!(stats.running_times.expect("it measures").count(), 2);
    drop(pool);
    assert!(told.into_iter().eq([(Some("nap".into()), false), (None, true)]));
}

fn this_program(marker: &str) -> process::Output {
    let this = env::current_exe().expect("a test program has a path");
    Command::new(this).env(marker, "1").output().expect("it starts")
}

fn without_init_no_pool_is_built() {
    assert!(this_program(WITHOUT_INIT).status.success());
}

fn a_pool_open_at_the_end_of_main_is_drained() {
    let output = this_program(OPEN_AT_EXIT);

    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "napped 300 ms", "{output:?}");
}

fn leave_a_pool_open() {
    let pool = Box::leak(Box::new(pool(1)));
    let handle = pool.submit_with(nap, (300,)).expect("open");
    handle.add_callback(|status| {
        println!("napped 300 ms{}", if status == asyncpal::Status::Completed { "" } else { "?" })
    });
    eventually(|| handle.is_running());
    drop(pool.submit_with(nap, (60_000,)).expect("open"));
}
