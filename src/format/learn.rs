//! Which formats a sample of lines has: tried in order of certainty (given, known by name, keys, guessed by shape)
//! until every line that can be read is read. Lines come without framing; nothing is read from files here.

use crate::format::access::AccessFormat;
use crate::format::builtin::{self, COMBINED};
use crate::format::directive::Field;
use crate::format::foreign::{self, Foreign};
use crate::format::json;
use crate::format::record::{AccessRecord, Level};
use crate::time::{ERROR_TIME_LEN, parse_error_time};
use std::sync::{Arc, LazyLock};

mod beside;
mod guess;
mod keys;
mod values;

pub use beside::learn_beside;

/// What a sample turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogKind {
    /// Access-log lines of the formats given.
    Access,
    /// An nginx error log.
    Error,
    /// Another program's log.
    Foreign(Foreign),
    /// Nothing we know; why.
    Unknown(String),
    /// No lines.
    Empty,
}

/// The outcome of [`learn`].
#[derive(Debug, Clone)]
pub struct Learned {
    /// What the lines are.
    pub kind: LogKind,
    /// The access formats found, the one with most lines first; usable as fallbacks in this order.
    pub formats: Vec<AccessFormat>,
    /// The share of lines read times how sure their format is: 1 where it was given or is known by name, 0.95 where
    /// values are named by keys, 0.85 where names were guessed from shapes, 0.6 where only the start is known.
    pub confidence: f64,
    /// The same in words.
    pub reason: Arc<str>,
    /// Where each of the formats came from.
    sources: Vec<Source>,
}

impl Learned {
    fn plain(kind: LogKind, confidence: f64, reason: impl Into<Arc<str>>) -> Self {
        let (formats, sources) = (Vec::new(), Vec::new());
        Self { kind, formats, confidence, reason: reason.into(), sources }
    }
}

/// Lines looked at; of more, an even choice. 1,000 lines find a format that has half a percent of the file with
/// better than 99 %.
const SAMPLE: usize = 1000;
/// Lines on which candidates must first show any hit.
const PROBE: usize = 48;
/// Formats kept of one file.
const FORMATS: usize = 6;

/// Learns what `lines` are. `known` are formats the user or nginx.conf gave: they come first, whatever else fits.
pub fn learn(lines: &[&[u8]], known: &[AccessFormat]) -> Learned {
    let sample = sampled(lines);
    if sample.is_empty() {
        return Learned::plain(LogKind::Empty, 0.0, "there are no lines");
    }
    let (errors, rest) = parted(&sample);
    if rest.is_empty() {
        return Learned::plain(LogKind::Error, 1.0, "all lines are nginx error-log records");
    }
    let found = choose(&rest, known, true);
    let told = found.iter().any(|c| c.source == Source::Given);
    if !told && let Some(stranger) = foreign::recognise(&rest) {
        // A stranger's lines beside nginx' own records (klog in an ingress container) do not disqualify these.
        return if 2 * errors.len() >= rest.len() {
            let share = errors.len() as f64 / sample.len() as f64;
            Learned::plain(
                LogKind::Error,
                share,
                format!("nginx error-log records beside lines of a {}", stranger.name),
            )
        } else {
            Learned::plain(LogKind::Foreign(stranger), 0.9, stranger.advice)
        };
    }
    learned(found, &rest, &errors, &sample).unwrap_or_else(|| without_formats(&sample, errors.len(), &rest))
}

/// The lines that are looked at.
fn sampled<'l>(lines: &[&'l [u8]]) -> Vec<&'l [u8]> {
    let full: Vec<&[u8]> = lines.iter().map(|l| l.trim_ascii_end()).filter(|l| !l.is_empty()).collect();
    let step = full.len().div_ceil(SAMPLE).max(1);
    full.into_iter().step_by(step).collect()
}

/// Error records, and the rest.
fn parted<'l>(sample: &[&'l [u8]]) -> (Vec<&'l [u8]>, Vec<&'l [u8]>) {
    sample.iter().partition(|l| is_error_line(l))
}

