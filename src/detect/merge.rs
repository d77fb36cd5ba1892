//! One outage is one anomaly: what touches is joined, and keeps its parts as phases.

use super::anomaly::{Anomaly, Detection, ErrorStretch, Estimate, Kind, Reason, Remark, SilenceKind};
use super::slow;
use crate::time::{Second, Window};

/// The healthy pause between two parts of one outage: half the longer part, within these.
const PAUSE: (i64, i64) = (60, 1800);
/// A lead of late answers begins at least so many seconds before the failing, and ends no longer before it.
const LEAD: i64 = 5;
/// Remarks kept, the strongest first.
const MAX_REMARKS: usize = 200;

/// Joins what belongs together and puts all in time order. What is still in doubt is let go.
pub(crate) fn merge(found: &mut Detection) {
    let (errors, mut seen): (Vec<_>, Vec<_>) =
        std::mem::take(&mut found.anomalies).into_iter().partition(|a| a.kind == Kind::ErrorsOnly);
    settle_dips(&mut seen);
    settle_slow(&mut seen);
    let mut anomalies = join(seen, longest_between);
    let mut alone = Vec::new();
    let late = anomalies.iter().map(|a| a.logged().end.saturating_sub(a.end_or_last())).max().unwrap_or(0);
    for e in join(errors, longest_between) {
        if let Some(host) = host(&mut anomalies, &e, late.max(0)) {
            absorb(host, &e);
        } else {
            alone.push(e);
        }
    }
    anomalies.append(&mut alone);
    // An errors-only stretch can have widened a silence until it meets the next.
    found.anomalies = join(anomalies, |a, b| longest_between(a, b).min(PAUSE.0));
    for a in found.doubtful.drain(..) {
        found.remarks.push(Remark {
            kind: a.kind,
            reason: Reason::TooLittle,
            start: a.start,
            end: a.end_or_last(),
            requests: a.requests,
            failed: a.failed,
            usual_share: a.usual_share,
            evidence_nats: a.evidence_nats,
        });
    }
    // What the access log tells the error log need not tell again.
    let mut blips: Vec<Window> = found
        .remarks
        .iter()
        .filter(|r| r.kind == Kind::Failing && r.reason == Reason::Blip)
        .map(|r| Window { start: r.start, end: r.end })
        .collect();
    blips.sort_by_key(|b| b.start);
    found.remarks.retain(|r| {
        let at = blips.partition_point(|b| b.end < r.start);
        r.kind != Kind::ErrorsOnly || blips.get(at).is_none_or(|b| b.start > r.end)
    });
    let all = &found.anomalies;
    found.remarks.retain(|r| {
        let at = all.partition_point(|a| a.end_or_last() <= r.start);
        all.get(at).is_none_or(|a| a.start >= r.end) || r.reason == Reason::QuickRestart
    });
    let remarks = &mut found.remarks;
    if remarks.len() > MAX_REMARKS {
        remarks.sort_by(|a, b| b.evidence_nats.total_cmp(&a.evidence_nats).then(a.start.cmp(&b.start)));
        remarks.truncate(MAX_REMARKS);
    }
    remarks.sort_by_key(|r| (r.start, r.end));
}

/// Joins failing stretches with each other alone.
pub(crate) fn join_failing(found: &mut Detection) {
    let (failing, mut others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut found.anomalies).into_iter().partition(|a| a.kind == Kind::Failing);
    others.extend(join(failing, longest_between));
    found.anomalies = others;
}

fn overlap(a: &Anomaly, b: &Anomaly) -> i64 {
    a.end_or_last().min(b.end_or_last()).saturating_sub(a.start.max(b.start))
}

fn shared(a: Window, b: Window) -> i64 {
    a.end.min(b.end).saturating_sub(a.start.max(b.start))
}

fn length(a: &Anomaly) -> i64 {
    a.end_or_last().saturating_sub(a.start).max(1)
}

/// Findings before a dip that are looked at.
const NEAR: usize = 8;
/// Users are slow to come back for so many times as long as requests failed.
const SLOW_TO_RETURN: i64 = 2;

/// Whether a dip is what users do who met failures: they leave, and are slow to come back. It begins while requests fail,
/// and what it leaves is answered well again.
fn is_aftermath(dip: &Anomaly, failing: &Anomaly) -> bool {
    let left = dip.end_or_last().saturating_sub(failing.end_or_last());
    failing.kind == Kind::Failing
        && dip.start <= failing.end_or_last()
        && left <= length(failing).saturating_mul(SLOW_TO_RETURN)
}

