//! What can be read only once: standard input, and pipes given by name (`<(ssh web1 cat access.log)`). A first look
//! (for learning the format) keeps what it took, and the one reader that follows starts with it. Not for files.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::input::inflate::{Packing, Stream};
use crate::input::source::{Kind, Source};
use sha2::{Digest, Sha256};

/// A reader that can be looked into any number of times and taken once. Clones share the reader.
#[derive(Clone)]
pub struct Once(Arc<Mutex<State>>);

struct State {
    head: Vec<u8>,
    ended: bool,
    /// Fed with all bytes that are read, where that was asked for.
    hash: Option<Arc<Mutex<Sha256>>>,
    reader: Option<Box<dyn Read + Send>>,
}

impl Once {
    /// Wraps a reader that stands at its beginning.
    pub fn new(reader: Box<dyn Read + Send>) -> Self {
        Self(Arc::new(Mutex::new(State { head: Vec::new(), ended: false, hash: None, reader: Some(reader) })))
    }

    /// The first bytes as they are, packed or not: at most `n`, fewer only where the input ends. May wait for them.
    pub fn peek(&self, n: usize) -> io::Result<Vec<u8>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { head, ended, reader, .. } = &mut *state;
        let reader = reader.as_mut().ok_or_else(taken)?;
        while head.len() < n && !*ended {
            let missing = (n - head.len()) as u64;
            *ended = reader.by_ref().take(missing).read_to_end(head)? == 0;
        }
        Ok(head[..n.min(head.len())].to_vec())
    }

    /// Takes the reader, unpacked. A second call fails: the bytes are gone.
    pub fn open(&self) -> io::Result<Stream> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = state.reader.take().ok_or_else(taken)?;
        let head = std::mem::take(&mut state.head);
        let all = io::Cursor::new(head).chain(reader);
        match &state.hash {
            Some(hash) => Stream::new(Box::new(Hashed { inner: all, hash: Arc::clone(hash) })),
            None => Stream::new(Box::new(all)),
        }
    }

    /// Feeds a hash with the bytes as they are, packed or not, when they are read. To be asked before.
    pub fn feed(&self, hash: Sha256) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.hash = Some(Arc::new(Mutex::new(hash)));
    }

    /// What became of that hash; `None` where none was asked for.
    pub fn fed(&self) -> Option<[u8; 32]> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = state.hash.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(hash.finalize().into())
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

/// A reader that feeds a hash. When it is dropped it reads what is left: how much of a damaged input was taken depends on
/// the sizes of blocks, and its hash must not.
struct Hashed<R: Read> {
    inner: R,
    hash: Arc<Mutex<Sha256>>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..n]);
        Ok(n)
    }
}

impl<R: Read> Drop for Hashed<R> {
    fn drop(&mut self) {
        // A reader that fails has no more to give.
        let _ = io::copy(self, &mut io::sink());
    }
}

/// Writes what can be read only once to a file of the temporary folder, to be read as often as needed. The file is gone
/// with the source, and where the system allows it has no name from the start.
pub fn kept(once: &Once, name: &str) -> Result<Source> {
    let failed = || Error::io("the temporary folder, where the input is kept to be read twice");
    let (mut file, path, held) = scratch().map_err(failed())?;
    let reader = {
        let mut state = once.0.lock().unwrap_or_else(PoisonError::into_inner);
        let head = std::mem::take(&mut state.head);
        state.reader.take().map(|reader| io::Cursor::new(head).chain(reader))
    };
    let mut reader = reader.ok_or_else(taken).map_err(Error::io(name))?;
    io::copy(&mut reader, &mut file).map_err(failed())?;
    let mut source = Source::file(&path)?;
    name.clone_into(&mut source.shown);
    source.hold(held);
    Ok(source)
}

/// What keeps a file for as long as it is needed.
pub type Held = Arc<dyn fmt::Debug + Send + Sync>;

fn scratch() -> io::Result<(File, PathBuf, Held)> {
    if cfg!(target_os = "linux") && Path::new("/proc/self/fd").is_dir() {
        let file = tempfile::tempfile()?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        return Ok((file.try_clone()?, path, Arc::new(file)));
    }
    let (file, path) = tempfile::NamedTempFile::new()?.into_parts();
    Ok((file, path.to_path_buf(), Arc::new(path)))
}

