//! One input and how to read it: mapped or read in ranges where it is a plain file, as a stream where it is packed or
//! can be read only once. Not for finding files (`discover.rs`) and not for what the bytes mean.

mod plain;
mod sample;

pub use plain::{Mapping, Pages, PlainFile};
pub use sample::{Sample, sample};

use crate::error::{Error, Result};
use crate::input::inflate::{Packing, Stream};
use crate::input::stdin::{Held, Once};
use crate::time::Second;
use plain::read_full_at;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes of unpacked text looked at to tell what a file is.
pub const SNIFF: usize = 64 << 10;
/// A buffer whose start is not at a page boundary makes `pread` 3.5 times slower on some processors (measured on
/// AMD Milan, `rep movs` 16 bytes past a page start, which is what `malloc` gives).
const PAGE: usize = 4096;
/// Longest line looked for at the end of a file.
const LONGEST: u64 = 1 << 20;

/// What kind of thing an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// Standard input.
    Stdin,
    /// A named pipe, or a process substitution.
    Pipe,
    /// What was read in earlier runs, of a file that may be gone.
    Kept,
}

/// One input.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What to call it: the path as the user would type it, with control bytes and invalid UTF-8 as `\xNN`.
    pub shown: String,
    /// The host it comes from, where that is known.
    pub host: Option<String>,
    /// File, standard input or pipe.
    pub kind: Kind,
    /// How it is packed.
    pub packing: Packing,
    /// Size in bytes as it lies on disk; 0 where that is not known.
    pub size: u64,
    /// Device and inode.
    pub inode: Option<(u64, u64)>,
    /// When it was last written.
    pub modified: Option<Second>,
    once: Option<Once>,
    /// Keeps the file there, where it is a copy that nobody else needs.
    held: Option<Held>,
}

impl Source {
    /// A regular file: opens it, looks at the first bytes, closes it.
    pub fn file(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let meta = file.metadata().map_err(Error::io(path))?;
        if !meta.is_file() {
            return Err(Error::Usage(format!("{}: not a regular file", shown(path))));
        }
        let mut head = [0; Packing::MAGIC];
        let n = read_full_at(&file, &mut head, 0).map_err(Error::io(path))?;
        if let Some(name) = Packing::unreadable(&head[..n]) {
            return Err(Error::Usage(format!("{}: a {name} file is not read; unpack it first", shown(path))));
        }
        let mut source = Self::from_metadata(path, &meta);
        source.packing = Packing::of(&head[..n]);
        Ok(source)
    }

    fn from_metadata(path: &Path, meta: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            shown: shown(path),
            host: None,
            kind: Kind::File,
            packing: Packing::Plain,
            size: meta.len(),
            inode: Some((meta.dev(), meta.ino())),
            modified: Some(meta.mtime()),
            once: None,
            held: None,
        }
    }

    /// Something that can be read only once. Its packing is told when it is opened.
    pub fn once(name: &str, kind: Kind, once: Once) -> Self {
        Self {
            path: PathBuf::from("-"),
            shown: name.to_owned(),
            host: None,
            kind,
            packing: Packing::Plain,
            size: 0,
            inode: None,
            modified: None,
            once: Some(once),
            held: None,
        }
    }

    /// What was read of a file in earlier runs: it has a name and a size, and cannot be read.
    pub fn kept(path: &Path, host: Option<String>, size: u64) -> Self {
        Self {
            path: path.to_owned(),
            shown: shown(path),
            host,
            kind: Kind::Kept,
            packing: Packing::Plain,
            size,
            inode: None,
            modified: None,
            once: None,
            held: None,
        }
    }

    /// Keeps something for as long as this source is there.
    pub(crate) fn hold(&mut self, held: Held) {
        self.held = Some(held);
    }

    /// The reader of something that can be read only once.
    pub fn reader(&self) -> Option<&Once> {
        self.once.as_ref()
    }

    /// Whether ranges of it can be read in any order: a plain regular file.
    pub fn is_seekable(&self) -> bool {
        self.kind != Kind::Kept && self.once.is_none() && self.packing == Packing::Plain
    }
}

/// A path for people: valid UTF-8 stays, control bytes and all else become `\xNN`.
pub fn shown(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let mut out = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                let mut buffer = [0; 4];
                for b in c.encode_utf8(&mut buffer).bytes() {
                    let _ = write!(out, "\\x{b:02X}");
                }
            } else {
                out.push(c);
            }
        }
        for b in chunk.invalid() {
            let _ = write!(out, "\\x{b:02X}");
        }
    }
    out
}

/// The first text of an input, unpacked.
#[derive(Debug, Clone)]
pub struct Head {
    /// At most [`SNIFF`] bytes.
    pub bytes: Vec<u8>,
    /// Whether that is all there is.
    pub whole: bool,
}

/// Reads the first text of an input; of one that can be read only once, without taking it away.
pub fn sniff(source: &Source) -> io::Result<Head> {
    head(source, SNIFF)
}

fn head(source: &Source, budget: usize) -> io::Result<Head> {
    let mut bytes = Vec::new();
    let mut all_there = true;
    let reader: Box<dyn Read + Send> = match &source.once {
        Some(once) => {
            let raw = once.peek(budget)?;
            all_there = raw.len() < budget;
            Box::new(io::Cursor::new(raw))
        }
        None => Box::new(File::open(&source.path)?),
    };
    // What was taken of a packed pipe is cut somewhere; that ends as damage, which is no error here.
    Stream::new(reader)?.take(budget as u64 + 1).read_to_end(&mut bytes)?;
    let whole = bytes.len() <= budget && all_there;
    bytes.truncate(budget);
    Ok(Head { bytes, whole })
}

/// All bytes of an input, unpacked, from the beginning.
pub fn open_stream(source: &Source) -> Result<Stream> {
    match &source.once {
        _ if source.kind == Kind::Kept => Err(io::ErrorKind::NotFound.into()),
        Some(once) => once.open(),
        None => File::open(&source.path).and_then(|file| Stream::new(Box::new(file))),
    }
    .map_err(Error::io(&source.path))
}

/// The bytes of a range of a plain file.
pub fn open_range(source: &Source, range: Range<u64>) -> Result<impl Read + use<>> {
    let seek = |mut file: File| file.seek(SeekFrom::Start(range.start)).map(|_| file);
    let file = File::open(&source.path).and_then(seek).map_err(Error::io(&source.path))?;
    Ok(file.take(range.end - range.start))
}

#[cfg(test)]
mod tests;
