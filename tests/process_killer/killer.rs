//! Who kills workers, and writes down whom.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::thread::{self, sleep};

use crate::ledger::parse;
use crate::processes::children;

const BETWEEN_KILLS: Duration = Duration::from_millis(5);

/// Who may be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victims {
    /// Workers that have started a task.
    Ready,
    /// Workers in their handshake, too.
    Any,
}

/// What the killer did.
#[derive(Debug, Default)]
pub(crate) struct Kills {
    pub(crate) times: usize,
    /// So many of workers that had not started a task yet.
    pub(crate) handshakes: usize,
    /// Workers that were waiting for a request, so that no reply of theirs was under way.
    pub(crate) while_waiting: BTreeSet<u32>,
}

pub(crate) fn kill_until(over: &AtomicBool, victims: Victims, path: &Path) -> Kills {
    let mut ledger = File::open(path).expect("it is there");
    let (mut text, mut ready) = (String::new(), BTreeSet::new());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut kills = Kills::default();
    // ORDERING: Relaxed: nothing else is read by it.
    while !over.load(Ordering::Relaxed) {
        sleep(BETWEEN_KILLS);
        let mut alive = children();
        ledger.read_to_string(&mut text).expect("it is text");
        // A line that is being written is read with the next ones.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        ready.extend(parse(&text[..whole]).map(|(_, pid)| pid));
        text.drain(..whole);
        if victims == Victims::Ready {
            alive.retain(|pid| ready.contains(pid));
        }
        let Some(&victim) = alive.get(random.below(alive.len())) else { continue };
        if !signal(victim, libc::SIGSTOP) {
            continue;
        }
        if is_stopped_in_poll(victim) {
            kills.while_waiting.insert(victim);
        }
        if signal(victim, libc::SIGKILL) {
            kills.times += 1;
            kills.handshakes += usize::from(!ready.contains(&victim));
        }
    }
    kills
}

/// Whether the process was there to be signalled.
pub(crate) fn signal(pid: u32, signal: i32) -> bool {
    let pid = pid.try_into().expect("a process");
    // SAFETY: kill touches no memory. If the pool was faster, the number is nobody's yet.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// Waits until the process stands still; then, whether it waits for requests.
fn is_stopped_in_poll(pid: u32) -> bool {
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        match stat.rsplit_once(") ").and_then(|(_, fields)| fields.chars().next()) {
            Some('T') => break,
            // Somebody else has killed it.
            None | Some('Z' | 'X') => return false,
            Some(_) => thread::yield_now(),
        }
    }
    // "271 …": which system call. A worker polls for requests and for nothing else.
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    call.starts_with(&format!("{} ", libc::SYS_ppoll))
}

/// Whether the kernel tells which system call a process is in: some are built, or told, not to.
pub(crate) fn can_look() -> bool {
    fs::read_to_string("/proc/self/syscall").is_ok()
}

/// Marsaglia's xorshift64 (2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).expect("below a usize")
    }
}
