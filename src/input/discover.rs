//! From what a user typed (files, folders, globs, `-`) to the list of inputs. Nothing is lost silently: what was
//! left out and what could not be read is said. Not for telling logs from other files by content: that is for whoever
//! knows the formats ([`sniff`](super::source::sniff) gives them the text).
//!
//! A walk costs one `stat` a file and opens none; only what is left after the walk is opened, once, for its magic
//! bytes.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::input::source::{Source, shown};
use crate::input::stdin;

mod hosts;
pub use hosts::HostFrom;

/// Where nginx logs unless told otherwise.
pub const DEFAULT_PATH: &str = "/var/log/nginx";
/// Examples kept of each thing left out.
const EXAMPLES: usize = 16;
/// Endings of names that no log has. `.txt`, `.json`, `.csv`, `.out` and none at all may be logs: content decides.
const NEVER_LOGS: &[&str] = &[
    "conf", "cnf", "ini", "yml", "yaml", "toml", "html", "htm", "css", "js", "map", "php", "py", "pl", "rb",
    "sh", "c", "h", "rs", "go", "java", "md", "rst", "pdf", "doc", "docx", "xls", "xlsx", "png", "jpg",
    "jpeg", "gif", "svg", "ico", "webp", "bmp", "mp3", "mp4", "webm", "woff", "woff2", "ttf", "pem", "key",
    "crt", "csr", "cer", "der", "p12", "pub", "pid", "sock", "lock", "swp", "swo", "tar", "tgz", "tbz",
    "txz", "deb", "rpm", "iso", "img", "so", "o", "a", "exe", "dll", "bin", "db", "sqlite", "sqlite3", "sql",
    "mmdb", "rrd", "journal", "pcap", "parquet", "pyc", "class", "jar",
];

/// What to find.
#[derive(Debug, Clone)]
pub struct DiscoverOptions {
    /// How hosts are told apart.
    pub host_from: HostFrom,
    /// How many levels of folders are entered.
    pub max_depth: usize,
    /// More files than this are refused: nobody means them all.
    pub max_files: usize,
    /// What can be read only once is kept in a temporary file and read as files are.
    pub keep_streams: bool,
}

impl Default for DiscoverOptions {
    fn default() -> Self {
        Self { host_from: HostFrom::Auto, max_depth: 16, max_files: 100_000, keep_streams: false }
    }
}

/// Why something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// A second way to a file that is already in the list.
    Twice,
    /// A folder that was already entered by another way.
    FolderTwice,
    /// A pipe, socket or device inside a folder.
    Special,
    /// A name with a dot in front.
    Hidden,
    /// A name that no log has.
    Name,
    /// A folder below the deepest level.
    TooDeep,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Twice => "the same file under another name",
            Self::FolderTwice => "the same folder by another way",
            Self::Special => "a pipe, socket or device in a folder",
            Self::Hidden => "hidden",
            Self::Name => "not a log by its name",
            Self::TooDeep => "too deep in folders",
        })
    }
}

/// What was left out for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: u64,
    /// The first few.
    pub examples: Vec<PathBuf>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Discovered {
    /// The inputs: in the order of the arguments, sorted by path inside each.
    pub sources: Vec<Source>,
    /// What was left out, and why.
    pub skipped: BTreeMap<Reason, Skipped>,
    /// What could not be read; the rest went on.
    pub errors: Vec<Error>,
}

impl Discovered {
    fn skip(&mut self, reason: Reason, path: &Path) {
        let skipped = self.skipped.entry(reason).or_default();
        skipped.count += 1;
        if skipped.examples.len() < EXAMPLES {
            skipped.examples.push(path.to_owned());
        }
    }
}

/// A file found, not yet opened.
struct Candidate {
    path: PathBuf,
    id: (u64, u64),
    /// Found through a symbolic link: of two names the real one is kept.
    link: bool,
    /// Which folder argument it was found under.
    root: Option<usize>,
}

