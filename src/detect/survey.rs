//! One walk over the counts of an access log for all looks at lines that do not come: the steps of its failures and,
//! bin by bin, its lines and busy seconds.

use super::steps::{Excused, Steps, each_excused};
use super::{Fold, Tick, Ticks};
use crate::time::{Second, Window};
use crate::timeline::Run;

/// Bins a log is cut into at most: half a megabyte, and ten seconds each up to a week. Work on bins grows with their
/// number, so a long log gets longer ones; what is lost by that in short dips was not measured.
const BINS: i64 = 1 << 16;

/// Lines and busy seconds of a bin.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bin {
    pub lines: u32,
    pub busy: u32,
}

/// One pass over the log: the folded failures and the bins.
#[derive(Debug)]
pub(crate) struct Survey {
    pub steps: Steps,
    pub bins: Vec<Bin>,
    /// Seconds a bin is long.
    pub width: i64,
    pub span: Window,
    /// Busy seconds in all.
    pub busy: u64,
    pub lines: u64,
}

impl Survey {
    pub(crate) fn bin(&self, second: Second) -> usize {
        usize::try_from(second.saturating_sub(self.span.start) / self.width)
            .unwrap_or(0)
            .min(self.bins.len().saturating_sub(1))
    }

    /// The bins, `by` of them in one.
    pub(crate) fn coarser(&self, by: usize) -> Vec<Bin> {
        let add = |a: Bin, b: &Bin| Bin {
            lines: a.lines.saturating_add(b.lines),
            busy: a.busy.saturating_add(b.busy),
        };
        self.bins.chunks(by.max(1)).map(|c| c.iter().fold(Bin::default(), add)).collect()
    }
}

/// Walks through the log once. `None` for a log without ticks.
pub(crate) fn survey<T: Ticks>(ticks: &T, excused: Excused<'_>) -> Option<Survey> {
    let span = ticks.span().filter(|s| s.start < s.end)?;
    let seconds = span.end.saturating_sub(span.start);
    let width = (seconds / BINS + 1).max(10);
    let mut survey = Surveying {
        steps: Steps::new(span),
        bins: vec![Bin::default(); usize::try_from(seconds / width + 1).unwrap_or(1)],
        width,
        start: span.start,
        bin: Bin::default(),
        bin_end: span.start.saturating_add(width),
        at: 0,
        busy: 0,
        lines: 0,
    };
    if excused.seconds.is_empty() {
        ticks.each_run(Window::ALL, &mut survey);
    } else {
        each_excused(ticks, excused, Window::ALL, |t| survey.tick(t));
    }
    let Surveying { mut steps, mut bins, bin, at, busy, lines, .. } = survey;
    store(&mut bins, at, bin, 0, (span.start, width));
    steps.close();
    steps.busy = busy;
    Some(Survey { steps, bins, width, span, busy, lines })
}

/// A survey being made. The sums of the bin at hand stand apart: it sees every busy second of the log.
struct Surveying {
    steps: Steps,
    bins: Vec<Bin>,
    width: i64,
    start: Second,
    bin: Bin,
    bin_end: Second,
    at: usize,
    busy: u64,
    lines: u64,
}

impl Fold for Surveying {
    #[inline]
    fn until(&self) -> Second {
        self.steps.until().min(self.bin_end)
    }

    #[inline]
    fn run(&mut self, run: Run) {
        self.steps.push_run(run);
        self.bin.lines = self.bin.lines.saturating_add(run.lines[0]);
        self.bin.busy += run.busy;
        self.busy += u64::from(run.busy);
        self.lines += u64::from(run.lines[0]);
    }

    #[inline]
    fn tick(&mut self, t: Tick) {
        self.steps.push(t.second, t.good, t.failed);
        if t.second >= self.bin_end {
            let next = t.second.saturating_sub(self.start) / self.width;
            (self.at, self.bin_end) =
                store(&mut self.bins, self.at, self.bin, next, (self.start, self.width));
            self.bin = Bin::default();
        }
        let here = t.good.saturating_add(t.neutral).saturating_add(t.failed);
        self.bin.lines = self.bin.lines.saturating_add(here);
        self.bin.busy += 1;
        self.busy += 1;
        self.lines += u64::from(here);
    }
}

/// Adds a finished bin; gives the place of the next and the second it ends before.
#[inline(never)]
fn store(
    bins: &mut [Bin],
    at: usize,
    done: Bin,
    next: i64,
    (start, width): (Second, i64),
) -> (usize, Second) {
    let last = bins.len().saturating_sub(1);
    if let Some(bin) = bins.get_mut(at) {
        bin.lines = bin.lines.saturating_add(done.lines);
        bin.busy = bin.busy.saturating_add(done.busy);
    }
    let next = usize::try_from(next).unwrap_or(0).min(last);
    (next, start.saturating_add((next as i64 + 1).saturating_mul(width)))
}
