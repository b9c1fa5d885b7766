//! What a worker finds round it: environment, folder, where its prints go.

#![forbid(unsafe_code)]

use core::fmt;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// What a worker finds round it, where that differs from its parent's.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub(crate) clear: bool,
    /// `None`: the variable is not there.
    pub(crate) variables: BTreeMap<OsString, Option<OsString>>,
    pub(crate) current_dir: Option<PathBuf>,
    pub(crate) stdout: WorkerOutput,
    pub(crate) stderr: WorkerOutput,
}

impl Surroundings {
    /// The variables of a worker whose parent has these.
    pub(crate) fn environment(
        &self,
        parent: impl Iterator<Item = (OsString, OsString)>,
    ) -> BTreeMap<OsString, OsString> {
        let mut all = BTreeMap::new();
        if !self.clear {
            // The first of a name is what `getenv` finds in the parent.
            for (key, value) in parent {
                all.entry(key).or_insert(value);
            }
        }
        for (key, value) in &self.variables {
            match value {
                Some(value) => all.insert(key.clone(), value.clone()),
                None => all.remove(key),
            };
        }
        all
    }

    pub(crate) fn set(&mut self, key: &OsStr, value: Option<&OsStr>) {
        self.variables.insert(key.to_owned(), value.map(OsStr::to_owned));
    }

    pub(crate) fn set_none(&mut self) {
        self.clear = true;
        self.variables.clear();
    }
}

/// Where a worker's standard output or standard error goes.
///
/// A file is shared by all workers and by who has opened it, with its position: what they write comes one after the
/// other, and a line written at once stays whole.
///
/// # Examples
///
/// ```
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use asyncpal::process::{ProcessOptions, WorkerOutput};
///
/// let options = ProcessOptions::new().stdout(WorkerOutput::null());
/// # drop(options);
/// ```
#[derive(Clone, Default)]
pub struct WorkerOutput(pub(crate) Target);

#[derive(Clone, Debug, Default)]
pub(crate) enum Target {
    #[default]
    Inherit,
    Null,
    File(Arc<File>),
}

impl WorkerOutput {
    /// To where this program's goes.
    pub fn inherit() -> Self {
        Self(Target::Inherit)
    }

    /// Nowhere.
    pub fn null() -> Self {
        Self(Target::Null)
    }
}

impl From<File> for WorkerOutput {
    fn from(file: File) -> Self {
        Self(Target::File(Arc::new(file)))
    }
}

impl fmt::Debug for WorkerOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent() -> impl Iterator<Item = (OsString, OsString)> {
        [("A", "1"), ("B", "2")].into_iter().map(|(key, value)| (key.into(), value.into()))
    }

    /// As the host's `getenv` has it.
    #[test]
    fn the_first_of_two_variables_of_one_name_is_that_of_the_worker() {
        let twice = [("A", "1"), ("B", "2"), ("A", "3")];
        let twice = twice.into_iter().map(|(key, value)| (key.into(), value.into()));

        let variables = Surroundings::default().environment(twice);

        assert_eq!(variables.get(OsStr::new("A")), Some(&OsString::from("1")));
    }

    fn text(surroundings: &Surroundings) -> String {
        let pairs = surroundings.environment(parent()).into_iter();
        pairs.map(|pair| format!("{:?}={:?} ", pair.0, pair.1).replace('"', "")).collect()
    }

    #[test]
    fn variables_are_set_replaced_removed_and_cleared() {
        let mut it = Surroundings::default();
        assert_eq!(text(&it), "A=1 B=2 ");
        it.set("C".as_ref(), Some("3".as_ref()));
        it.set("A".as_ref(), Some("4".as_ref()));
        it.set("B".as_ref(), None);
        assert_eq!(text(&it), "A=4 C=3 ");
        it.set("C".as_ref(), None);
        assert_eq!(text(&it), "A=4 ");
        it.set_none();
        it.set("D".as_ref(), Some("5".as_ref()));
        assert_eq!(text(&it), "D=5 ");
    }
}
