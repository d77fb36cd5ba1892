//! What the access log shows where no error log tells why requests fail.
//!
//! nginx writes an error of every upstream that it gives up, at level error or worse. So an error log of that level
//! that goes on and says nothing proves that the answers came from behind. Without one, the length of the bodies shows
//! whose page they are, and the times whether a timeout ran out. What neither shows is not told.

use super::super::again::Look;
use super::super::host::{Host, Said};
use super::LOOKED_AT;
use super::bodies::{self, Page, Took, is_nginx_own};
use super::none_live;
use super::reached;
use super::shared_limit::{self, Shared};
use crate::clock;
use crate::detect::{Anomaly, Mark, MarkKind};
use crate::format::Field;
use crate::format::record::Level;
use crate::report::{Cause, Evidence};
use crate::scan::{Dimension, FailureTally};
use crate::time::Window;
use std::fmt::Write as _;

/// The share of requests that fail where a site is closed on purpose, or nothing answers at all.
const ALL: f64 = 0.75;
/// Of a site that is closed nothing gets through; within a limit something does.
const CLOSED: f64 = 0.97;
/// Failures with a status that has so small a part of them tell nothing of the others.
const SIDE: f64 = 0.2;
/// nginx's status of requests whose clients went away, of which it writes no error.
const GIVEN_UP: u16 = 499;
/// Seconds between a reload and what it brings.
const RELOADED: i64 = 5;

/// A category, how sure it is, and what is said of it.
type Verdict = (&'static str, &'static str, String);

/// Failures that no record explains.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unsaid {
    /// How many.
    pub(super) failures: u64,
    /// The records are enough for what nginx writes errors of, and who gave up (499) is left.
    given_up: bool,
}

/// How many failures no record explains, where those are the most of them; `heard` is when their records can have been
/// written.
pub(super) fn unexplained(host: &Host<'_>, heard: Window, tally: &FailureTally) -> Option<Unsaid> {
    let speaks = |class| host.server_side(class) || host.category(class).starts_with("limit.");
    let spoken: u64 = host.said.iter().filter(|s| speaks(s.class)).map(|s| s.count_in(heard)).sum();
    let failures = tally.failed.saturating_sub(spoken);
    let answered = tally.failed.saturating_sub(tally.statuses.get(&GIVEN_UP).copied().unwrap_or(0));
    let given_up = answered > 0 && spoken * 2 > answered;
    (failures > 0 && failures * 2 >= tally.failed).then_some(Unsaid { failures, given_up })
}

/// The cause of failures that no record explains, as far as their lines prove one: of those with the commonest status that
/// proves any.
pub(super) fn cause(
    host: &Host<'_>,
    look: Option<&Look>,
    a: &Anomaly,
    (window, tally, unsaid): (Window, &FailureTally, Unsaid),
) -> Option<Cause> {
    // What only comes by once, through a pipe, cannot speak against it.
    let witness = look.is_some() && stood_ready(host, window);
    let failures = Failures { host, look, a, window, tally, witness };
    let mut statuses: Vec<(u16, u64)> = tally.statuses.iter().map(|(status, n)| (*status, *n)).collect();
    statuses.retain(|(_, n)| *n as f64 >= SIDE * tally.failed as f64);
    if unsaid.given_up {
        statuses.retain(|(status, _)| *status == GIVEN_UP);
    }
    statuses.sort_by_key(|(status, n)| (std::cmp::Reverse(*n), *status));
    let (status, n, ((category, confidence, what), line)) =
        statuses.into_iter().find_map(|(status, n)| Some((status, n, failures.verdict(status, n)?)))?;
    let mut evidence = host.failure_evidence(window);
    if evidence.is_empty() {
        return None;
    }
    evidence.extend(line);
    let mut summary = format!("{} with status {status:03}: {what}", clock::count_of(n, "request"));
    // Of clients that go away nginx writes at level info alone.
    if status != GIVEN_UP {
        let silence = match (witness, host.zones.is_empty()) {
            (true, _) => {
                "the error log, which tells of other requests before and after, says nothing about them"
            }
            (false, false) => "the error log says nothing about them",
            (false, true) => "no error log tells of them",
        };
        _ = write!(summary, "; {silence}");
    }
    if let Some((name, n)) = tally.ranked(Dimension::Endpoint).first()
        && *n * 2 > tally.failed
    {
        let n = if *n == tally.failed { "all".to_owned() } else { clock::count(*n) };
        _ = write!(summary, "; {n} of them on {name}");
    }
    Some(Cause { category: category.into(), confidence, summary, evidence })
}

