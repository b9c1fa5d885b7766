//! Calls that return.

use asyncpal_process::error::CallError;
use asyncpal_process::proxy::{Launch, Proxy, Reply};
use asyncpal_process::remote::FunctionId;
use asyncpal_process::wire::payload::{decode_items, encode_items};

use super::{Trials, call, encoded, exists, launch, trials};

pub(crate) fn trials() -> Trials {
    trials![
        a_thousand_calls_return_the_right_answers,
        closures_without_captures_and_generic_functions_can_be_called,
        large_values_go_both_ways,
        values_larger_than_both_pipes_do_not_deadlock,
        a_chunk_calls_the_function_once_per_item,
        a_worker_outlives_the_thread_that_launched_it,
        workers_of_many_threads_do_not_disturb_each_other,
        arguments_over_the_limit_are_refused_and_the_worker_lives,
        a_result_over_the_limit_is_an_error_and_the_worker_lives,
    ]
}

fn sum(a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}

pub(crate) fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

fn show<T: ToString>(value: T) -> String {
    value.to_string()
}

fn a_thousand_calls_return_the_right_answers() {
    let mut proxy = launch();
    let pid = proxy.pid();

    for i in 0..1000 {
        assert_eq!(call(&mut proxy, sum, (i, u64::MAX)), i.wrapping_sub(1));
    }

    proxy.close().unwrap();
    assert!(!exists(pid));
}

fn closures_without_captures_and_generic_functions_can_be_called() {
    let mut proxy = launch();

    assert_eq!(call(&mut proxy, |a: i32, b: String| format!("{b}{a}"), (1, "x".into())), "x1");
    assert_eq!(call(&mut proxy, show::<u8>, (8,)), "8");
    assert_eq!(call(&mut proxy, show::<String>, ("eight".into(),)), "eight");
    call(&mut proxy, || (), ());
}

fn large_values_go_both_ways() {
    let mut proxy = launch();
    let bytes: Vec<u8> = (0..1 << 20).map(|i: u32| (i.wrapping_mul(7) >> 3) as u8).collect();

    for _ in 0..100 {
        assert!(call(&mut proxy, echo, (bytes.clone(),)) == bytes);
    }
}

fn values_larger_than_both_pipes_do_not_deadlock() {
    let mut proxy = launch();
    let bytes = vec![5; 2 << 20];

    assert!(call(&mut proxy, echo, (bytes.clone(),)) == bytes);
}

fn sum_pair((a, b): (u64, u64)) -> u64 {
    a + b
}

fn a_chunk_calls_the_function_once_per_item() {
    let mut proxy = launch();
    let items: Vec<(u64, u64)> = (0..100_000).map(|i| (i, 2 * i)).collect();
    let mut input = Vec::new();
    encode_items(&items, &mut input).unwrap();

    let function = FunctionId::chunk::<_, (u64, u64)>(sum_pair).unwrap();
    let reply = proxy.call(1, function, &input).unwrap();

    let Reply::Result(output) = reply else { panic!("{reply:?}") };
    let results: Vec<u64> = decode_items(&output).unwrap();
    assert!(results.iter().copied().eq((0..100_000).map(|i| 3 * i)));
}

fn a_worker_outlives_the_thread_that_launched_it() {
    let mut proxy = std::thread::spawn(launch).join().unwrap();

    assert_eq!(call(&mut proxy, sum, (1, 2)), 3);
}

fn workers_of_many_threads_do_not_disturb_each_other() {
    let one = |thread: u64| {
        for round in 0..5 {
            let mut proxy = launch();
            for i in 0..100 {
                assert_eq!(call(&mut proxy, sum, (thread, i)), thread + i);
            }
            match round % 2 {
                0 => proxy.close().unwrap(),
                _ => drop(proxy),
            }
        }
    };

    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || one(thread));
        }
    });
}

fn arguments_over_the_limit_are_refused_and_the_worker_lives() {
    let limits = Launch { max_frame_bytes: 1000, ..Launch::new("worker") };
    let mut proxy = Proxy::launch(&limits).unwrap();
    let function = FunctionId::plain::<_, (Vec<u8>,)>(echo).unwrap();

    let error = proxy.call(1, function, &encoded((vec![0_u8; 1000],))).unwrap_err();

    assert!(matches!(error, CallError::TooLarge { bytes: 1008, limit: 1000, .. }), "{error:?}");
    assert!(proxy.is_alive());
    assert_eq!(call(&mut proxy, echo, (vec![1; 992],)), [1; 992]);
}

fn a_result_over_the_limit_is_an_error_and_the_worker_lives() {
    let limits = Launch { max_frame_bytes: 1000, ..Launch::new("worker") };
    let mut proxy = Proxy::launch(&limits).unwrap();

    let function = FunctionId::plain::<_, (usize,)>(|n: usize| vec![0_u8; n]).unwrap();
    let reply = proxy.call(1, function, &encoded((1000_usize,))).unwrap();

    let Reply::Error(error) = reply else { panic!("{reply:?}") };
    assert_eq!(error.message(), "a result of 1008 bytes exceeds the limit of 1000 bytes");
    assert_eq!(call(&mut proxy, echo, (vec![1],)), [1]);
}
