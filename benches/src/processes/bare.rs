//! Two pipes and a child that blocks on them: the least that bytes to a process and back can take without spinning.

use std::env;
use std::io::{self, Read, Write};
use std::process::{self, Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Instant;

use super::children;
use super::jobs::idle_memory::{PROPORTIONAL, RESIDENT};
use super::jobs::killed::{kill_process, millis};
use super::jobs::latency::{PAYLOAD, number_of, payload};
use super::jobs::payloads::MIB;
use super::{Load, Measure};
use crate::timing::{PAUSE, median, p50, p50_of_questions};

/// The first argument of a process that is to be the far end; the second is the size of a payload.
const FAR_END: &str = "bare-far-end";

/// Where this process was started as the far end, echoes until the pipe is closed and does not return.
pub(crate) fn become_worker() {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some(FAR_END) {
        return;
    }
    let bytes = arguments.next().and_then(|bytes| bytes.parse().ok()).expect("a size");
    let mut payload = vec![0; bytes];
    let (mut requests, mut replies) = (io::stdin().lock(), io::stdout().lock());
    while requests.read_exact(&mut payload).is_ok() {
        let written = replies.write_all(&payload).and_then(|()| replies.flush());
        written.expect("the near end reads");
    }
    process::exit(0);
}

struct NearEnd {
    child: Child,
    requests: ChildStdin,
    replies: ChildStdout,
}

impl NearEnd {
    fn new(bytes: usize) -> Self {
        let mut child = Command::new("/proc/self/exe")
            .args([FAR_END, &bytes.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let requests = child.stdin.take().expect("a pipe");
        let replies = child.stdout.take().expect("a pipe");
        Self { child, requests, replies }
    }

    fn echo(&mut self, mut payload: Vec<u8>) -> Vec<u8> {
        self.requests.write_all(&payload).expect("the far end reads");
        self.replies.read_exact(&mut payload).expect("the far end writes");
        payload
    }

    fn end(mut self) {
        drop(self.requests);
        self.child.wait().expect("the far end ends");
    }
}

/// One payload at a time, whatever the number of workers.
pub(crate) fn measure(measure: Measure, load: &Load) -> Option<f64> {
    match measure {
        Measure::HotRun { .. } | Measure::HotSubmit { .. } => {
            Some(round_trips(load.round_trips, || ()))
        }
        Measure::Idle => Some(round_trips(load.pauses, || thread::sleep(PAUSE))),
        Measure::Mebibytes { .. } => Some(mebibytes(load.mebibytes)),
        Measure::Payload { bytes } => {
            let mut near = NearEnd::new(bytes);
            let micros = echoes(&mut near, bytes, load.payloads);
            near.end();
            Some(micros)
        }
        Measure::Cold { .. } => Some(p50(load.starts, || (), start) / 1e3),
        Measure::Killed => median((0..load.kills).map(|_| killed()).collect()),
        Measure::ProportionalMemory => Some(memory(PROPORTIONAL)),
        Measure::ResidentMemory => Some(memory(RESIDENT)),
        Measure::Throughput { .. } | Measure::Map { .. } => None,
    }
}

fn round_trips(repetitions: usize, mut prepare: impl FnMut()) -> f64 {
    let mut near = NearEnd::new(PAYLOAD);
    let mut trip = |number| number_of(&near.echo(payload(PAYLOAD, number)));
    p50(1 + repetitions / 5, &mut prepare, &mut trip);
    let micros = p50(repetitions, prepare, trip);
    near.end();
    micros
}

fn echoes(near: &mut NearEnd, bytes: usize, payloads: usize) -> f64 {
    let mut trips = |payloads| {
        let question = |number| payload(bytes, number);
        p50_of_questions(payloads, question, |p| near.echo(p), |p| number_of(&p))
    };
    trips(3);
    trips(payloads)
}

fn mebibytes(payloads: usize) -> f64 {
    let mut near = NearEnd::new(MIB);
    let payloads: Vec<_> = (0..payloads as u64).map(|number| payload(MIB, number)).collect();
    let begun = Instant::now();
    for (number, payload) in (0..).zip(payloads) {
        assert_eq!(number_of(&near.echo(payload)), number, "the payload comes back");
    }
    let elapsed = begun.elapsed();
    near.end();
    millis(elapsed)
}

fn start(number: u64) -> u64 {
    let mut near = NearEnd::new(PAYLOAD);
    let answer = number_of(&near.echo(payload(PAYLOAD, number)));
    near.end();
    answer
}

/// Until the pipe of replies has ended.
fn killed() -> f64 {
    let mut near = NearEnd::new(PAYLOAD);
    near.echo(payload(PAYLOAD, 0));
    let at = kill_process(near.child.id().into());
    let end = near.replies.read(&mut [0]).expect("the end of the pipe");
    let noticed = Instant::now();
    assert_eq!(end, 0, "nothing was asked");
    near.end();
    millis(noticed - at)
}

fn memory(line: &str) -> f64 {
    let mut near = NearEnd::new(PAYLOAD);
    near.echo(payload(PAYLOAD, 0));
    let mebibytes = children::mebibytes(line);
    near.end();
    mebibytes
}
