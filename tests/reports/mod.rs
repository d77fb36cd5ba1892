//! Hand-built reports that the tests of the outputs share: calm, one outage with a trigger, and a bad week.

use downtime::report::{
    Asked, Availability, Cause, Chart, Context, Coverage, CoverageState, ErrorBudget, ErrorZone, Event,
    Evidence, Finding, HostPart, HostSummary, Impact, Incident, Input, Joint, MadeOf, NotCounted, Notice,
    Noticed, Objective, Phase, Place, PlaceKind, Report, Scope, Severity, Skew, Stretch, StretchKind, Totals,
    Trigger,
};
use downtime::time::{Millis, parse_iso8601};

/// A time on 2020-04-25 in UTC-05:00.
fn at(clock: &str) -> Millis {
    parse_iso8601(format!("2020-04-25T{clock}-05:00").as_bytes()).unwrap().0.millis
}

fn line(path: &str, line: u64, text: &str) -> Evidence {
    Evidence { path: path.into(), line, byte: line * 180, text: text.into() }
}

fn input(path: &str, kind: &'static str, lines: u64) -> Input {
    Input {
        path: path.into(),
        kind,
        format: if kind == "access" { "combined".into() } else { "nginx error log".into() },
        confidence: 0.997,
        bytes: lines * 190,
        lines,
        first: Some(at("17:00:00")),
        last: Some(at("21:59:59")),
        ..Input::default()
    }
}

/// Five hours of a request a second, of which so many of a step of five minutes failed, and none came where `None`.
fn chart(failed: impl Fn(usize) -> Option<u64>) -> Chart {
    let steps: Vec<_> = (0..60).map(failed).collect();
    Chart {
        start: at("17:00:00"),
        step_seconds: 300,
        requests: steps.iter().map(|s| s.map_or(0, |_| 300)).collect(),
        failed: steps.iter().map(|s| s.unwrap_or(0)).collect(),
        error_records: steps.iter().map(|s| s.unwrap_or(7)).collect(),
    }
}

/// What was asked for.
fn asked(path: &str) -> Asked {
    Asked { paths: vec![path.into()], options: vec![("tz", "-05:00".into())] }
}

/// Five quiet hours.
pub(crate) fn calm() -> Report {
    Report {
        span: Some((at("17:00:00"), at("22:00:00"))),
        zone: -300,
        inputs: vec![input("/var/log/nginx/access.log", "access", 18_004)],
        totals: Totals { lines: 18_004, bytes: 3_420_760, requests: 18_000, failed: 11, error_records: 0 },
        not_counted: vec![NotCounted {
            path: "/var/log/nginx/access.log".into(),
            reason: "unparsed".into(),
            lines: 4,
            bytes: 612,
            example: Some(line("/var/log/nginx/access.log", 977, "\u{16}\u{3}\u{1}\u{2}\u{1b}[2J")),
        }],
        chart: Some(chart(|step| Some(u64::from(step % 7 == 0)))),
        options: asked("/var/log/nginx"),
        ..Report::default()
    }
}

/// What the outage is compared with.
fn context() -> Context {
    let stretch = |kind, from, to, requests, p95: Option<f64>| Stretch {
        kind,
        start: at(from),
        end: at(to),
        requests,
        failed: requests / 900,
        good: requests - requests / 50,
        client_errors: requests / 50 - requests / 900,
        aborted: 0,
        server_errors: requests / 900,
        p50: p95.map(|s| s / 3.0),
        p95,
    };
    let place = |kind, name: &str, requests, failed| Place {
        kind,
        name: name.into(),
        requests,
        failed,
        first_failure: (failed > 0).then(|| at("19:10:02")),
        usual_share: (requests > 20).then_some(0.0004),
    };
    let load = "Load was as usual when it began: 1.0 a second in the run-up, 1.0 a second before that.";
    Context {
        stretches: vec![
            stretch(StretchKind::Before, "17:13:05", "18:12:05", 3540, Some(0.24)),
            stretch(StretchKind::RunUp, "18:12:05", "18:13:05", 61, Some(0.27)),
            stretch(StretchKind::During, "18:13:05", "19:22:41", 0, None),
            stretch(StretchKind::After, "19:22:41", "20:22:41", 3611, Some(12.5)),
        ],
        remarks: vec![load.into()],
        places: vec![
            place(PlaceKind::Vhost, "erp.example.com", 40, 31),
            place(PlaceKind::Vhost, "www.example.com", 12, 0),
            place(PlaceKind::Endpoint, "/sales/{id}/a-rather-long-template/of-a-path/that-goes-on", 40, 31),
            place(PlaceKind::Upstream, "10.0.0.5:8080", 40, 31),
        ],
        counted: "failed",
        sampled: true,
        hosts: Vec::new(),
        alike: vec!["20200418-020000-all".into()],
        noticed: Some(noticed()),
        made_of: MadeOf::default(),
    }
}

