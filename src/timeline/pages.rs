//! The pages of a timeline, in the order of time.

use super::Page;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Pages of a shelf, as a power of two: twelve days. To put one before the others moves as many.
const SHELF_BITS: u32 = 10;

/// Pages by number.
///
/// They stand side by side on shelves, and only the shelves are in a tree: where the lines of a log are hours apart each
/// has a page, and to find its place in a tree and to follow a pointer to it in each walk cost more than all else.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages {
    /// The shelf that was made first, with its number: of thousands of files most have no other, and a tree has room for
    /// eleven.
    first: Option<(i64, Shelf)>,
    /// The others.
    more: BTreeMap<i64, Shelf>,
    /// Pages on all of them.
    len: usize,
}

/// Pages in order, with their numbers.
type Shelf = Vec<(i64, Page)>;

impl Pages {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The shelf of a number of its own; and what counts the pages on all.
    fn shelf(&mut self, number: i64) -> (&mut Shelf, &mut usize) {
        let other = self.first.as_ref().is_some_and(|first| first.0 != number);
        if other || self.first.is_none() && !self.more.is_empty() {
            return (self.more.entry(number).or_default(), &mut self.len);
        }
        (&mut self.first.get_or_insert_with(|| (number, Shelf::new())).1, &mut self.len)
    }

    /// The shelves from `from` to `to`, in order.
    fn shelves(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = &Shelf> {
        let first = self.first.as_ref().filter(|first| (from..=to).contains(&first.0));
        let at = first.map_or(from, |first| first.0);
        let before = self.more.range(from..at);
        // A range may not end before it begins.
        let behind = (at <= to).then(|| self.more.range(at..=to)).into_iter().flatten();
        let values = before.map(|shelf| shelf.1).chain(first.map(|first| &first.1));
        values.chain(behind.map(|shelf| shelf.1))
    }

    /// The page of a number, which is empty where there was none.
    pub(super) fn page(&mut self, number: i64) -> &mut Page {
        let (shelf, len) = self.shelf(number >> SHELF_BITS);
        let place = match find(shelf, number) {
            Ok(place) => place,
            Err(place) => {
                insert(shelf, place, (number, Page::default()));
                *len += 1;
                place
            }
        };
        &mut shelf[place].1
    }

    /// Adds those of another; `add` where both have one.
    pub(super) fn merge(&mut self, other: Self, mut add: impl FnMut(&mut Page, &Page)) {
        if self.is_empty() {
            *self = other;
            return;
        }
        for (key, pages) in other.first.into_iter().chain(other.more) {
            let (shelf, len) = self.shelf(key);
            if shelf.is_empty() {
                *len += pages.len();
                *shelf = pages;
                continue;
            }
            for (number, page) in pages {
                match find(shelf, number) {
                    Ok(place) => add(&mut shelf[place].1, &page),
                    Err(place) => {
                        insert(shelf, place, (number, page));
                        *len += 1;
                    }
                }
            }
        }
    }

    /// Forgets those before a number.
    pub(super) fn forget_before(&mut self, number: i64) {
        let shelf = number >> SHELF_BITS;
        self.more = self.more.split_off(&shelf);
        self.first = self.first.take().filter(|first| first.0 >= shelf);
        let cut = self.first.iter_mut().filter(|first| first.0 == shelf).map(|first| &mut first.1);
        cut.chain(self.more.get_mut(&shelf)).for_each(|shelf| shelf.retain(|page| page.0 >= number));
        self.first = self.first.take().filter(|first| !first.1.is_empty());
        self.more.retain(|_, shelf| !shelf.is_empty());
        self.len = self.shelves(i64::MIN, i64::MAX).map(Vec::len).sum();
    }

    /// Takes all of them, in order.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (i64, Page)> + use<> {
        let Self { first, mut more, .. } = std::mem::take(self);
        let at = first.as_ref().map(|first| first.0);
        let behind = at.map(|at| more.split_off(&at)).unwrap_or_default();
        more.into_values().chain(first.map(|first| first.1)).chain(behind.into_values()).flatten()
    }

