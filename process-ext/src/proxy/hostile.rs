//! A conversation with a worker that says what it likes: the parent's half as it is, over real pipes, and a thread
//! in the place of the child. For the fuzzer, and for the tests of what it finds.

use core::time::Duration;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::thread;

use super::{Flight, Launch, Link, Proxy, Reply, RunTime, Terms};
use crate::error::CallError;
use crate::remote::FunctionId;
use crate::sys::child::Child;
use crate::sys::eventfd::EventFd;
use crate::sys::{object, pipe};
use crate::wire::frame::{Decoder, HEADER_BYTES, Kind, MAGIC, MIN_FRAME_LIMIT};
use crate::wire::message::{Hello, PROTOCOL_VERSION};

/// What the worker says: its first turn unasked, then one for each request. After the last it ends.
#[derive(Debug, Default)]
pub struct Said(Vec<Vec<u8>>);

impl Said {
    /// Nothing so far, or an honest greeting in two turns.
    pub fn new(greets: bool) -> Self {
        let mut said = Self::default();
        if greets {
            let build = object::identity().to_vec();
            let hello = Hello { version: PROTOCOL_VERSION, pid: 1, build }.encode();
            said.turn();
            said.frame(Kind::Hello as u8, 0, 0, hello.len() as u32, &hello);
            said.turn();
            said.frame(Kind::Ready as u8, 0, 0, 0, &[]);
        }
        said
    }

    /// The next turn begins.
    pub fn turn(&mut self) {
        self.0.push(Vec::new());
    }

    /// Bytes, as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if let Some(turn) = self.0.last_mut() {
            turn.extend_from_slice(bytes);
        }
    }

    /// A frame of any kind, which claims any length.
    pub fn frame(&mut self, kind: u8, flags: u8, task_id: u64, length: u32, body: &[u8]) {
        self.bytes(&length.to_le_bytes());
        self.bytes(&[kind, flags]);
        self.bytes(&MAGIC.to_le_bytes());
        self.bytes(&task_id.to_le_bytes());
        self.bytes(&[0; 8]);
        self.bytes(body);
    }
}

/// Greets, calls and closes. Returns how many calls brought a reply.
///
/// # Panics
///
/// The parent's half does not hold what it promises.
pub fn converse(said: &Said, has_initializer: bool, calls: u8) -> usize {
    let (proxy, WorkerHalf { requests, replies, end }) = stand_in();
    pipe::set_blocking(requests.as_fd()).expect("it is open");
    thread::scope(|scope| {
        let worker = scope.spawn(move || {
            speak(said, requests, replies);
            end.raise();
        });
        let replied = listen(proxy, has_initializer, calls);
        // The scope alone would not wait for the end of the thread, only for that of its closure.
        worker.join().expect("it does not panic");
        replied
    })
}

/// The worker's ends.
pub(super) struct WorkerHalf {
    pub(super) requests: File,
    pub(super) replies: File,
    /// Raised, it is taken for the worker's end.
    pub(super) end: EventFd,
}

/// A proxy whose worker is whoever has the other half.
pub(super) fn stand_in() -> (Proxy, WorkerHalf) {
    stand_in_within(MIN_FRAME_LIMIT)
}

/// The same, with that limit of frames.
pub(super) fn stand_in_within(max_frame_bytes: usize) -> (Proxy, WorkerHalf) {
    let (mut link, ends) = Link::open().expect("there are descriptors");
    link.set_limit(max_frame_bytes);
    let requests = link.requests_for_worker().try_clone_to_owned().expect("there are descriptors");
    let (child, end) = Child::stand_in().expect("there are descriptors");
    let proxy = Proxy {
        name: "hostile".into(),
        child,
        link,
        max_frame_bytes,
        grace: Duration::from_secs(30),
        worker_pid: 1,
        kill_grace: Duration::from_secs(30),
        memory: None,
        flight: Flight::default(),
        run_time: RunTime::default(),
        may_spin: false,
        closing: super::Closing::Unheard,
        lost: None,
    };
    let half =
        WorkerHalf { requests: File::from(requests), replies: File::from(ends.replies), end };
    (proxy, half)
}

/// The worker's half.
fn speak(said: &Said, mut requests: File, mut replies: File) {
    for turn in &said.0 {
        // A turn without a whole frame is waited for until the worker ends.
        if replies.write_all(turn).is_err() || !says_something(turn) {
            return;
        }
        let mut head = [0; HEADER_BYTES];
        if requests.read_exact(&mut head).is_err() {
            return;
        }
        let [l0, l1, l2, l3, ..] = head;
        let mut body = vec![0; u32::from_le_bytes([l0, l1, l2, l3]) as usize];
        if requests.read_exact(&mut body).is_err() {
            return;
        }
    }
}

