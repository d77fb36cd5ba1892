//! How the lines of one file are read: the fast way worked out once from its main format, and the exact ways behind
//! it for every line that does not fit.

use super::brief::Brief;
use super::known::Known;
use super::quoted::pass_numbers;
use super::waited::Waited;
use crate::format::framing::Framing;
use crate::format::{AccessFormat, AccessRecord, Escape, Exclude, Field, Piece};
use crate::time::{Second, Stamp, TIME_LOCAL_LEN, parse_iso8601, parse_time_local};
use std::sync::Arc;

/// How one file is read.
#[derive(Debug)]
pub struct Plan {
    /// Access formats, the commonest first; none of an error log. Records of the error log can stand between requests of
    /// any: a container writes both to one stream, and its first record can come hours after the start.
    pub formats: Vec<AccessFormat>,
    /// What stands around each line.
    pub framing: Framing,
    /// What shall not count, if anything.
    pub exclude: Option<Arc<Exclude>>,
    /// The site all requests are of, where a log is one site's and its lines do not name it.
    pub site: Option<Box<[u8]>>,
    /// Seconds by which a line's time may differ from that of the stamp that is found first.
    apart: i64,
    pub(crate) fast: Fast,
}

impl Plan {
    /// A plan for a file of these formats.
    pub fn new(formats: Vec<AccessFormat>, framing: Framing) -> Self {
        Self::like(None, formats, framing)
    }

    /// The same, with what was worked out for `other` where its lines are read alike: of thousands of files most are.
    pub fn like(other: Option<&Self>, formats: Vec<AccessFormat>, framing: Framing) -> Self {
        let same = |other: &&Self| {
            other.framing == framing
                && other.formats.first().zip(formats.first()).is_some_and(|(theirs, mine)| theirs.is(mine))
        };
        let fast = match formats.first() {
            _ if framing != Framing::None => Fast::None,
            Some(format) => other.filter(same).map_or_else(|| Fast::of(format), |other| other.fast.clone()),
            None => Fast::ErrorLog,
        };
        let whole = |f: &Field| matches!(f, Field::TimeLocal | Field::TimeIso8601);
        let apart = match formats.as_slice() {
            [one] if one.fields().iter().filter(|f| f.is_time()).all(whole) => 0,
            _ => STAMPS_APART,
        };
        Self { formats, framing, exclude: None, site: None, apart, fast }
    }

    /// The same, without the requests that shall not count.
    #[must_use]
    pub fn without(mut self, exclude: Option<&Arc<Exclude>>) -> Self {
        self.exclude = exclude.filter(|e| !e.is_empty()).cloned();
        self
    }

    /// Whether a line, out of its frame, shall not count: a request, or a record that names one.
    pub fn excludes(&self, payload: &[u8]) -> bool {
        let Some(exclude) = self.exclude.as_ref().filter(|e| e.find(payload, 0).is_some()) else {
            return false;
        };
        let timed = |f: &AccessFormat| f.parse(payload).ok().filter(|r| r.time.is_some());
        match self.formats.iter().find_map(timed) {
            Some(record) => exclude.of_request(&record).is_some(),
            None => exclude.of_error(payload).is_some(),
        }
    }

    /// What a second look needs of a request, where the main format lets it be told without reading the line as a whole.
    pub(crate) fn brief<'l>(&self, line: &'l [u8]) -> Option<AccessRecord<'l>> {
        match &self.fast {
            // Which program asked may be what is left out.
            Fast::Quoted(plan) if self.exclude.is_none() => plan.brief(line),
            Fast::Json(_) if self.exclude.is_none() => self.formats.first()?.parse_in_brief(line).ok(),
            _ => None,
        }
    }

    /// A line in one of the formats, as far as it is needed.
    pub(super) fn read<'l>(&self, format: &AccessFormat, line: &'l [u8]) -> Option<AccessRecord<'l>> {
        if !format.may_read(line) {
            return None;
        }
        // Which program asked may be what is left out.
        let read = if self.exclude.is_none() { format.parse_in_brief(line) } else { format.parse(line) };
        read.ok()
    }

    /// What a request is left out as.
    pub(super) fn excluded(&self, record: &AccessRecord<'_>) -> Option<&str> {
        self.exclude.as_ref()?.of_request(record)
    }

    /// Seconds by which the time of a request may differ from [`Self::stamp`]: none where a line has no other time.
    pub(crate) fn apart(&self) -> i64 {
        self.apart
    }

    /// The second that a line's stamp names, found as the hot loops find it; `None` where only the exact way can tell.
    /// Another time in the line may shift the request's own by [`Self::apart`].
    pub(crate) fn stamp(&self, line: &[u8], last: &mut LastStamp) -> Option<Second> {
        let (at, len) = match &self.fast {
            Fast::Quoted(plan) => {
                let quote = plan.lead + memchr::memchr(b'"', line.get(plan.lead..)?)?;
                let before = quote.checked_sub(plan.back)?;
                (*line.get(before)? == b'[').then_some((before + 1, plan.stamp))?
            }
            Fast::Json(plan) => {
                // Most formats begin with it.
                let first = line.get(1..).is_some_and(|rest| rest.starts_with(&plan.time.bytes));
                let at = if first { 1 } else { plan.time.finder.find(line)? };
                let behind = at + plan.time.bytes.len();
                let blank = usize::from(line.get(behind) == Some(&b' '));
                let at = behind + blank + 1;
                let quoted = *line.get(at - 1)? == b'"' && *line.get(at + plan.stamp)? == b'"';
                quoted.then_some((at, plan.stamp))?
            }
            Fast::ErrorLog | Fast::None => return None,
        };
        last.second(line.get(at..at + len)?)
    }
}

