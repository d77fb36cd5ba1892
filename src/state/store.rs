//! The state as a file: locked while it is held, checked when it is read, replaced whole when it is written.
//!
//! ```text
//! downtime-state\n   version u16   length of the head u64   of the body u64   SHA-256 of all that follows and precedes
//! head: postcard     body: zstd of postcard
//! ```
//!
//! Numbers are little-endian. Head and body have a digest each, for a run without news reads the head alone.

use super::{Body, Head};
use crate::error::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The first bytes of a state.
pub const MAGIC: &[u8] = b"downtime-state\n";
/// The version that is written, and the only one that is read.
pub const VERSION: u16 = 7;
/// Magic, version, two lengths, two digests.
const FRONT: usize = MAGIC.len() + 2 + 16 + 64;
/// Largest head and largest unpacked body that are read: a bomb must not fill the memory.
const MOST_HEAD: u64 = 64 << 20;
const MOST_BODY: u64 = 256 << 20;
/// How hard the body is packed: 3 is zstd's own choice.
const LEVEL: i32 = 3;
/// Bytes that are packed at once.
const BUFFER: usize = 64 << 10;

/// A state's file, held by this run.
#[derive(Debug)]
pub(super) struct Store {
    /// Where it is; a link is followed.
    file: PathBuf,
    head_bytes: u64,
    /// Held until it is dropped.
    _lock: File,
}

impl Store {
    /// Locks a state and reads its head. `None` when another run holds it.
    pub(super) fn open(file: &Path) -> Result<Option<(Self, Head)>> {
        // A link is followed, so that it stays a link.
        let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let Some(name) = file.file_name() else {
            return Err(Error::Usage(format!("{}: --state wants a file", file.display())));
        };
        if file.exists() && !file.is_file() {
            return Err(Error::Usage(format!("{}: --state wants a regular file", file.display())));
        }
        let mut beside = name.to_owned();
        beside.push(".lock");
        let beside = file.with_file_name(beside);
        let lock = File::options().create(true).truncate(false).write(true).open(&beside);
        let lock = lock.map_err(Error::io(&beside))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(Error::io(&beside)(e.into())),
        }
        let mut store = Self { file, head_bytes: 0, _lock: lock };
        let head = match File::open(&store.file) {
            Ok(mut open) => store.read_head(&mut open)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Head::default(),
            Err(e) => return Err(Error::io(&store.file)(e)),
        };
        Ok(Some((store, head)))
    }

    fn read_head(&mut self, open: &mut File) -> Result<Head> {
        let size = open.metadata().map_err(Error::io(&self.file))?.len();
        let front = front_of(&self.file, open, size)?;
        let bytes = take(&self.file, open, front.head)?;
        self.head_bytes = (FRONT as u64) + front.head;
        head_of(&self.file, &front, &bytes)
    }

    /// Bytes of the head that were read.
    pub(super) fn head_bytes(&self) -> u64 {
        self.head_bytes
    }

    /// Reads the body, and says how many bytes it took.
    pub(super) fn body(&self) -> Result<(Body, u64)> {
        let mut open = match File::open(&self.file) {
            Ok(open) => open,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Body::default(), 0)),
            Err(e) => return Err(Error::io(&self.file)(e)),
        };
        let size = open.metadata().map_err(Error::io(&self.file))?.len();
        let front = front_of(&self.file, &mut open, size)?;
        open.seek(SeekFrom::Start(FRONT as u64 + front.head)).map_err(Error::io(&self.file))?;
        let bytes = take(&self.file, &mut open, front.body)?;
        Ok((body_of(&self.file, &front, &bytes)?, front.body))
    }

    /// What is wrong with it, as an error that says what to do.
    pub(super) fn broken(&self, what: &str) -> Error {
        broken(&self.file, what)
    }

    /// Replaces the file: written beside it, brought to the disk, renamed. `false` when the body is larger than any that
    /// is read: nothing was written.
    pub(super) fn save(&self, head: &Head, body: &Body) -> Result<bool> {
        let Some(bytes) = encode(head, body).map_err(|what| self.broken(&what))? else { return Ok(false) };
        let name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let temporary = self.file.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let done = write_whole(&temporary, &bytes).and_then(|()| fs::rename(&temporary, &self.file));
        if done.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        done.map_err(Error::io(&self.file))?;
        // The rename itself is on the disk only when its folder is. Not every file system can be asked for that.
        if let Some(folder) = self.file.parent().filter(|p| !p.as_os_str().is_empty()) {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(true)
    }
}

