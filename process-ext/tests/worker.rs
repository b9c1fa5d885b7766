//! Workers, end to end: the test program is its own worker.
//!
//! It has its own `main`, as a program with workers must.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    asyncpal_process::init();
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {}
