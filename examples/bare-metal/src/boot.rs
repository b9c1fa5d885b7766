//! From reset to Rust: what each hart does before it has a stack, and what it does when it traps.
//!
//! All harts start at `start`. Each takes its own stack, forbids itself the lowest page of it (so
//! that an overflow traps instead of reaching the neighbour's), and says which interrupts end its
//! `wfi`: software interrupts and the timer. Hart 0 clears `.bss` and enters [`crate::enter`]; the
//! others sleep until hart 0 raises their software interrupt.
//!
//! Interrupts wake and are never taken: `mstatus.MIE` stays 0, as it is at reset. So whatever arrives
//! at the trap vector is an error: it is reported, and the machine goes off.

use core::arch::global_asm;

use crate::machine::{HARTS, Status, power_off};
use crate::report;

/// Bytes of a hart's stack, its guard page included.
const STACK: usize = 64 * 1024;

/// Bytes at the lower end of a stack that its hart may not touch. A power of two.
const GUARD: usize = 4096;

global_asm!(
    r#"
    .attribute arch, "rv32imac_zicsr"

    .section .text.start, "ax"
    .global start
start:
    csrr    a0, mhartid
    li      t0, {harts}
    bgeu    a0, t0, off         # a hart that nobody has planned for

    la      t0, trap
    csrw    mtvec, t0
    li      t0, {wakers}
    csrw    mie, t0

    la      t0, stacks          # the guard: entry 0 of the PMP, naturally aligned, no access,
    li      t1, {stack}         # locked: which is what makes it count in machine mode
    mul     t1, a0, t1
    add     t0, t0, t1
    srli    t2, t0, 2
    ori     t2, t2, {guard} / 8 - 1
    csrw    pmpaddr0, t2
    li      t2, 0x98
    csrw    pmpcfg0, t2

    li      t1, {stack}
    add     sp, t0, t1
    bnez    a0, 2f

    la      t0, bss_start
    la      t1, bss_end
1:  bgeu    t0, t1, 3f
    sw      zero, 0(t0)
    addi    t0, t0, 4
    j       1b

2:  wfi                         # may return for no reason
    csrr    t0, mip
    andi    t0, t0, {software}
    beqz    t0, 2b
3:  fence                       # what hart 0 wrote is there
    call    {enter}

off:
    wfi
    j       off

    .balign 4
trap:
    la      t0, trap_in_trap
    csrw    mtvec, t0
    csrr    a0, mhartid         # the stack may be what trapped: begin it anew
    la      sp, stacks
    addi    a0, a0, 1
    li      t0, {stack}
    mul     a0, a0, t0
    add     sp, sp, a0
    csrr    a0, mcause
    csrr    a1, mepc
    csrr    a2, mtval
    call    {trapped}

    .balign 4
trap_in_trap:
    call    {trapped_again}

    .section .stacks, "aw", @nobits
    .balign 4096
stacks:
    .zero   {stack} * {harts}
"#,
    harts = const HARTS,
    stack = const STACK,
    guard = const GUARD,
    software = const SOFTWARE,
    wakers = const SOFTWARE | TIMER,
    enter = sym crate::enter,
    trapped = sym trapped,
    trapped_again = sym trapped_again,
);

/// Bits of `mie` and `mip`.
const SOFTWARE: usize = 1 << 3;
const TIMER: usize = 1 << 7;

extern "C" fn trapped(cause: usize, pc: usize, value: usize) -> ! {
    let what = match cause {
        1 => "instruction access fault",
        2 => "illegal instruction",
        4 => "misaligned load",
        5 => "load access fault",
        6 => "misaligned store",
        7 => "store access fault (a stack overflow, if the address is in a guard page)",
        _ => "trap",
    };
    report::line(format_args!("\n{what}: mcause {cause:#x}, mepc {pc:#x}, mtval {value:#x}"));
    power_off(Status::Trapped)
}

extern "C" fn trapped_again() -> ! {
    power_off(Status::Trapped)
}