/// The failures of an incident, and what is known of them.
struct Failures<'a, 'h> {
    host: &'a Host<'h>,
    look: Option<&'a Look>,
    a: &'a Anomaly,
    window: Window,
    tally: &'a FailureTally,
    /// An error log stood ready to tell of them.
    witness: bool,
}

impl Failures<'_, '_> {
    /// Whose answers those with a status were, and how long they took.
    fn shown(&self, status: u16) -> (Page, Took) {
        match self.look {
            Some(look) => bodies::of(look, status),
            None => bodies::of_kept(self.host, self.window, status),
        }
    }

    /// What the `n` requests with this status show, with one more line that does.
    fn verdict(&self, status: u16, n: u64) -> Option<(Verdict, Option<Evidence>)> {
        let Self { host, look, a, window, tally, witness } = *self;
        let shown = self.shown(status);
        let to_all = a.failed_share().is_some_and(|share| share >= ALL);
        let upstreams: u64 = tally.ranked(Dimension::Peer).iter().map(|p| p.1).sum();
        if status == 502
            && let Some((category, what, line)) = look.and_then(|look| none_live::seen(host, look, tally, n))
        {
            return Some((sure(category, "likely", &what), line));
        }
        let reached =
            reached::seen(host, window, status).and_then(|r| r.shows(status, shown.1 == Took::Nothing));
        if let Some((category, confidence, what)) = reached.filter(|_| (500..=599).contains(&status)) {
            return Some((sure(category, confidence, what), None));
        }
        if status == 503
            && let Some(limit) = look.and_then(|l| shared_limit::seen(host, l, window, status, shown))
        {
            return Some((limited(&limit), Some(limit.served)));
        }
        let verdict = match status {
            // `ngx_http_proxy_process_status_line` takes what has no status line for HTTP/0.9.
            9 => sure(
                "upstream.bad_response",
                "certain",
                "the upstream answered without an HTTP header, and nginx passed it on as HTTP/0.9",
            ),
            GIVEN_UP => sure("upstream.slow", "possible", "clients gave up waiting for an answer"),
            504 => timed_out(shown, witness),
            // Where `$upstream_addr` is logged it tells whether a server was asked.
            502 if 2 * upstreams <= n
                && let Some(verdict) = self.marked_as_failed(shown) =>
            {
                verdict
            }
            502 => {
                let refused = to_all && !look.is_some_and(|look| bodies::some_waited(look, status));
                bad_gateway(shown, witness, refused)?
            }
            500..=599 if 2 * upstreams > n => {
                sure("upstream.app_error", "likely", "the upstream answered so itself")
            }
            503 => {
                let closed = closed(host, look, a, shown.0, to_all);
                let place = a.within.and_then(|name| look?.text(name));
                unavailable(closed, a.failed_share().unwrap_or(0.0), shown.0, place)
            }
            500..=599 => own_answer(status, shown.0, witness)?,
            _ => return None,
        };
        Some((verdict, None))
    }

    /// 502 at once among some 504: servers that do not answer in time are marked as failed (`max_fails`), and while none
    /// is left nginx asks none (`ngx_http_upstream_round_robin.c`).
    fn marked_as_failed(&self, (page, took): (Page, Took)) -> Option<Verdict> {
        let n = self.tally.statuses.get(&504).copied().filter(|n| *n >= none_live::TIMED_OUT)?;
        let at_once = took == Took::Nothing || took == Took::Untold && page == Page::Own;
        if self.witness || page == Page::NotOwn || !at_once {
            return None;
        }
        let (category, confidence, _) = timed_out(self.shown(504), self.witness);
        (category == "upstream.timeout").then(|| {
            let own = if page == Page::Own { "with nginx's own page, " } else { "" };
            let what = format!(
                "{own}beside {} not answered in time (504): a server that does not answer is marked as failed, and while \
                 none is left nginx answers 502 at once",
                clock::count_of(n, "request")
            );
            (category, confidence, what)
        })
    }
}