/// A dip and sharper findings in it: where failing requests, nginx's own words or one or two empty stretches fill it, they
/// date it better and the dip goes. Many empty stretches with lines between them are what is left of the traffic, probes
/// for the most part: then the dip is the finding, and they go.
fn settle_dips(all: &mut Vec<Anomaly>) {
    let dip = |a: &Anomaly| a.kind == Kind::Silence(SilenceKind::Dip);
    let (dips, mut sharp): (Vec<_>, Vec<_>) = std::mem::take(all).into_iter().partition(dip);
    sharp.sort_by_key(|a| a.start);
    let mut gone = vec![false; sharp.len()];
    for d in dips {
        let (start, end) = (d.start, d.end_or_last());
        let before = sharp.partition_point(|a| a.start <= start.saturating_add(LEAD));
        if sharp[..before].iter().rev().take(NEAR).any(|a| is_aftermath(&d, a)) {
            continue;
        }
        let from = sharp.partition_point(|a| a.start < start.saturating_sub(length(&d)));
        let inside = || sharp.iter().enumerate().skip(from).take_while(move |(_, a)| a.start < end);
        let plain = |a: &Anomaly| a.kind == Kind::Silence(SilenceKind::Unknown) && overlap(a, &d) > 0;
        let proven: i64 = inside().filter(|(_, a)| !plain(a)).map(|(_, a)| overlap(a, &d).max(0)).sum();
        let (empty, pieces) =
            inside().filter(|(_, a)| plain(a)).fold((0, 0), |(sum, n), (_, a)| (sum + overlap(a, &d), n + 1));
        if 10 * proven > 6 * length(&d) || pieces <= 2 && 10 * (proven + empty) > 6 * length(&d) {
            continue;
        }
        if pieces > 2 {
            let gaps: Vec<usize> = inside().filter(|(_, a)| plain(a)).map(|(i, _)| i).collect();
            for i in gaps {
                gone[i] = true;
            }
        }
        all.push(d);
    }
    all.extend(sharp.into_iter().zip(gone).filter(|(_, gone)| !gone).map(|(a, _)| a));
}

/// Answers that are late because requests wait for what fails, or line up again after it, are part of the failing and
/// not news: a slow stretch stays where it lies apart from harder findings. What came right before one, went on where it
/// ended, or lasted long after it, belongs to it, if it was slow enough to disturb people.
fn settle_slow(all: &mut Vec<Anomaly>) {
    let (slow, hard): (Vec<_>, Vec<_>) = std::mem::take(all).into_iter().partition(|a| a.kind == Kind::Slow);
    let stays = |s: &Anomaly| {
        let near = || hard.iter().filter(|h| overlap(h, s) >= -pause(h, s));
        let Some(first) = near().map(|h| h.start).min() else { return true };
        let shared: i64 = near().map(|h| overlap(h, s).max(0)).sum();
        let left = length(s).saturating_sub(shared);
        let touches = near().any(|h| overlap(h, s) >= -LEAD);
        let last = near().map(Anomaly::end_or_last).max().unwrap_or(first);
        let before = touches && first.saturating_sub(s.start) >= LEAD;
        let after = touches && s.end_or_last().saturating_sub(last) >= LEAD;
        let long = left > length(s) / 2 && left > PAUSE.0;
        s.slow.is_none_or(|slow| slow::disturbs(&slow)) && (before || after || long)
    };
    let mut slow: Vec<Anomaly> = slow.into_iter().filter(stays).collect();
    all.extend(hard);
    all.append(&mut slow);
}

fn pause(a: &Anomaly, b: &Anomaly) -> i64 {
    longest_pause(length(a).max(length(b)))
}

/// Seconds that all may be well between two parts of one outage, by the length of the longer.
pub(super) fn longest_pause(longer: i64) -> i64 {
    (longer / 2).clamp(PAUSE.0, PAUSE.1)
}

/// The longest healthy pause between two neighbours that are one. A stretch of errors that no client saw joins only what it
/// touches, and of failures and late answers, which differ, it takes more than that both last long.
fn longest_between(a: &Anomaly, b: &Anomaly) -> i64 {
    let only_one = |kind: Kind| (a.kind == kind) != (b.kind == kind);
    if only_one(Kind::ErrorsOnly) {
        0
    } else if only_one(Kind::Slow) {
        PAUSE.0
    } else {
        pause(a, b)
    }
}

