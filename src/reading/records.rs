//! The error records of any input, one by one and whole: frames taken off, parts and physical lines joined. For
//! explaining records; the scan has its own, faster way.

use crate::format::errorlog::{RecordSplitter, trim_newline};
use crate::format::framing::{Framing, Joiner, detect};
use std::io::{self, BufRead, BufReader, Read};

/// Payload that is split at a time.
const BLOCK: usize = 1 << 20;
/// No record of nginx reaches this far; what is nearer to the end of a block waits for the next one.
const REACH: usize = 64 << 10;
/// Bytes by which the frame is told.
const LOOK: usize = 64 << 10;

/// One whole record, or a line that belongs to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<'a> {
    /// Its bytes without frame and last line end; lines within are parted by a line feed.
    pub bytes: &'a [u8],
    /// 1-based physical line of the input on which it begins.
    pub line: u64,
}

/// Calls `visit` for each record of `input`, in order, until it gives an error.
pub fn each_record(input: impl Read, visit: &mut dyn FnMut(Whole<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut input = input;
    let mut head = Vec::new();
    input.by_ref().take(LOOK as u64).read_to_end(&mut head)?;
    let framing = framing_of(&head);
    let mut input = BufReader::new(head.as_slice().chain(input));
    let mut block = Block::default();
    let mut joiner = Joiner::default();
    let (mut raw, mut room) = (Vec::new(), Vec::new());
    let mut line = 0;
    loop {
        raw.clear();
        if input.read_until(b'\n', &mut raw)? == 0 {
            break;
        }
        line += 1;
        let whole = match framing.unwrap(&raw, &mut room) {
            Some(part) => joiner.push(&part).map(|(payload, _)| payload),
            None => Some(trim_newline(&raw)),
        };
        if let Some(payload) = whole {
            block.push(payload, line);
        }
        if block.text.len() >= BLOCK {
            block.split(REACH, visit)?;
        }
    }
    block.split(0, visit)
}

/// Tells the frame from the first lines.
fn framing_of(head: &[u8]) -> Framing {
    let end = memchr::memrchr(b'\n', head).unwrap_or(head.len());
    let lines: Vec<&[u8]> = head[..end].split(|b| *b == b'\n').take(200).collect();
    detect(&lines).0
}

/// Lines without their frames, and where each came from.
#[derive(Default)]
struct Block {
    text: Vec<u8>,
    /// Offset in `text` and line of the input.
    lines: Vec<(usize, u64)>,
}

impl Block {
    fn push(&mut self, payload: &[u8], line: u64) {
        self.lines.push((self.text.len(), line));
        self.text.extend_from_slice(payload);
        self.text.push(b'\n');
    }

    /// Gives out the records that begin and end before the last `keep` bytes, and keeps the rest.
    fn split(&mut self, keep: usize, visit: &mut dyn FnMut(Whole<'_>) -> io::Result<()>) -> io::Result<()> {
        let until = self.text.len().saturating_sub(keep);
        let mut done = 0;
        let mut at = 0;
        for record in RecordSplitter::new(&self.text) {
            // A record that may still grow, because the text ends with it, waits; at the end of the input none does.
            if keep > 0 && record.offset + record.bytes.len() >= until {
                break;
            }
            while self.lines.get(at + 1).is_some_and(|l| l.0 <= record.offset) {
                at += 1;
            }
            let line = self.lines.get(at).map_or(0, |l| l.1);
            if !record.bytes.is_empty() {
                visit(Whole { bytes: record.bytes, line })?;
            }
            done = record.offset + record.bytes.len();
        }
        // The line end behind the last record goes with it.
        let next = memchr::memchr(b'\n', &self.text[done..]).map_or(self.text.len(), |n| done + n + 1);
        let next = if done == 0 { 0 } else { next };
        self.text.drain(..next);
        self.lines.retain(|l| l.0 >= next);
        self.lines.iter_mut().for_each(|l| l.0 -= next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<(u64, String)> {
        let mut out = Vec::new();
        each_record(text.as_bytes(), &mut |w| {
            out.push((w.line, String::from_utf8_lossy(w.bytes).into_owned()));
            Ok(())
        })
        .unwrap();
        out
    }

    #[test]
    fn records_of_several_lines_are_whole_and_keep_their_place() {
        let lua = "2026/03/01 10:00:00 [error] 7#7: *1 lua entry thread aborted: runtime error: a.lua:1: x\n\
                   stack traceback:\ncoroutine 0:, client: 203.0.113.7, server: a, request: \"GET / HTTP/1.1\"\n";
        let bind = "2026/03/01 10:00:01 [emerg] 7#7: bind() to 0.0.0.0:80 failed (98: Address in use)\n";
        let found = records(&format!("{lua}{bind}nginx: [emerg] x\n"));
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [1, 4, 5]);
        assert!(found[0].1.ends_with("HTTP/1.1\""), "{found:?}");
    }

    #[test]
    fn a_frame_is_taken_off_and_parts_are_joined() {
        let text = "2026-03-01T10:00:00.1Z stderr P 2026/03/01 10:00:00 [emerg] 7#7: \n\
                    2026-03-01T10:00:00.1Z stderr F bind() to 0.0.0.0:80 failed (98: x)\n";
        let found = records(text);
        assert_eq!(found.len(), 1);
        assert!(found[0].1.ends_with("7#7: bind() to 0.0.0.0:80 failed (98: x)"), "{found:?}");
    }

    #[test]
    fn blocks_do_not_cut_records() {
        let line = "2026/03/01 10:00:00 [error] 7#7: *1 lua entry thread aborted: runtime error: a\n\
                    stack traceback:, client: 203.0.113.7, server: a, request: \"GET / HTTP/1.1\"\n";
        let n = 4 * BLOCK / line.len();
        let found = records(&line.repeat(n));
        assert_eq!(found.len(), n);
        assert!(found.iter().enumerate().all(|(i, f)| f.0 == 2 * i as u64 + 1));
    }
}
