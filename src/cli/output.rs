//! Where the output goes: standard output, or a file that appears whole or not at all.

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Lets `render` write to `file`, or to standard output.
pub(crate) fn write(
    file: Option<&Path>,
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    match file.filter(|f| f.as_os_str() != "-") {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            render(&mut out).and_then(|()| out.flush()).context("standard output")
        }
        Some(file) => to_file(file, render).with_context(|| file.display().to_string()),
    }
}

/// A file of the old content until the new one is complete: written beside it under another name, then renamed.
fn to_file(file: &Path, render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    // A link is followed, so that it stays a link; a device or a pipe cannot be replaced and is written to.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let before = fs::metadata(&target).ok();
    if before.as_ref().is_some_and(fs::Metadata::is_dir) {
        bail!("is a folder; name a file in it");
    }
    if before.as_ref().is_some_and(|m| !m.is_file()) {
        let mut out = BufWriter::new(File::options().write(true).open(&target)?);
        render(&mut out)?;
        return Ok(out.flush()?);
    }
    let name = target.file_name().context("has no file name")?.to_string_lossy().into_owned();
    let temporary = target.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let done = fill(&temporary, before.as_ref(), render).and_then(|()| fs::rename(&temporary, &target));
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    Ok(done?)
}

fn fill(
    temporary: &Path,
    before: Option<&fs::Metadata>,
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let file = File::create_new(temporary)?;
    if let Some(before) = before {
        // The old file's rights are the user's choice. Not on every file system can they be set.
        let _ = file.set_permissions(before.permissions());
    }
    let mut out = BufWriter::new(file);
    render(&mut out)?;
    out.flush()?;
    // A rename may reach the disk before the bytes do.
    out.get_ref().sync_all()
}

/// The input that `file` would replace, if any: nobody means to overwrite a log with its report.
pub(crate) fn overwritten<'a>(file: Option<&Path>, inputs: impl Iterator<Item = &'a str>) -> Option<PathBuf> {
    let target = fs::canonicalize(file?).ok()?;
    inputs.map(PathBuf::from).find(|input| fs::canonicalize(input).is_ok_and(|input| input == target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.txt");
        fs::write(&file, "old").unwrap();
        let failed = write(Some(&file), |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        write(Some(&file), |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
