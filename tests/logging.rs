//! The hooks for `log` and `tracing`: what they write, and at which level.
#![cfg(any(feature = "log", feature = "tracing"))]

use std::sync::{Mutex, PoisonError};

use asyncpal::{Builder, Labelled, ThreadPool, Threads, kind::Fallible};

/// A task that succeeds, one that fails, one that is cancelled, and the end.
fn a_short_life(builder: Builder<Threads>) {
    let pool = builder.name("logged").max_workers(1).build().unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let fine = pool.submit_labelled("fine", move || released.recv().is_err()).unwrap();
    let bad = pool.submit(Labelled::new("bad", Fallible(|| "x".parse::<u8>()))).unwrap();
    assert!(pool.submit_labelled("never", || ()).unwrap().cancel());
    drop(release);
    assert!(fine.collect().unwrap());
    assert!(bad.collect().is_err());
}

/// What must be among the lines, whatever the time that tasks took; by level.
const EXPECTED: [(&str, &str); 8] = [
    ("DEBUG", "pool \"logged\", worker 0: the worker starts"),
    ("TRACE", "pool \"logged\", worker 0: task 1 \"fine\" starts after "),
    ("TRACE", "pool \"logged\", worker 0: task 1 \"fine\" completed in "),
    ("TRACE", "pool \"logged\", worker 0: task 2 \"bad\" starts after "),
    ("WARN", "pool \"logged\", worker 0: task 2 \"bad\" failed after "),
    ("TRACE", "pool \"logged\": task 3 \"never\" was cancelled after "),
    ("DEBUG", "pool \"logged\": it is shut down"),
    ("DEBUG", "pool \"logged\", worker 0: the worker leaves: it was sent home"),
];

#[track_caller]
fn assert_expected(lines: &Mutex<Vec<(String, String)>>) {
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    for (level, text) in EXPECTED {
        let found = lines.iter().filter(|line| line.0 == level && line.1.contains(text)).count();
        assert_eq!(found, 1, "{level} {text}: {lines:#?}");
    }
    assert_eq!(lines.len(), EXPECTED.len(), "{lines:#?}");
}

#[cfg(feature = "log")]
mod with_log {
    use super::*;

    static LINES: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

    struct Logger;

    impl log::Log for Logger {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.target() == "asyncpal"
        }

        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                let line = (record.level().to_string(), record.args().to_string());
                LINES.lock().unwrap().push(line);
            }
        }

        fn flush(&self) {}
    }

    #[test]
    fn every_event_is_logged_at_its_level() {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(log::LevelFilter::Trace);

        a_short_life(ThreadPool::builder().on_event(asyncpal::log_event));

        assert_expected(&LINES);
    }
}

#[cfg(feature = "tracing")]
mod with_tracing {
    use core::fmt::Debug;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    static LINES: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
    static FIELDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Collector;

    #[derive(Default)]
    struct Fields {
        message: String,
        others: Vec<String>,
    }

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == "message" {
                self.message = format!("{value:?}");
            } else if !field.name().ends_with("_us") {
                self.others.push(format!("{}={value:?}", field.name()));
            } else {
                self.others.push(field.name().into());
            }
        }
    }

    impl Subscriber for Collector {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "asyncpal"
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let level = event.metadata().level().to_string();
            LINES.lock().unwrap().push((level, fields.message));
            FIELDS.lock().unwrap().push(fields.others.join(" "));
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn every_event_has_its_level_and_fields() {
        tracing::subscriber::set_global_default(Collector).unwrap();

        a_short_life(ThreadPool::builder().on_event(asyncpal::trace_event));

        assert_expected(&LINES);
        let fields = FIELDS.lock().unwrap();
        for expected in [
            "pool=\"logged\" worker=0 task=1 label=\"fine\" waited_us",
            "pool=\"logged\" worker=0 task=2 label=\"bad\" waited_us ran_us ending=\"failed\"",
            "pool=\"logged\" task=3 label=\"never\" waited_us ending=\"cancelled\"",
        ] {
            assert!(fields.iter().any(|line| line == expected), "{expected}: {fields:#?}");
        }
    }
}
