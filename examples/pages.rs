//! Loads web pages concurrently, each within a time limit, and reports each as it is done.
//!
//! Without arguments it loads files of this repository from a server of its own, and one page from
//! a host that does not exist, so that it runs without a network: `cargo run --example pages`.

use core::error::Error;
use core::time::Duration;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use asyncpal::{TaskError, ThreadPool, as_done};
use clap::{Parser, value_parser};
use tiny_http::{Response, Server};
use ureq::{Agent, Proxy};

const NOWHERE: &str = "http://nonexistent.invalid/";
const FILES: [&str; 4] = ["README.md", "Cargo.toml", "src/lib.rs", "examples/pages.rs"];

/// Load web pages concurrently and report each as it is done.
#[derive(Parser)]
#[command(name = "pages")]
struct Arguments {
    /// Give up on a page after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    timeout: u32,

    /// Pages to load, by plain http [default: files of this repository, served on loopback, and a
    /// page of a host that does not exist]
    #[arg(value_name = "URL")]
    urls: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    run(arguments).unwrap_or_else(|error| {
        eprintln!("pages: {error}");
        ExitCode::FAILURE
    })
}

fn run(Arguments { timeout, mut urls }: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let demonstration = urls.is_empty();
    if demonstration {
        urls = serve_files()?;
        urls.push(NOWHERE.to_owned());
    }
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(timeout.into())))
        // A proxy would look for our server on its own loopback.
        .proxy(if demonstration { None } else { Proxy::try_from_env() })
        .build()
        .into();

    // Start the loads and note the URL of each.
    let pool = ThreadPool::builder().name("pages").build()?;
    let mut handles = Vec::new();
    let mut url_of_task = HashMap::new();
    for url in urls {
        let (agent, page) = (agent.clone(), url.clone());
        let handle = pool.submit_fallible(move || load(&agent, &page))?;
        url_of_task.insert(handle.task_id(), url);
        handles.push(handle);
    }

    let mut all_well = true;
    let mut out = io::stdout().lock();
    for handle in as_done(handles) {
        let url = &url_of_task[&handle.task_id()];
        match handle.collect() {
            Ok(bytes) => writeln!(out, "{url:?} page is {bytes} bytes")?,
            Err(error) => {
                let reason: Box<dyn Error> = match error {
                    TaskError::Failed(of_load) => of_load,
                    other => other.into(),
                };
                writeln!(out, "{url:?} failed: {reason}")?;
                all_well &= demonstration && url == NOWHERE;
            }
        }
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Loads one page and returns its size in bytes.
fn load(agent: &Agent, url: &str) -> Result<u64, ureq::Error> {
    let mut response = agent.get(url).call()?;
    let bytes = io::copy(&mut response.body_mut().as_reader(), &mut io::sink())?;
    Ok(bytes)
}

/// Serves files of this repository on loopback until the program ends; returns their URLs.
fn serve_files() -> Result<Vec<String>, Box<dyn Error>> {
    let server = Server::http("127.0.0.1:0").map_err(|error| error as Box<dyn Error>)?;
    let site = format!("http://{}/", server.server_addr());
    let urls = FILES.iter().map(|file| format!("{site}{file}")).collect();
    thread::spawn(move || {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        for request in server.incoming_requests() {
            let file = FILES.iter().find(|file| request.url().strip_prefix('/') == Some(**file));
            let page = file.and_then(|file| fs::read(repository.join(file)).ok());
            // A client that hung up gets no answer, and none is missed.
            let _ = match page {
                Some(page) => request.respond(Response::from_data(page)),
                None => request.respond(Response::empty(404)),
            };
        }
    });
    Ok(urls)
}
