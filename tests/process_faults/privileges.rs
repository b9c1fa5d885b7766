//! Programs with privileges that their user does not have, and those that give privileges up. Each is a copy of this
//! program with a role, which others may run, too. Only root can make such programs.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr;
use core::time::Duration;
use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use asyncpal::ProcessPool;
use asyncpal::process::wire::exit;
use asyncpal::process::{
    LostCause, Named, ProcessOptions, Registry, Within, serve_stdio, worker_command,
};

use crate::clean::Clean;
use crate::faults;
use crate::missing::Missing;
use crate::processes::{children, eventually};
use crate::roles::{all_of, say, this_file};
use crate::tasks::{cause, own_pid, pool, sleep_long, works};

faults![
    a_program_with_its_files_privileges_builds_no_pool,
    a_program_with_its_files_capabilities_builds_no_pool,
    a_program_called_secure_whose_file_gives_no_privileges_has_workers,
    a_program_with_its_files_privileges_obeys_nobody_who_plays_its_parent,
    a_host_that_drops_its_privileges_gets_rid_of_its_workers,
    a_command_that_its_host_may_not_kill_is_told_as_such_and_reaped_later,
    a_call_that_a_command_may_still_read_is_given_to_no_other,
    a_folder_that_may_not_be_entered_is_named,
];

/// Somebody who has no privileges.
const NOBODY: u32 = 65534;

/// The attribute of a file that has them.
const CAPABILITIES: &CStr = c"security.capability";

/// The first of them, for one.
const CAP_CHOWN: u32 = 1;

/// How long nobody waits for what may not be done.
const AT_ONCE: Duration = Duration::from_secs(5);

const LIMIT: Duration = Duration::from_millis(100);

/// Whether a program in this folder is started, and with its privileges.
fn honours_privileges(folder: &Path) -> bool {
    let path = CString::new(folder.as_os_str().as_bytes()).expect("a path");
    let mut system = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the string ends with a zero byte; statvfs writes one structure to the place given.
    let status = unsafe { libc::statvfs(path.as_ptr(), system.as_mut_ptr()) };
    // SAFETY: it was zeroed, which is a value of this type, and perhaps overwritten.
    let flags = unsafe { system.assume_init() }.f_flag;
    status == 0 && flags & (libc::ST_NOSUID | libc::ST_NOEXEC) == 0
}

/// A copy of this program, which goes with the value.
struct Copy(PathBuf);

impl Copy {
    fn new(test: &str, mode: u32) -> Result<Self, Missing> {
        // SAFETY: geteuid has no preconditions.
        if unsafe { libc::geteuid() } != 0 {
            return Err(Missing::Root);
        }
        let folders = [std::env::temp_dir(), "/var/tmp".into()];
        let folder = folders.into_iter().find(|it| honours_privileges(it)).ok_or(Missing::Root)?;
        let copy = folder.join(format!("asyncpal-{test}-{}", own_pid()));
        fs::copy(this_file(), &copy).expect("there is room");
        fs::set_permissions(&copy, Permissions::from_mode(mode)).expect("it is root's");
        Ok(Self(copy))
    }

    fn plays(&self, role: &str) -> Command {
        let mut command = Command::new(&self.0);
        command.env("ASYNCPAL_TEST_ENDING", role).current_dir("/");
        command
    }

    /// Gives the file these capabilities, which are in effect from the start.
    fn empower(&self, capabilities: u32) {
        // linux/capability.h: VFS_CAP_REVISION_2 with VFS_CAP_FLAGS_EFFECTIVE.
        let value: [u32; 5] = [0x0200_0001, capabilities, 0, 0, 0].map(u32::to_le);
        let (path, name) = (self.path(), CAPABILITIES.as_ptr());
        let bytes = size_of_val(&value);
        // SAFETY: both strings end with a zero byte, and it reads so many bytes of the value.
        let set = unsafe { libc::setxattr(path.as_ptr(), name, value.as_ptr().cast(), bytes, 0) };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
    }

    /// Takes it away again.
    fn disempower(&self) {
        // SAFETY: both strings end with a zero byte.
        let removed = unsafe { libc::removexattr(self.path().as_ptr(), CAPABILITIES.as_ptr()) };
        assert_eq!(removed, 0, "{}", io::Error::last_os_error());
    }

    fn path(&self) -> CString {
        CString::new(self.0.as_os_str().as_bytes()).expect("a path")
    }

    /// What the role says in the end.
    fn said(&self, role: &str, uid: u32) -> String {
        let output = self.plays(role).uid(uid).gid(uid).output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

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

/// Workers and commands of a host that blocks and ignores signals have none blocked, and none ignored but what they
/// ignore themselves.
pub(crate) fn mask_signals() {
    let mut all = core::mem::MaybeUninit::uninit();
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
    // Rust's runtime ignores SIGPIPE, and a worker what the terminal sends.
    let own = [libc::SIGINT, libc::SIGQUIT, libc::SIGTTOU];
    for (status, own) in [(command, &[][..]), (worker, &own[..])] {
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
