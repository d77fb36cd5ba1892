//! Lines from several places of an input, to learn from what it is.

use super::{PAGE, Pages, PlainFile, Source, head};
use crate::error::{Error, Result};
use std::ops::Range;

/// Places at which [`sample`] looks into a plain file, besides head and tail.
const SPOTS: u64 = 7;

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
