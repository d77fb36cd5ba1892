//! Lines read again, after the scan, by their place or their time.

use super::Read;
use super::pieces::Lines;
use super::stamps::{Stamped, Stamps};
use crate::format::errorlog;
use crate::format::record::AccessRecord;
use crate::input::source::{Kind, Pages, PlainFile, open_stream};
use crate::scan::{Block, LastStamp, Plan, Sample, time_of};
use crate::time::{Second, Stamp};
use memchr::memmem::Finder;
use std::io::Read as _;
use std::ops::Range;

/// Longest record that is quoted: nginx's own limit is 2 KiB, that of `OpenResty` 4.
const RECORD: u64 = 4 << 10;
/// Bytes of a line of which few are longer.
const LONG_LINE: u64 = 600;
/// Bytes looked at behind a block for the rest of its last line.
pub(super) const REST: u64 = 64 << 10;

/// The line of a sample as the file has it: from what was kept, or read again. For an error log also the physical
/// lines that belong to the record. Empty when the file is gone meanwhile.
pub fn record_at(read: &Read, sample: &Sample) -> Vec<u8> {
    let kept = sample.text.as_deref();
    let mut pages = Pages::default();
    let range = sample.byte..sample.byte + RECORD;
    let found = PlainFile::open(&read.reading.source).and_then(|plain| plain.read_at(range, &mut pages));
    // Where other bytes stand now the file was rotated away since.
    if found.is_err() || kept.is_some_and(|kept| !pages.starts_with(kept)) {
        return kept.unwrap_or_default().to_vec();
    }
    let bytes: &[u8] = &pages;
    let mut end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    if errorlog::is_record_start(&bytes[..end]) {
        while end < bytes.len() {
            let next = end + 1;
            let stop = memchr::memchr(b'\n', &bytes[next..]).map_or(bytes.len(), |i| next + i);
            if errorlog::is_record_start(&bytes[next..stop]) || stop == bytes.len() {
                break;
            }
            end = stop;
        }
    }
    bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]).to_vec()
}

/// The bytes of a place of a file as it holds them; empty where no place can be looked up, or the file is gone meanwhile.
pub fn bytes_between(read: &Read, range: Range<u64>) -> Vec<u8> {
    if !read.reading.source.is_seekable() {
        return Vec::new();
    }
    let mut pages = Pages::default();
    let found = PlainFile::open(&read.reading.source).and_then(|plain| plain.read_at(range, &mut pages));
    found.map_or_else(|_| Vec::new(), |_| pages.to_vec())
}

/// Visits each line of a file that starts inside `range` of seconds, in the order of the file: byte, line, second.
/// Error logs are asked in their own local time. Lines without a time are passed over, and those that shall not count.
pub fn each_line_between(read: &Read, range: Range<Second>, visit: &mut dyn FnMut(u64, &[u8], Second)) {
    each_line_between_if(read, range, &|_| true, visit);
}

/// The same of the lines that are `wanted` as the file has them; of others not even the time is read.
pub fn each_line_between_if(
    read: &Read,
    range: Range<Second>,
    wanted: &dyn Fn(&[u8]) -> bool,
    visit: &mut dyn FnMut(u64, &[u8], Second),
) {
    let plan = &read.reading.plan;
    let mut room = Vec::new();
    each_line(read, range.clone(), &mut |byte, line| {
        if wanted(line)
            && let Some(second) = time_of(plan, line, &mut room)
            && range.contains(&second)
            && !is_excluded(plan, line, &mut room)
        {
            visit(byte, line, second);
        }
    });
}

