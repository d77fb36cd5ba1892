//! One input and how to read it: mapped or read in ranges where it is a plain file, as a stream where it is packed or
//! can be read only once. Not for finding files (`discover.rs`) and not for what the bytes mean.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::{Deref, Range};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::input::inflate::{Packing, Stream};
use crate::input::stdin::{Held, Once};
use crate::machine::Mapped;
use crate::time::Second;

/// Bytes of unpacked text looked at to tell what a file is.
pub const SNIFF: usize = 64 << 10;
/// A buffer whose start is not at a page boundary makes `pread` 3.5 times slower on some processors (measured on
/// AMD Milan, `rep movs` 16 bytes past a page start, which is what `malloc` gives).
const PAGE: usize = 4096;
/// First bytes remembered, to see that a file was replaced by another of at least its length.
const FINGERPRINT: usize = 256;
/// Bytes up to which a copy costs less than to map and unmap them.
const SHORT: u64 = 16 << 10;
/// Longest line looked for at the end of a file.
const LONGEST: u64 = 1 << 20;
/// Places at which [`sample`] looks into a plain file, besides head and tail.
const SPOTS: u64 = 7;

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

/// Owned bytes whose start lies at a page boundary; reused from read to read.
#[derive(Debug, Default)]
pub struct Pages {
    store: Vec<u8>,
    start: usize,
    len: usize,
}

impl Pages {
    fn resize(&mut self, len: usize) -> &mut [u8] {
        if self.store.len() < len + PAGE {
            self.store = vec![0; len + PAGE];
            // `align_offset` may refuse in theory; then only speed is lost.
            self.start = self.store.as_ptr().align_offset(PAGE).min(PAGE);
        }
        self.len = len;
        &mut self.store[self.start..self.start + len]
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.store[self.start..self.start + self.len]
    }
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mapped),
    Owned(Pages),
}

/// A stretch of a plain file in memory.
#[derive(Debug)]
pub struct Mapping {
    bytes: Bytes,
    file: Arc<Opened>,
    range: Range<u64>,
}

impl Mapping {
    /// The bytes of the file this holds: as asked for, less what lay past the end.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Whether the file was cut or replaced since it was opened, so that these bytes may hold zeros or another file's
    /// text. Ask after reading. The caller looks at the new length and reads the chunk again.
    pub fn was_cut(&self) -> bool {
        if let (Bytes::Owned(pages), 0) = (&self.bytes, self.range.start)
            && pages.len() >= self.file.fingerprint.len()
        {
            // A copy is what was there when it was made: it begins as the file did when it was opened, or is of another.
            return !pages.starts_with(&self.file.fingerprint);
        }
        let fault = matches!(&self.bytes, Bytes::Mapped(map) if map.was_cut());
        // A cut inside the last page raises no fault: the kernel gives zeros.
        fault || self.file.len().is_ok_and(|len| len < self.range.end) || self.file.was_replaced()
    }

    /// Advice for probes that jump about; see [`Mapped::advise_random`].
    pub fn advise_random(&self) {
        if let Bytes::Mapped(map) = &self.bytes {
            map.advise_random();
        }
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned(pages) => pages,
        }
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[derive(Debug)]
struct Opened {
    file: File,
    path: PathBuf,
    fingerprint: Vec<u8>,
}

impl Opened {
    fn len(&self) -> Result<u64> {
        self.file.metadata().map(|m| m.len()).map_err(Error::io(&self.path))
    }

    fn was_replaced(&self) -> bool {
        let mut now = [0; FINGERPRINT];
        let now = &mut now[..self.fingerprint.len()];
        !matches!(read_full_at(&self.file, now, 0), Ok(n) if now[..n] == self.fingerprint)
    }
}

/// An open plain file; ranges of it can be had from many threads.
#[derive(Debug, Clone)]
pub struct PlainFile(Arc<Opened>);

impl PlainFile {
    /// Opens a source that [is seekable](Source::is_seekable).
    pub fn open(source: &Source) -> Result<Self> {
        if !source.is_seekable() {
            let what = "is packed or can be read only once; it has no ranges";
            return Err(Error::Usage(format!("{}: {what}", source.shown)));
        }
        let file = File::open(&source.path).map_err(Error::io(&source.path))?;
        let mut fingerprint = vec![0; FINGERPRINT];
        let n = read_full_at(&file, &mut fingerprint, 0).map_err(Error::io(&source.path))?;
        fingerprint.truncate(n);
        Ok(Self(Arc::new(Opened { file, path: source.path.clone(), fingerprint })))
    }

    /// Its length now.
    pub fn len(&self) -> Result<u64> {
        self.0.len()
    }

    /// Whether it is empty now.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Whether its first bytes are others than when it was opened: cut to nothing and written anew.
    pub fn was_replaced(&self) -> bool {
        self.0.was_replaced()
    }

    /// The bytes of `range`, clipped to the present end of the file: mapped, or read where mapping is refused.
    pub fn map(&self, range: Range<u64>) -> Result<Mapping> {
        let range = self.clip(range)?;
        if range.end - range.start <= SHORT {
            return self.copy(range);
        }
        let len = (range.end - range.start) as usize;
        let bytes = match Mapped::new(&self.0.file, range.start, len) {
            Ok(map) => Bytes::Mapped(map),
            Err(_) => return self.read(range),
        };
        Ok(Mapping { bytes, file: Arc::clone(&self.0), range })
    }

