//! A second look: the requests of a stretch of time, read again line by line.
//!
//! The scan counts every request by second and class; which client, which path, which peer it has for failures alone.
//! Where a verdict hangs on what the others did meanwhile (one client's retries, content that used to be there, one
//! host among several), the lines around the candidate are read again. What is read has a bound; of a stretch that holds
//! more, some lines are read at places spread evenly.

use super::host::Host;
use crate::detect::{Tick, Ticks};
use crate::format::record::AccessRecord;
use crate::reading::{self, Requests, Role};
use crate::report::Evidence;
use crate::scan::{Dimension, hash, last_peer, template};
use crate::time::{Second, Window};
use crate::timeline::{Class, Classes};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// Requests read for one look at most, in all.
const MOST: u64 = 20_000;
/// Requests read for all looks of a host: this part of those the scan counted, for a line costs ten times as much here as
/// there; but so many, a tenth of a second's work, however small the log.
const PART: u64 = 100;
const LEAST_OF_ALL: u64 = 100_000;
/// Bytes that are unpacked again for a look; or a quarter of all, where there are many files.
const UNPACKED: u64 = 64 << 20;
/// A look is not worth it below this.
const LEAST: u64 = 3_000;
/// Seconds on each side of a candidate that tell what is usual.
const AROUND: i64 = 600;
/// Seconds on each side in which the lines of its own requests stand: a failure is dated at its arrival and written when
/// it ended.
const CLOSE: i64 = 90;
/// A close look at so few requests is always made.
const FEW: u64 = 300;
/// Places over the whole log, and requests at each, that tell who its clients are.
const SAMPLE: (usize, usize) = (12, 150);
/// So many requests tell who asks.
const TELLING: u64 = 20;
/// Where a stretch holds too many requests, some are read at so many places,
const PLACES: usize = 4;
/// so many at each.
const EACH: usize = 600;
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
    /// Its tries at upstream peers in [`Look::tries`]: the first of them, and how many.
    tries: (u32, u32),
}

impl Answer {
    /// Answered with 1xx to 3xx.
    pub(super) fn good(&self) -> bool {
        matches!(self.class, Class::Ok | Class::Redirect | Class::Info)
    }

    /// When its request came, where the log tells it.
    pub(super) fn arrived(&self) -> Second {
        self.ended - i64::from(self.took.unwrap_or(0)) / 1000
    }

    /// Its line.
    pub(super) fn evidence(&self, host: &Host<'_>) -> Evidence {
        host.access_line(self.file as usize, self.byte, self.ended)
    }
}

/// One try at an upstream peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try {
    /// When its request is dated.
    pub(super) second: Second,
    /// Key of the peer.
    pub(super) peer: u64,
    /// nginx went on to another peer, or the request failed with it.
    pub(super) failed: bool,
}

/// The requests around a candidate.
#[derive(Debug)]
pub(super) struct Look {
    /// In order of time.
    pub(super) answers: Vec<Answer>,
    /// Tries at upstream peers, several a request where it was retried.
    pub(super) tries: Vec<Try>,
    /// The texts behind hashes and keys.
    texts: ByKey<Box<str>>,
    /// The candidate.
    pub(super) inside: Window,
    /// What was looked at.
    pub(super) span: Window,
    /// Every request of the span is there; else some of them.
    pub(super) complete: bool,
    /// Every request of the candidate is there.
    pub(super) complete_inside: bool,
    /// Who asks all the time.
    pub(super) usual: Rc<Usual>,
    /// File, byte and index of each answer, sorted.
    places: Vec<(u32, u64, u32)>,
}

/// The keys of texts are hashes already, and a look holds few enough of them: to hash them again with a secret was half
/// of what a request cost here.
#[derive(Debug, Default)]
pub(super) struct Mixed(u64);