/// Visits each record of nginx's messages whose first line starts inside `range` of seconds, by the log's own clock: byte,
/// record out of its frames, second. What an application wrote goes on over several lines, and the context of nginx
/// stands on the last.
pub fn each_record_between(read: &Read, range: Range<Second>, visit: &mut dyn FnMut(u64, &[u8], Second)) {
    let plan = &read.reading.plan;
    let (mut room, mut frame) = (Vec::new(), Vec::new());
    let mut record: Vec<u8> = Vec::new();
    let mut begun: Option<(u64, Second)> = None;
    let mut full = false;
    let mut give = |begun: Option<(u64, Second)>, record: &[u8], frame: &mut Vec<u8>| {
        if let Some((byte, second)) = begun.filter(|b| range.contains(&b.1))
            && !is_excluded(plan, record, frame)
        {
            visit(byte, record, second);
        }
    };
    each_line(read, range.clone(), &mut |byte, line| {
        let unwrapped = plan.framing.unwrap(line, &mut room);
        let payload = unwrapped.as_ref().map_or(line, |u| u.payload);
        // By its own stamp: a frame can have another clock.
        if let Some((second, _)) = errorlog::stamp(payload) {
            give(begun.replace((byte, second)), &record, &mut frame);
            record.clear();
            full = false;
        } else {
            // Requests between the lines of a record do not end it.
            let request = || plan.formats.iter().any(|f| f.parse(payload).is_ok_and(|r| r.time.is_some()));
            if begun.is_none() || full || request() {
                return;
            }
            // What stands behind a line too many is not taken either: how far is read on depends on where blocks end.
            full = record.len() + payload.len() > RECORD as usize;
            if full {
                return;
            }
            record.push(b'\n');
        }
        record.extend_from_slice(payload);
    });
    give(begun, &record, &mut frame);
}

