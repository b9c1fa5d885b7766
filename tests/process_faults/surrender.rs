//! Programs that give up the privileges that they have started their workers with. Each is a copy of this program with
//! a role. Only root can make such programs.

use core::mem::MaybeUninit;
use core::ptr;
use core::time::Duration;
use std::fs::{self, File};
use std::thread::sleep;
use std::time::Instant;

use asyncpal::process::{LostCause, Named, Registry, Within, serve_stdio, worker_command};

use crate::clean::Clean;
use crate::copy::{Copy, NOBODY};
use crate::faults;
use crate::missing::Missing;
use crate::processes::{children, eventually};
use crate::roles::{say, this_file};
use crate::tasks::{cause, own_pid, pool, sleep_long, works};

faults![
    a_host_that_drops_its_privileges_gets_rid_of_its_workers,
    a_command_that_its_host_may_not_kill_is_told_as_such_and_reaped_later,
    a_call_that_a_command_may_still_read_is_given_to_no_other,
];

/// How long nobody waits for what may not be done.
const AT_ONCE: Duration = Duration::from_secs(5);

const LIMIT: Duration = Duration::from_millis(100);

fn become_nobody() {
    // SAFETY: setgid touches no memory.
    assert_eq!(unsafe { libc::setgid(NOBODY) }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setuid(NOBODY) }, 0);
}

/// A worker that has more privileges than its host.
pub(crate) fn drop_privileges() {
    let clean = Clean::before();
    {
        let pool = pool(1);
        let worker = pool.run(own_pid).expect("no panic");
        become_nobody();

        let begun = Instant::now();
        let late = pool.submit(Within::new(LIMIT, sleep_long)).expect("open");
        let late = late.collect().expect_err("late");

        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        assert_eq!(cause(&late), &LostCause::TimedOut(LIMIT));
        assert!(!children().contains(&worker), "it is gone");
        assert!(works(&pool));
    }
    clean.check();
    say("clean");
}

fn a_host_that_drops_its_privileges_gets_rid_of_its_workers() -> Result<(), Missing> {
    let copy = Copy::new("drops", 0o755)?;

    assert_eq!(copy.said("drops-privileges", 0), "clean\n");
    Ok(())
}

const PID: Named<fn() -> u32> = Named::new("pid");
const NAP: Named<fn()> = Named::new("nap");
const STATUS: Named<fn() -> String> = Named::new("status");

/// This program as a command.
pub(crate) fn serve() {
    let registry = Registry::new()
        .function(PID.name(), own_pid)
        .function(NAP.name(), || sleep(Duration::from_secs(1)))
        .function(STATUS.name(), status);
    let _ = serve_stdio(&registry);
}

fn status() -> String {
    fs::read_to_string("/proc/self/status").expect("Linux")
}

/// Whether this child can be reaped. One that is a zombie may have threads left, and cannot yet.
fn has_ended(child: u32) -> bool {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: waitid writes one siginfo_t to the place given.
    assert_eq!(unsafe { libc::waitid(libc::P_PID, child, info.as_mut_ptr(), flags) }, 0);
    // SAFETY: it was zeroed, which is a value of this type, and perhaps overwritten.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills the child fields, or leaves them zero.
    unsafe { info.si_pid() != 0 }
}

/// A command that has more privileges than its host.
pub(crate) fn drop_privileges_before_a_command() {
    let clean = Clean::before();
    {
        let command = worker_command(this_file()).env("ASYNCPAL_TEST_ENDING", "serves");
        let pool = command.pool().max_workers(1).build().expect("valid");
        let worker = pool.submit(PID).expect("open").collect().expect("no panic");
        become_nobody();

        let begun = Instant::now();
        let late = pool.submit(Within::new(LIMIT, NAP)).expect("open").collect().expect_err("late");

        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        assert!(matches!(cause(&late), LostCause::KillRefused(_)), "{late:?}");
        eventually(|| has_ended(worker));
        pool.submit(PID).expect("open").collect().expect("another one");
        assert!(!children().contains(&worker), "it was reaped");
    }
    clean.check();
    say("clean");
}

