//! Starting workers by `posix_spawn`: its cost does not grow with the parent's memory.

#![expect(unsafe_code, reason = "it calls the C library")]

use core::ffi::CStr;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use super::child::Child;
use super::pipe::moved;
use super::{MARKER, fds};
use crate::surroundings::{Surroundings, Target};

/// The running program, also after its file was deleted or replaced.
pub(crate) const THIS_PROGRAM: &CStr = c"/proc/self/exe";

const NULL: &CStr = c"/dev/null";

/// The descriptors that the child gets; each must be numbered 10 or higher.
#[derive(Debug)]
pub(crate) struct Ends<'fd> {
    pub(crate) requests: BorrowedFd<'fd>,
    pub(crate) replies: BorrowedFd<'fd>,
    pub(crate) lifeline: BorrowedFd<'fd>,
}

/// Starts this program again as a worker, with standard input from `/dev/null`.
pub(crate) fn spawn(name: &str, ends: &Ends<'_>, surroundings: &Surroundings) -> io::Result<Child> {
    let mut actions = FileActions::new()?;
    actions.duplicate(ends.requests, fds::REQUESTS)?;
    actions.duplicate(ends.replies, fds::REPLIES)?;
    actions.duplicate(ends.lifeline, fds::LIFELINE)?;
    actions.open(0, NULL, libc::O_RDONLY)?;
    let marker = CString::new(format!("{MARKER}=1"))?;
    start(THIS_PROGRAM, &[CString::new(name)?], Some(marker), actions, surroundings)
        .map_err(|error| diagnosed(error, surroundings))
}

/// Starts a program, with its name as the shell would find it, in a process group of its own, no signal blocked or
/// ignored. Surroundings come after the other actions.
pub(super) fn start(
    program: &CStr,
    arguments: &[CString],
    marker: Option<CString>,
    mut actions: FileActions,
    surroundings: &Surroundings,
) -> io::Result<Child> {
    let arguments = pointers(arguments);
    let mut environment = environment(surroundings)?;
    environment.extend(marker);
    let environment = pointers(&environment);

    let outputs = [(1, &surroundings.stdout), (2, &surroundings.stderr)];
    // Kept until the spawn.
    let mut files = Vec::new();
    for (to, output) in outputs {
        match &output.0 {
            Target::Inherit => {}
            Target::Null => actions.open(to, NULL, libc::O_WRONLY)?,
            Target::File(file) => {
                let file = moved(file.as_fd().try_clone_to_owned()?)?;
                actions.duplicate(file.as_fd(), to)?;
                files.push(file);
            }
        }
    }
    let dir = surroundings.current_dir.as_ref();
    let dir = dir.map(|dir| CString::new(dir.as_os_str().as_bytes())).transpose()?;
    if let Some(dir) = &dir {
        actions.change_dir(dir)?;
    }
    let mut attributes = Attributes::new()?;
    attributes.set()?;

    let mut pid: libc::pid_t = 0;
    // SAFETY: all pointers are to live values; both lists end with a null, and posix_spawnp does not write to them.
    let error = unsafe {
        libc::posix_spawnp(
            &raw mut pid,
            program.as_ptr(),
            actions.0.as_ptr(),
            attributes.0.as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    };
    check_code(error)?;
    Child::adopt(pid)
}

/// As the C library takes lists of strings, which it does not write to.
fn pointers(strings: &[CString]) -> Vec<*mut libc::c_char> {
    let pointers = strings.iter().map(|string| string.as_ptr().cast_mut());
    pointers.chain([ptr::null_mut()]).collect()
}

/// `posix_spawn` does not say what it has not found, or may not use.
fn diagnosed(error: io::Error, surroundings: &Surroundings) -> io::Error {
    if !is_about_a_file(&error) {
        return error;
    }
    if let Err(error) = File::open("/dev/null") {
        return named("/dev/null", &error);
    }
    let Some(dir) = &surroundings.current_dir else { return named("/proc/self/exe", &error) };
    match dir.join(".").metadata() {
        Err(error) => named(dir.display(), &error),
        Ok(_) => named(format_args!("/proc/self/exe in {}", dir.display()), &error),
    }
}

pub(super) fn is_about_a_file(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EACCES | libc::ENOTDIR))
}

