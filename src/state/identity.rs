//! Which log a file is: by its content. A log is known by its first block and by the bytes before the place where
//! reading stopped; names and inodes say nothing (rotation renames, `copytruncate` copies, inodes are given anew).

use super::prints::{
    ByHead, Content, First, HEAD, Looked, Print, Ring, first_of, hash, look, tail_of, whole_lines,
};
use super::{Head, Stats};
use crate::error::{Error, Result};
use crate::input::source::{Pages, PlainFile, Source, open_stream};
use crate::reading::Reading;
use crate::scan::Job;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Packings of one log that are remembered.
const PACKINGS: usize = 8;

/// A log and how far it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Log {
    pub(super) number: u64,
    /// Where it was last seen, as it is shown.
    pub(super) path: String,
    pub(super) host: Option<String>,
    /// Bytes that [`Log::head`] covers: no more than were read.
    head_len: u16,
    head: Print,
    /// Unpacked bytes that were read: whole lines.
    pub(super) offset: u64,
    /// Print of the bytes before that.
    tail: Print,
    /// Packed files that hold nothing but this.
    packed: Vec<Content>,
    /// The run that saw it last.
    pub(super) seen: u64,
}

/// A file with something new in it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) source: Arc<Source>,
    /// The number of its log.
    pub(super) log: u64,
    /// The new bytes.
    pub(super) start: u64,
    pub(super) end: u64,
    head: (u16, Print),
    tail: Print,
    content: Content,
    packed: bool,
}

impl Found {
    /// What is to be scanned.
    pub(super) fn job<'a>(&self, reading: &'a Reading) -> Job<'a> {
        let plain = reading.source.is_seekable();
        let known = Some(0..self.start).filter(|known| !known.is_empty());
        Job {
            source: &reading.source,
            plan: &reading.plan,
            range: plain.then_some(self.start..self.end),
            skip: known.filter(|_| !plain).into_iter().collect(),
        }
    }

    /// Writes down how far the log was read.
    pub(super) fn settle(self, log: &mut Log) {
        (log.head_len, log.head) = self.head;
        (log.offset, log.tail) = (self.end, self.tail);
        if self.packed {
            remember(log, self.content);
        }
    }

    /// Whether the file of this name is still the one that was looked at. What was scanned in between is of another
    /// one otherwise: it was rotated away, or cut.
    pub(super) fn is_still_there(&self, stats: &mut Stats) -> bool {
        let Ok((now, first)) = Source::file(&self.source.path).and_then(|source| look(source, stats)) else {
            return false;
        };
        if self.packed {
            return now.content == self.content;
        }
        let mut tail = || tail_of(&PlainFile::open(&now.source)?, self.end, &mut Pages::default(), stats);
        now.content.size >= self.end
            && first.begins(self.head.0, &self.head.1)
            && tail().ok() == Some(self.tail)
    }

    /// The number of its log.
    pub(super) fn log(&self) -> u64 {
        self.log
    }

    /// The file as it lies on disk.
    pub(super) fn content(&self) -> Content {
        self.content
    }
}

fn remember(log: &mut Log, content: Content) {
    if !log.packed.contains(&content) {
        log.packed.push(content);
        if log.packed.len() > PACKINGS {
            log.packed.remove(0);
        }
    }
}

/// What files turned out to be.
pub(super) struct Identified {
    /// Those with something new in them.
    pub(super) found: Vec<Found>,
    /// What could not be read.
    pub(super) errors: Vec<Error>,
    /// Where each log lies, by its number: as a plain file if it does.
    pub(super) places: Places,
}

/// Files by the numbers of the logs they hold.
pub(super) type Places = BTreeMap<u64, Arc<Source>>;

/// Where the logs that were known before this run are to be found.
struct Index {
    by_head: ByHead,
    by_packing: HashMap<Content, usize>,
}

impl Index {
    fn of(logs: &[Log]) -> Self {
        let (mut by_head, mut by_packing) = (ByHead::default(), HashMap::new());
        for (at, log) in logs.iter().enumerate() {
            by_head.insert((log.head_len, log.head), at);
            for content in &log.packed {
                // Of two that hold the same the first is it.
                by_packing.entry(*content).or_insert(at);
            }
        }
        Self { by_head, by_packing }
    }
}

/// The files of this run with something new in them.
#[derive(Default)]
struct Fresh {
    found: Vec<Found>,
    by_head: ByHead,
    by_log: HashMap<u64, usize>,
}

impl Fresh {
    fn push(&mut self, found: Found) {
        self.by_head.insert(found.head, self.found.len());
        self.by_log.entry(found.log).or_insert(self.found.len());
        self.found.push(found);
    }
}

