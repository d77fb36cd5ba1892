//! The hour that comes twice when clocks go back: from which byte of a file on its stamps are of the second time.

use super::{CLOSE, Sighting, ZonePlan, by_key};
use crate::time::{Second, Window};

/// Stamps this far out of order are still in order: workers share no lock on the file, and a record that took long to
/// write is behind others.
const DISORDER: i64 = 60;

/// An hour, or half of one, of local time that comes twice.
pub(super) struct Repeated {
    /// By the clock on the wall.
    pub hour: Window,
    /// The offset in minutes when it comes first, and the one after.
    pub old: i16,
    new: i16,
}

impl ZonePlan {
    /// What repeats at the step `at`, if clocks go back there.
    pub(super) fn repeated(&self, at: usize) -> Option<Repeated> {
        let (&(_, old), &(from, new)) = (self.steps.get(at.checked_sub(1)?)?, self.steps.get(at)?);
        let length = i64::from(old) - i64::from(new);
        let hour = Window { start: from, end: from.saturating_add(length * 60) };
        (length > 0).then_some(Repeated { hour, old, new })
    }

    /// Whether stamps between two local times may be of an hour that comes twice.
    pub fn repeats(&self, first: Second, last: Second) -> bool {
        (0..self.steps.len())
            .filter_map(|at| self.repeated(at))
            .any(|r| first < r.hour.end && r.hour.start <= last)
    }

    /// The local times that the stamps of a window of UTC can have: at a step back they are not in order.
    pub fn local_window(&self, window: Window) -> Window {
        let mut out = Window { start: self.local(window.start), end: self.local(window.end) };
        for r in (0..self.steps.len()).filter_map(|at| self.repeated(at)) {
            let change = r.hour.start.saturating_sub(i64::from(r.new) * 60);
            if window.start < change && change < window.end {
                out.start = out.start.min(r.hour.start);
                out.end = out.end.max(r.hour.end);
            }
        }
        Window { end: out.end.max(out.start), ..out }
    }

    /// Finds out where the second time of each repeated hour begins, from stamps of the file and their bytes, in the order
    /// of the bytes: it is where the clock falls back. Where it does not, for nothing was written in one of the two, the
    /// failures that both logs saw tell which of them it was.
    pub fn repeat(&mut self, stamps: &[(u64, Second)], access: &[Sighting], error: &[Sighting]) {
        for at in 0..self.steps.len() {
            let Some(r) = self.repeated(at) else { continue };
            // What stands at the edges of the hour shows a fall as well as what is in it.
            let length = r.hour.end - r.hour.start;
            let near = (r.hour.start.saturating_sub(length), r.hour.end.saturating_add(length));
            let mut latest = Second::MIN;
            let mut inside = None;
            let mut fell = None;
            for &(byte, local) in stamps.iter().filter(|s| near.0 <= s.1 && s.1 < near.1) {
                if r.hour.contains(local) {
                    inside.get_or_insert(byte);
                    if local < latest.saturating_sub(DISORDER) {
                        fell = Some(byte);
                        break;
                    }
                }
                latest = latest.max(local);
            }
            let alone = || inside.filter(|_| r.is_second(access, error));
            if let Some(byte) = fell.or_else(alone) {
                self.repeated_from.insert(at, byte);
            }
        }
    }
}

impl Repeated {
    /// Whether the failures of this hour that both logs saw are those of its second time.
    fn is_second(&self, access: &[Sighting], error: &[Sighting]) -> bool {
        let (access, error) = (by_key(access), by_key(error));
        let pairs = |offset: i16| -> usize {
            let inside = |locals: &[Second]| {
                locals.iter().copied().filter(|l| self.hour.contains(*l)).collect::<Vec<_>>()
            };
            let met = |key: &u64, local: Second| {
                let utc = local.saturating_sub(i64::from(offset) * 60);
                access
                    .get(key)
                    .is_some_and(|times| times.iter().any(|t| CLOSE.contains(&utc.saturating_sub(*t))))
            };
            error
                .iter()
                .map(|(key, locals)| inside(locals).into_iter().filter(|l| met(key, *l)).count())
                .sum()
        };
        pairs(self.new) > pairs(self.old)
    }
}
