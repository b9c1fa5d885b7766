//! Hosts that are killed, leave without a word, or have signals and descriptors that are not as usual. Each is this
//! program with a role; what it does is in `roles`.

use core::time::Duration;
use std::process::{Command, Output};
use std::thread::{self, sleep};
use std::{fs, process};

use asyncpal::process::{ProcessOptions, WorkerLimits};

use crate::clean::{bury_any_orphans, bury_orphans};
use crate::faults;
use crate::missing::Missing;
use crate::processes::{children_of, eventually, lives};
use crate::program::{Ended, Program};
use crate::roles::say;
use crate::tasks::{own_pid, signal, signal_group, works};

faults![
    workers_busy_and_idle_end_with_a_parent_that_is_killed,
    workers_in_their_handshake_end_with_a_parent_that_is_killed,
    workers_end_with_a_parent_that_leaves_without_shutdown,
    workers_end_with_a_parent_whose_grace_is_over,
    ctrl_c_ends_a_host_and_its_workers,
    ctrl_c_is_the_hosts_to_decide_on,
    an_ignored_sigchld_costs_no_more_than_a_status,
    a_host_that_waits_for_any_child_costs_no_more_than_a_status,
    a_host_with_sigpipe_as_it_is_by_default_survives_its_workers,
    a_descriptor_table_nearly_full_fails_tasks_with_a_cause,
    a_program_whose_file_was_deleted_starts_workers,
    a_program_whose_file_was_replaced_starts_workers,
    a_program_whose_main_thread_has_ended_starts_workers,
    megabytes_that_a_task_prints_disturb_nothing,
    a_limit_of_descriptors_that_is_lowered_costs_tasks_and_no_processor,
    a_command_of_a_host_that_blocks_signals_has_none_blocked,
    a_world_without_null_is_told_as_such,
    a_program_that_the_loader_was_asked_to_run_builds_no_pool,
];

/// Plays a role that says "ready" and goes on for as long as it is let.
fn ready(role: &str) -> Program {
    let mut host = Program::start(role);
    host.expect("ready").expect("it is");
    host
}

/// A kill that takes longer than this has not happened.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The same on a machine that has no time for it; what would end a worker otherwise takes longer.
const AT_LAST: Duration = Duration::from_secs(15);

/// Waits for the end of a host, and for those of its workers, who have its output, too. There were so many.
fn ends_with_workers(host: Program, workers: usize) -> Ended {
    let ended = host.finish().expect("it ends");
    ended.check_time(Duration::ZERO, AT_LAST).expect("its workers end with it");
    bury_orphans(workers);
    ended
}

fn workers_busy_and_idle_end_with_a_parent_that_is_killed() {
    let took = (0..3).map(|_| {
        let host = ready("busy-and-idle");

        signal(host.id(), libc::SIGKILL);

        let ended = ends_with_workers(host, 2);
        ended.check_signal(libc::SIGKILL, &[]).expect("killed");
        ended.took
    });

    // The machine may have other things to do, but not each time.
    let least = took.min().expect("three");
    println!("its workers ended {least:.2?} after it, at best");
    assert!(least < AT_ONCE, "{least:?}");
}

fn workers_in_their_handshake_end_with_a_parent_that_is_killed() {
    for round in 0..20 {
        let host = ready("starts-workers");
        // It starts four, whose initializers never end: this is somewhere in the midst.
        sleep(Duration::from_micros(round * 777));

        signal(host.id(), libc::SIGKILL);

        let ended = host.finish().expect("it ends");
        ended.check_time(Duration::ZERO, AT_LAST).expect("its workers end with it");
        ended.check_signal(libc::SIGKILL, &[]).expect("killed");
        bury_any_orphans();
    }
}

fn workers_end_with_a_parent_that_leaves_without_shutdown() {
    let host = ready("leaves");

    ends_with_workers(host, 2).check(3, &[]).expect("its own code");
}

fn workers_end_with_a_parent_whose_grace_is_over() {
    let host = ready("returns");

    let ended = host.finish().expect("it ends");
    ended.check(0, &[]).expect("success");
    ended.check_time(Duration::ZERO, Duration::from_secs(15)).expect("its grace is short");
    bury_orphans(1);
}

fn ctrl_c_ends_a_host_and_its_workers() {
    let host = ready("in-a-group");

    signal_group(host.id(), libc::SIGINT);

    ends_with_workers(host, 2).check_signal(libc::SIGINT, &[]).expect("as by default");
}