/// Tells which log each file is and which bytes of it are new. What cannot be read is given back as errors.
pub(super) fn identify(
    state: &mut Head,
    sources: Vec<Source>,
    stats: &mut Stats,
    changed: &mut bool,
) -> Identified {
    let mut errors = Vec::new();
    let places: BTreeMap<&str, Vec<&Log>> = state.logs.iter().fold(BTreeMap::new(), |mut places, log| {
        places.entry(&log.path).or_insert_with(Vec::new).push(log);
        places
    });
    let mut looked = Vec::new();
    for source in sources {
        match look(source, stats) {
            Ok((file, _)) if file.content.size == 0 || state.refused.contains(&file.content) => {}
            Ok((file, first)) => {
                let there = places.get(file.source.shown.as_str());
                let same = there.is_some_and(|logs| logs.iter().any(|l| first.begins(l.head_len, &l.head)));
                looked.push((file, same));
            }
            // Rotated away since the folder was listed: it is found under its new name, now or in the next run.
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => errors.push(error),
        }
    }
    // Where a log was last seen it is looked for first; then plain files, the longest first, which a copy that is
    // still being made is not; packed files last.
    looked.sort_by(|(a, a_same), (b, b_same)| {
        let key =
            |f: &Looked, same: &bool| (!f.source.is_seekable(), !same, std::cmp::Reverse(f.content.size));
        key(a, a_same).cmp(&key(b, b_same)).then_with(|| a.source.path.cmp(&b.source.path))
    });
    let mut out = Fresh::default();
    let known = Index::of(&state.logs);
    let mut taken: BTreeMap<u64, (Arc<Source>, u64)> = BTreeMap::new();
    let mut places = Places::new();
    for (file, _) in looked {
        let found = if file.source.is_seekable() {
            plain(state, &known, &file, &taken, stats, changed)
        } else {
            packed(state, &known, &file, &out, &mut places, stats, changed)
        };
        match found {
            Ok(Some(found)) => {
                if found.source.is_seekable() {
                    taken.insert(found.log, (Arc::clone(&found.source), found.content.size));
                } else {
                    places.insert(found.log, Arc::clone(&found.source));
                }
                if found.end > found.start {
                    out.push(found);
                }
            }
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    places.extend(taken.into_iter().map(|(number, (source, _))| (number, source)));
    Identified { found: out.found, errors, places }
}

/// A plain file: the log it goes on with, or a new one.
fn plain(
    state: &mut Head,
    known: &Index,
    file: &Looked,
    taken: &BTreeMap<u64, (Arc<Source>, u64)>,
    stats: &mut Stats,
    changed: &mut bool,
) -> Result<Option<Found>> {
    let open = PlainFile::open(&file.source)?;
    let mut pages = Pages::default();
    let first = first_of(&open, file.content.size, &mut pages)?;
    let mut start = 0;
    let mut number = None;
    let alike = known.by_head.of(&first);
    for &at in &alike {
        let log = &state.logs[at];
        if let Some((other, size)) = taken.get(&log.number) {
            // Another file is that log already: this one is its copy, or they only begin alike.
            let shared = file.content.size.min(*size);
            let other = PlainFile::open(other)?;
            if tail_of(&open, shared, &mut pages, stats)? == tail_of(&other, shared, &mut pages, stats)? {
                if file.content.size <= *size {
                    return Ok(None);
                }
                // It goes on where the other ends; what they share is counted.
                start = *size;
            }
            continue;
        }
        if file.content.size < log.offset {
            // A part of what was read: a copy that is not finished, or a log that was cut and begins as it did.
            continue;
        }
        if tail_of(&open, log.offset, &mut pages, stats)? == log.tail {
            (number, start) = (Some(at), log.offset);
            break;
        }
    }
    if number.is_none() && start == 0 && is_part(alike.iter().map(|&at| &state.logs[at]), file, &open, stats)?
    {
        return Ok(None);
    }
    let end = whole_lines(&open, start, file.content.size, &mut pages, stats)?;
    if number.is_none() && end == start {
        return Ok(None);
    }
    let log = log_at(state, number, &file.source, changed);
    let head_len = (end as usize).min(HEAD).min(first.bytes.len());
    Ok(Some(Found {
        source: Arc::clone(&file.source),
        log,
        start,
        end,
        head: (head_len as u16, hash(&[&first.bytes[..head_len]])),
        tail: if end > start { tail_of(&open, end, &mut pages, stats)? } else { [0; 16] },
        content: file.content,
        packed: false,
    }))
}

/// Whether a file that begins as a longer log does is a copy of its beginning (`cp` while rotating): then its last bytes
/// stand at the same place of the file that is that log. Without that file it cannot be told, and the log that was read
/// is believed: to count lines twice is worse than to wait for the copy to be finished.
fn is_part<'a>(
    alike: impl Iterator<Item = &'a Log>,
    file: &Looked,
    open: &PlainFile,
    stats: &mut Stats,
) -> Result<bool> {
    let size = file.content.size;
    let mut pages = Pages::default();
    for log in alike.filter(|l| size < l.offset) {
        let Ok(other) = Source::file(std::path::Path::new(&log.path)) else { return Ok(true) };
        if !other.is_seekable()
            || other.size < size
            || other.path.as_os_str().as_bytes() == file.source.path.as_os_str().as_bytes()
        {
            return Ok(true);
        }
        let other = PlainFile::open(&other)?;
        if tail_of(open, size, &mut pages, stats)? == tail_of(&other, size, &mut pages, stats)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A packed file: the log it holds, or a new one. Logs of this run that are still to be read count as known. `places` is
/// told where a known log lies.
fn packed(
    state: &mut Head,
    known: &Index,
    file: &Looked,
    fresh: &Fresh,
    places: &mut Places,
    stats: &mut Stats,
    changed: &mut bool,
) -> Result<Option<Found>> {
    if let Some(log) = known.by_packing.get(&file.content).and_then(|&at| state.logs.get_mut(at)) {
        log.seen = state.runs;
        places.insert(log.number, Arc::clone(&file.source));
        if !log.path.eq(&file.source.shown) && !std::path::Path::new(&log.path).exists() {
            log.path.clone_from(&file.source.shown);
        }
        return Ok(None);
    }
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
    let young = file.source.modified.is_some_and(|m| now - m < 60);
    let mut stream = open_stream(&file.source)?;
    let mut first = Vec::new();
    (&mut stream).take(HEAD as u64).read_to_end(&mut first).map_err(Error::io(&file.source.path))?;
    let first = First::new(first);
    // Where the tails of the logs that begin so are to be found.
    let mut wanted: Vec<(usize, u64, Print)> = Vec::new();
    for at in known.by_head.of(&first) {
        let log = &state.logs[at];
        if !fresh.by_log.contains_key(&log.number) {
            wanted.push((at, log.offset, log.tail));
        }
    }
    for found in fresh.by_head.of(&first).into_iter().map(|at| &fresh.found[at]) {
        if let Some(at) = state.place_of(found.log) {
            wanted.push((at, found.end, found.tail));
        }
    }
    wanted.sort_by_key(|w| (w.1, w.0));
    let mut ring = Ring::default();
    let mut matched: Option<(usize, u64)> = None;
    let mut next = 0;
    let mut see = |bytes: &[u8], ring: &mut Ring| {
        let mut bytes = bytes;
        while let Some((at, offset, tail)) = wanted.get(next).copied() {
            let Some(step) = offset.checked_sub(ring.len).filter(|s| *s <= bytes.len() as u64) else {
                if offset < ring.len {
                    next += 1;
                    continue;
                }
                break;
            };
            let (front, rest) = bytes.split_at(step as usize);
            ring.push(front);
            bytes = rest;
            if ring.tail() == tail {
                matched = Some((at, offset));
            }
            next += 1;
        }
        ring.push(bytes);
    };
    // Tails inside the first block.
    see(&first.bytes, &mut ring);
    let mut block = vec![0; 256 << 10];
    loop {
        match stream.read(&mut block) {
            Ok(0) => break,
            Ok(n) => see(&block[..n], &mut ring),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io(&file.source.path)(e)),
        }
    }
    stats.known_by += ring.len;
    if stream.damage().is_some() && young {
        // It is being packed at this moment.
        return Ok(None);
    }
    let length = ring.len;
    if let Some((at, offset)) = matched.filter(|(_, offset)| length <= *offset) {
        let log = &mut state.logs[at];
        remember(log, file.content);
        log.seen = state.runs;
        places.insert(log.number, Arc::clone(&file.source));
        debug_assert!(offset >= length);
        *changed = true;
        return Ok(None);
    }
    let start = matched.map_or(0, |m| m.1);
    // A packed file is finished: its last line counts without its newline too.
    let end = length;
    let pending = matched.is_some_and(|m| fresh.by_log.contains_key(&state.logs[m.0].number));
    if pending {
        // The plain file of the same log is read in this run; the next run tells what this one has more.
        return Ok(None);
    }
    let log = log_at(state, matched.map(|m| m.0), &file.source, changed);
    let head_len = first.bytes.len().min(HEAD);
    Ok(Some(Found {
        source: Arc::clone(&file.source),
        log,
        start,
        end,
        head: (head_len as u16, hash(&[&first.bytes[..head_len]])),
        tail: ring.tail(),
        content: file.content,
        packed: true,
    }))
}

/// The number of a log that a file was found to be; of a new one when it is none.
fn log_at(state: &mut Head, known: Option<usize>, source: &Source, changed: &mut bool) -> u64 {
    let runs = state.runs;
    if let Some(log) = known.and_then(|at| state.logs.get_mut(at)) {
        if log.path != source.shown {
            log.path.clone_from(&source.shown);
            *changed = true;
        }
        log.seen = runs;
        return log.number;
    }
    let number = state.next;
    state.next += 1;
    state.logs.push(Log {
        number,
        path: source.shown.clone(),
        host: source.host.clone(),
        head_len: 0,
        head: [0; 16],
        offset: 0,
        tail: [0; 16],
        packed: Vec::new(),
        seen: runs,
    });
    number
}
