//! Where there is no Linux. `.ci/platforms` runs it on Linux, too, in a copy of the sources that takes it
//! for another system.
#![cfg(not(target_os = "linux"))]

use asyncpal_process::ProcessPool;
use asyncpal_std::BuildError;

#[test]
fn a_process_pool_says_that_there_is_none() {
    asyncpal_process::init();

    let error = ProcessPool::builder().max_workers(2).build().expect_err("there is none");

    assert!(matches!(error, BuildError::Unsupported));
    assert_eq!(error.to_string(), "process pools exist on Linux only");
}
