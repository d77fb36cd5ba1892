//! Lines that do not come: empty stretches, judged by the rate on both sides, and dated by nginx's own words if any.
//!
//! The unit is the busy second, not the line: `-ln(1 - busy share)` is the rate of visits, and saturates by itself at
//! about four nats a second, so one busy client cannot make a pause of a second or two look like an outage.

mod came;
mod flood;
mod gaps;
mod proof;
mod rates;

pub(crate) use self::came::leave_out as leave_out_late;
use self::flood::Floods;
use self::gaps::{Candidates, Gap, candidates};
use self::proof::{Proof, proof};
use self::rates::Rates;
use super::anomaly::{Anomaly, Detection, Estimate, Kind, Reason, Remark, SilenceKind};
use super::survey::Survey;
use super::{Options, Signals, Ticks, dip};
use crate::stats::poisson_bounds;
use crate::time::{Second, Window};

const DAY: i64 = 86_400;
/// Gaps near the threshold that are named.
const MAX_REMARKS: usize = 10;

/// Gaps of so many nats are in doubt: told when they prove nothing.
const DOUBTFUL: f64 = 6.0;

/// Below this rate (nats a second) busy seconds bunch in sessions, which the scatter of the lines shows. The tail of the
/// gaps alone did not hold: a simulated log of two-request sessions with a 20 % wobble had a false silence of 44 s.
const SATURATED: f64 = 3.0;

/// Finds what fell silent.
pub(crate) fn find<T: Ticks>(
    ticks: &T,
    survey: &Survey,
    signals: &Signals<'_, T>,
    options: &Options,
    found: &mut Detection,
) {
    let covered_seconds = survey.steps.seconds();
    let rates = Rates::new(survey, covered_seconds);
    let threshold = (survey.busy.max(1) as f64 * options.scopes.max(1) as f64
        / options.false_findings.max(1e-9))
    .ln()
    .max(13.0);
    let Candidates { gaps, tail, mut longest, pauses } = candidates(ticks, survey, &rates, signals);
    let beat = pauses.beat(survey.busy, covered_seconds);
    let (slope, uneven) = (tail.slope(), (-(2.5 * rates.unevenness() - 0.6).max(0.0)).exp());
    let sessions = dip::scatter(&rates.lines, 1.3);
    let mut weak: Vec<Remark> = Vec::new();
    let mut anomalies: Vec<Anomaly> = Vec::new();
    let mut floods = None;
    for gap in gaps {
        let rate = rates.around(gap);
        let slope = if rate < SATURATED { slope.max(sessions) } else { slope };
        let by_chance = gap.seconds() as f64 * rate * uneven / slope;
        let beats = beat.map_or(0.0, |b| b.nats(gap.seconds(), by_chance));
        let mut evidence = by_chance.max(beats);
        let proof =
            if gap.marked { proof(gap, signals, rate * gap.seconds() as f64) } else { Proof::default() };
        if !proof.down
            && (DOUBTFUL..threshold).contains(&evidence)
            && let Some(after) = gap.after
        {
            evidence += floods.get_or_insert_with(|| Floods::of(ticks)).nats(ticks, after);
        }
        let remark = |reason, kind, start: Second, end: Second| Remark {
            kind: Kind::Silence(kind),
            reason,
            start,
            end,
            requests: 0,
            failed: 0,
            usual_share: 0.0,
            evidence_nats: evidence,
        };
        if let Some((from, to)) = proof.quick {
            found.remarks.push(remark(Reason::QuickRestart, SilenceKind::Down, from, to));
        }
        if gap.after.is_none()
            && proof.started.is_none()
            && let Some(stop) = proof.stopped
            && gap.window.end.saturating_sub(stop) < options.least_seconds
        {
            let end = gap.window.end.max(stop.saturating_add(1));
            found.remarks.push(remark(Reason::StoppedAtEnd, SilenceKind::Down, stop, end));
            continue;
        }
        if !proof.down && evidence < threshold {
            longest = longest.max(gap.seconds());
            if evidence >= DOUBTFUL {
                let (from, to) = (gap.window.start, gap.window.end);
                weak.push(remark(Reason::PlausibleSilence, SilenceKind::NoTraffic, from, to));
            }
            continue;
        }
        if !proof.down && habitual(survey, gap.window, rate) {
            let (from, to) = (gap.window.start, gap.window.end);
            found.remarks.push(remark(Reason::Habitual, SilenceKind::NoTraffic, from, to));
            continue;
        }
        // Where the time is kept, the edges are as near as the beats next to them.
        let rate = beat.map_or(rate, |b| rate.max(b.rate()));
        anomalies.push(anomaly(gap, proof, rate, rates.lines_around(gap), evidence, signals, options));
    }
    weak.sort_by(|a, b| b.evidence_nats.total_cmp(&a.evidence_nats).then(a.start.cmp(&b.start)));
    weak.truncate(MAX_REMARKS);
    found.remarks.append(&mut weak);
    for a in &mut anomalies {
        a.longest_ordinary_gap = Some(longest);
        a.dispersion = slope;
    }
    found.anomalies.append(&mut anomalies);
}

