//! A made site: visitors, endpoints, robots, and its logs in several formats.

use crate::support::{self, Random};
use downtime::report::Report;
use std::fmt::Write as _;

/// One request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hit {
    /// Seconds from the start at which it arrived.
    pub(crate) at: f64,
    pub(crate) client: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    /// Seconds it took.
    pub(crate) took: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Combined,
    Timed,
    TimedPeers,
    Json,
}

#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) seed: u64,
    pub(crate) start: i64,
    pub(crate) seconds: f64,
    pub(crate) rate: f64,
    pub(crate) clients: u64,
    pub(crate) format: Format,
    pub(crate) offset: i64,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            seed: 1,
            start: support::TEN,
            seconds: 2400.0,
            rate: 6.0,
            clients: 500,
            format: Format::Combined,
            offset: 0,
        }
    }
}

/// Path, weight, median seconds.
const ENDPOINTS: [(&str, f64, f64); 9] = [
    ("/", 20.0, 0.06),
    ("/item/", 22.0, 0.08),
    ("/search", 9.0, 0.12),
    ("/cart", 4.0, 0.09),
    ("/api/stock", 8.0, 0.05),
    ("/login", 3.0, 0.1),
    ("/static/app.css", 12.0, 0.001),
    ("/static/app.js", 12.0, 0.001),
    ("/static/img/", 10.0, 0.002),
];

impl Site {
    /// Its ordinary traffic, with robots' 404s, some 499 and a few single failures.
    pub(crate) fn hits(&self) -> Vec<Hit> {
        let mut r = Random(self.seed);
        let total: f64 = ENDPOINTS.iter().map(|e| e.1).sum();
        let mut at = 0.0;
        let mut hits = Vec::new();
        loop {
            at -= (1.0 - r.share()).ln() / self.rate;
            if at >= self.seconds {
                return hits;
            }
            let mut left = r.share() * total;
            let (path, _, took) = ENDPOINTS
                .into_iter()
                .find(|e| {
                    left -= e.1;
                    left < 0.0
                })
                .unwrap_or(ENDPOINTS[0]);
            let mut path = path.to_owned();
            match path.as_str() {
                "/item/" => _ = write!(path, "{}", r.next() % 4000),
                "/static/img/" => _ = write!(path, "{}.jpg", r.next() % 300),
                "/search" => _ = write!(path, "?q={}", r.next() % 999),
                _ => {}
            }
            let mut took = took * (0.5 * r.normal()).exp();
            let mut status = if r.share() < 0.04 { 304 } else { 200 };
            let noise = r.share();
            if noise < 0.012 {
                (path, status, took) = (format!("/old-{}.php", r.next() % 50), 404, 0.001);
            } else if noise < 0.015 {
                (status, took) = (499, took.min(0.5));
            } else if noise < 0.0155 {
                status = 500;
            }
            let number = r.next() % self.clients;
            let client = format!("198.18.{}.{}", number / 250, number % 250 + 1);
            hits.push(Hit { at, client, path, status, took });
        }
    }

    fn line(&self, h: &Hit) -> String {
        let ended = self.start as f64 + h.at + h.took;
        let time = support::time_local(ended as i64, self.offset);
        let bytes = if h.status == 200 { 4000 } else { 153 };
        let Hit { client, path, status, took, .. } = h;
        let common = format!(
            "{client} - - [{time}] \"GET {path} HTTP/1.1\" {status:03} {bytes} \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\""
        );
        match self.format {
            Format::Combined => common,
            Format::Timed => format!("{common} {took:.3}"),
            Format::TimedPeers => {
                let own = path.starts_with("/static");
                let upstream = if own { "- -".to_owned() } else { format!("{took:.3} 10.0.0.5:8080") };
                format!("{common} {took:.3} {upstream}")
            }
            Format::Json => {
                let (sign, o) = (if self.offset < 0 { '-' } else { '+' }, self.offset.abs());
                let stamp =
                    support::time_error(ended as i64, self.offset).replace('/', "-").replace(' ', "T");
                format!(
                    "{{\"time\":\"{stamp}{sign}{:02}:{:02}\",\"remote_addr\":\"{client}\",\"request\":\"GET {path} HTTP/1.1\",\
                     \"status\":{status},\"body_bytes_sent\":{bytes},\"request_time\":{took:.3},\
                     \"http_user_agent\":\"Mozilla/5.0\"}}",
                    o / 60,
                    o % 60
                )
            }
        }
    }

    /// The report of logs with these requests and these error records (seconds from the start, and what follows the
    /// stamp).
    pub(crate) fn report(&self, hits: &[Hit], errors: &[(f64, String)]) -> Report {
        self.report_with(hits, errors, |_| ())
    }

    /// The same, when something happened to the lines of the access log (milliseconds from the start, and text).
    pub(crate) fn report_with(
        &self,
        hits: &[Hit],
        errors: &[(f64, String)],
        happens: impl FnOnce(&mut support::Lines),
    ) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let mut lines: support::Lines =
            hits.iter().map(|h| (((h.at + h.took) * 1000.0) as i64, self.line(h))).collect();
        lines.sort_by_key(|l| l.0);
        happens(&mut lines);
        support::write_lines(&folder.path().join("access.log"), &lines);
        if !errors.is_empty() {
            let record = |(at, text): &(f64, String)| {
                let second = self.start + *at as i64;
                (second, format!("{} {text}", support::time_error(second, self.offset)))
            };
            let mut lines: support::Lines = errors.iter().map(record).collect();
            lines.sort_by_key(|l| l.0);
            support::write_lines(&folder.path().join("error.log"), &lines);
        }
        support::report(&support::options(&[folder.path().to_owned()]))
    }
}
