//! Lines that stand in two files are counted once: a rotated log beside its packed copy, the same file under two names,
//! a concatenation of several, an overlap of two excerpts, the `grep` of failing lines somebody left in the folder.
//! Not for reading: the caller brings the lines of any stretch of time of any file.
//!
//! Two lines are the same when their bytes and their second are. A line that stands `n` times in one file and `m`
//! times in the other was written `max(n, m)` times.
//!
//! Healthy logs hold equal lines too: a health check that asks two vhosts in one second, a load test around the
//! moment of rotation. So files of different hosts are never compared, and two files of one host only after a
//! probe found in one what a sample of the other promises (see [`Evidence`]): different requests, each alone in its second.
//!
//! Cost: a file is read here only where it overlaps another in time by more than a second. Then its probes come from
//! some fifty seconds of it, and the other files' probes are looked up in it, at their seconds or in one pass,
//! whichever is less; the work grows with the number of files, not of pairs. Only proven pairs are joined.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use crate::input::family::{self, Mark};
use crate::time::Second;
use probes::Probes;

mod join;
mod overlaps;
mod probe;
mod probes;

pub(crate) use overlaps::{Overlaps, shared};

/// A file that may share lines with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The caller's number for it.
    pub idx: usize,
    /// Its host; files of different hosts are never compared.
    pub host: Option<String>,
    /// What kind of log it is, in the caller's numbering; different kinds are never compared.
    pub kind: u8,
    /// The earliest second in it.
    pub first: Second,
    /// The latest second in it.
    pub last: Second,
    /// How many lines it has, about.
    pub lines: u64,
    /// Its path.
    pub shown: String,
    /// Whether a stretch of time can be had without reading the file from its beginning.
    pub seekable: bool,
}

/// Lines of one file that another has as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skips {
    /// The file whose lines are not to be counted.
    pub file: usize,
    /// Where they are: sorted byte ranges; a line is meant when it begins inside one.
    pub ranges: Vec<Range<u64>>,
    /// How many lines.
    pub lines: u64,
    /// The file that has them too.
    pub of: usize,
}

/// Gives each line of a file whose second lies in the range, in the order of the file, as (byte offset, line without
/// its newline, second).
pub type LinesOf<'a> = dyn Fn(usize, Range<Second>, &mut dyn FnMut(u64, &[u8], Second)) + 'a;

/// Pairs of files that may be found to share a probe before the search is given up; see [`find`].
const MOST_MATCHES: usize = 4 << 20;

/// Finds the lines to be skipped so that each is counted once. Of two files the larger stays whole. The result does
/// not depend on the order of `files`.
pub fn find(files: &[Candidate], lines_of: &LinesOf<'_>) -> Vec<Skips> {
    let mut order: Vec<&Candidate> = files.iter().filter(|c| c.lines > 0 && c.first <= c.last).collect();
    order.sort_by(|a, b| (b.lines, a.first, &a.shown, a.idx).cmp(&(a.lines, b.first, &b.shown, b.idx)));
    let mut groups: BTreeMap<(&Option<String>, u8), Vec<&Candidate>> = BTreeMap::new();
    for candidate in order {
        groups.entry((&candidate.host, candidate.kind)).or_default().push(candidate);
    }
    // Random keys: nobody can write two lines that are different and hash alike.
    let keys = RandomState::new();
    let mut skips = Vec::new();
    for group in groups.into_values() {
        let group = overlapping(&group);
        let originals = suspects(&group, lines_of, &keys);
        for (index, originals) in originals.iter().enumerate().filter(|(_, o)| !o.is_empty()) {
            let originals: Vec<&Candidate> = originals.iter().map(|&o| group[o]).collect();
            skips.extend(join::skips(group[index], &originals, lines_of, &keys));
        }
    }
    skips.sort_by_key(|s| (s.file, s.of));
    skips
}

/// The seconds two files share. A single second where one file follows the other is no overlap: every rotation in
/// mid-second makes it, and looking would mean reading each member of each healthy set.
fn overlap(a: &Candidate, b: &Candidate) -> Option<Range<Second>> {
    let (from, to) = (a.first.max(b.first), a.last.min(b.last));
    let follows = from == to && a.first != b.first && a.last != b.last;
    (from <= to && !follows).then(|| from..to.saturating_add(1))
}

/// Those that overlap at least one other, in the order given.
fn overlapping<'a>(group: &[&'a Candidate]) -> Vec<&'a Candidate> {
    let mut by_first: Vec<usize> = (0..group.len()).collect();
    by_first.sort_by_key(|&i| (group[i].first, group[i].last));
    let mut keep = vec![false; group.len()];
    // The one that reaches furthest overlaps whatever any earlier one overlaps.
    let mut furthest: Option<usize> = None;
    for &i in &by_first {
        if let Some(f) = furthest.filter(|&f| overlap(group[f], group[i]).is_some()) {
            (keep[f], keep[i]) = (true, true);
        }
        if furthest.is_none_or(|f| group[f].last < group[i].last) {
            furthest = Some(i);
        }
    }
    group.iter().zip(keep).filter(|(_, keep)| *keep).map(|(c, _)| *c).collect()
}

