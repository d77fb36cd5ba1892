//! The order of entries by their second.
//!
//! The lines of a log are nearly always in order. Where they are not, as in a log that was put together of several,
//! hundreds of thousands are put in order at once. They are large, and their seconds lie close: so their places are
//! distributed by eleven bits of the second at a time (radix sort, Knuth, vol. 3, 5.2.5), in two or three passes. To sort the
//! entries by comparing them was half of what such a log cost.

use crate::time::Second;

/// Bits of a pass.
const BITS: u32 = 11;
/// Fewer than this are compared: a pass looks at each of two thousand counts.
const FEW: usize = 2048;

/// Puts entries in order, or tells their order: place by place, in the lower half. Entries of one second may stand in any.
pub(super) fn by_second<T>(list: &mut [(Second, T)]) -> Vec<u64> {
    if list.is_sorted_by_key(|e| e.0) {
        return Vec::new();
    }
    let seconds = || list.iter().map(|e| e.0);
    let (first, last) = seconds().fold((Second::MAX, Second::MIN), |(a, b), s| (a.min(s), b.max(s)));
    let span = last.abs_diff(first);
    if list.len() < FEW || span > u64::from(u32::MAX) || u32::try_from(list.len()).is_err() {
        list.sort_unstable_by_key(|e| e.0);
        return Vec::new();
    }
    let mut order: Vec<u64> = seconds().zip(0..).map(|(s, place)| s.abs_diff(first) << 32 | place).collect();
    let mut sorted = vec![0; order.len()];
    for shift in (0..u64::BITS - span.leading_zeros()).step_by(BITS as usize) {
        let digit = |entry: u64| (entry >> (32 + shift)) as usize & ((1 << BITS) - 1);
        let mut places = [0u32; 1 << BITS];
        for &entry in &order {
            places[digit(entry)] += 1;
        }
        let mut next = 0;
        for place in &mut places {
            (*place, next) = (next, next + *place);
        }
        for &entry in &order {
            let place = &mut places[digit(entry)];
            sorted[*place as usize] = entry;
            *place += 1;
        }
        std::mem::swap(&mut order, &mut sorted);
    }
    order
}

/// Entries in an order that [`by_second`] told.
pub(super) struct InOrder<'a, T> {
    pub(super) list: &'a [(Second, T)],
    pub(super) order: &'a [u64],
}

impl<T> InOrder<'_, T> {
    /// The entry at a place of the order.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&(Second, T)> {
        let place = if self.order.is_empty() { at } else { *self.order.get(at)? as u32 as usize };
        self.list.get(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// However many, and however far apart.
        #[test]
        fn in_order(
            seconds in prop::collection::vec(any::<u32>(), 0..3 * FEW),
            (first, bits) in (-1_000_000_000_000i64..1_000_000_000_000, 0u32..34),
        ) {
            let list = |(i, n): (usize, &u32)| (first + ((u64::from(*n) << 2) >> (34 - bits)) as i64, i);
            let mut list: Vec<(Second, usize)> = seconds.iter().enumerate().map(list).collect();
            let mut want: Vec<Second> = list.iter().map(|e| e.0).collect();
            want.sort_unstable();
            let order = by_second(&mut list);
            let told = InOrder { list: &list, order: &order };
            let told: Vec<(Second, usize)> = (0..).map_while(|at| told.get(at).copied()).collect();
            prop_assert_eq!(told.iter().map(|e| e.0).collect::<Vec<_>>(), want);
            let mut all: Vec<usize> = told.iter().map(|e| e.1).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..list.len()).collect::<Vec<_>>());
        }
    }
}
