//! The child's half: what a process does that a pool started.
//!
//! HELLO → INIT → (initializer) → READY → any number of TASK → CLOSE → (finalizer) → BYE. It reads one frame, answers
//! it completely, and reads the next: a task that was not answered was not followed by another.

#![forbid(unsafe_code)]

mod link;

use core::fmt;
use std::io::{self, Write as _};
use std::time::Instant;

use asyncpal_std::kind::Search;

use crate::error::{DecodeError, HandshakeError};
use crate::panics;
use crate::remote::{Outcome, SameBuild};
use crate::sync::{AtomicBool, Ordering};
use crate::sys::{object, worker};
use crate::wire::exit;
use crate::wire::frame::{Frame, FrameError, Header, KEPT_BYTES, Kind, PANICKED};
use crate::wire::message::{Failure, Hello, Init, PROTOCOL_VERSION};

pub(crate) use self::link::Link;

static INIT_HAS_RUN: AtomicBool = AtomicBool::new(false);

/// Makes this process a worker if a pool started it; otherwise returns at once.
///
/// Call it as the first line of `main`. A worker is this same program, started again: without this call it would run
/// all of `main` a second time. In a worker the call serves the pool until the pool closes it, and does not return.
///
/// In a worker `std::env::args()` is the worker's name and nothing more, and standard input is at its end:
/// [`ProcessOptions`](crate::ProcessOptions) says what else tasks find there.
///
/// As the first line it also runs before other threads exist and before files are open: a worker removes a variable
/// from its environment and closes every descriptor but its standard ones and its own: those that leaked from its
/// parent, and what was opened before this call.
///
/// A worker in which there are other threads already ends before it touches anything, and its pool says so
/// ([`HandshakeError::InitLate`](crate::error::HandshakeError::InitLate)). `#[tokio::main]` makes such a program, as its
/// runtime runs before the first line. Either `main` calls `init` and builds the runtime then, as below; or
/// [`init_before_main!`](crate::init_before_main) stands beside it. An allocator's threads (jemalloc's
/// `background_thread`) and those of a preloaded tool count, too: what starts them has to be off in workers, as by
/// [`ProcessOptions::env`](crate::ProcessOptions::env).
///
/// A program that runs with privileges which its user does not have (setuid, setgid, file capabilities) can neither be
/// a worker nor have any: whoever starts it could play the parent. Started as a worker it ends here, and pools refuse
/// to be built in it.
///
/// # Examples
///
/// ```
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// // In `main`:
/// asyncpal::process::init();
/// // Here the program begins.
/// ```
///
/// With a runtime:
///
/// ```no_run
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     asyncpal_process::init();
///     # mod tokio { pub mod runtime {
///     #     pub struct Runtime;
///     #     impl Runtime {
///     #         pub fn new() -> std::io::Result<Self> { Ok(Self) }
///     #         pub fn block_on<F: Future>(&self, _: F) -> F::Output { unreachable!() }
///     #     }
///     # } }
///     tokio::runtime::Runtime::new()?.block_on(async {
///         let pool = asyncpal_process::ProcessPool::builder().build()?;
///         assert_eq!(pool.submit_with(u64::pow, (12, 2))?.await?, 144);
///         Ok(())
///     })
/// }
/// ```
pub fn init() {
    // ORDERING: Relaxed: the flag says that a call was made and publishes nothing else.
    INIT_HAS_RUN.store(true, Ordering::Relaxed);
    if worker::is_marked() {
        let Some(alone) = worker::Alone::prove() else {
            complain(format_args!("a worker cannot start: {}", HandshakeError::InitLate));
            // The other threads go on until the end: no exit handler runs beside them.
            worker::exit_now(exit::LATE);
        };
        worker::remove_marker(&alone);
        std::process::exit(serve(&alone));
    }
}

/// As [`init`], before `main`: what Rust's own start does for `main` is done here.
pub(crate) fn init_early() {
    worker::ignore_broken_pipes();
    init();
}

/// Whether [`init`] has run in this process, so that processes started from it will serve.
pub(crate) fn init_has_run() -> bool {
    // ORDERING: Relaxed: see `init`.
    INIT_HAS_RUN.load(Ordering::Relaxed)
}

/// Why a worker stops without having been asked to.
pub(crate) enum Stop {
    Io(io::Error),
    Protocol(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FrameError> for Stop {
    fn from(error: FrameError) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Protocol(error.to_string())
    }
}

/// Serves the parent and returns the exit code.
fn serve(alone: &worker::Alone) -> i32 {
    let worker::Ends { requests, replies } = match worker::adopt(alone) {
        Ok(ends) => ends,
        Err(error) => {
            complain(format_args!("this process was started as a worker, but: {error}"));
            return exit::NO_PARENT;
        }
    };
    exit_code(run(Link::nonblocking(requests, replies)))
}

/// Says why this process ends, if anybody listens.
pub(crate) fn complain(why: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "asyncpal: {why}");
}

