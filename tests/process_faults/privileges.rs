//! Programs with privileges that their user does not have. Each is a copy of this program with a role. Only root
//! can make such programs.

use core::ptr;
use std::fs::{self, File, Permissions};
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use asyncpal::ProcessPool;
use asyncpal::process::ProcessOptions;
use asyncpal::process::wire::exit;

use crate::clean::Clean;
use crate::copy::{CAP_CHOWN, CAPABILITIES, Copy, NOBODY};
use crate::faults;
use crate::missing::Missing;
use crate::processes::eventually;
use crate::roles::{all_of, say, this_file};
use crate::tasks::{own_pid, pool, works};

faults![
    a_program_with_its_files_privileges_builds_no_pool,
    a_program_with_its_files_capabilities_builds_no_pool,
    a_program_called_secure_whose_file_gives_no_privileges_has_workers,
    a_program_with_its_files_privileges_obeys_nobody_who_plays_its_parent,
    a_folder_that_may_not_be_entered_is_named,
];

/// Says why no pool can be built.
pub(crate) fn build() {
    match ProcessPool::builder().build() {
        Ok(_) => say("built"),
        Err(error) => say(&all_of(&error)),
    }
}

fn a_program_with_its_files_privileges_builds_no_pool() -> Result<(), Missing> {
    let setuid = Copy::new("setuid", 0o4755)?;

    let said = setuid.said("builds", NOBODY);

    assert!(said.contains("privileges that its user does not have"), "{said}");
    assert_eq!(setuid.said("builds", 0), "built\n", "root has them all the same");
    Ok(())
}

fn a_program_with_its_files_capabilities_builds_no_pool() -> Result<(), Missing> {
    let copy = Copy::new("capable", 0o755)?;
    copy.empower(CAP_CHOWN);

    let said = copy.said("builds", NOBODY);

    assert!(said.contains("privileges that its user does not have"), "{said}");
    Ok(())
}

/// Has workers as soon as nothing but the kernel's word is left of its privileges.
pub(crate) fn build_when_plain() {
    let (path, name) = (c"/proc/self/exe", CAPABILITIES);
    // SAFETY: both strings end with a zero byte; with no room it writes nothing.
    let length = || unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), ptr::null_mut(), 0) };
    eventually(|| length() < 0);
    // SAFETY: getauxval has no preconditions.
    assert_eq!(unsafe { libc::getauxval(libc::AT_SECURE) }, 1);
    let clean = Clean::before();
    assert!(works(&pool(2)));
    clean.check();
    say("clean");
}

fn a_program_called_secure_whose_file_gives_no_privileges_has_workers() -> Result<(), Missing> {
    let copy = Copy::new("secure", 0o755)?;
    // The kernel calls a program secure even for none.
    copy.empower(0);
    let mut program = copy.plays("builds-when-its-file-is-plain");
    let host = program.uid(NOBODY).gid(NOBODY).stdout(Stdio::piped()).spawn().expect("it starts");

    copy.disempower();

    let output = host.wait_with_output().expect("it ends");
    assert_eq!(output.stdout, b"clean\n", "{output:?}");
    Ok(())
}

fn a_program_with_its_files_privileges_obeys_nobody_who_plays_its_parent() -> Result<(), Missing> {
    let setuid = Copy::new("marked", 0o4755)?;
    let [requests, replies, lifeline] = [(); 3].map(|()| pipe());
    let ends = [&requests.0, &replies.1, &lifeline.0].map(|end| end.as_raw_fd());
    let mut program = setuid.plays("builds");
    program.env("ASYNCPAL_WORKER", "1").uid(NOBODY).gid(NOBODY);
    program.stdout(Stdio::null()).stderr(Stdio::piped());
    let give_ends = move || {
        // SAFETY: fcntl and dup2 touch no memory.
        let aside = ends.map(|end| unsafe { libc::fcntl(end, libc::F_DUPFD_CLOEXEC, 100) });
        for (end, number) in aside.into_iter().zip(3..) {
            // SAFETY: as above.
            unsafe { libc::dup2(end, number) };
        }
        Ok(())
    };
    // SAFETY: it does what a forked child may do.
    unsafe { program.pre_exec(give_ends) };

    let started = program.spawn().expect("it starts");
    drop((requests, replies.1));
    let mut said = Vec::new();
    File::from(replies.0).read_to_end(&mut said).expect("readable");
    let ended = started.wait_with_output().expect("it ends");

    assert_eq!(said, [], "a worker's first words");
    assert_eq!(ended.status.code(), Some(exit::NO_PARENT), "{ended:?}");
    let why = String::from_utf8_lossy(&ended.stderr);
    assert!(why.contains("privileges that its user does not have"), "{why}");
    Ok(())
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [-1; 2];
    // SAFETY: it writes two descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: pipe2 has just made them.
    let [reader, writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    (reader, writer)
}

/// Says why no worker starts in root's folder.
pub(crate) fn enter() {
    let closed = this_file().with_extension("closed");
    let pool = ProcessOptions::new().current_dir(closed).pool().max_workers(1).build();
    let pool = pool.expect("valid");
    say(&all_of(&pool.run(own_pid).expect_err("it may not go there")));
}

fn a_folder_that_may_not_be_entered_is_named() -> Result<(), Missing> {
    let copy = Copy::new("enters", 0o755)?;
    let closed = copy.0.with_extension("closed");
    fs::create_dir(&closed).expect("there is room");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("it is root's");

    let said = copy.said("enters", NOBODY);

    let _ = fs::remove_dir(&closed);
    assert!(said.contains(closed.to_str().expect("text")), "{said}");
    Ok(())
}