/// What is given requests: byte of the line, request, second.
pub trait Requests {
    /// Takes one, of which time, status, client, host, request, path, time taken, peers and their time are told.
    fn visit(&mut self, byte: u64, record: &AccessRecord<'_>, second: Second);
    /// Whether the line at `byte` need not be read, for what it says is known.
    fn has(&mut self, _byte: u64) -> bool {
        false
    }
}

impl<F: FnMut(u64, &AccessRecord<'_>, Second)> Requests for F {
    fn visit(&mut self, byte: u64, record: &AccessRecord<'_>, second: Second) {
        self(byte, record, second);
    }
}

/// Visits each request of a file whose line was written inside `range` of seconds. What earlier calls with the same number
/// of the file have found out about its lines is in `stamps`.
pub fn each_request_between(
    read: &Read,
    range: Range<Second>,
    (stamps, file): (&mut Stamps, usize),
    visit: &mut dyn Requests,
) {
    let (plan, blocks) = (&read.reading.plan, &read.scan.blocks);
    let near = range.start.saturating_sub(plan.apart())..range.end.saturating_add(plan.apart());
    let is_near = |second: Option<Second>| second.is_none_or(|second| near.contains(&second));
    let (mut room, mut last, mut found) = (Vec::new(), LastStamp::default(), Vec::new());
    let spans = spans_between(read, &range);
    let begun = |span: &Range<u64>| {
        blocks.get(blocks.partition_point(|b| b.start < span.start)).map_or(0, |b| b.first)
    };
    // Of thousands of files that lie side by side in time most hold nothing of a stretch, and are not opened to find that
    // out again.
    let has_none = |span: &Range<u64>| {
        stamps.of(file, span.start).is_some_and(|lines| lines.iter().all(|l| !is_near(l.second(begun(span)))))
    };
    if spans.iter().all(has_none) {
        return;
    }
    let is_there = each_piece(read, &spans, |piece, from, bytes| {
        let mut visit = |start: usize, last: &mut LastStamp| {
            let line = &bytes[start..end_of_line(bytes, start)];
            request(read, line, from + start as u64, &range, (&mut room, last), visit);
        };
        let first = spans.partition_point(|s| s.start < piece.start);
        for span in spans[first..].iter().take_while(|s| s.end <= piece.end) {
            let begun = begun(span);
            if let Some(lines) = stamps.of(file, span.start) {
                let near = lines.iter().filter(|line| is_near(line.second(begun)));
                let starts = near.map(|line| (span.start + line.byte() - from) as usize);
                // A file can have been cut meanwhile.
                starts.take_while(|start| *start < bytes.len()).for_each(|start| visit(start, &mut last));
                continue;
            }
            found.clear();
            let mut start = first_line(bytes, from, span.start);
            while start < bytes.len() && from + (start as u64) < span.end {
                let end = end_of_line(bytes, start);
                let second = plan.stamp(&bytes[start..end], &mut last);
                found.push(Stamped::new(from + start as u64 - span.start, second, begun));
                if is_near(second) {
                    visit(start, &mut last);
                }
                start = end + 1;
            }
            stamps.keep(file, span.start, &found);
        }
    });
    if !is_there {
        each_request_with(read, range, b"", visit);
    }
}

/// The same of the lines that hold a text; the others are passed over as fast as memory gives them.
pub fn each_request_with(read: &Read, range: Range<Second>, text: &[u8], visit: &mut dyn Requests) {
    let (mut room, mut last) = (Vec::new(), LastStamp::default());
    each_line_with(read, range.clone(), text, &mut |byte, line| {
        request(read, line, byte, &range, (&mut room, &mut last), visit);
    });
}

/// Visits some requests of a long stretch: of `places` blocks spread evenly over it, at most `each` lines. Only of files
/// in which a place can be looked up, and of those places of packed ones that were unpacked again.
pub fn some_requests_between(
    read: &Read,
    range: Range<Second>,
    (places, each): (usize, usize),
    visit: &mut dyn Requests,
) {
    let wanted = places_between(read, &range, (places, each));
    if wanted.is_empty() {
        return;
    }
    let (mut room, mut last) = (Vec::new(), LastStamp::default());
    let mut some = |place: &Range<u64>, from: u64, bytes: &[u8]| {
        let mut start =
            if place.start == 0 { 0 } else { memchr::memchr(b'\n', bytes).map_or(bytes.len(), |i| i + 1) };
        for _ in 0..each {
            let Some(n) = bytes.get(start..).and_then(|rest| memchr::memchr(b'\n', rest)) else { break };
            let byte = from + start as u64;
            request(read, &bytes[start..start + n], byte, &range, (&mut room, &mut last), visit);
            start += n + 1;
        }
    };
    if !read.reading.source.is_seekable() {
        for place in &wanted {
            let Some(lines) = Lines::of(read, place) else { continue };
            let end = ((place.end - lines.start()) as usize).min(lines.len());
            some(place, lines.start(), &lines[..end]);
        }
        return;
    }
    let Ok(plain) = PlainFile::open(&read.reading.source) else { return };
    for place in &wanted {
        let from = place.start.saturating_sub(1);
        let Ok(map) = plain.map(from..place.end) else { return };
        some(place, from, &map);
    }
}

/// The places that [`some_requests_between`] reads.
pub fn places_between(read: &Read, range: &Range<Second>, (places, each): (usize, usize)) -> Vec<Range<u64>> {
    let inside: Vec<&Block> =
        read.scan.blocks.iter().filter(|b| b.first < range.end && b.last >= range.start).collect();
    let places = places.min(inside.len());
    // The middle of each part, for the first and last block lie half outside.
    let block = |i| inside.get((2 * i + 1) * inside.len() / (2 * places));
    let place = |b: &&Block| b.start..b.end.min(b.start.saturating_add(each as u64 * LONG_LINE));
    (0..places).filter_map(block).map(place).collect()
}

/// Visits the request of a line, if it was written inside `range`.
fn request(
    read: &Read,
    line: &[u8],
    byte: u64,
    range: &Range<Second>,
    (room, last): (&mut Vec<u8>, &mut LastStamp),
    visit: &mut dyn Requests,
) {
    if visit.has(byte) {
        return;
    }
    let plan = &read.reading.plan;
    // A block holds many lines of other seconds, and to read a line as a whole costs ten times as much as its stamp.
    if let Some(second) = plan.stamp(line, last)
        && (second < range.start.saturating_sub(plan.apart())
            || second >= range.end.saturating_add(plan.apart()))
    {
        return;
    }
    let unwrapped = plan.framing.unwrap(line, room);
    let payload = unwrapped.as_ref().map_or(line, |u| u.payload);
    let whole = || plan.formats.iter().find_map(|f| f.parse(payload).ok().filter(|r| r.time.is_some()));
    if let Some(record) = plan.brief(payload).or_else(whole)
        && let Some(second) = record.time.map(Stamp::second).filter(|s| range.contains(s))
        && plan.exclude.as_ref().is_none_or(|e| e.of_request(&record).is_none())
    {
        visit.visit(byte, &record, second);
    }
}

/// Whether a line as the file has it shall not count.
fn is_excluded(plan: &Plan, line: &[u8], room: &mut Vec<u8>) -> bool {
    plan.exclude.is_some()
        && plan.excludes(plan.framing.unwrap(line, room).as_ref().map_or(line, |u| u.payload))
}

/// Visits the lines of the blocks that hold a line of `range`, with their places.
fn each_line(read: &Read, range: Range<Second>, line: &mut dyn FnMut(u64, &[u8])) {
    each_line_with(read, range, b"", line);
}

/// The same of lines that hold a text.
fn each_line_with(read: &Read, range: Range<Second>, text: &[u8], line: &mut dyn FnMut(u64, &[u8])) {
    let text = Finder::new(text);
    // Where the next line with it begins.
    let next_with = |bytes: &[u8], start: usize| match bytes.get(start..) {
        Some(rest) if !text.needle().is_empty() => text
            .find(rest)
            .map_or(bytes.len(), |i| start + memchr::memrchr(b'\n', &rest[..i]).map_or(0, |end| end + 1)),
        _ => start,
    };
    let spans = spans_between(read, &range);
    // Of thousands of files most hold none of a stretch.
    let Some(last) = spans.last().map(|s| s.end) else { return };
    let is_there = each_piece(read, &spans, |piece, from, bytes| {
        let mut start = first_line(bytes, from, piece.start);
        loop {
            start = next_with(bytes, start);
            if start >= bytes.len() || from + (start as u64) >= piece.end {
                break;
            }
            let end = end_of_line(bytes, start);
            line(from + start as u64, &bytes[start..end]);
            start = end + 1;
        }
    });
    if is_there {
        return;
    }
    let Ok(mut stream) = open_stream(&read.reading.source) else { return };
    let mut buffer = vec![0; 1 << 20];
    let (mut filled, mut base) = (0, 0);
    let mut next = 0;
    while let Ok(n) = stream.read(&mut buffer[filled..]) {
        filled += n;
        let end = memchr::memrchr(b'\n', &buffer[..filled]).map_or(0, |i| i + 1);
        let end = if n == 0 || (end == 0 && filled == buffer.len()) { filled } else { end };
        let mut start = 0;
        while start < end {
            let stop = memchr::memchr(b'\n', &buffer[start..end]).map_or(end, |i| start + i);
            let byte = base + start as u64;
            while spans.get(next).is_some_and(|s| s.end <= byte) {
                next += 1;
            }
            if spans.get(next).is_some_and(|s| s.contains(&byte))
                && next_with(&buffer[..stop], start) == start
            {
                line(byte, &buffer[start..stop]);
            }
            start = stop + 1;
        }
        buffer.copy_within(end..filled, 0);
        base += end as u64;
        filled -= end;
        if n == 0 || base >= last {
            break;
        }
    }
}

/// Visits the bytes of some blocks, those that follow one another in one piece: what it covers, where its bytes begin,
/// which is one byte before, and the bytes, to the end of the last line and beyond. `false` where the file must be
/// unpacked for it.
fn each_piece(read: &Read, spans: &[Range<u64>], mut visit: impl FnMut(&Range<u64>, u64, &[u8])) -> bool {
    if read.reading.source.is_seekable() {
        let Ok(plain) = PlainFile::open(&read.reading.source) else { return true };
        for span in joined(spans, AT_ONCE) {
            let from = span.start.saturating_sub(1);
            // Mapped: what is read again is in memory still, and to copy it costs more than to look at it.
            let Ok(map) = plain.map(from..span.end + REST) else { return true };
            visit(&span, from, &map);
        }
        return true;
    }
    let together = joined(spans, u64::MAX);
    let kept: Vec<_> = together.iter().map_while(|s| Lines::of(read, s)).collect();
    let is_there = kept.len() == together.len();
    for (span, lines) in together.iter().zip(kept).filter(|_| is_there) {
        visit(span, lines.start(), &lines);
    }
    is_there
}

/// Where in `bytes`, which begin at `from` of a file, the first line begins that begins at `start` of it or behind.
fn first_line(bytes: &[u8], from: u64, start: u64) -> usize {
    let Some(before) = start.checked_sub(1) else { return 0 };
    let before = (before.saturating_sub(from) as usize).min(bytes.len());
    memchr::memchr(b'\n', &bytes[before..]).map_or(bytes.len(), |i| before + i + 1)
}

/// Where the line ends that begins at `start`.
fn end_of_line(bytes: &[u8], start: usize) -> usize {
    memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |i| start + i)
}