/// Joins neighbours with no longer a healthy pause between them than `longest` allows.
fn join(mut all: Vec<Anomaly>, longest: impl Fn(&Anomaly, &Anomaly) -> i64) -> Vec<Anomaly> {
    all.sort_by_key(|a| (a.start, a.end_or_last()));
    let mut joined: Vec<Anomaly> = Vec::with_capacity(all.len());
    for a in all {
        match joined.last_mut() {
            Some(last) if a.start.saturating_sub(last.end_or_last()) <= longest(last, &a) => extend(last, a),
            _ => joined.push(a),
        }
    }
    joined
}

/// How much a kind says: what hurts most gives the name.
fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Failing => 8,
        Kind::Silence(SilenceKind::Down | SilenceKind::Stalled) => 7,
        Kind::Missing => 6,
        Kind::Silence(SilenceKind::Unknown) => 5,
        Kind::Silence(SilenceKind::LoggingStopped) => 4,
        Kind::Silence(_) => 3,
        Kind::Slow => 2,
        Kind::ErrorsOnly => 1,
    }
}

fn add(a: Option<Estimate>, b: Option<Estimate>) -> Option<Estimate> {
    match (a, b) {
        (Some(a), Some(b)) => {
            Some(Estimate { value: a.value + b.value, low: a.low + b.low, high: a.high + b.high })
        }
        (a, b) => a.or(b),
    }
}

/// Joins `b`, which does not start before `a`, to `a`.
fn extend(a: &mut Anomaly, b: Anomaly) {
    // What overlaps rests on the same lines and counts once.
    let apart = b.start >= a.end_or_last();
    a.evidence_nats =
        if apart { a.evidence_nats + b.evidence_nats } else { a.evidence_nats.max(b.evidence_nats) };
    if b.end_or_last() > a.end_or_last() || b.open_end {
        (a.end, a.end_bounds, a.end_interval, a.open_end) = (b.end, b.end_bounds, b.end_interval, b.open_end);
        (a.last_bad, a.first_good_after) = (b.last_bad.max(a.last_bad), b.first_good_after);
    }
    // Late answers are no failures: counts of the two are not added.
    let alike = (a.kind == Kind::Slow) == (b.kind == Kind::Slow);
    let (first, second) = (alike || b.kind == Kind::Slow, alike || a.kind == Kind::Slow);
    if second && (a.failed < b.failed || !first) {
        (a.usual_share, a.dispersion, a.good_ratio) = (b.usual_share, b.dispersion, b.good_ratio);
    }
    let sum = |x: u64, y: u64| if first { x } else { 0 }.saturating_add(if second { y } else { 0 });
    a.open_start |= b.open_start && b.start <= a.start;
    // Of two looks at the same seconds the requests are the same.
    let shared = !apart && a.kind != b.kind && alike;
    let requests = if shared { a.requests.max(b.requests) } else { sum(a.requests, b.requests) };
    a.failed = sum(a.failed, b.failed);
    a.requests = requests.max(a.failed);
    a.failing_seconds = sum(a.failing_seconds, b.failing_seconds);
    if rank(b.kind) > rank(a.kind) {
        a.kind = b.kind;
    }
    a.slow = a.slow.or(b.slow);
    a.expected_requests = if apart {
        add(a.expected_requests, b.expected_requests)
    } else {
        // Of two silences that overlap the longer holds the other.
        let value = |e: &Option<Estimate>| e.map_or(f64::MIN, |e| e.value);
        if value(&b.expected_requests) > value(&a.expected_requests) {
            b.expected_requests
        } else {
            a.expected_requests
        }
    };
    a.longest_ordinary_gap = a.longest_ordinary_gap.or(b.longest_ordinary_gap);
    a.stopped_at = a.stopped_at.or(b.stopped_at);
    a.started_at = b.started_at.or(a.started_at);
    a.last_bad = a.last_bad.max(b.last_bad);
    a.waited = a.waited.or(b.waited);
    a.within = a.within.filter(|name| b.within == Some(*name));
    a.errors = both(a.errors, b.errors);
    let sorted = a.phases.last().is_none_or(|p| b.phases.first().is_none_or(|q| p.start <= q.start));
    a.phases.extend(b.phases);
    if !sorted {
        a.phases.sort_by_key(|p| (p.start, p.end));
    }
}

