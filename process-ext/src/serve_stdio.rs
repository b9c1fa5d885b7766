//! A worker of another program: serves a registry over its standard input and output.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use crate::registry::Registry;
use crate::sys::worker;
use crate::wire::exit;
use crate::wire::frame::{Frame, Header, Kind};
use crate::wire::message::{Hello, PROTOCOL_VERSION};
use crate::wire::named::{Form, Start, split_call};
use crate::worker_main::{Answer, Bench, Link, Stop, complain, exit_code, out_of_turn};

/// Makes this process a worker of a [`CommandPool`](crate::CommandPool): it serves these functions over its standard
/// input and output until the pool closes it or is gone. Returns the exit code for `main`.
///
/// Meanwhile functions find nothing on standard input, and what they print goes to standard error: nothing can come
/// between the frames. SIGTTIN and SIGTTOU are ignored from then on: no terminal stops the worker. A panic of a
/// function is its task's failure, and the worker goes on.
///
/// Call it before anything is printed and before other threads run.
///
/// # Examples
///
/// ```no_run
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use std::process::ExitCode;
/// use asyncpal::process::{Registry, serve_stdio};
///
/// fn main() -> ExitCode {
///     serve_stdio(&Registry::new().function("square", |n: u64| n * n))
/// }
/// ```
pub fn serve_stdio(registry: &Registry) -> ExitCode {
    let code = match worker::adopt_stdio() {
        Ok(worker::Ends { requests, replies }) => {
            exit_code(serve(registry, Link::new(requests, replies)))
        }
        Err(error) => {
            complain(format_args!("this program is a worker, but: {error}"));
            exit::NO_PARENT
        }
    };
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

fn serve(registry: &Registry, mut link: Link) -> Result<(), Stop> {
    // Without a build: no offset means anything here.
    let hello = Hello { version: PROTOCOL_VERSION, pid: std::process::id(), build: Vec::new() };
    link.send(Header::new(Kind::Hello), &hello.encode())?;
    let Some(frame) = link.receive()? else { return Ok(()) };
    if frame.header.kind != Kind::Start {
        return Err(out_of_turn(&frame));
    }
    let start = Start::decode(&frame.body)?;
    worker::set_process_name(&start.name);
    let mut server = Server { registry, bench: Bench::new(link.set_limit(start.max_frame_bytes)) };

    if let Some(initializer) = &start.initializer {
        if let Some((flags, failure)) = server.call(Form::One, initializer, &[]).into_hook_failure()
        {
            let header = Header { flags, ..Header::new(Kind::InitErr) };
            return Ok(link.send(header, &failure.encode())?);
        }
    }
    link.send(Header::new(Kind::Ready), &[])?;
    while let Some(frame) = link.receive()? {
        match frame.header.kind {
            Kind::Call => server.answer(&mut link, &frame)?,
            Kind::Close => break,
            _ => return Err(out_of_turn(&frame)),
        }
    }
    let failed = start
        .finalizer
        .and_then(|finalizer| server.call(Form::One, &finalizer, &[]).into_hook_failure());
    Ok(link.say_bye(failed)?)
}

struct Server<'r> {
    registry: &'r Registry,
    bench: Bench,
}

impl Server<'_> {
    fn answer(&mut self, link: &mut Link, call: &Frame) -> Result<(), Stop> {
        let (form, name, arguments) = split_call(call.header.aux, &call.body)?;
        let answer = self.call(form, name, arguments);
        Ok(self.bench.reply(link, Header { aux: 0, ..call.header }, answer)?)
    }

    fn call(&mut self, form: Form, name: &str, arguments: &[u8]) -> Answer {
        self.bench.run(|output| self.registry.call(form, name, arguments, output))
    }
}