/// An access log, unless too few of its lines were read.
fn learned(found: Vec<Candidate>, rest: &[&[u8]], errors: &[&[u8]], sample: &[&[u8]]) -> Option<Learned> {
    let read: usize = found.iter().map(|c| c.matched).sum();
    if read == 0 || errors.len() > read * 20 && read * 50 < sample.len() {
        return None;
    }
    let weight: f64 = found.iter().map(|c| c.matched as f64 * c.source.factor()).sum();
    let reason = reason(&found, rest.len());
    let (formats, sources) = found.into_iter().map(|c| (c.format, c.source)).unzip();
    Some(Learned {
        kind: LogKind::Access,
        formats,
        confidence: weight / rest.len() as f64,
        reason: reason.into(),
        sources,
    })
}

fn without_formats(sample: &[&[u8]], errors: usize, rest: &[&[u8]]) -> Learned {
    if errors > 0 {
        // Records may span lines (stack traces), so lines without a frame cost little.
        let share = errors as f64 / sample.len() as f64;
        let reason = format!(
            "{errors} of {} lines are nginx error-log records, the rest may belong to them",
            sample.len()
        );
        return Learned::plain(LogKind::Error, 0.8 + 0.2 * share, reason);
    }
    if rest.iter().any(|l| values::has_time(l)) {
        let why = "lines have times, but no status or request could be found in them; give --log-format or --nginx-conf";
        return Learned::plain(LogKind::Unknown(why.into()), 0.0, why);
    }
    let plain = foreign::plain_text();
    Learned::plain(LogKind::Foreign(plain), 0.5, plain.advice)
}

fn reason(found: &[Candidate], of: usize) -> String {
    let parts: Vec<String> = found
        .iter()
        .map(|c| format!("{} of {of} lines are {} ({})", c.matched, c.format.name(), c.source.words()))
        .collect();
    parts.join("; ")
}

/// Where a format came from, in order of certainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// By the user or nginx.conf.
    Given,
    /// By name.
    Builtin,
    /// Values are named by keys or labels.
    Keys,
    /// Values are named by their shapes.
    Guessed,
    /// Starts as a known format does; the rest is read over.
    Start,
}

impl Source {
    fn factor(self) -> f64 {
        match self {
            Self::Given | Self::Builtin => 1.0,
            Self::Keys => 0.95,
            Self::Guessed => 0.85,
            Self::Start => 0.6,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Given => "as given",
            Self::Builtin => "a known format",
            Self::Keys => "named by its keys",
            Self::Guessed => "fields named by their shapes",
            Self::Start => "known at the start, the rest read over",
        }
    }
}

struct Candidate {
    format: AccessFormat,
    source: Source,
    matched: usize,
}

/// Greedy cover: the format that explains most of what is left, again and again.
fn choose(lines: &[&[u8]], known: &[AccessFormat], start: bool) -> Vec<Candidate> {
    let mut left: Vec<&[u8]> = lines.to_vec();
    let mut found: Vec<Candidate> = Vec::new();
    while !left.is_empty() && found.len() < FORMATS {
        let first = found.is_empty();
        let guessed_enough = if first && lines.len() < 20 { 1 } else { (lines.len() * 3 / 100).max(2) };
        let Some((format, source)) = best(&left, known, start) else { break };
        let before = left.len();
        let rest: Vec<&[u8]> = left.iter().copied().filter(|l| !reads(&format, l)).collect();
        let matched = before - rest.len();
        let enough = match source {
            Source::Given => 1,
            Source::Builtin => (lines.len() / 100).max(1),
            _ => guessed_enough,
        };
        if matched < enough {
            break;
        }
        left = rest;
        found.push(Candidate { format, source, matched });
    }
    // Raw quotes of escape=none: the same format again without escapes, if lines are left that only so are read.
    for i in 0..found.len() {
        let Some(raw) = found[i].format.unescaped() else { continue };
        let before = left.len();
        let rest: Vec<&[u8]> =
            left.iter().copied().filter(|l| !raw.parse(l).is_ok_and(|r| !is_odd(&raw, &r))).collect();
        let gained = before - rest.len();
        if gained > 0 && gained >= lines.len() / 50 && found.len() < FORMATS {
            left = rest;
            found.push(Candidate { format: raw, source: found[i].source, matched: gained });
        }
    }
    found.sort_by_key(|c| std::cmp::Reverse(c.matched));
    found
}

