//! The access counts folded for the automaton: every failing second, and clean stretches as one step each.
//!
//! A second without failures only lowers every failing level, so between two failing seconds the order of the
//! successes does not matter and their sum is enough: the folded list gives the same path as the seconds would.
//! What is kept in memory is therefore bounded by the failing seconds, plus at most [`CELLS`] clean steps, which are
//! cut at fixed cells so that the usual share can be taken block by block.
#![expect(clippy::inline_always, reason = "every failing second of a log is pushed here")]

use super::{Fold, Tick, Ticks};
use crate::ranges::joined;
use crate::time::{Second, Window};
use crate::timeline::Run;
use std::ops::Range;

/// How many cells a log's span is cut into at most.
const CELLS: i64 = 1 << 15;
/// Steps for which there is room from the beginning.
const ROOM: i64 = 1 << 18;

/// One failing second, or a stretch of seconds without failure.
///
/// A log in which most seconds fail has a list of these for each look at it, and memory that is written to for the first time
/// costs more than what is written: 16 bytes, for a stretch has no failures and a failing second no length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Step {
    /// First second that had a line.
    pub first: Second,
    /// Requests that succeeded.
    pub good: u32,
    /// Requests that failed; where none did, the last second that had a line, counted from `first` and below zero.
    more: i32,
}

impl Step {
    fn failing(first: Second, good: u32, failed: u32) -> Self {
        Self { first, good, more: failed.try_into().unwrap_or(i32::MAX) }
    }

    fn clean(first: Second, last: Second, good: u32) -> Self {
        let span = i32::try_from(last.saturating_sub(first)).unwrap_or(i32::MAX);
        Self { first, good, more: -span }
    }

    /// Requests that failed.
    #[inline(always)]
    pub(crate) fn failed(self) -> u32 {
        self.more.max(0).cast_unsigned()
    }

    /// The last second that had a line, counted from the first.
    #[inline]
    pub(crate) fn span(self) -> u32 {
        self.more.min(0).unsigned_abs()
    }

    #[inline]
    pub(crate) fn last(self) -> Second {
        self.first.saturating_add(i64::from(self.span()))
    }

    #[inline]
    pub(crate) fn requests(self) -> f64 {
        f64::from(self.good) + f64::from(self.failed())
    }
}

/// The folded log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    pub list: Vec<Step>,
    /// First second of the log.
    pub origin: Second,
    /// First second after it.
    pub end: Second,
    pub good: u64,
    pub failed: u64,
    pub failing_seconds: u64,
    /// Seconds with a line, of which failing ones are a part.
    pub busy: u64,
    /// Those that say nothing of what is usual, in order: see [`Steps::set_apart`].
    pub unusual: Vec<Range<usize>>,
    cell: i64,
    cell_end: Second,
    open: Step,
    open_last: Second,
    /// The last second of the last step.
    reached: Second,
}

impl Steps {
    pub(crate) fn new(span: Window) -> Self {
        let seconds = span.end.saturating_sub(span.start).max(1);
        let cell = (seconds / CELLS).max((seconds / 64).clamp(1, 60));
        Self {
            // Memory that is not written to costs nothing; a list that grows beside others is copied again and again.
            list: Vec::with_capacity(seconds.clamp(0, ROOM) as usize),
            origin: span.start,
            end: span.start.saturating_add(seconds),
            cell,
            cell_end: Second::MIN,
            reached: Second::MIN,
            ..Self::default()
        }
    }

    /// The fold of all seconds of `span`.
    pub(crate) fn of<T: Ticks>(ticks: &T, span: Window) -> Self {
        let mut steps = Self::new(span);
        ticks.each_run(span, &mut steps);
        steps.close();
        steps
    }

