use super::*;
use proptest::prelude::*;

fn collect(t: &Timeline) -> Vec<Moment> {
    let mut out = Vec::new();
    t.each(Window::ALL, |m| out.push(m));
    out
}

#[test]
fn latency_buckets_are_half_octaves() {
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 8, 12, 1000].map(bucket), [0, 1, 2, 3, 4, 4, 5, 6, 7, 19]);
    for b in 0..BUCKETS {
        assert_eq!(bucket(bucket_floor(b)), b);
        assert!(b == 0 || bucket(bucket_floor(b) - 1) == b - 1);
    }
    assert_eq!(bucket(u32::MAX), BUCKETS - 1);
}

#[test]
fn a_quiet_second_costs_a_byte() {
    let mut t = Timeline::default();
    let mut c = Collected::default();
    for s in (0..1024).step_by(8) {
        c.runs.push((s, [1, 0, 0, 0, 0, 0, 0, 0]));
    }
    t.absorb(&mut c);
    assert_eq!(t.pages.iter().next().unwrap().1.counts.len(), 128);
    assert_eq!(t.span(), Some(Window { start: 0, end: 1017 }));
}

#[test]
fn a_quiet_log_is_told_in_runs() {
    let mut c = Collected::default();
    for s in (0..4000).step_by(3) {
        c.runs.push((s, [1, 0, 0, 0, 0, 0, 0, 0]));
    }
    let mut t = Timeline::default();
    t.absorb(&mut c);
    let mut seconds = Vec::new();
    t.each_sum(Window::ALL, [Classes::ALL, Classes::NONE], |s| seconds.push(s));
    let mut told = Against::<true> { seconds: seconds.iter(), every: 1 << 40, until: Second::MAX, runs: 0 };
    t.each_run(Window::ALL, [Classes::ALL, Classes::NONE], &mut told);
    assert!(told.runs >= 4000 / 3 / 8 - 4, "{}", told.runs);
}

/// Second, bucket, how many.
struct Told(Vec<(Second, usize, u32)>, Second);

impl Timings for Told {
    fn second(&mut self, second: Second) {
        self.1 = second;
    }

    fn bucket(&mut self, bucket: usize, n: u32) {
        self.0.push((self.1, bucket, n));
    }
}

/// Checks runs against the seconds they stand for, which were told before, in order.
struct Against<'a, const CLOSE: bool> {
    seconds: std::slice::Iter<'a, Sums>,
    every: i64,
    until: Second,
    runs: u32,
}

impl<const CLOSE: bool> Walker for Against<'_, CLOSE> {
    const CLOSE: bool = CLOSE;

    fn until(&self) -> Second {
        self.until
    }

    fn run(&mut self, run: Run) {
        let mine: Vec<&Sums> = self.seconds.by_ref().take(run.busy as usize).collect();
        let (first, last) = (mine[0].second, mine[mine.len() - 1].second);
        assert_eq!((run.first, run.last), (first, last));
        assert!(run.busy > 1 && last < self.until);
        assert!(mine.iter().all(|s| s.failed == 0));
        let sum = |i: usize| mine.iter().map(|s| s.lines[i]).sum::<u32>();
        assert_eq!(run.lines, [sum(0), sum(1)]);
        let pause = mine.windows(2).map(|w| (w[1].second - w[0].second - 1) as u32).max().unwrap();
        assert!(if CLOSE { run.pause == pause && pause < Run::PAUSE } else { run.pause == 0 });
        self.runs += 1;
    }

    fn second(&mut self, sums: Sums) {
        assert_eq!(Some(&sums), self.seconds.next());
        self.until = (sums.second.div_euclid(self.every) + 1) * self.every;
    }
}