/// Somebody noticed after the end, by notes that are an hour off.
fn noticed() -> Noticed {
    let notice = |time| {
        let after = at(time) - at("18:13:05");
        Notice { at: Some(at(time)), after: (after, after + 61_000) }
    };
    let why = "In \"Timeline\": all 4 times that can be checked fit when 1 h is taken off.".to_owned();
    Noticed {
        written: notice("19:41:00"),
        mended: Some((notice("18:41:00"), why)),
        evidence: line(
            "notes/2020-04-25.md",
            12,
            "| 19:41 | <b>Ana</b> calls: `=HYPERLINK(\"x\")` \u{202e} |",
        ),
    }
}

/// Two hosts of which one name is hostile, and the part of each in an incident.
fn hosts() -> (Vec<HostSummary>, Vec<HostPart>) {
    let host = |name: &str, failed, skew| HostSummary {
        host: name.into(),
        requests: 639_105,
        failed,
        error_records: 17,
        first: Some(at("17:00:00")),
        last: Some(at("21:59:59")),
        incidents: u64::from(failed > 100),
        bad_seconds: if failed > 100 { 1799.0 } else { 0.0 },
        skew,
    };
    let how = "37 failed requests stand in both logs".to_owned();
    let ahead = Skew { against: Some("web1".into()), seconds: Some((41.0, 43.0)), how };
    let none = "cannot be estimated: the two share no failed request and had no incident together".to_owned();
    let unknown = Skew { against: Some("web1".into()), seconds: None, how: none };
    let measure = Skew { how: "the others are compared with it".into(), ..Skew::default() };
    let part = |name: &str, failed, severity, verdict: &str| HostPart {
        host: name.into(),
        requests: 880,
        failed,
        first_failure: (failed > 0).then(|| at("21:30:00")),
        last_failure: (failed > 0).then(|| at("21:59:59")),
        severity,
        verdict: verdict.into(),
    };
    (
        vec![host("web1", 1280, measure), host("web2", 12, ahead), host("=web\u{202e}3", 0, unknown)],
        vec![
            part("web1", 880, Some(Severity::Outage), "outage"),
            part("web2", 0, None, "served"),
            part("=web\u{202e}3", 0, None, "no access log then"),
        ],
    )
}

