//! The names that failures are counted by, as text.

use super::bounded::Smallest;
use super::partial::Dimension;
use serde::{Deserialize, Serialize};

/// Names of one kind that are remembered by text.
const NAMES: usize = 4096;

type ByKey = Smallest<u64, Box<[u8]>>;

/// Texts of endpoints, virtual hosts and peers by their keys, each kind bounded by itself: a site of ten thousand pages
/// must not lose the names of its two peers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names {
    /// In the order of [`Dimension::ALL`]; none where nothing was shown, as in most of many files.
    kinds: Option<Box<[ByKey; 3]>>,
}

/// Which of the three a key belongs to.
fn kind(key: u64) -> usize {
    Dimension::of_key(key) as usize
}

impl Names {
    /// Whether a name with this key would be kept now. One that is not will never be.
    #[inline]
    pub(crate) fn wants(&self, key: u64) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds[kind(key)].wants(&key))
    }

    pub(crate) fn show(&mut self, key: u64, name: &[u8]) {
        self.kinds()[kind(key)].show(key, name.into(), |_, _| ());
    }

    fn kinds(&mut self) -> &mut [ByKey; 3] {
        self.kinds.get_or_insert_with(|| Box::new(std::array::from_fn(|_| Smallest::new(NAMES))))
    }

    pub(crate) fn get(&self, key: u64) -> Option<&[u8]> {
        self.kinds.as_ref()?[kind(key)].get(&key).map(|name| &**name)
    }

    pub(crate) fn merge(&mut self, other: Self) {
        let Some(other) = other.kinds else { return };
        if self.kinds.is_none() {
            self.kinds = Some(other);
            return;
        }
        for (mine, other) in self.kinds().iter_mut().zip(*other) {
            mine.merge(other, |_, _| ());
        }
    }

    /// The largest key of each kind of which there were more than are kept.
    pub(super) fn limits(&self) -> [Option<u64>; 3] {
        let limit = |i: usize| self.kinds.as_ref()?[i].limit().copied();
        std::array::from_fn(limit)
    }

    /// Whether one kind has no more room, so that a name may not have fitted.
    pub(crate) fn is_any_full(&self) -> bool {
        self.kinds.iter().any(|kinds| kinds.iter().any(Smallest::is_full))
    }

    /// Whether it keeps its own rules.
    pub(crate) fn is_sound(&self) -> bool {
        let fresh = Smallest::new(NAMES);
        let own = |(i, names): (usize, &ByKey)| {
            names.is_sound(&fresh) && names.iter().all(|(key, _)| (key >> 56) as usize == i)
        };
        self.kinds.iter().all(|kinds| kinds.iter().enumerate().all(own))
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kinds.iter().flat_map(|kinds| kinds.iter()).map(Smallest::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_pages_leave_room_for_the_peers() {
        let mut names = Names::default();
        let mut show =
            |dimension: Dimension, name: String| names.show(dimension.key(name.as_bytes()), name.as_bytes());
        show(Dimension::Vhost, "shop.example".into());
        (0..3 * NAMES).for_each(|i| show(Dimension::Endpoint, format!("/{i}")));
        show(Dimension::Peer, "10.0.0.1:80".into());
        assert_eq!(names.len(), NAMES + 2);
        for (dimension, name) in [(Dimension::Vhost, "shop.example"), (Dimension::Peer, "10.0.0.1:80")] {
            assert_eq!(names.get(dimension.key(name.as_bytes())), Some(name.as_bytes()));
        }
        let [pages, hosts, peers] = names.limits();
        assert!(pages.is_some() && hosts.is_none() && peers.is_none());
        assert!(names.is_sound() && names.is_any_full());
    }
}
