use super::*;

/// What a text says, in short: `D` year-month-day, `W` weekday, `C` seconds after midnight, `L` seconds.
fn said(text: &str) -> Vec<String> {
    scan(text)
        .into_iter()
        .map(|m| match m.what {
            Said::Date(d) => format!("D {:?}-{}-{}", d.year.unwrap_or(0), d.month, d.day),
            Said::Weekday(day) => format!("W {day}"),
            Said::NextDay => "N".into(),
            Said::Clock(c) => format!("C {}", c.millis / 1000),
            Said::Length(l) => format!("L {}", l.millis / 1000),
            Said::After(l) => format!("T {}", l.millis / 1000),
            Said::Later(l) => format!("A {}", l.millis / 1000),
        })
        .collect()
}

#[test]
fn times_of_day_in_many_hands() {
    for text in [
        "06:00pm",
        "6:00 PM",
        "6 pm",
        "6 p.m.",
        "6:00 p.m.",
        "18:00",
        "18:00:00",
        "1800 hrs",
        "1800Z",
        "18h00",
        "18.00 Uhr",
        "18:00h",
        "18:00 h",
        "18:00 hrs",
        "6PM",
        "at 18:00.",
        "(18:00)",
        "[18:00:00.250]",
        "18:00Z",
        "18:00 UTC-5",
    ] {
        assert_eq!(said(text), ["C 64800"], "{text}");
    }
    assert_eq!(said("12:05am, 12:05pm, noon, midnight"), ["C 300", "C 43500", "C 43200", "C 0"]);
    for text in [
        "10.0.3.21:18080",
        "upstreams.conf:2",
        "nginx/1.22.1",
        "25:00",
        "18:61",
        "a ratio of 3",
        "sat down",
        "UTC+02:00",
        "+02:00",
        "1800",
    ] {
        assert_eq!(said(text), [""; 0], "{text}");
    }
}

#[test]
fn dates_in_many_hands() {
    for text in [
        "2026-06-18",
        "2026/06/18",
        "18.06.2026",
        "18/06/2026",
        "06/18/2026",
        "6/18/26",
        "June 18, 2026",
        "18 June 2026",
        "18th of June 2026",
        "Jun. 18th 2026",
        "18-Jun-2026",
        "18/Jun/2026",
    ] {
        assert_eq!(said(text), ["D 2026-6-18"], "{text}");
    }
    assert_eq!(said("June 18: down"), ["D 0-6-18"]);
    assert_eq!(said("Thursday, 18 June"), ["W 3", "D 0-6-18"]);
    for text in ["2026-13-18", "31.02.2026", "June 31", "it may 5 times"] {
        assert_eq!(said(text).iter().filter(|s| !s.ends_with("5-5")).count(), 0, "{text}");
    }
}

#[test]
fn only_numbers_that_could_be_a_month_are_ambiguous() {
    let ambiguous = |text: &str| match scan(text)[0].what {
        Said::Date(d) => d.ambiguous,
        _ => false,
    };
    assert_eq!(
        ["03/04/2026", "18/06/2026", "04/04/2026", "2026-03-04"].map(ambiguous),
        [true, false, false, false]
    );
}

#[test]
fn stamps_are_a_date_and_a_time() {
    for text in [
        "2026-06-18T18:00:06-05:00",
        "2026-06-18 18:00:06",
        "2026-06-18T18:00:06.574Z",
        "18/Jun/2026:18:00:06 -0500",
        "2026/06/18 18:00:06",
        "Thu, 18 Jun 2026 18:00:06 -0500",
    ] {
        let found = said(text);
        let found: Vec<_> = found.iter().filter(|s| !s.starts_with('W')).collect();
        assert_eq!(found, ["D 2026-6-18", "C 64806"], "{text}");
    }
}

#[test]
fn times_counted_from_a_zero() {
    for (text, want) in
        [("T+5m", 300), ("T+1m43s", 103), ("T+00:05", 300), ("T+0", 0), ("T-2 min", -120), ("t+90s", 90)]
    {
        assert_eq!(said(text), [format!("T {want}")], "{text}");
    }
}

#[test]
fn lengths_in_many_hands() {
    for (text, seconds) in [
        ("4 minutes", 240),
        ("1h09m", 4140),
        ("1 hour and 9 minutes", 4140),
        ("1 h 9 min", 4140),
        ("69-minute", 4140),
        ("an hour", 3600),
        ("half an hour", 1800),
        ("an hour and a half", 5400),
        ("1.5 hours", 5400),
        ("two days", 172_800),
        ("90s", 90),
        ("Duration: 1:09", 4140),
        ("Duration: 00:04:08", 248),
    ] {
        assert_eq!(said(text), [format!("L {seconds}")], "{text}");
    }
    assert_eq!(said("Duration: 18:00 - 18:04"), ["C 64800", "C 65040"]);
}

#[test]
fn lengths_that_count_from_the_time_before() {
    assert_eq!(said("Five minutes later"), ["A 300"]);
    assert_eq!(said("10 min after that it"), ["A 600"]);
    assert_eq!(said("forty-five minutes earlier"), ["A -2700"]);
    assert_eq!(said("10 minutes after the deploy"), ["L 600"]);
    assert_eq!(said("it took 5 minutes"), ["L 300"]);
}
