//! The other program of these tests: this test program, called with [`SERVE`].

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::{self, ExitCode};
use std::thread::sleep;
use std::{env, io};

use asyncpal::process::{Named, Registry, WorkerCommand, serve_stdio, worker_command};

/// A file of this process that its workers can be told of.
pub(crate) fn path(name: &str) -> String {
    let path = env::temp_dir().join(format!("asyncpal-{name}-{}", process::id()));
    path.to_str().expect("plain").to_owned()
}

/// The argument that makes a worker of this program.
pub(crate) const SERVE: &str = "--serve";

pub(crate) const SQUARE: Named<fn(u64) -> u64> = Named::new("square");
pub(crate) const JOIN: Named<fn(Vec<String>, char) -> String> = Named::new("join");
pub(crate) const PID: Named<fn() -> u32> = Named::new("pid");
pub(crate) const PARSE: Named<fn(String) -> u8> = Named::new("parse");
pub(crate) const BURN: Named<fn(String)> = Named::new("burn");
pub(crate) const SAY: Named<fn(String) -> String> = Named::new("say");
pub(crate) const ZEROS: Named<fn(usize) -> Vec<u8>> = Named::new("zeros");
pub(crate) const LAST_ZEROS: Named<fn() -> Vec<u8>> = Named::new("last_zeros");
pub(crate) const EXIT: Named<fn(i32)> = Named::new("exit");
pub(crate) const ABORT: Named<fn()> = Named::new("abort");
pub(crate) const NAP: Named<fn(u64) -> u64> = Named::new("nap");
pub(crate) const AWAIT_FILE: Named<fn(String)> = Named::new("await_file");
pub(crate) const BEGIN: Named<fn(String)> = Named::new("begin");
pub(crate) const APPEND: Named<fn(String, String)> = Named::new("append");
pub(crate) const PREPARE: Named<fn()> = Named::new("prepare");
pub(crate) const PREPARED: Named<fn() -> u32> = Named::new("prepared");
pub(crate) const FAIL: Named<fn()> = Named::new("fail");
pub(crate) const SLEEP: Named<fn()> = Named::new("sleep");
pub(crate) const SLEEP_DEAFLY: Named<fn()> = Named::new("sleep_deafly");
pub(crate) const VARIABLE: Named<fn(String) -> Option<String>> = Named::new("variable");
pub(crate) const FOLDER: Named<fn() -> String> = Named::new("folder");

/// This program as a worker.
pub(crate) fn this_program() -> WorkerCommand {
    worker_command(env::current_exe().expect("a test program has a path")).arg(SERVE)
}

/// A shell that runs this script; `$0` is this program.
pub(crate) fn shell(script: &str) -> WorkerCommand {
    let this = env::current_exe().expect("a test program has a path");
    worker_command("sh").args(["-c", script]).arg(this)
}

/// Adds a line to a file.
pub(crate) fn append(path: &str, line: &str) {
    let file = File::options().create(true).append(true).open(path);
    writeln!(file.expect("it may be written"), "{line}").expect("there is room");
}

pub(crate) fn serve() -> ExitCode {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    let parent = parent_id();
    let registry = Registry::new()
        .function(SQUARE.name(), |n: u64| n * n)
        .function(JOIN.name(), |words: Vec<String>, by: char| words.join(&by.to_string()))
        .function(PID.name(), process::id)
        .fallible(PARSE.name(), |text: String| {
            text.parse::<u8>().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        })
        .function(BURN.name(), |what: String| -> () { panic!("burnt {what}") })
        .function(SAY.name(), |what: String| {
            println!("{what}");
            io::stdin().lines().map_while(Result::ok).collect::<Vec<_>>().join("\n")
        })
        .function(ZEROS.name(), |count: usize| vec![0_u8; count])
        .function(LAST_ZEROS.name(), move || {
            while parent_id() == parent {
                sleep(Duration::from_millis(5));
            }
            // More than a pipe holds.
            vec![0_u8; 16 << 20]
        })
        .function(EXIT.name(), |code: i32| -> () { process::exit(code) })
        .function(ABORT.name(), || -> () { process::abort() })
        .function(NAP.name(), |millis: u64| {
            sleep(Duration::from_millis(millis));
            millis
        })
        .function(AWAIT_FILE.name(), |path: String| {
            while !Path::new(&path).exists() {
                sleep(Duration::from_millis(5));
            }
        })
        .function(BEGIN.name(), |file: String| {
            fs::write(file, "").expect("writable");
            sleep(Duration::from_secs(600));
        })
        .function(APPEND.name(), |path: String, line: String| append(&path, &line))
        .function(PREPARE.name(), || {
            CALLS.fetch_add(1, Ordering::Relaxed);
        })
        .function(PREPARED.name(), || CALLS.load(Ordering::Relaxed))
        .fallible(FAIL.name(), || Err::<(), _>("no flour"))
        .function(SLEEP.name(), || sleep(Duration::from_secs(600)))
        .function(SLEEP_DEAFLY.name(), || {
            // SAFETY: SIG_IGN is a valid disposition.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            sleep(Duration::from_secs(600));
        })
        .function(VARIABLE.name(), |key: String| env::var(key).ok())
        .fallible(FOLDER.name(), || env::current_dir().map(|dir| dir.display().to_string()));
    serve_stdio(&registry)
}
