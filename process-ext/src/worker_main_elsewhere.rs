//! Where there is no Linux no process is a worker.

#![forbid(unsafe_code)]

/// Makes this process a worker if a pool started it: never, on this system.
pub fn init() {}

/// Serves a registry over standard input and output: not yet on this system. Says so, and returns an exit code.
pub fn serve_stdio(_registry: &crate::Registry) -> std::process::ExitCode {
    eprintln!("asyncpal: this program is a worker, but: workers need Linux");
    std::process::ExitCode::from(78)
}

/// As [`init`].
pub(crate) fn init_early() {}