fn write_whole(temporary: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    // Quoted lines of logs stand in it, so that it is as private as they are. A run that was killed may have left the
    // same name.
    let _ = fs::remove_file(temporary);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The fixed part of the file.
struct Front {
    head: u64,
    body: u64,
    digests: [[u8; 32]; 2],
}

fn broken(file: &Path, what: &str) -> Error {
    Error::Usage(format!(
        "{}: {what}; it was left as it is. Move it away to begin anew (known incidents will be told again)",
        file.display()
    ))
}

fn front_of(file: &Path, from: &mut dyn Read, size: u64) -> Result<Front> {
    let mut bytes = [0; FRONT];
    if from.read_exact(&mut bytes).is_err() || !bytes.starts_with(MAGIC) {
        return Err(broken(file, "not a state of downtime"));
    }
    let mut rest = &bytes[MAGIC.len()..];
    let mut next = |n: usize| {
        let (part, behind) = rest.split_at(n);
        rest = behind;
        part
    };
    let version = next(2).iter().rev().fold(0u16, |v, b| v << 8 | u16::from(*b));
    let mut number = |n: usize| next(n).iter().rev().fold(0u64, |v, b| v << 8 | u64::from(*b));
    let (head, body) = (number(8), number(8));
    let mut digests = [[0; 32]; 2];
    for digest in &mut digests {
        digest.copy_from_slice(next(32));
    }
    if version != VERSION {
        let what = if version > VERSION { "a newer" } else { "another" };
        return Err(broken(
            file,
            &format!("written by {what} downtime (state version {version}, known is {VERSION})"),
        ));
    }
    if (FRONT as u64).checked_add(head).and_then(|n| n.checked_add(body)) != Some(size) || head > MOST_HEAD {
        return Err(broken(file, "damaged: its length is not what it says"));
    }
    Ok(Front { head, body, digests })
}

fn take(file: &Path, from: &mut dyn Read, len: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(len).read_to_end(&mut bytes).map_err(Error::io(file))?;
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(file: &Path, bytes: &[u8]) -> Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(broken(file, "damaged: it cannot be understood")),
    }
}

fn checked<'a>(file: &Path, bytes: &'a [u8], digest: &[u8; 32]) -> Result<&'a [u8]> {
    if Sha256::digest(bytes).as_slice() == digest {
        Ok(bytes)
    } else {
        Err(broken(file, "damaged: its digest is another"))
    }
}

fn head_of(file: &Path, front: &Front, bytes: &[u8]) -> Result<Head> {
    let head: Head = parse(file, checked(file, bytes, &front.digests[0])?)?;
    let numbers = head.logs.iter().all(|l| l.number < head.next && l.offset < 1 << 56);
    let ordered = head.logs.is_sorted_by(|a, b| a.number < b.number);
    if !numbers || !ordered || head.next >= 1 << 56 || head.runs >= 1 << 56 || !head.ledger.is_sound() {
        return Err(broken(file, "damaged: it holds what no run writes"));
    }
    Ok(head)
}

fn body_of(file: &Path, front: &Front, bytes: &[u8]) -> Result<Body> {
    let packed = checked(file, bytes, &front.digests[1])?;
    let mut plain = Vec::new();
    let unpacked = zstd::Decoder::new(packed).and_then(|d| d.take(MOST_BODY + 1).read_to_end(&mut plain));
    if unpacked.is_err() || plain.len() as u64 > MOST_BODY {
        return Err(broken(file, "damaged: it cannot be unpacked"));
    }
    let body: Body = parse(file, &plain)?;
    if body.values().all(|kept| kept.is_sound()) {
        Ok(body)
    } else {
        Err(broken(file, "damaged: it holds what no run writes"))
    }
}

/// The bytes of a state; `None` when they are more than may be read.
fn encode(head: &Head, body: &Body) -> std::result::Result<Option<Vec<u8>>, String> {
    let failed = |e: &dyn std::fmt::Display| format!("cannot be written: {e}");
    let head = postcard::to_stdvec(head).map_err(|e| failed(&e))?;
    let packed = zstd::Encoder::new(Vec::new(), LEVEL).map_err(|e| failed(&e))?;
    // Packed while it is written: of a hundred thousand logs the plain text is larger than all else that is in hand.
    let plain = Counting { to: BufWriter::with_capacity(BUFFER, packed), bytes: 0 };
    let Counting { to: packed, bytes } = postcard::to_io(body, plain).map_err(|e| failed(&e))?;
    if bytes > MOST_BODY || head.len() as u64 > MOST_HEAD {
        return Ok(None);
    }
    let packed = packed.into_inner().map_err(|e| failed(&e))?;
    let body = packed.finish().map_err(|e| failed(&e))?;
    let mut out = Vec::with_capacity(FRONT + head.len() + body.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(head.len() as u64).to_le_bytes());
    out.extend_from_slice(&(body.len() as u64).to_le_bytes());
    out.extend_from_slice(&Sha256::digest(&head));
    out.extend_from_slice(&Sha256::digest(&body));
    out.extend_from_slice(&head);
    out.extend_from_slice(&body);
    Ok(Some(out))
}

/// A writer that counts what goes through it.
struct Counting<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        let n = self.to.write(part)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Reads a state from bytes.
pub(super) fn decode(file: &Path, mut bytes: &[u8]) -> Result<(Head, Body)> {
    let size = bytes.len() as u64;
    let front = front_of(file, &mut bytes, size)?;
    let (head, body) = bytes.split_at(front.head as usize);
    Ok((head_of(file, &front, head)?, body_of(file, &front, body)?))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
