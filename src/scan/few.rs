//! A list that is nearly always of one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::{Deref, DerefMut};

/// A list, in memory of its own only where it has more than one entry: a second in which something failed has most often one status,
/// one client and one name, and four pieces of memory to ask for and to give back were half of what such a second cost.
#[derive(Debug, Clone, Default)]
pub(crate) enum Few<T> {
    #[default]
    None,
    One([T; 1]),
    Many(Vec<T>),
}

impl<T: Copy> Few<T> {
    pub(crate) fn insert(&mut self, at: usize, entry: T) {
        match self {
            Self::None => *self = Self::One([entry]),
            Self::One([one]) => {
                let mut many = Vec::with_capacity(4);
                many.extend(if at == 0 { [entry, *one] } else { [*one, entry] });
                *self = Self::Many(many);
            }
            Self::Many(many) => many.insert(at, entry),
        }
    }

    /// Takes the last one out.
    pub(crate) fn pop(&mut self) -> Option<T> {
        match self {
            Self::None => None,
            Self::One([one]) => {
                let one = *one;
                *self = Self::None;
                Some(one)
            }
            Self::Many(many) => many.pop(),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }
}

/// Where the entries lie says nothing.
impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T: Serialize> Serialize for Few<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Copy + Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = Vec::<T>::deserialize(deserializer)?;
        Ok(match *list {
            [] => Self::None,
            [one] => Self::One([one]),
            _ => Self::Many(list),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_a_list() {
        let (mut few, mut list) = (Few::default(), Vec::new());
        for (at, entry) in [(0, 3), (0, 1), (1, 2), (3, 4)] {
            few.insert(at, entry);
            list.insert(at, entry);
            assert_eq!(*few, *list);
            let bytes = postcard::to_stdvec(&few).unwrap();
            assert_eq!(bytes, postcard::to_stdvec(&list).unwrap());
            assert_eq!(postcard::from_bytes::<Few<i32>>(&bytes).unwrap(), few);
        }
        for _ in 0..5 {
            assert_eq!(few.pop(), list.pop());
            assert_eq!(*few, *list);
        }
    }
}