/// A refused configuration, a restart that could not start, and an hour of silence with proof.
pub(crate) fn outage() -> Report {
    let emerg = "2020/04/25 18:00:12 [emerg] 4711#4711: unknown directive \"proxy_conect_timeout\" in \
                 /etc/nginx/nginx.conf:41";
    let again = "2020/04/25 18:13:05 [emerg] 5120#5120: unknown directive \"proxy_conect_timeout\" in \
                 /etc/nginx/nginx.conf:41";
    let (start, end) = (at("18:13:05"), at("19:22:41"));
    let incident = Incident {
        id: "20200425-181305-all".into(),
        severity: Severity::Outage,
        title: "nginx could not start again: its configuration was refused".into(),
        why: "no request for 4,176 s where 60 a minute are usual, odds below 1 in 10^80, and nginx says that it \
              stopped and did not start"
            .into(),
        start,
        start_bounds: (at("18:13:04"), at("18:13:05")),
        end: Some(end),
        end_bounds: (at("19:22:38"), at("19:22:41")),
        open_start: false,
        open_end: false,
        client_visible: true,
        scope: Scope { all: true, ..Scope::default() },
        impact: Impact {
            requests: 0,
            failed: 0,
            failed_share: None,
            lost_estimate: Some(4180),
            lost_bounds: Some((3990, 4370)),
            clients: None,
            statuses: [].into(),
            ..Impact::default()
        },
        phases: vec![
            Phase { kind: "silent", start, end: Some(at("19:10:00")), failed_share: None, note: "nginx down".into() },
            Phase {
                kind: "recovery",
                start: at("19:10:00"),
                end: Some(end),
                failed_share: Some(0.4),
                note: "restarts".into(),
            },
        ],
        cause: Some(Cause {
            category: "config.invalid".into(),
            confidence: "certain",
            summary: "nginx refused its configuration: unknown directive".into(),
            evidence: vec![line("/var/log/nginx/error.log", 18, again)],
        }),
        other_causes: Vec::new(),
        trigger: Some(Trigger {
            time: at("18:00:12"),
            summary: "the same configuration was refused at a reload; nginx went on with the old one".into(),
            evidence: vec![line("/var/log/nginx/error.log", 12, emerg)],
        }),
        timeline: vec![
            Event {
                time: at("18:00:12"),
                what: "reload refused".into(),
                evidence: Some(line("/var/log/nginx/error.log", 12, emerg)),
            },
            Event { time: at("18:13:04"), what: "last good request".into(), evidence: None },
            Event {
                time: start,
                what: "nginx did not start".into(),
                evidence: Some(line("/var/log/nginx/error.log", 18, again)),
            },
            Event { time: end, what: "first good request".into(), evidence: None },
        ],
        evidence: vec![
            line(
                "/var/log/nginx/access.log",
                4385,
                "192.0.2.10 - - [25/Apr/2020:18:13:04 -0500] \"GET /sales HTTP/1.1\" 200 5120 \"-\" \"Mozilla/5.0\"",
            ),
            line(
                "/var/log/nginx/access.log",
                4386,
                "192.0.2.11 - - [25/Apr/2020:19:22:41 -0500] \"GET /sales HTTP/1.1\" 200 5120 \"-\" \"Mozilla/5.0\"",
            ),
        ],
        chart: Some(chart(|step| (!(15..29).contains(&step)).then_some(0))),
        error_budget: Some(ErrorBudget {
            window_days: 30,
            spent_minutes: 69.6,
            objectives: vec![
                Objective { target: 0.99, budget_minutes: 432.0, spent_share: 69.6 / 432.0 },
                Objective { target: 0.999, budget_minutes: 43.2, spent_share: 69.6 / 43.2 },
            ],
        }),
        context: context(),
    };
    let mut error_log = input("/var/log/nginx/error.log", "error", 31);
    error_log.error_zone = Some(ErrorZone { offset: -300, how: "failures in both logs coincide".into() });
    Report {
        span: Some((at("17:00:00"), at("22:00:00"))),
        zone: -300,
        inputs: vec![input("/var/log/nginx/access.log", "access", 13_824), error_log],
        incidents: vec![incident],
        findings: vec![Finding {
            kind: "second-start",
            time: at("18:44:00"),
            end: Some(at("18:44:03")),
            summary: "nginx was started a second time while it was running; that attempt ended by itself"
                .into(),
            evidence: vec![line(
                "/var/log/nginx/error.log",
                22,
                "2020/04/25 18:44:00 [emerg] 5230#5230: bind() to 0.0.0.0:80 failed (98: Address already in use)",
            )],
        }],
        coverage: vec![Coverage {
            start: at("17:00:00"),
            end: at("22:00:00"),
            state: CoverageState::Covered,
            host: None,
            note: String::new(),
        }],
        totals: Totals { lines: 13_855, bytes: 2_630_000, requests: 13_824, failed: 9, error_records: 31 },
        chart: Some(chart(|step| (!(15..29).contains(&step)).then_some(0))),
        options: asked("/var/log/nginx"),
        ..Report::default()
    }
}

