//! Pools over launchers, for real: `ssh` to a server on loopback that the tests start, and `srun` where there is a
//! Slurm. The worker is this test program. What is missing is skipped, or a failure if [`DEMANDED`] names it.

#[path = "common/processes.rs"]
mod processes;
#[path = "worker_command/worker.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod worker;

use core::net::Ipv4Addr;
use core::time::Duration;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Instant;
use std::{env, error};

use asyncpal::TaskError;
use asyncpal::process::worker_command;
use asyncpal::process::{CommandPool, LostCause, RemoteError, WorkerCommand, WorkerLost};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use processes::{children, eventually, lives};
use worker::*;

/// The variable that lists which launchers must be there.
const DEMANDED: &str = "ASYNCPAL_TEST_LAUNCHERS";
const SSHD: &str = "/usr/sbin/sshd";

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(SERVE) {
        return serve();
    }
    let mut arguments = Arguments::from_args();
    // They count the program's children.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials()).exit_code()
}

macro_rules! trials {
    ($($launcher:ident: $($name:ident)*;)*) => {
        fn trials() -> Vec<Trial> {
            vec![$($(trial(stringify!($launcher), stringify!($name), $name)),*),*]
        }
    };
}

trials! {
    ssh:
        a_pool_works_over_ssh
        a_megabyte_travels_over_ssh_and_back
        errors_and_panics_arrive_over_ssh
        a_worker_that_exits_over_ssh_is_lost_with_its_code
        a_worker_killed_over_ssh_fails_its_task_and_no_other
        a_killed_ssh_is_a_lost_worker_and_the_far_one_ends_after_its_task
        a_refused_login_is_told_with_the_exit_code_of_ssh
        what_the_far_shell_prints_is_told
        a_closed_pool_leaves_nobody_at_the_other_end
        a_far_host_that_never_answers_is_given_up;
    srun:
        a_pool_works_over_srun
        a_worker_that_exits_over_srun_is_lost_with_its_code
        a_closed_pool_leaves_no_step_of_srun;
}

fn trial(launcher: &'static str, name: &str, test: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Some(missing) = missing(launcher) {
            let demanded = env::var(DEMANDED).unwrap_or_default();
            if demanded.split(',').any(|demanded| demanded == launcher) {
                return Err(Failed::from(missing));
            }
            return Ok(Completion::ignored_with(missing));
        }
        test();
        assert_eq!(children(), [], "no child is left, zombie or not");
        Ok(Completion::Completed)
    })
}

/// What is missing for tests of this launcher.
fn missing(launcher: &str) -> Option<String> {
    let runs = |program, argument| {
        let run = Command::new(program).arg(argument).stdin(Stdio::null()).output();
        run.is_ok_and(|output| output.status.success())
    };
    if launcher == "ssh" {
        if !Path::new(SSHD).exists() {
            return Some(format!("there is no {SSHD}"));
        }
        return (!runs("ssh", "-V")).then(|| String::from("there is no ssh"));
    }
    (!runs("sinfo", "--noheader")).then(|| String::from("there is no Slurm that answers"))
}

/// An ssh server on loopback, with keys of its own.
struct Server {
    dir: PathBuf,
    port: u16,
    sshd: Child,
}