fn both(a: Option<ErrorStretch>, b: Option<ErrorStretch>) -> Option<ErrorStretch> {
    match (a, b) {
        (Some(a), Some(b)) => Some(ErrorStretch {
            start: a.start.min(b.start),
            end: a.end.max(b.end),
            records: a.records.saturating_add(b.records),
            evidence_nats: a.evidence_nats + b.evidence_nats,
        }),
        (a, b) => a.or(b),
    }
}

/// The finding that a stretch of errors belongs to: the one it overlaps most, or one it touches within a few seconds. No
/// finding has lines more than `late` seconds behind its end.
fn host<'a>(anomalies: &'a mut [Anomaly], e: &Anomaly, late: i64) -> Option<&'a mut Anomaly> {
    const NEAR: i64 = 5;
    let from =
        anomalies.partition_point(|a| a.end_or_last().saturating_add(NEAR).saturating_add(late) < e.start);
    anomalies[from..]
        .iter_mut()
        .take_while(|a| a.start <= e.end_or_last().saturating_add(NEAR))
        .filter(|a| a.logged().end.saturating_add(NEAR) >= e.start)
        .max_by_key(|a| shared(a.logged(), e.logged()))
}

/// Access and error lines of one request are not independent: the larger evidence counts, never the sum. Requests date
/// a failing better than records do; a silence is widened to the records that explain it.
fn absorb(host: &mut Anomaly, e: &Anomaly) {
    host.errors = both(host.errors, e.errors);
    host.evidence_nats = host.evidence_nats.max(e.evidence_nats);
    let widens = matches!(
        host.kind,
        Kind::Silence(SilenceKind::Dip | SilenceKind::Unknown | SilenceKind::LoggingStopped)
    );
    if !widens {
        return;
    }
    // Of a silence the records tell the beginning and the end, unless it began or went on for longer than lines are
    // ordinarily apart.
    let ordinary = host.longest_ordinary_gap.unwrap_or(0);
    let is_ordinary = |from: Option<Second>, to: Option<Second>| {
        from.zip(to).is_some_and(|(from, to)| to.saturating_sub(from).saturating_sub(1) <= ordinary)
    };
    let begins = e.start < host.start || is_ordinary(host.last_good_before, Some(e.start));
    if begins && !host.open_start {
        (host.start, host.start_bounds, host.start_interval) = (e.start, e.start_bounds, e.start_interval);
        host.first_bad = e.first_bad;
        for p in &mut host.phases {
            p.start = p.start.max(e.start);
            p.end = p.end.max(p.start.saturating_add(1));
        }
    }
    let ends = e.end_or_last() > host.end_or_last()
        || host.end.is_some() && e.end.is_some() && is_ordinary(e.end, host.first_good_after);
    if ends && !host.open_end {
        (host.end, host.end_bounds, host.end_interval) = (e.end, e.end_bounds, e.end_interval);
        (host.last_bad, host.open_end) = (e.last_bad, e.open_end);
        let end = host.end_or_last();
        for p in &mut host.phases {
            p.end = p.end.min(end).max(p.start.saturating_add(1));
        }
    }
    host.phases.extend(e.phases.iter().copied());
    host.phases.sort_by_key(|p| (p.start, p.end));
}

/// Names the stretches in which clients were limited, so that their 503 are not missed by the reader.
pub(crate) fn limited(excused: &[(Second, u32)], remarks: &mut Vec<Remark>) {
    let mut current: Option<(Second, Second, u64)> = None;
    let mut push = |(start, last, failed): (Second, Second, u64)| {
        if failed >= 10 {
            remarks.push(Remark {
                kind: Kind::Failing,
                reason: Reason::Limited,
                start,
                end: last.saturating_add(1),
                requests: 0,
                failed,
                usual_share: 0.0,
                evidence_nats: failed as f64,
            });
        }
    };
    for &(second, count) in excused {
        match &mut current {
            Some((_, last, sum)) if second.saturating_sub(*last) <= 60 => {
                (*last, *sum) = (second, sum.saturating_add(u64::from(count)));
            }
            _ => {
                if let Some(done) = current.replace((second, second, u64::from(count))) {
                    push(done);
                }
            }
        }
    }
    if let Some(done) = current {
        push(done);
    }
}