/// What a worker says of its end.
pub(crate) fn exit_code(ended: Result<(), Stop>) -> i32 {
    match ended {
        Ok(()) => exit::OK,
        // The parent has gone: there is nobody to tell.
        Err(Stop::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => exit::IO,
        Err(Stop::Io(error)) => {
            complain(format_args!("worker {} stops: {error}", std::process::id()));
            exit::IO
        }
        Err(Stop::Protocol(what)) => {
            complain(format_args!("worker {} stops: {what}", std::process::id()));
            exit::PROTOCOL
        }
    }
}

fn run(mut link: Link) -> Result<(), Stop> {
    let hello = Hello {
        version: PROTOCOL_VERSION,
        pid: std::process::id(),
        build: object::identity().to_vec(),
    };
    link.send(Header::new(Kind::Hello), &hello.encode())?;
    let Some(frame) = link.receive()? else { return Ok(()) };
    if frame.header.kind != Kind::Init {
        return Err(out_of_turn(&frame));
    }
    let init = Init::decode(&frame.body)?;
    let Some(build) = SameBuild::prove(&init.build) else {
        return Err(Stop::Protocol(String::from("the parent is another build of this program")));
    };
    worker::set_process_name(&init.name);
    link.search = (frame.header.aux == 1).then(Search::by_calls);
    let limit = link.set_limit(init.max_frame_bytes);
    let mut server = Server { build, bench: Bench::new(limit) };

    if let Some(initializer) = init.initializer {
        if let Some((flags, failure)) = server.run_hook(initializer) {
            let header = Header { flags, ..Header::new(Kind::InitErr) };
            return Ok(link.send(header, &failure.encode())?);
        }
    }
    link.send(Header::new(Kind::Ready), &[])?;
    while let Some(frame) = link.receive()? {
        match frame.header.kind {
            Kind::Task => {
                server.answer(&mut link, &frame)?;
                link.decoder.recycle(frame.body);
            }
            Kind::Close => break,
            _ => return Err(out_of_turn(&frame)),
        }
    }
    let failed = init.finalizer.and_then(|finalizer| server.run_hook(finalizer));
    Ok(link.say_bye(failed)?)
}

pub(crate) fn out_of_turn(frame: &Frame) -> Stop {
    Stop::Protocol(format!("its parent sent {:?} out of turn", frame.header.kind))
}

struct Server {
    build: SameBuild,
    bench: Bench,
}

impl Server {
    fn answer(&mut self, link: &mut Link, task: &Frame) -> io::Result<()> {
        let begun = Instant::now();
        let answer = self.call(task.header.aux as i64, &task.body);
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.bench.reply(link, Header { aux: nanos, ..task.header }, answer)
    }

    /// Runs the initializer or the finalizer; `None` if all went well.
    fn run_hook(&mut self, function: i64) -> Option<HookFailure> {
        self.call(function, &[]).into_hook_failure()
    }

    fn call(&mut self, function: i64, input: &[u8]) -> Answer {
        let thunk = self.build.function(function);
        self.bench.run(|output| match thunk {
            Some(thunk) => thunk(input, output),
            None => {
                let message = format!("the main executable has no function at offset {function}");
                Outcome::Failed(Failure::new("", message))
            }
        })
    }
}

/// What a call came to; a result's bytes are in the bench's output.
#[must_use]
pub(crate) enum Answer {
    Result,
    Error(Failure),
    Panic(Failure),
}

/// The failure of an initializer or finalizer, and the flags to send it with.
pub(crate) type HookFailure = (u8, Failure);

impl Answer {
    pub(crate) fn into_hook_failure(self) -> Option<HookFailure> {
        match self {
            Self::Result => None,
            Self::Error(failure) => Some((0, failure)),
            Self::Panic(failure) => Some((PANICKED, failure)),
        }
    }
}

/// Where calls are made, one after the other.
pub(crate) struct Bench {
    /// The largest result that may travel.
    limit: usize,
    output: Vec<u8>,
    /// This process, unless a task forked it.
    pid: u32,
}

impl Bench {
    pub(crate) fn new(limit: usize) -> Self {
        panics::install_hook();
        Self { limit, output: Vec::new(), pid: std::process::id() }
    }

    /// Answers the task of that header; its `aux` is the reply's.
    pub(crate) fn reply(&mut self, link: &mut Link, to: Header, answer: Answer) -> io::Result<()> {
        let header = |kind| Header { kind, flags: 0, ..to };
        match answer {
            Answer::Result => link.send(header(Kind::Result), &self.output),
            Answer::Error(failure) => link.send(header(Kind::Error), &failure.encode()),
            Answer::Panic(failure) => link.send(header(Kind::Panic), &failure.encode()),
        }
    }

    /// Makes a call that writes its result to the output.
    pub(crate) fn run(&mut self, call: impl FnOnce(&mut Vec<u8>) -> Outcome) -> Answer {
        self.output.clear();
        self.output.shrink_to(KEPT_BYTES);
        let output = &mut self.output;
        let outcome = panics::catch(|| call(output));
        if std::process::id() != self.pid {
            // A copy that a task forked falls out of the task, as the worker does: there must not be two of it.
            worker::exit_now(exit::OK);
        }
        match outcome {
            Ok(Outcome::Returned) if self.output.len() > self.limit => {
                let (bytes, limit) = (self.output.len(), self.limit);
                let message =
                    format!("a result of {bytes} bytes exceeds the limit of {limit} bytes");
                Answer::Error(Failure::new("", message))
            }
            Ok(Outcome::Returned) => Answer::Result,
            Ok(Outcome::Failed(failure)) => Answer::Error(failure),
            Err(failure) => Answer::Panic(failure),
        }
    }
}
