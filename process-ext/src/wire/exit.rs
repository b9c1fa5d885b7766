//! The codes with which a worker exits by itself, taken from `sysexits`.

/// As asked.
pub const OK: i32 = 0;
/// The pipe to the parent failed.
pub const IO: i32 = 74;
/// The parent sent what is no frame, or a frame out of turn.
pub const PROTOCOL: i32 = 76;
/// The marker is set, but the pipes are missing: no pool started this process.
pub const NO_PARENT: i32 = 78;
/// `init()` ran after other threads were started. The first code that `sysexits` has no name for.
pub const LATE: i32 = 79;

/// What a worker says with such a code; a task may have exited with the same one.
pub fn meaning(code: i32) -> Option<&'static str> {
    match code {
        IO => Some("a pipe to its parent failed"),
        PROTOCOL => Some("it could not understand a frame"),
        NO_PARENT => Some("it could not adopt its pipes"),
        LATE => Some("its `init()` ran after other threads were started"),
        _ => None,
    }
}
