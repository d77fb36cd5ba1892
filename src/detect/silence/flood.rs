//! What comes right behind a silence: where nothing was served but clients went on asking, their requests wait in the
//! kernel's queue and are all answered in the first second or two. A pause in which nobody asked has no such crowd
//! behind it, and so the crowd is evidence of its own, beside the length of the pause.

use crate::detect::{Tick, Ticks};
use crate::time::{Second, Window};

/// Seconds behind a silence that are looked at.
const BEHIND: i64 = 2;
/// Busier seconds count as this busy.
const MOST: usize = 4095;

/// How busy the log's seconds are.
pub(super) struct Floods {
    /// Busy seconds with so many lines or more.
    at_least: Vec<u64>,
}

impl Floods {
    /// One more pass over the counts: only a log with a silence in doubt is worth it.
    pub(super) fn of<T: Ticks>(ticks: &T) -> Self {
        let mut at_least = vec![0; MOST + 1];
        ticks.each(Window::ALL, |t| at_least[lines(t)] += 1);
        for n in (0..MOST).rev() {
            at_least[n] += at_least[n + 1];
        }
        Self { at_least }
    }

    /// How seldom a second is as busy as the busiest of those right behind a silence, in nats. The log itself tells:
    /// where clients come in bursts anyway, a burst says nothing.
    pub(super) fn nats<T: Ticks>(&self, ticks: &T, after: Second) -> f64 {
        let mut most = 0;
        let behind = Window { start: after, end: after.saturating_add(BEHIND) };
        ticks.each(behind, |t| most = most.max(lines(t)));
        // One of so many looks at each of the seconds.
        (self.at_least[0] as f64 / (self.at_least[most].max(1) * BEHIND as u64) as f64).ln().max(0.0)
    }
}

fn lines(t: Tick) -> usize {
    let lines = u64::from(t.good) + u64::from(t.neutral) + u64::from(t.failed);
    (lines as usize).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: Second, good: u32) -> Tick {
        Tick { second, good, ..Tick::default() }
    }

    #[test]
    fn a_crowd_is_as_telling_as_it_is_seldom() {
        let ticks: Vec<Tick> =
            (0..400).map(|s| second(s, if s == 300 { 12 } else { 1 + (s % 3) as u32 })).collect();
        let floods = Floods::of(&&ticks[..]);
        let nats = floods.nats(&&ticks[..], 300);
        assert!((nats - 200f64.ln()).abs() < 1e-9, "{nats}");
        // Three lines are what every third second has.
        assert!(floods.nats(&&ticks[..], 200) < 0.5);
        assert!(floods.nats(&&ticks[..], 1000) < 0.1, "nothing behind it");
    }

    #[test]
    fn a_crowd_among_crowds_says_nothing() {
        let ticks: Vec<Tick> = (0..400).map(|s| second(s, if s % 20 == 0 { 30 } else { 1 })).collect();
        assert!(Floods::of(&&ticks[..]).nats(&&ticks[..], 300) < 2.5);
    }
}