    /// As [`PlainFile::map`], but always an owned copy.
    pub fn read(&self, range: Range<u64>) -> Result<Mapping> {
        self.copy(self.clip(range)?)
    }

    /// A copy of a range that the file had just now.
    fn copy(&self, range: Range<u64>) -> Result<Mapping> {
        let mut pages = Pages::default();
        let n = self.fill(range.clone(), &mut pages)?;
        let range = range.start..range.start + n as u64;
        Ok(Mapping { bytes: Bytes::Owned(pages), file: Arc::clone(&self.0), range })
    }

    /// Reads `range` into a buffer that is used again; gives how many bytes there were.
    pub fn read_at(&self, range: Range<u64>, pages: &mut Pages) -> Result<usize> {
        self.fill(self.clip(range)?, pages)
    }

    fn fill(&self, range: Range<u64>, pages: &mut Pages) -> Result<usize> {
        let buffer = pages.resize((range.end - range.start) as usize);
        let n = read_full_at(&self.0.file, buffer, range.start).map_err(Error::io(&self.0.path))?;
        pages.len = n;
        Ok(n)
    }

    fn clip(&self, range: Range<u64>) -> Result<Range<u64>> {
        let end = range.end.min(self.len()?);
        Ok(range.start.min(end)..end)
    }

    /// The first line, without its newline; `None` in an empty file.
    pub fn first_line(&self) -> Result<Option<Vec<u8>>> {
        let mut pages = Pages::default();
        for size in [PAGE as u64, LONGEST] {
            self.read_at(0..size, &mut pages)?;
            if let Some(end) = memchr::memchr(b'\n', &pages) {
                return Ok(Some(pages[..end].to_vec()));
            }
        }
        Ok((!pages.is_empty()).then(|| pages.to_vec()))
    }

    /// The last line that ends in a newline, without it; a line still being written is not taken. `None` where the
    /// last MiB holds no newline.
    pub fn last_line(&self) -> Result<Option<Vec<u8>>> {
        let len = self.len()?;
        let mut pages = Pages::default();
        for size in [PAGE as u64, SNIFF as u64, LONGEST] {
            let start = len.saturating_sub(size);
            self.read_at(start..len, &mut pages)?;
            let Some(end) = memchr::memrchr(b'\n', &pages) else { continue };
            match memchr::memrchr(b'\n', &pages[..end]) {
                Some(before) => return Ok(Some(pages[before + 1..end].to_vec())),
                None if start == 0 => return Ok(Some(pages[..end].to_vec())),
                None => {}
            }
        }
        Ok(None)
    }
}

/// Fills `buffer` from `offset` as far as the file goes.
fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// Whole lines from several places of an input, for learning what it holds.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// The text.
    pub bytes: Vec<u8>,
    /// Each whole line in it, without newline (and without the carriage return before it).
    pub lines: Vec<Range<usize>>,
    /// Where each line begins in the unpacked input.
    pub places: Vec<u64>,
}

impl Sample {
    /// The line at `index`.
    pub fn line(&self, index: usize) -> &[u8] {
        self.lines.get(index).map_or(&[], |range| &self.bytes[range.clone()])
    }

    /// Takes the whole lines of `text`, which lies at `place`; `from_start` when `text` begins with a line, `to_end`
    /// when it ends with the input.
    fn push(&mut self, text: &[u8], place: u64, from_start: bool, to_end: bool) {
        let skip = if from_start { 0 } else { memchr::memchr(b'\n', text).map_or(text.len(), |i| i + 1) };
        let base = self.bytes.len();
        let body = &text[skip..];
        self.bytes.extend_from_slice(body);
        let mut start = 0;
        let ends =
            memchr::memchr_iter(b'\n', body).chain((to_end && !body.ends_with(b"\n")).then_some(body.len()));
        for end in ends {
            let cr = usize::from(end > start && body[end - 1] == b'\r');
            self.lines.push(base + start..base + end - cr);
            self.places.push(place + (skip + start) as u64);
            start = end + 1;
        }
    }
}

/// Reads about `budget` bytes of whole lines: the head of any input; of a large plain file also seven places
/// spread over it, and the tail.
pub fn sample(source: &Source, budget: usize) -> Result<Sample> {
    let mut sample = Sample::default();
    let budget = budget.max(PAGE);
    if !source.is_seekable() || source.size <= budget as u64 {
        let head = head(source, budget).map_err(Error::io(&source.path))?;
        sample.push(&head.bytes, 0, true, head.whole);
        return Ok(sample);
    }
    let file = PlainFile::open(source)?;
    let len = file.len()?;
    let part = budget as u64 / (SPOTS + 2);
    let mut pages = Pages::default();
    let mut done = 0;
    for spot in 0..=SPOTS + 1 {
        // Parts never overlap: a line is sampled once, though the file be only a little longer than the budget.
        let start = (len.saturating_sub(part) / (SPOTS + 1) * spot).max(done);
        let start = if spot == SPOTS + 1 { len.saturating_sub(part).max(done) } else { start };
        let n = file.read_at(start..start + part, &mut pages)?;
        done = start + n as u64;
        sample.push(&pages, start, start == 0, done >= len);
    }
    Ok(sample)
}

#[cfg(test)]
mod tests;
