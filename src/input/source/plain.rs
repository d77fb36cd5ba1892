//! A plain file: ranges of it mapped or copied, and its first and last line.

use super::{LONGEST, PAGE, SNIFF, Source};
use crate::error::{Error, Result};
use crate::machine::Mapped;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

/// First bytes remembered, to see that a file was replaced by another of at least its length.
const FINGERPRINT: usize = 256;
/// Bytes up to which a copy costs less than to map and unmap them.
const SHORT: u64 = 16 << 10;

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
pub(super) fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
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