fn sure(category: &'static str, confidence: &'static str, what: &str) -> Verdict {
    (category, confidence, what.to_owned())
}

/// Whether an error log stood ready to tell of failed requests: it told of others, at level error or milder, before and
/// after. An empty log proves nothing, and neither does one that holds graver records alone: it can be of level crit.
fn stood_ready(host: &Host<'_>, window: Window) -> bool {
    let tells = |s: &Said| {
        host.record(s, |r| r.level >= Level::Error && r.connection.is_some() && r.client.is_some())
            .unwrap_or(false)
    };
    let before = host.said.partition_point(|s| s.second < window.start);
    let after = host.said.partition_point(|s| s.second < window.end);
    host.said[..before].iter().rev().take(LOOKED_AT).any(tells)
        && host.said[after..].iter().take(LOOKED_AT).any(tells)
}

/// 504: a timeout of nginx's, or what the upstream says of another behind it.
fn timed_out((page, took): (Page, Took), witness: bool) -> Verdict {
    let after = match took {
        Took::AllThe(ms) => format!("each after about {}", clock::duration(i64::from(whole(ms)))),
        _ => String::new(),
    };
    match (page, after.is_empty()) {
        (Page::Untold | Page::NotOwn, true) if witness => sure(
            "upstream.app_error",
            "likely",
            "the upstream answered so itself, for nginx writes an error of every timeout of its own",
        ),
        _ if matches!(took, Took::Nothing | Took::AsAnswers) => sure(
            "upstream.app_error",
            "likely",
            "the upstream answered so itself, for no timeout of nginx's runs out in times as short and as various",
        ),
        (Page::NotOwn, _) => sure(
            "upstream.app_error",
            "possible",
            "the bodies are no page of nginx's, so the upstream answered so itself",
        ),
        (Page::Own, true) => {
            sure("upstream.timeout", "likely", "with nginx's own page: the upstream did not answer in time")
        }
        (Page::Own, false) => (
            "upstream.timeout",
            "likely",
            format!("{after}, with nginx's own page: the upstream did not answer in time"),
        ),
        (_, false) => ("upstream.timeout", "likely", format!("{after}: the upstream did not answer in time")),
        (_, true) => sure("upstream.timeout", "possible", "the upstream did not answer in time"),
    }
}

/// Timeouts are whole seconds, and what follows on them takes no time.
fn whole(ms: u32) -> u32 {
    let near = (ms + 500) / 1000 * 1000;
    if near.abs_diff(ms) * 50 <= ms { near } else { ms }
}

/// 502: no answer that nginx could use, or what the upstream says itself; `refused` where all failed, and none was waited
/// for.
fn bad_gateway((page, took): (Page, Took), witness: bool, refused: bool) -> Option<Verdict> {
    Some(match (page, took) {
        (Page::NotOwn, _) => {
            let confidence = if witness { "likely" } else { "possible" };
            sure(
                "upstream.app_error",
                confidence,
                "the bodies are no page of nginx's, so the upstream answered so itself",
            )
        }
        (Page::Untold, _) if witness => sure(
            "upstream.app_error",
            "likely",
            "the upstream answered so itself, for nginx writes an error of every answer that it cannot use",
        ),
        // A server that takes connections and fails some answers late, or to some.
        (Page::Own, Took::Nothing | Took::Untold) if refused && !witness => {
            let how = if took == Took::Nothing { "at once and " } else { "" };
            let what = "nothing took nginx's connections to the upstream, they were cut at once, or it had marked every \
                        server as failed; which of these, only an error log tells";
            ("upstream.refused", "possible", format!("{how}with nginx's own page: {what}"))
        }
        _ => return None,
    })
}

