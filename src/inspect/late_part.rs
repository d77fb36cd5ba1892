//! A small part of a site that is slow while all else goes on.
//!
//! That a page of a fiftieth of the traffic takes three seconds is nothing in the times of all requests, and not called
//! slow there. But more answers than usual are late; where they are those of one virtual host, endpoint or peer, its
//! requests alone are put to the test.

use super::again::{Answer, ByKey, Look, Looks};
use super::host::Host;
use super::incident::window;
use crate::detect::{self, Anomaly, Detection, Kind, Slowness};
use crate::scan::Dimension;
use crate::stats::{excess_nats, median};

/// Stretches looked at, the most evident first.
const LOOKS: usize = 4;
/// Late answers of a part that are looked at,
const LATE: u64 = 3;
/// if so many of its answers meanwhile are late,
const SHARE: f64 = 0.5;
/// a third of them or fewer at other times,
const RISE: f64 = 3.0;
/// when it answers, and so often at least.
const WORKS: u64 = 4;
/// A part with more of the requests is the site.
const MOST: f64 = 0.8;

/// Adds the parts whose answers were late.
pub(super) fn find(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) {
    let mut slight = std::mem::take(&mut found.slight);
    slight.sort_by(|a, b| b.evidence_nats.total_cmp(&a.evidence_nats).then(a.start.cmp(&b.start)));
    slight.truncate(LOOKS);
    for candidate in slight {
        let at = window(&candidate);
        let is_known = |b: &Anomaly| !matches!(b.kind, Kind::ErrorsOnly) && window(b).overlaps(at);
        let (Some(slow), false) = (candidate.slow, found.anomalies.iter().any(is_known)) else { continue };
        let Some(look) = looks.at(host, at) else { continue };
        let (scopes, part) = part(look, slow.limit_ms);
        let Some(name) = part else { continue };
        let Some(text) = look.text(name).map(str::to_owned) else { continue };
        let own = if look.complete {
            own(look, name, &slow, scopes)
        } else {
            let named = (Dimension::of_key(name), text.as_bytes());
            looks.name(host, at, named, (0, 1)).and_then(|mut look| {
                let own = own(&look, name, &slow, scopes)?;
                look.inside = window(&own);
                looks.keep(name, look);
                Some(own)
            })
        };
        found.anomalies.extend(own);
    }
    found.anomalies.sort_by_key(|a| (a.start, a.end_or_last()));
}

fn is_late(x: &Answer, limit_ms: u32) -> Option<bool> {
    x.took.filter(|_| x.good()).map(|ms| ms >= limit_ms)
}

/// How many names were compared, and the one whose answers were late inside and not outside, if there is one.
fn part(look: &Look, limit_ms: u32) -> (usize, Option<u64>) {
    #[derive(Default)]
    struct Counts {
        inside: (u64, u64),
        outside: (u64, u64),
    }
    let mut names: ByKey<Counts> = ByKey::default();
    let mut all = 0u64;
    for (x, late) in look.answers.iter().filter_map(|x| Some((x, is_late(x, limit_ms)?))) {
        all += 1;
        for name in x.names.into_iter().filter(|name| *name != 0) {
            let counts = names.entry(name).or_default();
            let side =
                if look.inside.contains(x.arrived()) { &mut counts.inside } else { &mut counts.outside };
            *side = (side.0 + 1, side.1 + u64::from(late));
        }
    }
    let share = |(n, late): (u64, u64)| (late as f64 + 0.5) / (n as f64 + 1.0);
    let stands = |c: &Counts| {
        c.inside.1 >= LATE
            && c.inside.1 as f64 >= SHARE * c.inside.0 as f64
            && share(c.inside) >= RISE * share(c.outside)
            && c.outside.0 - c.outside.1 >= WORKS.max(c.outside.1)
            && ((c.inside.0 + c.outside.0) as f64) <= MOST * all as f64
    };
    let nats = |c: &Counts| excess_nats(c.inside.0 as f64, c.inside.1 as f64, share(c.outside));
    let best = names
        .iter()
        .filter(|(_, c)| stands(c))
        .max_by(|a, b| nats(a.1).total_cmp(&nats(b.1)).then_with(|| b.0.cmp(a.0)));
    (names.len(), best.map(|(name, _)| *name))
}

/// What the requests of a part say by themselves.
fn own(look: &Look, name: u64, slow: &Slowness, scopes: usize) -> Option<Anomaly> {
    let of_part = |x: &&Answer| x.names.contains(&name);
    let ticks = look.ticks_of_arrivals(|x| is_late(x, slow.limit_ms).filter(|_| of_part(&x)));
    let found = detect::late_stretches(&ticks, scopes);
    let mut own = found.into_iter().find(|a| window(a).overlaps(look.inside))?;
    let meanwhile = own.span();
    let times = |inside: bool| -> Vec<f64> {
        let side = |x: &&Answer| meanwhile.contains(x.arrived()) == inside && x.good();
        let mut times: Vec<f64> =
            look.answers.iter().filter(of_part).filter(side).filter_map(|x| x.took.map(f64::from)).collect();
        times.sort_unstable_by(f64::total_cmp);
        times
    };
    let (mut came, mut usual) = (times(true), times(false));
    let mut late: Vec<f64> = came.iter().copied().filter(|ms| *ms >= f64::from(slow.limit_ms)).collect();
    own.slow = Some(Slowness {
        usual_ms: median(&mut usual)?,
        p90_ms: came.get(came.len() * 9 / 10).copied()?,
        slow: late.len() as u64,
        aborted: 0,
        timed: came.len() as u64,
        late_ms: median(&mut late)?,
        median_ms: median(&mut came)?,
        ..*slow
    });
    own.within = Some(name);
    (own.failed_share().is_some_and(|s| s >= SHARE) && detect::lasts(&own)).then_some(own)
}
