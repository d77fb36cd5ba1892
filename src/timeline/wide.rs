//! Wider pages for the longest logs.
//!
//! A page of 1,024 seconds costs a hundred bytes beside what stands in it. Where the lines of a log are hours apart each
//! had a page of its own: to make it, to find it and to walk to it cost ten times as much as the line. So all pages
//! become twice as wide while there are more of them than [`MOST`]. What a part needs its whole needs too: the width
//! is a function of the seconds alone, and not of the order in which they came.

use super::Timeline;
use super::counts::{CountStream, FailedStream};
use super::latency::LatencyStream;
use super::stream::{Stream, add_stream, append_page};
use crate::time::Second;
use std::ops::Range;

/// Pages at most: seven weeks of a log with lines at every time of the day. In tests so few that widths differ in most.
const MOST: usize = if cfg!(test) { 64 } else { 4096 };
/// Seconds of a page fit 32 bits: at this width a hundred pages hold all years that can be written.
pub(super) const MOST_BITS: u32 = 31;

impl Timeline {
    /// Adds a stream of a page that is `span` wide, up to the second behind its last.
    pub(super) fn add<S: Stream>(&mut self, bytes: &[u8], span: Range<Second>) {
        let number = span.start >> self.bits;
        let from = span.start - (number << self.bits);
        let end = (from + (span.end - span.start)) as u32;
        let page = self.pages.page(number);
        if from == 0 {
            add_stream::<S>(page, bytes, end);
        } else {
            let mut moved = Vec::with_capacity(bytes.len() + 4);
            let mut rest = bytes;
            if let Some((skip, value)) = S::decode(&mut rest) {
                S::encode(&mut moved, skip + from as u32, &value);
                moved.extend_from_slice(rest);
            }
            add_stream::<S>(page, &moved, end);
        }
        self.fit();
    }

    /// Makes the pages as wide as their number asks for.
    pub(super) fn fit(&mut self) {
        if self.pages.len() <= MOST {
            return;
        }
        let wide = |bits: u32| {
            let mut last = None;
            let numbers = self.pages.iter().map(|(number, _)| number >> (bits - self.bits));
            numbers.filter(|number| last.replace(*number) != Some(*number)).count() <= MOST
        };
        self.widen_to((self.bits + 1..MOST_BITS).find(|bits| wide(*bits)).unwrap_or(MOST_BITS));
    }

    /// Makes the pages this wide, if they are narrower.
    pub(super) fn widen_to(&mut self, bits: u32) {
        let by = bits.saturating_sub(self.bits);
        if by == 0 {
            return;
        }
        for (number, mut page) in self.pages.take() {
            let wide = self.pages.page(number >> by);
            let from = ((number - (number >> by << by)) << self.bits) as u32;
            append_page::<CountStream>(wide, &mut page, from);
            append_page::<FailedStream>(wide, &mut page, from);
            append_page::<LatencyStream>(wide, &mut page, from);
        }
        self.bits = bits;
    }
}
