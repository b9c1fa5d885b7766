//! Pipes: made close-on-exec, moved out of the way of the worker's own numbers, read into spare capacity.

#![expect(unsafe_code, reason = "it calls the C library")]

use core::ptr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::fds;
use super::worker::page_bytes;

/// What a pipe should hold: transfers of 1 MiB take half as many wake-ups as with the default of 64 KiB.
const PIPE_BYTES: libc::c_int = 256 * 1024;

/// How many pages a pipe holds unless the user's quota is used up. Each packet takes one, however small it is.
const PAGES_ASIDE: u64 = 16;

/// As many bytes as so many packets have at most.
const BYTES_ASIDE: usize = PAGES_ASIDE as usize * 4096;

/// Both ends of a pipe.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) reader: OwnedFd,
    pub(crate) writer: OwnedFd,
}

impl Pipe {
    /// Opens a pipe whose ends are close-on-exec and numbered 10 or higher.
    pub(crate) fn open() -> io::Result<Self> {
        let mut ends: [RawFd; 2] = [-1; 2];
        // SAFETY: `ends` is two descriptors long, as pipe2 asks.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
        // SAFETY: pipe2 has just returned this descriptor, and nobody else owns it.
        let reader = unsafe { OwnedFd::from_raw_fd(ends[0]) };
        // SAFETY: as above.
        let writer = unsafe { OwnedFd::from_raw_fd(ends[1]) };
        Ok(Self { reader: moved(reader)?, writer: moved(writer)? })
    }

    /// Asks for a larger pipe. A refusal (the user's pipe quota) costs speed only.
    pub(crate) fn grown(self) -> Self {
        // SAFETY: the descriptor is open; F_SETPIPE_SZ takes an int and touches no memory of ours.
        unsafe { libc::fcntl(self.writer.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_BYTES) };
        self
    }
}

/// The same file under a number that the worker's own numbers cannot collide with.
pub(super) fn moved(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= fds::FIRST_OURS {
        return Ok(fd);
    }
    // SAFETY: the descriptor is open; F_DUPFD_CLOEXEC takes an int and touches no memory of ours.
    let copy =
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, fds::FIRST_OURS) })
            .map_err(|error| if is_invalid(&error) { too_few_descriptors() } else { error })?;
    // SAFETY: fcntl has just returned this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn is_invalid(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

/// What `F_DUPFD_CLOEXEC` means by EINVAL.
fn too_few_descriptors() -> io::Error {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit writes one rlimit to the place given.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let (first, limit) = (fds::FIRST_OURS, limit.rlim_cur);
    let what = format!("descriptors from {first} up are needed; RLIMIT_NOFILE is {limit}");
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Makes reads and writes through this open file return `WouldBlock` instead of waiting.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    change_flags(fd, |flags| flags | libc::O_NONBLOCK)
}

/// Makes reads and writes through this open file wait: whoever has it in common may have said otherwise.
pub(crate) fn set_blocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    change_flags(fd, |flags| flags & !libc::O_NONBLOCK)
}

fn change_flags(
    fd: BorrowedFd<'_>,
    change: impl FnOnce(libc::c_int) -> libc::c_int,
) -> io::Result<()> {
    // SAFETY: the descriptor is open; F_GETFL touches no memory of ours.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: the descriptor is open; F_SETFL takes an int and touches no memory of ours.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, change(flags)) })?;
    Ok(())
}

/// Lets each write of at most 4096 bytes be a packet, which a read takes by itself; or not.
pub(crate) fn set_packets(writer: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let packets = if on { libc::O_DIRECT } else { 0 };
    change_flags(writer, |flags| flags & !libc::O_DIRECT | packets)
}

/// Where packets go that are taken back, once. It is opened before they are sent: afterwards there may be no descriptor
/// left, and they would wait behind whatever is before them.
#[derive(Debug)]
pub(crate) struct Aside(Pipe);

impl Aside {
    /// Fails if there would be no room for all that may be sent.
    pub(crate) fn open() -> io::Result<Self> {
        let pipe = Pipe::open()?;
        // SAFETY: the descriptor is open; F_GETPIPE_SZ touches no memory of ours.
        let bytes = check(unsafe { libc::fcntl(pipe.writer.as_raw_fd(), libc::F_GETPIPE_SZ) })?;
        if !has_room(bytes, page_bytes()) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(Self(pipe))
    }

