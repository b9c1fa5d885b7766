//! Runs of a test program as a program that ends in some way. Its `main` looks for [`ending`] first.

use core::time::Duration;
use std::env;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Instant;

use libtest_mimic::Failed;

const ENDING: &str = "ASYNCPAL_TEST_ENDING";

/// After so many seconds a process of these tests is killed by SIGALRM: no ending takes longer.
#[cfg(unix)]
const PATIENCE: u32 = 60;

/// How this run is to end; `None` if it is the run of the tests.
pub(crate) fn ending() -> Option<String> {
    let ending = env::var(ENDING).ok()?;
    be_mortal();
    heed_ctrl_c();
    Some(ending)
}

/// Sees to it that this process ends, if not as it should. A forked child has to ask anew.
pub(crate) fn be_mortal() {
    #[cfg(unix)]
    // SAFETY: alarm has no preconditions.
    unsafe {
        libc::alarm(PATIENCE)
    };
}

/// A shell has what it runs in the background ignore it.
fn heed_ctrl_c() {
    #[cfg(unix)]
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL)
    };
}

/// A run.
pub(crate) struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    begun: Instant,
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Since the start, or the last [`Program::expect`].
    pub(crate) took: Duration,
    /// What was not expected before.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn start(ending: &str) -> Self {
        let this = env::current_exe().expect("a test program has a path");
        let mut command = Command::new(this);
        command.env(ENDING, ending).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What is left at such an end is left on purpose.
        command.env("ASAN_OPTIONS", "detect_leaks=0");
        let begun = Instant::now();
        let mut child = command.spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, stdout, begun }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for this line on the standard output.
    pub(crate) fn expect(&mut self, expected: &str) -> Result<(), Failed> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        self.begun = Instant::now();
        if line.trim_end() == expected {
            Ok(())
        } else {
            Err(format!("{expected:?} was expected, not {line:?}").into())
        }
    }

    /// Waits for the end, and for that of all who have its standard output.
    pub(crate) fn finish(mut self) -> Result<Ended, Failed> {
        let [mut stdout, mut stderr] = [const { String::new() }; 2];
        self.stdout.read_to_string(&mut stdout)?;
        let status = self.child.wait()?;
        let took = self.begun.elapsed();
        self.child.stderr.take().expect("piped").read_to_string(&mut stderr)?;
        Ok(Ended { status, took, stdout, stderr })
    }
}

impl Ended {
    /// Checks the exit code, and what the run has said: these lines.
    pub(crate) fn check(&self, code: i32, lines: &[&str]) -> Result<(), Failed> {
        if self.status.code() == Some(code) && self.stdout.lines().eq(lines.iter().copied()) {
            Ok(())
        } else {
            Err(format!("code {code} and {lines:?} were expected: {self:#?}").into())
        }
    }

    /// Checks by which signal the run has ended, and what it has said: these lines.
    #[cfg(unix)]
    pub(crate) fn check_signal(&self, signal: i32, lines: &[&str]) -> Result<(), Failed> {
        use std::os::unix::process::ExitStatusExt as _;

        let by_signal = self.status.signal() == Some(signal);
        if by_signal && self.stdout.lines().eq(lines.iter().copied()) {
            Ok(())
        } else {
            Err(format!("signal {signal} and {lines:?} were expected: {self:#?}").into())
        }
    }

    /// Checks how long it took.
    pub(crate) fn check_time(&self, least: Duration, most: Duration) -> Result<(), Failed> {
        if (least..most).contains(&self.took) {
            Ok(())
        } else {
            Err(format!("{least:?} to {most:?} were expected, not {:?}", self.took).into())
        }
    }
}
