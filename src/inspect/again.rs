//! A second look: the requests of a stretch of time, read again line by line.
//!
//! The scan counts every request by second and class; which client, which path, which peer it has for failures alone.
//! Where a verdict hangs on what the others did meanwhile (one client's retries, content that used to be there, one
//! host among several), the lines around the candidate are read again. What is kept has a bound; a stretch that holds
//! more is thinned to slices of time, spread evenly.

use super::host::Host;
use crate::detect::{Tick, Ticks};
use crate::format::record::AccessRecord;
use crate::reading::{self, Role};
use crate::report::Evidence;
use crate::scan::{Dimension, hash, last_peer, template};
use crate::time::{Second, Window};
use crate::timeline::Class;
use std::collections::{BTreeMap, HashMap};

/// Requests kept of one look, in all.
const MOST: u64 = 60_000;
/// Requests kept of all looks of a host; a log with many findings gets smaller ones.
const BUDGET: u64 = 300_000;
/// A look is not worth it below this.
const LEAST: u64 = 3_000;
/// Seconds on each side of a candidate that tell what is usual.
const AROUND: i64 = 600;
/// Slices that a stretch with too many requests is thinned to.
const SLICES: i64 = 24;
/// A request that its client gave up counts as failed when it had waited so long.
const PATIENCE_MS: u32 = 1000;

/// One request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// When it was dated: at its arrival for failures, where the log tells it; else when it ended.
    pub(super) second: Second,
    pub(super) class: Class,
    pub(super) status: u16,
    pub(super) failed: bool,
    /// How long it took, in milliseconds.
    pub(super) took: Option<u32>,
    /// How long upstreams took of that, in milliseconds.
    pub(super) upstream: Option<u32>,
    /// Hash of its client's address.
    pub(super) client: u64,
    /// Hash of its path, without query.
    pub(super) path: u64,
    /// Keys of its endpoint, virtual host and peer, in the order of [`Dimension::ALL`]; 0 where it has none.
    pub(super) names: [u64; 3],
    /// When its line was written.
    ended: Second,
    /// Where its line stands.
    file: u32,
    byte: u64,
}

impl Answer {
    /// Answered with 1xx to 3xx.
    pub(super) fn good(&self) -> bool {
        matches!(self.class, Class::Ok | Class::Redirect | Class::Info)
    }

    /// Its line.
    pub(super) fn evidence(&self, host: &Host<'_>) -> Evidence {
        host.access_line(self.file as usize, self.byte, self.ended)
    }
}

/// The requests around a candidate.
#[derive(Debug)]
pub(super) struct Look {
    /// In order of time.
    pub(super) answers: Vec<Answer>,
    /// The texts behind hashes and keys.
    texts: HashMap<u64, Box<str>>,
    /// The candidate.
    pub(super) inside: Window,
    /// What was looked at.
    pub(super) span: Window,
    /// Every request of the span is there; else slices of it.
    pub(super) complete: bool,
}

impl Look {
    /// Reads the requests inside a stretch and around it. `None` where they cannot be read again.
    fn around(host: &Host<'_>, inside: Window, most: u64) -> Option<Self> {
        let readable = |i: &&usize| {
            let read = &host.reads[**i];
            read.reading.role == Role::Access && reading::can_be_read_again(read)
        };
        let files: Vec<usize> = host.files.iter().filter(readable).copied().collect();
        let all = host.files.iter().filter(|&&i| host.reads[i].reading.role == Role::Access).count();
        let known = host.timeline.span().filter(|_| !files.is_empty() && files.len() == all)?;
        let span = Window {
            start: inside.start.saturating_sub(AROUND).max(known.start),
            end: inside.end.saturating_add(AROUND).min(known.end),
        };
        let parts = [
            Window { start: span.start, end: inside.start },
            inside,
            Window { start: inside.end, end: span.end },
        ];
        let mut complete = true;
        let mut windows = Vec::new();
        for part in parts.into_iter().filter(|p| p.start < p.end) {
            let n = requests(host, part);
            let slices = thin(part, n, most / 3);
            complete &= slices.len() == 1;
            windows.extend(slices);
        }
        let mut look = Self { answers: Vec::new(), texts: HashMap::new(), inside, span, complete };
        for file in files {
            look.read(host, file, &windows);
        }
        look.answers.sort_by_key(|a| (a.second, a.file, a.byte));
        Some(look)
    }