fn reads(format: &AccessFormat, line: &[u8]) -> bool {
    format.parse(line).is_ok_and(|r| r.time.is_some())
}

/// Known starts whose tail is read over, tried last.
static STARTS: LazyLock<Vec<AccessFormat>> = LazyLock::new(|| {
    let common = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#;
    let texts = ["", "$host ", "$host:$server_port "]
        .iter()
        .flat_map(|p| [format!("{p}{COMBINED}$tail"), format!("{p}{common} $tail")]);
    texts.filter_map(|t| AccessFormat::from_directive("combined_start", &t, None).ok()).collect()
});

fn best(left: &[&[u8]], known: &[AccessFormat], start: bool) -> Option<(AccessFormat, Source)> {
    let step = (left.len() / PROBE).max(1);
    let probe: Vec<&[u8]> = left.iter().copied().step_by(step).collect();
    let given = known.iter().map(|f| (f, Source::Given));
    // JSON and labels are named by what stands in the lines: a builtin of that kind would fit lines that merely
    // share a key with it, and miss the others.
    let named = builtin::all().iter().filter(|f| f.pieces().is_some()).map(|f| (f, Source::Builtin));
    if let Some((format, source, _)) = scored(given, left, &probe) {
        return Some((format.clone(), source));
    }
    let keyed: Vec<AccessFormat> = keys::learn(left).into_iter().collect();
    let named = scored(named, left, &probe);
    if let Some((format, source, score)) = named
        && (score > 0.9 * left.len() as f64
            || keyed.is_empty() && score > 0.5 * left.len() as f64 && !is_mostly_odd(format, left))
    {
        return Some((format.clone(), source));
    }
    let keyed = keyed.iter().map(|f| (f, Source::Keys));
    let known = scored_beside(named, keyed, left, &probe);
    // Guessing takes long, and no guess is surer than this.
    let sure = Source::Guessed.factor() * left.len() as f64;
    if let Some((format, source, _)) = known.filter(|k| k.2 >= sure) {
        return Some((format.clone(), source));
    }
    let guessed = guess::learn(left);
    let guessed = guessed.iter().map(|f| (f, Source::Guessed));
    let starts = STARTS.iter().filter(|_| start).map(|f| (f, Source::Start));
    scored_beside(known, guessed.chain(starts), left, &probe).map(|(f, s, _)| (f.clone(), s))
}

/// A format, where it came from, and its score.
type Scored<'f> = (&'f AccessFormat, Source, f64);

/// The candidate that reads most lines, each counted by its source's factor and halved where a value is odd for its
/// field; of equals the first.
fn scored<'f>(
    candidates: impl Iterator<Item = (&'f AccessFormat, Source)>,
    left: &[&[u8]],
    probe: &[&[u8]],
) -> Option<Scored<'f>> {
    scored_beside(None, candidates, left, probe)
}

/// The same where the best of some candidates before these is known.
fn scored_beside<'f>(
    mut best: Option<Scored<'f>>,
    candidates: impl Iterator<Item = (&'f AccessFormat, Source)>,
    left: &[&[u8]],
    probe: &[&[u8]],
) -> Option<Scored<'f>> {
    for (format, source) in candidates {
        let least = best.map_or(0.0, |b| b.2);
        // Not even with every line that is left.
        let hopeless = |sum: f64, more: usize| (sum + more as f64) * source.factor() <= least;
        if hopeless(0.0, left.len()) || source != Source::Given && !probe.iter().any(|l| reads(format, l)) {
            continue;
        }
        let mut sum = 0.0;
        for (i, line) in left.iter().enumerate() {
            sum += match format.parse(line) {
                Ok(r) if r.time.is_some() => {
                    if is_odd(format, &r) {
                        0.5
                    } else {
                        1.0
                    }
                }
                _ => 0.0,
            };
            if hopeless(sum, left.len() - 1 - i) {
                break;
            }
        }
        let score = sum * source.factor();
        if score > least {
            best = Some((format, source, score));
        }
    }
    best
}

