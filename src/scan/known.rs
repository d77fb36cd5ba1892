//! What of a line is known without reading it as a whole: which values stand where the hot loop looks anyway, and
//! which between quotes that can be counted.

use super::plan::Tail;
use crate::format::find::{Marks, find_all};
use crate::format::{Field, Piece};

/// Quotes of a line at most; a format of more is read as a whole.
const QUOTES: usize = 32;

/// The places of the quotes of a line.
#[derive(Debug)]
pub(super) struct Quotes {
    places: [u32; QUOTES],
    n: usize,
}

impl Quotes {
    /// `None` where the line holds more than there is room for.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let mut places = [0; QUOTES];
        let n = find_all(line, b'"', &mut places)?;
        Some(Self { places, n })
    }

    /// In order, where there are as many of them as a format has.
    pub(super) fn all(&self, wanted: usize) -> Option<&[u32]> {
        self.places.get(..self.n).filter(|_| self.n == wanted)
    }
}

/// What of a line is known without reading it as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// The time taken, or that the format has none.
    pub(crate) waited: bool,
    /// The client, which opens the line, and the request.
    pub(crate) request: bool,
    /// Where everything else stands that is told of a failed request. `None` where only the whole line can tell.
    pub(super) named: Option<Named>,
}

/// What a failed request names beside its client and its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    /// Quotes of a line.
    pub(super) quotes: usize,
    /// `$host` and its like, and `$server_name` where that is not given.
    host: Option<Between>,
    server: Option<Between>,
    /// `$upstream_addr`.
    peers: Option<Between>,
}

/// Virtual host and peers of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names<'l> {
    pub(super) vhost: Option<&'l [u8]>,
    pub(super) peers: Option<&'l [u8]>,
}

/// A value that was given: nginx writes `-` for one that is not.
pub(super) fn given(value: &[u8]) -> Option<&[u8]> {
    Some(value).filter(|v| !v.is_empty() && *v != b"-")
}

impl Named {
    /// Whether a request names nothing.
    pub(super) fn is_nothing(&self) -> bool {
        self.host.is_none() && self.server.is_none() && self.peers.is_none()
    }

    /// The names in a line whose quotes stand there.
    pub(super) fn at<'l>(&self, line: &'l [u8], quotes: &[u32]) -> Names<'l> {
        self.values(|between| between.at(line, quotes))
    }

    fn values<'l>(&self, at: impl Fn(Between) -> Option<&'l [u8]>) -> Names<'l> {
        let value = |between: Option<Between>| given(at(between?)?);
        Names { vhost: value(self.host).or_else(|| value(self.server)), peers: value(self.peers) }
    }

    /// The names in a line; `None` where its quotes are not those of its format.
    pub(super) fn find<'l>(&self, line: &'l [u8]) -> Option<Names<'l>> {
        if self.is_nothing() {
            return Some(Names::default());
        }
        let Some(marks) = Marks::of(line, b'"') else {
            return Some(self.at(line, Quotes::of(line)?.all(self.quotes)?));
        };
        (marks.count() == self.quotes)
            .then(|| self.values(|between| between.among(line, &marks, self.quotes)))
    }
}

/// How often a field stands in a format.
pub(super) fn times(pieces: &[Piece], field: &Field) -> usize {
    pieces.iter().filter(|p| matches!(p, Piece::Var(v) if v == field)).count()
}

impl Known {
    /// What a loop finds in every format that it reads.
    pub(super) const LITTLE: Self = Self { waited: true, request: false, named: None };

    pub(super) fn of(pieces: &[Piece], time: &Field, tail: Option<Tail>) -> Self {
        let has = |f: &[Field]| f.iter().any(|f| times(pieces, f) > 0);
        let once = |f: &Field| times(pieces, f) == 1;
        let stamps = [Field::TimeLocal, Field::TimeIso8601, Field::Msec, Field::Time];
        let request = matches!(pieces, [Piece::Var(Field::RemoteAddr), Piece::Literal(l), ..] if l.starts_with(b" "))
            && once(&Field::Request)
            && once(&Field::RemoteAddr)
            && once(&Field::Status)
            && !has(&[Field::RequestMethod, Field::RequestUri]);
        let waited = if tail.is_some() {
            once(time) && !has(&[Field::RequestTimeMs, Field::SessionTime])
        } else {
            !has(&[time.clone(), Field::RequestTimeMs, Field::SessionTime])
        };
        let one_stamp = stamps.iter().map(|f| times(pieces, f)).sum::<usize>() == 1;
        let named = Named::of(pieces).filter(|_| request && waited && one_stamp);
        Self { waited, request, named }
    }
}

impl Named {
    /// `None` where a name stands at a place that is not known.
    fn of(pieces: &[Piece]) -> Option<Self> {
        Some(Self {
            quotes: Between::quotes(pieces),
            host: Between::if_any(pieces, &Field::Host)?,
            server: Between::if_any(pieces, &Field::ServerName)?,
            peers: Between::if_any(pieces, &Field::UpstreamAddr)?,
        })
    }
}

/// A value between two quotes, counted from the line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Between {
    /// Quotes behind the one that ends it.
    behind: usize,
}

impl Between {
    /// Where a field stands, if the format has it: `None` where it has it and its place is not known.
    #[expect(clippy::option_option, reason = "not there, and there at no known place, are two things")]
    pub(super) fn if_any(pieces: &[Piece], field: &Field) -> Option<Option<Self>> {
        match times(pieces, field) {
            0 => Some(None),
            1 => Self::of(pieces, field).map(Some),
            _ => None,
        }
    }

    fn of(pieces: &[Piece], field: &Field) -> Option<Self> {
        let at = pieces.iter().position(|p| matches!(p, Piece::Var(v) if v == field))?;
        let [.., Piece::Literal(before)] = &pieces[..at] else { return None };
        let [_, Piece::Literal(after), ..] = &pieces[at..] else { return None };
        (before.ends_with(b"\"") && after.starts_with(b"\""))
            .then(|| Self { behind: Self::quotes(&pieces[at..]) - 1 })
    }

    /// Quotes in the literals of some pieces.
    fn quotes(pieces: &[Piece]) -> usize {
        let of = |p: &Piece| match p {
            Piece::Literal(l) => memchr::memchr_iter(b'"', l).count(),
            Piece::Var(_) => 0,
        };
        pieces.iter().map(of).sum()
    }

    /// The value in a line whose quotes stand there.
    pub(super) fn at<'l>(self, line: &'l [u8], quotes: &[u32]) -> Option<&'l [u8]> {
        let end = quotes.len().checked_sub(1 + self.behind)?;
        line.get(*quotes.get(end.checked_sub(1)?)? as usize + 1..*quotes.get(end)? as usize)
    }

    /// The same where they are marked: there are so many.
    fn among<'l>(self, line: &'l [u8], quotes: &Marks, n: usize) -> Option<&'l [u8]> {
        let end = n.checked_sub(1 + self.behind)?;
        line.get(quotes.place(end.checked_sub(1)?)? + 1..quotes.place(end)?)
    }
}
