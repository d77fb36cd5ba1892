use super::*;
use proptest::prelude::*;

const REFUSED: &str = r#"2026/03/01 10:00:00 [error] 1250#1251: *1750 connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.7, server: example.com, request: "GET /app/?a="b" HTTP/1.1", subrequest: "/auth", upstream: "http://10.0.0.5:8080/app/", host: "example.com", referrer: "https://example.com/""#;

fn text(value: Option<&[u8]>) -> Option<&str> {
    value.map(|v| std::str::from_utf8(v).unwrap())
}

fn parse(line: &str) -> ErrorRecord<'_> {
    parse_error(line.as_bytes()).unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn every_part_of_an_http_record_is_read() {
    let r = parse(REFUSED);
    assert_eq!(
        (r.time, r.level, r.pid, r.tid, r.connection),
        (1_772_359_200, Level::Error, 1250, 1251, Some(1750))
    );
    assert_eq!((r.message, r.errno), (&b"connect() failed"[..], Some(111)));
    assert_eq!(text(r.action), Some("connecting to upstream"));
    assert_eq!((text(r.client), text(r.server)), (Some("203.0.113.7"), Some("example.com")));
    assert_eq!(text(r.request), Some(r#"GET /app/?a="b" HTTP/1.1"#));
    assert_eq!((text(r.subrequest), text(r.upstream)), (Some("/auth"), Some("http://10.0.0.5:8080/app/")));
    assert_eq!((text(r.host), text(r.referrer)), (Some("example.com"), Some("https://example.com/")));
    assert!(!r.cut && !looks_unfinished(REFUSED.as_bytes()));
    assert_eq!(parse_error(format!("{REFUSED}\r\n").as_bytes()), Some(r));
}

#[test]
fn a_refused_request_line_forges_no_context() {
    let r = parse(
        r#"2026/03/01 10:00:00 [info] 9#9: *7 client sent invalid request while reading client request line, client: 203.0.113.7, server: a.example, request: "GET /a"2", upstream: "http://forged/", host: "x HTTP/1.1""#,
    );
    assert_eq!(text(r.request), Some(r#"GET /a"2", upstream: "http://forged/", host: "x HTTP/1.1"#));
    assert_eq!((text(r.client), text(r.server)), (Some("203.0.113.7"), Some("a.example")));
    assert_eq!((r.upstream, r.host, r.cut), (None, None, false));
    // Without a protocol (HTTP/0.9) what stands to the right is nginx's own.
    let r = parse(
        r#"2026/03/01 10:00:00 [error] 9#9: *7 connect() failed (111: x) while connecting to upstream, client: ::1, server: _, request: "GET /a", upstream: "http://10.0.0.5:80/a""#,
    );
    assert_eq!((text(r.request), text(r.upstream)), (Some("GET /a"), Some("http://10.0.0.5:80/a")));
}

#[test]
fn starts_are_told_from_other_lines() {
    assert!(is_record_start(b"2026/03/01 10:00:00 [notice] 1#1: exit"));
    assert!(is_record_start(b"2026/03/01 10:00:00 [emerg] 1#0: x"));
    for bad in [
        "",
        "2026/03/01 10:00:00 [error] forged",
        "2026/13/01 10:00:00 [error] 1#1: x",
        "2026/03/01 10:00:00 [fatal] 1#1: x",
        "#1 /srv/app.php(3): f()",
        "2026/03/01 10:00:00 [error] 1#1 x",
    ] {
        assert!(!is_record_start(bad.as_bytes()), "{bad}");
    }
}

#[test]
fn configuration_messages_name_their_place() {
    let r = parse(
        r#"2026/03/01 10:00:00 [emerg] 9#9: open() "/etc/nginx/x.conf" failed (2: No such file or directory) in /etc/nginx/nginx.conf:60"#,
    );
    assert_eq!(text(Some(r.message)), Some(r#"open() "/etc/nginx/x.conf" failed"#));
    assert_eq!(
        (r.errno, text(r.config_file), r.config_line),
        (Some(2), Some("/etc/nginx/nginx.conf"), Some(60))
    );
    let r = parse(r#"2026/03/01 10:00:00 [emerg] 9#9: unknown directive "x" in command line"#);
    assert_eq!((text(r.config_file), r.config_line), (Some("command line"), None));
    let r = parse(
        "2026/03/01 10:00:00 [error] 1#1: unexpected A record in DNS response while resolving, resolver: 192.0.2.53:53",
    );
    assert_eq!(
        (text(r.config_file), text(Some(r.message))),
        (None, Some("unexpected A record in DNS response"))
    );
    let r = parse_stderr_form(b"nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address in use)\n").unwrap();
    assert_eq!(
        (r.level, text(Some(r.message)), r.errno),
        (Level::Emerg, Some("bind() to 0.0.0.0:80 failed"), Some(98))
    );
    assert_eq!(parse_stderr_form(b"nginx: [emerg]: getcwd() failed (13: x)").unwrap().errno, Some(13));
    assert_eq!(parse_error(b"nginx: [emerg] x in /a:1"), None);
}

#[test]
fn other_contexts_are_read() {
    let r = parse(
        r#"2026/03/01 10:00:00 [error] 9#9: *3 upstream timed out (110: Connection timed out) while connecting to upstream, client: 203.0.113.7, server: 0.0.0.0:5432, upstream: "10.0.0.5:5432", bytes from/to client:0/0, bytes from/to upstream:0/0"#,
    );
    assert_eq!((text(r.upstream), text(r.server)), (Some("10.0.0.5:5432"), Some("0.0.0.0:5432")));
    let r = parse(
        r#"2026/03/01 10:00:00 [info] 9#9: *3 client logged in, client: 203.0.113.7 using starttls, server: 0.0.0.0:143, login: "alice", upstream: 10.0.0.5:143"#,
    );
    assert_eq!(
        (text(r.client), text(r.server), text(r.upstream)),
        (Some("203.0.113.7"), Some("0.0.0.0:143"), Some("10.0.0.5:143"))
    );
    let r = parse(
        "2026/03/01 10:00:00 [info] 9#9: *3 udp timed out, packets from/to client:1/0, bytes from/to client:9/0, bytes from/to upstream:0/9 while proxying connection, udp client: 203.0.113.7, server: 0.0.0.0:53",
    );
    assert_eq!((text(r.client), text(r.action)), (Some("203.0.113.7"), Some("proxying connection")));
    let r = parse(
        "2026/03/01 10:00:00 [error] 9#9: recv() failed (111: Connection refused) while resolving, resolver: 10.0.0.2:53",
    );
    assert_eq!((text(r.action), r.errno), (Some("resolving"), Some(111)));
    let r = parse(
        r#"2026/03/01 10:00:00 [error] 9#9: connect() failed (113: No route to host) while connecting to upstream, health check "ok" of peer 10.0.0.5:80 in upstream "app""#,
    );
    assert_eq!(
        (text(r.action), r.errno),
        (Some(r#"health check "ok" of peer 10.0.0.5:80 in upstream "app""#), Some(113))
    );
    let r = parse(
        r#"2026/03/01 10:00:00 [error] 9#9: *3 open() "/srv/a" failed (20: Not a directory), request: "GET /a HTTP/1.1", host: "example.com""#,
    );
    assert_eq!((r.errno, text(r.host)), (Some(20), Some("example.com")));
    let r = parse(
        "2026/03/01 10:00:00 [alert] 9#9: send() failed (111: x) while logging to syslog, server: 10.0.0.9:514",
    );
    assert_eq!((text(r.action), text(r.server)), (Some("logging to syslog"), Some("10.0.0.9:514")));
    let r = parse(
        r"2026/03/01 10:00:00 [error] 9#9: *3 [lua] x.lua:3: boom, context: ngx.timer, client: 203.0.113.7, server: 0.0.0.0:80",
    );
    assert_eq!((text(Some(r.message)), text(r.client)), (Some("[lua] x.lua:3: boom"), Some("203.0.113.7")));
    let r = parse(
        r#"2026/03/01 10:00:00 [error] 9#9: *3 limiting requests, excess: 20.5 by zone "one", client: 203.0.113.7, server: s, request: "GET / HTTP/1.1", host: "h", request_id: "ab12""#,
    );
    assert_eq!(
        (text(Some(r.message)), text(r.host)),
        (Some(r#"limiting requests, excess: 20.5 by zone "one""#), Some("h"))
    );
    let r = parse(
        "2026/03/01 10:00:00 [error] 9#9: *3 app.internal could not be resolved (3: Host not found), client: 203.0.113.7, server: s",
    );
    assert_eq!((r.errno, text(r.server)), (None, Some("s")));
}

#[test]
fn clients_cannot_forge_context_to_the_right_of_theirs() {
    let r = parse(
        r#"2026/03/01 10:00:00 [error] 9#9: *3 no live upstreams while connecting to upstream, client: 203.0.113.7, server: s, request: "GET /, client: 192.0.2.66, server: evil HTTP/1.1", upstream: "http://b/", host: "h", referrer: "x", host: "evil", upstream: "evil""#,
    );
    assert_eq!(
        (text(r.client), text(r.server), text(r.upstream), text(r.host)),
        (Some("203.0.113.7"), Some("s"), Some("http://b/"), Some("h"))
    );
    let r = parse(
        r#"2026/03/01 10:00:00 [error] 9#9: *3 open() "/w/a, client: 192.0.2.66, server: evil" failed (2: No such file or directory), client: 203.0.113.7, server: s, request: "GET /a HTTP/1.1", host: "h""#,
    );
    assert_eq!((text(r.client), r.errno), (Some("203.0.113.7"), Some(2)));
    let r = parse(
        r#"2026/03/01 10:00:00 [error] 9#9: *3 access forbidden by rule, client: 203.0.113.7, server: s, request: "GET /", referrer: "x HTTP/1.1", host: "h""#,
    );
    assert_eq!((text(r.host), text(r.referrer)), (Some("h"), None));
}

#[test]
fn cut_records_keep_what_is_left() {
    let long = format!(r#"{}"GET /{}"#, &REFUSED[..REFUSED.find("\"GET").unwrap()], "a".repeat(4000));
    let r = parse_error(&long.as_bytes()[..RECORD_LIMIT]).unwrap();
    assert!(r.cut && r.request.unwrap().starts_with(b"GET /aaa"));
    assert_eq!((r.errno, text(r.client)), (Some(111), Some("203.0.113.7")));
    assert!(!looks_unfinished(&long.as_bytes()[..RECORD_LIMIT]));
    let name =
        format!(r#"2026/03/01 10:00:00 [error] 9#9: *3 open() "/{}... (36: File na"#, "b".repeat(1950));
    assert_eq!(parse(&name).errno, Some(36));
}

#[test]
fn angie_json_is_read() {
    let line = br#"{"time":"2026-03-01T10:00:00.123Z","level":"error","pid":12,"tid":13,"connection":5,"message":"connect() failed","error":{"code":111,"message":"Connection refused"},"context":{"action":"connecting to upstream","client":"203.0.113.7","request":"GET /\"x HTTP/1.1"},"truncated":true}"#;
    let r = parse_angie_json(line).unwrap();
    assert_eq!(
        (r.time, r.utc, r.pid, r.connection, r.errno, r.cut),
        (1_772_359_200, true, 12, Some(5), Some(111), true)
    );
    assert_eq!(
        (text(r.action), text(r.request)),
        (Some("connecting to upstream"), Some(r#"GET /\"x HTTP/1.1"#))
    );
    assert_eq!(parse_angie_json(br#"{"time":"2026-03-01T10:00:00Z","status":"200"}"#), None);
}

fn split(buffer: &str) -> Vec<(&str, bool)> {
    RecordSplitter::new(buffer.as_bytes())
        .map(|s| (std::str::from_utf8(s.bytes).unwrap(), s.framed))
        .collect()
}

#[test]
fn records_of_several_lines_stay_whole() {
    let lua = "2026/03/01 10:00:01 [error] 9#9: *3 lua entry thread aborted: runtime error: x.lua:3: boom\nstack traceback:\ncoroutine 0:\n\tx.lua: in f, client: 203.0.113.7, server: s, request: \"GET / HTTP/1.1\", host: \"h\"";
    let php = "2026/03/01 10:00:02 [error] 9#9: *4 FastCGI sent in stderr: \"PHP message: boom\nStack trace:\n#0 {main}\" while reading response header from upstream, client: 203.0.113.7, server: s, request: \"GET / HTTP/1.1\", upstream: \"fastcgi://127.0.0.1:9000\", host: \"h\"";
    let whole = format!(
        "/docker-entrypoint.sh: x\n{REFUSED}\nE0301 10:00:00.1  7 main.go:1] x\n{lua}\n{php}\r\n{REFUSED}"
    );
    let want = vec![
        ("/docker-entrypoint.sh: x", false),
        (REFUSED, true),
        ("E0301 10:00:00.1  7 main.go:1] x", false),
        (lua, true),
        (php, true),
        (REFUSED, true),
    ];
    assert_eq!(split(&whole), want);
    assert_eq!(text(parse(php).upstream), Some("fastcgi://127.0.0.1:9000"));
}

#[test]
fn a_forged_start_belongs_to_the_record_it_is_in() {
    let forged = "2026/03/01 10:00:01 [error] 9#9: *3 open() \"/srv/nl\n2026/03/01 10:00:01 [emerg] 9#9: bind() to 0.0.0.0:80 failed\" failed (2: No such file or directory), client: 203.0.113.7, server: s, request: \"GET /nl%0A2026 HTTP/1.1\", host: \"h\"";
    let whole = format!("{REFUSED}\n{forged}\n{REFUSED}\n");
    assert_eq!(split(&whole), vec![(REFUSED, true), (forged, true), (REFUSED, true)]);
    assert!(looks_unfinished(forged.lines().next().unwrap().as_bytes()));
    // A record that was cut off with an open name does not swallow the true one behind it.
    let cut = "2026/03/01 10:00:01 [error] 9#9: *3 open() \"/srv/nl";
    let other = "2026/03/01 10:00:02 [error] 9#9: *4 open() \"/srv/x\" failed (2: No such file or directory), client: 203.0.113.7";
    let whole = format!("{cut}\n{other}\n");
    assert_eq!(split(&whole), vec![(cut, true), (other, true)]);
}

#[test]
fn a_record_without_end_is_bounded() {
    let whole = format!(
        "2026/03/01 10:00:01 [error] 9#9: *3 [lua] x\n{}",
        format!("{}\n", "y".repeat(99)).repeat(1_000)
    );
    let all: Vec<_> = RecordSplitter::new(whole.as_bytes()).collect();
    assert_eq!((all.len(), all[0].overlong, all[0].lines, all[0].bytes.len()), (1, true, 1_001, 64 * 1024));
}

/// A square of two megabytes would take this test hours.
#[test]
fn hostile_starts_come_to_an_end() {
    let whole = "2026/03/01 10:00:01 [error] 9#9: *3 open() \"/\n".repeat(40_000);
    let bytes: usize = RecordSplitter::new(whole.as_bytes()).map(|s| s.bytes.len() + 1).sum();
    assert_eq!(bytes, whole.len());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..420, len in 0usize..40) {
        let mut line = REFUSED.as_bytes().to_vec();
        let at = at.min(line.len());
        line.splice(at..(at + len).min(line.len()), bytes.iter().copied().take(len));
        for b in [&bytes, &line] {
            let _ = (parse_error(b), parse_stderr_form(b), parse_angie_json(b), looks_unfinished(b), is_record_start(b));
        }
        line.push(b'\n');
        line.extend_from_slice(&bytes);
        line.extend_from_slice(REFUSED.as_bytes());
        let spans: usize = RecordSplitter::new(&line).map(|s| s.lines as usize).sum();
        let ends = usize::from(!line.ends_with(b"\n"));
        prop_assert_eq!(spans, memchr::memchr_iter(b'\n', &line).count() + ends);
    }

    #[test]
    fn context_text_never_panics(tail in "( while |, client: |, server: |, request: \"|\", upstream: \"|\", host: \"| \\(|1: |\\)|\"|in /a:1|\n|x){0,24}") {
        let line = format!("2026/03/01 10:00:00 [error] 1#1: *1 {tail}");
        prop_assert!(parse_error(line.as_bytes()).is_some());
        let _ = looks_unfinished(line.as_bytes());
    }
}

#[test]
fn a_close_behind_a_foreign_line_decides_nothing() {
    let open = "2026/03/01 10:00:00 [error] 7#7: *9 open() \"/srv/a\n";
    let text = format!("{open}{open}nginx: [emerg] b\" failed (2: x), client: ::1\n");
    let starts = |b: &str| RecordSplitter::new(b.as_bytes()).map(|s| s.offset).collect::<Vec<_>>();
    assert_eq!(starts(&text), [0, open.len(), 2 * open.len()]);
    assert_eq!(starts(&text[..2 * open.len()]), [0, open.len()]);
}
