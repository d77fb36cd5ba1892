//! The requests around a candidate, read line by line: all of them, or some at places spread evenly.

use super::answer::{Answer, Answering, Try};
use super::texts::{Listed, Texts};
use super::{EACH, PLACES, UNPACKED, UNPACKED_IN_ALL, Usual, requests};
use crate::detect::{Tick, Ticks};
use crate::format::record::AccessRecord;
use crate::input::source::Kind;
use crate::inspect::host::Host;
use crate::reading::{self, Read, Requests, Role, Stamps};
use crate::time::{Second, Window};
use std::ops::Range;
use std::rc::Rc;

/// The requests around a candidate.
#[derive(Debug)]
pub(in crate::inspect) struct Look {
    /// In order of time.
    pub(in crate::inspect) answers: Vec<Answer>,
    /// Tries at upstream peers, several a request where it was retried.
    pub(in crate::inspect) tries: Vec<Try>,
    /// The texts behind the keys of endpoints, hosts and peers.
    texts: Texts,
    /// The addresses of the clients, where each answer has its place.
    clients: Listed,
    /// The candidate.
    pub(in crate::inspect) inside: Window,
    /// What was looked at.
    pub(in crate::inspect) span: Window,
    /// Every request of the span is there; else some of them.
    pub(in crate::inspect) complete: bool,
    /// Every request of the candidate is there.
    pub(in crate::inspect) complete_inside: bool,
    /// It holds the requests for one name alone.
    pub(in crate::inspect) of_name: bool,
    /// Who asks all the time.
    pub(in crate::inspect) usual: Rc<Usual>,
    /// File, byte and index of each answer, sorted.
    places: Vec<(u32, u64, u32)>,
}

/// The access logs of a host; `None` where one of them cannot be read again.
pub(super) fn readable(host: &Host<'_>) -> Option<Vec<usize>> {
    let logs = host.files.iter().filter(|&&i| host.reads[i].reading.role == Role::Access);
    let files: Vec<usize> = logs.copied().collect();
    let all = files.iter().all(|&i| host.reads[i].reading.source.kind == Kind::File);
    (all && !files.is_empty()).then_some(files)
}

/// What is looked at.
#[derive(Debug)]
pub(super) struct Stretch {
    /// From where to where.
    span: Window,
    /// What lies before, inside and behind the candidate, and whether all of it is read.
    parts: Vec<(Window, bool)>,
    /// All of each is.
    complete: bool,
}

impl Stretch {
    /// A candidate and `reach` seconds around it, when `most` requests may be read. `None` where the logs hold none.
    pub(super) fn around(host: &Host<'_>, inside: Window, reach: i64, most: u64) -> Option<Self> {
        let known = host.timeline.span()?;
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
        Some(Self { span, parts, complete })
    }

    /// The bytes of a file that are read.
    pub(super) fn bytes_of(&self, read: &Read) -> Vec<Range<u64>> {
        let seconds = |w: &Window| w.start..w.end;
        if self.complete {
            return reading::spans_between(read, &seconds(&self.span));
        }
        let part = |(part, all): &(Window, bool)| match all {
            true => reading::spans_between(read, &seconds(part)),
            false => reading::places_between(read, &seconds(part), (PLACES, EACH)),
        };
        self.parts.iter().flat_map(part).collect()
    }
}

/// What a look may cost, and what those before it have found out.
#[derive(Debug)]
pub(super) struct Means<'a> {
    /// Requests that may be read.
    pub(super) most: u64,
    /// Bytes that were unpacked for looks.
    pub(super) unpacked: &'a mut u64,
    /// When lines were written.
    pub(super) stamps: &'a mut Stamps,
}

impl Look {
    /// One at a candidate and what is around it, of which nothing is read yet.
    pub(super) fn empty(inside: Window, span: Window, usual: &Rc<Usual>) -> Self {
        Self {
            answers: Vec::new(),
            tries: Vec::new(),
            texts: Texts::default(),
            clients: Listed::default(),
            inside,
            span,
            complete: true,
            complete_inside: true,
            of_name: false,
            usual: Rc::clone(usual),
            places: Vec::new(),
        }
    }