/// By hash or key.
pub(super) type ByKey<T> = HashMap<u64, T, BuildHasherDefault<Mixed>>;

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        // The topmost byte of a key says only what kind of name it is, and the table looks at the topmost bits.
        self.0.rotate_left(32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*b);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl Look {
    /// Reads the requests inside a stretch and `reach` seconds around it. `None` where they cannot be read again.
    /// What `made` has read is not read again: looks at one stretch overlap.
    fn around<'l>(
        host: &Host<'_>,
        (inside, reach): (Window, i64),
        most: u64,
        usual: &Rc<Usual>,
        made: impl Iterator<Item = &'l Self>,
    ) -> Option<Self> {
        let readable = |i: &&usize| {
            let read = &host.reads[**i];
            read.reading.role == Role::Access && reading::can_be_read_again(read)
        };
        let files: Vec<usize> = host.files.iter().filter(readable).copied().collect();
        let all = host.files.iter().filter(|&&i| host.reads[i].reading.role == Role::Access).count();
        let known = host.timeline.span().filter(|_| !files.is_empty() && files.len() == all)?;
        let span = Window {
            start: inside.start.saturating_sub(reach).max(known.start),
            end: inside.end.saturating_add(reach).min(known.end),
        };
        let parts = [
            Window { start: span.start, end: inside.start },
            inside,
            Window { start: inside.end, end: span.end },
        ];
        let parts: Vec<(Window, bool)> = parts
            .into_iter()
            .filter(|p| p.start < p.end)
            .map(|p| (p, requests(host, p) <= most / 3))
            .collect();
        let complete = parts.iter().all(|p| p.1);
        let complete_inside = parts.iter().all(|p| p.1 || p.0 != inside);
        // In a packed file no place can be looked up: all of it has to be unpacked and read again.
        let packed = |i: &&usize| !host.reads[**i].reading.source.is_seekable();
        let again: u64 = files
            .iter()
            .filter(packed)
            .map(|&i| &host.reads[i].scan)
            .filter(|scan| scan.blocks.iter().any(|b| b.first < span.end && b.last >= span.start))
            .map(|scan| scan.bytes)
            .sum();
        let all: u64 = host.files.iter().map(|&i| host.reads[i].scan.bytes).sum();
        if again > 0 && (!complete || again > UNPACKED.max(all / 4)) {
            return None;
        }
        let mut look = Self {
            answers: Vec::new(),
            tries: Vec::new(),
            texts: ByKey::default(),
            inside,
            span,
            complete,
            complete_inside,
            usual: Rc::clone(usual),
            places: Vec::new(),
        };
        // A page that is written again and again while the list grows is a page that has to be cleared.
        look.answers.reserve(if complete { requests(host, span) as usize } else { 0 });
        let made: Vec<&Self> = made.filter(|l| l.span.overlaps(span)).collect();
        for file in files {
            look.read(host, file, &parts, &made);
        }
        look.answers.sort_by_key(|a| (a.second, a.file, a.byte));
        look.places = look.answers.iter().zip(0..).map(|(a, i)| (a.file, a.byte, i)).collect();
        look.places.sort_unstable();
        Some(look)
    }

    fn read(&mut self, host: &Host<'_>, file: usize, parts: &[(Window, bool)], made: &[&Self]) {
        let read = &host.reads[file];
        let site = read.reading.plan.site.as_deref();
        let whole = [(self.span, true)];
        for &(part, all) in if self.complete { &whole[..] } else { parts } {
            let range = part.start..part.end;
            let mut reader = Reader { look: self, made, file, site, part, room: Vec::new() };
            if all {
                reading::each_request_between(read, range, &mut reader);
            } else {
                reading::some_requests_between(read, range, (PLACES, EACH), &mut reader);
            }
        }
    }

    /// The answer whose line stands at a byte of a file.
    fn at(&self, file: usize, byte: u64) -> Option<&Answer> {
        let place = self.places.binary_search_by_key(&(file as u32, byte), |p| (p.0, p.1)).ok()?;
        self.answers.get(self.places[place].2 as usize)
    }

    /// Takes an answer over from another look.
    fn take(&mut self, from: &Self, answer: &Answer) {
        let first = self.tries.len() as u32;
        let (start, n) = answer.tries;
        let tries = from.tries.iter().skip(start as usize).take(n as usize);
        self.tries.extend(tries);
        let peers = self.tries[first as usize..].iter().map(|t| t.peer);
        for key in answer.names.into_iter().filter(|key| *key != 0).chain([answer.client]).chain(peers) {
            if let (Entry::Vacant(slot), Some(text)) = (self.texts.entry(key), from.texts.get(&key)) {
                slot.insert(text.clone());
            }
        }
        self.answers.push(Answer { tries: (first, n), ..*answer });
    }

    fn answer(
        &mut self,
        record: &AccessRecord<'_>,
        site: Option<&[u8]>,
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
        let texts = [Some(room.as_slice()), record.vhost.or(site), peer];
        let named: [Option<(u64, &[u8])>; 3] = std::array::from_fn(|i| {
            texts[i].filter(|t| !t.is_empty()).map(|t| (Dimension::ALL[i].key(t), t))
        });
        let client = client(record);
        let client_key = hash(client);
        for (key, text) in named.into_iter().flatten().chain([(client_key, client)]) {
            self.texts.entry(key).or_insert_with(|| String::from_utf8_lossy(text).into());
        }
        let second = if failed { arrived.div_euclid(1000) } else { end };
        let first = self.tries.len() as u32;
        for (peer, passed_over) in record.upstream_addr.into_iter().flat_map(peers) {
            let key = Dimension::Peer.key(peer);
            self.texts.entry(key).or_insert_with(|| String::from_utf8_lossy(peer).into());
            self.tries.push(Try { second, peer: key, failed: passed_over.unwrap_or(failed) });
        }
        Some(Answer {
            ended: end,
            second,
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
            tries: (first, self.tries.len() as u32 - first),
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

/// Reads a part of a look.
struct Reader<'a> {
    look: &'a mut Look,
    /// Looks that may have read the same lines.
    made: &'a [&'a Look],
    file: usize,
    /// The site whose log it is, where its name says so.
    site: Option<&'a [u8]>,
    part: Window,
    room: Vec<u8>,
}

impl Requests for Reader<'_> {
    fn visit(&mut self, byte: u64, record: &AccessRecord<'_>, second: Second) {
        let answer = self.look.answer(record, self.site, (self.file, byte), second, &mut self.room);
        self.look.answers.extend(answer);
    }

    fn has(&mut self, byte: u64) -> bool {
        let known = self.made.iter().find_map(|look| Some((*look, look.at(self.file, byte)?)));
        if let Some((look, answer)) = known
            && self.part.contains(answer.ended)
        {
            self.look.take(look, answer);
        }
        known.is_some()
    }
}

