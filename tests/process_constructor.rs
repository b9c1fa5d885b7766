//! Process pools under the default test harness, whose `main` knows nothing of `init`.

use std::process;

use asyncpal::ProcessPool;
use asyncpal::process::RemoteError;

asyncpal::process::init_before_main!();

fn own_pid() -> u32 {
    process::id()
}

#[test]
fn a_pool_works_in_a_test_of_the_default_harness() {
    let pool = ProcessPool::builder().max_workers(2).build().expect("`init` ran before `main`");

    assert_ne!(pool.run(own_pid).expect("no panic"), own_pid());
    let squares: Result<Vec<u64>, _> = pool.map(|n: u64| n * n, 0..100).collect();
    assert!(squares.expect("no panic").into_iter().eq((0..100).map(|n| n * n)));
}

#[test]
fn a_worker_that_lives_before_main_catches_panics() {
    let pool = ProcessPool::builder().max_workers(1).build().expect("`init` ran before `main`");

    let error = pool.run(|| -> u8 { panic!("no bread") }).expect_err("it panicked");

    let asyncpal::TaskError::Failed(error) = error else { panic!("{error:?}") };
    let error: &RemoteError = error.downcast_ref().expect("it came from a worker");
    assert_eq!(error.message(), "no bread");
    assert!(error.location().is_some_and(|place| place.contains("process_constructor.rs")));
    assert!(pool.run(own_pid).is_ok());
}

/// As in a worker whose `main` calls `init`: the write fails, and nothing dies of it.
#[test]
fn a_worker_that_lives_before_main_survives_a_broken_pipe() {
    fn write() -> bool {
        let mut child = process::Command::new("true")
            .stdin(process::Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        child.wait().expect("it ends");
        std::io::Write::write_all(&mut stdin, b"nobody reads this").is_err()
    }
    let pool = ProcessPool::builder().max_workers(1).build().expect("`init` ran before `main`");

    assert!(pool.run(write).expect("its worker lives"));
}
