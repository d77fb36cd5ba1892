//! Rotated sets: which files are parts of one log, in which order, and which parts are missing. Names tell only
//! which files belong together and in which sequence they were made; times come from inside the files. Not for
//! overlaps (`duplicates.rs`).
//!
//! Names as logrotate (`.N`, `-YYYYMMDD`, `-YYYYMMDDHH`, `-%s`), newsyslog (`.0.bz2`), cronolog and Apache's
//! rotatelogs (dates anywhere) and Docker (`.N`) give them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::input::source::{Source, shown};
use crate::time::{Second, Window, civil_second};

/// Where a file stands in the sequence of its set, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// No mark: the file being written.
    Live,
    /// A count, `.3`.
    Number(u32),
    /// A date, as the second of that civil time; not to be taken for the time of any line.
    Date(Second),
}

/// One file of a set, as the caller knows it after a look inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Index of the source.
    pub source: usize,
    /// What the name says.
    pub mark: Mark,
    /// The earliest time inside.
    pub first: Option<Second>,
    /// The latest time inside.
    pub last: Option<Second>,
    /// How many lines it has.
    pub lines: u64,
}

/// Files that are parts of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The host, where known.
    pub host: Option<String>,
    /// The folder, without archive sub-folders.
    pub folder: String,
    /// The name without marks and packing.
    pub stem: String,
    /// Indices of the sources and what their names say.
    pub members: Vec<(usize, Mark)>,
}

/// Why there is a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// That many files of the sequence are not there.
    Missing(u32),
    /// The file with this source index is there and holds no line with a time.
    Empty(usize),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(1) => f.write_str("a file of the rotated set is missing"),
            Self::Missing(n) => write!(f, "{n} files of the rotated set are missing"),
            Self::Empty(_) => f.write_str("a file of the rotated set is empty"),
        }
    }
}

/// A stretch of time for which a set has lost its file: nothing can be said about it, least of all that it was silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Source index of the member before.
    pub after: usize,
    /// Source index of the member behind.
    pub before: usize,
    /// The seconds no file speaks for.
    pub window: Window,
    /// What is lacking.
    pub why: Why,
}

const PACKED: [&str; 10] = ["gz", "gzip", "zst", "zstd", "bz2", "xz", "lzma", "z", "lz4", "zip"];
const ARCHIVES: [&str; 17] = [
    "old",
    "older",
    "archive",
    "archives",
    "archived",
    "backup",
    "backups",
    "bak",
    "rotated",
    "rotate",
    "history",
    "prev",
    "previous",
    "compressed",
    "saved",
    "gz",
    "tmp",
];

/// Whether a folder's name says "older parts of what lies above": `old`, `archive`, or a date.
pub fn is_archive_folder(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let year = lower.len() == 4 && (lower.starts_with("19") || lower.starts_with("20"));
    let digits = !lower.is_empty() && lower.bytes().all(|b| b.is_ascii_digit());
    ARCHIVES.contains(&lower.as_str()) || digits && (year || lower.len() == 2) || is_date(lower.as_bytes())
}

fn is_date(name: &[u8]) -> bool {
    let month = name.len() == 7 && name[4] == b'-' && find_date(&[name, b"-01"].concat()).is_some();
    month || find_date(name).is_some_and(|(from, to, _)| from == 0 && to == name.len())
}

/// Splits a file name into what all parts of its set share and its own mark.
pub fn split_name(name: &str) -> (String, Mark) {
    let mut stem = name;
    while let Some((front, ext)) = stem.rsplit_once('.') {
        if front.is_empty() || !PACKED.contains(&ext.to_ascii_lowercase().as_str()) {
            break;
        }
        stem = front;
    }
    if let Some((from, to, second)) = find_date(stem.as_bytes()) {
        // A part of the same day, `-20260301.2` or `-20260301-2`, is later than the day itself.
        let (mut front, mut back) = (&stem[..from], &stem[to..]);
        let mut part = 0;
        if let Some(n) = back.strip_prefix(['.', '-']).and_then(small_number) {
            (part, back) = (n, "");
        }
        front = front.trim_end_matches(['.', '-', '_']);
        back = if front.is_empty() { back.trim_start_matches(['.', '-', '_']) } else { back };
        return (format!("{front}{back}"), Mark::Date(second + i64::from(part)));
    }
    if let Some((front, end)) = stem.rsplit_once('.')
        && !front.is_empty()
        && let Some(n) = small_number(end)
    {
        return (front.to_owned(), Mark::Number(n));
    }
    // `access.1.log`
    if let Some((front, ext)) = stem.rsplit_once('.')
        && let Some((front, n)) = front.rsplit_once('.')
        && let Some(n) = small_number(n)
    {
        return (format!("{front}.{ext}"), Mark::Number(n));
    }
    (stem.to_owned(), Mark::Live)
}