    /// Length of the log in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.end.saturating_sub(self.origin).max(1) as f64
    }

    /// Adds the counts of a second. Seconds must not go back; one that does is counted at the latest second seen.
    /// [`Steps::close`] must follow the last.
    #[inline]
    pub(crate) fn push(&mut self, second: Second, good: u32, failed: u32) {
        if failed == 0 {
            // The open stretch lies in fields of its own: this is the way of nearly every second.
            let sum = self.open.good.checked_add(good);
            if let Some(sum) = sum
                && second < self.cell_end
                && self.open.good > 0
            {
                self.open.good = sum;
                self.open_last = self.open_last.max(second);
                return;
            }
        }
        self.push_other(second, good, failed);
    }

    /// The same, compiled for a series in which most seconds fail.
    #[inline]
    pub(crate) fn push_failing(&mut self, second: Second, good: u32, failed: u32) {
        if failed == 0 {
            return self.push(second, good, failed);
        }
        if self.open.good > 0 {
            self.close();
        }
        self.add_failing(second, good, failed);
    }

    #[inline(always)]
    fn add_failing(&mut self, second: Second, good: u32, failed: u32) {
        self.good += u64::from(good);
        self.failed += u64::from(failed);
        self.failing_seconds += 1;
        self.reached = second.max(self.reached);
        self.list.push(Step::failing(self.reached, good, failed));
    }

    /// Before which second a run must end to be added as one.
    #[inline]
    pub(crate) fn until(&self) -> Second {
        if self.open.good > 0 { self.cell_end } else { Second::MIN }
    }

    /// Adds a run of clean seconds, which ends before [`Self::until`].
    #[inline]
    pub(crate) fn push_run(&mut self, run: Run) {
        if let Some(sum) = self.open.good.checked_add(run.lines[0]) {
            self.open.good = sum;
        } else {
            self.push_other(run.first, run.lines[0], 0);
        }
        self.open_last = self.open_last.max(run.last);
    }

    #[inline(never)]
    fn push_other(&mut self, second: Second, good: u32, failed: u32) {
        if good == 0 && failed == 0 {
            return;
        }
        self.close();
        if failed == 0 {
            self.open(second, good);
            return;
        }
        self.add_failing(second, good, failed);
    }

    fn open(&mut self, second: Second, good: u32) {
        let first = second.max(self.reached);
        (self.open, self.open_last) = (Step::clean(first, first, good), first);
        if second >= self.cell_end {
            let into = second.saturating_sub(self.origin);
            self.cell_end = self.origin.saturating_add((into / self.cell + 1).saturating_mul(self.cell));
        }
    }

    /// Ends the clean stretch at hand.
    pub(crate) fn close(&mut self) {
        if self.open.good > 0 {
            self.good += u64::from(self.open.good);
            let step = Step::clean(self.open.first, self.open_last, self.open.good);
            self.list.push(step);
            self.reached = step.last();
            self.open.good = 0;
        }
    }

    /// Adds one success for each second of `from..to`, cell by cell.
    pub(crate) fn push_clean(&mut self, from: Second, to: Second) {
        self.close();
        let mut at = from;
        while at < to {
            let into = at.saturating_sub(self.origin).max(0);
            let cell_end = self.origin.saturating_add((into / self.cell + 1).saturating_mul(self.cell));
            // Only stamps billions of years apart could fill a step or stop the cells from advancing.
            let end = if cell_end > at { to.min(cell_end) } else { to };
            let seconds = u32::try_from(end.saturating_sub(at)).unwrap_or(u32::MAX);
            self.good += u64::from(seconds);
            let step = Step::clean(at, at.saturating_add(i64::from(seconds - 1)), seconds);
            self.list.push(step);
            self.reached = step.last();
            at = end;
        }
    }

    /// Leaves `windows`, which stand in order, out of what is usual, where at least a quarter of the log's time is left to
    /// tell it.
    pub(crate) fn set_apart(&mut self, windows: &[Window]) {
        let mut runs: Vec<Range<usize>> = windows.iter().map(|w| self.at(w.start)..self.at(w.end)).collect();
        runs.retain(|r| r.start < r.end);
        let runs = joined(runs);
        let seconds =
            |r: &Range<usize>| self.list[r.clone()].iter().map(|s| f64::from(s.span())).sum::<f64>();
        if runs.iter().map(seconds).sum::<f64>() <= 0.75 * self.seconds() {
            self.unusual = runs;
        }
    }

    /// Index of the first step that ends at or after `second`.
    pub(crate) fn at(&self, second: Second) -> usize {
        self.list.partition_point(|s| s.last() < second)
    }
}

