//! Lines of one second in a row, counted, and the stretches of time that are told of them: blocks of the index, the
//! offset of the stamps, the window.

use super::Scanner;
use crate::scan::lanes::BLOCK;
use crate::scan::partial::Block;
use crate::time::{Millis, Second, Window};
use crate::timeline::{BUCKETS, CLASSES, Class, bucket, only_ok};

/// Bytes per entry of the index.
pub(in crate::scan) const INDEX_BYTES: u64 = 256 << 10;

/// Lines of one second are counted in 16 bits; the run is closed before they can overflow.
const RUN_LINES: u32 = u16::MAX as u32 - BLOCK as u32;

/// Lines of the same second in a row.
#[derive(Debug)]
pub(in crate::scan) struct Run {
    pub(in crate::scan) second: Second,
    pub(in crate::scan) counts: [u16; CLASSES],
    latencies: [u16; BUCKETS],
    /// Bit i is set where bucket i is not 0.
    touched: u64,
    lines: u32,
    pub(super) inside: bool,
    pub(super) sighting: Sighting,
}

/// Whether sightings of a second are wanted, and under which group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sighting {
    /// No line has asked yet.
    Unasked,
    Wanted(u32),
    Unwanted,
}

/// First and last of some seconds; the default holds none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    first: Second,
    last: Second,
}

impl Default for Stretch {
    fn default() -> Self {
        Self { first: Second::MAX, last: Second::MIN }
    }
}

impl Stretch {
    #[inline]
    fn add(&mut self, second: Second) {
        self.first = self.first.min(second);
        self.last = self.last.max(second);
    }

    fn take(&mut self) -> Option<(Second, Second)> {
        let Self { first, last } = std::mem::take(self);
        (first <= last).then_some((first, last))
    }
}

impl Run {
    /// No line yet.
    pub(in crate::scan) fn new() -> Self {
        Self {
            second: Second::MIN,
            counts: [0; CLASSES],
            latencies: [0; BUCKETS],
            touched: 0,
            lines: 0,
            inside: false,
            sighting: Sighting::Unasked,
        }
    }
}

impl Scanner<'_> {
    /// Closes the current run.
    pub(super) fn settle(&mut self) {
        self.gather();
        self.close_run();
        self.close_error_run();
        if self.collected.is_large() {
            self.out.timeline.absorb(&mut self.collected);
        }
        self.run.second = Second::MIN;
        self.block = Stretch::default();
        if let Some((first, last)) = self.inside.take() {
            self.span(first * 1000);
            self.span(last * 1000);
        }
        self.close_offset();
    }

    /// Adds the fresh seconds to the stretches they belong to.
    pub(super) fn gather(&mut self) {
        let Some((first, last)) = self.fresh.take() else { return };
        for second in [first, last] {
            self.block.add(second);
            self.under_offset.add(second);
            if self.window == Window::ALL {
                self.inside.add(second);
            }
        }
    }

    fn close_offset(&mut self) {
        self.gather();
        if let (Some(offset), Some((first, last))) = (self.offset.take(), self.under_offset.take()) {
            self.out.saw_offset(offset, first, last);
        }
    }

    /// The stamps of the lines from here on carry this offset.
    pub(in crate::scan) fn offset(&mut self, offset: i16) {
        if self.offset != Some(offset) {
            self.close_offset();
            self.offset = Some(offset);
        }
    }

    /// Called between blocks of lines: keeps the counts from overflowing and the index fine enough.
    #[inline]
    pub(in crate::scan) fn between_blocks(&mut self, lines: usize, byte: u64) {
        self.run.lines += lines as u32;
        if self.run.lines > RUN_LINES {
            self.close_run();
        }
        // A long line that went the exact way has closed blocks behind its own start.
        if byte.saturating_sub(self.block_start) >= INDEX_BYTES {
            self.close_block(byte);
        }
    }

    #[inline(never)]
    pub(super) fn close_block(&mut self, end: u64) {
        self.gather();
        if let Some((first, last)) = self.block.take() {
            self.out.blocks.push(Block { start: self.block_start, end, first, last });
            // The next lines carry the same second until they say otherwise.
            for second in [self.run.second, self.errors.second()] {
                if second != Second::MIN {
                    self.block.add(second);
                }
            }
        }
        self.block_start = end;
    }

    /// Closes a run as nearly every second of a quiet log has it: a few 2xx and nothing else. False, and nothing done, for any
    /// other.
    #[inline]
    fn close_few(&mut self) -> bool {
        let run = &mut self.run;
        let ok = run.counts[Class::Ok as usize];
        let few = run.touched == 0
            && run.inside
            && only_ok(&run.counts)
            && self.collected.count_few(run.second, ok);
        if few {
            self.out.requests += u64::from(ok);
            run.counts[Class::Ok as usize] = 0;
            run.lines = 0;
        }
        few
    }

    /// Closes a run, whatever it holds.
    #[inline(never)]
    fn close_run(&mut self) {
        let run = &mut self.run;
        run.lines = 0;
        let lines = if only_ok(&run.counts) {
            u32::from(run.counts[Class::Ok as usize])
        } else {
            run.counts.iter().map(|n| u32::from(*n)).sum()
        };
        if lines == 0 {
            return;
        }
        if run.inside {
            self.out.requests += u64::from(lines);
            self.collected.count(&mut self.out.timeline, run.second, &run.counts);
            if run.touched != 0 {
                self.collected.time(&mut self.out.timeline, run.second, &mut run.latencies, run.touched);
            }
        } else {
            self.out.outside += u64::from(lines);
            if run.touched != 0 {
                run.latencies = [0; BUCKETS];
            }
        }
        run.counts = [0; CLASSES];
        run.touched = 0;
    }

    /// The next lines carry another second.
    pub(in crate::scan) fn turn(&mut self, second: Second) {
        if second == self.run.second {
            return;
        }
        if !self.close_few() {
            self.close_run();
        }
        self.begin(second);
        self.block.add(second);
        if self.run.inside {
            self.inside.add(second);
        }
    }

    /// The next lines carry another second, and the offset that was named last. The short way calls nothing: to save what a
    /// call needs saved was 15 of its 83 instructions, at nearly every second of a quiet log.
    #[inline]
    pub(in crate::scan) fn turn_under_offset(&mut self, second: Second) {
        self.fresh.add(second);
        if second == self.run.second {
            return;
        }
        if self.close_few() { self.begin_under_offset(second) } else { self.shift_under_offset(second) }
    }

    #[inline(never)]
    fn shift_under_offset(&mut self, second: Second) {
        self.close_run();
        self.begin_under_offset(second);
    }

    #[inline]
    fn begin_under_offset(&mut self, second: Second) {
        self.begin(second);
        if self.run.inside && self.window != Window::ALL {
            self.inside.add(second);
        }
    }

    #[inline]
    fn begin(&mut self, second: Second) {
        self.run.second = second;
        self.run.inside = self.window.contains(second);
        self.run.sighting = Sighting::Unasked;
    }

    /// A line of this second lies in the current block of the index.
    #[inline]
    pub(in crate::scan) fn in_block(&mut self, second: Second) {
        self.block.add(second);
    }

    pub(super) fn span(&mut self, millis: Millis) {
        self.out.first = Some(self.out.first.map_or(millis, |f| f.min(millis)));
        self.out.last = Some(self.out.last.map_or(millis, |l| l.max(millis)));
    }

    /// Counts a latency of the current second.
    #[inline]
    pub(in crate::scan) fn latency(&mut self, ms: u32) {
        let bucket = bucket(ms);
        self.run.latencies[bucket] += 1;
        self.run.touched |= 1 << bucket;
    }
}
