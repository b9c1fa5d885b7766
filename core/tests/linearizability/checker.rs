//! Whether a history of concurrent calls has an explanation, by search.
//!
//! Source: Wing and Gong, *Testing and Verifying Concurrent Objects*, 1993; with the memory of
//! Lowe, *Testing for linearizability*, 2017. A call is one moment, or two in a row: a queue with a
//! maximum uses a slot for longer than its item is there. At every point of the search the next
//! moment may be that of any call which began before every unfinished call ended; each thread's
//! calls follow one another, so that a point is a place in the list of each.
//!
//! Without `Pops` a wrong order of two pushes would be found out at their pops, and everything in
//! between searched again and again: a thread that loses its processor within a push made that
//! gigabytes.

use std::collections::{HashMap, HashSet, VecDeque};

/// What a call did and was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Push(usize),
    /// A push that was refused.
    Full,
    Pop(usize),
    /// The queue was empty.
    Nothing,
}

/// A call, with two moments of one clock for all threads.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub what: What,
    pub began: u64,
    pub ended: u64,
}

/// A point of the search.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Point {
    /// By thread: calls that are finished, and whether the next has had the first of two moments.
    threads: Vec<(u32, bool)>,
    items: VecDeque<usize>,
    /// Slots in use.
    used: usize,
}

/// When the items were popped, which says in which order they were pushed.
struct Pops {
    /// The call that popped an item: when it began, when it ended.
    by_item: HashMap<usize, (u64, u64)>,
    /// By thread and number of finished calls: when the first was over of the pops of those items
    /// that the thread pushes later.
    first_of_later: Vec<Vec<u64>>,
}

/// Whether a sequential queue of at most `capacity` items answers so; each thread's calls by
/// themselves.
pub fn explain(history: &[Vec<Call>], capacity: Option<usize>) -> bool {
    let pops = Pops::of(history);
    let threads = vec![(0, false); history.len()];
    let mut open = vec![Point { threads, items: VecDeque::new(), used: 0 }];
    let mut seen = HashSet::new();
    while let Some(point) = open.pop() {
        let next_calls = history.iter().zip(&point.threads).enumerate();
        let mut next_calls: Vec<_> = next_calls
            .filter_map(|(thread, (calls, &(finished, _)))| {
                calls.get(finished as usize).map(|call| (thread, call))
            })
            .collect();
        if next_calls.is_empty() {
            return true;
        }
        // Whoever ends first is looked at first: the order of the ends is often an explanation.
        next_calls.sort_by_key(|(_, call)| core::cmp::Reverse(call.ended));
        let first_end = next_calls.last().map_or(0, |(_, call)| call.ended);
        for (thread, call) in next_calls {
            if call.began < first_end {
                let next = point.after(thread, call.what, capacity);
                let next =
                    next.filter(|next| next.threads[thread].1 || pops.allow(call.what, next));
                open.extend(next.filter(|next| seen.insert(next.clone())));
            }
        }
    }
    false
}

impl Pops {
    fn of(history: &[Vec<Call>]) -> Self {
        let pop = |call: &Call| match call.what {
            What::Pop(item) => Some((item, (call.began, call.ended))),
            _ => None,
        };
        let by_item: HashMap<_, _> = history.iter().flatten().filter_map(pop).collect();
        let end = |what| match what {
            What::Push(item) => by_item.get(&item).map_or(u64::MAX, |&(_, ended)| ended),
            _ => u64::MAX,
        };
        let first_of_later = |calls: &Vec<Call>| {
            let mut first = vec![u64::MAX; calls.len() + 1];
            for (index, call) in calls.iter().enumerate().rev() {
                first[index] = first[index + 1].min(end(call.what));
            }
            first
        };
        let first_of_later = history.iter().map(first_of_later).collect();
        Self { by_item, first_of_later }
    }

    /// Whether first in, first out may still hold if `next` is the point after a call: what is not
    /// yet pushed must not be popped before what the call has pushed.
    fn allow(&self, what: What, next: &Point) -> bool {
        let What::Push(item) = what else { return true };
        let began = self.by_item.get(&item).map_or(u64::MAX, |&(began, _)| began);
        let mut later = self.first_of_later.iter().zip(&next.threads);
        later.all(|(first, &(finished, _))| began <= first[finished as usize])
    }
}

impl Point {
    /// The point after the next moment of a thread's call; `None` if it cannot be now.
    fn after(&self, thread: usize, what: What, capacity: Option<usize>) -> Option<Self> {
        let mut next = self.clone();
        let (finished, halfway) = &mut next.threads[thread];
        let in_two = capacity.is_some() && matches!(what, What::Push(_) | What::Pop(_));
        let first = in_two && !*halfway;
        *halfway = first;
        *finished += u32::from(!first);
        let allowed = match what {
            What::Push(_) if first => {
                next.used += 1;
                capacity >= Some(next.used)
            }
            What::Push(item) => {
                next.items.push_back(item);
                true
            }
            What::Pop(_) if in_two && !first => {
                next.used -= 1;
                true
            }
            What::Pop(item) => next.items.pop_front() == Some(item),
            What::Nothing => next.items.is_empty(),
            What::Full => capacity == Some(next.used),
        };
        allowed.then_some(next)
    }
}
