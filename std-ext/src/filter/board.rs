//! The board of a filter: which members are done. Its claims stand in [`filter`](super).

use std::collections::VecDeque;

use crate::clock::Deadline;
use crate::sync::{Condvar, Mutex, lock, wait};

/// What the callbacks know.
#[derive(Default)]
pub(super) struct Board {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    /// Numbers of members whose tasks are over.
    done: VecDeque<u64>,
    /// Members.
    left: usize,
    /// How many there ever were.
    puts: u64,
    /// Workers that sleep, and help as soon as there is a put.
    helpers: usize,
}

pub(super) enum Look {
    /// This member is done; its number is off the board.
    Done(u64),
    /// No member is done.
    Waiting { puts: u64 },
    /// There is no member.
    Nothing,
}

impl Board {
    /// How many members there are.
    pub(super) fn members(&self) -> usize {
        lock(&self.state).left
    }

    /// Whether a member is done.
    pub(super) fn has_news(&self) -> bool {
        !lock(&self.state).done.is_empty()
    }

    /// Whether every member is done.
    pub(super) fn is_full(&self) -> bool {
        let state = lock(&self.state);
        state.done.len() >= state.left
    }

    pub(super) fn look(&self) -> Look {
        let mut state = lock(&self.state);
        match state.done.pop_front() {
            Some(number) => Look::Done(number),
            None if state.left == 0 => Look::Nothing,
            None => Look::Waiting { puts: state.puts },
        }
    }

    /// Sleeps until there is something to look at, or for helpers a put after `puts`; false at the
    /// deadline, which helpers have none of.
    pub(super) fn sleep(&self, puts: Option<u64>, deadline: Deadline) -> bool {
        let mut state = lock(&self.state);
        while state.done.is_empty() && state.left > 0 && puts.is_none_or(|seen| seen == state.puts)
        {
            state.helpers += usize::from(puts.is_some());
            let Some(woken) = wait(&self.news, state, deadline) else { return false };
            state = woken;
            state.helpers -= usize::from(puts.is_some());
        }
        true
    }

    /// Before a member is put.
    pub(super) fn announce(&self) {
        let mut state = lock(&self.state);
        state.left += 1;
        state.puts += 1;
        if state.helpers > 0 {
            self.news.notify_all();
        }
    }

    /// A member's task is over.
    pub(super) fn report(&self, number: u64) {
        lock(&self.state).done.push_back(number);
        self.news.notify_one();
    }

    /// After a member was taken out.
    pub(super) fn taken(&self) {
        let mut state = lock(&self.state);
        state.left -= 1;
        if state.left == 0 {
            self.news.notify_all();
        }
    }
}
