//! What the program says, over the UART: whole lines, whoever writes them.

#![forbid(unsafe_code)]

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::machine;

/// The hart that writes, plus one; 0: nobody.
static WRITER: AtomicUsize = AtomicUsize::new(0);

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(machine::send);
        Ok(())
    }
}

/// Writes some text; that of other harts comes before it or after it.
pub(crate) fn text(what: fmt::Arguments<'_>) {
    let me = machine::hart() + 1;
    // ORDERING: Relaxed: only this hart writes this value.
    let nested = WRITER.load(Ordering::Relaxed) == me;
    // A hart that panics or traps while it writes has the console already.
    // ORDERING: Acquire: the last writer's bytes are sent. Relaxed on failure: it is tried again.
    while !nested && WRITER.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_err() {
        core::hint::spin_loop();
    }
    // The UART takes everything.
    let _ = Console.write_fmt(what);
    if !nested {
        // ORDERING: Release: these bytes are sent. A plain store: this hart has the word.
        WRITER.store(0, Ordering::Release);
    }
}

/// Writes a line.
pub(crate) fn line(what: fmt::Arguments<'_>) {
    text(format_args!("{what}\n"));
}

/// A short text in place, without a heap; what does not fit is left out.
pub(crate) struct Note {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Note {
    const CAPACITY: usize = 80;

    pub(crate) const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], len: 0 }
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).unwrap_or("?")
    }
}

impl Write for Note {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let to = self.len + character.len_utf8();
            if let Some(room) = self.bytes.get_mut(self.len..to) {
                character.encode_utf8(room);
                self.len = to;
            }
        }
        Ok(())
    }
}