/// A stream as something that can be read again, where that is asked for.
fn again(source: Source, options: &DiscoverOptions) -> Result<Source> {
    match source.reader().filter(|_| options.keep_streams) {
        Some(once) => stdin::kept(once, &source.shown),
        None => Ok(source),
    }
}

/// Finds the inputs. Fails only where nothing sensible can be done; see [`Discovered::errors`] for the rest.
pub fn discover(paths: &[PathBuf], options: &DiscoverOptions) -> Result<Discovered> {
    let default = [PathBuf::from(DEFAULT_PATH)];
    let paths = if paths.is_empty() { &default[..] } else { paths };
    let mut walk = Walk {
        options,
        out: Discovered::default(),
        files: Vec::new(),
        seen: HashMap::new(),
        entered: HashSet::new(),
    };
    let mut streams: Vec<(usize, Source)> = Vec::new();
    for (argument, path) in paths.iter().enumerate() {
        if path.as_os_str() == "-" {
            if streams.iter().any(|(_, s)| s.shown == "standard input") {
                walk.out.skip(Reason::Twice, path);
            } else {
                streams.push((walk.files.len(), again(stdin::source()?, options)?));
            }
            continue;
        }
        match fs::metadata(path) {
            Ok(meta) if meta.file_type().is_fifo() => match stdin::pipe(path) {
                Ok(source) => streams.push((walk.files.len(), again(source, options)?)),
                Err(error) => walk.out.errors.push(error),
            },
            Ok(meta) => walk.argument(path, &meta, argument)?,
            Err(error) => match expand(path) {
                Some(found) => walk.glob(&found, argument)?,
                None => walk.out.errors.push(Error::Io { path: path.clone(), source: error }),
            },
        }
    }
    let Walk { mut out, files, .. } = walk;
    let mut roots = Vec::with_capacity(files.len());
    let mut streams = streams.into_iter().peekable();
    for (index, file) in files.iter().enumerate() {
        while let Some((_, stream)) = streams.next_if(|(before, _)| *before <= index) {
            out.sources.push(stream);
            roots.push(None);
        }
        match Source::file(&file.path) {
            Ok(source) => {
                out.sources.push(source);
                roots.push(file.root);
            }
            Err(error) => out.errors.push(error),
        }
    }
    for (_, stream) in streams {
        out.sources.push(stream);
        roots.push(None);
    }
    hosts::assign(&mut out.sources, &roots, paths, &options.host_from);
    Ok(out)
}

/// The paths a glob stands for; `None` where it is none or stands for nothing.
fn expand(path: &Path) -> Option<Vec<PathBuf>> {
    let pattern = path.to_str().filter(|p| p.contains(['*', '?', '[']))?;
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let found: Vec<PathBuf> = glob::glob_with(pattern, options).ok()?.flatten().collect();
    (!found.is_empty()).then_some(found)
}

struct Walk<'a> {
    options: &'a DiscoverOptions,
    out: Discovered,
    files: Vec<Candidate>,
    seen: HashMap<(u64, u64), usize>,
    entered: HashSet<(u64, u64)>,
}

