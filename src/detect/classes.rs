//! Answers of one class among those of others, as the failures of a log.

use super::steps::{Excused, Steps};
use super::{Detection, Fold, Options, Tick, Ticks, failing, fold_timeline};
use crate::time::{Second, Window};
use crate::timeline::{Classes, Run, Sums, Timeline, Walker};

/// Some of the answers of a timeline as good ones, and others as failures.
#[derive(Debug, Clone, Copy)]
pub struct Among<'a> {
    /// All that was counted.
    pub timeline: &'a Timeline,
    /// What is good.
    pub good: Classes,
    /// What is a failure.
    pub bad: Classes,
}

fn tick(s: Sums) -> Tick {
    Tick { second: s.second, good: s.lines[0], neutral: 0, failed: s.lines[1] }
}

impl Ticks for Among<'_> {
    fn each(&self, window: Window, mut visit: impl FnMut(Tick)) {
        self.timeline.each_sum(window, [self.good, self.bad], |s| visit(tick(s)));
    }

    fn each_run(&self, window: Window, fold: &mut impl Fold) {
        fold_timeline(self.timeline, window, [self.good, self.bad], tick, fold);
    }

    fn span(&self) -> Option<Window> {
        self.timeline.span()
    }
}

/// What [`super::stretches`] finds in two kinds of failures among the same good answers. The log is walked through once:
/// of a long quiet one that is most of the work.
#[inline]
pub fn stretches_of_two(
    timeline: &Timeline,
    good: Classes,
    bad: [Classes; 2],
    options: [&Options; 2],
) -> [Detection; 2] {
    let mut found = [Detection::default(), Detection::default()];
    let Some(span) = timeline.span().filter(|s| s.start < s.end) else { return found };
    let mut two = Two([Steps::new(span), Steps::new(span)]);
    timeline.each_run(span, [good, bad[0], bad[1]], &mut two);
    for (((mut steps, bad), options), found) in two.0.into_iter().zip(bad).zip(options).zip(&mut found) {
        steps.close();
        failing::anomalies(&Among { timeline, good, bad }, &steps, Excused { seconds: &[] }, options, found);
    }
    found
}

/// The steps of both kinds while they are made.
struct Two([Steps; 2]);

impl Walker<3> for Two {
    const CLOSE: bool = false;

    #[inline]
    fn until(&self) -> Second {
        self.0[0].until().min(self.0[1].until())
    }

    #[inline]
    fn run(&mut self, run: Run<3>) {
        let Run { first, last, busy, lines, pause } = run;
        let run = Run { first, last, busy, lines: [lines[0], 0], pause };
        let [a, b] = &mut self.0;
        Fold::run(a, run);
        Fold::run(b, run);
    }

    #[inline]
    fn second(&mut self, s: Sums<3>) {
        let ([a, b], [good, bad, worse]) = (&mut self.0, s.lines);
        let tick = |failed| Tick { second: s.second, good, neutral: 0, failed };
        Fold::tick(a, tick(bad));
        Fold::tick(b, tick(worse));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::stretches;
    use crate::timeline::{CLASSES, Class, Collected};

    #[test]
    fn two_at_once_are_the_two() {
        let mut seconds = Collected::default();
        for second in 0..8000 {
            let mut counts = [0; CLASSES];
            counts[Class::Ok as usize] = 5;
            if (3000..3100).contains(&second) || second % 97 == 0 {
                counts[Class::Missing as usize] = 6;
            }
            if (5000..5050).contains(&second) || second % 89 == 0 {
                counts[Class::Aborted as usize] = 4;
            }
            seconds.runs.push((second, counts));
        }
        let mut timeline = Timeline::default();
        timeline.absorb(&mut seconds);
        let bad = [Classes::one(Class::Missing), Classes::one(Class::Aborted)];
        let options = Options::default();
        let two = stretches_of_two(&timeline, Classes::GOOD, bad, [&options; 2]);
        for (found, bad) in two.iter().zip(bad) {
            let alone = stretches(&Among { timeline: &timeline, good: Classes::GOOD, bad }, &options);
            assert_eq!(found.anomalies.len(), 1);
            assert_eq!(format!("{found:?}"), format!("{alone:?}"));
        }
    }
}
