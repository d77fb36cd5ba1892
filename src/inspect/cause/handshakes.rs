//! Silences in which clients came, and ended the connection before they asked: TLS handshakes that fail all at once.
//!
//! nginx logs a client that breaks off a handshake at `info` (`ngx_ssl_handshake`, `ngx_event_openssl.c`), for scanners
//! and old browsers do it all day. When the certificate is one that clients refuse, nearly all do, and the access log has
//! no line of it.

use super::super::host::{Host, Said};
use crate::clock;
use crate::detect::Anomaly;
use crate::report::Cause;
use crate::time::Window;

/// Fewer records are some scanner's,
const LEAST: u64 = 20;
/// as are those that come no more often than so many times as before,
const TIMES: f64 = 10.0;
/// and those that are fewer than this part of the requests that were to be expected.
const PART: f64 = 0.3;
/// Seconds before that tell what is usual.
const BEFORE: i64 = 600;

/// The handshakes that failed instead of the requests that did not come.
pub(super) fn cause(host: &Host<'_>, a: &Anomaly, window: Window) -> Option<Cause> {
    let mine = || host.said.iter().filter(|s| host.category(s.class) == "client.tls");
    let count = |w: Window| mine().map(|s| s.count_in(w)).sum::<u64>();
    let n = count(window);
    let before = Window { start: window.start - BEFORE, end: window.start };
    let usual = count(before) as f64 * (window.end - window.start) as f64 / BEFORE as f64;
    let expected = a.expected_requests.map_or(0.0, |e| e.value);
    if n < LEAST || (n as f64) < TIMES * usual || (n as f64) < PART * expected {
        return None;
    }
    let inside = || mine().filter(|s| s.count_in(window) > 0);
    let (first, last): (&Said, &Said) = (inside().next()?, inside().next_back()?);
    let mut evidence = vec![host.evidence(first.file, &first.sample)];
    if !std::ptr::eq(first, last) {
        evidence.push(host.evidence(last.file, &last.sample));
    }
    Some(Cause {
        category: "client.tls".into(),
        confidence: "likely",
        summary: format!(
            "clients came, but TLS handshakes with them failed: {} in the error log, {} usually in such a time; a \
             certificate that clients refuse does that",
            clock::count_of(n, "record"),
            clock::count(usual.round() as u64),
        ),
        evidence,
    })
}
