use core::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::proxy::hostile::{WorkerHalf, stand_in};
use crate::sys::poll::{self, Watch};

fn request() -> Request {
    Request::task(FunctionId::plain::<_, ()>(|| ()).unwrap())
}

/// A worker that was sent three tasks.
fn announced() -> (Proxy, WorkerHalf) {
    let (mut proxy, worker) = stand_in();
    proxy.kill_grace = Duration::ZERO;
    for task_id in 1..=3 {
        assert!(proxy.announce(task_id, request(), &[]));
    }
    (proxy, worker)
}

/// A worker, and who waits for its tasks: by what the proxy asks it knows where the proxy is.
struct Scene {
    worker: RefCell<WorkerHalf>,
    /// What the worker does before the kill is decided on.
    before: fn(&mut WorkerHalf),
    /// What it does after requests were taken back from it.
    after: fn(&mut WorkerHalf),
    given_back: RefCell<Vec<usize>>,
}

impl Scene {
    fn new(before: fn(&mut WorkerHalf), after: fn(&mut WorkerHalf)) -> (Proxy, Self) {
        let (proxy, worker) = announced();
        let scene = Self { worker: worker.into(), before, after, given_back: RefCell::default() };
        (proxy, scene)
    }

    fn read(&self) -> usize {
        self.worker.borrow_mut().read()
    }

    /// Asks for a task that is cancelled at once.
    fn ask(&self, proxy: &mut Proxy, task_id: u64) -> Result<Reply, CallError> {
        let bell = Bell::hang().unwrap();
        asyncpal_std::kind::CancelBell::ring(&*bell);
        let terms = Terms { limit: None, bell: Some(&bell), caller: self };
        proxy.ask(task_id, request(), &[], terms)
    }
}

impl Caller for Scene {
    fn is_cancelled(&self) -> bool {
        (self.before)(&mut self.worker.borrow_mut());
        true
    }

    fn give_back(&self, last: usize) {
        self.given_back.borrow_mut().push(last);
        (self.after)(&mut self.worker.borrow_mut());
    }
}

impl WorkerHalf {
    fn read(&mut self) -> usize {
        self.requests.read(&mut [0; 4096]).unwrap_or(0)
    }

    fn reply(&mut self, task_id: u64) {
        let header = Header { task_id, ..Header::new(Kind::Result) };
        self.replies.write_all(&header.encode(0).unwrap()).unwrap();
    }
}