/// The looks that were made at one host's requests.
#[derive(Debug, Default)]
pub struct Looks {
    made: BTreeMap<(Window, i64), Option<Look>>,
    kept: u64,
    usual: Option<Rc<Usual>>,
}

impl Looks {
    /// The look at a stretch and its surroundings, made when it was not made before. `None` where the requests cannot be
    /// read again, or too much was looked at already.
    pub(super) fn at(&mut self, host: &Host<'_>, inside: Window) -> Option<&Look> {
        let left = self.left(host);
        self.made(host, inside, AROUND, Some(left).filter(|n| *n >= LEAST))
    }

    /// The look at the requests of a stretch alone.
    pub(super) fn close(&mut self, host: &Host<'_>, inside: Window) -> Option<&Look> {
        let wide = Window { start: inside.start - CLOSE, end: inside.end + CLOSE };
        let few = requests(host, wide) <= FEW;
        let left = self.left(host);
        self.made(host, inside, CLOSE, if few { Some(3 * FEW) } else { Some(left).filter(|n| *n >= LEAST) })
    }

    fn left(&self, host: &Host<'_>) -> u64 {
        let counted: u64 = host.files.iter().map(|&i| host.reads[i].scan.requests).sum();
        (counted / PART).max(LEAST_OF_ALL).saturating_sub(self.kept).min(MOST)
    }

    fn made(&mut self, host: &Host<'_>, inside: Window, reach: i64, most: Option<u64>) -> Option<&Look> {
        let usual = self.usual(host);
        if !self.made.contains_key(&(inside, reach)) {
            let made = self.made.values().flatten();
            let look = most.and_then(|n| Look::around(host, (inside, reach), n, &usual, made));
            self.kept += look.as_ref().map_or(0, |l| l.answers.len() as u64);
            self.made.insert((inside, reach), look);
        }
        self.made.get(&(inside, reach))?.as_ref()
    }