proptest! {
    /// Several seconds told as one are those that are told one by one.
    #[test]
    fn runs_are_the_seconds_they_stand_for(
        entries in prop::collection::vec((1i64..20, 0usize..60, 1u16..8, any::<bool>()), 1..300),
        every in 1i64..200,
        (from, length) in (-50i64..3000, 0i64..3000),
        all in any::<bool>(),
    ) {
        let mut c = Collected::default();
        let mut second = -20;
        for &(step, class, n, close) in &entries {
            second += if close { step % 3 + 1 } else { step };
            let mut counts = [0; CLASSES];
            // Nearly all are 2xx.
            counts[if class < CLASSES { class } else { 0 }] = n;
            c.runs.push((second, counts));
            if class == Class::ServerError as usize {
                c.failed.push((second - step, u32::from(n)));
            }
        }
        let mut t = Timeline::default();
        t.absorb(&mut c);
        let window = if all { Window::ALL } else { Window { start: from, end: from + length } };
        for asked in [[Classes::ALL, Classes::NONE], [Classes::GOOD, Classes::NEUTRAL]] {
            let mut seconds = Vec::new();
            t.each_sum(window, asked, |s| seconds.push(s));
            let mut any = Against::<false> { seconds: seconds.iter(), every, until: Second::MIN, runs: 0 };
            t.each_run(window, asked, &mut any);
            prop_assert!(any.seconds.next().is_none());
            let mut close = Against::<true> { seconds: seconds.iter(), every, until: Second::MIN, runs: 0 };
            t.each_run(window, asked, &mut close);
            prop_assert!(close.seconds.next().is_none());
        }
    }

    /// Sums and buckets told while they are read are those of whole rows.
    #[test]
    fn sums_are_those_of_the_rows(
        entries in prop::collection::vec((-20i64..3000, 0usize..CLASSES, 1u16..12, 0u32..70_000), 0..300),
        (from, length) in (-50i64..3000, 0i64..3000),
    ) {
        let mut c = Collected::default();
        for &(second, class, n, ms) in &entries {
            let mut counts = [0; CLASSES];
            counts[class] = n;
            let mut latencies = [0; BUCKETS];
            latencies[bucket(ms)] = n;
            c.runs.push((second, counts));
            c.latencies.push((second, latencies));
            if class == Class::ServerError as usize {
                // Some arrived in seconds without a line.
                c.failed.push((second - i64::from(ms / 1000), u32::from(n)));
            }
        }
        let mut timeline = Timeline::default();
        timeline.absorb(&mut c);
        for window in [Window::ALL, Window { start: from, end: from + length }] {
            let (mut rows, mut sums) = (Vec::new(), Vec::new());
            timeline.each(window, |m| {
                let good = [Class::Ok, Class::Redirect, Class::Info].map(|c| m.counts[c as usize]);
                rows.push((m.second, good.iter().sum::<u32>(), m.counts[Class::Missing as usize], m.failed));
            });
            timeline.each_sum(window, [Classes::GOOD, Classes::one(Class::Missing)], |s| {
                sums.push((s.second, s.lines[0], s.lines[1], s.failed));
            });
            prop_assert_eq!(&sums, &rows);
            let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
            timeline.each(window, |m| rows.push((m.second, m.counts.iter().sum::<u32>(), m.failed)));
            timeline.each_outcome(window, |o| outcomes.push((o.second, o.good + o.neutral, o.failed)));
            let server_errors: u32 = entries
                .iter()
                .filter(|e| e.1 == Class::ServerError as usize && window.contains(e.0))
                .map(|e| u32::from(e.2))
                .sum();
            prop_assert_eq!(outcomes.len(), rows.len());
            let lines = |rows: &[(i64, u32, u32)]| rows.iter().map(|r| r.1).sum::<u32>();
            prop_assert_eq!(lines(&outcomes) + server_errors, lines(&rows));
            let (mut rows, mut buckets) = (Vec::new(), Told(Vec::new(), 0));
            timeline.each_latency(window, |second, l| {
                rows.extend(l.iter().enumerate().filter(|(_, n)| **n > 0).map(|(b, n)| (second, b, *n)));
            });
            timeline.each_timing(window, &mut buckets);
            let told: Vec<_> = buckets.0;
            prop_assert_eq!(told, rows);
        }
    }

    /// Written as they come or collected first: the same bytes.
    #[test]
    fn writing_as_it_comes_is_exact(
        entries in prop::collection::vec((-20i64..3000, 0usize..CLASSES, 1u16..400, 0u32..70_000), 0..200),
        in_order: bool,
    ) {
        let mut entries = entries;
        if in_order {
            entries.sort_unstable();
        }
        let (mut a, mut b) = (Timeline::default(), Timeline::default());
        let (mut listed, mut written) = (Collected::default(), Collected::default());
        for &(second, class, n, ms) in &entries {
            let mut counts = [0; CLASSES];
            counts[class] = n;
            let mut latencies = [0; BUCKETS];
            latencies[bucket(ms)] = n;
            listed.runs.push((second, counts));
            listed.latencies.push((second, latencies));
            written.count(&mut b, second, &counts);
            written.time(&mut b, second, &mut latencies, 1 << bucket(ms));
            prop_assert_eq!(latencies, [0; BUCKETS]);
        }
        a.absorb(&mut listed);
        b.absorb(&mut written);
        prop_assert_eq!(a, b);
    }

    /// Any cut and any order of the same entries give the same bytes, and nothing is lost. In order, the parts
    /// follow each other, and may share the second at which they were cut.
    #[test]
    fn merging_is_exact(
        entries in prop::collection::vec((-3000i64..5000, 0usize..CLASSES, 1u16..400, 0u32..70_000), 0..200),
        cut in 0usize..200,
        in_order: bool,
        shared: bool,
    ) {
        let mut entries = entries;
        if in_order {
            entries.sort_unstable();
        }
        if shared && (1..entries.len()).contains(&cut) {
            entries[cut].0 = entries[cut - 1].0;
        }
        let fill = |part: &[(i64, usize, u16, u32)]| {
            let mut c = Collected::default();
            for &(s, class, n, ms) in part {
                let mut counts = [0; CLASSES];
                counts[class] = n;
                c.runs.push((s, counts));
                if class == Class::ServerError as usize {
                    c.failed.push((s - i64::from(ms / 1000), u32::from(n)));
                }
                let mut l = [0; BUCKETS];
                l[bucket(ms)] = 1;
                c.latencies.push((s, l));
            }
            let mut t = Timeline::default();
            t.absorb(&mut c);
            t
        };
        let whole = fill(&entries);
        let (a, b) = entries.split_at(cut.min(entries.len()));
        let (mut ab, mut ba) = (fill(a), fill(b));
        ab.merge(fill(b));
        ba.merge(fill(a));
        prop_assert_eq!(&ab, &whole);
        prop_assert_eq!(&ba, &whole);
        let total: u64 = entries.iter().map(|e| u64::from(e.2)).sum();
        let counted: u64 = collect(&whole).iter().flat_map(|m| m.counts).map(u64::from).sum();
        prop_assert_eq!(total, counted);
        let mut timed = 0;
        whole.each_latency(Window::ALL, |_, l| timed += l.iter().sum::<u32>() as usize);
        prop_assert_eq!(timed, entries.len());
    }
}