/// The bytes of the blocks that hold a line of `range`, in order: those that follow one another are not joined.
pub fn spans_between(read: &Read, range: &Range<Second>) -> Vec<Range<u64>> {
    let blocks = &read.scan.blocks;
    let wanted = |i: usize| blocks.get(i).is_some_and(|b| b.first < range.end && b.last >= range.start);
    // A line that reaches over a block's end is in the next block's seconds, so a neighbour is taken along; and with a
    // block what no block holds behind it, for there stand only lines that go on a record and look like one. Behind the
    // last block a record can go on as well: of that more than is ever taken.
    let end = |i: usize| blocks.get(i + 1).map_or(blocks[i].end.saturating_add(REST), |next| next.start);
    (0..blocks.len()).filter(|&i| wanted(i) || wanted(i + 1)).map(|i| blocks[i].start..end(i)).collect()
}

/// Bytes that are mapped at once.
const AT_ONCE: u64 = 8 << 20;

/// The same spans, those that follow one another or overlap in one, as long as it is no longer than `most`.
pub(super) fn joined(spans: &[Range<u64>], most: u64) -> Vec<Range<u64>> {
    let mut out: Vec<Range<u64>> = Vec::new();
    for span in spans {
        match out.last_mut() {
            Some(last) if last.end >= span.start && span.end.max(last.end) - last.start <= most => {
                last.end = last.end.max(span.end);
            }
            _ => out.push(span.clone()),
        }
    }
    out
}

