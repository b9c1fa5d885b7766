use core::time::Duration;
use std::io::Read as _;
use std::thread;

use super::*;
use crate::sys::eventfd::EventFd;
use crate::wire::frame::{DEFAULT_MAX_FRAME_BYTES, Kind};

const LARGE: usize = 2 << 20;

fn opened() -> io::Result<(Link, WorkerEnds)> {
    let (mut link, ends) = Link::open()?;
    link.set_limit(DEFAULT_MAX_FRAME_BYTES);
    Ok((link, ends))
}

#[test]
fn a_worker_that_talks_before_it_has_listened_does_not_deadlock() {
    let (mut link, ends) = opened().unwrap();
    let mut requests = File::from(link.unread.try_clone().unwrap());
    pipe::set_blocking(requests.as_fd()).unwrap();
    let mut replies = File::from(ends.replies);
    let worker = thread::spawn(move || {
        let mut reply = Header::new(Kind::Result).encode(LARGE).unwrap().to_vec();
        reply.resize(HEADER_BYTES + LARGE, 1);
        let (last, others) = reply.split_last().unwrap();
        replies.write_all(others).unwrap();
        requests.read_exact(&mut vec![0; HEADER_BYTES + LARGE]).unwrap();
        replies.write_all(&[*last]).unwrap();
    });
    let never = EventFd::new().unwrap();
    let request = vec![2; LARGE];

    let mut outgoing = Outgoing::frame(Header::new(Kind::Task), &request).unwrap();
    let deadline = Some(Instant::now() + Duration::from_secs(30));
    let event = link.exchange(&mut outgoing, never.as_fd(), Wait::until(deadline)).unwrap();

    let Event::Frame(frame) = event else { panic!("no frame") };
    assert_eq!(frame.body, vec![1; LARGE]);
    assert!(link.is_at_boundary() && link.unread_bytes() == 0);
    worker.join().unwrap();
}

#[test]
fn a_reply_that_was_written_whole_survives_its_writer() {
    let (mut link, ends) = opened().unwrap();
    let mut replies = File::from(ends.replies);
    let ended = EventFd::new().unwrap();
    ended.raise();
    for id in 1..=2 {
        let header = Header { task_id: id, ..Header::new(Kind::Result) };
        replies.write_all(&header.encode(0).unwrap()).unwrap();
    }

    for id in 1..=2 {
        let event =
            link.exchange(&mut Outgoing::nothing(), ended.as_fd(), Wait::default()).unwrap();
        assert!(matches!(event, Event::Frame(frame) if frame.header.task_id == id));
    }

    let event = link.exchange(&mut Outgoing::nothing(), ended.as_fd(), Wait::default()).unwrap();
    assert!(matches!(event, Event::Ended));
}

/// The last words may arrive after the reply pipe was polled and before the worker's end was.
#[test]
fn what_was_written_between_the_two_polls_is_read() {
    let (mut link, ends) = opened().unwrap();
    let mut replies = File::from(ends.replies);
    replies.write_all(&Header::new(Kind::Result).encode(0).unwrap()).unwrap();

    let nothing = &Outgoing::nothing();
    assert!(matches!(link.drain(nothing, Event::Ended).unwrap(), Event::Frame(_)));
    assert!(matches!(link.drain(nothing, Event::Ended).unwrap(), Event::Ended));
}

#[test]
fn a_request_that_nobody_reads_is_known_to_be_unread() {
    let (mut link, ends) = opened().unwrap();
    drop(ends);
    let never = EventFd::new().unwrap();

    let mut outgoing = Outgoing::frame(Header::new(Kind::Task), b"x").unwrap();
    let event = link.exchange(&mut outgoing, never.as_fd(), Wait::default()).unwrap();

    assert!(matches!(event, Event::HungUp));
    assert!(outgoing.is_sent() && link.unread_bytes() > 0);
}