/// The stamp read last: lines that follow one another carry the same one.
#[derive(Debug, Default)]
pub(crate) struct LastStamp {
    text: [u8; TIME_LOCAL_LEN],
    len: usize,
    second: Option<Second>,
}

impl LastStamp {
    /// The second of a stamp, `$time_local` or `$time_iso8601` by its length.
    fn second(&mut self, text: &[u8]) -> Option<Second> {
        if self.text.get(..self.len) == Some(text) {
            return self.second;
        }
        let second = match text.len() {
            TIME_LOCAL_LEN => parse_time_local(text).map(Stamp::second),
            len => parse_iso8601(text).filter(|(_, used)| *used == len).map(|(stamp, _)| stamp.second()),
        };
        if let Some(room) = self.text.get_mut(..text.len()) {
            room.copy_from_slice(text);
            (self.len, self.second) = (text.len(), second);
        }
        second
    }
}

/// Two times of one line are one instant when they are no farther apart, in whole seconds.
const STAMPS_APART: i64 = 3;

/// The hot loop that fits.
#[derive(Debug, Clone)]
pub(crate) enum Fast {
    /// `... [TIME] "REQUEST" STATUS ...`
    Quoted(Arc<Quoted>),
    /// A JSON object with time and status under known keys.
    Json(Arc<Json>),
    /// nginx's error log.
    ErrorLog,
    /// Every line goes the exact way.
    None,
}

/// Where `... [TIME] "REQUEST" STATUS ...` has its parts, counted from the first quote, which with nginx's default
/// escaping is the one that opens the request: no variable can hold a raw quote (`ngx_http_log_escape`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quoted {
    /// Bytes at the line's start that cannot hold the first quote.
    pub(crate) lead: usize,
    /// From the byte before the stamp to the first quote.
    pub(crate) back: usize,
    /// Length of the stamp.
    pub(crate) stamp: usize,
    /// Where in the stamp the two digits of the second stand.
    pub(crate) seconds: usize,
    /// What stands between the stamp and the first quote.
    pub(crate) behind: Vec<u8>,
    /// The time taken, where the format has it behind the last quotes.
    pub(crate) tail: Option<Tail>,
    /// The format's last byte, where it is a literal: a line without it is not whole.
    pub(crate) close: Option<u8>,
    pub(crate) known: Known,
    /// How a second look reads a line, where it need not be read as a whole.
    pub(super) brief: Option<Brief>,
}

/// Where the time taken stands: some bytes after a quote that is counted from the line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Quotes behind the one that is counted from.
    pub(crate) quotes_behind: u32,
    /// Bytes between that quote and the number.
    pub(crate) gap: usize,
    /// Blank-separated numbers to pass over first.
    pub(crate) skip: usize,
    /// It is that of upstreams, of which there can be several.
    pub(crate) list: bool,
}

/// Needles of a JSON object.
#[derive(Debug)]
pub(crate) struct Json {
    pub(crate) time: Needle,
    pub(crate) stamp: usize,
    pub(crate) seconds: usize,
    pub(crate) status: Needle,
    pub(crate) request_time: Option<Needle>,
    /// It is that of upstreams, of which there can be several.
    pub(crate) list: bool,
}

/// A key with its quotes and colon, ready to be searched for.
#[derive(Debug)]
pub(crate) struct Needle {
    pub(crate) bytes: Vec<u8>,
    pub(crate) finder: memchr::memmem::Finder<'static>,
}

impl Needle {
    fn new(bytes: &[u8]) -> Self {
        let finder = memchr::memmem::Finder::new(bytes).into_owned();
        Self { bytes: bytes.to_vec(), finder }
    }
}

/// The variable that tells how long a request took, and whether it is a list.
fn time_taken(format: &AccessFormat) -> (Field, bool) {
    if format.waits_at_upstream() { (Field::UpstreamResponseTime, true) } else { (Field::RequestTime, false) }
}

/// Length of a stamp of fixed width and where its seconds stand.
fn stamp_shape(field: &Field) -> Option<(usize, usize)> {
    match field {
        Field::TimeLocal => Some((26, 18)),
        Field::TimeIso8601 => Some((25, 17)),
        _ => None,
    }
}

impl Fast {
    fn of(format: &AccessFormat) -> Self {
        if let Some(quoted) = Quoted::of(format) {
            return Self::Quoted(Arc::new(quoted));
        }
        Json::of(format).map_or(Self::None, |json| Self::Json(Arc::new(json)))
    }

