//! Cuts a buffer of physical lines into error-log records.
//!
//! A record can span lines (`FastCGI` stderr, Lua tracebacks, `%0A` decoded into a file name), and a client can so
//! write a line that looks like a record of its own. Which line starts a record is decided from the bytes of the
//! record before it alone and never from what came earlier in the file (a table of process numbers was rejected for
//! this): so a file cut into pieces anywhere between records gives the same records.

use super::{
    RECORD_LIMIT, RECORD_LIMIT_OPENRESTY, context_start, frame, is_record_start, lacks_context,
    missing_close, trim_newline,
};
use memchr::{memchr, memmem};

/// A record longer than this is cut and flagged; no nginx writes more than 4 KiB.
const LONGEST_RECORD: usize = 64 * 1024;
/// How far a stamp may fall back between two records: workers share no lock on the file.
const DISORDER: i64 = 1;

/// One record, or one line that belongs to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split<'a> {
    /// The bytes, without the last line end.
    pub bytes: &'a [u8],
    /// Where they start in the buffer.
    pub offset: usize,
    /// How many physical lines they span.
    pub lines: u32,
    /// Whether it starts like a record of nginx; else it is a foreign line (entry-point script, klog, JSON, ...).
    pub framed: bool,
    /// Whether it was longer than 64 KiB, and is therefore cut.
    pub overlong: bool,
}

/// Iterates over the records of a buffer.
#[derive(Debug, Clone)]
pub struct RecordSplitter<'a> {
    buffer: &'a [u8],
    at: usize,
}

impl<'a> RecordSplitter<'a> {
    /// Splits `buffer`, which starts at the start of a line.
    pub fn new(buffer: &'a [u8]) -> Self {
        Self { buffer, at: 0 }
    }

    fn line_end(&self, from: usize) -> usize {
        memchr(b'\n', &self.buffer[from..]).map_or(self.buffer.len(), |n| from + n + 1)
    }

    /// Whether the record `start..end` goes on with the line at `end`.
    fn continues(&self, start: usize, last_line: usize, end: usize) -> bool {
        let next = &self.buffer[end..];
        if is_record_start(next) {
            return end - start <= RECORD_LIMIT_OPENRESTY + 1 && self.is_forged(start, end);
        }
        let record = trim_newline(&self.buffer[start..end.min(start + RECORD_LIMIT_OPENRESTY + 1)]);
        // The line that carries the context is the last one.
        let last = trim_newline(&self.buffer[last_line..end]);
        let ended =
            context_start(last).is_some() && !self.is_open(start, end) || record.len() == RECORD_LIMIT;
        !ended && !is_foreign(next)
    }

    fn is_open(&self, start: usize, end: usize) -> bool {
        end - start <= RECORD_LIMIT_OPENRESTY
            && frame(&self.buffer[start..end]).is_some_and(|f| missing_close(f.body).is_some())
    }

    /// Whether the line at `end` only looks like a start: the record before it is unfinished, and either the rest
    /// it misses comes within the size of a record, or the stamp runs backwards.
    fn is_forged(&self, start: usize, end: usize) -> bool {
        let record = trim_newline(&self.buffer[start..end]);
        // By far most records end like this, and no name is open.
        let Some(f) = frame(record).filter(|_| record.len() != RECORD_LIMIT) else { return false };
        if let Some(close) = missing_close(f.body) {
            let reach = self.buffer.len().min(start + RECORD_LIMIT_OPENRESTY + 1);
            let ahead = &self.buffer[end..reach.max(end)];
            return memmem::find(ahead, close).is_some_and(|at| {
                // A quote opened in the line of the close makes it that line's own name.
                let line = memchr::memrchr(b'\n', &ahead[..at]).map_or(0, |n| n + 1);
                memchr(b'"', &ahead[line..at]).is_none() && self.runs_through(start, end, end + at)
            });
        }
        lacks_context(f.level, f.connection, f.body)
            && frame(&self.buffer[end..self.line_end(end)]).is_some_and(|n| n.time < f.time - DISORDER)
    }

    /// Whether no line from `end` to the one of the close ends the record before it. Without this a close behind the
    /// record could decide about lines inside, and a cut between records would change them (found by fuzzing).
    fn runs_through(&self, start: usize, end: usize, close: usize) -> bool {
        let mut line = end;
        while line <= close && line < self.buffer.len() {
            let next = &self.buffer[line..];
            let full = trim_newline(&self.buffer[start..line]).len() == RECORD_LIMIT;
            if full || is_foreign(next) && !is_record_start(next) {
                return false;
            }
            line = self.line_end(line);
        }
        true
    }
}

/// Lines that others write into the same stream.
fn is_foreign(line: &[u8]) -> bool {
    let klog = matches!(line.first(), Some(b'I' | b'W' | b'E' | b'F'))
        && line.get(1..5).is_some_and(|d| d.iter().all(u8::is_ascii_digit))
        && line.get(5) == Some(&b' ');
    klog || line.starts_with(b"nginx: ")
        || line.starts_with(b"{\"")
        || line.starts_with(b"/docker-entrypoint")
}

impl<'a> Iterator for RecordSplitter<'a> {
    type Item = Split<'a>;

    fn next(&mut self) -> Option<Split<'a>> {
        let start = self.at;
        if start >= self.buffer.len() {
            return None;
        }
        let mut end = self.line_end(start);
        let mut lines = 1;
        let framed = is_record_start(&self.buffer[start..end]);
        if framed {
            let mut last_line = start;
            while end < self.buffer.len() && self.continues(start, last_line, end) {
                last_line = end;
                end = self.line_end(end);
                lines += 1;
            }
        }
        self.at = end;
        let overlong = end - start > LONGEST_RECORD;
        let bytes = &self.buffer[start..if overlong { start + LONGEST_RECORD } else { end }];
        Some(Split { bytes: trim_newline(bytes), offset: start, lines, framed, overlong })
    }
}
