//! Ranges of anything that has an order.

use std::ops::Range;

/// The same in order, those that overlap or meet as one.
pub(crate) fn joined<T: Ord + Copy>(mut ranges: Vec<Range<T>>) -> Vec<Range<T>> {
    ranges.sort_unstable_by_key(|r| (r.start, r.end));
    let mut joined: Vec<Range<T>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn what_overlaps_or_meets_is_one() {
        assert_eq!(joined(vec![7..9, 0..2, 2..4, 1..3, 8..8]), [0..4, 7..9]);
        assert_eq!(joined::<u64>(Vec::new()), []);
    }
}