fn small_number(s: &str) -> Option<u32> {
    (!s.is_empty() && s.len() <= 5 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok())?
}

/// The first date in a name that stands by itself: where it begins and ends, and its second.
fn find_date(name: &[u8]) -> Option<(usize, usize, Second)> {
    for from in 0..name.len() {
        let alone = from == 0 || !name[from - 1].is_ascii_alphanumeric();
        if !alone || !name[from].is_ascii_digit() {
            continue;
        }
        if let Some((to, second)) = date_at(name, from) {
            return Some((from, to, second));
        }
    }
    None
}

/// `YYYYMMDD`, `YYYY-MM-DD` (or `_`, `.`), with hour, minute and second behind if they are there; or ten digits of
/// seconds since 1970.
fn date_at(name: &[u8], from: usize) -> Option<(usize, Second)> {
    let run = name[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let number = |at: usize, n: usize| -> Option<u32> {
        name.get(at..at + n)?
            .iter()
            .try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
    };
    let year = number(from, 4)?;
    let mut at = from + 4;
    let mut parts = [0u32; 5];
    let mut got = 0;
    while got < 5 {
        // Between the date and the hour nearly anything is used: `T`, `_`, `-`, `.`, a blank.
        let gap = usize::from(name.get(at).is_some_and(|b| !b.is_ascii_digit()));
        let allowed = gap == 0 || matches!(name[at], b'-' | b'_' | b'.' | b':' | b'T' | b't' | b' ');
        let Some(value) = number(at + gap, 2).filter(|_| allowed) else { break };
        // A single digit behind, or a third, is no part of a stamp but a counter.
        if name.get(at + gap + 2).is_some_and(u8::is_ascii_digit) && gap == 1 && number(at + gap, 4).is_none()
        {
            break;
        }
        parts[got] = value;
        (got, at) = (got + 1, at + gap + 2);
    }
    let ends = |at: usize| !name.get(at).is_some_and(u8::is_ascii_digit);
    if got >= 2 && (1990..2100).contains(&year) && ends(at) {
        let second = civil_second(i64::from(year), parts[0], parts[1], parts[2], parts[3], parts[4]);
        if let Some(second) = second {
            return Some((at, second));
        }
    }
    let epoch = number(from, 5).zip(number(from + 5, 5)).filter(|_| run == 10);
    let epoch = epoch.map(|(high, low)| i64::from(high) * 100_000 + i64::from(low));
    epoch.filter(|s| (631_152_000..4_102_444_800).contains(s)).map(|s| (from + 10, s))
}

/// The folder of a file as a set sees it: archive folders at its end do not count.
pub fn home(path: &Path) -> String {
    let mut folder = path.parent().unwrap_or(Path::new(""));
    while let Some(name) = folder.file_name() {
        if !is_archive_folder(&name.to_string_lossy()) {
            break;
        }
        folder = folder.parent().unwrap_or(Path::new(""));
    }
    shown(folder)
}

/// Groups sources into rotated sets, in order of host, folder and stem.
pub fn group<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<Family> {
    type Key = (Option<String>, String, String);
    let mut sets: BTreeMap<Key, Vec<(usize, Mark)>> = BTreeMap::new();
    for (index, source) in sources.into_iter().enumerate() {
        let name = source.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let (stem, mark) = split_name(&name);
        sets.entry((source.host.clone(), home(&source.path), stem)).or_default().push((index, mark));
    }
    let family = |((host, folder, stem), members)| Family { host, folder, stem, members };
    sets.into_iter().map(family).collect()
}

/// Puts members in the order of what is inside them; those without a time go last, by what their names say.
pub fn order(members: &mut [Member]) {
    members.sort_by_key(|m| (m.first.is_none(), m.first, m.last, m.mark, m.source));
}

/// The holes of one set: files that its numbers or dates say were there, whose neighbours leave a stretch of time to
/// nobody. Members may come in any order.
pub fn holes(members: &[Member]) -> Vec<Hole> {
    let mut full: Vec<(Member, Second, Second)> =
        members.iter().filter_map(|m| Some((*m, m.first?, m.last?))).filter(|(m, ..)| m.lines > 0).collect();
    full.sort_by_key(|(m, first, last)| (*first, *last, m.mark, m.source));
    let empty: Vec<Member> = members.iter().filter(|m| m.lines == 0 || m.first.is_none()).copied().collect();
    let step = usual_step(&full);
    let rising = numbers_rise(&full);
    // A pair's neighbours leave a few quiet seconds even in a healthy set: what is usual between this set's members.
    let mut gaps: Vec<Second> = full.windows(2).map(|w| (w[1].1 - w[0].2).max(0)).collect();
    gaps.sort_unstable();
    let usual = if gaps.len() >= 3 { gaps[gaps.len() / 2] } else { 0 };
    let mut holes = Vec::new();
    let mut covered = Second::MIN;
    for pair in full.windows(2) {
        let ((before, _, last), (behind, first, _)) = (&pair[0], &pair[1]);
        covered = covered.max(*last);
        let gap = first - covered;
        if gap <= usual.max(1) {
            continue;
        }
        let missing = missing_between(before.mark, behind.mark, step, gap, rising);
        // An empty member stands between the two by its own mark.
        let between = empty.iter().find(|e| lies_between(e.mark, before.mark, behind.mark, rising));
        let why = match (missing, between) {
            (_, Some(e)) => Why::Empty(e.source),
            (n, None) if n > 0 => Why::Missing(n),
            _ => continue,
        };
        let window = Window { start: covered + 1, end: *first };
        holes.push(Hole { after: before.source, before: behind.source, window, why });
    }
    holes
}

/// Whether higher numbers are later (`Some(true)`), earlier as logrotate has it, or in no order (`None`).
fn numbers_rise(full: &[(Member, Second, Second)]) -> Option<bool> {
    let numbers = full.iter().filter_map(|(m, ..)| if let Mark::Number(n) = m.mark { Some(n) } else { None });
    let numbers: Vec<u32> = numbers.collect();
    let rising = numbers.windows(2).all(|w| w[0] < w[1]);
    let falling = numbers.windows(2).all(|w| w[0] > w[1]);
    if falling { Some(false) } else { rising.then_some(true) }
}

/// How many files the names say are missing between two neighbours in time.
fn missing_between(a: Mark, b: Mark, step: Option<Second>, gap: Second, rising: Option<bool>) -> u32 {
    match (a, b) {
        (Mark::Number(a), Mark::Number(b)) if rising.is_some() => a.abs_diff(b).saturating_sub(1),
        // logrotate counts from 1, newsyslog from 0; either way the live file follows the lowest.
        (Mark::Number(n), Mark::Live) if rising == Some(false) => n.saturating_sub(1),
        (Mark::Date(a), Mark::Date(b)) => {
            // Half a step of play for daylight saving and months of unequal length.
            step.filter(|&s| s > 0).map_or(0, |s| ((b - a + s / 2) / s - 1).clamp(0, 100_000) as u32)
        }
        // The live file goes on where the last dated one ends, so what lacks is whole steps of time.
        (Mark::Date(_), Mark::Live) => {
            step.filter(|&s| s > 0).map_or(0, |s| (gap / s).clamp(0, 100_000) as u32)
        }
        _ => 0,
    }
}

fn lies_between(e: Mark, a: Mark, b: Mark, rising: Option<bool>) -> bool {
    match (a, e, b) {
        (Mark::Number(a), Mark::Number(e), Mark::Number(b)) => {
            rising.is_some() && (a.min(b)..a.max(b)).contains(&e) && e != a.min(b)
        }
        (Mark::Number(a), Mark::Number(e), Mark::Live) => rising == Some(false) && e < a,
        (Mark::Date(a), Mark::Date(e), Mark::Date(b)) => a < e && e < b,
        (Mark::Date(a), Mark::Date(e), Mark::Live) => a < e,
        _ => false,
    }
}

/// The usual step between dated members: the commonest difference of their marks, the smaller of two; with two or
/// fewer members, the ordinary step (hour, day, week, month) that the longest of them fills.
fn usual_step(full: &[(Member, Second, Second)]) -> Option<Second> {
    let mut dates: Vec<Second> =
        full.iter().filter_map(|(m, ..)| if let Mark::Date(s) = m.mark { Some(s) } else { None }).collect();
    dates.sort_unstable();
    dates.dedup();
    // Parts of one day (`-1`, `-2`) differ by seconds; they say nothing about the step.
    let steps = dates.windows(2).map(|w| w[1] - w[0]).filter(|&d| d >= 60);
    let mut counts: BTreeMap<Second, usize> = BTreeMap::new();
    let mut total = 0;
    for step in steps {
        *counts.entry(step).or_default() += 1;
        total += 1;
    }
    if total >= 2 {
        return counts.iter().max_by_key(|&(step, n)| (*n, -*step)).map(|(step, _)| *step);
    }
    let dated = full.iter().filter(|(m, ..)| matches!(m.mark, Mark::Date(_)));
    let span = dated.map(|(_, first, last)| last - first).max()?;
    [3600, 86_400, 604_800, 31 * 86_400].into_iter().find(|&s| span <= s + s / 20)
}

#[cfg(test)]
mod tests;
