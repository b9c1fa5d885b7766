//! The main object (the executable, without shared libraries): where its code lies, and which build it is.

#![expect(unsafe_code, reason = "it calls the C library")]

use core::ffi::c_void;
use core::ops::Range;
use core::slice;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use asyncpal_std::kind::OnceBox;

use super::procfs;

const NT_GNU_BUILD_ID: u32 = 3;

/// Whether `address` is code of the main executable.
pub(crate) fn has_code_at(address: usize) -> bool {
    main_object().code.iter().any(|segment| segment.contains(&address))
}

/// What tells this build from every other: the GNU build-id, else the identity of the program's file.
///
/// Empty if neither is known; an empty identity equals no other.
pub(crate) fn identity() -> &'static [u8] {
    &main_object().identity
}

/// What `/proc/self/exe` is, if it is not the program that has the main executable's code: a loader maps the program
/// that it is asked to run as its first object, and stays what the kernel has executed.
pub(crate) fn other_executable() -> Option<&'static Path> {
    static OTHER: OnceBox<Option<PathBuf>> = OnceBox::new();
    let other = OTHER.get_or_init(|| {
        let code = main_object().code.first()?.start;
        let maps = std::fs::read(procfs::own("maps")).ok()?;
        let (inode, path) = mapped_file(&maps, code)?;
        let link = procfs::own("exe");
        let executable = std::fs::read_link(&link).ok()?;
        let has_inode = std::fs::metadata(link).ok()?.ino() == inode;
        // Either may differ for one and the same file: stacked file systems number anew, names may be escaped.
        (!has_inode && executable.as_os_str().as_bytes() != path).then_some(executable)
    });
    other.as_deref()
}

/// What the kernel calls huge pages that are no file's.
const HUGE_PAGES: &[u8] = b"/anon_hugepage (deleted)";

/// The file that is mapped at the address: its inode and its path. `None` if it is memory of no file, as where a
/// program has moved its code to huge pages.
fn mapped_file(maps: &[u8], address: usize) -> Option<(u64, &[u8])> {
    maps.split(|&byte| byte == b'\n').find_map(|line| {
        // Range, mode, offset, device, inode, path.
        let mut fields = line.splitn(6, |&byte| byte == b' ');
        let mut field = || core::str::from_utf8(fields.next()?).ok();
        let (start, end) = field()?.split_once('-')?;
        let number = |digits| usize::from_str_radix(digits, 16).ok();
        if !(number(start)?..number(end)?).contains(&address) {
            return None;
        }
        let inode = field().and(field()).and(field()).and(field())?.parse().ok()?;
        let path = fields.next()?.trim_ascii_start();
        (path.starts_with(b"/") && path != HUGE_PAGES).then_some((inode, path))
    })
}

#[derive(Debug, Default)]
struct MainObject {
    code: Vec<Range<usize>>,
    identity: Vec<u8>,
}

fn main_object() -> &'static MainObject {
    static MAIN: OnceBox<MainObject> = OnceBox::new();
    MAIN.get_or_init(|| {
        let mut main = MainObject::default();
        // SAFETY: the callback has the signature asked for, and `main` outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(read_first), (&raw mut main).cast::<c_void>()) };
        if main.identity.is_empty() {
            main.identity = file_identity();
        }
        main
    })
}

/// Reads the first object of the list, which is the main one, and stops.
unsafe extern "C" fn read_first(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    main: *mut c_void,
) -> libc::c_int {
    // SAFETY: dl_iterate_phdr passes a valid object for the time of the call.
    let info = unsafe { &*info };
    // SAFETY: `main_object` passes an exclusive pointer to a `MainObject`.
    let main = unsafe { &mut *main.cast::<MainObject>() };
    if info.dlpi_phdr.is_null() {
        return 1;
    }
    let base = info.dlpi_addr as usize;
    // SAFETY: the loader's table has `dlpi_phnum` entries, and the main object is never unloaded.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let range = |address: usize, length: usize| {
        let start = base.wrapping_add(address);
        start..start.saturating_add(length)
    };
    let mut loaded = Vec::new();
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
        let segment = range(header.p_vaddr as usize, header.p_memsz as usize);
        if header.p_flags & libc::PF_X != 0 {
            main.code.push(segment.clone());
        }
        if header.p_flags & libc::PF_R != 0 {
            loaded.push(segment);
        }
    }
    for header in headers.iter().filter(|header| header.p_type == libc::PT_NOTE) {
        let notes = range(header.p_vaddr as usize, header.p_memsz as usize);
        if !loaded.iter().any(|one| one.start <= notes.start && notes.end <= one.end) {
            continue;
        }
        // SAFETY: the range lies in a readable loaded segment of the main object, which is never unloaded.
        let bytes = unsafe { slice::from_raw_parts(notes.start as *const u8, notes.len()) };
        if let Some(id) = build_id(bytes, header.p_align as usize) {
            main.identity = [b"build-id:", id].concat();
        }
    }
    1
}