fn ctrl_c_is_the_hosts_to_decide_on() {
    let mut host = ready("in-a-group-and-patient");
    // The worker's group, too: in the foreground or not, it does not end a worker.
    host.expect("worker").expect("it says whose");
    let workers = children_of(host.id());
    assert_eq!(workers.len(), 1, "{workers:?}");

    signal_group(host.id(), libc::SIGINT);
    signal_group(workers[0].pid, libc::SIGINT);
    signal(host.id(), libc::SIGUSR1);

    host.finish().expect("it ends").check(0, &["42", "clean"]).expect("the task went on");
}

pub(crate) fn plays(role: &str) {
    Program::start(role).finish().expect("it ends").check(0, &["clean"]).expect("all is well");
}

fn an_ignored_sigchld_costs_no_more_than_a_status() {
    plays("sigchld-ignored");
}

fn a_host_that_waits_for_any_child_costs_no_more_than_a_status() {
    plays("thief");
}

fn a_host_with_sigpipe_as_it_is_by_default_survives_its_workers() {
    plays("sigpipe-default");
}

fn a_descriptor_table_nearly_full_fails_tasks_with_a_cause() {
    plays("descriptors");
}

/// Plays a role in a copy of this program, which the role does away with.
fn plays_in_a_copy(role: &str) {
    let this = std::env::current_exe().expect("a test program has a path");
    let copy = this.with_extension(role);
    fs::copy(this, &copy).expect("there is room");

    let output = play(Command::new(&copy), role);

    let _ = fs::remove_file(copy);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said == "clean\n", "{output:?}");
}

/// Reads both outputs at once, as they come.
fn play(mut host: Command, role: &str) -> Output {
    host.env("ASYNCPAL_TEST_ENDING", role).output().expect("it starts")
}

fn a_program_whose_file_was_deleted_starts_workers() {
    plays_in_a_copy("deleted");
}

fn a_program_whose_file_was_replaced_starts_workers() {
    plays_in_a_copy("replaced");
}

/// Its own `/proc/self` is that of a zombie.
pub(crate) fn end_main_thread() {
    let others = thread::spawn(|| {
        eventually(|| !lives(own_pid()));
        let limits = WorkerLimits::new().oom_score_adj(500);
        let options = ProcessOptions::new().worker_limits(limits).max_worker_rss(1 << 40);
        let pool = options.pool().max_workers(2).build().expect("it has an executable");
        assert!(works(&pool));
        drop(pool);
        say("clean");
        process::exit(0);
    });
    drop(others);
    // SAFETY: nothing of this thread is used by others, and nothing is to be dropped.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

fn a_program_whose_main_thread_has_ended_starts_workers() {
    plays("ends-its-main-thread");
}

fn megabytes_that_a_task_prints_disturb_nothing() {
    let this = std::env::current_exe().expect("a test program has a path");

    let output = play(Command::new(this), "prints");

    assert!(output.status.success(), "{:?}", output.status);
    let count = |bytes: &[u8], what| bytes.iter().filter(|&&byte| byte == what).count();
    assert_eq!(count(&output.stdout, b'~'), 4 << 20);
    assert_eq!(count(&output.stderr, b'#'), 4 << 20);
    assert!(output.stdout.ends_with(b"clean\n"));
}

fn a_limit_of_descriptors_that_is_lowered_costs_tasks_and_no_processor() {
    plays("lowered-limit");
}

fn a_command_of_a_host_that_blocks_signals_has_none_blocked() {
    plays("masks-signals");
}

fn a_world_without_null_is_told_as_such() -> Result<(), Missing> {
    let ended = Program::start("without-null").finish().expect("it ends");

    if ended.stdout == "refused\n" {
        return Err(Missing::World);
    }
    assert!(ended.stdout.contains("/dev/null"), "{ended:?}");
    Ok(())
}

fn a_program_that_the_loader_was_asked_to_run_builds_no_pool() -> Result<(), Missing> {
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux");
    let mut files = maps.lines().filter_map(|line| Some(&line[line.find('/')?..]));
    let loader = files.find(|file| file.contains("/ld-")).ok_or(Missing::Loader)?;
    let mut host = Command::new(loader);
    host.arg(std::env::current_exe().expect("a test program has a path"));

    let output = play(host, "builds");

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("/proc/self/exe is not this program"), "{output:?}");
    assert!(said.contains(loader), "{said}");
    Ok(())
}
