//! The proof of patterns: each is held against its own lines, beside all others.

use super::load::{self, Patterns, fault};
use super::{Catalogue, read_line};
use crate::error::{Error, Result};
use std::path::Path;

/// What a check of a folder found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Checked {
    /// Patterns that could be read.
    pub patterns: usize,
    /// Lines that prove them.
    pub lines: usize,
    /// Every fault, by file and line, with its remedy.
    pub faults: Vec<Error>,
}

impl Catalogue {
    /// Checks the patterns of a folder, alone and beside ours, and names all faults and not only the first.
    ///
    /// # Errors
    ///
    /// The folder or a file in it cannot be read.
    pub fn check_dir(dir: &Path) -> Result<Checked> {
        let mut checked = Checked::default();
        let mut alone = Patterns::new();
        load::add_dir(&mut alone, dir, &mut checked.faults)?;
        checked.patterns = alone.len();
        checked.lines = alone.values().map(|p| p.matches.len() + p.rejects.len()).sum();
        let mut beside = load::builtin()?;
        // Its faults have been found above.
        load::add_dir(&mut beside, dir, &mut Vec::new())?;
        checked.faults.extend(faults(&Self::build(alone)?));
        for fault in faults(&Self::build(beside)?) {
            let text = fault.to_string();
            if checked.faults.iter().all(|known| known.to_string() != text) {
                checked.faults.push(fault);
            }
        }
        checked.faults.sort_by_cached_key(place);
        Ok(checked)
    }
}

/// File and line, for sorting.
fn place(error: &Error) -> (String, usize) {
    let Error::Pattern { file, .. } = error else { return (String::new(), 0) };
    let (name, line) = file.rsplit_once(':').unwrap_or((file, "0"));
    (name.to_string(), line.parse().unwrap_or(0))
}

/// The first fault, if there is one.
pub(super) fn prove(catalogue: &Catalogue) -> Result<()> {
    faults(catalogue).into_iter().next().map_or(Ok(()), Err)
}

/// Holds every pattern against its own lines, and every line that must match against the whole catalogue.
fn faults(catalogue: &Catalogue) -> Vec<Error> {
    const NO_RECORD: &str = "no error-log record: write the whole line, as nginx does";
    let mut faults = Vec::new();
    for p in catalogue.patterns() {
        let mut found =
            |line: usize, what: &str| faults.push(fault(&p.file, line, &format!("{}: {what}", p.id)));
        for m in &p.matches {
            let Some(record) = read_line(m.line.as_bytes()) else {
                found(m.at, &format!("{NO_RECORD}: {}", m.line));
                continue;
            };
            match catalogue.classify(&record) {
                None => {
                    found(
                        m.at,
                        &format!("taken by no pattern: widen the conditions of {}: {}", p.id, m.line),
                    );
                }
                Some(f) if f.id != p.id => found(
                    m.at,
                    &format!(
                        "taken by {}: raise the priority above {} or narrow {0}: {}",
                        f.id, f.priority, m.line
                    ),
                ),
                Some(_) => {}
            }
        }
        for r in &p.rejects {
            match read_line(r.line.as_bytes()) {
                None => found(r.at, &format!("{NO_RECORD}: {}", r.line)),
                Some(record) if catalogue.classify(&record).is_some_and(|f| f.id == p.id) => {
                    found(r.at, &format!("must not match ({}): narrow {}: {}", r.why, p.id, r.line));
                }
                Some(_) => {}
            }
        }
    }
    faults
}
