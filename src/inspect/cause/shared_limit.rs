//! A limit that all share, seen in the access log alone.
//!
//! `limit_req` and `limit_conn` refuse before an upstream is asked, at once, and with nginx's own page; whoever comes next
//! on the same path is served again when there is room (`ngx_http_limit_req_module.c`: a zone is one bucket for a key, and
//! a key such as `$server_name` is one for all). An application in trouble fails paths or everything, and a site that is
//! closed serves nobody but the few it lets in. Where demand stands above a rate, what gets through is the rate: the same
//! in all seconds, where chance alone would scatter it. Which limit it was only its record in the error log tells.

use super::super::again::{Answer, ByKey, Look};
use super::super::host::{Counted, Host};
use super::bodies::{Page, Took};
use crate::detect::Ticks;
use crate::report::Evidence;
use crate::scan::Dimension;
use crate::time::Window;
use std::collections::HashSet;

/// Fewer refused requests show nothing.
const LEAST: usize = 20;
/// Fewer clients share nothing, and neither do those of whom one has more than this part of the refusals.
const CLIENTS: usize = 3;
const ONE: f64 = 0.5;
/// Seconds between a refused request and a served one that stand beside each other.
const BESIDE: i64 = 10;
/// The part of the refused requests that stand beside served ones of the same endpoint,
const MIXED: f64 = 0.8;
/// and where the refusals are nginx's own page beyond doubt: of few requests few stand beside each other.
const MIXED_OWN: f64 = 0.3;
/// Of the clients that were served and asked again this part must have been refused as well.
const BOTH: f64 = 0.5;
/// Seconds that are counted together, and how many of them tell how evenly requests got through.
const BIN: i64 = 10;
const BINS: usize = 6;
/// Requests that must get through in each on average.
const ENOUGH: f64 = 5.0;
/// Counts that scatter this much less than chance would are kept even by something.
const EVEN: f64 = 0.4;

/// What the access log shows of a limit.
pub(super) struct Shared {
    /// How many requests a second got through, where they did so evenly.
    pub(super) rate: Option<f64>,
    /// The refusals took no time; else the log does not tell.
    pub(super) at_once: bool,
    /// The log does not tell who asked.
    pub(super) hidden: bool,
    /// A request that was served beside those refused.
    pub(super) served: Evidence,
}

/// Whether nginx refused requests with this status while it served others like them.
pub(super) fn seen(
    host: &Host<'_>,
    look: &Look,
    window: Window,
    status: u16,
    shown: (Page, Took),
) -> Option<Shared> {
    let refused: Vec<&Answer> = look.inside().filter(|x| x.failed && x.status == status).collect();
    // In its first and its last second a site that is closed to all serves some.
    let (first, last) = (refused.first()?.second, refused.last()?.second);
    let served: Vec<&Answer> =
        look.inside().filter(|x| x.good() && first < x.second && x.second < last).collect();
    let hidden = look.text(refused.first()?.client).is_none();
    if refused.len() < LEAST
        || !nginx_itself(&refused, &served, shown)
        || !(hidden || of_many(&refused) && same_clients(&refused, &served))
    {
        return None;
    }
    let mixed = if shown.0 == Page::Own { MIXED_OWN } else { MIXED };
    let beside = beside(&refused, &served, mixed)?;
    let at_once = shown.1 == Took::Nothing;
    Some(Shared { rate: even_rate(host, window), at_once, hidden, served: beside.evidence(host) })
}

fn name(x: &Answer, dimension: Dimension) -> u64 {
    x.names[dimension as usize]
}

/// Whether nginx gave the refusals without asking anybody.
fn nginx_itself(refused: &[&Answer], served: &[&Answer], (page, took): (Page, Took)) -> bool {
    let asked = |x: &&Answer| name(x, Dimension::Peer) != 0;
    let asks = served.iter().any(asked);
    let at_once = matches!(took, Took::Nothing | Took::Untold);
    at_once && page != Page::NotOwn && !refused.iter().any(asked) && (asks || page == Page::Own)
}

/// Whether the refusals are of several clients, and not of one above all: a limit for each client refuses so.
fn of_many(refused: &[&Answer]) -> bool {
    let mut counts: ByKey<u32> = ByKey::default();
    for x in refused {
        *counts.entry(x.client).or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or(0);
    counts.len() >= CLIENTS && f64::from(most) <= ONE * refused.len() as f64
}

/// Whether those who were served and asked again for what is refused were refused as well: what refuses some clients only is
/// a rule about them. Where hardly anybody gets through, most of those who are refused are never served.
fn same_clients(refused: &[&Answer], served: &[&Answer]) -> bool {
    let endpoints: HashSet<u64> = refused.iter().map(|x| name(x, Dimension::Endpoint)).collect();
    let mut met: ByKey<(u32, u32)> = ByKey::default();
    for x in refused {
        met.entry(x.client).or_default().0 += 1;
    }
    for x in served.iter().filter(|x| endpoints.contains(&name(x, Dimension::Endpoint))) {
        met.entry(x.client).or_default().1 += 1;
    }
    let again: Vec<(u32, u32)> = met.into_values().filter(|(r, s)| *s > 0 && r + s > 1).collect();
    let both = again.iter().filter(|(r, _)| *r > 0).count();
    !again.is_empty() && both as f64 >= BOTH * again.len() as f64
}

/// A served request that stands beside a refused one of the same endpoint, where so large a part of these has such.
fn beside<'a>(refused: &[&Answer], served: &[&'a Answer], mixed: f64) -> Option<&'a Answer> {
    let mut of: ByKey<Vec<&'a Answer>> = ByKey::default();
    for &x in served {
        of.entry(name(x, Dimension::Endpoint)).or_default().push(x);
    }
    // Answers are in order of time, and so are these.
    let near = |x: &&&Answer| -> Option<&'a Answer> {
        let those = of.get(&name(x, Dimension::Endpoint))?;
        let next = those.partition_point(|s| s.second < x.second - BESIDE);
        those.get(next).filter(|s| s.second <= x.second + BESIDE).copied()
    };
    let found: Vec<&'a Answer> = refused.iter().filter_map(|x| near(&x)).collect();
    (found.len() as f64 >= mixed * refused.len() as f64).then(|| found.first().copied()).flatten()
}

/// Requests a second that got through, where they did so more evenly than chance would have it.
fn even_rate(host: &Host<'_>, window: Window) -> Option<f64> {
    // The first and the last can be cut.
    let first = window.start + BIN;
    let bins = usize::try_from((window.end - first) / BIN - 1).ok().filter(|n| *n >= BINS)?;
    let mut counts = vec![0.0; bins];
    Counted::of(host).each(Window { start: first, end: first + bins as i64 * BIN }, |tick| {
        if let Some(count) = usize::try_from((tick.second - first) / BIN).ok().and_then(|i| counts.get_mut(i))
        {
            *count += f64::from(tick.good);
        }
    });
    let mean = counts.iter().sum::<f64>() / bins as f64;
    let scatter = counts.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / (bins - 1) as f64;
    (mean >= ENOUGH && scatter <= EVEN * mean).then_some(mean / BIN as f64)
}
