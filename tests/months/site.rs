//! Months of a site's log, written day by day: visitors with sessions and page parts, days and weeks, robots, retry
//! loops, jobs, spikes, and endpoints that always fail a little. Unkind on purpose, and without any outage unless one is
//! asked for.

use crate::support::{self, Random};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// A failure of upstreams: in `from..to` (seconds from the start) this share of what is not static fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) share: f64,
}

/// What a site is like; most of it follows from the seed.
#[derive(Debug, Clone)]
pub(crate) struct Months {
    pub(crate) seed: u64,
    pub(crate) days: u32,
    /// Requests a second on average.
    pub(crate) rate: f64,
    /// With `$request_time` at the end of the line.
    pub(crate) timed: bool,
    pub(crate) faults: Vec<Fault>,
}

#[derive(Debug)]
struct Hit {
    ended: f64,
    client: u32,
    path: String,
    status: u16,
    took: f64,
}

/// Path, weight, median seconds, share that fails always.
const PAGES: [(&str, f64, f64, f64); 8] = [
    ("/", 20.0, 0.05, 0.0002),
    ("/item/", 30.0, 0.08, 0.0005),
    ("/search?q=", 10.0, 0.2, 0.001),
    ("/cart", 5.0, 0.09, 0.0005),
    ("/login", 3.0, 0.1, 0.0),
    ("/api/stock/", 12.0, 0.03, 0.002),
    ("/feed.xml", 4.0, 0.02, 0.0),
    ("/report/", 0.3, 4.0, 0.03),
];
const DAY: f64 = 86_400.0;
/// Requests of one visit on average, parts of pages included.
const VISIT: f64 = 9.0;

/// Things that are no outage, each at its own times.
#[derive(Debug, Default)]
struct Odd {
    /// (start, end, factor) of crowds.
    spikes: Vec<(f64, f64, f64)>,
    /// (start, requests, seconds between them, client, path, status) of single clients and of robots in many hands.
    loops: Vec<(f64, u32, f64, u32, &'static str, u16, u32)>,
}

impl Months {
    fn odd(&self, r: &mut Random) -> Odd {
        let mut odd = Odd::default();
        let end = f64::from(self.days) * DAY;
        let some = |r: &mut Random, a_month: f64| {
            let mut at = Vec::new();
            let mut t = r.waiting(30.0 * DAY / a_month);
            while t < end {
                at.push(t);
                t += r.waiting(30.0 * DAY / a_month);
            }
            at
        };
        for t in some(r, 4.0) {
            let (length, factor) = (r.waiting(900.0), 2.0 + 10.0 * r.share());
            odd.spikes.push((t, t + length, factor));
        }
        // One client that tries again and again, at a page that fails for it alone.
        for t in some(r, 6.0) {
            let n = 5 + r.waiting(80.0) as u32;
            let gap = 0.2 + r.waiting(2.0);
            odd.loops.push((t, n, gap, r.below(1 << 24) as u32, "/api/stock/9", 500, 1));
        }
        // Scanners.
        for t in some(r, 40.0) {
            let n = 50 + r.waiting(500.0) as u32;
            odd.loops.push((t, n, 0.05 + r.share(), r.below(1 << 24) as u32, "/wp-login.php", 404, 1));
        }
        // One client that provokes errors with odd requests.
        for t in some(r, 5.0) {
            odd.loops.push((t, 30 + r.below(200) as u32, 0.5, r.below(1 << 24) as u32, "/item/%27", 500, 1));
        }
        // A client over its limit.
        for t in some(r, 5.0) {
            odd.loops.push((
                t,
                100 + r.below(900) as u32,
                0.1,
                r.below(1 << 24) as u32,
                "/search?q=a",
                503,
                1,
            ));
        }
        // A net of robots at a page that is broken for everybody and always.
        for t in some(r, 1.0) {
            odd.loops.push((t, 300, 6.0, r.below(1 << 24) as u32, "/old/export.cgi", 500, 150));
        }
        odd
    }

