//! Requests for which nginx had no server left, seen in the access log alone.
//!
//! Where every server of a group is marked as failed (`max_fails`, `fail_timeout`), nginx asks none and answers 502;
//! `$upstream_addr` then holds the name of the group, where it else has an address (`ngx_http_upstream_connect` of
//! `ngx_http_upstream.c` takes the name that `ngx_http_upstream_round_robin.c` leaves when it finds no server).

use super::super::again::{Answer, Look};
use super::super::host::Host;
use crate::clock;
use crate::format::record::AccessRecord;
use crate::report::Evidence;
use crate::scan::{Dimension, FailureTally};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Retried requests that are read again at most, spread evenly.
const LOOKED_AT: usize = 48;
/// So many answers of servers that were passed over are no accident.
const PASSED: usize = 3;
/// Names that are listed.
const LISTED: usize = 3;
/// So many requests that were not answered in time are what the servers were marked for.
pub(super) const TIMED_OUT: u64 = 3;

/// The category where nginx had no server left for most of `n` failed requests, what is said, and a line that shows it.
pub(super) fn seen(
    host: &Host<'_>,
    look: &Look,
    tally: &FailureTally,
    n: u64,
) -> Option<(&'static str, String, Option<Evidence>)> {
    let (servers, groups): (Vec<_>, Vec<_>) =
        tally.ranked(Dimension::Peer).into_iter().partition(|(name, _)| is_address(name));
    let count = |names: &[(&str, u64)]| names.iter().map(|(_, n)| n).sum::<u64>();
    let (first, _) = groups.first()?;
    // A format that has names alone, as of `$proxy_host`, says nothing.
    let at_servers = |peer: u64| look.text(peer).is_some_and(is_address);
    let peer = Dimension::Peer as usize;
    if 2 * count(&groups) <= n || !look.outside().any(|x| x.good() && at_servers(x.names[peer])) {
        return None;
    }
    let listed = |names: &[(&str, u64)]| {
        let names: Vec<&str> = names.iter().take(LISTED).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let asked_none = count(&groups);
    let of_them =
        if asked_none == n { "them".into() } else { format!("{} of them", clock::count(asked_none)) };
    let group = listed(&groups);
    let mut what = format!(
        "nginx asked no server for {of_them}, since it had marked all of {group} as failed ($upstream_addr has the name of \
         the group)"
    );
    if !servers.is_empty() {
        let failed = clock::count_of(count(&servers), "request");
        _ = write!(what, "; {failed} failed at {}", listed(&servers));
    }
    let timed_out = tally.statuses.get(&504).copied().unwrap_or(0);
    let category = if let Some(passed) = passed_over(host, look) {
        _ = write!(what, "; {}", passed.words());
        return Some(("upstream.app_error", what, Some(passed.line)));
    } else if timed_out >= TIMED_OUT {
        _ = write!(what, ", {} of them not answered in time (504)", clock::count(timed_out));
        "upstream.timeout"
    } else {
        "upstream.no_live"
    };
    let key = Dimension::Peer.key(first.as_bytes());
    let line = look.inside().find(|x| x.failed && x.names[peer] == key).map(|x| x.evidence(host));
    Some((category, what, line))
}

/// What servers answered themselves to requests that nginx then sent to the next one. With `proxy_next_upstream http_500`
/// and the like such an answer counts as a failure of the server, and nginx writes nothing of it
/// (`ngx_http_upstream_test_next`).
#[derive(Debug)]
pub(super) struct PassedOver {
    /// The commonest status.
    status: u16,
    /// Tries that had one of their own,
    own: usize,
    /// of so many.
    tries: usize,
    /// A line that shows one.
    pub(super) line: Evidence,
}

impl PassedOver {
    /// A clause that tells of it.
    pub(super) fn words(&self) -> String {
        let Self { status, own, tries, .. } = self;
        let (own, tries) = (clock::count(*own as u64), clock::count(*tries as u64));
        let of = if own == tries { format!("all {own}") } else { format!("{own} of {tries}") };
        format!(
            "servers answered themselves, most with {status}, in {of} tries looked at that nginx then passed on to another \
             one ($upstream_status): that marks a server as failed and has no record"
        )
    }
}

/// The answers that nginx passed over for the requests of a stretch, where most are the servers' own. 502 and 504 are also
/// what nginx notes of a server that it could not reach, or that did not answer.
pub(super) fn passed_over(host: &Host<'_>, look: &Look) -> Option<PassedOver> {
    let retried: Vec<&Answer> = look.inside().filter(|x| x.tried() > 1).collect();
    let (mut tries, mut line) = (0, None);
    let mut own: BTreeMap<u16, usize> = BTreeMap::new();
    for x in retried.iter().step_by(retried.len().div_ceil(LOOKED_AT).max(1)) {
        let evidence = x.evidence(host);
        let passed = host.read_again(&evidence, passed_by).unwrap_or_default();
        tries += passed.len();
        for status in passed.into_iter().filter(|s| !matches!(s, 502 | 504)) {
            *own.entry(status).or_default() += 1;
            line.get_or_insert_with(|| evidence.clone());
        }
    }
    let n: usize = own.values().sum();
    let (&status, _) = own.iter().max_by_key(|(_, n)| **n)?;
    (n >= PASSED && 2 * n > tries).then_some(PassedOver { status, own: n, tries, line: line? })
}

/// The statuses of the servers whose answers were passed over for a request: of all but the last.
fn passed_by(record: &AccessRecord<'_>) -> Vec<u16> {
    let text = |list: Option<&[u8]>| String::from_utf8_lossy(list.unwrap_or_default()).into_owned();
    let (peers, statuses) = (text(record.upstream_addr), text(record.upstream_status));
    let parts = |list: &str| -> Vec<String> {
        list.split(", ").flat_map(|part| part.split(" : ")).map(str::to_owned).collect()
    };
    let (peers, statuses) = (parts(&peers), parts(&statuses));
    let tries = peers.iter().zip(&statuses).take(peers.len().saturating_sub(1));
    tries.filter(|(peer, _)| is_address(peer)).filter_map(|(_, status)| status.parse().ok()).collect()
}

/// An address with a port, or a socket; a group has a plain name.
pub(super) fn is_address(name: &str) -> bool {
    name.contains(':')
}

#[cfg(test)]
mod tests {
    #[test]
    fn groups_are_told_from_servers() {
        for server in ["198.51.100.7:8080", "[2001:db8::7]:443", "unix:/run/app.sock"] {
            assert!(super::is_address(server), "{server}");
        }
        assert!(!super::is_address("app"));
    }
}