    /// Takes what lies in the pipe out of it, at one moment, and drops it; how many bytes that was.
    pub(crate) fn withdraw(self, reader: BorrowedFd<'_>) -> usize {
        move_at_once(reader, self.0.writer.as_fd())
    }
}

/// Takes all that lies in the pipe out of it, without waiting, and drops it; how many bytes that was. None if somebody
/// else reads meanwhile, or there are no descriptors: then it is not known who has what.
pub(crate) fn take_unread(reader: BorrowedFd<'_>) -> usize {
    let counted = unread_bytes(reader).unwrap_or(0);
    let mut left = counted;
    while left > 0 {
        // To a new one each time, where there is room. A read would wait if somebody was faster.
        let taken = Pipe::open().map_or(0, |aside| move_at_once(reader, aside.writer.as_fd()));
        if taken == 0 {
            return 0;
        }
        left = left.saturating_sub(taken);
    }
    counted
}

/// Moves as much from pipe to pipe as there is, and there is room for; how many bytes that was.
fn move_at_once(reader: BorrowedFd<'_>, writer: BorrowedFd<'_>) -> usize {
    let (from, to) = (reader.as_raw_fd(), writer.as_raw_fd());
    let nowhere = ptr::null_mut();
    // SAFETY: both descriptors are open pipes; without offsets splice touches no memory of ours.
    let moved =
        unsafe { libc::splice(from, nowhere, to, nowhere, BYTES_ASIDE, libc::SPLICE_F_NONBLOCK) };
    // A failure is an empty pipe.
    usize::try_from(moved).unwrap_or(0)
}

/// Whether a pipe of so many bytes takes every packet. One that takes fewer would take the oldest of them.
fn has_room(pipe_bytes: libc::c_int, page_bytes: u64) -> bool {
    u64::try_from(pipe_bytes).is_ok_and(|bytes| bytes / page_bytes >= PAGES_ASIDE)
}

/// How many bytes lie in the pipe unread.
pub(crate) fn unread_bytes(reader: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open, and FIONREAD writes one int to the place given.
    check(unsafe { libc::ioctl(reader.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// One `read` of at most `limit` bytes, appended within the capacity that `buffer` has; 0 is end of file.
///
/// Reading into spare capacity saves clearing memory that the kernel overwrites at once.
pub(crate) fn read_append(
    reader: impl AsFd,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> io::Result<usize> {
    let spare = buffer.spare_capacity_mut();
    let count = limit.min(spare.len());
    debug_assert!(count > 0, "a read of nothing looks like end of file");
    loop {
        // SAFETY: the descriptor is open, and `spare` is at least `count` bytes of memory that is ours alone.
        let read =
            unsafe { libc::read(reader.as_fd().as_raw_fd(), spare.as_mut_ptr().cast(), count) };
        if let Ok(read) = usize::try_from(read) {
            let length = buffer.len() + read;
            // SAFETY: read() has initialised `read <= count` bytes behind the old length, within the capacity.
            unsafe { buffer.set_len(length) };
            return Ok(read);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Turns the C convention of -1 and `errno` into a result.
pub(super) fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn more_is_taken_than_one_pipe_takes_and_nothing_is_waited_for() {
        let Pipe { reader, writer } = Pipe::open().unwrap().grown();
        set_nonblocking(writer.as_fd()).unwrap();
        let written = File::from(writer).write(&vec![1; 3 * BYTES_ASIDE]).unwrap();
        assert_eq!(unread_bytes(reader.as_fd()).unwrap(), written);

        let taken = [(); 2].map(|()| take_unread(reader.as_fd()));

        assert_eq!(taken, [written, 0]);
    }

    #[test]
    fn room_is_counted_in_pages() {
        assert!(has_room(64 << 10, 4 << 10));
        assert!(has_room(1 << 20, 64 << 10));
        assert!(!has_room(8 << 10, 4 << 10));
        assert!(!has_room(128 << 10, 64 << 10));
    }
}
