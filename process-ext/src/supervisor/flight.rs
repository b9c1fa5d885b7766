//! What was sent to a worker and not answered, oldest first: values only.
//!
//! A worker reads one request at a time, runs it and answers it before it reads on. So what lies unread in its pipe
//! are the last requests, whole ones, and of the others it is at most at one.

use std::collections::VecDeque;

/// Requests under way.
#[derive(Debug, Default)]
pub(crate) struct Flight(VecDeque<Sent>);

#[derive(Debug)]
struct Sent {
    task_id: u64,
    bytes: usize,
}

impl Flight {
    pub(crate) fn push(&mut self, task_id: u64, bytes: usize) {
        self.0.push_back(Sent { task_id, bytes });
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, task_id: u64) -> bool {
        self.0.iter().any(|sent| sent.task_id == task_id)
    }

    /// The oldest has been answered, or never will be.
    pub(crate) fn pop(&mut self) {
        self.0.pop_front();
    }

    /// How many bytes all but the oldest have.
    pub(crate) fn bytes_behind(&self) -> usize {
        self.0.iter().skip(1).map(|sent| sent.bytes).sum()
    }

    /// How many requests, counted from the last, are whole in so many unread bytes.
    pub(crate) fn unread(&self, mut bytes: usize) -> usize {
        let is_unread = |sent: &&Sent| match bytes.checked_sub(sent.bytes) {
            Some(left) => {
                bytes = left;
                true
            }
            None => false,
        };
        self.0.iter().rev().take_while(is_unread).count()
    }

    /// How many requests, counted from the last, are not whole without so many unread bytes.
    pub(crate) fn not_read_whole(&self, mut bytes: usize) -> usize {
        let lacks_some = |sent: &&Sent| {
            let lacks_some = bytes > 0;
            bytes = bytes.saturating_sub(sent.bytes);
            lacks_some
        };
        self.0.iter().rev().take_while(lacks_some).count()
    }

    /// The last so many are not under way any more.
    pub(crate) fn drop_last(&mut self, count: usize) {
        self.0.truncate(self.0.len() - count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(bytes: &[usize]) -> Flight {
        let mut flight = Flight::default();
        bytes.iter().zip(1..).for_each(|(&bytes, id)| flight.push(id, bytes));
        flight
    }

    #[test]
    fn the_last_requests_that_fill_the_pipe_are_unread() {
        let flight = flight(&[24, 30, 100]);

        let unread = [0, 99, 100, 129, 130, 153, 154].map(|bytes| flight.unread(bytes));

        assert_eq!(unread, [0, 0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn what_lacks_a_byte_was_not_read() {
        let flight = flight(&[24, 30, 100]);

        let lacking = [0, 1, 100, 101, 130, 131, 500].map(|bytes| flight.not_read_whole(bytes));

        assert_eq!(lacking, [0, 1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn what_is_not_under_way_any_more_is_forgotten() {
        let mut flight = flight(&[24; 4]);

        flight.drop_last(flight.unread(50));
        flight.pop();

        let left: Vec<_> = (1..=4).filter(|&id| flight.contains(id)).collect();
        assert_eq!(left, [2]);
        assert_eq!(flight.len(), 1);
    }
}