pub(super) fn named(what: impl fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// The environment without the marker.
fn environment(surroundings: &Surroundings) -> io::Result<Vec<CString>> {
    let mut entries = Vec::new();
    for (key, value) in surroundings.environment(std::env::vars_os()) {
        if key.as_bytes() == MARKER.as_bytes() {
            continue;
        }
        if key.is_empty() || key.as_bytes()[1..].contains(&b'=') {
            let what = format!("{key:?} cannot be the name of a variable");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let mut entry = key.as_bytes().to_vec();
        entry.push(b'=');
        entry.extend_from_slice(value.as_bytes());
        entries.push(CString::new(entry)?);
    }
    Ok(entries)
}

/// In a box: POSIX does not say that the object may move.
pub(super) struct FileActions(Box<MaybeUninit<libc::posix_spawn_file_actions_t>>);

impl FileActions {
    pub(super) fn new() -> io::Result<Self> {
        let mut actions = Box::new(MaybeUninit::uninit());
        // SAFETY: init writes the object that it is given.
        check_code(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        Ok(Self(actions))
    }

    /// The child finds it there; an earlier action must not have put another in its place.
    pub(super) fn duplicate(&mut self, from: BorrowedFd<'_>, to: RawFd) -> io::Result<()> {
        debug_assert!(from.as_raw_fd() >= fds::FIRST_OURS, "an earlier action would overwrite it");
        let (actions, from) = (self.0.as_mut_ptr(), from.as_raw_fd());
        // SAFETY: the object was initialised by `new` and not destroyed yet.
        check_code(unsafe { libc::posix_spawn_file_actions_adddup2(actions, from, to) })
    }

    fn open(&mut self, to: RawFd, path: &'static CStr, flags: libc::c_int) -> io::Result<()> {
        let (actions, path) = (self.0.as_mut_ptr(), path.as_ptr());
        // SAFETY: the object was initialised by `new` and not destroyed yet; the path is static.
        check_code(unsafe { libc::posix_spawn_file_actions_addopen(actions, to, path, flags, 0) })
    }
}

impl FileActions {
    /// The folder; the string must live until the spawn.
    fn change_dir(&mut self, dir: &CStr) -> io::Result<()> {
        let add_change_dir = add_change_dir().ok_or_else(|| {
            let what =
                "a folder for workers needs glibc 2.29 (posix_spawn_file_actions_addchdir_np)";
            io::Error::new(io::ErrorKind::Unsupported, what)
        })?;
        let (actions, dir) = (self.0.as_mut_ptr(), dir.as_ptr());
        // SAFETY: the object was initialised by `new` and not destroyed yet; the path ends with a zero byte and lives.
        check_code(unsafe { add_change_dir(actions, dir) })
    }
}

type AddChangeDir =
    unsafe extern "C" fn(*mut libc::posix_spawn_file_actions_t, *const libc::c_char) -> libc::c_int;

/// Looked up by name: a program that referred to it would not start at all with the glibc that Rust's standard library
/// is content with.
#[cfg(all(target_env = "gnu", not(target_feature = "crt-static")))]
fn add_change_dir() -> Option<AddChangeDir> {
    let name = c"posix_spawn_file_actions_addchdir_np";
    // SAFETY: the name ends with a zero byte and is static.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: the function of this name has this signature; a null pointer is `None`.
    unsafe { core::mem::transmute::<*mut libc::c_void, Option<AddChangeDir>>(found) }
}

#[cfg(not(all(target_env = "gnu", not(target_feature = "crt-static"))))]
fn add_change_dir() -> Option<AddChangeDir> {
    Some(libc::posix_spawn_file_actions_addchdir_np)
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, destroyed only here.
        unsafe { libc::posix_spawn_file_actions_destroy(self.0.as_mut_ptr()) };
    }
}

struct Attributes(Box<MaybeUninit<libc::posix_spawnattr_t>>);

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut attributes = Box::new(MaybeUninit::uninit());
        // SAFETY: init writes the object that it is given.
        check_code(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        Ok(Self(attributes))
    }

    fn set(&mut self) -> io::Result<()> {
        let attributes = self.0.as_mut_ptr();
        let flags = libc::POSIX_SPAWN_SETPGROUP
            | libc::POSIX_SPAWN_SETSIGMASK
            | libc::POSIX_SPAWN_SETSIGDEF;
        // SAFETY: the object was initialised by `new` and not destroyed yet.
        check_code(unsafe { libc::posix_spawnattr_setflags(attributes, flags as libc::c_short) })?;
        // SAFETY: as above. Group 0 is a new group, led by the child.
        check_code(unsafe { libc::posix_spawnattr_setpgroup(attributes, 0) })?;
        let (none, all) = (signals(Signals::None), signals(Signals::All));
        // SAFETY: as above; the set is a live, initialised value.
        check_code(unsafe { libc::posix_spawnattr_setsigmask(attributes, &raw const none) })?;
        // SAFETY: as above.
        check_code(unsafe { libc::posix_spawnattr_setsigdefault(attributes, &raw const all) })
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, destroyed only here.
        unsafe { libc::posix_spawnattr_destroy(self.0.as_mut_ptr()) };
    }
}

enum Signals {
    None,
    All,
}

fn signals(which: Signals) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    match which {
        // SAFETY: it writes the set that it is given.
        Signals::None => unsafe { libc::sigemptyset(set.as_mut_ptr()) },
        // SAFETY: as above.
        Signals::All => unsafe { libc::sigfillset(set.as_mut_ptr()) },
    };
    // SAFETY: initialised just above.
    unsafe { set.assume_init() }
}

/// The `posix_spawn` family returns its error instead of setting `errno`.
fn check_code(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}
