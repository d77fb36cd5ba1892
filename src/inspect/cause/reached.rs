//! How far nginx came with an upstream, by the times that it logs of each step.
//!
//! `$upstream_connect_time` is set when a connection stands and `$upstream_header_time` when a header was read that nginx
//! could use; each is `-` where it never came to that (`ngx_http_upstream.c`). So a status with a header time is what the
//! upstream itself said, and one without a connect time that of a connection that was not made.

use super::super::host::Host;
use super::none_live::is_address;
use crate::format::record::AccessRecord;
use crate::format::{AccessFormat, Field};
use crate::scan::last_peer;
use crate::time::Window;

/// Kept failures that are looked at, and fewer show nothing.
const MOST: usize = 100;
const LEAST: u32 = 5;
/// The part of them that must have come equally far.
const ALIKE: f64 = 0.9;

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// No connection was made.
    Nothing,
    /// It was, but no header came that nginx could use.
    Connection,
    /// The upstream answered.
    Header,
}

impl Reached {
    /// The category, how sure it is, and what is said of requests with this status that came so far; `at_once` where they
    /// took no time.
    pub(super) fn shows(
        self,
        status: u16,
        at_once: bool,
    ) -> Option<(&'static str, &'static str, &'static str)> {
        Some(match (self, status) {
            (Self::Header, _) => (
                "upstream.app_error",
                "certain",
                "the upstream answered so itself ($upstream_header_time is logged of them)",
            ),
            (Self::Nothing, 504) => (
                "upstream.timeout",
                "likely",
                "no connection to the upstream was made in time ($upstream_connect_time is \"-\")",
            ),
            (Self::Connection, 504) => (
                "upstream.timeout",
                "likely",
                "the upstream took the connection and did not answer in time ($upstream_header_time is \"-\")",
            ),
            (Self::Nothing, 502) if at_once => (
                "upstream.refused",
                "likely",
                "no connection to the upstream was made, and that took no time ($upstream_connect_time is \"-\"): it was \
                 refused, or there was no way",
            ),
            (Self::Connection, 502) => (
                "upstream.closed_early",
                "possible",
                "the upstream took the connection and sent no answer that nginx could use ($upstream_header_time is \"-\"): \
                 it closed or reset it, or sent nonsense; which of these, only an error log tells",
            ),
            _ => return None,
        })
    }
}

/// How far nginx came with the upstreams of nearly all requests that failed with this status, where the format tells.
pub(super) fn seen(host: &Host<'_>, window: Window, status: u16) -> Option<Reached> {
    let mut counts = [0; 3];
    let mut all = 0;
    host.each_failed_answer(window, MOST, |format, record| {
        if record.status == Some(status) {
            all += 1;
            if let Some(reached) = of(format, record) {
                counts[reached as usize] += 1;
            }
        }
    });
    let alike = |reached: &Reached| f64::from(counts[*reached as usize]) >= ALIKE * f64::from(all);
    [Reached::Nothing, Reached::Connection, Reached::Header].into_iter().find(|r| all >= LEAST && alike(r))
}

fn of(format: &AccessFormat, record: &AccessRecord<'_>) -> Option<Reached> {
    let given = |list: Option<&[u8]>| list.and_then(last_peer).is_some();
    if given(record.upstream_header_time) {
        return Some(Reached::Header);
    }
    // Where no upstream was asked the times are `-` as well.
    let asked = if format.has(&Field::UpstreamAddr) {
        let peer = record.upstream_addr.and_then(last_peer)?;
        std::str::from_utf8(peer).is_ok_and(is_address)
    } else {
        given(record.upstream_response_time)
    };
    if !asked || !format.has(&Field::UpstreamConnectTime) {
        return None;
    }
    if !given(record.upstream_connect_time) {
        return Some(Reached::Nothing);
    }
    format.has(&Field::UpstreamHeaderTime).then_some(Reached::Connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_told_by_its_time() {
        let all = "$msec $status $upstream_addr|$upstream_connect_time|$upstream_header_time|$upstream_response_time";
        let format = AccessFormat::from_directive("x", all, None).unwrap();
        let reached = |line: &str| {
            let line = format!("1772355600.250 502 {line}");
            of(&format, &format.parse(line.as_bytes()).unwrap())
        };
        assert_eq!(reached("10.0.0.1:80|-|-|0.000"), Some(Reached::Nothing));
        assert_eq!(reached("10.0.0.1:80|0.001|-|0.700"), Some(Reached::Connection));
        assert_eq!(reached("10.0.0.1:80|0.001|0.080|0.080"), Some(Reached::Header));
        // The last try decides.
        assert_eq!(reached("10.0.0.1:80, 10.0.0.2:80|0.001, -|-, -|3.000, 0.000"), Some(Reached::Nothing));
        assert_eq!(reached("10.0.0.1:80, 10.0.0.2:80|-, 0.001|-, 0.020|0.000, 0.021"), Some(Reached::Header));
        // No server was asked, or none was left.
        assert_eq!(reached("-|-|-|-"), None);
        assert_eq!(reached("app|-|-|0.000"), None);
        let brief = AccessFormat::from_directive("x", "$msec $status $upstream_response_time", None).unwrap();
        assert_eq!(of(&brief, &brief.parse(b"1772355600.250 502 0.000").unwrap()), None);
    }
}
