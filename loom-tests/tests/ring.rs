//! The index ring: who gets which index, who is turned away, and who waits for whom.
//!
//! | claim of `queue::ring` | models |
//! |---|---|
//! | R2, R3: an index has one holder; E1: it passes on what was done under it | `an_index_…` |
//! | R1, E1, E2: nobody misses what was put before | `whoever_put_two_…`, `what_a_producer_has_seen_…` |
//! | E3: the head is not ahead of what a consumer sees | `a_consumer_of_a_ring_that_went_round_…`, `a_ring_that_is_never_empty_…` |
//! | an answer holds for the index that it was about | `an_answer_…` |
//! | the length was one at some moment | `the_length_…` |
//! | progress: a stopped thread takes one index along and no more | `a_…_stopped_at_any_step_…` |
#![cfg(asyncpal_loom)]

#[path = "common/stop.rs"]
mod stop;

use asyncpal_core::queue::{Dequeued, Ring};
use asyncpal_core::sync::UnsafeCell;
use loom::thread::{self, JoinHandle};
use loom_tests::{model, model_bounded};
use std::rc::Rc;
use stop::at_every_step;

/// A ring, and what its indices stand for.
///
/// Threads share it by a plain `Rc`: loom runs them all on one thread of the system, and an `Arc` of
/// loom's would add steps to the model.
struct Scene<const N: usize> {
    ring: Ring<N>,
    /// How often an index was used.
    uses: [UnsafeCell<usize>; N],
}

impl<const N: usize> Scene<N> {
    fn new(ring: Ring<N>) -> Rc<Self> {
        Rc::new(Self { ring, uses: core::array::from_fn(|_| UnsafeCell::new(0)) })
    }

    /// Uses an index that the calling thread holds: a write that no other may meet (E1, R3).
    fn use_index(&self, index: usize) {
        self.uses[index].with_mut(|uses| {
            // SAFETY: the checker rejects an access that is not exclusive.
            unsafe { *uses += 1 };
        });
    }

    /// Takes an index, uses it, and puts it back; false if there was none.
    fn turn(&self) -> bool {
        let Some(index) = self.ring.dequeue() else { return false };
        self.use_index(index);
        self.ring.enqueue(index);
        true
    }

    fn on_a_thread<T: 'static>(
        self: &Rc<Self>,
        f: impl FnOnce(&Self) -> T + 'static,
    ) -> JoinHandle<T> {
        let scene = self.clone();
        thread::spawn(move || f(&scene))
    }

    /// What is in the ring, in order; all its indices may be used.
    fn drain(&self) -> Vec<usize> {
        let indices = core::iter::from_fn(|| self.ring.dequeue()).collect::<Vec<_>>();
        indices.iter().for_each(|&index| self.use_index(index));
        indices
    }

    fn total_uses(&self) -> usize {
        // SAFETY: as in `use_index`.
        let uses_of = |uses: &UnsafeCell<usize>| uses.with(|uses| unsafe { *uses });
        self.uses.iter().map(uses_of).sum()
    }
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("no thread of a model panics")
}

fn sorted(mut indices: Vec<usize>) -> Vec<usize> {
    indices.sort_unstable();
    indices
}

#[test]
fn an_index_has_one_holder_round_after_round() {
    model("an_index_has_one_holder_round_after_round", || {
        let scene = Scene::<2>::new(Ring::full());
        let others = [(); 2].map(|()| scene.on_a_thread(|scene| scene.turn()));

        let mine = scene.turn();

        let turns = [mine].into_iter().chain(others.map(join)).filter(|&had_one| had_one).count();
        assert!(turns >= 2, "the others can hold two indices at most");
        assert_eq!(scene.total_uses(), turns);
        assert_eq!(sorted(scene.drain()), [0, 1]);
    });
}

#[test]
fn an_only_index_goes_from_hand_to_hand() {
    model_bounded("an_only_index_goes_from_hand_to_hand", Some(3), || {
        let scene = Scene::<1>::new(Ring::full());
        let other = scene.on_a_thread(|scene| scene.turn() as usize + scene.turn() as usize);

        let mine = scene.turn() as usize + scene.turn() as usize;

        let theirs = join(other);
        assert!(mine + theirs >= 2, "one of two found it each time");
        assert_eq!(scene.total_uses(), mine + theirs);
        assert_eq!(scene.drain(), [0]);
    });
}

#[test]
fn whoever_put_two_finds_two() {
    model_bounded("whoever_put_two_finds_two", None, || {
        let scene = Scene::<3>::new(Ring::new());
        scene.ring.enqueue(0);
        let other = scene.on_a_thread(|scene| scene.ring.enqueue(1));

        scene.ring.enqueue(2);
        let mine = [scene.ring.dequeue(), scene.ring.dequeue()];

        assert_eq!(mine[0], Some(0));
        assert!(matches!(mine[1], Some(1 | 2)));
        join(other);
        assert_eq!(scene.drain(), [3 - mine[1].expect("seen above")]);
    });
}