fn a_command_that_its_host_may_not_kill_is_told_as_such_and_reaped_later() -> Result<(), Missing> {
    let copy = Copy::new("commands", 0o755)?;

    assert_eq!(copy.said("drops-privileges-before-a-command", 0), "clean\n");
    Ok(())
}

/// Greets, hears what it is to do, is ready, hangs up, and reads nothing more until it may go.
const HANGS_UP: &str = r"printf '\020\0\0\0\001\0PA\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    printf '\001\0\0\0\001\0\0\0\0\0\0\0\0\0\0\0'
    head -c 1 >/dev/null
    printf '\0\0\0\0\002\0PA\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    exec >&- 2>&-
    for try in $(seq 2000); do [ -e $1 ] && exit; sleep 0.01; done";

/// A command that has more privileges than its host, and a call in its pipe.
pub(crate) fn drop_privileges_before_a_call() {
    let clean = Clean::before();
    let gate = std::env::temp_dir().join(format!("asyncpal-call-{}", own_pid()));
    {
        let command = worker_command("sh").args(["-c", HANGS_UP, "sh"]).arg(&gate);
        let pool = command.pool().max_workers(1).build().expect("valid");
        pool.spawn_max_workers().expect("open");
        eventually(|| pool.stats().idle_workers == 1);
        become_nobody();

        let error = pool.submit(PID).expect("open").collect().expect_err("it hangs up");

        assert!(matches!(cause(&error), LostCause::KillRefused(_)), "{error:?}");
        let [worker] = children()[..] else { panic!("another one was started: {:?}", children()) };
        File::create(&gate).expect("anybody may");
        eventually(|| has_ended(worker));
        // Its start reaps the other one.
        let serving = worker_command(this_file()).env("ASYNCPAL_TEST_ENDING", "serves").pool();
        serving.build().expect("valid").submit(PID).expect("open").collect().expect("no panic");
    }
    fs::remove_file(gate).expect("it is there");
    clean.check();
    say("clean");
}

fn a_call_that_a_command_may_still_read_is_given_to_no_other() -> Result<(), Missing> {
    let copy = Copy::new("calls", 0o755)?;

    assert_eq!(copy.said("drops-privileges-before-a-call", 0), "clean\n");
    Ok(())
}

/// Workers and commands of a host that blocks and ignores signals have none blocked, and none ignored but what they
/// ignore themselves.
pub(crate) fn mask_signals() {
    let mut all = MaybeUninit::uninit();
    // SAFETY: it writes the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set was written just now; no old one is asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), ptr::null_mut()) };
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGCHLD] {
        // SAFETY: SIG_IGN is a valid disposition.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let commands = worker_command(this_file()).env("ASYNCPAL_TEST_ENDING", "serves").pool();
    let commands = commands.max_workers(1).build().expect("valid");
    let command = commands.submit(STATUS).expect("open").collect().expect("no panic");
    let worker = pool(1).run(status).expect("no panic");
    // Rust's runtime ignores SIGPIPE, a worker what the terminal sends, and a command what would stop it.
    let own = [libc::SIGTTIN, libc::SIGTTOU, libc::SIGINT, libc::SIGQUIT];
    for (status, own) in [(command, &own[..2]), (worker, &own[..])] {
        let mask = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux");
            u64::from_str_radix(line.trim(), 16).expect("a mask")
        };
        let bit = |signal: i32| 1 << (signal - 1);
        assert_eq!(mask("SigBlk:"), 0);
        let ignored = own.iter().fold(bit(libc::SIGPIPE), |mask, &signal| mask | bit(signal));
        // glibc keeps 32 and 33 to itself.
        assert_eq!(mask("SigIgn:") & 0x7fff_ffff, ignored);
    }
    say("clean");
}