    /// Reads the requests inside a stretch and `reach` seconds around it. `None` where they cannot be read again.
    /// What `made` has read is not read again: looks at one stretch overlap.
    pub(super) fn around<'l>(
        host: &Host<'_>,
        (inside, reach): (Window, i64),
        Means { most, unpacked, stamps }: Means<'_>,
        usual: &Rc<Usual>,
        made: impl Iterator<Item = &'l Self>,
    ) -> Option<Self> {
        let files = readable(host)?;
        let stretch = Stretch::around(host, inside, reach, most)?;
        let Stretch { span, parts, complete } = &stretch;
        let (span, complete) = (*span, *complete);
        let complete_inside = parts.iter().all(|p| p.1 || p.0 != inside);
        // In a packed file no place can be looked up: what stands before it has to be unpacked again.
        let packed = files.iter().map(|&i| &host.reads[i]).filter(|read| reading::is_packed(read));
        let packed: Vec<(&Read, Vec<Range<u64>>)> = packed
            .map(|read| (read, stretch.bytes_of(read)))
            .filter(|(read, bytes)| !reading::is_unpacked(read, bytes))
            .collect();
        let end = |bytes: &[Range<u64>]| bytes.iter().map(|range| range.end).max().unwrap_or(0);
        let again: u64 = packed.iter().map(|(_, bytes)| end(bytes)).sum();
        let all: u64 = host.files.iter().map(|&i| host.reads[i].scan.bytes).sum();
        if again > UNPACKED.max(all / 4) || *unpacked + again > UNPACKED_IN_ALL.max(all) {
            for (read, _) in &packed {
                read.pieces.are_too_far();
            }
            return None;
        }
        *unpacked += again;
        for (read, bytes) in packed {
            reading::unpack_now(read, &bytes);
        }
        let mut look = Self { complete, complete_inside, ..Self::empty(inside, span, usual) };
        // A page that is written again and again while the list grows is a page that has to be cleared.
        look.answers.reserve(if complete { requests(host, span) as usize } else { 0 });
        let made: Vec<&Self> = made.filter(|l| l.span.overlaps(span)).collect();
        for file in files {
            look.read(host, file, parts, (&made, &mut *stamps));
        }
        look.sort();
        Some(look)
    }

    fn read(
        &mut self,
        host: &Host<'_>,
        file: usize,
        parts: &[(Window, bool)],
        (made, stamps): (&[&Self], &mut Stamps),
    ) {
        let read = &host.reads[file];
        // Of a hundred thousand files hardly one holds anything of a stretch, and to get ready to read takes longer than that.
        if reading::spans_between(read, &(self.span.start..self.span.end)).is_empty() {
            return;
        }
        let whole = [(self.span, true)];
        let parts = if self.complete { &whole[..] } else { parts };
        let made = made.iter().map(|look| (*look, 0)).collect();
        let mut reader = Reader::new(self, file, read, made, Window::ALL);
        for &(part, all) in parts {
            let range = part.start..part.end;
            reader.part = part;
            if all {
                reading::each_request_between(read, range, (&mut *stamps, file), &mut reader);
            } else {
                reading::some_requests_between(read, range, (PLACES, EACH), &mut reader);
            }
        }
    }

    /// Puts the answers, which come in the order of their lines, in the order of time.
    pub(super) fn sort(&mut self) {
        let place = |a: &Answer| (a.file, a.byte);
        if !self.answers.is_sorted_by_key(place) {
            self.answers.sort_by_key(place);
        }
        // Not the answers themselves are sorted: they are long, and nearly all are where they belong.
        let mut order: Vec<(Second, u32)> = self.answers.iter().map(|a| a.second).zip(0..).collect();
        // What is stable takes runs as they are.
        order.sort_by_key(|at| at.0);
        self.places = self.answers.iter().map(|a| (a.file, a.byte, 0)).collect();
        for (at, &(_, i)) in (0..).zip(&order) {
            self.places[i as usize].2 = at;
        }
        self.answers = order.iter().map(|&(_, i)| self.answers[i as usize]).collect();
    }

    /// The answer whose line stands at a byte of a file. `next` is where the search begins: lines come in their order.
    fn at(&self, next: &mut usize, file: u32, byte: u64) -> Option<&Answer> {
        let place = |i: usize| self.places.get(i).map(|p| (p.0, p.1));
        if next.checked_sub(1).and_then(place).is_some_and(|before| before >= (file, byte)) {
            *next = self.places.partition_point(|p| (p.0, p.1) < (file, byte));
        }
        while place(*next).is_some_and(|at| at < (file, byte)) {
            *next += 1;
        }
        let found = self.places.get(*next).filter(|p| (p.0, p.1) == (file, byte))?;
        self.answers.get(found.2 as usize)
    }

    /// Takes an answer over from another look.
    fn take(&mut self, from: &Self, answer: &Answer) {
        let first = self.tries.len() as u32;
        let (start, n) = answer.tries;
        let tries = from.tries.iter().skip(start as usize).take(n as usize);
        self.tries.extend(tries);
        let peers = self.tries[first as usize..].iter().map(|t| t.peer);
        for key in answer.names.into_iter().chain(peers) {
            self.texts.keep_of(&from.texts, key);
        }
        let named = self.clients.add(from.clients.get(answer.named).unwrap_or_default().as_bytes());
        self.answers.push(Answer { tries: (first, n), named, ..*answer });
    }

    /// The text behind a hash of a client or a key.
    pub(in crate::inspect) fn text(&self, key: u64) -> Option<&str> {
        let of_client = || self.clients.get(self.answers.iter().find(|a| a.client == key)?.named);
        self.texts.get(key).or_else(of_client).filter(|t| !t.is_empty())
    }

    /// The requests that are dated inside the candidate.
    pub(in crate::inspect) fn inside(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|a| self.inside.contains(a.second))
    }

    /// The others.
    pub(in crate::inspect) fn outside(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|a| !self.inside.contains(a.second))
    }

    /// Counts per second: whether a request is bad, good, or (`None`) to be left out.
    pub(in crate::inspect) fn ticks(&self, judge: impl Fn(&Answer) -> Option<bool>) -> Counted {
        self.counted(self.answers.iter().filter_map(|a| Some((a.second, judge(a)?))))
    }

    /// The same by the second in which requests came.
    pub(in crate::inspect) fn ticks_of_arrivals(&self, judge: impl Fn(&Answer) -> Option<bool>) -> Counted {
        let mut arrived: Vec<(Second, bool)> =
            self.answers.iter().filter_map(|a| Some((a.arrived(), judge(a)?))).collect();
        arrived.sort_unstable();
        self.counted(arrived.into_iter())
    }

    fn counted(&self, judged: impl Iterator<Item = (Second, bool)>) -> Counted {
        let mut ticks: Vec<Tick> = Vec::new();
        for (second, bad) in judged {
            if ticks.last().is_none_or(|t| t.second != second) {
                ticks.push(Tick { second, ..Tick::default() });
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
pub(super) struct Reader<'a> {
    look: &'a mut Look,
    /// Looks that may have read the same lines, and how far their answers lie behind.
    made: Vec<(&'a Look, usize)>,
    answering: Answering<'a>,
    part: Window,
}

impl<'a> Reader<'a> {
    /// One that adds the requests of a file that were written in a stretch, and takes over those that other looks have
    /// read.
    pub(super) fn new(
        look: &'a mut Look,
        file: usize,
        read: &'a Read,
        made: Vec<(&'a Look, usize)>,
        part: Window,
    ) -> Self {
        let answering = Answering::new(file, read.reading.plan.site.as_deref());
        Self { look, made, answering, part }
    }
}

impl Requests for Reader<'_> {
    fn visit(&mut self, byte: u64, record: &AccessRecord<'_>, second: Second) {
        let Look { texts, clients, tries, answers, .. } = &mut *self.look;
        answers.extend(self.answering.answer(record, (byte, second), (texts, clients), tries));
    }

    fn has(&mut self, byte: u64) -> bool {
        let file = self.answering.file as u32;
        let known = self.made.iter_mut().find_map(|(look, next)| Some((*look, look.at(next, file, byte)?)));
        if let Some((look, answer)) = known
            && self.part.contains(answer.ended)
        {
            self.look.take(look, answer);
        }
        known.is_some()
    }
}

/// Counts of a look, over its whole span.
#[derive(Debug)]
pub(in crate::inspect) struct Counted {
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