impl Fold for Steps {
    #[inline]
    fn until(&self) -> Second {
        Self::until(self)
    }

    #[inline]
    fn run(&mut self, run: Run) {
        self.busy += u64::from(run.busy);
        self.push_run(run);
    }

    #[inline]
    fn tick(&mut self, tick: Tick) {
        self.busy += 1;
        self.push(tick.second, tick.good, tick.failed);
    }
}

/// Per-second counts of failures that the error log explains as a limit set by configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Excused<'a> {
    pub seconds: &'a [(Second, u32)],
}

/// Reads the ticks of `window` with the excused failures taken out (they become neutral). An excuse not used up in its
/// second serves the next two: the two logs are written by different calls and a second may turn between them.
pub(crate) fn each_excused<T: Ticks>(
    ticks: &T,
    excused: Excused<'_>,
    window: Window,
    mut visit: impl FnMut(Tick),
) {
    if excused.seconds.is_empty() {
        ticks.each(window, visit);
        return;
    }
    let from = window.start.saturating_sub(2);
    let mut next = excused.seconds.partition_point(|&(s, _)| s < from);
    let mut pool: [(Second, u32); 3] = [(Second::MIN, 0); 3];
    ticks.each(window, |mut tick| {
        while let Some(&(second, count)) = excused.seconds.get(next)
            && second <= tick.second.saturating_add(1)
        {
            pool.rotate_left(1);
            pool[2] = (second, count);
            next += 1;
        }
        if tick.failed > 0 {
            for (second, left) in &mut pool {
                if tick.second.saturating_sub(*second) <= 2 {
                    let used = (*left).min(tick.failed);
                    *left -= used;
                    tick.failed -= used;
                    tick.neutral = tick.neutral.saturating_add(used);
                }
            }
        }
        visit(tick);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_seconds_fold_and_nothing_is_lost() {
        let mut steps = Steps::new(Window { start: 0, end: 6400 });
        for t in 0..6400 {
            steps.push(t, 2, u32::from(t == 3000 || t == 3001));
        }
        steps.close();
        assert_eq!((steps.good, steps.failed, steps.failing_seconds), (12_800, 2, 2));
        assert!(steps.list.len() < 120, "{}", steps.list.len());
        assert_eq!(steps.list.iter().map(|s| u64::from(s.good)).sum::<u64>(), 12_800);
        assert!(steps.list.windows(2).all(|w| w[0].last() < w[1].first));
    }

    #[test]
    fn extreme_seconds_do_not_panic() {
        let mut steps = Steps::new(Window { start: i64::MIN, end: i64::MAX });
        for t in [i64::MIN, -1, 0, i64::MAX - 1, 5] {
            steps.push(t, u32::MAX, 0);
            steps.push(t, 0, u32::MAX);
        }
        steps.close();
        assert!(steps.at(i64::MAX) <= steps.list.len());
    }

    #[test]
    fn excuses_take_failures_out() {
        let ticks: &[Tick] = &[
            Tick { second: 10, good: 5, neutral: 0, failed: 4 },
            Tick { second: 11, good: 5, neutral: 0, failed: 1 },
            Tick { second: 20, good: 5, neutral: 0, failed: 2 },
        ];
        let mut left = Vec::new();
        each_excused(&ticks, Excused { seconds: &[(10, 5)] }, Window::ALL, |t| {
            left.push((t.failed, t.neutral));
        });
        assert_eq!(left, [(0, 4), (0, 1), (2, 0)]);
    }
}
