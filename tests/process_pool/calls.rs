//! Calls that reach another process.

use std::process;

use crate::{own_pid, pool};

crate::trials! {
    a_function_runs_in_another_process
    a_closure_that_captures_nothing_runs_in_another_process
    arguments_and_results_travel
    a_map_keeps_its_order
}

fn a_function_runs_in_another_process() {
    let worker = pool(1).run(own_pid).expect("no panic");

    assert_ne!(worker, own_pid());
}

fn a_closure_that_captures_nothing_runs_in_another_process() {
    let text = pool(1).run(|| format!("{:?}", process::id() == 0)).expect("no panic");

    assert_eq!(text, "false");
}

fn arguments_and_results_travel() {
    fn join(words: Vec<String>, by: char, times: Option<u8>) -> (String, usize) {
        let text = words.join(&by.to_string()).repeat(times.unwrap_or(1).into());
        let length = text.len();
        (text, length)
    }
    let pool = pool(2);

    let words = vec!["a".to_owned(), "b".to_owned()];
    let handle = pool.submit_with(join, (words, '-', Some(2))).expect("open");
    let bytes = pool.submit_with(|bytes: Vec<u8>| bytes, (vec![7; 1 << 20],)).expect("open");

    assert_eq!(handle.collect().expect("no panic"), ("a-ba-b".to_owned(), 6));
    assert_eq!(bytes.collect().expect("no panic"), vec![7; 1 << 20]);
}

fn a_map_keeps_its_order() {
    let pool = pool(2);

    let squares: Result<Vec<_>, _> = pool.map(|n: u64| n * n, 0..1000).chunk_size(7).collect();

    assert!(squares.expect("no panic").into_iter().eq((0..1000).map(|n| n * n)));
}
