//! Where included files come from: the disk, or a dump of `nginx -T`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How `nginx -T` announces a file (`nginx.c`).
pub(super) const DUMP_HEADER: &[u8] = b"# configuration file ";
/// A configuration file larger than this is something else (the include may name a device or a log).
const LARGEST: u64 = 16 * 1024 * 1024;

/// Where files are looked up.
#[derive(Debug)]
pub(super) enum Sources<'a> {
    Disk { prefix: PathBuf },
    Dump { prefix: PathBuf, files: BTreeMap<PathBuf, &'a [u8]> },
}

impl Sources<'_> {
    /// The files that an include names, sorted, as `glob(3)` sorts them.
    pub(super) fn find(&self, pattern: &str) -> Vec<PathBuf> {
        match self {
            Self::Disk { prefix } => expand(&prefix.join(pattern)),
            Self::Dump { prefix, files } => {
                let full = prefix.join(pattern);
                let full = full.to_string_lossy();
                files.keys().filter(|p| matches_path(full.as_bytes(), p)).cloned().collect()
            }
        }
    }

    pub(super) fn text(&self, path: &Path) -> std::io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Disk { .. } => {
                let about = std::fs::metadata(path)?;
                if !about.is_file() || about.len() > LARGEST {
                    return Err(std::io::Error::other(
                        "not a configuration file (no plain file, or over 16 MiB)",
                    ));
                }
                std::fs::read(path).map(Cow::Owned)
            }
            Self::Dump { files, .. } => Ok(Cow::Borrowed(files.get(path).copied().unwrap_or_default())),
        }
    }
}

pub(super) fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// The parts of a dump, in order.
pub(super) fn split_dump(dump: &[u8]) -> Vec<(PathBuf, &[u8])> {
    let mut heads = Vec::new();
    let mut at = 0;
    while at < dump.len() {
        let end = memchr::memchr(b'\n', &dump[at..]).map_or(dump.len(), |n| at + n + 1);
        let line = dump[at..end].trim_ascii_end();
        if let Some(path) = line.strip_prefix(DUMP_HEADER).and_then(|p| p.strip_suffix(b":")) {
            heads.push((PathBuf::from(String::from_utf8_lossy(path).into_owned()), at, end));
        }
        at = end;
    }
    let ends: Vec<usize> = heads.iter().skip(1).map(|h| h.1).chain([dump.len()]).collect();
    heads.into_iter().zip(ends).map(|((path, _, start), end)| (path, &dump[start..end])).collect()
}

/// Expands `*`, `?` and `[...]` in the parts of a path, one folder at a time.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        if !is_glob(&name) {
            for path in &mut found {
                path.push(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let Ok(entries) = std::fs::read_dir(here) else { continue };
            for entry in entries.flatten() {
                let entry_name = entry.file_name();
                if matches_name(name.as_bytes(), entry_name.to_string_lossy().as_bytes()) {
                    next.push(folder.join(entry_name));
                }
            }
        }
        next.sort();
        found = next;
    }
    found.retain(|p| p.exists());
    found
}

fn matches_path(pattern: &[u8], path: &Path) -> bool {
    let path = path.to_string_lossy();
    let (mut a, mut b) = (pattern.split(|&c| c == b'/'), path.as_bytes().split(|&c| c == b'/'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(p), Some(n)) if matches_name(p, n) => {}
            _ => return false,
        }
    }
}

/// Whether a file name fits a glob; a leading dot must be written out. A star remembers only its last place, so this
/// is at most quadratic in the length of a name.
fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, n));
        } else if let Some(used) = matches_one(&pattern[p..], name[n]) {
            p += used;
            n += 1;
        } else if let Some((after, from)) = star {
            (p, n) = (after, from + 1);
            star = Some((after, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// How many bytes of the pattern took `c`.
fn matches_one(pattern: &[u8], c: u8) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'[' => {
            let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
            let start = 1 + usize::from(negated);
            let close = pattern.get(start + 1..)?.iter().position(|&b| b == b']')? + start + 1;
            let set = &pattern[start..close];
            let ranged = set.windows(3).any(|w| w[1] == b'-' && w[0] <= c && c <= w[2]);
            ((ranged || set.contains(&c)) != negated).then_some(close + 1)
        }
        b'\\' => (pattern.get(1) == Some(&c)).then_some(2),
        other => (other == c).then_some(1),
    }
}