    /// Writes the log and returns its number of lines.
    pub(crate) fn write(&self, path: &Path) -> u64 {
        let mut r = Random(self.seed);
        let odd = self.odd(&mut r);
        let mut out = BufWriter::new(File::create(path).unwrap());
        let mut waiting: Vec<Hit> = Vec::new();
        let (mut lines, mut wobble) = (0, 0.0f64);
        let depth = 0.5 + 0.45 * r.share();
        let probes = r.share() < 0.5;
        for day in 0..self.days {
            let from = f64::from(day) * DAY;
            let weekend = if day % 7 >= 5 { 0.7 } else { 1.0 };
            for minute in 0..1440 {
                let at = from + f64::from(minute) * 60.0;
                wobble = 0.95 * wobble + 0.06 * r.normal();
                let curve = 1.0 - depth * (at / DAY * std::f64::consts::TAU).cos();
                let crowd = odd.spikes.iter().find(|s| (s.0..s.1).contains(&at)).map_or(1.0, |s| s.2);
                let visits = self.rate / VISIT * curve * weekend * crowd * wobble.exp();
                let mut t = at + r.waiting(1.0 / visits);
                while t < at + 60.0 {
                    self.visit(t, &mut r, &mut waiting);
                    t += r.waiting(1.0 / visits);
                }
                if probes {
                    for k in 0..4 {
                        let ended = at + 15.0 * f64::from(k) + 0.3;
                        waiting.push(Hit {
                            ended,
                            client: 1,
                            path: "/healthz".into(),
                            status: 200,
                            took: 0.001,
                        });
                    }
                }
                // A job every hour, with one slow request.
                if minute % 60 == 5 {
                    for k in 0..20 {
                        let ended = at + f64::from(k);
                        let took = if k == 19 { 9.0 } else { 0.3 };
                        waiting.push(Hit {
                            ended: ended + took,
                            client: 2,
                            path: format!("/api/stock/{k}"),
                            status: 200,
                            took,
                        });
                    }
                }
            }
            for &(start, n, gap, client, path, status, hands) in &odd.loops {
                if (from..from + DAY).contains(&start) {
                    for k in 0..n {
                        let ended = start + f64::from(k) * gap * (0.5 + r.share());
                        let client = client + if hands > 1 { r.below(u64::from(hands)) as u32 } else { 0 };
                        waiting.push(Hit { ended, client, path: path.into(), status, took: 0.01 });
                    }
                }
            }
            waiting.sort_by(|a, b| a.ended.total_cmp(&b.ended));
            let ready = waiting.partition_point(|h| h.ended < from + DAY);
            for h in waiting.drain(..ready) {
                lines += 1;
                self.line(&mut out, &h);
            }
        }
        lines
    }

    fn visit(&self, mut t: f64, r: &mut Random, hits: &mut Vec<Hit>) {
        let client = if r.share() < 0.3 { 1000 + r.below(500) as u32 } else { r.below(1 << 24) as u32 };
        let total: f64 = PAGES.iter().map(|p| p.1).sum();
        loop {
            let mut left = r.share() * total;
            let page = PAGES.iter().find(|p| {
                left -= p.1;
                left < 0.0
            });
            let &(path, _, median, fails) = page.unwrap_or(&PAGES[0]);
            let took = median * (0.6 * r.normal()).exp() * if r.share() < 0.002 { 30.0 } else { 1.0 };
            let mut path = path.to_owned();
            if path.ends_with(['/', '=']) && path.len() > 1 {
                path += &r.below(3000).to_string();
            }
            let fault = self.faults.iter().find(|f| (f.from..f.to).contains(&t));
            let failed = fault.map_or(r.share() < fails, |f| r.share() < f.share);
            let status = match r.share() {
                _ if failed => {
                    if fault.is_some() {
                        502
                    } else {
                        500
                    }
                }
                x if x < 0.01 => 404,
                x if x < 0.015 => 499,
                x if x < 0.06 => 302,
                _ => 200,
            };
            hits.push(Hit { ended: t + took, client, path, status, took });
            if status == 500 && r.share() < 0.5 {
                // People press reload.
                for k in 0..=r.below(4) {
                    let ended = t + took + 2.0 * (k + 1) as f64;
                    hits.push(Hit { ended, client, path: "/cart".into(), status: 500, took: 0.05 });
                }
            }
            if status == 200 {
                for _ in 0..r.below(5) {
                    let ended = t + took + r.share();
                    let path = format!("/static/{}.js", r.below(40));
                    let status = if r.share() < 0.3 { 304 } else { 200 };
                    hits.push(Hit { ended, client, path, status, took: 0.001 });
                }
            }
            if r.share() < 0.33 {
                return;
            }
            t += r.waiting(25.0);
        }
    }

    fn line(&self, out: &mut BufWriter<File>, h: &Hit) {
        let time = support::time_local(support::TEN + h.ended as i64, 120);
        let [_, a, b, c] = h.client.to_be_bytes();
        let Hit { path, status, took, .. } = h;
        let bytes = if *status == 200 { 4000 } else { 153 };
        write!(
            out,
            "10.{a}.{b}.{c} - - [{time}] \"GET {path} HTTP/1.1\" {status} {bytes} \"-\" \"Mozilla/5.0\""
        )
        .unwrap();
        if self.timed { writeln!(out, " {took:.3}") } else { writeln!(out) }.unwrap();
    }
}
