//! Cuts stretches of time into parts that hold no more records than can be remembered at once.

use crate::time::{Second, Window};

/// A part: pieces of stretches, each with the index of its stretch, in order of time.
pub(super) type Part = Vec<(usize, Window)>;

/// Parts of `windows` with at most about `most` records each. `records` are counts by second, in order of time; those
/// up to `reach` seconds before a piece are remembered with it. A second is never cut.
pub(super) fn parts(windows: &[Window], records: &[(Second, u64)], reach: i64, most: u64) -> Vec<Part> {
    let from = |second: Second| records.partition_point(|r| r.0 < second);
    let before = |second: Second| -> u64 {
        records[from(second.saturating_sub(reach))..from(second)].iter().map(|r| r.1).sum()
    };
    let mut parts = vec![Part::new()];
    let mut held = 0;
    for (at, window) in windows.iter().enumerate() {
        let mut start = window.start;
        held += before(start);
        for &(second, n) in &records[from(start)..from(window.end)] {
            if held + n > most && held > 0 {
                if second > start {
                    parts.last_mut().into_iter().for_each(|p| p.push((at, Window { start, end: second })));
                }
                parts.push(Part::new());
                (start, held) = (second, before(second));
            }
            held += n;
        }
        parts.last_mut().into_iter().for_each(|p| p.push((at, Window { start, end: window.end })));
    }
    parts.retain(|p| !p.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64, end: i64) -> Window {
        Window { start, end }
    }

    #[test]
    fn a_flood_is_cut_between_seconds() {
        let windows = [window(100, 110), window(200, 205)];
        let flood: Vec<(Second, u64)> = (100..110).chain(200..205).map(|s| (s, 10)).collect();
        assert_eq!(parts(&windows, &flood, 0, 1000), [vec![(0, windows[0]), (1, windows[1])]]);
        assert_eq!(
            parts(&windows, &flood, 0, 45),
            [
                vec![(0, window(100, 104))],
                vec![(0, window(104, 108))],
                vec![(0, window(108, 110)), (1, window(200, 202))],
                vec![(1, window(202, 205))],
            ]
        );
        // What came shortly before is remembered again.
        assert_eq!(parts(&windows[..1], &flood, 2, 45).len(), 4);
        assert_eq!(parts(&windows[..1], &flood, 0, 45).len(), 3);
        // One second that holds too much is a part of its own.
        assert_eq!(
            parts(&windows[..1], &[(100, 5), (103, 500), (104, 5)], 0, 45),
            [vec![(0, window(100, 103))], vec![(0, window(103, 104))], vec![(0, window(104, 110))]]
        );
        assert_eq!(parts(&[], &flood, 0, 45), Vec::<Part>::new());
    }

    #[test]
    fn the_parts_cover_every_second_once() {
        let windows = [window(0, 50), window(60, 61), window(100, 400)];
        let flood: Vec<(Second, u64)> = (0..400).map(|s| (s, (s as u64 * 7919) % 97)).collect();
        for most in [50, 200, 1000, 100_000] {
            let pieces: Vec<(usize, Window)> = parts(&windows, &flood, 11, most).concat();
            for (at, w) in windows.iter().enumerate() {
                let own: Vec<Window> = pieces.iter().filter(|p| p.0 == at).map(|p| p.1).collect();
                assert_eq!((own[0].start, own[own.len() - 1].end), (w.start, w.end));
                assert!(own.windows(2).all(|p| p[0].end == p[1].start), "{own:?}");
            }
        }
    }
}