/// Whether the parent has something to judge.
fn says_something(mut turn: &[u8]) -> bool {
    let mut decoder = Decoder::new(MIN_FRAME_LIMIT);
    while !turn.is_empty() {
        let (buffer, welcome) = decoder.buffer();
        let (piece, rest) = turn.split_at(welcome.min(turn.len()));
        buffer.extend_from_slice(piece);
        turn = rest;
        match decoder.next() {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => return true,
        }
    }
    false
}

/// The parent's half.
fn listen(mut proxy: Proxy, has_initializer: bool, calls: u8) -> usize {
    let function = FunctionId::plain::<_, ()>(|| ()).expect("it is part of this program");
    let mut launch = Launch::new("hostile");
    launch.initializer = has_initializer.then_some(function);

    if let Err(error) = proxy.greet(&launch, Terms::FOR_EVER) {
        assert!(!error.to_string().is_empty());
        return 0;
    }
    let mut replied = 0;
    for task_id in 1..=u64::from(calls) {
        let was_alive = proxy.is_alive();
        match proxy.call(task_id, function, &[]) {
            Ok(reply) => {
                assert!(was_alive, "a worker that was lost does not reply");
                if let Reply::Error(error) | Reply::Panic(error) = reply {
                    assert!(error.remote_traceback().len() >= error.message().len());
                }
                replied += 1;
            }
            Err(CallError::Lost(lost) | CallError::NotStarted(lost)) => {
                assert!(!lost.to_string().is_empty());
                assert!(!proxy.is_alive(), "a worker that was lost is not asked again");
            }
            Err(CallError::TooLarge { .. }) => unreachable!("nothing is sent"),
        }
    }
    if let Err(error) = proxy.close() {
        assert!(!error.to_string().is_empty());
    }
    replied
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::bell::Bell;
    use crate::error::LostCause;
    use crate::proxy::Caller;
    use crate::proxy::link::{Event, Outgoing, Wait};
    use crate::seat::Request;
    use crate::wire::frame::{DEFAULT_MAX_FRAME_BYTES, Header};

    fn reply(said: &mut Said, task_id: u64) {
        said.frame(Kind::Result as u8, 0, task_id, 2, b"ok");
    }

    #[test]
    fn an_honest_worker_is_understood() {
        let mut said = Said::new(true);
        for task_id in 1..=3 {
            said.turn();
            reply(&mut said, task_id);
        }

        assert_eq!(converse(&said, false, 5), 3);
    }

    #[test]
    fn of_two_replies_at_once_the_first_counts_and_none_follows() {
        let mut said = Said::new(true);
        said.turn();
        reply(&mut said, 1);
        reply(&mut said, 2);
        said.turn();
        reply(&mut said, 2);

        assert_eq!(converse(&said, true, 5), 1);
    }

    #[test]
    fn half_a_greeting_is_none() {
        let mut said = Said::default();
        said.turn();
        said.frame(Kind::Hello as u8, 0, 0, 100, b"half");

        assert_eq!(converse(&said, false, 5), 0);
    }

    /// Has always cancelled.
    struct Cancelled;

    impl Caller for Cancelled {
        fn is_cancelled(&self) -> bool {
            true
        }

        fn give_back(&self, _: usize) {}
    }

    /// What becomes of a task whose worker replies with more than it ever says, and always has more to say.
    fn outtalked(limit: Option<Duration>, rings: bool, ends: bool) -> LostCause {
        let (mut proxy, WorkerHalf { mut replies, end, .. }) =
            stand_in_within(DEFAULT_MAX_FRAME_BYTES);
        proxy.kill_grace = Duration::ZERO;
        let head = Header { task_id: 1, ..Header::new(Kind::Result) };
        replies.write_all(&head.encode(DEFAULT_MAX_FRAME_BYTES).unwrap()).unwrap();
        let now = Wait::until(Some(Instant::now()));
        let heard = proxy.link.exchange(&mut Outgoing::nothing(), proxy.child.exit_fd(), now);
        assert!(matches!(heard, Ok(Event::TimedOut)), "the head of its reply");
        proxy.link.listen_to(File::open("/dev/urandom").unwrap());
        let bell = Bell::still().unwrap();
        if rings {
            bell.sound();
        }
        if ends {
            end.raise();
        }

        let function = FunctionId::plain::<_, ()>(|| ()).unwrap();
        let terms = Terms { limit, bell: Some(&bell), caller: &Cancelled };
        match proxy.ask(1, Request::task(function), &[], terms) {
            Err(CallError::Lost(lost) | CallError::NotStarted(lost)) => lost.cause().clone(),
            _ => panic!("it was listened to until it was done"),
        }
    }

    /// What there is to read keeps the parent from nothing else.
    #[test]
    fn a_worker_that_never_stops_talking_puts_off_neither_deadline_nor_cancel_nor_its_end() {
        let limit = Duration::from_millis(10);

        assert_eq!(outtalked(Some(limit), false, false), LostCause::TimedOut(limit));
        assert_eq!(outtalked(None, true, false), LostCause::Cancelled);
        assert_eq!(outtalked(None, false, true), LostCause::Exited(0));
    }
}