/// Whether the same clock time was as quiet on at least half, and two, of the other days or of the same weekdays.
fn habitual(survey: &Survey, gap: Window, rate: f64) -> bool {
    let seconds = gap.end.saturating_sub(gap.start);
    // A gap shorter than two bins cannot be seen in them.
    if seconds < 2 * survey.width {
        return false;
    }
    let quiet = |days: i64| -> Option<bool> {
        let start = gap.start.checked_add(days.checked_mul(DAY)?)?;
        let end = start.checked_add(seconds)?;
        if start < survey.span.start || end > survey.span.end {
            return None;
        }
        let (a, b) = (survey.bin(start) + 1, survey.bin(end));
        let bins = survey.bins.get(a..b)?;
        let busy: u64 = bins.iter().map(|b| u64::from(b.busy)).sum();
        Some(busy as f64 <= 0.1 * rate.min(1.0) * (bins.len() as f64 * survey.width as f64))
    };
    // Days before and after are looked at up to 39 days away; bounded work whatever the length of the log.
    [1, 7].into_iter().any(|step| {
        let (mut all, mut as_quiet) = (0, 0);
        for n in 1..=39 / step {
            for days in [n * step, -n * step] {
                if let Some(q) = quiet(days) {
                    all += 1;
                    as_quiet += i32::from(q);
                }
            }
        }
        all >= 2 && as_quiet >= 2 && 2 * as_quiet >= all
    })
}

fn anomaly<T: Ticks>(
    gap: Gap,
    proof: Proof,
    rate: f64,
    lines: [Option<f64>; 2],
    evidence: f64,
    signals: &Signals<'_, T>,
    options: &Options,
) -> Anomaly {
    let (from, to) = (gap.window.start, gap.window.end);
    let margin = (3.0 / rate.max(1e-6)).min(gap.seconds() as f64) as i64;
    let (mut start, mut end) = (from, to);
    let (mut start_interval, mut end_interval) =
        ((from, from.saturating_add(margin)), (to.saturating_sub(margin), to));
    let mut start_bounds = (from.saturating_sub(1), start_interval.1);
    let mut end_bounds = (end_interval.0, to);
    if proof.down {
        if let Some(s) = proof.stopped {
            // The word is exact; a line of the same second or later was still served.
            start = s.clamp(from.saturating_sub(1), to.saturating_sub(1));
            start_interval = (start, start);
            start_bounds = (start.saturating_sub(1).min(from.saturating_sub(1)), start);
        }
        if let Some(e) = proof.started {
            end = e.clamp(start.saturating_add(1), to.max(start.saturating_add(1)));
            end_interval = (end, end);
            end_bounds = (end.saturating_sub(1), end.max(start.saturating_add(1)));
        }
    } else {
        // Half of the waiting time for a line on each side was still healthy.
        let shift = (std::f64::consts::LN_2 / rate.max(1e-6)).min(gap.seconds() as f64 / 4.0).round() as i64;
        (start, end) = (from.saturating_add(shift), to.saturating_sub(shift));
        end = end.max(start.saturating_add(1));
        (start_interval.1, end_interval.0) = (start_interval.1.max(start), end_interval.0.min(end));
        (start_bounds.1, end_bounds.0) = (start_bounds.1.max(start), end_bounds.0.min(end));
    }
    let (open_start, open_end) = (gap.before.is_none(), gap.after.is_none() && proof.started.is_none());
    if open_start {
        (start, start_bounds, start_interval) = (from, (from, from), (from, start_interval.1));
    }
    if open_end {
        (end_bounds, end_interval) = ((to.saturating_sub(1), to.saturating_sub(1)), (to, to));
    }
    let kind = if proof.down {
        SilenceKind::Down
    } else if witnessed(gap.window, signals.other_activity) >= 0.3 {
        SilenceKind::LoggingStopped
    } else {
        SilenceKind::Unknown
    };
    let length = end.saturating_sub(start) as f64;
    // The two sides bound what would have come; their mean is the best guess.
    let lines = match lines {
        [Some(a), Some(b)] => Some((a.min(b), f64::midpoint(a, b), a.max(b))),
        [a, b] => a.or(b).map(|x| (x, x, x)),
    };
    let expected_requests = lines.map(|(low, mean, high)| Estimate {
        value: mean * length,
        low: poisson_bounds(low * length, 2.0).0,
        high: poisson_bounds(high * length, 2.0).1,
    });
    // What nginx says needs no statistics: proof counts as the threshold at least.
    let evidence_nats =
        if proof.down { evidence.max(-options.false_findings.max(1e-9).ln()) } else { evidence };
    Anomaly {
        start_bounds,
        start_interval,
        end: (!open_end).then_some(end),
        end_bounds,
        end_interval,
        open_start,
        open_end,
        requests: 0,
        failed: 0,
        evidence_nats,
        expected_requests,
        last_good_before: gap.before,
        first_good_after: gap.after,
        stopped_at: proof.stopped,
        started_at: proof.started,
        ..Anomaly::between(
            Kind::Silence(kind),
            Window { start, end: if open_end { to } else { end } },
            (0, 0),
        )
    }
}

/// The share of a gap in which another log tells that requests went on, and five seconds around that. What is told in the
/// second before it or behind it is no witness.
fn witnessed(gap: Window, activity: &[Window]) -> f64 {
    let inner = Window { start: gap.start.saturating_add(1), end: gap.end.saturating_sub(1) };
    let from = activity.partition_point(|w| w.end <= inner.start);
    let inside = activity[from..].iter().take_while(|w| w.start < inner.end);
    let around = |w: &Window| Window { start: w.start.saturating_sub(5), end: w.end.saturating_add(5) };
    active_share(gap, &inside.map(around).collect::<Vec<_>>())
}

/// The share of `window` that lies in `stretches`.
pub(crate) fn active_share(window: Window, stretches: &[Window]) -> f64 {
    let from = stretches.partition_point(|w| w.end <= window.start);
    let inside: i64 = stretches[from..]
        .iter()
        .take_while(|w| w.start < window.end)
        .map(|w| w.end.min(window.end).saturating_sub(w.start.max(window.start)).max(0))
        .sum();
    inside as f64 / window.end.saturating_sub(window.start).max(1) as f64
}
