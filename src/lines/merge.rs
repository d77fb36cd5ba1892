//! Puts the lines of several files in the order of time, leaves out what two files share, and adds neighbours.
//!
//! The index of each file says which earliest second is still to come, so that a line is given on as soon as no file
//! can have an earlier one: exact order, with no more in memory than the files' own disorder asks for.

use super::reader::{Entry, Reader};
use super::{Line, Wanted};
use crate::reading::Read;
use crate::time::Second;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io;

/// Bytes of lines held to put them in order; files wildly out of order are given on before that is certain.
const HELD: usize = 256 << 20;

/// What a line costs beside its text.
const OVERHEAD: usize = 96;

/// Lines of several files on their way out.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    readers: Vec<Reader<'a>>,
    reads: &'a [Read],
    wanted: &'a Wanted,
    /// Lines of the current second that another file has too, by that file.
    shared: BTreeMap<(usize, Vec<u8>), u32>,
    second: Second,
}

impl<'a> Merge<'a> {
    pub(super) fn new(readers: Vec<Reader<'a>>, reads: &'a [Read], wanted: &'a Wanted) -> Self {
        Self { readers, reads, wanted, shared: BTreeMap::new(), second: Second::MIN }
    }

    /// Gives every line to `out`.
    pub(super) fn run(mut self, out: &mut dyn FnMut(&Line<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut heap: BinaryHeap<Reverse<Entry>> = BinaryHeap::new();
        let mut held = 0;
        let mut batch = Vec::new();
        let mut near = Neighbours { before: VecDeque::new(), after: 0, gap: false, any: false };
        loop {
            // The file that can still have the earliest line is read on.
            let next = (0..self.readers.len()).filter_map(|i| Some((self.readers[i].earliest()?, i))).min();
            let limit = next.map_or(Second::MAX, |n| n.0);
            while heap
                .peek()
                .is_some_and(|Reverse(e)| e.second < limit || limit == Second::MAX || held > HELD)
            {
                let Some(Reverse(entry)) = heap.pop() else { break };
                held -= entry.text.len() + OVERHEAD;
                if !self.is_copy(&entry) {
                    near.show(entry, self.wanted.context, self.reads, out)?;
                }
            }
            let Some((_, i)) = next else { return Ok(()) };
            self.readers[i].next(&mut batch)?;
            held += batch.iter().map(|e| e.text.len() + OVERHEAD).sum::<usize>();
            heap.extend(batch.drain(..).map(Reverse));
        }
    }

    /// Whether a line stands in the file that this one shares lines with: those come first within a second.
    fn is_copy(&mut self, entry: &Entry) -> bool {
        if entry.second != self.second {
            self.second = entry.second;
            self.shared.clear();
        }
        if let Some(of) = self.reads[entry.file].twin {
            return match self.shared.get_mut(&(of, entry.text.clone())) {
                Some(n) if *n > 0 => {
                    *n -= 1;
                    true
                }
                _ => false,
            };
        }
        if self.reads.iter().any(|r| r.twin == Some(entry.file)) {
            *self.shared.entry((entry.file, entry.text.clone())).or_default() += 1;
        }
        false
    }
}

/// Which lines around the wanted ones are shown.
#[derive(Debug)]
struct Neighbours {
    before: VecDeque<Entry>,
    /// Lines still to be shown after the last wanted one.
    after: usize,
    /// Lines were left out since the last one shown.
    gap: bool,
    any: bool,
}

impl Neighbours {
    fn show(
        &mut self,
        entry: Entry,
        context: usize,
        reads: &[Read],
        out: &mut dyn FnMut(&Line<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut give = |e: &Entry, gap: &mut bool, any: &mut bool| {
            let line = Line {
                time: e.time,
                path: &reads[e.file].reading.source.shown,
                line: e.line,
                text: &e.text,
                wanted: e.wanted,
                // Without neighbours every line stands for itself.
                gap: std::mem::take(gap) && *any && context > 0,
            };
            *any = true;
            out(&line)
        };
        if entry.wanted {
            for e in self.before.drain(..) {
                give(&e, &mut self.gap, &mut self.any)?;
            }
            self.after = context;
            give(&entry, &mut self.gap, &mut self.any)
        } else if self.after > 0 {
            self.after -= 1;
            give(&entry, &mut self.gap, &mut self.any)
        } else {
            self.before.push_back(entry);
            if self.before.len() > context {
                self.before.pop_front();
                self.gap = true;
            }
            Ok(())
        }
    }
}
