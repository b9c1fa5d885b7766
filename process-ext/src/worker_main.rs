//! The child's half: what a process does that a pool started.
//!
//! HELLO → INIT → (initializer) → READY → any number of TASK → CLOSE → (finalizer) → BYE. It reads one frame, answers
//! it completely, and reads the next: a task that was not answered was not followed by another.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::os::fd::AsFd as _;
use std::time::Instant;

use asyncpal_std::kind::Search;

use crate::error::{DecodeError, HandshakeError};
use crate::panics;
use crate::remote::{Outcome, SameBuild};
use crate::sync::{AtomicBool, Ordering};
use crate::sys::poll::{self, Watch};
use crate::sys::{object, pipe, worker};
use crate::wire::exit;
use crate::wire::frame::{
    DEFAULT_MAX_FRAME_BYTES, Decoder, Frame, FrameError, Header, KEPT_BYTES, Kind, MIN_FRAME_LIMIT,
    PANICKED,
};
use crate::wire::message::{Failure, Hello, Init, PROTOCOL_VERSION};

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
/// [`init_before_main!`](crate::init_before_main) stands beside it.
///
/// A program that runs with privileges which its user does not have (setuid, setgid, file capabilities) can neither be
/// a worker nor have any: whoever starts it could play the parent. Started as a worker it ends here, and pools refuse
/// to be built in it.
///
/// # Examples
///
/// ```
/// // In `main`:
/// asyncpal_process::init();
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
            eprintln!("asyncpal: a worker cannot start: {}", HandshakeError::InitLate);
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
            eprintln!("asyncpal: this process was started as a worker, but: {error}");
            return exit::NO_PARENT;
        }
    };
    exit_code(run(Link::nonblocking(requests, replies)))
}

/// What a worker says of its end.
pub(crate) fn exit_code(ended: Result<(), Stop>) -> i32 {
    match ended {
        Ok(()) => exit::OK,
        // The parent has gone: there is nobody to tell.
        Err(Stop::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => exit::IO,
        Err(Stop::Io(error)) => {
            eprintln!("asyncpal: worker {} stops: {error}", std::process::id());
            exit::IO
        }
        Err(Stop::Protocol(what)) => {
            eprintln!("asyncpal: worker {} stops: {what}", std::process::id());
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

/// The two pipes; every operation waits until it is done.
pub(crate) struct Link {
    requests: File,
    /// Whether a read returns at once, with nothing if there is nothing.
    is_nonblocking: bool,
    /// Whether the last look found something at once: then the next is worth a system call.
    finds_at_once: bool,
    /// There if it may look for the next request for a few microseconds before it sleeps.
    search: Option<Search>,
    replies: File,
    decoder: Decoder,
}

impl Link {
    pub(crate) fn new(requests: File, replies: File) -> Self {
        let decoder = Decoder::new(MIN_FRAME_LIMIT);
        Self {
            requests,
            is_nonblocking: false,
            finds_at_once: false,
            search: None,
            replies,
            decoder,
        }
    }

    /// The same, over requests that the parent has made non-blocking.
    fn nonblocking(requests: File, replies: File) -> Self {
        Self { is_nonblocking: true, ..Self::new(requests, replies) }
    }

    /// Accepts bodies as large as the parent says; returns how large a result may be.
    pub(crate) fn set_limit(&mut self, max_frame_bytes: u64) -> usize {
        let limit = usize::try_from(max_frame_bytes).unwrap_or(DEFAULT_MAX_FRAME_BYTES);
        self.decoder.set_limit(limit.max(MIN_FRAME_LIMIT));
        limit
    }

    /// The last words, after the finalizer.
    pub(crate) fn say_bye(&mut self, failed: Option<HookFailure>) -> io::Result<()> {
        match failed {
            None => self.send(Header::new(Kind::Bye), &[]),
            Some((flags, failure)) => {
                self.send(Header { flags, ..Header::new(Kind::FinErr) }, &failure.encode())
            }
        }
    }

    /// The next frame; `None` when the parent has closed its end between two frames.
    pub(crate) fn receive(&mut self) -> Result<Option<Frame>, Stop> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(Some(frame));
            }
            if self.read()? == 0 {
                self.decoder.finish()?;
                return Ok(None);
            }
        }
    }

    /// Reads more, and waits for it. Zero at the end.
    ///
    /// Linux hands what has come to a reader that was killed in its sleep, but to nobody who was killed in a poll: a
    /// request sent to a worker in its last moment stays unread, and goes elsewhere. So no read sleeps between frames.
    fn read(&mut self) -> io::Result<usize> {
        if self.is_nonblocking {
            if let Some(read) = self.look()? {
                return Ok(read);
            }
        }
        loop {
            if self.is_nonblocking || self.decoder.is_at_boundary() {
                self.sleep()?;
            }
            if let Some(read) = self.read_now()? {
                return Ok(read);
            }
        }
    }

    /// Sleeps until there is something to read.
    fn sleep(&mut self) -> io::Result<()> {
        let began = Instant::now();
        poll::wait(&mut [Watch::readable(self.requests.as_fd())], None)?;
        if let Some(search) = &mut self.search {
            search.slept(began.elapsed());
        }
        Ok(())
    }

    /// Reads if there is something, or comes soon and that has lately paid off.
    fn look(&mut self) -> io::Result<Option<usize>> {
        let mut read = None;
        if self.finds_at_once {
            read = self.read_now()?;
        }
        if let (None, Some(mut search)) = (read, self.search) {
            read = search.search(|| self.read_now())?;
            self.search = Some(search);
        }
        self.finds_at_once = read.is_some();
        Ok(read)
    }

    fn read_now(&mut self) -> io::Result<Option<usize>> {
        let (buffer, welcome) = self.decoder.buffer();
        match pipe::read_append(&self.requests, buffer, welcome) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            read => read.map(Some),
        }
    }

    pub(crate) fn send(&mut self, header: Header, body: &[u8]) -> io::Result<()> {
        let head = header.encode(body.len()).map_err(io::Error::other)?;
        let mut slices = [IoSlice::new(&head), IoSlice::new(body)];
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.replies.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
