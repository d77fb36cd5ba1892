//! The second pass: every stretch without a line, and how long the ordinary ones are.

use super::rates::Rates;
use crate::detect::beat::Pauses;
use crate::detect::survey::Survey;
use crate::detect::{Fold, Signals, Tick, Ticks, errors};
use crate::time::{Second, Window};
use crate::timeline::Run;

/// Gaps that are looked at closely at most; only a hostile log has more.
const MAX_CANDIDATES: usize = 50_000;

/// A stretch without a line, between two that have one; an open side has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    pub(super) before: Option<Second>,
    pub(super) after: Option<Second>,
    /// The part of it that the files can speak for.
    pub(super) window: Window,
    /// One of nginx's words about stopping or starting lies in it or at its edge.
    pub(super) marked: bool,
}

impl Gap {
    pub(super) fn seconds(self) -> i64 {
        self.window.end.saturating_sub(self.window.start)
    }
}

/// The histogram of what ordinary gaps weigh, for their tail.
pub(super) struct Tail {
    cells: [u64; 400],
    all: u64,
}

impl Tail {
    fn add(&mut self, nats: f64) {
        self.cells[((nats * 20.0) as usize).min(399)] += 1;
        self.all += 1;
    }

    fn quantile(&self, q: f64) -> f64 {
        let want = (self.all as f64 * q).ceil() as u64;
        let mut sum = 0;
        self.cells
            .iter()
            .position(|c| {
                sum += c;
                sum >= want
            })
            .map_or(0.0, |i| (i as f64 + 0.5) / 20.0)
    }

    /// Ordinary gaps of a Poisson stream fall off as `e^-u`; a heavier tail divides the evidence.
    pub(super) fn slope(&self) -> f64 {
        if self.all < 200 { 1.3 } else { ((self.quantile(0.99) - self.quantile(0.5)) / 50f64.ln()).max(1.3) }
    }
}

/// What the second pass finds.
pub(super) struct Candidates {
    /// Every gap that may be a silence.
    pub(super) gaps: Vec<Gap>,
    /// The tail of all.
    pub(super) tail: Tail,
    /// The longest that is none, in seconds.
    pub(super) longest: i64,
    /// All that are long enough to be told apart.
    pub(super) pauses: Pauses,
}

/// The second pass over the counts.
pub(super) fn candidates<T: Ticks>(
    ticks: &T,
    survey: &Survey,
    rates: &Rates,
    signals: &Signals<'_, T>,
) -> Candidates {
    let mut tail = Tail { cells: [0; 400], all: 0 };
    let (mut gaps, mut pauses) = (Vec::new(), Pauses::new());
    let mut longest = 0;
    let words: Vec<Second> =
        signals.marks.iter().filter(|m| errors::is_about_running(m.kind)).map(|m| m.second).collect();
    let mut word = 0;
    let mut covered = signals.covered;
    let mut look = |before: Option<Second>, after: Option<Second>, bin: usize, from: Second, to: Second| {
        // Gaps come in order.
        while covered.len() > 1 && covered[0].end <= from {
            covered = &covered[1..];
        }
        let Some(window) = clip(Window { start: from, end: to }, covered) else { return };
        while words.get(word).is_some_and(|w| *w < from.saturating_sub(2)) {
            word += 1;
        }
        let marked = words.get(word).is_some_and(|w| *w <= to.saturating_add(1));
        let gap = Gap { before, after, window, marked };
        pauses.add(gap.seconds());
        let nats = gap.seconds() as f64 * rates.before.get(bin).copied().unwrap_or(f64::INFINITY);
        if nats.is_finite() && before.is_some() && after.is_some() {
            tail.add(nats);
        }
        if (marked || nats >= 6.0) && gaps.len() < MAX_CANDIDATES {
            gaps.push(gap);
        } else {
            longest = longest.max(gap.seconds());
        }
    };
    if let Some(first) = signals.covered.first().filter(|w| w.start < survey.span.start) {
        look(None, Some(survey.span.start), usize::MAX, first.start, survey.span.start);
    }
    // At four nats a second shorter gaps prove nothing, and a quiet log has a million of them.
    let least = if words.is_empty() { i64::from(Run::PAUSE) } else { 2 };
    let mut walk = Gaps { rates, least, short: 0, previous: None, bin: 0, bin_end: Second::MIN, look };
    ticks.each_run(Window::ALL, &mut walk);
    let Gaps { bin, short, mut look, .. } = walk;
    let last = survey.span.end.saturating_sub(1);
    if let Some(end) = signals.covered.last().map(|w| w.end).filter(|end| *end > survey.span.end) {
        look(Some(last), None, bin, survey.span.end, end);
    }
    Candidates { gaps, tail, longest: longest.max(short), pauses }
}

/// The walk from gap to gap.
struct Gaps<'a, L> {
    rates: &'a Rates,
    /// Shorter gaps are not looked at.
    least: i64,
    /// The longest of those.
    short: i64,
    previous: Option<Second>,
    bin: usize,
    bin_end: Second,
    look: L,
}

impl<L: FnMut(Option<Second>, Option<Second>, usize, Second, Second)> Gaps<'_, L> {
    /// The gap before the second that comes next.
    #[inline]
    fn before(&mut self, second: Second) {
        if let Some(previous) = self.previous {
            let empty = second.saturating_sub(previous).saturating_sub(1);
            if empty < self.least {
                self.short = self.short.max(empty);
            } else {
                (self.look)(Some(previous), Some(second), self.bin, previous.saturating_add(1), second);
            }
        }
    }
}

impl<L: FnMut(Option<Second>, Option<Second>, usize, Second, Second)> Fold for Gaps<'_, L> {
    const CLOSE: bool = true;

    #[inline]
    fn until(&self) -> Second {
        // The pauses of a run may be longer than what is looked at here.
        if self.least < i64::from(Run::PAUSE) { Second::MIN } else { self.bin_end }
    }

    #[inline]
    fn run(&mut self, run: Run) {
        self.before(run.first);
        self.short = self.short.max(i64::from(run.pause));
        self.previous = Some(run.last);
    }

    #[inline]
    fn tick(&mut self, t: Tick) {
        self.before(t.second);
        self.previous = Some(t.second);
        if t.second >= self.bin_end {
            self.bin = self.rates.bin(t.second);
            self.bin_end =
                self.rates.origin.saturating_add(((self.bin + 1) as f64 * self.rates.width) as i64);
        }
    }
}

/// The longest part of a gap that the files can speak for: `covered` without what ends before the gap.
fn clip(gap: Window, covered: &[Window]) -> Option<Window> {
    if covered.is_empty() {
        return Some(gap);
    }
    // Nearly every gap lies inside one of them, and a quiet log has hundreds of thousands.
    if covered[0].start <= gap.start && gap.end <= covered[0].end {
        return (gap.end.saturating_sub(gap.start) >= 2).then_some(gap);
    }
    covered
        .iter()
        .take_while(|w| w.start < gap.end)
        .map(|w| Window { start: w.start.max(gap.start), end: w.end.min(gap.end) })
        .max_by_key(|w| w.end.saturating_sub(w.start))
        .filter(|w| w.end.saturating_sub(w.start) >= 2)
}
