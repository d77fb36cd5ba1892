//! The offset at which two logs speak of the same times, where no request is known to be in both: the access log's
//! clock is UTC (`$msec`) and its format tells too little of a request to be found again.

use super::{AROUND, CLOSE, OFFSETS, QUARTER};
use crate::time::{Second, Window};

/// An error log with this room inside the access log's time fits there by chance once in four times: so much of a quarter
/// of an hour it is.
const BY_CHANCE: i64 = QUARTER / 4;
/// So many seconds with records tell a pattern.
const PATTERN: usize = 5;
/// Seconds that are compared at most.
const MOST: usize = 4096;
/// So much of both logs' failing seconds falls together at the one offset that is believed, and
const TOGETHER: f64 = 0.7;
/// no more than this at any other.
const ELSEWHERE: f64 = 0.35;

/// When the logs of a host speak: the access logs in UTC, the error logs in their own clock.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// From the first to the last request, and from the first to the last record.
    pub spans: Option<(Window, Window)>,
    /// Seconds in which requests failed, in order.
    pub failing: Vec<Second>,
    /// Seconds with records, in order.
    pub records: Vec<Second>,
}

impl Times {
    /// The offset in minutes, and how it was found.
    pub(super) fn offset(&self) -> Option<(i16, &'static str)> {
        let failing = || {
            Some((self.by_failing()?, "the one offset at which requests failed when the error log speaks"))
        };
        let span = || Some((self.by_span()?, "the one offset at which both logs speak of the same time"));
        let (offset, how) = failing().or_else(span)?;
        Some((i16::try_from(offset).ok()?, how))
    }

    /// The offset at which the records stand in the seconds in which requests failed, and nearly all of these have records:
    /// bursts of equal length at another quarter of an hour fall together to a few seconds once in a hundred and eighty.
    fn by_failing(&self) -> Option<i64> {
        if !(PATTERN..=MOST).contains(&self.records.len()) {
            return None;
        }
        let mut best: [(f64, i64); 2] = [(0.0, 0); 2];
        for offset in offsets() {
            let share = (self.together(offset), offset);
            match best {
                [first, _] if share.0 > first.0 => best = [share, first],
                [_, second] if share.0 > second.0 => best[1] = share,
                _ => {}
            }
        }
        let [(share, offset), (second, _)] = best;
        (share >= TOGETHER && second <= ELSEWHERE).then_some(offset)
    }

    /// Which share of the seconds with records, and of those with failed requests around them, have one of the other kind
    /// beside them.
    fn together(&self, offset: i64) -> f64 {
        let utc = |local: &Second| local.saturating_sub(offset * 60);
        let (Some(first), Some(last)) = (self.records.first(), self.records.last()) else { return 0.0 };
        let from = self.failing.partition_point(|s| *s < utc(first).saturating_sub(AROUND));
        let to = self.failing.partition_point(|s| *s <= utc(last).saturating_add(AROUND));
        let near = &self.failing[from..to];
        if near.len() < PATTERN || near.len() > MOST {
            return 0.0;
        }
        let beside = |sorted: &[Second], from: Second, to: Second| {
            sorted.get(sorted.partition_point(|s| *s < from)).is_some_and(|s| *s <= to)
        };
        let (early, late) = (*CLOSE.start(), *CLOSE.end());
        let told = self.records.iter().map(utc).filter(|s| beside(near, s + early, s + late)).count();
        let failed = near.iter().map(|s| s.saturating_add(offset * 60));
        let failed = failed.filter(|s| beside(&self.records, s + early, s + late)).count();
        (told + failed) as f64 / (self.records.len() + near.len()) as f64
    }

    /// The one offset at which an error log lies inside the time of the access log, if it is one by more than chance: an
    /// error log that is much shorter fits somewhere whatever its zone is, one that is longer nowhere.
    fn by_span(&self) -> Option<i64> {
        let (access, error) = self.spans?;
        let wide =
            Window { start: access.start.saturating_sub(AROUND), end: access.end.saturating_add(AROUND) };
        let length = |w: Window| w.end.saturating_sub(w.start);
        let room = length(wide).saturating_sub(length(error));
        if !(0..=BY_CHANCE).contains(&room) {
            return None;
        }
        let inside = |offset: &i64| {
            wide.start <= error.start.saturating_sub(offset * 60)
                && error.end.saturating_sub(offset * 60) <= wide.end
        };
        offsets().find(inside)
    }
}

/// All offsets there can be, in minutes.
fn offsets() -> impl Iterator<Item = i64> {
    OFFSETS.step_by((QUARTER / 60) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests fail for half a minute, and now and then for one second; the error log speaks of the half minute alone.
    fn times(length: i64, offset: i64, shift: i64) -> Times {
        let outage = 5000..5000 + length;
        let now_and_then = (0..20).map(|n| n * 777);
        let mut failing: Vec<Second> = outage.clone().step_by(2).chain(now_and_then).collect();
        failing.sort_unstable();
        failing.dedup();
        let records = outage.step_by(3).map(|s| s + shift + offset * 60).collect();
        Times { spans: None, failing, records }
    }

    #[test]
    fn a_burst_in_both_logs_tells_the_offset() {
        for offset in [-720, -480, -15, 0, 45, 330, 840] {
            assert_eq!(times(30, offset, 0).offset().map(|o| i64::from(o.0)), Some(offset));
        }
    }

    #[test]
    fn what_fits_badly_or_at_several_tells_nothing() {
        // Beside the burst, as where retries kept the failures from the clients.
        assert_eq!(times(30, 60, 20).offset(), None);
        // So long that it covers itself at the next quarter of an hour.
        assert_eq!(times(4000, 60, 0).offset(), None);
        // Too few records.
        assert_eq!(times(12, 60, 0).offset(), None);
        assert_eq!(Times::default().offset(), None);
    }
}