/// A degradation, hidden failures, a silence, and an outage that has not ended; two hosts and hostile names.
pub(crate) fn several() -> Report {
    let hostile = "/\u{1b}[31mbuy\u{202e}\u{9b}2J\r\n=1+1";
    let refused = "2020/04/25 17:30:10 [error] 33#33: *91 connect() failed (111: Connection refused) while connecting \
                   to upstream, client: 192.0.2.7, server: shop.example, request: \"GET /buy HTTP/1.1\", upstream: \
                   \"http://10.0.0.5:8080/buy\", host: \"shop.example\"";
    let cause = |category: &str, confidence| Cause {
        category: category.into(),
        confidence,
        summary: "the upstream refused connections".into(),
        evidence: vec![line("web1/error.log", 90, refused)],
    };
    let base = outage().incidents.remove(0);
    let degradation = Incident {
        id: "20200425-173010-shop".into(),
        severity: Severity::Degradation,
        title: format!("{hostile} failed for a third of its requests"),
        why: "412 of 1,240 requests failed, usually 0.1 %, odds 1 in 10^301".into(),
        start: at("17:30:10") + 250,
        start_bounds: (at("17:30:10") + 131, at("17:30:10") + 250),
        end: Some(at("17:41:02")),
        end_bounds: (at("17:41:02") - 300, at("17:41:02")),
        scope: Scope {
            hosts: vec!["web1".into()],
            vhosts: vec!["shop.example".into()],
            endpoints: vec![hostile.into(), "/buy/{n}".into(), "/cart".into()],
            upstreams: vec!["10.0.0.5:8080".into()],
            all: false,
        },
        impact: Impact {
            requests: 1240,
            failed: 412,
            failed_share: Some(412.0 / 1240.0),
            lost_estimate: None,
            lost_bounds: None,
            clients: Some(97),
            statuses: [(502, 400), (504, 12)].into(),
            ..Impact::default()
        },
        phases: Vec::new(),
        cause: Some(cause("upstream.refused", "likely")),
        other_causes: vec![cause("upstream.timeout", "possible")],
        trigger: None,
        timeline: Vec::new(),
        evidence: vec![line("web1/access.log", 7, hostile)],
        ..base.clone()
    };
    let hidden = Incident {
        id: "20200425-180000-10.0.0.5".into(),
        severity: Severity::Hidden,
        title: "one upstream failed; retries kept it from clients".into(),
        client_visible: false,
        impact: Impact { requests: 300, failed: 0, failed_share: Some(0.0), ..Impact::default() },
        cause: Some(cause("upstream.refused", "certain")),
        trigger: None,
        phases: Vec::new(),
        timeline: Vec::new(),
        evidence: Vec::new(),
        ..base.clone()
    };
    let silence = Incident {
        context: Context::default(),
        error_budget: None,
        id: "20200425-200000-all".into(),
        severity: Severity::Unknown,
        title: "no line for 20 minutes and none says why".into(),
        start: at("20:00:00"),
        start_bounds: (at("19:59:58"), at("20:00:00")),
        end: Some(at("20:20:00")),
        end_bounds: (at("20:20:00"), at("20:20:07")),
        cause: None,
        trigger: None,
        phases: Vec::new(),
        timeline: Vec::new(),
        evidence: Vec::new(),
        ..base.clone()
    };
    let open = Incident {
        id: "20200425-213000-all".into(),
        severity: Severity::Outage,
        title: "every request failed with 502".into(),
        why: "880 of 880 requests failed, usually 0.1 %".into(),
        start: at("21:30:00"),
        start_bounds: (at("21:29:59"), at("21:30:00")),
        end: None,
        end_bounds: (at("21:59:59"), at("21:59:59")),
        open_end: true,
        impact: Impact {
            requests: 880,
            failed: 880,
            failed_share: Some(1.0),
            clients: Some(1),
            statuses: [(502, 880)].into(),
            ..Impact::default()
        },
        cause: Some(cause("upstream.refused", "certain")),
        trigger: None,
        phases: Vec::new(),
        timeline: Vec::new(),
        evidence: Vec::new(),
        ..base
    };
    let (summaries, parts) = hosts();
    let open = Incident { context: Context { hosts: parts, ..Context::default() }, ..open };
    let mut one = input("web1/access.log", "access", 90_211);
    one.host = Some("web1".into());
    one.notes = vec!["grew while it was read; read up to byte 17,140,090".into()];
    one.digest = Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into());
    let mut two = input("archive/2020/april/web2.example.net/nginx/access.log.2.gz", "access", 1_200_000);
    two.host = Some("web2".into());
    two.format = "$remote_addr - $remote_user [$time_local] \"$request\" $status".into();
    Report {
        span: Some((at("17:00:00"), at("21:59:59"))),
        zone: -300,
        inputs: vec![one, two, Input { path: hostile.into(), kind: "error", ..Input::default() }],
        incidents: vec![degradation, hidden, silence, open],
        findings: Vec::new(),
        coverage: vec![
            Coverage {
                start: at("19:00:00"),
                end: at("19:30:00"),
                state: CoverageState::Missing,
                host: Some("web2".into()),
                note: "access.log.1 is not among the files".into(),
            },
            Coverage {
                start: at("20:00:00"),
                end: at("20:20:00"),
                state: CoverageState::Unknown,
                host: None,
                note: String::new(),
            },
        ],
        not_counted: vec![
            NotCounted {
                path: "web1/access.log".into(),
                reason: "outside the window".into(),
                lines: 12_000,
                bytes: 2_400_000,
                example: None,
            },
            NotCounted { path: hostile.into(), reason: "cut".into(), lines: 1, bytes: 17, example: None },
        ],
        availability: Some(Availability {
            requests: 0.998_989,
            time: 0.95,
            covered_seconds: 36_000.0,
            bad_seconds: 1799.0,
            unknown_seconds: 1200.0,
        }),
        hosts: summaries,
        joint: Some(Joint {
            verdict: "web1 was hit; web2 and =web\u{202e}3 had no outage or degradation".into(),
            all_bad_seconds: 0.0,
            any_bad_seconds: 1799.0,
        }),
        totals: Totals {
            lines: 1_290_242,
            bytes: 245_145_980,
            requests: 1_278_211,
            failed: 1292,
            error_records: 31,
        },
        chart: Some(chart(|step| match step {
            6..8 => Some(100),
            36..40 => None,
            54.. => Some(300),
            _ => Some(0),
        })),
        options: asked("."),
        news: None,
        notes: Some("notes/2020-04-25.md".into()),
    }
}
