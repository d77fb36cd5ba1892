//! Tables of what may be typed and what may not.

use super::*;

// Sat 2020-04-25 14:00:00 UTC, read on a machine at UTC-05:00.
const NOW: Now = Now { utc: 1_587_823_200, civil: 1_587_823_200 - 5 * 3600 };
const MIDNIGHT: Second = 1_587_772_800; // 2020-04-25T00:00:00 civil

#[test]
fn times_that_may_be_typed() {
    let at = |h: i64, m: i64, s: i64| MIDNIGHT + h * 3600 + m * 60 + s;
    for (text, since) in [
        ("2020-04-25T18:00:00-05:00", When::At(at(23, 0, 0))),
        ("2020-04-25T18:00:00.123Z", When::At(at(18, 0, 0))),
        ("2020-04-25 18:00 -0500", When::At(at(23, 0, 0))),
        ("2020-04-25 18:00 UTC", When::At(at(18, 0, 0))),
        ("2020-04-25 18:00", When::Civil(at(18, 0, 0))),
        ("2020-04-25T18:00:05", When::Civil(at(18, 0, 5))),
        ("2020/04/25 18:00:05", When::Civil(at(18, 0, 5))),
        ("25/Apr/2020:18:00:05 -0500", When::At(at(23, 0, 5))),
        ("[25/Apr/2020:18:00:05 -0500]", When::At(at(23, 0, 5))),
        ("2020-04-25", When::Civil(MIDNIGHT)),
        ("today", When::Civil(MIDNIGHT)),
        ("yesterday", When::Civil(MIDNIGHT - DAY)),
        ("Yesterday 18:00", When::Civil(at(18, 0, 0) - DAY)),
        ("08:30", When::Civil(at(8, 30, 0))),
        ("9:00", When::Civil(at(9, 0, 0))),
        ("18:00", When::Civil(at(18, 0, 0) - DAY)),
        ("now", When::At(NOW.utc)),
        ("2h ago", When::At(NOW.utc - 7200)),
        ("1h30m ago", When::At(NOW.utc - 5400)),
        ("3 days ago", When::At(NOW.utc - 3 * DAY)),
        ("@1587823200", When::At(1_587_823_200)),
    ] {
        assert_eq!(parse_time(text, Edge::Since, NOW), Some(since), "{text}");
    }
    for (text, until) in [
        ("2020-04-25", When::Civil(MIDNIGHT + DAY)),
        ("yesterday", When::Civil(MIDNIGHT)),
        ("2020-04-25 00:00", When::Civil(MIDNIGHT)),
    ] {
        assert_eq!(parse_time(text, Edge::Until, NOW), Some(until), "{text}");
    }
}

#[test]
fn times_that_may_not() {
    for text in [
        "",
        "soon",
        "2020-13-01",
        "2020-02-30",
        "2020-04-25 25:00",
        "2020-04-25 18",
        "2020-04-25x18:00",
        "25:00",
        "1:2:3:4",
        "ago",
        "5 ago",
        "-1h ago",
        "99999999999999999999h ago",
        "9223372036854775807w ago",
        "@x",
        "@-1",
        "2020-04-25 18:00 Mars",
        "2020-04-25T18:00:00+99:00",
        "ééééé",
        "2020-04-2é5 18:00",
        "@9999999999999999",
        "١٨:٠٠",
    ] {
        assert_eq!(parse_time(text, Edge::Since, NOW), None, "{text}");
    }
}

#[test]
fn zones() {
    for (text, want) in [
        ("utc", Some(0)),
        ("Z", Some(0)),
        ("-05:00", Some(-300)),
        ("-0500", Some(-300)),
        ("+0545", Some(345)),
        ("+5", Some(300)),
        ("UTC-5", Some(-300)),
        ("", None),
        ("05:00", None),
        ("+24:00", None),
        ("+05:60", None),
        ("America/Bogota", None),
        ("+é1", None),
        ("+-1:00", None),
    ] {
        assert_eq!(parse_zone(text), want, "{text}");
    }
}

#[test]
fn steps() {
    for (text, want) in [("60", 60), ("1m", 60), ("90s", 90), ("1h30m", 5400), ("1 d", 86_400)] {
        assert_eq!(parse_step(text), Ok(want), "{text}");
    }
    for text in ["", "0", "0s", "-1", "1x", "m", "1000000000000d", "400d"] {
        assert!(parse_step(text).is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn nothing_typed_panics(text in ".{0,40}") {
        let _ = (parse_time(&text, Edge::Until, NOW), parse_zone(&text), parse_step(&text));
    }
}