    /// All of them in order, with their numbers.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, &Page)> {
        self.shelves(i64::MIN, i64::MAX).flatten().map(|(number, page)| (*number, page))
    }

    /// Those from `first` to `last`.
    pub(super) fn range(&self, first: i64, last: i64) -> impl Iterator<Item = (i64, &Page)> {
        let shelves = self.shelves(first >> SHELF_BITS, last >> SHELF_BITS);
        let inside = move |shelf: &'_ Shelf| {
            // Nearly all shelves lie inside as a whole.
            let at = |number: i64| shelf.partition_point(|page| page.0 < number);
            let from = if shelf.first().is_some_and(|page| page.0 < first) { at(first) } else { 0 };
            let all = shelf.last().is_none_or(|page| page.0 <= last);
            from..if all { shelf.len() } else { at(last + 1) }
        };
        shelves.flat_map(move |shelf| &shelf[inside(shelf)]).map(|(number, page)| (*number, page))
    }
}

/// Where a page stands on a shelf, or where it would. Most often it is the last, or comes behind it.
fn find(shelf: &[(i64, Page)], number: i64) -> Result<usize, usize> {
    match shelf.last() {
        Some((last, _)) if *last == number => Ok(shelf.len() - 1),
        Some((last, _)) if *last > number => shelf.binary_search_by_key(&number, |page| page.0),
        _ => Err(shelf.len()),
    }
}

fn insert(shelf: &mut Shelf, place: usize, page: (i64, Page)) {
    if shelf.len() == shelf.capacity() {
        // Of thousands of files most have one page, or a few.
        shelf.reserve_exact(shelf.len().max(1));
    }
    shelf.insert(place, page);
}

/// Which shelf was made first says nothing.
impl PartialEq for Pages {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Pages {}

/// As a map from numbers to pages.
impl Serialize for Pages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len))?;
        for (number, page) in self.iter() {
            map.serialize_entry(&number, page)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Pages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pages;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("pages by number")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pages, A::Error> {
                let mut pages = Pages::default();
                while let Some((number, page)) = map.next_entry()? {
                    *pages.page(number) = page;
                }
                Ok(pages)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(byte: u8) -> Page {
        Page { counts: vec![byte], ..Page::default() }
    }

    proptest! {
        /// On shelves as in one tree.
        #[test]
        fn shelves_are_a_map(
            one in prop::collection::vec((-5000i64..5000, any::<u8>()), 0..60),
            two in prop::collection::vec((-5000i64..5000, any::<u8>()), 0..60),
            (first, last, before) in (-5000i64..5000, -5000i64..5000, -5000i64..5000),
        ) {
            let mut want: BTreeMap<i64, Page> = BTreeMap::new();
            let fill = |entries: &[(i64, u8)]| {
                let mut pages = Pages::default();
                for &(number, byte) in entries {
                    pages.page(number).counts.push(byte);
                }
                pages
            };
            let mut pages = fill(&one);
            pages.merge(fill(&two), |page, other| page.counts.extend(&other.counts));
            for &(number, byte) in one.iter().chain(&two) {
                want.entry(number).or_default().counts.push(byte);
            }
            let all = |pages: &Pages| pages.iter().map(|(n, p)| (n, p.clone())).collect::<Vec<_>>();
            prop_assert_eq!(all(&pages), want.clone().into_iter().collect::<Vec<_>>());
            let (first, last) = (first.min(last), first.max(last));
            let inside: Vec<_> = pages.range(first, last).map(|(n, p)| (n, p.clone())).collect();
            prop_assert_eq!(inside, want.range(first..=last).map(|(n, p)| (*n, p.clone())).collect::<Vec<_>>());
            // It is written as a map is, and read back.
            let bytes = postcard::to_stdvec(&pages).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_stdvec(&want).unwrap());
            prop_assert_eq!(&postcard::from_bytes::<Pages>(&bytes).unwrap(), &pages);
            prop_assert_eq!(pages.len(), want.len());
            pages.forget_before(before);
            let left: Vec<_> = want.split_off(&before).into_iter().collect();
            prop_assert_eq!(all(&pages), left.clone());
            prop_assert_eq!(pages.len(), left.len());
            prop_assert!(pages.shelves(i64::MIN, i64::MAX).all(|shelf| !shelf.is_empty()));
            prop_assert_eq!(pages.take().collect::<Vec<_>>(), left);
            prop_assert_eq!((pages.is_empty(), pages.len), (true, 0));
        }
    }

    #[test]
    fn a_page_in_front_is_found() {
        let mut pages = Pages::default();
        for number in [5, 3, 4] {
            *pages.page(number) = page(number as u8);
        }
        assert_eq!(pages.iter().map(|(n, p)| (n, p.counts[0])).collect::<Vec<_>>(), [(3, 3), (4, 4), (5, 5)]);
    }
}