/// Whether a record has a value that its field cannot well have: how two formats with one layout are told apart.
fn is_odd(format: &AccessFormat, r: &AccessRecord) -> bool {
    let list = |l: Option<&[u8]>| l.map_or(0, values::items);
    let upstream = r.upstream_response_time.and_then(values::list_seconds);
    r.forwarded.is_some_and(|f| !values::is_address_list(f))
        || r.vhost.is_some_and(|h| !values::is_host(h))
        || r.client.is_some_and(|c| !values::is_address(c) && !c.starts_with(b"unix:"))
        || r.status.is_some_and(|s| !matches!(s, 0 | 9 | 100..=599))
        || r.client.is_none() && format.has(&Field::RemoteAddr)
        || r.request_time.is_none() && format.has(&Field::RequestTime)
        || upstream.zip(r.request_time).is_some_and(|(u, t)| {
            // Each item is rounded by itself.
            u > t.saturating_add(1 + list(r.upstream_response_time) as u32)
        })
        || r.upstream_addr.is_some()
            && r.upstream_status.is_some()
            && list(r.upstream_addr) != list(r.upstream_status)
        // A peer has a port.
        || r.upstream_addr.is_some_and(|v| v.split(|c| *c == b',').any(values::is_address))
        || r.referer.is_some_and(|v| v.len() < 4)
        || r.user_agent.is_some_and(|v| values::is_seconds(v) || memchr::memmem::find(v, b"] \"").is_some())
        || r.request_id.is_some_and(|v| v.len() < 8)
}

/// Whether that is so of most records that a format reads: another of the same layout then fits better, if there is one.
fn is_mostly_odd(format: &AccessFormat, lines: &[&[u8]]) -> bool {
    let records = lines.iter().filter_map(|line| format.parse(line).ok());
    let (odd, all) = records.fold((0, 0), |(odd, all), r| (odd + usize::from(is_odd(format, &r)), all + 1));
    2 * odd > all
}

/// Whether a line starts an error-log record: `2026/03/01 10:00:00 [error] 7#7: `, the form on stderr
/// (`nginx: [emerg] `), or Angie's JSON object.
pub(crate) fn is_error_line(line: &[u8]) -> bool {
    if line.first() == Some(&b'{') {
        return is_error_object(line);
    }
    let level_end = |b: &[u8]| {
        let close = b.iter().take(10).position(|c| *c == b']')?;
        Level::from_name(&b[..close]).map(|_| close + 1)
    };
    if let Some(rest) = line.strip_prefix(b"nginx: [") {
        return level_end(rest).is_some();
    }
    if parse_error_time(line).is_none() {
        return false;
    }
    let Some(rest) = line[ERROR_TIME_LEN..].strip_prefix(b" [") else { return false };
    let Some(end) = level_end(rest) else { return false };
    let digits = |b: &[u8]| b.iter().take_while(|c| c.is_ascii_digit()).count();
    let Some(rest) = rest[end..].strip_prefix(b" ") else { return false };
    let pid = digits(rest);
    let Some(rest) = rest[pid..].strip_prefix(b"#") else { return false };
    let tid = digits(rest);
    pid > 0 && tid > 0 && rest[tid..].starts_with(b":")
}

fn is_error_object(line: &[u8]) -> bool {
    let mut seen = 0u8;
    let _ = json::walk(line, |key, value, _| {
        match key {
            b"time" => seen |= 1,
            b"level" if Level::from_name(value).is_some() => seen |= 2,
            b"pid" => seen |= 4,
            b"message" => seen |= 8,
            _ => {}
        }
        Ok(())
    });
    seen == 15
}

#[cfg(test)]
mod tests;
