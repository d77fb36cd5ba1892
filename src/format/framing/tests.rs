use super::members::unescape;
use super::*;
use proptest::prelude::*;

const RECORD: &str = "2026/03/01 10:00:00 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream";
const ACCESS: &str =
    r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 502 157 "-" "curl/8.5.0""#;

fn unwrapped(framing: Framing, line: &str) -> Option<(String, Option<String>, bool)> {
    let mut out = Vec::new();
    let u = framing.unwrap(line.as_bytes(), &mut out)?;
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    Some((text(u.payload), u.host.map(text), u.partial))
}

fn examples() -> Vec<(Framing, String, Option<&'static str>)> {
    vec![
        (Framing::None, RECORD.into(), None),
        (
            Framing::DockerJson,
            format!(r#"{{"log":"{RECORD}\n","stream":"stderr","time":"2026-03-01T10:00:00.123456789Z"}}"#),
            None,
        ),
        (Framing::Cri, format!("2026-03-01T10:00:00.123456789Z stderr F {RECORD}"), None),
        (Framing::Cri, format!("2026-03-01T10:00:00.123456789+01:00 stderr F {RECORD}"), None),
        (Framing::Syslog, format!("<187>Mar  1 10:00:00 web1 nginx: {RECORD}"), Some("web1")),
        (Framing::Syslog, format!("<187>Mar 11 10:00:00 nginx: {RECORD}"), None),
        (
            Framing::Syslog,
            format!("<187>Mar  1 10:00:00 2001:db8::7 edge_access: {RECORD}"),
            Some("2001:db8::7"),
        ),
        (
            Framing::Syslog5424,
            format!("<187>1 2026-03-01T10:00:00.5Z web1 nginx 12 - [a@1 b=\"c\\]\"][d@1] {RECORD}"),
            Some("web1"),
        ),
        (Framing::Syslog5424, format!("212 <187>1 - - nginx - - - \u{feff}{RECORD}"), None),
        (Framing::JournalShort, format!("Mar  1 10:00:00 web1 nginx[12]: {RECORD}"), Some("web1")),
        (Framing::JournalIso, format!("2026-03-01T10:00:00+0100 web1 nginx[12]: {RECORD}"), Some("web1")),
        (Framing::JournalIso, format!("2026-03-01T10:00:00.123456+01:00 web1 nginx: {RECORD}"), Some("web1")),
        (Framing::Logread, format!("Sun Mar  1 10:00:00 2026 daemon.err nginx[12]: {RECORD}"), None),
        (Framing::Compose, format!("web-1  | {RECORD}"), Some("web-1")),
        (Framing::Compose, format!("web_1     | {RECORD}"), Some("web_1")),
        (Framing::Compose, format!("\u{1b}[36mweb-1  | \u{1b}[0m{RECORD}"), Some("web-1")),
        (Framing::Compose, format!("web-1  | 2026-03-01T10:00:00.123Z {RECORD}"), Some("web-1")),
        (
            Framing::Compose,
            format!("proxy-1  | \u{1b}[1;31mnginx.1     | \u{1b}[0m{RECORD}"),
            Some("proxy-1"),
        ),
        (Framing::KubectlPrefix, format!("[pod/web-6d4cf-x/nginx] {RECORD}"), Some("web-6d4cf-x")),
        (
            Framing::KubectlPrefix,
            format!("[pod/web-6d4cf-x/nginx] 2026-03-01T10:00:00.1Z {RECORD}"),
            Some("web-6d4cf-x"),
        ),
        (Framing::Stern, format!("web-6d4cf-x nginx {RECORD}"), Some("web-6d4cf-x")),
        (Framing::IsoPrefix, format!("2026-03-01T10:00:00.123Z {RECORD}"), None),
        (Framing::Svlogd, format!("2026-03-01_10:00:00.12345 {RECORD}"), None),
    ]
}

#[test]
fn each_frame_is_taken_off() {
    for (framing, line, host) in examples() {
        let got = unwrapped(framing, &line);
        assert_eq!(got, Some((RECORD.into(), host.map(Into::into), false)), "{framing:?}: {line}");
    }
}

#[test]
fn each_frame_is_found() {
    for (framing, line, _) in examples() {
        let script = "/docker-entrypoint.sh: Launching";
        let lines = [line.as_bytes(), script.as_bytes(), b"", line.as_bytes()];
        assert_eq!(detect(&lines).0, framing, "{line}");
    }
}

#[test]
fn a_file_has_one_frame_for_both_logs() {
    for (framing, line, _) in examples().into_iter().filter(|(f, ..)| *f != Framing::DockerJson) {
        let line = line.replace(RECORD, ACCESS);
        assert_eq!(detect(&[line.as_bytes()]).0, framing, "{line}");
    }
}

#[test]
fn a_frame_is_found_around_a_format_that_nobody_knows() {
    let access = "web-1  | time=2026-03-01T10:00:00+00:00 client=203.0.113.7 status=200 uri=\"/a\"";
    assert_eq!(detect(&[access.as_bytes(); 9]).0, Framing::Compose);
    // Few records among many lines whose time is in no form that would be a proof.
    for (framing, frame) in
        [(Framing::Compose, "web-1  | "), (Framing::IsoPrefix, "2026-03-01T10:00:00.123Z ")]
    {
        let (access, record) =
            (format!("{frame}1772359200.123 203.0.113.7 200 /a"), format!("{frame}{RECORD}"));
        let mut lines = vec![access.as_bytes(); 60];
        assert_ne!(detect(&lines).0, framing, "{frame}");
        lines.extend([record.as_bytes(); 2]);
        assert_eq!(detect(&lines).0, framing, "{frame}");
    }
}

#[test]
fn access_logs_that_look_framed_are_left_alone() {
    for line in [
        ACCESS,
        r#"2026-03-01T10:00:00+01:00 203.0.113.7 "GET / HTTP/1.1" 200"#,
        r"2026-03-01T10:00:00+01:00 web1 GET: /x 200",
        r#"{"time":"2026-03-01T10:00:00+00:00","status":"200","stream":"x","request":"GET / HTTP/1.1"}"#,
        r#"{"log":"access","status":200}"#,
        r"203.0.113.7 | [01/Mar/2026:10:00:00 +0000] | GET / | 200",
        r"shop.example.com | [01/Mar/2026:10:00:00 +0000] | GET / | 200",
        r#"shop-1.example.com 203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/2.0" 503 592 "-" "-""#,
    ] {
        assert_eq!(detect(&[line.as_bytes(); 3]).0, Framing::None, "{line}");
    }
    assert_eq!(detect(&[]), (Framing::None, 0.0));
}

#[test]
fn a_starting_nginx_has_no_host_in_syslog() {
    let line = b"<189>Mar  1 10:00:00  edge: 2026/03/01 10:00:00 [notice] 7#7: nginx/1.22.1";
    let mut out = Vec::new();
    let u = Framing::Syslog.unwrap(line, &mut out).unwrap();
    assert_eq!((u.payload, u.host), (&b"2026/03/01 10:00:00 [notice] 7#7: nginx/1.22.1"[..], None));
}

#[test]
fn docker_text_is_unescaped() {
    let mut out = Vec::new();
    unescape(br#"a\"b\\c\/\u00e9\ud83d\ude00\ud83dx\u001b\q"#, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "a\"b\\c/é😀\u{fffd}x\u{1b}\\q");
    let mut out = Vec::new();
    let line = b"{\"log\":\"\xff\\\"\\u00zz\\n\",\"attrs\":{\"a\":\"}\"},\"stream\":\"stdout\"}\r\n";
    let u = Framing::DockerJson.unwrap(line, &mut out).unwrap();
    assert_eq!((u.payload, u.stream), (&b"\xff\"\\u00zz"[..], Some(Stream::Stdout)));
}

#[test]
fn parts_are_joined_by_stream() {
    let mut joiner = Joiner::default();
    let mut whole = Vec::new();
    let mut out = Vec::new();
    for (tag, from, text) in [
        ("P", "stderr", "2026/03/01 "),
        ("F", "stdout", "GET"),
        ("P", "stderr", "10:00:"),
        ("F", "stderr", "00 x"),
        ("F:x", "stderr", "y"),
    ] {
        let line = format!("2026-03-01T10:00:00Z {from} {tag} {text}");
        let u = Framing::Cri.unwrap(line.as_bytes(), &mut out).unwrap();
        whole.extend(joiner.push(&u).map(|(t, cut)| (String::from_utf8(t.to_vec()).unwrap(), cut)));
    }
    let want = ["GET", "2026/03/01 10:00:00 x", "y"];
    assert_eq!(whole, want.map(|t| (t.to_string(), false)));
    let (text, _, partial) = unwrapped(Framing::DockerJson, r#"{"log":"abc","stream":"stdout"}"#).unwrap();
    assert_eq!((text.as_str(), partial), ("abc", true));
}

#[test]
fn a_line_without_end_is_bounded() {
    let mut joiner = Joiner::default();
    let payload = vec![b'x'; 700_000];
    let part = Unwrapped { partial: true, ..Unwrapped::of(&payload) };
    assert_eq!(joiner.push(&part), None);
    assert_eq!(joiner.push(&part), None);
    let (line, cut) = joiner.push(&Unwrapped::of(b"y")).unwrap();
    assert_eq!((line.len(), cut), (1024 * 1024, true));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..300, pick in 0usize..23) {
        let (_, line, _) = examples().swap_remove(pick);
        let mut mutated = line.into_bytes();
        let at = at.min(mutated.len());
        mutated.splice(at..(at + 3).min(mutated.len()), bytes.iter().copied().take(4));
        let mut out = Vec::new();
        for framing in Framing::ALL {
            let _ = framing.unwrap(&bytes, &mut out);
            let _ = framing.unwrap(&mutated, &mut out);
            let _ = framing.unwrap(&mutated[..at.min(mutated.len())], &mut out);
        }
        let _ = detect(&[&bytes, &mutated]);
    }

    #[test]
    fn escaping_round_trips(text in "\\PC*") {
        let json = serde_json::to_string(&text).unwrap();
        let mut out = Vec::new();
        unescape(&json.as_bytes()[1..json.len() - 1], &mut out);
        prop_assert_eq!(out, text.into_bytes());
    }
}