fn taken() -> io::Error {
    io::Error::other("this input can be read only once, and it was; write it to a file first")
}

/// Standard input as a source. A terminal is refused, since nobody types a log. A redirected file
/// (`downtime - < access.log`) is opened as that file where the system allows it, so that it can be mapped and read
/// again.
pub fn source() -> Result<Source> {
    if io::stdin().is_terminal() {
        let what = "standard input is a terminal: give a file, a folder, or pipe a log into it";
        return Err(Error::Usage(what.into()));
    }
    if let Some(source) = redirected_file() {
        return Ok(source);
    }
    Ok(Source::once("standard input", Kind::Stdin, Once::new(Box::new(io::stdin()))))
}

/// Only from its beginning: after `(head -n 1; downtime -) < file` the rest alone is meant.
fn redirected_file() -> Option<Source> {
    // Elsewhere `/dev/stdin` shares its position with standard input and is no file of its own.
    if !cfg!(target_os = "linux") {
        return None;
    }
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    if !file.metadata().ok()?.is_file() || file.stream_position().ok()? != 0 {
        return None;
    }
    let mut source = Source::file(Path::new("/dev/stdin")).ok()?;
    source.shown = "standard input".into();
    Some(source)
}

/// A named pipe or process substitution as a source. Opening waits for its writer.
pub fn pipe(path: &Path) -> Result<Source> {
    let file = File::open(path).map_err(Error::io(path))?;
    let mut source = Source::once(&crate::input::source::shown(path), Kind::Pipe, Once::new(Box::new(file)));
    path.clone_into(&mut source.path);
    Ok(source)
}

/// The packing of something that can be read only once, told without taking anything away.
pub fn packing(once: &Once) -> io::Result<Packing> {
    once.peek(Packing::MAGIC).map(|head| Packing::of(&head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_look_takes_nothing_away() {
        let once = Once::new(Box::new(&b"one\ntwo\n"[..]));
        assert_eq!(once.peek(4).unwrap(), b"one\n");
        assert_eq!(once.peek(2).unwrap(), b"on");
        assert_eq!(once.clone().peek(100).unwrap(), b"one\ntwo\n");
        let mut all = String::new();
        once.open().unwrap().read_to_string(&mut all).unwrap();
        assert_eq!(all, "one\ntwo\n");
        assert!(once.open().is_err() && once.peek(1).is_err());
    }

    #[test]
    fn a_hash_is_fed_with_all_bytes_however_many_were_wanted() {
        let hash = |open: bool| {
            let once = Once::new(Box::new(&b"one\ntwo\n"[..]));
            once.feed(Sha256::new_with_prefix(b"x"));
            assert_eq!(once.peek(2).unwrap(), b"on");
            let mut stream = once.open().unwrap();
            if open {
                stream.read_exact(&mut [0; 5]).unwrap();
            }
            drop(stream);
            once.fed().unwrap()
        };
        let whole: [u8; 32] = Sha256::digest(b"xone\ntwo\n").into();
        assert_eq!((hash(true), hash(false)), (whole, whole));
        assert_eq!(Once::new(Box::new(io::empty())).fed(), None);
    }

    #[test]
    fn what_is_kept_can_be_read_twice_and_leaves_nothing_behind() {
        let once = Once::new(Box::new(&b"one\ntwo\n"[..]));
        assert_eq!(once.peek(2).unwrap(), b"on");
        let source = kept(&once, "standard input").unwrap();
        assert!(source.is_seekable() && source.size == 8 && source.shown == "standard input");
        for _ in 0..2 {
            assert_eq!(std::fs::read(&source.path).unwrap(), b"one\ntwo\n");
        }
        let path = source.path.clone();
        drop(source);
        assert!(std::fs::read(path).map_or(true, |b| b != b"one\ntwo\n"));
        assert!(kept(&once, "standard input").is_err());
    }

    #[test]
    fn packed_input_is_unpacked() {
        let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        w.write_all(b"hello\n").unwrap();
        let once = Once::new(Box::new(io::Cursor::new(w.finish().unwrap())));
        assert_eq!(packing(&once).unwrap(), Packing::Gzip);
        let mut all = String::new();
        once.open().unwrap().read_to_string(&mut all).unwrap();
        assert_eq!(all, "hello\n");
    }
}
