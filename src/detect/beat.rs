//! The beat of a log: requests that come by the clock set an end to every pause.
//!
//! Where a health check comes every ten seconds, no pause is longer than that, however few the users. Visits by chance
//! would have some: their pauses fall off as `e^-rc` (`r` visits a second, pauses of `c` seconds). Where many are
//! expected above the longest ordinary pause and none is there, something keeps the time, and each beat it misses is
//! evidence of its own, of a silence that the mean rate could not prove.

/// Pauses above the ordinary ones that may be silences themselves: so many, and one more for each two days.
const SILENCES: usize = 3;
const DAYS_A_SILENCE: f64 = 2.0;
/// Pauses that chance would have put above the longest ordinary one, and so many more for each silence.
const MISSING: f64 = 12.0;
const PER_SILENCE: f64 = 6.0;
/// Beats that have to be missed. Fewer are missed where what asks is started anew,
const MISSED: i64 = 5;
/// so fewer tell only with some evidence, in nats, that others stayed away too.
const MISSED_BY_OTHERS: (i64, f64) = (4, 10.0);
/// Pauses are told apart up to this many seconds; what comes less often keeps no time.
const LONGEST: usize = 900;

/// Pauses by length.
pub(super) struct Pauses {
    /// Those of each number of empty seconds, up to [`LONGEST`].
    counts: Vec<u32>,
    /// Longer ones.
    longer: usize,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; LONGEST + 1], longer: 0 }
    }

    /// Counts a pause of so many empty seconds.
    pub(super) fn add(&mut self, seconds: i64) {
        match usize::try_from(seconds).ok().and_then(|s| self.counts.get_mut(s)) {
            Some(n) => *n = n.saturating_add(1),
            None => self.longer += 1,
        }
    }

    /// What keeps the time in a log of `busy` seconds with lines out of `covered`.
    pub(super) fn beat(&self, busy: u64, covered: f64) -> Option<Beat> {
        let share = busy as f64 / covered.max(1.0);
        if !(share > 0.0 && share < 0.95) {
            return None;
        }
        let rate = -(1.0 - share).ln();
        let most = SILENCES + (covered / 86_400.0 / DAYS_A_SILENCE) as usize;
        let mut above = self.longer;
        for (seconds, &n) in self.counts.iter().enumerate().rev() {
            if above > most {
                return None;
            }
            let by_chance = busy as f64 * (-rate * (seconds + 1) as f64).exp();
            if n > 0 && by_chance >= MISSING + PER_SILENCE * above as f64 {
                return Some(Beat { every: seconds as i64 + 1, beats: covered / (seconds + 1) as f64 });
            }
            above += n as usize;
        }
        None
    }
}

/// A log in which no ordinary pause is longer than `every` seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Beat {
    /// Seconds from one request to the next at most.
    pub(super) every: i64,
    /// How many times the log holds that.
    beats: f64,
}

impl Beat {
    /// The evidence, in nats, that a pause of so many empty seconds is no chance: that one beat is missed happens less
    /// than once in a log, or the pause that missed it would be an ordinary one. 0 where too few are missed.
    /// `by_chance` is the evidence of the mean rate.
    pub(super) fn nats(self, seconds: i64, by_chance: f64) -> f64 {
        let missed = (seconds + 1) / self.every - 1;
        let (few, others) = MISSED_BY_OTHERS;
        if missed < if by_chance < others { MISSED } else { few } {
            return 0.0;
        }
        missed as f64 * self.beats.max(1.0).ln()
    }

    /// The rate of visits that leaves half a beat to wait on both sides of a silence.
    pub(super) fn rate(self) -> f64 {
        2.0 * std::f64::consts::LN_2 / self.every as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(of: &[(i64, u32)]) -> Pauses {
        let mut all = Pauses::new();
        for &(seconds, n) in of {
            (0..n).for_each(|_| all.add(seconds));
        }
        all
    }

    #[test]
    fn a_check_every_ten_seconds_is_a_beat() {
        let beat = pauses(&[(9, 8600), (8, 20), (69, 1)]).beat(8622, 86_400.0).expect("a beat");
        assert_eq!(beat.every, 10);
        assert!(beat.nats(69, 5.0) > 50.0, "six checks are missing");
        assert!(beat.nats(39, 3.0) == 0.0, "three may be a monitor started anew");
        assert!(beat.nats(49, 11.0) > 25.0, "the users stayed away too");
    }

    #[test]
    fn chance_has_none() {
        // The pauses of 8,640 visits by chance in a day: each second more a tenth less of them.
        let chance: Vec<(i64, u32)> =
            (0..120).map(|s| (s, (8640.0 * 0.1 * 0.9f64.powi(s as i32)).round() as u32)).collect();
        assert_eq!(pauses(&chance).beat(8640, 86_400.0), None);
    }

    #[test]
    fn a_log_of_samples_has_none() {
        // Five minutes of each hour are logged.
        assert_eq!(pauses(&[(0, 7000), (3300, 23)]).beat(7200, 86_400.0), None);
    }

    #[test]
    fn a_busy_log_needs_none() {
        assert_eq!(pauses(&[(2, 100)]).beat(86_000, 86_400.0), None);
    }
}
