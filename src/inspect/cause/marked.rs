//! What servers were marked as failed for, where nginx says only that none is left.
//!
//! A server that fails `max_fails` times is not asked for `fail_timeout`, and then by one request
//! (`ngx_http_upstream_round_robin.c`). Every failure has its record but one: an answer that `proxy_next_upstream` names
//! (`http_500` and the like) is passed over without a word (`ngx_http_upstream_test_next`).

use super::super::again::Look;
use super::super::host::{Host, Said};
use super::bodies;
use super::none_live::{PassedOver, passed_over};
use crate::clock;
use crate::report::Cause;
use crate::scan::FailureTally;
use crate::time::Window;
use crate::timeline::Class;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Seconds for which a server that failed is left out, and one more: `fail_timeout` as nginx has it by default,
const LEFT_OUT: i64 = 11;
/// and longer than most set it.
const LONG: i64 = 61;
/// From this part of the times at which no server was left their records tell why: within the usual time,
const TOLD: f64 = 0.5;
/// and within the long one.
const ALL_TOLD: f64 = 0.9;
/// So many answers of a server itself are no accident.
const OWN: u64 = 3;

/// The records of servers that failed, and those of requests for which none was left.
pub(super) struct Marked<'h> {
    host: &'h Host<'h>,
    wide: Window,
    /// Second and class of each record of a server that failed, in order of time.
    failed: Vec<(i64, u16)>,
    /// What the servers answered that nginx passed over.
    passed: Option<PassedOver>,
    /// What shows that servers were asked before none was left.
    asked: Option<String>,
}

impl<'h> Marked<'h> {
    /// Of a stretch; `classes` are those that fail a server.
    pub(super) fn of(
        host: &'h Host<'h>,
        (look, tally): (Option<&Look>, &FailureTally),
        wide: Window,
        classes: &[u16],
    ) -> Self {
        let mut failed: Vec<(i64, u16)> = Vec::new();
        for s in host.said.iter().filter(|s| classes.contains(&s.class)) {
            failed.extend(s.seconds.inside(wide).iter().map(|second| (second, s.class)));
        }
        failed.sort_unstable();
        let mut marked = Self { host, wide, failed, passed: None, asked: None };
        if marked.told_within(LEFT_OUT) < TOLD {
            marked.passed = look.and_then(|look| passed_over(host, look));
            marked.asked = asked(host, look, wide, tally);
        }
        marked
    }

    /// Whether the records of servers that failed are why none was left.
    pub(super) fn by_records(&self) -> bool {
        self.passed.is_none() && (self.told_within(LEFT_OUT) >= TOLD || self.told_within(LONG) >= ALL_TOLD)
    }

    /// How many times each class of failures is echoed: that no server is left follows from what failed them last. Where
    /// several did, `root`, the one with most of the records, goes on being it while it speaks.
    pub(super) fn echoes(&self, root: u16) -> BTreeMap<u16, u64> {
        let mut out = BTreeMap::new();
        for s in self.none_left() {
            let second = s.second.max(self.wide.start);
            let still = self.before(second, LEFT_OUT).iter().any(|f| f.1 == root);
            let last = || self.before(second, i64::MAX).last().map_or(root, |f| f.1);
            *out.entry(if still { root } else { last() }).or_default() += s.count_in(self.wide);
        }
        out
    }

    /// Says in the cause that no server was left what the servers were marked for, where that is seen.
    pub(super) fn explain(&self, cause: &mut Cause) {
        if let Some(passed) = &self.passed {
            cause.summary = format!("{}; {}", cause.summary, passed.words());
            // A text shows two.
            cause.evidence.insert(cause.evidence.len().min(1), passed.line.clone());
        } else if let Some(asked) = self.asked.as_ref().filter(|_| self.failed.is_empty()) {
            _ = write!(
                cause.summary,
                "; no record tells of a server that failed, though {asked}, so the servers answered what nginx passes over \
                 without one (proxy_next_upstream http_500 and the like)"
            );
            cause.confidence = "likely";
        } else {
            return;
        }
        cause.category = "upstream.app_error".into();
    }

    /// The part of the times without a server that follow a record of one that failed within so many seconds.
    fn told_within(&self, seconds: i64) -> f64 {
        let (mut all, mut told) = (0u64, 0u64);
        for second in self.none_left().flat_map(|s| s.seconds.inside(self.wide).iter().collect::<Vec<_>>()) {
            all += 1;
            told += u64::from(!self.before(second, seconds).is_empty());
        }
        told as f64 / all.max(1) as f64
    }

    /// The records of servers that failed in the `seconds` up to a second.
    fn before(&self, second: i64, seconds: i64) -> &[(i64, u16)] {
        let start = self.failed.partition_point(|f| f.0 < second.saturating_sub(seconds));
        &self.failed[start..self.failed.partition_point(|f| f.0 <= second)]
    }

    fn none_left(&self) -> impl Iterator<Item = &'h Said> {
        let (host, wide) = (self.host, self.wide);
        let none = move |s: &&Said| host.category(s.class) == "upstream.no_live" && s.count_in(wide) > 0;
        host.said.iter().filter(none)
    }
}

/// What shows that servers were asked while none was left for most: they took their time, or the last one asked for a
/// request answered itself. nginx passes over no answer of the last one (`ngx_http_upstream_test_next`).
fn asked(host: &Host<'_>, look: Option<&Look>, wide: Window, tally: &FailureTally) -> Option<String> {
    if look.is_some_and(|look| bodies::some_waited(look, 502)) {
        return Some("some of the requests were waited for".into());
    }
    let own = |s: u16| Class::of(s) == Class::ServerError && !matches!(s, 502 | 504);
    let (status, n) = tally.statuses.iter().filter(|(s, n)| own(**s) && **n >= OWN).max_by_key(|s| s.1)?;
    // A limit answers so too, and writes of each.
    let limited = |s: &Said| host.category(s.class).starts_with("limit.") && s.count_in(wide) > 0;
    let answered = || format!("{} were answered with {status}", clock::count_of(*n, "request"));
    (!host.said.iter().any(limited)).then(answered)
}
