//! What the example `trace` writes: begins and ends nest, and every task is there once.
#![cfg(feature = "std")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../examples/trace.rs"]
mod trace;

fn number(event: &Value, field: &str) -> u64 {
    event[field].as_u64().unwrap_or_else(|| panic!("{field} of {event}"))
}

#[test]
fn begins_and_ends_nest_and_every_task_is_there_once() {
    let file = std::env::temp_dir().join(format!("asyncpal-trace-{}.json", std::process::id()));
    let trace = trace::Trace::new();
    assert_eq!(trace::work(&trace).unwrap(), 4203);
    trace.write(&file).unwrap();
    let content = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();

    let content: Value = serde_json::from_str(&content).unwrap();
    let events = content["traceEvents"].as_array().unwrap();

    // By pool: tasks that ran or were cancelled.
    let mut tasks: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut open: BTreeMap<(u64, u64), Vec<&Value>> = BTreeMap::new();
    let mut deepest = 0;
    let mut before = 0.0;
    for event in events.iter().filter(|event| event["ph"] != "M") {
        let at = event["ts"].as_f64().unwrap();
        assert!(at >= before, "{event}");
        before = at;
        let row = open.entry((number(event, "pid"), number(event, "tid"))).or_default();
        let task = || number(&event["args"], "task");
        let mut first = |task| tasks.entry(number(event, "pid")).or_default().insert(task);
        match event["ph"].as_str().unwrap() {
            "B" => {
                assert!(first(task()), "twice: {event}");
                row.push(event);
                deepest = deepest.max(row.len());
            }
            "E" => {
                let begin = row.pop().unwrap_or_else(|| panic!("ends without a begin: {event}"));
                assert_eq!(
                    (&begin["name"], &begin["args"]["task"]),
                    (&event["name"], &event["args"]["task"])
                );
                assert_eq!(event["args"]["failure"], Value::Null);
            }
            "i" if event["args"]["task"].is_u64() => assert!(first(task()), "twice: {event}"),
            "i" => {}
            other => panic!("{other}"),
        }
    }

    assert!(open.values().all(Vec::is_empty), "a task has no end");
    assert_eq!(deepest, 4);
    let expected = BTreeMap::from([(1, (1..=16).collect()), (2, (1..=6).collect())]);
    assert_eq!(tasks, expected);
    let named = |name: &str| events.iter().filter(|event| event["name"] == name).count();
    assert_eq!((named("too late is cancelled"), named("burst 0"), named("level 3")), (1, 16, 2));
    // Both pools were dropped with everything told.
    assert_eq!(named("pool \"nest\": it is shut down"), 1);
}
