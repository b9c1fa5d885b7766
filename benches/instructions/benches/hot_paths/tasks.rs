//! A task that does nothing, from its submit to its outcome, in three stages.

#![forbid(unsafe_code)]

use core::convert::Infallible;

use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{Executor, Heap, StaticExecutor};
use asyncpal_core::task::{self, Job};
use gungraun::{library_benchmark, library_benchmark_group};

use crate::REPETITIONS;
use crate::by_hand::{ByHand, Life, Sleepless, Slots, spawned};

type Handle = task::Handle<(), Infallible>;

struct NoOp;

impl Job<(), Infallible> for NoOp {
    type Output = ();

    fn run(self, (): &mut ()) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A pool with room for one worker.
trait Pool {
    fn submit(&self) -> Handle;
    fn spawn_worker(&self);
}

impl Pool for Executor<ByHand<Heap>> {
    fn submit(&self) -> Handle {
        self.submit(NoOp).expect("the pool is open")
    }

    fn spawn_worker(&self) {
        self.spawn_workers(1);
    }
}

type InStatic = StaticExecutor<ByHand<Slots>>;

impl Pool for &'static InStatic {
    fn submit(&self) -> Handle {
        self.submit_job(NoOp).expect("there is room for as many as are counted")
    }

    fn spawn_worker(&self) {
        self.spawn_workers(1);
    }
}

fn heap() -> Executor<ByHand<Heap>> {
    Executor::new(ByHand::new(), 1)
}

fn fixed() -> &'static InStatic {
    Box::leak(Box::new(StaticExecutor::new(ByHand::new())))
}

/// A pool, its worker, and its tasks.
struct Scene<P> {
    pool: P,
    worker: Life,
    handles: Vec<Handle>,
}

fn without_tasks<P: Pool>(pool: P) -> Scene<P> {
    pool.spawn_worker();
    Scene { pool, worker: spawned(), handles: Vec::with_capacity(REPETITIONS) }
}

fn pending<P: Pool>(pool: P) -> Scene<P> {
    let mut scene = without_tasks(pool);
    scene.handles.extend((0..REPETITIONS).map(|_| scene.pool.submit()));
    scene
}

fn done<P: Pool>(pool: P) -> (P, Vec<Handle>) {
    let scene = pending(pool);
    (scene.worker)();
    assert!(scene.handles.iter().all(Handle::is_done));
    (scene.pool, scene.handles)
}

// The worker does not run meanwhile.
#[library_benchmark]
#[bench::heap(without_tasks(heap()))]
#[bench::fixed(without_tasks(fixed()))]
fn submit<P: Pool>(mut scene: Scene<P>) -> Scene<P> {
    for _ in 0..REPETITIONS {
        scene.handles.push(scene.pool.submit());
    }
    scene
}

// The worker claims, runs and completes what is pending, and leaves.
#[library_benchmark]
#[bench::heap(pending(heap()))]
#[bench::fixed(pending(fixed()))]
fn run<P: Pool>(scene: Scene<P>) -> (P, Vec<Handle>) {
    (scene.worker)();
    (scene.pool, scene.handles)
}

// The tasks are over before.
#[library_benchmark]
#[bench::heap(done(heap()))]
#[bench::fixed(done(fixed()))]
fn collect<P: Pool>((pool, handles): (P, Vec<Handle>)) -> P {
    for handle in handles {
        assert!(matches!(handle.join(&Sleepless), Outcome::Completed(())));
    }
    pool
}

library_benchmark_group!(name = task_stages, benchmarks = [submit, run, collect]);