    /// Who asks, from some requests spread over the log; empty where no place can be looked up.
    fn usual(&mut self, host: &Host<'_>) -> Rc<Usual> {
        let sample = || {
            let mut usual = Usual::default();
            let mut visit = |_: u64, record: &AccessRecord<'_>, _: Second| usual.add(hash(client(record)));
            for read in host.files.iter().map(|&i| &host.reads[i]) {
                if read.reading.role == Role::Access && read.reading.source.is_seekable() {
                    reading::some_requests_between(
                        read,
                        Window::ALL.start..Window::ALL.end,
                        SAMPLE,
                        &mut visit,
                    );
                }
            }
            Rc::new(usual)
        };
        Rc::clone(self.usual.get_or_insert_with(sample))
    }
}

/// How many requests each client made.
#[derive(Debug, Default)]
pub(super) struct Usual {
    by_client: ByKey<u64>,
    all: u64,
}

impl Usual {
    pub(super) fn add(&mut self, client: u64) {
        *self.by_client.entry(client).or_default() += 1;
        self.all += 1;
    }

    /// The part these clients made together; `None` where too few requests were seen.
    pub(super) fn part(&self, clients: &[u64]) -> Option<f64> {
        let theirs: u64 = clients.iter().filter_map(|c| self.by_client.get(c)).sum();
        (self.all >= TELLING).then(|| theirs as f64 / self.all as f64)
    }
}

/// Who asked: the client a proxy in front names, else the one that connected.
fn client<'r>(record: &AccessRecord<'r>) -> &'r [u8] {
    record.forwarded.or(record.client).unwrap_or_default()
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

/// The peers of an `$upstream_addr` list in order. `Some(true)` is one that failed, since nginx went on to the next;
/// `Some(false)` one that answered, with an internal redirect to another group; of the last the request itself tells.
fn peers(list: &[u8]) -> impl Iterator<Item = (&[u8], Option<bool>)> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr::memchr2(b',', b' ', text).unwrap_or(text.len());
        let behind = &text[end..];
        let passed_over = if behind.starts_with(b", ") {
            Some(true)
        } else if behind.starts_with(b" : ") {
            Some(false)
        } else {
            None
        };
        rest = passed_over.map(|failed| &behind[if failed { 2 } else { 3 }..]);
        Some((&text[..end], passed_over))
    })
    .filter(|(peer, _)| !peer.is_empty() && *peer != b"-")
}

/// The last number of a list of seconds with decimals, in milliseconds.
fn last_seconds(list: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(last_peer(list)?).ok()?;
    let seconds: f64 = text.parse().ok()?;
    (0.0..1e6).contains(&seconds).then_some((seconds * 1000.0) as u32)
}

fn requests(host: &Host<'_>, window: Window) -> u64 {
    let mut n = 0;
    host.timeline.each_sum(window, [Classes::ALL, Classes::NONE], |s| n += u64::from(s.lines[0]));
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_retried_requests_each_peer_is_told() {
        let told = |list: &'static str| {
            let name = |(p, failed): (&[u8], Option<bool>)| (String::from_utf8_lossy(p).into_owned(), failed);
            peers(list.as_bytes()).map(name).collect::<Vec<_>>()
        };
        let one = |name: &str, failed| (name.to_owned(), failed);
        assert_eq!(told("10.0.0.1:80"), [one("10.0.0.1:80", None)]);
        assert_eq!(
            told("10.0.0.1:80, unix:/a.sock : [::1]:80"),
            [one("10.0.0.1:80", Some(true)), one("unix:/a.sock", Some(false)), one("[::1]:80", None)]
        );
        assert_eq!(told("-"), []);
        assert_eq!(told(""), []);
    }

    #[test]
    fn upstream_times_are_read_from_the_end() {
        assert_eq!(last_seconds(b"0.100, 0.250"), Some(250));
        assert_eq!(last_seconds(b"0.001 : 1.5"), Some(1500));
        assert_eq!(last_seconds(b"-"), None);
    }
}
