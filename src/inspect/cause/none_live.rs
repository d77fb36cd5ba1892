//! Requests for which nginx had no server left, seen in the access log alone.
//!
//! Where every server of a group is marked as failed (`max_fails`, `fail_timeout`), nginx asks none and answers 502;
//! `$upstream_addr` then holds the name of the group, where it else has an address (`ngx_http_upstream_connect` of
//! `ngx_http_upstream.c` takes the name that `ngx_http_upstream_round_robin.c` leaves when it finds no server).

use super::super::again::Look;
use super::super::host::Host;
use crate::clock;
use crate::report::Evidence;
use crate::scan::{Dimension, FailureTally};
use std::fmt::Write as _;

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
    let category = if timed_out >= TIMED_OUT {
        _ = write!(what, ", {} of them not answered in time (504)", clock::count(timed_out));
        "upstream.timeout"
    } else {
        "upstream.no_live"
    };
    let key = Dimension::Peer.key(first.as_bytes());
    let line = look.inside().find(|x| x.failed && x.names[peer] == key).map(|x| x.evidence(host));
    Some((category, what, line))
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