/// What the probes of one file found in another.
#[derive(Debug, Clone, Copy, Default)]
struct Evidence {
    /// Probes from seconds that both files span.
    asked: usize,
    /// Of these, how many are in the other file.
    found: usize,
    /// Different texts (without their time) among the probes that are alone in their second.
    texts: usize,
    /// Of these, how many were found, alone in their second there too.
    texts_found: usize,
}

impl Evidence {
    /// Whether this is beyond coincidence. Equal lines arise by chance where few texts repeat for ever (monitors,
    /// load tests), so texts count once, and only lines that are alone in their second speak. A scanner that
    /// tries the same paths on two vhosts at once can make a dozen; it cannot make most of what both logs hold.
    /// Names that say "one and the same log" lower the bar, and never decide alone.
    fn proves(self, kinship: Kinship) -> bool {
        let share = |part: usize, whole: usize, percent: usize| whole > 0 && part * 100 >= whole * percent;
        let strangers = self.texts_found >= 12 && share(self.texts_found, self.texts, 70);
        let family = self.texts_found >= 3 && share(self.texts_found, self.texts, 60)
            || self.found >= 10 && share(self.found, self.asked, 98);
        let twins = share(self.found, self.asked, 100);
        match kinship {
            Kinship::Strangers => strangers,
            Kinship::Family => strangers || family,
            Kinship::Twins => strangers || family || twins,
        }
    }
}

/// What two names say about each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinship {
    /// Nothing.
    Strangers,
    /// Parts of one rotated set.
    Family,
    /// The same part of one rotated set, as `x.log.1` and `x.log.1.gz`; or the same file again.
    Twins,
}

struct Name {
    home: String,
    stem: String,
    mark: Mark,
}

impl Name {
    fn of(shown: &str) -> Self {
        let path = std::path::Path::new(shown);
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let (stem, mark) = family::split_name(&name);
        Self { home: family::home(path), stem, mark }
    }

    fn kinship(&self, other: &Self) -> Kinship {
        match (self.home == other.home && self.stem == other.stem, self.mark == other.mark) {
            (true, true) => Kinship::Twins,
            (true, false) => Kinship::Family,
            (false, _) => Kinship::Strangers,
        }
    }
}

/// For each file of a group those before it in the order with which it shares lines.
fn suspects(group: &[&Candidate], lines_of: &LinesOf<'_>, keys: &RandomState) -> Vec<Vec<usize>> {
    let mut originals = vec![Vec::new(); group.len()];
    let probes = Probes::of(group.len(), |owner| probe::take(group[owner], group.len(), lines_of, keys));
    let mut matches = 0;
    let mut pairs: HashSet<(usize, usize)> = HashSet::new();
    for (index, file) in group.iter().enumerate() {
        let counts = probe::look_up(file, probes.asked_of(file, index), &probes, lines_of, keys);
        let mut found: HashMap<usize, HashSet<(u32, bool)>> = HashMap::new();
        for (hash, count) in counts {
            let shared = probes.with(hash).map(|which| (probes.owner(which), which));
            for (owner, which) in shared.filter(|(owner, _)| *owner != index) {
                found.entry(owner).or_default().insert((which, count == 1));
                matches += 1;
            }
        }
        for (owner, which) in found {
            let Some(shared) = overlap(file, group[owner]) else { continue };
            let kinship = Name::of(&file.shown).kinship(&Name::of(&group[owner].shown));
            if evidence(probes.owned_by(owner), &which, &shared).proves(kinship) {
                pairs.insert((index.min(owner), index.max(owner)));
            }
        }
        if matches > MOST_MATCHES {
            break;
        }
    }
    for (original, copy) in pairs {
        originals[copy].push(original);
    }
    for list in &mut originals {
        list.sort_unstable();
    }
    originals
}

fn evidence<'p>(
    probes: impl Iterator<Item = (u32, &'p probe::Probe)>,
    found: &HashSet<(u32, bool)>,
    shared: &Range<Second>,
) -> Evidence {
    let mut evidence = Evidence::default();
    let mut texts: HashMap<u64, bool> = HashMap::new();
    for (index, probe) in probes.filter(|(_, p)| shared.contains(&p.second)) {
        let alone_there = found.contains(&(index, true));
        evidence.asked += 1;
        evidence.found += usize::from(alone_there || found.contains(&(index, false)));
        if probe.alone {
            *texts.entry(probe.text).or_default() |= alone_there;
        }
    }
    evidence.texts = texts.len();
    evidence.texts_found = texts.values().filter(|found| **found).count();
    evidence
}

fn hash(keys: &RandomState, second: Second, line: &[u8]) -> u64 {
    // One file may have been copied with other line ends.
    keys.hash_one((second, line.strip_suffix(b"\r").unwrap_or(line)))
}

#[cfg(test)]
mod tests;
