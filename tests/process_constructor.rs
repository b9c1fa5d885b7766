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

    assert!(error.is_panic());
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

/// What a program has as its standard outputs when a worker without them has run a task.
#[test]
fn a_worker_of_a_program_without_outputs_has_null_in_their_places() {
    const ROLE: &str = "ASYNCPAL_TEST_CLOSED";
    fn outputs() -> Vec<String> {
        let file = std::fs::File::open("/proc/self/status").expect("Linux");
        let target = |number| std::fs::read_link(format!("/proc/self/fd/{number}"));
        let outputs = [1, 2].map(|number| target(number).expect("open").display().to_string());
        drop(file);
        outputs.to_vec()
    }
    if std::env::var_os(ROLE).is_none() {
        let this = std::env::current_exe().expect("a test program has a path");
        let mut host = process::Command::new(this);
        host.env(ROLE, "1").args(["--exact", "--nocapture", "--test-threads=1"]);
        let host = host.arg("a_worker_of_a_program_without_outputs_has_null_in_their_places");

        assert_eq!(host.status().expect("it starts").code(), Some(42));
        return;
    }
    let pool = ProcessPool::builder().max_workers(1).build().expect("`init` ran before `main`");
    for number in [1, 2] {
        // SAFETY: the outputs belong to the process as a whole, which says nothing from here on.
        unsafe { libc::close(number) };
    }
    let outputs = pool.run(outputs);
    let as_expected = outputs.is_ok_and(|outputs| outputs == ["/dev/null"; 2]);
    process::exit(if as_expected { 42 } else { 1 });
}