/// Unpacked bytes up to which a packed file is unpacked again for one line.
const WORTH: u64 = 512 << 20;

/// Whether single lines of a file can be had after the scan: plain files, and packed ones that are not too long.
pub fn can_be_read_again(read: &Read) -> bool {
    let source = &read.reading.source;
    source.is_seekable() || source.kind == Kind::File && read.scan.bytes <= WORTH
}

/// The 1-based number of the line at `byte` of a file; 0 when the file is gone meanwhile.
pub fn line_number(read: &Read, byte: u64) -> u64 {
    let source = &read.reading.source;
    let mut lines = 0;
    let mut at = 0;
    if !source.is_seekable() {
        let Ok(mut stream) = open_stream(source) else { return 0 };
        let mut buffer = vec![0; 1 << 20];
        while at < byte {
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => {
                    let part = n.min((byte - at) as usize);
                    lines += crate::scan::count_newlines(&buffer[..part]);
                    at += n as u64;
                }
                _ => return 0,
            }
        }
        return lines + 1;
    }
    let Ok(plain) = PlainFile::open(source) else { return 0 };
    while at < byte {
        let end = (at + (8 << 20)).min(byte);
        let Ok(map) = plain.map(at..end) else { return 0 };
        if map.is_empty() {
            return 0;
        }
        lines += crate::scan::count_newlines(&map);
        at = end;
    }
    lines + 1
}

/// The byte at which a 1-based line of a file starts: the inverse of [`line_number`]. `None` when there is no such
/// line.
pub fn byte_of_line(read: &Read, line: u64) -> Option<u64> {
    let source = &read.reading.source;
    let mut left = line.checked_sub(1)?;
    let mut stream = open_stream(source).ok()?;
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let n = stream.read(&mut buffer).ok()?;
        if n == 0 {
            return None;
        }
        if left == 0 {
            return Some(at);
        }
        let found = crate::scan::count_newlines(&buffer[..n]);
        if found < left {
            left -= found;
        } else {
            let end = memchr::memchr_iter(b'\n', &buffer[..n]).nth(left as usize - 1)?;
            left = 0;
            if end + 1 < n {
                return Some(at + end as u64 + 1);
            }
        }
        at += n as u64;
    }
}
