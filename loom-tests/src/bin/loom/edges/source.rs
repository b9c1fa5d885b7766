//! The orderings of the core's production code, and how each can be weakened.
//!
//! The code is parsed, not searched: an ordering that is no argument of a call, hides in a macro or
//! comes by another name is an error, so that none goes unseen.

use super::argument;
use super::scan::{Call, Module, scan};
use crate::{Result, mirror};
use core::ops::Range;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the modules start.
const ROOT: &str = "core/src/lib.rs";

/// What a weakening is known by, however the lines around it move.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) file: String,
    pub(crate) function: String,
    /// Receiver and method, which ordering of two, which occurrence in the function.
    pub(crate) operation: String,
    /// What is done to it: `Acquire → Relaxed`, `removed`.
    pub(crate) change: String,
}

impl core::fmt::Display for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { file, function, operation, change } = self;
        write!(f, "{file} {function}: {operation}, {change}")
    }
}

/// One way to weaken one ordering.
#[derive(Debug)]
pub(crate) struct Weakening {
    pub(crate) key: Key,
    /// The edges that it cuts, as the comment above the operation names them.
    pub(crate) edge: String,
    at: Range<usize>,
    instead: &'static str,
}

impl Weakening {
    /// The file's text with this ordering weakened.
    pub(crate) fn apply(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.at.start], self.instead, &text[self.at.end..])
    }
}

/// Every weakening in the workspace at `root`: by file, then in the order of the code.
pub(crate) fn weakenings(root: &Path) -> Result<Vec<Weakening>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![PathBuf::from(ROOT)];
    while let Some(file) = waiting.pop() {
        let text = String::from_utf8(mirror::read(&root.join(&file))?)?;
        let found = found_in(&file, &text)?;
        waiting.extend(found.modules.iter().map(|module| module.file(root)));
        files.insert(file, found.weakenings);
    }
    Ok(files.into_values().flatten().collect())
}

struct Found {
    weakenings: Vec<Weakening>,
    modules: Vec<Module>,
}

fn found_in(file: &Path, text: &str) -> Result<Found> {
    let name = file.to_str().ok_or("a file's name is not UTF-8")?;
    let told = |error: String| format!("{name}:{error}");
    let scan = scan(file, text).map_err(told)?;
    let weakenings = weakenings_of(name, text, &scan.calls).map_err(told)?;
    Ok(Found { weakenings, modules: scan.modules })
}

fn weakenings_of(
    file: &str,
    text: &str,
    calls: &[Call],
) -> core::result::Result<Vec<Weakening>, String> {
    let mut found = Vec::new();
    let mut met = BTreeMap::new();
    for call in calls {
        let line = call.variant.span().start().line;
        let changes = argument::changes(&call.variant.to_string(), call.is_fence)
            .map_err(|error| format!("{line}: {error}"))?;
        if changes.is_empty() {
            continue;
        }
        let comment = argument::comment_above(text, line, call.function_line)
            .ok_or_else(|| format!("{line}: no ORDERING comment"))?;
        let nth: &mut usize = met.entry((&call.function, &call.operation)).or_default();
        *nth += 1;
        for change in changes {
            let edge = argument::edges(&comment, change.loses)
                .map_err(|error| format!("{line}: {error}"))?;
            found.push(Weakening {
                key: Key {
                    file: file.to_owned(),
                    function: call.function.clone(),
                    operation: match *nth {
                        1 => call.operation.clone(),
                        nth => format!("{} ({nth})", call.operation),
                    },
                    change: change.name(&call.variant.to_string()),
                },
                edge,
                at: if change.removes() { call.whole } else { call.variant.span() }.byte_range(),
                instead: change.instead(),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str) -> Result<Found> {
        found_in(Path::new("core/src/queue/mod.rs"), text)
    }

    fn rows(text: &str) -> Vec<String> {
        let found = scanned(text).unwrap().weakenings;
        found.iter().map(|row| format!("{} {}", row.edge, row.key)).collect()
    }

    const METHOD: &str = "impl<P> Drop for Queue<P> { fn drop(&mut self) {
        // ORDERING: Release, Q1: the item. Acquire on failure, Q2.
        self.slots[1]
            .compare_exchange(x(), y, Ordering::Release, Ordering::Acquire);
    } }";

    #[test]
    fn success_and_failure_are_rows_of_their_own() {
        let start = "core/src/queue/mod.rs Queue::drop: self.slots[1].compare_exchange";

        assert_eq!(
            rows(METHOD),
            [
                format!("Q1 {start} on success, Release → Relaxed"),
                format!("Q2 {start} on failure, Acquire → Relaxed"),
            ]
        );
    }

    #[test]
    fn a_weakening_changes_one_ordering_or_removes_one_fence() {
        let found = scanned(METHOD).unwrap().weakenings;
        assert_eq!(found[1].apply(METHOD), METHOD.replace("::Acquire)", "::Relaxed)"));

        let fence = "fn f() {\n// ORDERING: SeqCst, F1.\nfence(Ordering::SeqCst); }";
        let found = scanned(fence).unwrap().weakenings;
        assert_eq!(
            found[0].apply(fence),
            fence.replace("(Ordering::SeqCst)", "(Ordering::AcqRel)")
        );
        assert_eq!(found[1].apply(fence), fence.replace("fence(Ordering::SeqCst)", "()"));
    }

    #[test]
    fn like_operations_of_one_function_are_numbered_and_relaxed_ones_have_no_row() {
        let load = "// ORDERING: Acquire, Q1.\nx.load(Ordering::Acquire);";
        let text = format!("fn f() {{ y.load(Ordering::Relaxed);\n{load}\n{load} }}");

        let rows = rows(&text);

        assert_eq!(rows.len(), 2);
        assert!(rows[0].contains("f: x.load, ") && rows[1].contains("f: x.load (2), "), "{rows:?}");
    }

    #[test]
    fn tests_and_models_are_no_production_code() {
        let body = "{ fn f() { x.load(Ordering::Acquire); } }";
        for cfg in ["test", "all(test, not(asyncpal_loom))", "all(asyncpal_loom, feature = \"x\")"]
        {
            assert!(rows(&format!("#[cfg({cfg})] mod inner {body}")).is_empty(), "{cfg}");
        }
        for cfg in ["not(test)", "any(test, feature = \"x\")", "not(feature = \"x\")"] {
            assert!(scanned(&format!("#[cfg({cfg})] mod inner {body}")).is_err(), "{cfg}");
        }
    }

    #[test]
    fn modules_in_files_are_found_beside_their_parent() {
        let found = scanned("mod ring; #[cfg(test)] mod tests;").unwrap();

        let modules: Vec<_> = found.modules.iter().map(|module| &*module.0).collect();
        assert_eq!(modules, [Path::new("core/src/queue/ring")]);
    }

    #[test]
    fn an_ordering_that_could_go_unseen_is_an_error() {
        for (text, expected) in [
            ("const O: Ordering = Ordering::Acquire;", "1: an ordering that is no argument"),
            ("fn f() { g!(x, Ordering::Acquire); }", "1: an ordering inside a macro"),
            ("use core::sync::atomic::Ordering::Acquire;", "1: an ordering is imported"),
            ("fn f() { x.load(Ordering::Acquire); }", "1: no ORDERING comment"),
            (
                "fn f() {\n// ORDERING: Relaxed: no.\nx.load(Ordering::Acquire); }",
                "3: the ORDERING comment does not speak of Acquire",
            ),
        ] {
            let error = scanned(text).err().expect(text).to_string();

            assert!(error.starts_with(&format!("core/src/queue/mod.rs:{expected}")), "{error}");
        }
    }
}
