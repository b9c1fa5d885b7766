//! Numbers, on demand: `cargo test --release --test worker -- --ignored --nocapture measure`.

use core::time::Duration;
use std::time::Instant;

use asyncpal_process::remote::FunctionId;

use super::calls::echo;
use super::{Trials, call, encoded, launch};

pub(crate) fn trials() -> Trials {
    super::trials![measure].into_iter().map(|trial| trial.with_ignored_flag(true)).collect()
}

fn nothing() {}

/// The 10th, 50th and 90th percentile of `count` runs.
fn percentiles(count: usize, mut run: impl FnMut()) -> [Duration; 3] {
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    [10, 50, 90].map(|percent| times[count * percent / 100])
}

fn measure() {
    let mut proxy = launch();
    let function = FunctionId::plain::<_, ()>(nothing).unwrap();
    let empty = percentiles(20_000, || drop(proxy.call(1, function, &[]).unwrap()));
    println!("    empty task: p10/p50/p90 {empty:?}");

    let idle = percentiles(300, || {
        std::thread::sleep(Duration::from_millis(2));
        drop(proxy.call(1, function, &[]).unwrap());
    });
    println!(
        "    empty task from idle, less 2 ms: {:?}",
        idle.map(|t| t - Duration::from_millis(2))
    );

    let bytes = vec![1; 1 << 20];
    let start = Instant::now();
    for _ in 0..100 {
        call(&mut proxy, echo, (bytes.clone(),));
    }
    println!("    100 × 1 MiB echo, encoding included: {:?}", start.elapsed());
    let payload = encoded((bytes,));
    let echo = FunctionId::plain::<_, (Vec<u8>,)>(echo).unwrap();
    let large = percentiles(200, || drop(proxy.call(1, echo, &payload).unwrap()));
    println!("    1 MiB there and back: {large:?}");

    let started = percentiles(200, || drop(launch()));
    println!("    launch and drop: {started:?}");
    let closed = percentiles(200, || launch().close().unwrap());
    println!("    launch and close: {closed:?}");
}
