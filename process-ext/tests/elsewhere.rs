//! Where there is no Linux. `.ci/platforms` runs it on Linux, too, in a copy of the sources that takes it
//! for another system.
#![cfg(not(target_os = "linux"))]

use asyncpal_process::{ProcessPool, Registry, serve_stdio, worker_command};
use asyncpal_std::BuildError;

#[test]
fn a_process_pool_says_that_there_is_none() {
    asyncpal_process::init();

    let error = ProcessPool::builder().max_workers(2).build().expect_err("there is none");

    assert!(matches!(error, BuildError::Unsupported));
    assert!(error.to_string().contains("process pools exist on Linux only"), "{error}");
    let error = worker_command("true").pool().build().expect_err("nor of commands");
    assert!(matches!(error, BuildError::Unsupported));
    let code = serve_stdio(&Registry::new());
    assert_ne!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
}
