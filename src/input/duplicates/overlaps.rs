//! Which of very many files overlap another in time: looked up, not compared each with each.

use super::Candidate;
use crate::time::Second;
use std::collections::HashMap;

/// Files by host and kind, in the order of their first seconds.
#[derive(Debug)]
pub(crate) struct Overlaps<'a> {
    groups: HashMap<(Option<&'a str>, u8), Vec<Entry<'a>>>,
}

#[derive(Debug)]
struct Entry<'a> {
    file: &'a Candidate,
    /// The file that reaches furthest of those up to this one.
    furthest: &'a Candidate,
}

impl<'a> Overlaps<'a> {
    pub(crate) fn of(files: impl IntoIterator<Item = &'a Candidate>) -> Self {
        let mut groups: HashMap<_, Vec<Entry<'a>>> = HashMap::new();
        for file in files {
            let group = groups.entry((file.host.as_deref(), file.kind)).or_default();
            group.push(Entry { file, furthest: file });
        }
        for group in groups.values_mut() {
            group.sort_by_key(|e| (e.file.first, e.file.last, e.file.idx));
            let mut furthest: Option<&Candidate> = None;
            for entry in group {
                entry.furthest = furthest.filter(|f| f.last >= entry.file.last).unwrap_or(entry.file);
                furthest = Some(entry.furthest);
            }
        }
        Self { groups }
    }

    /// Whether one of the files that share a second with `file`, other than itself, is `wanted`. Where all are, this takes
    /// no longer than to look one up.
    pub(crate) fn any(&self, file: &Candidate, mut wanted: impl FnMut(&Candidate) -> bool) -> bool {
        let Some(group) = self.groups.get(&(file.host.as_deref(), file.kind)) else { return false };
        let mut test = |c: &Candidate| c.idx != file.idx && shared(c, file).is_some() && wanted(c);
        let begun = group.partition_point(|e| e.file.first <= file.last);
        for entry in group[..begun].iter().rev() {
            if entry.furthest.last < file.first {
                return false;
            }
            if test(entry.furthest) || test(entry.file) {
                return true;
            }
        }
        false
    }
}

/// The first and the last second that two files share.
pub(crate) fn shared(a: &Candidate, b: &Candidate) -> Option<(Second, Second)> {
    let (from, to) = (a.first.max(b.first), a.last.min(b.last));
    (from <= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is looked up is what comparing each with each finds.
        #[test]
        fn as_each_with_each(spans in prop::collection::vec((0i64..60, 0i64..12, 0u8..2, any::<bool>()), 0..40)) {
            let file = |(idx, (first, length, kind, seekable)): (usize, &(i64, i64, u8, bool))| Candidate {
                idx,
                host: (first % 3 == 0).then(|| "a".to_owned()),
                kind: *kind,
                first: *first,
                last: first + length,
                lines: 1,
                shown: String::new(),
                seekable: *seekable,
            };
            let files: Vec<Candidate> = spans.iter().enumerate().map(file).collect();
            let overlaps = Overlaps::of(&files);
            for a in &files {
                for packed in [false, true] {
                    let wanted = |b: &Candidate| packed || b.seekable;
                    let want = files.iter().any(|b| {
                        b.idx != a.idx && (&b.host, b.kind) == (&a.host, a.kind) && shared(a, b).is_some() && wanted(b)
                    });
                    prop_assert_eq!(overlaps.any(a, wanted), want);
                }
            }
        }
    }
}
