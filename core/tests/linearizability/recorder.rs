//! Threads that use a queue at random and note what they see.

use super::checker::{Call, What};
use super::subject::{Item, Subject};
use super::thread;
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::Arc;

/// The calls of each thread.
pub type History = Vec<Vec<Call>>;

/// How much is played with one queue: each thread makes so many calls.
#[derive(Clone, Copy, Debug)]
pub struct Play {
    pub threads: usize,
    pub calls: usize,
}

/// Plays a round.
pub fn record<Q: Subject + Sync>(play: Play, seed: u64) -> History {
    let alive = Arc::new(AtomicUsize::new(0));
    let queue = Q::new();
    let (clock, arrived) = (AtomicU64::new(0), AtomicUsize::new(0));

    let player = |thread: usize| {
        let mut random = Random::new(seed * 97 + thread as u64);
        let mut consumer = queue.consumer();
        let mut history = Vec::with_capacity(play.calls);
        arrived.fetch_add(1, SeqCst);
        while arrived.load(SeqCst) < play.threads {
            thread::yield_now();
        }
        for call in 0..play.calls {
            let choice = random.next() % 16;
            // Slightly more pops than pushes: a long queue makes the search long.
            let item = (choice < 7).then(|| Item::new(call * play.threads + thread, &alive));
            // SeqCst, the strongest there is: the numbers must not contradict what the calls see of
            // each other.
            let began = clock.fetch_add(1, SeqCst);
            let what = match item {
                Some(item) => Some(push(&queue, item)),
                None if choice < 15 => Some(pop::<Q>(&mut consumer)),
                None => (Q::is_empty(&consumer) == Some(true)).then_some(What::Nothing),
            };
            let ended = clock.fetch_add(1, SeqCst);
            history.extend(what.map(|what| Call { what, began, ended }));
        }
        history
    };
    let history = thread::scope(|scope| {
        let player = &player;
        let threads: Vec<_> =
            (0..play.threads).map(|thread| scope.spawn(move || player(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no player panics")).collect()
    });

    drop(queue);
    assert_eq!(alive.load(Relaxed), 0, "items outlive their queue");
    history
}

fn push<Q: Subject>(queue: &Q, item: Item) -> What {
    let number = item.number();
    match queue.push(item) {
        Ok(()) => What::Push(number),
        Err(_) => What::Full,
    }
}

fn pop<Q: Subject>(consumer: &mut Q::Consumer<'_>) -> What {
    Q::pop(consumer).map_or(What::Nothing, |item| What::Pop(item.number()))
}

/// Marsaglia's xorshift, 2003.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 32
    }
}