#[test]
fn what_a_producer_has_seen_the_consumer_sees_after_it() {
    model("what_a_producer_has_seen_the_consumer_sees_after_it", || {
        let scene = Scene::<3>::new(Ring::new());
        scene.ring.enqueue(0);
        let silent = scene.on_a_thread(|scene| scene.ring.enqueue(1));
        let known = scene.on_a_thread(|scene| scene.ring.enqueue(2));

        join(known);
        let mine = [scene.ring.dequeue(), scene.ring.dequeue()];

        assert!(mine[1].is_some(), "a put that happened before is behind one that was not seen");
        join(silent);
        assert_eq!(mine.into_iter().flatten().count() + scene.drain().len(), 3);
    });
}

#[test]
fn a_consumer_of_a_ring_that_went_round_is_not_left_behind() {
    model_bounded("a_consumer_of_a_ring_that_went_round_is_not_left_behind", Some(4), || {
        let scene = Scene::<1>::new(Ring::full());
        let other = scene.on_a_thread(|scene| {
            scene.turn();
            scene.ring.dequeue()
        });

        let mine = scene.ring.dequeue();

        let theirs = join(other);
        assert!(mine.is_some() ^ theirs.is_some(), "there is one index");
        assert_eq!(scene.drain(), []);
    });
}

#[test]
fn a_ring_that_is_never_empty_turns_nobody_away() {
    model_bounded("a_ring_that_is_never_empty_turns_nobody_away", Some(3), || {
        let scene = Scene::<2>::new(Ring::full());
        let other = scene.on_a_thread(|scene| {
            scene.turn();
            scene.turn();
        });

        let mine = scene.ring.dequeue().expect("the other thread holds one of two at most");

        scene.use_index(mine);
        join(other);
        assert_eq!(scene.drain(), [1 - mine]);
    });
}

#[test]
fn a_ring_that_is_never_empty_is_not_found_so() {
    model_bounded("a_ring_that_is_never_empty_is_not_found_so", None, || {
        let scene = Scene::<2>::new(Ring::full());
        let other = scene.on_a_thread(|scene| {
            scene.turn();
            scene.turn();
        });

        assert!(!scene.ring.is_empty(), "the other thread holds one of two at most");

        join(other);
        assert_eq!(scene.drain(), [0, 1]);
    });
}

#[test]
fn an_answer_holds_for_the_index_that_is_taken() {
    model_bounded("an_answer_holds_for_the_index_that_is_taken", None, || {
        let scene = Scene::<2>::new(Ring::full());
        let lowest = |scene: &Scene<2>| scene.ring.dequeue_if(|index| index == 0);
        let other = scene.on_a_thread(move |scene| lowest(scene));

        let mine = lowest(&scene);

        let both = [mine, join(other)];
        assert!(both.contains(&Dequeued::Taken(0)) && both.contains(&Dequeued::Declined));
        assert_eq!(scene.drain(), [1]);
    });
}

#[test]
fn the_length_is_one_that_the_ring_had() {
    model_bounded("the_length_is_one_that_the_ring_had", Some(3), || {
        let scene = Scene::<3>::new(Ring::full());
        let other = scene.on_a_thread(|scene| {
            scene.turn();
            scene.turn();
        });

        let [len, empty] = [scene.ring.len(), usize::from(scene.ring.is_empty())];

        assert!((2..=3).contains(&len), "{len} of 3, at most one of them in use");
        assert_eq!(empty, 0);
        join(other);
        assert_eq!(scene.ring.len(), 3);
    });
}

#[test]
fn a_producer_stopped_at_any_step_holds_up_nobody() {
    // So many indices went round before, so that the hint is elsewhere.
    for before in 0..3 {
        at_every_step("a_producer_stopped_at_any_step_holds_up_nobody", 1, move |stop| {
            let scene = Scene::<2>::new(Ring::full());
            let gate = stop.gate();
            (0..before).for_each(|_| assert!(scene.turn()));
            let [first, second] = [(); 2].map(|()| scene.ring.dequeue().expect("all are there"));
            let stopped = scene.on_a_thread(move |scene| {
                scene.use_index(first);
                stop.during(|| scene.ring.enqueue(first));
            });

            scene.ring.enqueue(second);
            // More than a round.
            let turns = (0..3).filter(|_| scene.turn()).count();

            assert_eq!(turns, 3, "an index was there all the time");
            gate.notify();
            join(stopped);
            assert_eq!(sorted(scene.drain()), [0, 1]);
        });
    }
}

#[test]
fn a_consumer_stopped_at_any_step_takes_at_most_one_index_along() {
    for before in 0..3 {
        at_every_step(
            "a_consumer_stopped_at_any_step_takes_at_most_one_index_along",
            1,
            move |stop| {
                let scene = Scene::<2>::new(Ring::full());
                let gate = stop.gate();
                (0..before).for_each(|_| assert!(scene.turn()));
                let stopped = scene.on_a_thread(move |scene| {
                    let mut taken = Dequeued::Empty;
                    stop.during(|| taken = scene.ring.dequeue_if(|index| index == 0));
                    taken
                });

                let turns = (0..3).filter(|_| scene.turn()).count();

                assert_eq!(turns, 3, "an index was there all the time");
                gate.notify();
                let mut all = scene.drain();
                // If it took none, it was asked about the other one, or went on too late.
                if let Dequeued::Taken(index) = join(stopped) {
                    all.push(index);
                }
                assert_eq!(sorted(all), [0, 1]);
            },
        );
    }
}
