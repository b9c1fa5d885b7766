//! The mended loom.
//!
//! loom finds the interleavings worth running by looking, before each access to an atomic, at the
//! last access that the new one depends on. It keeps only the last access of each kind, and lets a
//! load depend on nothing but stores; so a thread that loads an atomic and then stores to it hides
//! another thread's earlier load from the store. When every access depends on the last one,
//! whatever its kind, nothing is hidden: all accesses to one atomic form one chain. That explores
//! more executions, some of them equivalent, and skips none.
//!
//! And it gives the stacks of an execution to the next one, where loom maps and unmaps memory for every
//! thread of every execution: half of a model's time. A stack is a generator that runs one closure
//! after the other, as loom wrote it; it waits for the next one when its thread has ended.

use crate::{Result, mirror};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A text of loom, and what it is replaced by.
struct Mend {
    /// From the root of loom's package.
    file: &'static str,
    published: &'static str,
    mended: &'static str,
}

const MENDS: [Mend; 3] = [
    // In `State::last_dependent_access(&self, action: Action) -> Option<&Access>`.
    Mend {
        file: "src/rt/atomic.rs",
        published: "\
        match action {
            Action::Load => self.last_non_load_access.as_ref(),
            _ => self.last_access.as_ref(),
        }
",
        mended: "\
        let _ = action;
        self.last_access.as_ref()
",
    },
    // In `Scheduler::run`, when all threads of an execution have ended.
    Mend {
        file: "src/rt/scheduler.rs",
        published: "\
                for thread in &mut threads {
                    thread.resume();
                    assert!(thread.is_done());
                }
                return;
",
        mended: "\
                if !SIZED.get() {
                    STACKS.with_borrow_mut(|stacks| stacks.append(&mut threads));
                }
                for thread in &mut threads {
                    thread.resume();
                    assert!(thread.is_done());
                }
                return;
",
    },
    Mend {
        file: "src/rt/scheduler.rs",
        published: "\
fn spawn_thread(f: Box<dyn FnOnce()>, stack_size: Option<usize>) -> Thread {
",
        mended: "\
thread_local! {
    static STACKS: RefCell<Vec<Thread>> = const { RefCell::new(Vec::new()) };
    // Whether a thread has asked for a stack of its own size.
    static SIZED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

fn spawn_thread(f: Box<dyn FnOnce()>, stack_size: Option<usize>) -> Thread {
    SIZED.set(SIZED.get() || stack_size.is_some());
    let reused = if SIZED.get() { None } else { STACKS.with_borrow_mut(Vec::pop) };
    if let Some(mut stack) = reused {
        stack.set_para(Some(f));
        return stack;
    }
",
    },
];

pub(crate) struct Checker {
    folder: PathBuf,
}

impl Checker {
    /// Copies the locked loom to `folder` and mends it.
    pub(crate) fn mended(workspace: &Path, folder: &Path) -> Result<Self> {
        let lockfile = String::from_utf8(mirror::read(&workspace.join("Cargo.lock"))?)?;
        let version = locked_version(&lockfile)?;
        let source = source(workspace, version)?;
        mirror::mirror(&source, folder, &[], |file, text| {
            MENDS
                .iter()
                .filter(|mend| file == Path::new(mend.file))
                .try_fold(text, |text, mend| mend.apply(text, version))
        })?;
        // A file may not exist in another version, and then its edit never happened.
        for mend in &MENDS {
            let mended = String::from_utf8(mirror::read(&folder.join(mend.file))?)?;
            if !mended.contains(mend.mended) {
                let file = mend.file;
                return Err(format!("loom {version} has no {file} that could be mended").into());
            }
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// What to give to cargo as `--config` so that it builds with this loom.
    pub(crate) fn patch(&self) -> Result<String> {
        match self.folder.to_str() {
            // A literal string of TOML: nothing in it is escaped.
            Some(path) if !path.contains(['\'', '\n']) => {
                Ok(format!("patch.crates-io.loom.path='{path}'"))
            }
            _ => Err(format!("cargo cannot be told the path {}", self.folder.display()).into()),
        }
    }
}

fn locked_version(lockfile: &str) -> Result<&str> {
    let mut lines = lockfile.lines();
    lines
        .find(|line| *line == "name = \"loom\"")
        .and_then(|_| lines.next()?.strip_prefix("version = \"")?.strip_suffix('"'))
        .ok_or_else(|| "Cargo.lock names no version of loom".into())
}

impl Mend {
    fn apply(&self, text: Vec<u8>, version: &str) -> Result<Vec<u8>> {
        let text = String::from_utf8(text)?;
        match text.matches(self.published).count() {
            1 => Ok(text.replace(self.published, self.mended).into_bytes()),
            found => Err(format!(
                "loom {version} cannot be mended: the text to change is {found} times in {} \
                 instead of once; adapt loom-tests/src/bin/loom/checker.rs to this version",
                self.file
            )
            .into()),
        }
    }
}

/// loom's source as cargo unpacked it.
fn source(workspace: &Path, version: &str) -> Result<PathBuf> {
    if let Some(source) = unpacked(version)? {
        return Ok(source);
    }
    let fetched = crate::models::cargo()
        .args(["fetch", "--locked", "--manifest-path"])
        .arg(workspace.join("Cargo.toml"))
        .status()
        .map_err(|error| format!("cannot start `cargo fetch`: {error}"))?;
    match unpacked(version)? {
        Some(source) if fetched.success() => Ok(source),
        _ => Err(format!("`cargo fetch` brought no source of loom {version}: {fetched}").into()),
    }
}

/// `registry/src/*/loom-VERSION` in cargo's home, if it is there.
fn unpacked(version: &str) -> Result<Option<PathBuf>> {
    let registries = cargo_home()?.join("registry").join("src");
    // Not there before the first download.
    let Ok(registries) = fs::read_dir(registries) else { return Ok(None) };
    for registry in registries {
        let source = registry?.path().join(format!("loom-{version}"));
        if source.join("Cargo.toml").is_file() {
            return Ok(Some(source));
        }
    }
    Ok(None)
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    match env::var_os("HOME").or_else(|| env::var_os("USERPROFILE")) {
        Some(home) => Ok(Path::new(&home).join(".cargo")),
        None => Err("neither CARGO_HOME nor HOME is set, so loom's source cannot be found".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_loom_and_of_no_other_package() {
        let lockfile = "[[package]]\nname = \"loom-tests\"\nversion = \"0.1.0\"\n\n\
                        [[package]]\nname = \"loom\"\nversion = \"0.7.3\"\n";

        assert_eq!(locked_version(lockfile).unwrap(), "0.7.3");
        assert!(locked_version("[[package]]\nname = \"libc\"\nversion = \"1.0.0\"\n").is_err());
    }

    #[test]
    fn a_mend_changes_the_text_once() {
        for mend in &MENDS {
            let text = format!("before\n{}after\n", mend.published);

            let mended = mend.apply(text.into_bytes(), "0.7.3").unwrap();

            assert_eq!(mended, format!("before\n{}after\n", mend.mended).into_bytes());
        }
    }

    #[test]
    fn a_loom_that_cannot_be_mended_is_named() {
        for mend in &MENDS {
            for text in ["something else".to_owned(), mend.published.repeat(2)] {
                let error = mend.apply(text.into_bytes(), "0.9.1").unwrap_err().to_string();

                assert!(error.starts_with("loom 0.9.1 cannot be mended"), "{error}");
            }
        }
    }
}
