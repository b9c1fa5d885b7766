//! What a worker finds around itself.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use std::process::Command;

use asyncpal_process::proxy::{Launch, Proxy};

use super::{Trials, call, launch, trials};

pub(crate) fn trials() -> Trials {
    trials![
        the_marker_is_gone_and_the_environment_is_inherited,
        a_worker_is_named_and_leads_its_group,
        signals_are_reset_and_those_of_the_terminal_ignored,
        leaked_descriptors_are_closed_and_its_own_are_not_inherited,
        standard_input_is_empty,
        a_worker_can_have_workers,
        a_program_whose_file_is_gone_can_start_workers,
    ]
}

fn the_marker_is_gone_and_the_environment_is_inherited() {
    let mut proxy = launch();

    let marker = call(&mut proxy, || std::env::var("ASYNCPAL_WORKER").is_ok(), ());
    let path = call(&mut proxy, || std::env::var("PATH").ok(), ());

    assert!(!marker);
    assert_eq!(path, std::env::var("PATH").ok());
}

fn read(path: String) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn a_worker_is_named_and_leads_its_group() {
    let mut proxy = Proxy::launch(&Launch::new("köchin-7 with a long name")).unwrap();

    assert!(call(&mut proxy, read, ("/proc/self/comm".into(),)).starts_with("köchin-7 with"));
    let arguments = call(&mut proxy, read, ("/proc/self/cmdline".into(),));
    assert_eq!(arguments, "köchin-7 with a long name\0");
    // SAFETY: getpgrp has no preconditions.
    let group = call(&mut proxy, || unsafe { libc::getpgrp() }, ());
    assert_eq!(group.unsigned_abs(), proxy.pid());
}

fn signals_are_reset_and_those_of_the_terminal_ignored() {
    // SAFETY: SIG_IGN is a valid disposition, and nothing here relies on the signal.
    unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };

    let status = call(&mut launch(), read, ("/proc/self/status".into(),));

    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGUSR1, libc::SIG_DFL) };
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    // glibc keeps 32 and 33 to itself, also from a reset.
    let ignored = mask("SigIgn:") & 0x7fff_ffff;
    let bit = |signal: i32| 1_u64 << (signal - 1);
    let expected = bit(libc::SIGINT) | bit(libc::SIGQUIT) | bit(libc::SIGTTIN) | bit(libc::SIGTTOU);
    // Rust's runtime ignores SIGPIPE.
    assert_eq!(ignored, expected | bit(libc::SIGPIPE));
    assert_eq!(mask("SigBlk:"), 0);
}

fn own_descriptors() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    targets.map(|target| target.display().to_string()).collect()
}

fn inherited_by_a_program() -> String {
    let output = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn leaked_descriptors_are_closed_and_its_own_are_not_inherited() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let file = std::fs::File::open(manifest).unwrap();
    // SAFETY: the descriptor is open, and dup touches no memory. The copy is not close-on-exec.
    let leaking = unsafe { libc::dup(file.as_raw_fd()) };
    // SAFETY: dup has just returned it.
    let _leaking = unsafe { OwnedFd::from_raw_fd(leaking) };
    let mut proxy = launch();

    let own = call(&mut proxy, own_descriptors, ());
    let inherited = call(&mut proxy, inherited_by_a_program, ());

    assert!(!own.iter().any(|target| target.ends_with("Cargo.toml")), "{own:?}");
    // "lrwx… 1 … 2 -> /what it leads to"
    let links = inherited.lines().filter_map(|line| line.split_once(" -> "));
    let numbers: Vec<&str> =
        links.filter_map(|(link, _)| link.split_whitespace().next_back()).collect();
    // 3 is the directory that the program lists.
    assert_eq!(numbers, ["0", "1", "2", "3"], "{inherited}");
}

fn standard_input_is_empty() {
    let text = call(&mut launch(), || std::io::read_to_string(std::io::stdin()).unwrap(), ());

    assert_eq!(text, "");
}

fn ask_another(value: u32) -> u32 {
    call(&mut launch(), |value: u32| value * 2, (value,)) + 1
}

fn a_worker_can_have_workers() {
    assert_eq!(call(&mut launch(), ask_another, (20,)), 41);
}

/// Tells this program to delete its own file.
pub(crate) const DELETED: &str = "ASYNCPAL_TEST_DELETED";

/// Starts a worker after the program's file was deleted.
pub(crate) fn be_deleted() {
    let path = std::env::current_exe().unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(call(&mut launch(), ask_another, (20,)), 41);
}

fn a_program_whose_file_is_gone_can_start_workers() {
    let own = std::env::current_exe().unwrap();
    let copy = own.with_extension("copy");
    std::fs::copy(own, &copy).unwrap();

    let status = Command::new(&copy).env(DELETED, "1").status().unwrap();

    assert!(status.success());
    assert!(!copy.exists());
}
