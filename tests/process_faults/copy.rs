//! Copies of this program, which others may run, too, and which may have privileges.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use std::ffi::CString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::missing::Missing;
use crate::roles::this_file;
use crate::tasks::own_pid;

/// Somebody who has no privileges.
pub(crate) const NOBODY: u32 = 65534;

/// The attribute of a file that has them.
pub(crate) const CAPABILITIES: &CStr = c"security.capability";

/// The first of them, for one.
pub(crate) const CAP_CHOWN: u32 = 1;

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
pub(crate) struct Copy(pub(crate) PathBuf);

impl Copy {
    pub(crate) fn new(test: &str, mode: u32) -> Result<Self, Missing> {
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

    pub(crate) fn plays(&self, role: &str) -> Command {
        let mut command = Command::new(&self.0);
        command.env("ASYNCPAL_TEST_ENDING", role).current_dir("/");
        command
    }

    /// Gives the file these capabilities, which are in effect from the start.
    pub(crate) fn empower(&self, capabilities: u32) {
        // linux/capability.h: VFS_CAP_REVISION_2 with VFS_CAP_FLAGS_EFFECTIVE.
        let value: [u32; 5] = [0x0200_0001, capabilities, 0, 0, 0].map(u32::to_le);
        let (path, name) = (self.path(), CAPABILITIES.as_ptr());
        let bytes = size_of_val(&value);
        // SAFETY: both strings end with a zero byte, and it reads so many bytes of the value.
        let set = unsafe { libc::setxattr(path.as_ptr(), name, value.as_ptr().cast(), bytes, 0) };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
    }

    /// Takes it away again.
    pub(crate) fn disempower(&self) {
        // SAFETY: both strings end with a zero byte.
        let removed = unsafe { libc::removexattr(self.path().as_ptr(), CAPABILITIES.as_ptr()) };
        assert_eq!(removed, 0, "{}", io::Error::last_os_error());
    }

    pub(crate) fn path(&self) -> CString {
        CString::new(self.0.as_os_str().as_bytes()).expect("a path")
    }

    /// What the role says in the end.
    pub(crate) fn said(&self, role: &str, uid: u32) -> String {
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
