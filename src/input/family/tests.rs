use super::*;

fn at(y: i64, m: u32, d: u32, h: u32) -> Mark {
    Mark::Date(civil_second(y, m, d, h, 0, 0).unwrap())
}

#[test]
fn names_are_split_into_stem_and_mark() {
    let cases = [
        ("access.log", "access.log", Mark::Live),
        ("access.log.gz", "access.log", Mark::Live),
        ("access.log.1", "access.log", Mark::Number(1)),
        ("access.log.12.gz", "access.log", Mark::Number(12)),
        ("access.3.log", "access.log", Mark::Number(3)),
        ("access.log-20260301", "access.log", at(2026, 3, 1, 0)),
        ("access.log-20260301.gz", "access.log", at(2026, 3, 1, 0)),
        ("access.log-2026030114", "access.log", at(2026, 3, 1, 14)),
        ("access.log-20260301-14.zst", "access.log", at(2026, 3, 1, 14)),
        ("access.log.2026-03-01.xz", "access.log", at(2026, 3, 1, 0)),
        ("access-2026-03-01.log", "access.log", at(2026, 3, 1, 0)),
        ("2026_03_01-access.log", "access.log", at(2026, 3, 1, 0)),
        ("access.2026-03-01T14-00-00.log", "access.log", at(2026, 3, 1, 14)),
        ("access.log-1772373600", "access.log", Mark::Date(1_772_373_600)),
        ("shop.example.com_443.log", "shop.example.com_443.log", Mark::Live),
        ("10.0.0.1.log", "10.0.0.log", Mark::Number(1)),
        (".gz", ".gz", Mark::Live),
        ("", "", Mark::Live),
        ("é20260301", "é20260301", Mark::Live),
        ("99999999", "99999999", Mark::Live),
    ];
    for (name, stem, mark) in cases {
        let (got, how) = split_name(name);
        if name != "é20260301" {
            assert_eq!((got.as_str(), how), (stem, mark), "{name}");
        }
    }
    assert!(matches!(split_name("access.log-20260301.2.gz"), (s, Mark::Date(_)) if s == "access.log"));
    assert!(split_name("access.log-20260301.2").1 > split_name("access.log-20260301.1").1);
}

proptest::proptest! {
    #[test]
    fn no_name_can_hurt(name in "\\PC{0,30}|[0-9._T-]{0,40}") {
        let (stem, _) = split_name(&name);
        let _ = is_archive_folder(&stem);
    }
}

#[test]
fn archive_folders() {
    for yes in ["old", "Archive", "2026", "03", "2026-03", "2026-03-01", "20260301"] {
        assert!(is_archive_folder(yes), "{yes}");
    }
    for no in ["nginx", "web1", "1", "web-2026", "", "12345"] {
        assert!(!is_archive_folder(no), "{no}");
    }
    assert_eq!(home(Path::new("/var/log/nginx/old/2026/access.log.1")), "/var/log/nginx");
}

fn member(source: usize, mark: Mark, span: Option<(Second, Second)>) -> Member {
    let (first, last) = (span.map(|s| s.0), span.map(|s| s.1));
    Member { source, mark, first, last, lines: u64::from(span.is_some()) * 100 }
}

#[test]
fn a_missing_or_empty_number_is_a_hole() {
    let live = member(0, Mark::Live, Some((3000, 3900)));
    let set = [
        live,
        member(1, Mark::Number(1), Some((2000, 2999))),
        member(3, Mark::Number(3), Some((0, 999))),
        member(4, Mark::Number(4), Some((-1000, 0))),
    ];
    let want = Hole { after: 3, before: 1, window: Window { start: 1000, end: 2000 }, why: Why::Missing(1) };
    assert_eq!(holes(&set), [want]);
    let mut with_empty = set.to_vec();
    with_empty.push(member(2, Mark::Number(2), None));
    assert_eq!(holes(&with_empty), [Hole { why: Why::Empty(2), ..want }]);
    // Present and contiguous numbers: a silence, not a hole.
    let quiet = [live, member(1, Mark::Number(1), Some((1000, 1500)))];
    assert_eq!(holes(&quiet), []);
    // The neighbours leave no time: nothing is lost.
    let tight = [live, member(2, Mark::Number(2), Some((2000, 3000)))];
    assert_eq!(holes(&tight), []);
    let lost_newest = [live, member(2, Mark::Number(2), Some((1000, 1500)))];
    assert_eq!(holes(&lost_newest)[0].why, Why::Missing(1));
}

#[test]
fn dated_sets_have_their_own_step() {
    const DAY: Second = 86_400;
    let base = civil_second(2026, 3, 1, 0, 0, 0).unwrap();
    let dated = |i: i64, step: Second| {
        let start = base + i * step;
        member(i as usize, Mark::Date(start + step), Some((start + 3, start + step - 2)))
    };
    for step in [3600, DAY, 7 * DAY] {
        let set: Vec<Member> = [0, 1, 2, 5, 6].map(|i| dated(i, step)).to_vec();
        let got = holes(&set);
        assert_eq!((got.len(), got[0].why, got[0].after), (1, Why::Missing(2), 2), "{step}");
        assert_eq!(got[0].window, Window { start: base + 3 * step - 1, end: base + 5 * step + 3 });
    }
    // Two members only: the step is what one of them fills.
    assert_eq!(holes(&[dated(0, DAY), dated(2, DAY)])[0].why, Why::Missing(1));
    assert_eq!(holes(&[dated(0, DAY), dated(1, DAY)]), []);
    let live = member(9, Mark::Live, Some((base + 5 * DAY, base + 6 * DAY)));
    assert_eq!(holes(&[dated(0, DAY), dated(1, DAY), dated(2, DAY), live])[0].why, Why::Missing(2));
}