/// Finds the GNU build-id among ELF notes.
fn build_id(mut notes: &[u8], align: usize) -> Option<&[u8]> {
    let align = if align == 8 { 8 } else { 4 };
    loop {
        let (header, rest) = notes.split_first_chunk::<12>()?;
        let word = |at: usize| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let (name_length, length, kind) = (word(0) as usize, word(4) as usize, word(8));
        let name = rest.get(..name_length)?;
        // Alignment counts from the start of the note; its header is 12 bytes long.
        let start = (12 + name_length).checked_next_multiple_of(align)? - 12;
        let end = start.checked_add(length)?;
        let description = rest.get(start..end)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" && !description.is_empty() {
            return Some(description);
        }
        let next = (12 + end).checked_next_multiple_of(align)?;
        notes = notes.get(next..)?;
    }
}

fn file_identity() -> Vec<u8> {
    std::fs::metadata(procfs::own("exe")).map_or_else(
        |_| Vec::new(),
        |file| {
            let (seconds, nanos) = (file.mtime(), file.mtime_nsec());
            format!("file:{}:{}:{seconds}.{nanos}:{}", file.dev(), file.ino(), file.size())
                .into_bytes()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_this_program_is_in_the_main_object_and_code_of_libc_is_not() {
        let own = file_identity as fn() -> Vec<u8> as usize;
        let foreign = libc::getenv as unsafe extern "C" fn(_) -> _ as usize;

        assert!(has_code_at(own));
        assert!(!has_code_at(foreign) || cfg!(target_feature = "crt-static"));
        assert!(!has_code_at(&raw const NOTE as usize));
    }

    static NOTE: [u8; 4] = [0; 4];

    #[test]
    fn the_build_id_is_found_behind_another_note() {
        let mut notes = Vec::new();
        for word in [4_u32, 5, 1] {
            notes.extend_from_slice(&word.to_ne_bytes());
        }
        notes.extend_from_slice(b"GNU\0abcde\0\0\0");
        for word in [4_u32, 3, NT_GNU_BUILD_ID] {
            notes.extend_from_slice(&word.to_ne_bytes());
        }
        notes.extend_from_slice(b"GNU\0xyz");

        assert_eq!(build_id(&notes, 4), Some(&b"xyz"[..]));
    }

    #[test]
    fn a_note_that_claims_more_than_there_is_ends_the_search() {
        let mut notes = Vec::new();
        for word in [4_u32, u32::MAX, NT_GNU_BUILD_ID] {
            notes.extend_from_slice(&word.to_ne_bytes());
        }
        notes.extend_from_slice(b"GNU\0xyz");

        assert_eq!(build_id(&notes, 4), None);
    }

    #[test]
    fn a_mapped_file_is_found_by_an_address_in_it() {
        let maps = b"1000-2000 r--p 00000000 fe:00 7                          /a\n\
            2000-3000 r-xp 00001000 fe:00 8                          /b c (deleted)\n\
            3000-4000 rw-p 00000000 00:00 0 \n";

        assert_eq!(mapped_file(maps, 0x2fff), Some((8, &b"/b c (deleted)"[..])));
        assert_eq!(mapped_file(maps, 0x4000), None);
    }

    /// So it is not taken for that of another program than the one that was executed.
    #[test]
    fn code_that_was_moved_to_huge_pages_is_no_files() {
        let maps = b"1000-2000 r-xp 00000000 00:00 0 \n\
            2000-3000 r-xp 00000000 00:00 0                          [anon:text]\n\
            3000-4000 r-xp 00000000 00:10 7                          /anon_hugepage (deleted)\n\
            4000-5000 r-xp 00001000 00:00 0                          /stacked/b\n";

        assert_eq!([0x1000, 0x2000, 0x3000].map(|address| mapped_file(maps, address)), [None; 3]);
        assert_eq!(mapped_file(maps, 0x4000), Some((0, &b"/stacked/b"[..])));
    }

    #[test]
    fn this_program_is_what_was_executed() {
        assert_eq!(other_executable(), None);
    }

    #[test]
    fn this_program_has_an_identity() {
        assert!(!identity().is_empty());
    }
}