fn cause(reply: Result<Reply, CallError>) -> LostCause {
    match reply {
        Err(CallError::Lost(lost)) => lost.cause().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_kill_meets_no_task_behind_the_one_that_it_is_for() {
    let (mut proxy, scene) = Scene::new(|_| {}, |_| {});
    scene.read();

    let first = scene.ask(&mut proxy, 1);

    assert_eq!(cause(first), LostCause::Cancelled);
    assert_eq!(*scene.given_back.borrow(), [2]);
    assert_eq!((proxy.in_flight(), scene.read()), (0, 0));
}

/// The worker writes it between the end of the time and the kill.
#[test]
fn a_reply_that_is_there_before_the_kill_counts_and_nobody_is_killed() {
    let (mut proxy, scene) = Scene::new(|_| {}, |worker| worker.reply(1));
    scene.read();

    let first = scene.ask(&mut proxy, 1);

    assert!(matches!(first, Ok(Reply::Result(_))), "{first:?}");
    assert_eq!(*scene.given_back.borrow(), [2]);
    assert!(proxy.is_alive());
}

#[test]
fn a_worker_that_has_begun_the_next_task_is_not_killed_for_the_one_before() {
    let begin_the_next = |worker: &mut WorkerHalf| {
        worker.reply(1);
        worker.read();
    };
    let (mut proxy, scene) = Scene::new(begin_the_next, |_| {});
    scene.read();

    let first = scene.ask(&mut proxy, 1);
    scene.worker.borrow_mut().reply(2);
    let second = proxy.ask(2, request(), &[], Terms::FOR_EVER);

    assert_eq!(*scene.given_back.borrow(), [1], "the third");
    for reply in [first, second] {
        assert!(matches!(reply, Ok(Reply::Result(_))), "{reply:?}");
    }
}

#[test]
fn what_a_worker_that_may_live_on_has_not_read_it_may_still_begin() {
    let (mut proxy, scene) = Scene::new(|_| {}, |_| {});

    let _ = proxy.lose(LostCause::KillRefused("not permitted".into()));
    proxy.recall();

    assert_eq!(proxy.in_flight(), 3);
    for task_id in 1..=3 {
        assert!(matches!(cause(scene.ask(&mut proxy, task_id)), LostCause::KillRefused(_)));
    }
}

/// Its turn has come, and the worker has not taken notice of it.
#[test]
fn a_task_that_was_not_even_read_in_its_time_is_given_back_to_nobody() {
    let (mut proxy, scene) = Scene::new(|_| {}, |_| {});

    let first = scene.ask(&mut proxy, 1);

    assert_eq!(cause(first), LostCause::Cancelled);
    assert_eq!(*scene.given_back.borrow(), [2]);
}

/// Tells how many requests are given back, from another thread than the worker's.
struct Telling(mpsc::Sender<usize>);

impl Caller for Telling {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn give_back(&self, last: usize) {
        self.0.send(last).unwrap();
    }
}

/// Asks for the first of three tasks. The worker reads none until some are given back; then it does this.
fn ask_the_stopped(go_on: fn(&mut WorkerHalf)) -> (Proxy, Result<Reply, CallError>) {
    let (mut proxy, mut worker) = announced();
    let (tell, told) = mpsc::channel();
    let caller = Telling(tell);
    let terms = Terms { limit: Some(Duration::from_secs(5)), bell: None, caller: &caller };

    let first = thread::scope(|scope| {
        let worker = scope.spawn(move || {
            assert_eq!(told.recv(), Ok(2), "all but the one that is asked for");
            let requests = &mut [Watch::readable(worker.requests.as_fd())];
            assert!(poll::wait(requests, Some(after(Duration::from_secs(5)))).unwrap(), "it comes");
            go_on(&mut worker);
        });
        let first = proxy.ask(1, request(), &[], terms);
        worker.join().unwrap();
        first
    });

    assert_eq!(proxy.in_flight(), 0);
    (proxy, first)
}

#[test]
fn what_lies_behind_a_task_that_is_not_read_is_given_back_and_that_task_is_sent_anew() {
    let (proxy, first) = ask_the_stopped(|worker| {
        let mut head = [0; HEADER_BYTES];
        worker.requests.read_exact(&mut head).unwrap();
        assert_eq!(head, request().header(1).encode(0).unwrap());
        assert_eq!(worker.read(), 0, "nothing else");
        worker.reply(1);
    });

    assert!(matches!(first, Ok(Reply::Result(_))), "{first:?}");
    assert!(proxy.is_alive());
}

#[test]
fn a_task_that_was_sent_anew_and_is_not_read_either_has_not_started() {
    let (proxy, first) = ask_the_stopped(|worker| worker.end.raise());

    assert!(matches!(first, Err(CallError::NotStarted(_))), "{first:?}");
    assert!(!proxy.is_alive());
}

/// It failed with the breach that an earlier task had left behind.
#[test]
fn a_breach_costs_no_task_that_was_not_read() {
    for reads in [false, true] {
        let (mut proxy, mut worker) = stand_in();
        proxy.kill_grace = Duration::ZERO;
        assert!(proxy.announce(1, request(), &[]));
        if reads {
            worker.read();
        }
        worker.reply(99);

        let first = proxy.ask(1, request(), &[], Terms::FOR_EVER);

        let (Err(CallError::NotStarted(lost) | CallError::Lost(lost)), false) =
            (&first, proxy.is_alive())
        else {
            panic!("{first:?}")
        };
        assert!(matches!(lost.cause(), LostCause::Protocol(_)), "{lost}");
        assert_eq!(matches!(first, Err(CallError::Lost(_))), reads);
    }
}