impl Server {
    fn start() -> Self {
        let dir = env::temp_dir().join(format!("asyncpal-ssh-{}", process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("writable");
        for key in ["host", "user", "stranger"] {
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-f"];
            let status = Command::new("ssh-keygen").args(arguments).arg(dir.join(key)).status();
            assert!(status.expect("it starts").success());
        }
        // Where it separates privileges, as root; otherwise it does not.
        let _ = fs::create_dir_all("/run/sshd");
        loop {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = free.local_addr().expect("bound").port();
            drop(free);
            // Somebody else may take it meanwhile.
            if let Some(sshd) = Self::listen(&dir, port) {
                return Self { dir, port, sshd };
            }
        }
    }

    fn listen(dir: &Path, port: u16) -> Option<Child> {
        let at = dir.display();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\n\
             AuthorizedKeysFile {at}/user.pub\nStrictModes no\nUsePAM no\nPidFile none\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n"
        );
        fs::write(dir.join("sshd_config"), configuration).expect("writable");
        let log = File::create(dir.join("log")).expect("writable");
        let mut sshd = Command::new(SSHD);
        sshd.args(["-D", "-e", "-f"]).arg(dir.join("sshd_config"));
        let mut sshd = sshd.stdin(Stdio::null()).stderr(log).spawn().expect("it starts");
        let begun = Instant::now();
        loop {
            if sshd.try_wait().expect("it is ours").is_some() {
                return None;
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Some(sshd);
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "sshd does not listen");
            sleep(Duration::from_millis(5));
        }
    }

    /// `ssh` to this server with this key, before the command that it is to run there.
    fn ssh(&self, key: &str) -> WorkerCommand {
        worker_command("ssh")
            .args(["-F", "none", "-p", &self.port.to_string(), "-i"])
            .arg(self.dir.join(key))
            .args(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .arg("127.0.0.1")
    }

    /// This program behind `ssh`.
    fn worker(&self) -> WorkerCommand {
        self.ssh("user").arg(there())
    }

    fn pool(&self) -> CommandPool {
        self.worker().pool().max_workers(1).build().expect("valid")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The command that makes a worker of this program, for a shell.
fn there() -> String {
    let this = env::current_exe().expect("a test program has a path");
    format!("'{}' {SERVE}", this.display())
}

fn a_pool_works_over_ssh() {
    let server = Server::start();
    let pool = server.worker().pool().max_workers(3).build().expect("valid");

    let squares: Result<Vec<_>, _> = pool.map(SQUARE, 0..300).chunk_size(10).collect();
    let words = ["a", "b"].map(String::from).to_vec();
    let joined = pool.submit_with(JOIN, (words, '-')).expect("open").collect();

    assert!(squares.expect("no panic").into_iter().eq((0..300).map(|n| n * n)));
    assert_eq!(joined.expect("no panic"), "a-b");
    assert!(pool.count_workers() > 1, "several hosts' worth of workers");
}

fn a_megabyte_travels_over_ssh_and_back() {
    let server = Server::start();
    let pool = server.pool();

    let text = "x".repeat(1 << 20);
    let there = pool.submit_with(JOIN, (vec![text.clone(), text.clone()], '+')).expect("open");

    assert_eq!(there.collect().expect("no panic"), [&*text, &*text].join("+"));
}

fn errors_and_panics_arrive_over_ssh() {
    let server = Server::start();
    let pool = server.pool();
    let before = pid(&pool);

    let error = pool.submit_with(PARSE, ("300".into(),)).expect("open").collect();
    let panic = pool.submit_with(BURN, ("bread".into(),)).expect("open").collect();

    let (error, panic) = (error.expect_err("out of range"), panic.expect_err("it panicked"));
    assert!(find::<RemoteError>(&error).message().contains("too large"));
    assert!(find::<RemoteError>(&panic).is_panic());
    assert_eq!(find::<RemoteError>(&panic).worker_pid(), before, "the far one, not ssh");
    assert_eq!(pid(&pool), before);
}

fn a_worker_that_exits_over_ssh_is_lost_with_its_code() {
    let server = Server::start();
    let pool = server.pool();

    for code in [0, 3] {
        let error = pool.submit_with(EXIT, (code,)).expect("open").collect();

        let error = error.expect_err("it is gone");
        assert_eq!(lost(&error).cause(), &LostCause::Exited(code));
    }
}

fn a_worker_killed_over_ssh_fails_its_task_and_no_other() {
    let server = Server::start();
    let pool = server.pool();
    let victim = pid(&pool);
    let has_begun = path("far-killed");
    let begun = pool.submit_with(BEGIN, (has_begun.clone(),)).expect("open");
    let next = pool.submit_with(SQUARE, (3,)).expect("open");
    eventually(|| fs::remove_file(&has_begun).is_ok());

    kill(victim);

    let error = begun.collect().expect_err("its worker is gone");
    // What ssh says when the far command was killed by a signal.
    assert_eq!(lost(&error).cause(), &LostCause::Exited(255));
    assert_eq!(next.collect().expect("another worker's"), 9);
}

fn a_killed_ssh_is_a_lost_worker_and_the_far_one_ends_after_its_task() {
    let server = Server::start();
    let pool = server.pool();
    let far = pid(&pool);
    let napping = pool.submit_with(NAP, (200,)).expect("open");
    eventually(|| !napping.is_pending());
    let ssh = children().into_iter().find(|&child| child != server.sshd.id());

    kill(ssh.expect("it carries the task"));

    // The task may be over before.
    if let Err(error) = napping.collect() {
        assert_eq!(lost(&error).cause(), &LostCause::Signal(9));
    }
    eventually(|| !lives(far));
}

fn a_refused_login_is_told_with_the_exit_code_of_ssh() {
    let server = Server::start();
    let pool = server.ssh("stranger").arg(there()).pool().max_workers(1).build().expect("valid");

    let error = pool.submit(PID).expect("open").collect().expect_err("no login");

    assert_eq!(lost(&error).cause(), &LostCause::Exited(255));
}

fn what_the_far_shell_prints_is_told() {
    let server = Server::start();
    let noisy = server.ssh("user").arg(format!("echo 'You have mail.'; {}", there()));
    let pool = noisy.pool().max_workers(1).build().expect("valid");

    let error = pool.submit(PID).expect("open").collect().expect_err("no frame");

    let lost = lost(&error).to_string();
    assert!(lost.contains("it begins with \"You have mail.\\n"), "{lost}");
}

fn a_closed_pool_leaves_nobody_at_the_other_end() {
    let server = Server::start();
    let pool = server.pool();
    let far = pid(&pool);
    assert!(lives(far));

    drop(pool);

    assert_eq!(children(), [server.sshd.id()]);
    eventually(|| !lives(far));
}

/// A host that takes connections and says nothing, as one behind a broken proxy does.
fn a_far_host_that_never_answers_is_given_up() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = silent.local_addr().expect("bound").port().to_string();
    let ssh = worker_command("ssh").args(["-F", "none", "-p", &port, "127.0.0.1"]).arg(there());
    let pool = ssh.handshake_timeout(Duration::from_millis(100)).pool().max_workers(1);
    let pool = pool.build().expect("valid");

    let error = pool.submit(PID).expect("open").collect().expect_err("nobody answers");

    let told = error.to_string();
    assert!(told.contains("not ready within 100ms"), "{told}");
}

/// This program as a step of a Slurm job.
fn srun() -> WorkerCommand {
    let this = env::current_exe().expect("a test program has a path");
    let srun = worker_command("srun").args(["--ntasks=1", "--overlap", "--quiet", "--unbuffered"]);
    srun.arg(this).arg(SERVE)
}

fn a_pool_works_over_srun() {
    let pool = srun().pool().max_workers(2).build().expect("valid");

    let squares: Result<Vec<_>, _> = pool.map(SQUARE, 0..100).chunk_size(10).collect();
    let bytes = pool.submit_with(ZEROS, (1 << 20,)).expect("open").collect();

    assert!(squares.expect("no panic").into_iter().eq((0..100).map(|n| n * n)));
    assert_eq!(bytes.expect("no panic"), vec![0; 1 << 20]);
}

fn a_worker_that_exits_over_srun_is_lost_with_its_code() {
    let pool = srun().pool().max_workers(1).build().expect("valid");

    let error = pool.submit_with(EXIT, (3,)).expect("open").collect().expect_err("it is gone");

    assert_eq!(lost(&error).cause(), &LostCause::Exited(3));
}

fn a_closed_pool_leaves_no_step_of_srun() {
    let pool = srun().pool().max_workers(1).build().expect("valid");
    let far = pid(&pool);
    assert!(lives(far));

    drop(pool);

    eventually(|| !lives(far));
}

fn pid(pool: &CommandPool) -> u32 {
    pool.submit(PID).expect("open").collect().expect("it has one")
}

fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("it starts");
    assert!(status.success());
}

fn lost(error: &TaskError) -> &WorkerLost {
    WorkerLost::of(error).unwrap_or_else(|| panic!("another failure was expected: {error:?}"))
}

fn find<E: error::Error + 'static>(error: &TaskError) -> &E {
    error.downcast_ref().unwrap_or_else(|| panic!("another failure was expected: {error:?}"))
}