/// 503 of nginx's own to some, while others like them were served.
fn limited(limit: &Shared) -> Verdict {
    let how = if limit.at_once { "itself and at once" } else { "itself" };
    let same = if limit.hidden { "" } else { " and of the same clients" };
    let beside = format!(
        "nginx refused them {how}, and served others on the same paths{same}: a limit that all of them share"
    );
    match limit.rate {
        Some(rate) => {
            let rate = if rate < 1.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
            let what = format!(
                "{beside}; about {rate} requests a second got through, more evenly than by chance: a rate (limit_req)"
            );
            ("limit.rate", "likely", what)
        }
        None => (
            "limit.rate",
            "possible",
            format!("{beside}, of requests (limit_req) or connections (limit_conn)"),
        ),
    }
}

/// 503: nginx answers it to everybody where it is told to; an application that is in trouble, to some or to all.
fn unavailable(closed: Option<String>, share: f64, page: Page, place: Option<&str>) -> Verdict {
    let whom = match place {
        Some(place) => format!("{} requests for {place}", to_whom(share)),
        None => to_whom(share).to_owned(),
    };
    let what = match page {
        // A page that somebody wrote for it is always the same one.
        Page::NotOwn => "the bodies are no page of nginx's, so the application answered so itself",
        Page::Own | Page::Untold => "whether on purpose the log does not tell",
    };
    match closed {
        Some(why) => ("operator.maintenance", "possible", why),
        None if share >= ALL => {
            ("upstream.app_error", "possible", format!("503 was answered to {whom}; {what}"))
        }
        None if page == Page::NotOwn => {
            ("upstream.app_error", "possible", format!("503 was answered to some; {what}"))
        }
        None => sure("upstream.app_error", "possible", "503 was answered to some"),
    }
}

/// Nobody got through, or who else.
fn to_whom(share: f64) -> &'static str {
    if share >= CLOSED { "all" } else { "most" }
}

/// Any other status: the application's, where nothing says that it is nginx's.
fn own_answer(status: u16, page: Page, witness: bool) -> Option<Verdict> {
    let category = "upstream.app_error";
    Some(match page {
        _ if !is_nginx_own(status) => {
            sure(category, "likely", "nginx never fails with this status; the application answered so")
        }
        Page::NotOwn => {
            sure(category, "likely", "the bodies are no page of nginx's; the application answered so")
        }
        Page::Untold if witness => sure(category, "likely", "the application itself answered so"),
        Page::Untold if status == 500 => {
            sure(category, "possible", "it is most often the application's own answer")
        }
        _ => return None,
    })
}

/// Whether upstreams were asked for more of what was answered 503 than for a site that is closed.
fn asked_upstreams(look: &Look) -> bool {
    let these = || look.inside().filter(|x| x.failed && x.status == 503);
    let asked = these().filter(|x| x.names[Dimension::Peer as usize] != 0).count();
    asked as f64 > (1.0 - CLOSED) * these().count() as f64
}

/// What says that nginx itself answered 503 to all, as it was told, but for those whom it may let in.
fn closed(host: &Host<'_>, look: Option<&Look>, a: &Anomaly, page: Page, to_all: bool) -> Option<String> {
    let changed = |m: &Mark| {
        matches!(m.kind, MarkKind::Reload | MarkKind::Start) && (m.second - a.start).abs() <= RELOADED
    };
    if !to_all {
        return None;
    }
    let share = a.failed_share()?;
    let whom = to_whom(share);
    if host.marks.iter().any(changed) {
        return Some(format!("503 was answered to {whom} from a change of the configuration on"));
    }
    let (names_upstreams, first_asked) = host.first_failed_answer(a.failures_logged(), |format, r| {
        let asked = r.upstream_addr.is_some_and(|u| !matches!(u, b"" | b"-"));
        (format.has(&Field::UpstreamAddr), asked)
    })?;
    let asked = look.map_or(first_asked, asked_upstreams);
    match (names_upstreams && !asked, page) {
        (true, _) => Some(format!("503 was answered to {whom}, and no upstream was asked")),
        (false, Page::Own) if share >= CLOSED => {
            Some("503 was answered to all, with nginx's own page".into())
        }
        _ => None,
    }
}
