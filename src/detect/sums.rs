//! Running sums over the steps, so that what is asked of long stretches again and again is not added up each time.

use super::steps::{Step, Steps};
use std::ops::Range;

/// Steps from one kept sum to the next: what lies between is added when asked for, so that the sums are small beside the
/// steps.
const EVERY: usize = 32;

/// Requests and failures.
pub(crate) type Count = (u64, u64);

/// The requests and failures of all steps before every 32nd.
#[derive(Debug)]
pub(crate) struct Sums<'a> {
    list: &'a [Step],
    before: Vec<Count>,
}

fn add(sum: Count, s: &Step) -> Count {
    (sum.0 + u64::from(s.good) + u64::from(s.failed()), sum.1 + u64::from(s.failed()))
}

impl<'a> Sums<'a> {
    pub(crate) fn new(steps: &'a Steps) -> Self {
        let mut sum = (0, 0);
        let mut before = Vec::with_capacity(steps.list.len() / EVERY + 1);
        for part in steps.list.chunks(EVERY) {
            before.push(sum);
            sum = part.iter().fold(sum, add);
        }
        before.push(sum);
        Self { list: &steps.list, before }
    }

    /// Requests and failures of all steps before `index`.
    pub(crate) fn before(&self, index: usize) -> Count {
        let index = index.min(self.list.len());
        let from = index / EVERY;
        self.list[from * EVERY..index].iter().fold(self.before[from], add)
    }

    /// Requests and failures of the steps of a range.
    pub(crate) fn of(&self, range: &Range<usize>) -> Count {
        if range.len() <= 2 * EVERY {
            return self.list[range.clone()].iter().fold((0, 0), add);
        }
        let (to, from) = (self.before(range.end), self.before(range.start));
        (to.0 - from.0, to.1 - from.1)
    }

    /// Visits the steps of `range` in groups of one key each, which must not fall from step to step.
    pub(crate) fn each_group(
        &self,
        range: Range<usize>,
        key: impl Fn(&Step) -> usize,
        mut visit: impl FnMut(usize, Count),
    ) {
        let mut at = range.start;
        while at < range.end {
            let own = key(&self.list[at]);
            // Doubling strides find the end of a long group, and cost little at a short one.
            let (mut low, mut stride) = (at, 1);
            while low + stride < range.end && key(&self.list[low + stride]) == own {
                low += stride;
                stride *= 2;
            }
            let high = (low + stride).min(range.end);
            let end = low + 1 + self.list[low + 1..high].partition_point(|s| key(s) == own);
            visit(own, self.of(&(at..end)));
            at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Window;

    proptest::proptest! {
        /// Any part has the sum of its steps, and the groups are those that a walk finds.
        #[test]
        fn sums_are_those_of_a_walk(
            counts in proptest::collection::vec((0u32..9, 0u32..3), 1..400),
            (a, b) in (0usize..400, 0usize..400),
            width in 1i64..90,
        ) {
            let mut steps = Steps::new(Window { start: 0, end: counts.len() as i64 });
            for (t, &(good, failed)) in counts.iter().enumerate() {
                steps.push(t as i64, good, failed);
            }
            steps.close();
            let sums = Sums::new(&steps);
            let (a, b) = (a.min(steps.list.len()), b.min(steps.list.len()));
            let range = a.min(b)..a.max(b);
            let walked = steps.list[range.clone()].iter().fold((0, 0), add);
            proptest::prop_assert_eq!(sums.of(&range), walked);
            let key = |s: &Step| (s.first / width) as usize;
            let mut by_walk: Vec<(usize, Count)> = Vec::new();
            for s in &steps.list[range.clone()] {
                match by_walk.last_mut() {
                    Some((own, sum)) if *own == key(s) => *sum = add(*sum, s),
                    _ => by_walk.push((key(s), add((0, 0), s))),
                }
            }
            let mut groups = Vec::new();
            sums.each_group(range, key, |own, sum| groups.push((own, sum)));
            proptest::prop_assert_eq!(groups, by_walk);
        }
    }
}
