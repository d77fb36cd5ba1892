//! Drives the scanners over files: plain files in chunks on all threads, everything else as one stream a thread.

use super::partial::FileScan;
use super::plan::Plan;
use super::scanner::Scanner;
use crate::error::{Error, Result};
use crate::format::framing::Framing;
use crate::input::source::{PlainFile, Source, open_range, open_stream};
use crate::parallel::Workers;
use crate::time::Window;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

/// How a scan is cut and bounded.
#[derive(Debug, Clone, Copy)]
pub struct ScanOptions {
    /// Lines outside are not counted.
    pub window: Window,
    /// Bytes of a chunk of a plain file. Any size gives the same result; 8 MiB costs least (4 MiB 5 % more, 1 MiB
    /// 60 %: mapping and unmapping).
    pub chunk_bytes: u64,
    /// Whether the text of the lines that may be quoted is kept although the file could be read again.
    pub keep_text: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { window: Window::ALL, chunk_bytes: 8 << 20, keep_text: false }
    }
}

/// One file to be scanned.
#[derive(Debug)]
pub struct Job<'a> {
    /// The file.
    pub source: &'a Source,
    /// How its lines are read.
    pub plan: &'a Plan,
    /// Bytes of it to look at, for plain files; all when `None`. Where a frame stands around each line, they begin at a
    /// line.
    pub range: Option<Range<u64>>,
    /// Bytes of it to leave out, sorted: lines that stand in another file too.
    pub skip: Vec<Range<u64>>,
}

/// Bytes looked at after a chunk's end for the rest of its last line, and again as many until it ends.
const REST: u64 = 64 << 10;
/// Bytes looked at before a chunk of an error log, to know whether a record is open.
const LOOK_BACK: u64 = super::errors::REACH;
/// A line longer than this is none of nginx's: it is passed over and counted.
const LONGEST: usize = 1 << 20;
/// Bytes per read of a stream.
const READ: usize = 256 << 10;

/// Plain files that are held open from the beginning to the end of a scan, whatever becomes of their names meanwhile. Of
/// more, those that were written to last, which may be rotated away; the others are opened when their turn comes, for
/// a process may often have no more than 1,024 open.
const HELD: usize = 128;

/// How a file is come by.
enum Opened {
    /// From front to back.
    Stream,
    /// A plain file and the bytes of it to look at.
    Held(Result<(PlainFile, Range<u64>)>),
    /// A plain file that is not opened yet, and the bytes of it to look at as long as it has them.
    Later(Range<u64>),
}

impl Opened {
    fn new(job: &Job<'_>, hold: bool) -> Self {
        if !job.is_chunked() {
            return Self::Stream;
        }
        let range = job.range.clone().unwrap_or(0..job.source.size);
        if !hold {
            return Self::Later(range);
        }
        Self::Held(PlainFile::open(job.source).and_then(|plain| {
            let len = plain.len()?;
            let range = job.range.clone().unwrap_or(0..len);
            Ok((plain, range.start.min(len)..range.end.min(len)))
        }))
    }
}

impl Job<'_> {
    /// Whether it is cut into chunks.
    fn is_chunked(&self) -> bool {
        self.source.is_seekable() && self.plan.framing == Framing::None
    }
}

/// A piece of work for one thread.
#[derive(Debug)]
enum Piece {
    /// Chunk `chunk` of plain file `file`.
    Chunk { file: usize, chunk: u64 },
    /// The whole of `file`, from front to back.
    Whole { file: usize },
}