/// A timeline of so many seconds, `apart` from one another, of 2xx and one failure each.
fn sparse(first: Second, n: i64, apart: i64) -> Timeline {
    let (mut t, mut c) = (Timeline::default(), Collected::default());
    for second in (0..n).map(|i| first + i * apart) {
        c.count(&mut t, second, &[3, 0, 0, 0, 0, 1, 0, 0]);
        c.fail(&mut t, second);
        c.time(&mut t, second, &mut [1; BUCKETS], 1);
    }
    t.absorb(&mut c);
    t
}

#[test]
fn pages_are_as_wide_as_their_number_asks_for() {
    let near = sparse(0, 64, 1024);
    assert_eq!((near.bits, near.pages.len()), (PAGE_BITS, 64));
    let far = sparse(5, 1000, 86_400);
    assert!(far.bits > 17 && far.pages.len() <= 64 && far.is_sound());
    assert!(far.pages.len() > 32, "{}", far.pages.len());
    let seconds: Vec<Second> = collect(&far).iter().map(|m| m.second).collect();
    assert_eq!(seconds, (0..1000).map(|i| 5 + i * 86_400).collect::<Vec<_>>());
    let part = Window { start: 5 + 10 * 86_400, end: 5 + 20 * 86_400 };
    let (mut moments, mut timed) = (0, 0);
    far.each(part, |m| moments += m.failed);
    far.each_latency(part, |_, _| timed += 1);
    assert_eq!((moments, timed), (10, 10));
}

proptest! {
    /// However wide the pages of the parts became: the whole has one width, and all seconds.
    #[test]
    fn widths_do_not_depend_on_the_order(
        parts in prop::collection::vec((0i64..2_000_000, 1i64..90, 1i64..90_000), 0..9),
    ) {
        let made: Vec<Timeline> = parts.iter().map(|&(first, n, apart)| sparse(first, n, apart)).collect();
        let sum = |parts: &mut dyn Iterator<Item = &Timeline>| {
            let mut sum = Timeline::default();
            parts.for_each(|part| sum.merge(part.clone()));
            sum
        };
        let (there, back) = (sum(&mut made.iter()), sum(&mut made.iter().rev()));
        prop_assert_eq!(&there, &back);
        prop_assert_eq!(&Timeline::sum(made.iter().cloned()), &there);
        prop_assert!(there.is_sound());
        let mut want: Vec<Second> = parts.iter().flat_map(|&(f, n, a)| (0..n).map(move |i| f + i * a)).collect();
        want.sort_unstable();
        want.dedup();
        prop_assert_eq!(collect(&there).iter().map(|m| m.second).collect::<Vec<_>>(), want);
    }
}
