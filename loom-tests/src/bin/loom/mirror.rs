//! Copies of source trees that keep what has not changed.

use crate::Result;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Makes the files under `to` those under `from`, each with its text passed through `edit`.
///
/// A file that already has the right text is not written, so that a build sees what changed and
/// nothing else; a file that vanished from `from` vanishes from `to`. Left out are the
/// paths `skipped`, and at any depth hidden entries and cargo's target folders, by name or by the tag
/// in them: `to` may lie in one that lies in `from`.
pub(crate) fn mirror(
    from: &Path,
    to: &Path,
    skipped: &[&str],
    edit: impl Fn(&Path, Vec<u8>) -> Result<Vec<u8>>,
) -> Result<()> {
    let wanted = files(from, skipped)?;
    for file in &wanted {
        let text = read(&from.join(file))?;
        write_if_changed(&to.join(file), &edit(file, text)?)?;
    }
    if to.is_dir() {
        for file in files(to, &[])?.difference(&wanted) {
            let path = to.join(file);
            fs::remove_file(&path).map_err(told("cannot remove", &path))?;
        }
    }
    Ok(())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(fs::read(path).map_err(told("cannot read", path))?)
}

pub(crate) fn write_if_changed(path: &Path, text: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(told("cannot create", folder))?;
    }
    Ok(fs::write(path, text).map_err(told("cannot write", path))?)
}

/// The files under `root`, relative to it.
fn files(root: &Path, skipped: &[&str]) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let at = root.join(&folder);
        for entry in fs::read_dir(&at).map_err(told("cannot list", &at))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = folder.join(&name);
            if is_left_out(&name) || skipped.iter().any(|skip| path == Path::new(skip)) {
                continue;
            }
            // A link counts as the file that it leads to; none leads to a folder.
            if entry.file_type()?.is_dir() {
                if !entry.path().join("CACHEDIR.TAG").exists() {
                    folders.push(path);
                }
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

fn is_left_out(name: &OsStr) -> bool {
    name == "target" || name.as_encoded_bytes().starts_with(b".")
}

fn told(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> String {
    move |error| format!("{what} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, process};

    #[test]
    fn a_mirror_follows_changes_and_leaves_the_rest_alone() {
        let folder = env::temp_dir().join(format!("asyncpal-mirror-{}", process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        for file in [
            "kept.rs",
            "gone.rs",
            "src/lib.rs",
            "target/x",
            "built/CACHEDIR.TAG",
            ".git/x",
            "fuzz/x",
            "src/bin/x.rs",
        ] {
            write_if_changed(&from.join(file), b"old").unwrap();
        }
        let update = || mirror(&from, &to, &["fuzz", "src/bin"], |_, text| Ok(text)).unwrap();
        update();
        let written = fs::metadata(to.join("kept.rs")).unwrap().modified().unwrap();

        fs::write(from.join("src/lib.rs"), "new").unwrap();
        fs::remove_file(from.join("gone.rs")).unwrap();
        update();

        let found = files(&to, &[]).unwrap();
        assert_eq!(found, BTreeSet::from(["kept.rs".into(), "src/lib.rs".into()]));
        assert_eq!(fs::read(to.join("src/lib.rs")).unwrap(), b"new");
        assert_eq!(fs::metadata(to.join("kept.rs")).unwrap().modified().unwrap(), written);
        fs::remove_dir_all(folder).unwrap();
    }
}