/// Scans files; gives one result a file, in their order. `progress` is told of bytes done.
pub fn scan(
    jobs: &[Job<'_>],
    options: &ScanOptions,
    workers: &Workers,
    progress: &(dyn Fn(u64) + Sync),
) -> Vec<Result<Arc<FileScan>>> {
    let mut latest: Vec<usize> = (0..jobs.len()).filter(|&file| jobs[file].is_chunked()).collect();
    latest.sort_by_key(|&file| std::cmp::Reverse(jobs[file].source.modified));
    let held: BTreeSet<usize> = latest.into_iter().take(HELD).collect();
    let opened: Vec<Opened> =
        jobs.iter().enumerate().map(|(file, job)| Opened::new(job, held.contains(&file))).collect();
    // Streams first: they are the longest pieces of work.
    let mut pieces: Vec<Piece> = (0..jobs.len())
        .rev()
        .filter(|&file| matches!(opened[file], Opened::Stream))
        .map(|file| Piece::Whole { file })
        .collect();
    for (file, open) in opened.iter().enumerate() {
        if let Opened::Held(Ok((_, range))) | Opened::Later(range) = open
            && !range.is_empty()
        {
            let chunks = range.start / options.chunk_bytes..=(range.end - 1) / options.chunk_bytes;
            pieces.extend(chunks.map(|chunk| Piece::Chunk { file, chunk }));
        }
    }
    let parts = workers.fold(&pieces, Worker::default, |worker, piece| match *piece {
        Piece::Chunk { file, chunk } => {
            let (plain, range) = match &opened[file] {
                Opened::Held(Ok((plain, range))) => (plain.clone(), range.clone()),
                Opened::Later(range) => match worker.open(file, jobs[file].source) {
                    Ok((plain, len)) => (plain, range.start.min(len)..range.end.min(len)),
                    Err(e) => return worker.fail(file, e),
                },
                _ => return,
            };
            let to = ((chunk + 1) * options.chunk_bytes).min(range.end);
            let from = (chunk * options.chunk_bytes).max(range.start);
            if from >= to {
                // It has become shorter since it was found.
                return;
            }
            let scanner = worker.scanner(file, &jobs[file], options);
            match scan_chunk(scanner, &jobs[file], &plain, from..to, chunk) {
                Ok(()) => progress(to - from),
                Err(e) => worker.fail(file, e),
            }
        }
        Piece::Whole { file } => {
            let job = &jobs[file];
            let scanner = worker.scanner(file, job, options);
            if let Err(e) = scan_stream(scanner, job) {
                worker.fail(file, e);
            }
            progress(job.source.size);
        }
    });
    let mut merged = BTreeMap::new();
    for (file, part) in parts.into_iter().flat_map(Worker::finish) {
        add(&mut merged, file, part);
    }
    let result = |(file, open): (usize, Opened)| {
        let plain = !matches!(open, Opened::Stream);
        if let Opened::Held(held) = open {
            held?;
        }
        let mut scan = merged.remove(&file).unwrap_or_else(|| Ok(Arc::default()))?;
        Arc::make_mut(&mut scan).finish(if plain { options.chunk_bytes } else { u64::MAX });
        Ok(scan)
    };
    opened.into_iter().enumerate().map(result).collect()
}

/// Each in a piece of memory that it stays in: a tree moves what it holds, and there may be a hundred thousand.
type Parts = BTreeMap<usize, Result<Arc<FileScan>>>;

fn add(done: &mut Parts, file: usize, part: Result<Arc<FileScan>>) {
    match (done.get_mut(&file), part) {
        (Some(Ok(sum)), Ok(part)) => Arc::make_mut(sum).merge(Arc::unwrap_or_clone(part)),
        (Some(Err(_)), _) => {}
        (_, part) => {
            done.insert(file, part);
        }
    }
}

/// What one thread has in hand: the scanner of the file it is in, and what it knows of files before.
#[derive(Default)]
struct Worker<'a> {
    current: Option<(usize, Scanner<'a>)>,
    /// The file opened last of those that are not held, and its length.
    open: Option<(usize, PlainFile, u64)>,
    done: Parts,
}

impl<'a> Worker<'a> {
    /// The scanner of `file`. One serves all chunks that this thread takes: what it has learnt to leave out (its
    /// bounded collections are full) it need not learn again.
    fn scanner(&mut self, file: usize, job: &Job<'a>, options: &ScanOptions) -> &mut Scanner<'a> {
        if self.current.as_ref().is_none_or(|(f, _)| *f != file) {
            self.close();
            let keep = options.keep_text || !job.source.is_seekable();
            let scanner = Scanner::new(job.plan, options.window, keep);
            self.current = Some((file, scanner));
        }
        let fresh = || (file, Scanner::new(job.plan, options.window, false));
        &mut self.current.get_or_insert_with(fresh).1
    }

    /// A file that is not held.
    fn open(&mut self, file: usize, source: &Source) -> Result<(PlainFile, u64)> {
        if let Some((_, plain, len)) = self.open.as_ref().filter(|(f, _, _)| *f == file) {
            return Ok((plain.clone(), *len));
        }
        let plain = PlainFile::open(source)?;
        let len = plain.len()?;
        self.open = Some((file, plain.clone(), len));
        Ok((plain, len))
    }

    fn fail(&mut self, file: usize, error: Error) {
        self.current = None;
        self.done.insert(file, Err(error));
    }

    fn close(&mut self) {
        if let Some((file, scanner)) = self.current.take() {
            add(&mut self.done, file, Ok(Arc::new(scanner.finish())));
        }
    }

    fn finish(mut self) -> Parts {
        self.close();
        self.done
    }
}

/// Scans the lines that start in `range`, wherever they end.
fn scan_chunk(
    scanner: &mut Scanner<'_>,
    job: &Job<'_>,
    plain: &PlainFile,
    range: Range<u64>,
    chunk: u64,
) -> Result<()> {
    let before = range.start.min(LOOK_BACK);
    let base = range.start - before;
    let at = |offset: u64| (offset - base) as usize;
    let mut rest = REST;
    let (map, end, oversized) = loop {
        let map = plain.map(base..range.end + rest)?;
        let bytes: &[u8] = &map;
        let at_end = map.range().end < range.end + rest;
        let from = at(range.end - 1).min(bytes.len());
        if let Some(i) = memchr::memchr(b'\n', &bytes[from..]) {
            break (map, from + i + 1, false);
        }
        if at_end {
            let end = bytes.len();
            break (map, end, false);
        }
        if rest >= LONGEST as u64 {
            let end = memchr::memrchr(b'\n', &bytes[..from]).map_or(0, |i| i + 1);
            break (map, end, true);
        }
        rest *= 4;
    };
    let bytes: &[u8] = &map;
    let start = if range.start == 0 {
        0
    } else {
        let from = at(range.start - 1).min(bytes.len());
        memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |i| from + i + 1)
    };
    // A line that began in an earlier chunk and is not over, or an oversized one that began here.
    if oversized && end >= at(range.start) {
        scanner.oversized_line();
    }
    scanner.enter_chunk(&bytes[..start], base + start as u64);
    if start < end {
        skim(scanner, job, &bytes[start..end], base + start as u64, 0, chunk);
    }
    if map.was_cut() {
        scanner.was_cut();
    }
    Ok(())
}

/// Scans a slice, which follows `line` lines of its chunk, without the ranges that are to be left out, and returns
/// the number of the line behind it.
fn skim(scanner: &mut Scanner<'_>, job: &Job<'_>, bytes: &[u8], base: u64, mut line: u64, chunk: u64) -> u64 {
    let whole = base..base + bytes.len() as u64;
    let part = |r: &Range<u64>| &bytes[(r.start - base) as usize..(r.end - base) as usize];
    let mut at = whole.start;
    let first = job.skip.partition_point(|r| r.end <= whole.start);
    for skip in job.skip[first..].iter().take_while(|r| r.start < whole.end) {
        let skip = skip.start.max(whole.start)..skip.end.min(whole.end);
        if at < skip.start {
            line += scanner.slice(part(&(at..skip.start)), at, line, chunk);
        }
        line += scanner.pass_over(part(&skip), skip.start, chunk);
        at = skip.end;
    }
    if at < whole.end {
        line += scanner.slice(part(&(at..whole.end)), at, line, chunk);
    }
    line
}

/// Scans an input from front to back, or the lines of a range of a plain file.
fn scan_stream(scanner: &mut Scanner<'_>, job: &Job<'_>) -> Result<()> {
    if let Some(range) = job.range.clone().filter(|_| job.source.is_seekable()) {
        // A record or a line in parts may have begun before, in bytes that were read by an earlier run.
        let mut before = Vec::new();
        let from = range.start.saturating_sub(LOOK_BACK);
        open_range(job.source, from..range.start)?
            .read_to_end(&mut before)
            .map_err(Error::io(&job.source.path))?;
        scanner.enter_range(&before, range.start);
        return scan_reader(scanner, job, &mut open_range(job.source, range.clone())?, range.start);
    }
    let mut stream = open_stream(job.source)?;
    scanner.enter_chunk(&[], 0);
    scan_reader(scanner, job, &mut stream, 0)?;
    if let Some(damage) = stream.damage() {
        scanner.damaged(damage.to_string());
    }
    Ok(())
}

/// Scans what a reader gives; its first byte is byte `base` of the input.
fn scan_reader(scanner: &mut Scanner<'_>, job: &Job<'_>, stream: &mut dyn Read, mut base: u64) -> Result<()> {
    let mut buffer = vec![0; READ];
    let (mut filled, mut line) = (0, 0);
    // Inside a line that is longer than any of nginx's.
    let mut passing = false;
    loop {
        if filled == buffer.len() {
            if buffer.len() < LONGEST {
                buffer.resize(buffer.len() * 2, 0);
            } else {
                if !passing {
                    scanner.oversized_line();
                }
                passing = true;
                base += filled as u64;
                filled = 0;
            }
        }
        let n = match stream.read(&mut buffer[filled..]) {
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(Error::Io { path: job.source.path.clone(), source }),
        };
        let fresh = &buffer[filled..filled + n];
        let end = match memchr::memrchr(b'\n', fresh) {
            Some(i) => filled + i + 1,
            None if n == 0 => filled,
            None => {
                filled += n;
                continue;
            }
        };
        filled += n;
        let mut start = 0;
        if passing && end > 0 {
            start = memchr::memchr(b'\n', &buffer[..end]).map_or(end, |i| i + 1);
            passing = false;
            line += 1;
        }
        if start < end {
            line = skim(scanner, job, &buffer[start..end], base + start as u64, line, 0);
        }
        buffer.copy_within(end..filled, 0);
        filled -= end;
        base += end as u64;
        if n == 0 {
            break;
        }
    }
    Ok(())
}
