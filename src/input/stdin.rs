//! What can be read only once: standard input, and pipes given by name (`<(ssh web1 cat access.log)`). A first look
//! (for learning the format) keeps what it took, and the one reader that follows starts with it. Not for files.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::input::inflate::{Packing, Stream};
use crate::input::source::{Kind, Source};

/// A reader that can be looked into any number of times and taken once. Clones share the reader.
#[derive(Clone)]
pub struct Once(Arc<Mutex<State>>);

struct State {
    head: Vec<u8>,
    ended: bool,
    reader: Option<Box<dyn Read + Send>>,
}

impl Once {
    /// Wraps a reader that stands at its beginning.
    pub fn new(reader: Box<dyn Read + Send>) -> Self {
        Self(Arc::new(Mutex::new(State { head: Vec::new(), ended: false, reader: Some(reader) })))
    }

    /// The first bytes as they are, packed or not: at most `n`, fewer only where the input ends. May wait for them.
    pub fn peek(&self, n: usize) -> io::Result<Vec<u8>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { head, ended, reader } = &mut *state;
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
        Stream::new(Box::new(io::Cursor::new(head).chain(reader)))
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
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
