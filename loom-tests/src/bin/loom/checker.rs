//! The mended loom.
//!
//! loom finds the interleavings worth running by looking, before each access to an atomic, at the
//! last access that the new one depends on. It keeps only the last access of each kind, and lets a
//! load depend on nothing but stores; so a thread that loads an atomic and then stores to it hides
//! another thread's earlier load from the store. When every access depends on the last one,
//! whatever its kind, nothing is hidden: all accesses to one atomic form one chain. That explores
//! more executions, some of them equivalent, and skips none.

use crate::{Result, mirror};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Where the mend goes, from the root of loom's package.
const MENDED_FILE: &str = "src/rt/atomic.rs";

/// In `State::last_dependent_access(&self, action: Action) -> Option<&Access>`.
const PUBLISHED: &str = "\
        match action {
            Action::Load => self.last_non_load_access.as_ref(),
            _ => self.last_access.as_ref(),
        }
";

const MENDED: &str = "\
        let _ = action;
        self.last_access.as_ref()
";

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
            if file == Path::new(MENDED_FILE) { mend(text, version) } else { Ok(text) }
        })?;
        // The file may not exist in another version, and then the edit above never happened.
        let mended = String::from_utf8(mirror::read(&folder.join(MENDED_FILE))?)?;
        if mended.contains(MENDED) {
            Ok(Self { folder: folder.to_owned() })
        } else {
            Err(format!("loom {version} has no {MENDED_FILE} that could be mended").into())
        }
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

fn mend(text: Vec<u8>, version: &str) -> Result<Vec<u8>> {
    let text = String::from_utf8(text)?;
    match text.matches(PUBLISHED).count() {
        1 => Ok(text.replace(PUBLISHED, MENDED).into_bytes()),
        found => Err(format!(
            "loom {version} cannot be mended: the text to change is {found} times in \
             {MENDED_FILE} instead of once; adapt loom-tests/src/bin/loom/checker.rs to this version"
        )
        .into()),
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
    fn the_mend_changes_the_text_once() {
        let text = format!("before\n{PUBLISHED}after\n");

        let mended = mend(text.into_bytes(), "0.7.3").unwrap();

        assert_eq!(mended, format!("before\n{MENDED}after\n").into_bytes());
    }

    #[test]
    fn a_loom_that_cannot_be_mended_is_named() {
        for text in ["something else".to_owned(), PUBLISHED.repeat(2)] {
            let error = mend(text.into_bytes(), "0.9.1").unwrap_err().to_string();

            assert!(error.starts_with("loom 0.9.1 cannot be mended"), "{error}");
        }
    }
}
