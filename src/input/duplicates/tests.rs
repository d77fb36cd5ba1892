use super::*;
use proptest::prelude::*;

/// Lines with their seconds, as a file on disk would give them.
type File = Vec<(Second, String)>;

fn line(second: Second, what: &str) -> (Second, String) {
    let stamp = crate::time::rfc3339(second * 1000, 0);
    (second, format!("{stamp} {what}"))
}

/// Traffic with different requests: `n` lines from `start`, `rate` a second.
fn traffic(seed: u64, start: Second, n: u64, rate: u64) -> File {
    let word = |i: u64| (seed * 1_000_003 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (0..n)
        .map(|i| line(start + (i / rate) as i64, &format!("10.0.0.{} GET /p{}", word(i) % 200, word(i))))
        .collect()
}

fn text(file: &File) -> String {
    file.iter().flat_map(|(_, l)| [l.as_str(), "\n"]).collect()
}

fn candidates(files: &[(&str, Option<&str>, File)]) -> Vec<Candidate> {
    let make = |(idx, (shown, host, file)): (usize, &(&str, Option<&str>, File))| Candidate {
        idx,
        host: host.map(str::to_owned),
        kind: 0,
        first: file.iter().map(|l| l.0).min().unwrap_or(0),
        last: file.iter().map(|l| l.0).max().unwrap_or(0),
        lines: file.len() as u64,
        shown: (*shown).to_owned(),
        seekable: !shown.contains(".gz"),
    };
    files.iter().enumerate().map(make).collect()
}

fn run(files: &[(&str, Option<&str>, File)], candidates: &[Candidate]) -> (Vec<Skips>, u64) {
    let read = std::cell::Cell::new(0);
    let starts: Vec<Vec<u64>> = files
        .iter()
        .map(|f| {
            f.2.iter().scan(0, |at, l| Some(std::mem::replace(at, *at + l.1.len() as u64 + 1))).collect()
        })
        .collect();
    let sorted: Vec<bool> = files.iter().map(|f| f.2.is_sorted_by_key(|l| l.0)).collect();
    let lines_of = |idx: usize, range: Range<Second>, visit: &mut dyn FnMut(u64, &[u8], Second)| {
        let file = &files[idx].2;
        let from = if sorted[idx] { file.partition_point(|l| l.0 < range.start) } else { 0 };
        for ((second, line), byte) in file[from..].iter().zip(&starts[idx][from..]) {
            if range.contains(second) {
                read.set(read.get() + 1);
                visit(*byte, line.as_bytes(), *second);
            } else if sorted[idx] {
                break;
            }
        }
    };
    let skips = find(candidates, &lines_of);
    (skips, read.get())
}

/// What is left of all files, sorted.
fn counted(files: &[(&str, Option<&str>, File)], skips: &[Skips]) -> Vec<String> {
    let mut left = Vec::new();
    for (idx, (.., file)) in files.iter().enumerate() {
        let mut byte = 0;
        for (_, line) in file {
            let skipped =
                skips.iter().filter(|s| s.file == idx).any(|s| s.ranges.iter().any(|r| r.contains(&byte)));
            if !skipped {
                left.push(line.clone());
            }
            byte += line.len() as u64 + 1;
        }
    }
    left.sort_unstable();
    left
}

fn all(file: &File) -> Vec<String> {
    let mut lines: Vec<String> = file.iter().map(|l| l.1.clone()).collect();
    lines.sort_unstable();
    lines
}

fn check(files: &[(&str, Option<&str>, File)]) -> (Vec<Skips>, Vec<String>, u64) {
    let (skips, read) = run(files, &candidates(files));
    let left = counted(files, &skips);
    (skips, left, read)
}

const T: Second = 1_772_355_600;

#[test]
fn a_packed_copy_is_skipped_whole() {
    let log = traffic(1, T, 5000, 3);
    let (skips, left, _) = check(&[("x.log.1.gz", None, log.clone()), ("x.log.1", None, log.clone())]);
    // Equal in all but the name: the first by name stays.
    let whole = 0..text(&log).len() as u64;
    assert_eq!((skips.len(), skips[0].ranges.as_slice()), (1, std::slice::from_ref(&whole)));
    assert_eq!((skips[0].file, skips[0].of, skips[0].lines), (0, 1, 5000));
    assert_eq!(left, all(&log));
}

#[test]
fn concatenation_excerpt_and_grep_are_found() {
    let (one, two) = (traffic(1, T, 30_000, 7), traffic(2, T + 5000, 20_000, 7));
    let cat: File = two.iter().chain(&one).cloned().collect();
    let excerpt: File = one[1000..1700].to_vec();
    let grep: File = cat.iter().filter(|(_, l)| l.ends_with("77")).cloned().collect();
    assert!(grep.len() > 100);
    let files = [
        ("access.log.1", None, two),
        ("grep.txt", None, grep),
        ("all.log", None, cat.clone()),
        ("access.log.2.gz", None, one),
        ("ticket-17.log", None, excerpt),
    ];
    let (skips, left, _) = check(&files);
    assert_eq!(left, all(&cat));
    assert!(skips.iter().all(|s| s.of == 2) && skips.len() == 4, "{skips:?}");
}

#[test]
fn an_overlap_is_counted_once() {
    let log = traffic(3, T, 40_000, 11);
    for cut in [39_800usize, 39_000, 20_000, 200] {
        let (a, b) = (log[..cut + 150].to_vec(), log[cut..].to_vec());
        let (skips, left, _) = check(&[("access.log.1", None, a), ("access.log", None, b)]);
        assert_eq!(left, all(&log), "{cut}");
        assert_eq!((skips.len(), skips[0].lines, skips[0].ranges.len()), (1, 150, 1));
    }
}

#[test]
fn a_chain_of_overlaps_is_counted_once() {
    let log = traffic(4, T, 9000, 2);
    let part = |range: Range<usize>| log[range].to_vec();
    let files = [
        ("a.log", None, part(0..4000)),
        ("b.log", None, part(3000..7000)),
        ("c.log", None, part(2500..9000)),
    ];
    assert_eq!(check(&files).1, all(&log));
}

#[test]
fn repeated_lines_count_as_often_as_one_file_has_them() {
    let mut log = traffic(5, T, 2000, 2);
    let same = line(T + 500, "hammered");
    log.extend(std::iter::repeat_n(same.clone(), 9));
    log.sort();
    let mut shorter: File = log[..1500].to_vec();
    shorter.retain(|l| *l != same);
    shorter.extend(std::iter::repeat_n(same.clone(), 12));
    let (_, left, _) = check(&[("a.log", None, log.clone()), ("b.log", None, shorter)]);
    assert_eq!(left.iter().filter(|l| **l == same.1).count(), 12);
    assert_eq!(left.len(), log.len() + 3);
}

#[test]
fn healthy_logs_are_left_alone() {
    let monitors =
        |n: i64| -> File { (0..n).map(|i| line(T + 10 * i, "10.9.9.9 GET /health 200")).collect() };
    // Two hosts behind one address, two vhosts asked by one monitor, a scanner that tries both.
    let log = traffic(6, T, 3000, 3);
    let (skips, ..) = check(&[("a", Some("web1"), log.clone()), ("b", Some("web2"), log.clone())]);
    assert_eq!(skips, []);
    let (skips, ..) = check(&[("a.log", None, monitors(500)), ("b.log", None, monitors(400))]);
    assert_eq!(skips, []);
    let scan: File = (0..300).map(|i| line(T + 100 + i / 4, &format!("6.6.6.6 GET /wp-{i}"))).collect();
    let vhost = |seed| -> File {
        let mut file = traffic(seed, T, 3000, 3);
        file.extend(monitors(100));
        file.extend(scan.clone());
        file.sort();
        file
    };
    let (skips, ..) = check(&[("a.log", None, vhost(7)), ("b.log", None, vhost(8))]);
    assert_eq!(skips, []);
    // A load test around the moment of rotation: few texts, many of each.
    let load: File =
        (0..5000).map(|i| line(T + i / 500, &format!("10.0.0.1 GET /{}", i * 7919 % 10))).collect();
    let (older, newer): (Vec<_>, Vec<_>) =
        load.iter().enumerate().partition(|(i, l)| l.0 < T + 4 || i % 2 == 0 && l.0 < T + 6);
    let strip = |v: Vec<(usize, &(Second, String))>| v.into_iter().map(|(_, l)| l.clone()).collect::<File>();
    let (skips, ..) = check(&[("access.log.1", None, strip(older)), ("access.log", None, strip(newer))]);
    assert_eq!(skips, []);
}

#[test]
fn a_healthy_rotated_set_is_not_read_at_all() {
    let log = traffic(9, T, 10_000, 5);
    // Rotation in mid-second: the members share one.
    let files = [("access.log.1", None, log[..5002].to_vec()), ("access.log", None, log[5002..].to_vec())];
    let (skips, _, read) = check(&files);
    assert_eq!((skips, read), (Vec::new(), 0));
}

#[test]
fn vhosts_of_one_day_are_read_in_part() {
    let name = |i: usize| ["a.log", "b.log", "c.log", "d.log"][i];
    let files: Vec<_> = (0..4).map(|i| (name(i), None, traffic(20 + i as u64, T, 200_000, 20))).collect();
    let (skips, _, read) = check(&files);
    assert_eq!(skips, []);
    assert!(read < 800_000 / 10, "{read}");
}

#[test]
fn monitors_alone_are_told_apart_by_name() {
    let monitor: File = (0..50).map(|i| line(T + 10 * i, "10.9.9.9 GET /health 200")).collect();
    let twins = [("x.log.1", None, monitor.clone()), ("old/x.log.1.gz", None, monitor.clone())];
    assert_eq!(check(&twins).1.len(), 50);
}

#[test]
fn a_dense_hour_in_a_sparse_year_is_joined_in_windows() {
    let mut log = traffic(11, T, 300_000, 100_000);
    log.insert(0, line(T - 300 * 86_400, "first"));
    log.push(line(T + 300 * 86_400, "last"));
    let files = [("a.log", None, log.clone()), ("b.log", None, log[1..300_000].to_vec())];
    let (skips, read) = run(&files, &candidates(&files));
    assert_eq!(skips.iter().map(|s| s.lines).sum::<u64>(), 299_999);
    assert!(read < 12 * 600_000, "{read}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The order in which files are named changes nothing, and each line is left as often as the file that has it
    /// most often has it, wherever the files are joined at all.
    #[test]
    fn order_does_not_matter(
        cuts in prop::collection::vec((0usize..3000, 50usize..3000), 2..6),
        rate in 1u64..30,
        shuffle in any::<u64>(),
    ) {
        let names = ["a.log", "b.log", "c.log.gz", "a.log.1", "old/d.log", "e"];
        let log = traffic(12, T, 3000, rate);
        let files: Vec<_> = cuts.iter().enumerate()
            .map(|(i, &(from, n))| (names[i], None, log[from.min(2999)..(from + n).min(3000)].to_vec()))
            .collect();
        let list = candidates(&files);
        let mut other = list.clone();
        for i in (1..other.len()).rev() {
            other.swap(i, (shuffle >> i) as usize % (i + 1));
        }
        let (skips, _) = run(&files, &list);
        prop_assert_eq!(&skips, &run(&files, &other).0);
        // Nothing that exists is lost.
        let mut left = counted(&files, &skips);
        left.dedup();
        let mut want: Vec<String> = files.iter().flat_map(|f| f.2.iter().map(|l| l.1.clone())).collect();
        want.sort_unstable();
        want.dedup();
        prop_assert_eq!(left, want);
    }
}
