//! The pool without an operating system: four RISC-V harts, no heap, no threads.
//!
//! Hart 0 submits; harts 1 to 3 run the same worker loop that runs on the threads of a server. They
//! sleep by `wfi`, are woken by software interrupts and retire by the machine timer. `README.md` says
//! how to run it.
//!
//! `boot` and `machine` contain all that is unsafe; `park` is how a hart sleeps, `harts` is the
//! worker kind, `pool` the pool. `checks` is what the program is for.

#![no_std]
#![no_main]

mod boot;
mod checks;
mod harts;
mod machine;
mod park;
mod pool;
mod report;
mod wait;

use core::panic::PanicInfo;

use machine::{HARTS, Status, hart, power_off};
use pool::POOL;

/// Where every hart comes from [`boot`], on its own stack; the others when hart 0 has called them.
extern "C" fn enter(hart: usize) -> ! {
    match hart.checked_sub(1) {
        Some(slot) => POOL.kind().live(slot),
        None => {
            (1..HARTS).for_each(machine::raise);
            power_off(if checks::run_all() { Status::Passed } else { Status::CheckFailed })
        }
    }
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    report::line(format_args!("\nhart {}: {info}", hart()));
    power_off(Status::Panicked)
}
