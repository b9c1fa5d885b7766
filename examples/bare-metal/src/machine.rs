//! The machine: QEMU's `virt`, as far as this program needs it.
//!
//! | address | device | used for |
//! |---|---|---|
//! | `0x0010_0000` | test finisher | ends QEMU with a status |
//! | `0x0200_0000` | CLINT: `msip`, a word per hart | ends the `wfi` of another hart |
//! | `0x0200_4000` | CLINT: `mtimecmp`, two words per hart | ends one's own `wfi` at a given time |
//! | `0x1000_0000` | UART, 16550 | what is printed |
//!
//! # Memory and devices
//! Rust's fences order memory against memory. Whether a token in memory is seen before the
//! interrupt that announces it is another question, to which RISC-V has its own answer: `fence`
//! with the device bits. [`raise`] and [`lower`] contain it.

use core::arch::asm;
use core::ptr;

use asyncpal::clock::{Clock, Instant};

/// How many harts the machine has.
pub(crate) const HARTS: usize = 4;

/// What QEMU exits with. 1 is QEMU's own failure, 124 that of `timeout`.
#[derive(Clone, Copy)]
pub(crate) enum Status {
    Passed = 0,
    CheckFailed = 10,
    Panicked = 11,
    Trapped = 12,
}

const FINISHER: usize = 0x0010_0000;
const MSIP: usize = 0x0200_0000;
const MTIMECMP: usize = 0x0200_4000;
const UART: usize = 0x1000_0000;

/// The addresses are private to this file, so every access is one of those below.
fn write(address: usize, value: u32) {
    // SAFETY: the address is that of a word register from the table above, aligned; no Rust object
    // lives there.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(value) }
}

/// The calling hart.
pub(crate) fn hart() -> usize {
    let hart;
    // SAFETY: reads a register that never changes.
    unsafe { asm!("csrr {}, mhartid", out(reg) hart, options(pure, nomem, nostack)) };
    hart
}

/// Sleeps until an interrupt is pending, perhaps less long.
pub(crate) fn wait_for_interrupt() {
    // SAFETY: `mstatus.MIE` is 0, so the interrupt is not taken: `wfi` is a pause. The compiler takes
    // it as an access to any memory, which keeps looks at memory on their side of it.
    unsafe { asm!("wfi", options(nostack)) };
}

/// Everything before, memory or device, before everything after.
fn fence_devices() {
    // SAFETY: orders, and touches nothing.
    unsafe { asm!("fence iorw, iorw", options(nostack)) };
}

/// Makes the software interrupt of `hart` pending. What the caller wrote before is seen by a hart
/// that has seen the interrupt.
pub(crate) fn raise(hart: usize) {
    fence_devices();
    write(MSIP + 4 * hart, 1);
}

/// Takes the calling hart's software interrupt back. What the caller reads afterwards is at least as
/// new as any `raise` that this has undone.
pub(crate) fn lower(hart: usize) {
    write(MSIP + 4 * hart, 0);
    fence_devices();
}

/// Makes the timer interrupt of `hart` pending from `deadline` on; `None`: never.
pub(crate) fn set_timer(hart: usize, deadline: Option<Instant>) {
    let ticks = deadline.map_or(u64::MAX, |at| at.as_nanos().div_ceil(NANOS_PER_TICK));
    let low = MTIMECMP + 8 * hart;
    // In an order in which no intermediate value is earlier than both ends.
    write(low + 4, u32::MAX);
    write(low, ticks as u32);
    write(low + 4, (ticks >> 32) as u32);
}

const NANOS_PER_TICK: u64 = 100;

/// The machine's timer as the pool's clock: the counter `time`, which shows the CLINT's `mtime` and
/// needs no access to a device.
pub(crate) struct Mtime;

impl Clock for Mtime {
    fn now(&self) -> Instant {
        let (mut low, mut high): (u32, u32);
        loop {
            let before: u32;
            // SAFETY: reads counters.
            unsafe {
                asm!(
                    "rdtimeh {before}", "rdtime {low}", "rdtimeh {high}",
                    before = out(reg) before, low = out(reg) low, high = out(reg) high,
                    options(nomem, nostack),
                );
            };
            // Else the lower half went round between the reads: once in seven minutes.
            if before == high {
                break;
            }
        }
        Instant::from_nanos(((u64::from(high) << 32) | u64::from(low)) * NANOS_PER_TICK)
    }
}

/// Sends one byte to whoever reads the console.
pub(crate) fn send(byte: u8) {
    const LINE_STATUS: usize = UART + 5;
    const CAN_SEND: u8 = 1 << 5;
    // SAFETY: a byte register of the UART; reading it clears error bits that nobody reads.
    let status = || unsafe { ptr::with_exposed_provenance::<u8>(LINE_STATUS).read_volatile() };
    while status() & CAN_SEND == 0 {
        core::hint::spin_loop();
    }
    // SAFETY: the UART's data register; no Rust object lives there.
    unsafe { ptr::with_exposed_provenance_mut::<u8>(UART).write_volatile(byte) };
}

/// Ends the program, and QEMU, with a status.
pub(crate) fn power_off(status: Status) -> ! {
    const PASS: u32 = 0x5555;
    const FAIL: u32 = 0x3333;
    let word = match status {
        Status::Passed => PASS,
        failed => ((failed as u32) << 16) | FAIL,
    };
    write(FINISHER, word);
    loop {
        wait_for_interrupt();
    }
}