    /// What is known of a line that a hot loop has read.
    pub(super) fn known(&self) -> Known {
        match self {
            Self::Quoted(plan) => plan.known,
            _ => Known::LITTLE,
        }
    }
}

impl Quoted {
    fn of(format: &AccessFormat) -> Option<Self> {
        if format.escape() != Escape::Default {
            return None;
        }
        let pieces = format.pieces()?;
        let request = pieces.iter().position(|p| *p == Piece::Var(Field::Request))?;
        let [Piece::Var(time), Piece::Literal(before)] = pieces.get(request.checked_sub(2)?..request)? else {
            return None;
        };
        let (stamp, seconds) = stamp_shape(time)?;
        let [Piece::Literal(gap), Piece::Var(Field::Status), Piece::Literal(after)] =
            pieces.get(request + 1..request + 4)?
        else {
            return None;
        };
        let head = &pieces[..request - 2];
        let literals = |p: &Piece| if let Piece::Literal(l) = p { l.clone() } else { Vec::new() };
        let fixed: Vec<u8> = head.iter().flat_map(literals).collect();
        let opened = matches!(head.last(), Some(Piece::Literal(l)) if l.ends_with(b"["));
        let closed = before.starts_with(b"]")
            && before.ends_with(b"\"")
            && before[..before.len() - 1].iter().all(|b| b"] ".contains(b));
        let back = 1 + stamp + before.len() - 1;
        let shaped = opened && closed && gap == b"\" " && after.starts_with(b" ") && !fixed.contains(&b'"');
        if !shaped || back > 31 {
            return None;
        }
        let lead = fixed.len() - 1 + back;
        let (time, list) = time_taken(format);
        let tail = Tail::of(pieces, &time, list);
        let known = Known::of(pieces, &time, tail);
        if !known.waited {
            // A time taken that stands elsewhere: every line goes the exact way rather than lose it.
            return None;
        }
        let close = if let Some(Piece::Literal(l)) = pieces.last() { l.last().copied() } else { None };
        let behind = before[..before.len() - 1].to_vec();
        let brief = Brief::of(pieces, known);
        Some(Self { lead, back, stamp, seconds, behind, tail, close, known, brief })
    }
}

impl Tail {
    /// The time in a line, behind a quote.
    pub(super) fn read(&self, line: &[u8], quote: usize) -> Waited {
        let mut at = quote + 1 + self.gap;
        if self.skip > 0 && !pass_numbers(line, &mut at, line.len(), self.skip) {
            return Waited::Odd;
        }
        Waited::read(line, at, self.list)
    }

    /// The time taken behind a quoted value, with nothing but plain numbers between; a list has quotes of its own, or ends
    /// the line.
    fn of(pieces: &[Piece], time: &Field, list: bool) -> Option<Self> {
        let at = pieces.iter().position(|p| matches!(p, Piece::Var(v) if v == time))?;
        let closed = |p: &Piece| matches!(p, Piece::Literal(l) if l.starts_with(b"\""));
        if list && !pieces.get(at + 1).is_none_or(closed) {
            return None;
        }
        let quotes = |l: &[u8]| memchr::memchr_iter(b'"', l).count();
        let mut behind = 0;
        for piece in &pieces[at..] {
            if let Piece::Literal(l) = piece {
                behind += quotes(l);
            }
        }
        let mut skip = 0;
        let mut from = at.checked_sub(1)?;
        loop {
            let Piece::Literal(l) = &pieces[from] else { return None };
            if let Some(quote) = l.iter().rposition(|b| *b == b'"') {
                let gap = l.len() - quote - 1;
                return (skip == 0 || l.ends_with(b"\" ")).then_some(Self {
                    quotes_behind: behind as u32,
                    gap,
                    skip,
                    list,
                });
            }
            let number = matches!(
                pieces.get(from.checked_sub(1)?)?,
                Piece::Var(Field::RequestLength | Field::BytesSent)
            );
            if !(l == b" " && number && from >= 2) {
                return None;
            }
            skip += 1;
            from -= 2;
        }
    }
}

impl Json {
    fn of(format: &AccessFormat) -> Option<Self> {
        if format.escape() == Escape::None {
            return None;
        }
        let keys = format.json_keys()?;
        let (time, kind) = keys.time()?;
        let (stamp, seconds) = stamp_shape(kind)?;
        let (taken, list) = time_taken(format);
        let request_time = keys.needle(|f| *f == taken).map(|(bytes, _)| Needle::new(&bytes));
        let timed = [Field::RequestTime, Field::RequestTimeMs, Field::SessionTime];
        let told = timed.iter().filter(|f| format.has(f)).count() + usize::from(list);
        if told != usize::from(request_time.is_some()) {
            return None;
        }
        Some(Self {
            time: Needle::new(&time),
            stamp,
            seconds,
            status: Needle::new(&keys.status()?),
            request_time,
            list,
        })
    }
}
