//! Limits that hit everybody.
//!
//! A request that `limit_req` or `limit_conn` refuses is answered as it was meant, and detection leaves it out: a client
//! that asks too much is no outage. But a limit whose key or rate is wrong refuses the public. The two are told apart by
//! those who hardly ask: a limit for each client never meets them (`ngx_http_limit_req_module.c`: the first request of a
//! key is always passed). Where the log knows few clients, as behind a balancer, nobody hardly asks; there they are told
//! apart by what is asked and served: a client that asks too much comes on top of the usual, and the usual is served.

use super::again::{Answer, Look, Looks};
use super::host::{Counted, Host};
use crate::detect::{self, Detection, Options, Reason, Tick, Ticks};
use crate::time::{Second, Window};
use std::collections::HashMap;
use std::ops::Range;

/// Stretches looked at, the longest first.
const CANDIDATES: usize = 8;
/// A client hardly asks when it sent so many requests at most in the whole stretch.
const HARDLY: u32 = 2;
/// So many such clients tell,
const CLIENTS: usize = 10;
/// when this share of them was refused.
const REFUSED: f64 = 0.25;
/// Of the usual answers fewer than this part are given,
const SERVED: f64 = 0.5;
/// and no more is asked than so many times the usual,
const ASKED: f64 = 2.0;
/// or so large a part of the usual answers is missing,
const MISSING: f64 = 0.25;
/// by more than so many standard deviations;
const DEVIATIONS: f64 = 3.0;
/// so many good answers tell what is usual.
const KNOWN: u64 = 20;
/// Seconds around a stretch that are counted with it.
const AROUND: i64 = 600;

/// The counts around a stretch.
struct Near<'a>(Counted<'a>, Window);

impl Ticks for Near<'_> {
    fn each(&self, window: Window, visit: impl FnMut(Tick)) {
        let within = Window { start: window.start.max(self.1.start), end: window.end.min(self.1.end) };
        self.0.each(within, visit);
    }

    fn span(&self) -> Option<Window> {
        let own = self.0.span()?;
        Some(Window { start: own.start.max(self.1.start), end: own.end.min(self.1.end) })
    }
}

/// Adds the stretches in which a limit refused the public to a detection.
pub(super) fn find(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) {
    let mut stretches: Vec<Window> = found
        .remarks
        .iter()
        .filter(|r| r.reason == Reason::Limited)
        .map(|r| Window { start: r.start, end: r.end.max(r.start + 1) })
        .collect();
    stretches.sort_by_key(|w| (w.start - w.end, w.start));
    stretches.truncate(CANDIDATES);
    for at in stretches {
        if !looks.at(host, at).is_some_and(|look| meets_the_public(host, look, at)) {
            continue;
        }
        let near = Window { start: at.start.saturating_sub(AROUND), end: at.end.saturating_add(AROUND) };
        let all = detect::stretches(&Near(Counted::of(host), near), &Options::default()).anomalies;
        let inside = |a: &detect::Anomaly| a.span().overlaps(at);
        let mut public: Vec<_> = all.into_iter().filter(inside).collect();
        if !public.is_empty() {
            found.remarks.retain(|r| r.reason != Reason::Limited || r.start != at.start);
        }
        found.anomalies.append(&mut public);
    }
}

/// Whether it is the public that a limit refuses in a stretch.
pub(super) fn meets_the_public(host: &Host<'_>, look: &Look, at: Window) -> bool {
    hits_the_public(look) || takes_from_the_usual(&Counted::of(host), at)
}

/// Whether at both ends of a stretch, as far as the log knows what lies beyond, fewer good answers are given than usual
/// while hardly more is asked. Only what lies next to each other is compared: nights are quieter than days.
fn takes_from_the_usual(ticks: &impl Ticks, at: Window) -> bool {
    let Some(span) = ticks.span() else { return false };
    let longest = (at.end - at.start).min(AROUND);
    let (m, n) = (longest.min(at.start - span.start), longest.min(span.end - at.end));
    let before = (at.start - m..at.start, at.start..at.start + m);
    let after = (at.end..at.end + n, at.end - n..at.end);
    let known: Vec<bool> = [before, after]
        .into_iter()
        .filter_map(|(usual, own)| {
            let (usual_good, usual_asked) = sums(ticks, usual);
            let (good, asked) = sums(ticks, own);
            (usual_good >= KNOWN)
                .then_some(taken((good as f64, asked as f64), (usual_good as f64, usual_asked as f64)))
        })
        .collect();
    !known.is_empty() && known.iter().all(|taken| *taken)
}

/// Whether what is refused is missing from the usual, by good answers and requests of two times as long as each other:
/// hardly half is answered well though many ask again, or a part is missing that is no chance, and that is more than what
/// was asked beyond the usual.
fn taken((good, asked): (f64, f64), (usual_good, usual_asked): (f64, f64)) -> bool {
    let missing = usual_good - good;
    let halved = good < SERVED * usual_good && asked <= ASKED * usual_asked;
    // Of two Poisson counts the difference varies by the root of their sum.
    let no_chance = missing >= DEVIATIONS * (usual_good + good).sqrt();
    halved || missing >= MISSING * usual_good && no_chance && missing >= asked - usual_asked
}

/// Good answers in these seconds, and all requests.
fn sums(ticks: &impl Ticks, seconds: Range<Second>) -> (u64, u64) {
    let mut sums = (0, 0);
    ticks.each(Window { start: seconds.start, end: seconds.end }, |t| {
        sums.0 += u64::from(t.good);
        sums.1 += u64::from(t.good) + u64::from(t.neutral) + u64::from(t.failed);
    });
    sums
}

/// Whether those are refused who hardly ask.
fn hits_the_public(look: &Look) -> bool {
    let refused = |x: &Answer| x.failed || x.status == 429;
    // Of some requests alone, those of a few seconds stand together: who asked once in a minute hardly asks.
    let (most, minute) = if look.complete { (HARDLY, i64::MAX) } else { (1, 60) };
    let mut asked: HashMap<(u64, i64), (u32, bool)> = HashMap::new();
    for x in look.inside().filter(|x: &&Answer| refused(x) || x.good()) {
        let counts = asked.entry((x.client, x.second.div_euclid(minute))).or_default();
        counts.0 += 1;
        counts.1 |= refused(x);
    }
    let hardly: Vec<bool> = asked.into_values().filter(|c| c.0 <= most).map(|c| c.1).collect();
    let refused = hardly.iter().filter(|met| **met).count();
    hardly.len() >= CLIENTS && refused as f64 >= REFUSED * hardly.len() as f64
}