impl Walk<'_> {
    /// Something named by the user: a file is taken whatever its name, a folder is searched.
    fn argument(&mut self, path: &Path, meta: &Metadata, argument: usize) -> Result<()> {
        if meta.is_dir() {
            return self.folder(path, meta, argument);
        }
        if meta.is_file() {
            return self.file(path, meta, false, None);
        }
        let what = format!("{}: a socket or device is not a log; give a file or a folder", shown(path));
        self.out.errors.push(Error::Usage(what));
        Ok(())
    }

    fn glob(&mut self, found: &[PathBuf], argument: usize) -> Result<()> {
        for path in found {
            match fs::metadata(path) {
                Ok(meta) if meta.is_dir() => self.folder(path, &meta, argument)?,
                Ok(meta) if !meta.is_file() => self.out.skip(Reason::Special, path),
                Ok(_) if never_a_log(path) => self.out.skip(Reason::Name, path),
                Ok(meta) => self.file(path, &meta, false, None)?,
                Err(source) => self.out.errors.push(Error::Io { path: path.clone(), source }),
            }
        }
        Ok(())
    }

    /// Takes a file, unless it is there already; of a link and the real name the real one stays.
    fn file(&mut self, path: &Path, meta: &Metadata, link: bool, root: Option<usize>) -> Result<()> {
        let id = (meta.dev(), meta.ino());
        if let Some(&at) = self.seen.get(&id) {
            let known = &mut self.files[at];
            let mut other = path.to_owned();
            if known.link && !link && known.root == root {
                std::mem::swap(&mut known.path, &mut other);
                known.link = false;
            }
            self.out.skip(Reason::Twice, &other);
            return Ok(());
        }
        if self.files.len() >= self.options.max_files {
            let max = self.options.max_files;
            let what = format!(
                "more than {max} files, at {}: give a narrower path, such as one folder or 'access.log*'",
                shown(path)
            );
            return Err(Error::Usage(what));
        }
        self.seen.insert(id, self.files.len());
        self.files.push(Candidate { path: path.to_owned(), id, link, root });
        Ok(())
    }

    fn folder(&mut self, path: &Path, meta: &Metadata, argument: usize) -> Result<()> {
        let first = self.files.len();
        // A stack of our own: the depth of somebody's folders is not ours to recurse into.
        let mut todo = vec![(path.to_owned(), (meta.dev(), meta.ino()), 0)];
        while let Some((folder, id, depth)) = todo.pop() {
            if !self.entered.insert(id) {
                self.out.skip(Reason::FolderTwice, &folder);
                continue;
            }
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(source) => {
                    self.out.errors.push(Error::Io { path: folder, source });
                    continue;
                }
            };
            let mut below = Vec::new();
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(source) => {
                        self.out.errors.push(Error::Io { path: folder.clone(), source });
                        break;
                    }
                };
                let path = entry.path();
                if entry.file_name().as_encoded_bytes().starts_with(b".") {
                    self.out.skip(Reason::Hidden, &path);
                    continue;
                }
                let link = entry.file_type().is_ok_and(|t| t.is_symlink());
                let meta = match if link { fs::metadata(&path) } else { entry.metadata() } {
                    Ok(meta) => meta,
                    Err(source) => {
                        self.out.errors.push(Error::Io { path, source });
                        continue;
                    }
                };
                if meta.is_dir() {
                    if depth >= self.options.max_depth {
                        self.out.skip(Reason::TooDeep, &path);
                    } else {
                        below.push((path, (meta.dev(), meta.ino()), depth + 1, link));
                    }
                } else if !meta.is_file() {
                    self.out.skip(Reason::Special, &path);
                } else if never_a_log(&path) {
                    self.out.skip(Reason::Name, &path);
                } else {
                    self.file(&path, &meta, link, Some(argument))?;
                }
            }
            // The stack turns the order round: real folders first, by name, then links.
            below.sort_by(|a, b| (b.3, &b.0).cmp(&(a.3, &a.0)));
            todo.extend(below.into_iter().map(|(path, id, depth, _)| (path, id, depth)));
        }
        // What the system lists first is chance; the report must not depend on it.
        self.files[first..].sort_by(|a, b| a.path.cmp(&b.path));
        for (at, file) in self.files.iter().enumerate().skip(first) {
            self.seen.insert(file.id, at);
        }
        Ok(())
    }
}

/// Whether the name alone says that this is no log. Packed tar files too: their text begins with a header.
fn never_a_log(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let name = name.to_string_lossy().to_ascii_lowercase();
    let mut parts = name.rsplit('.');
    let mut last = parts.next().unwrap_or_default();
    if matches!(last, "gz" | "zst" | "bz2" | "xz") {
        last = parts.next().unwrap_or_default();
    }
    // A name without any dot is one part, and may be a log called `map`.
    parts.next().is_some() && NEVER_LOGS.contains(&last)
}

#[cfg(test)]
mod tests;