    fn read(&mut self, host: &Host<'_>, file: usize, windows: &[Window]) {
        let read = &host.reads[file];
        let mut room = Vec::new();
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return };
        // A packed file is unpacked from its beginning each time, so once for all windows.
        let once = [Window { start: first.start, end: last.end }];
        let asked: &[Window] = if read.reading.source.is_seekable() { windows } else { &once };
        for ask in asked {
            reading::each_request_between(read, ask.start..ask.end, &mut |byte, record, second| {
                let at = windows.partition_point(|w| w.end <= second);
                if windows.get(at).is_some_and(|w| w.contains(second))
                    && let Some(answer) = self.answer(record, (file, byte), second, &mut room)
                {
                    self.answers.push(answer);
                }
            });
        }
    }

    fn answer(
        &mut self,
        record: &AccessRecord<'_>,
        (file, byte): (usize, u64),
        end: Second,
        room: &mut Vec<u8>,
    ) -> Option<Answer> {
        let status = record.status?;
        let class = Class::of(status);
        let took = record.request_time;
        let failed = match class {
            Class::ServerError => true,
            Class::Aborted => took.is_some_and(|ms| ms >= PATIENCE_MS),
            _ => false,
        };
        let arrived = record.time.map_or(end * 1000, |t| t.millis) - i64::from(took.unwrap_or(0));
        let uri = record.uri.unwrap_or_default();
        template(uri, room);
        let path = &uri[..uri.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(uri.len())];
        let peer = record.upstream_addr.and_then(last_peer);
        let texts = [Some(room.as_slice()), record.vhost, peer];
        let named: [Option<(u64, &[u8])>; 3] = std::array::from_fn(|i| {
            texts[i].filter(|t| !t.is_empty()).map(|t| (Dimension::ALL[i].key(t), t))
        });
        let client = record.forwarded.or(record.client).unwrap_or_default();
        let client_key = hash(client);
        for (key, text) in named.into_iter().flatten().chain([(client_key, client)]) {
            self.texts.entry(key).or_insert_with(|| String::from_utf8_lossy(text).into());
        }
        Some(Answer {
            ended: end,
            second: if failed { arrived.div_euclid(1000) } else { end },
            class,
            status,
            failed,
            took,
            upstream: record.upstream_response_time.and_then(last_seconds),
            client: client_key,
            path: hash(path),
            names: named.map(|n| n.map_or(0, |n| n.0)),
            file: file as u32,
            byte,
        })
    }

    /// The text behind a hash or key.
    pub(super) fn text(&self, key: u64) -> Option<&str> {
        self.texts.get(&key).map(|t| &**t).filter(|t| !t.is_empty())
    }

    /// The requests that are dated inside the candidate.
    pub(super) fn inside(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|a| self.inside.contains(a.second))
    }

    /// The others.
    pub(super) fn outside(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|a| !self.inside.contains(a.second))
    }

    /// Counts per second: whether a request is bad, good, or (`None`) to be left out.
    pub(super) fn ticks(&self, judge: impl Fn(&Answer) -> Option<bool>) -> Counted {
        let mut ticks: Vec<Tick> = Vec::new();
        for (a, bad) in self.answers.iter().filter_map(|a| Some((a, judge(a)?))) {
            if ticks.last().is_none_or(|t| t.second != a.second) {
                ticks.push(Tick { second: a.second, ..Tick::default() });
            }
            if let Some(t) = ticks.last_mut() {
                t.failed += u32::from(bad);
                t.good += u32::from(!bad);
            }
        }
        Counted { ticks, span: self.span }
    }
}

/// The looks that were made at one host's requests.
#[derive(Debug, Default)]
pub struct Looks {
    made: BTreeMap<Window, Option<Look>>,
    kept: u64,
}

impl Looks {
    /// The look at a stretch and its surroundings, made when it was not made before. `None` where the requests cannot be
    /// read again, or too much was looked at already.
    pub(super) fn at(&mut self, host: &Host<'_>, inside: Window) -> Option<&Look> {
        let left = BUDGET.saturating_sub(self.kept).min(MOST);
        let kept = &mut self.kept;
        let made = self.made.entry(inside).or_insert_with(|| {
            let look = Some(left).filter(|n| *n >= LEAST).and_then(|n| Look::around(host, inside, n));
            *kept += look.as_ref().map_or(0, |l| l.answers.len() as u64);
            look
        });
        made.as_ref()
    }
}

/// Counts of a look, over its whole span.
#[derive(Debug)]
pub(super) struct Counted {
    ticks: Vec<Tick>,
    span: Window,
}

impl Ticks for Counted {
    fn each(&self, window: Window, visit: impl FnMut(Tick)) {
        self.ticks[..].each(window, visit);
    }

    fn span(&self) -> Option<Window> {
        let own = self.ticks[..].span()?;
        Some(Window { start: own.start.min(self.span.start), end: own.end.max(self.span.end) })
    }
}

/// The last number of a list of seconds with decimals, in milliseconds.
fn last_seconds(list: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(last_peer(list)?).ok()?;
    let seconds: f64 = text.parse().ok()?;
    (0.0..1e6).contains(&seconds).then_some((seconds * 1000.0) as u32)
}

fn requests(host: &Host<'_>, window: Window) -> u64 {
    let mut n = 0;
    host.timeline.each(window, |m| n += m.counts.iter().map(|c| u64::from(*c)).sum::<u64>());
    n
}

/// The window itself, or slices of it that hold about `most` of its `n` requests.
fn thin(window: Window, n: u64, most: u64) -> Vec<Window> {
    let seconds = window.end.saturating_sub(window.start);
    if n <= most || seconds <= SLICES {
        return vec![window];
    }
    let stride = seconds / SLICES;
    let length = ((seconds as f64 * most as f64 / n as f64) as i64 / SLICES).clamp(1, stride);
    (0..SLICES)
        .map(|i| window.start + i * stride)
        .map(|start| Window { start, end: (start + length).min(window.end) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_thinned_evenly() {
        let window = Window { start: 100, end: 100 + 3600 };
        assert_eq!(thin(window, 1000, 1000), [window]);
        let slices = thin(window, 1_000_000, 80_000);
        assert_eq!(slices.len(), SLICES as usize);
        let covered: i64 = slices.iter().map(|w| w.end - w.start).sum();
        assert!((200..=300).contains(&covered), "{covered}");
        assert!(slices.windows(2).all(|w| w[0].end <= w[1].start));
        assert!(slices.iter().all(|w| window.start <= w.start && w.end <= window.end));
    }

    #[test]
    fn upstream_times_are_read_from_the_end() {
        assert_eq!(last_seconds(b"0.100, 0.250"), Some(250));
        assert_eq!(last_seconds(b"0.001 : 1.5"), Some(1500));
        assert_eq!(last_seconds(b"-"), None);
    }
}
