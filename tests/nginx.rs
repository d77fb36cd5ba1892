//! What a real nginx writes, read back: every format it was given, formats learned without a hint, its error log, and
//! the zone of that log. Skipped, with the reason printed, where nginx is not installed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "why a test was skipped")]

#[path = "nginx/backend.rs"]
mod backend;
#[path = "nginx/failures.rs"]
mod failures;
#[path = "nginx/requests.rs"]
mod requests;
#[path = "nginx/server.rs"]
mod server;

use downtime::catalogue::Catalogue;
use downtime::format::errorlog::{RecordSplitter, is_record_start, parse_error};
use downtime::format::framing::{self, Framing};
use downtime::format::nginx_conf::{self, Conf};
use downtime::format::{AccessFormat, AccessRecord, ErrorRecord, Escape, Field, Level, LogKind, learn};
use downtime::input::source::{Source, open_stream};
use downtime::time::Second;
use downtime::zone::{self, Sighting};
use failures::Failure;
use requests::Sent;
use server::{Behind, FORMATS, Nginx};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::Read;

/// A zone without daylight saving time, in the form that needs no zone database.
const ZONE: &str = "IST-5:30";
const OFFSET: i16 = 330;

/// All that one run of nginx left behind.
struct Run {
    sent: Vec<Sent>,
    conf: Conf,
    logs: Vec<(&'static str, Vec<u8>)>,
    errors: Vec<u8>,
    /// The same lines, as a syslog server heard them.
    heard: Vec<Vec<u8>>,
    /// `combined`, packed by nginx and unpacked by us.
    unpacked: Vec<u8>,
}

fn run() -> Option<Run> {
    let (_resolver, resolver) = backend::deaf_resolver();
    let (heard, syslog) = backend::syslog();
    let behind = Behind { backend: backend::start(), resolver, syslog };
    let mut nginx = match Nginx::start(ZONE, &behind) {
        Ok(nginx) => nginx,
        Err(why) => {
            println!("skipped: {why}");
            return None;
        }
    };
    let sent = requests::send_all(&nginx);
    nginx.stop();
    if let Some(folder) = std::env::var_os("DOWNTIME_KEEP_LOGS") {
        std::process::Command::new("cp").arg("-r").arg(nginx.folder()).arg(folder).status().unwrap();
    }
    let conf = nginx_conf::read(&nginx.folder().join("nginx.conf")).unwrap();
    let names = FORMATS.iter().map(|f| f.0).chain(["combined"]);
    let logs = names.map(|name| (name, nginx.log(&format!("{name}.log")))).collect();
    let packed = Source::file(&nginx.folder().join("logs/packed.gz")).unwrap();
    let mut unpacked = Vec::new();
    open_stream(&packed).unwrap().read_to_end(&mut unpacked).unwrap();
    let heard = heard.lock().unwrap().clone();
    Some(Run { heard, unpacked, sent, conf, logs, errors: nginx.log("error.log") })
}

/// The lines of a log.
fn lines(log: &[u8]) -> Vec<&[u8]> {
    log.strip_suffix(b"\n").unwrap_or(log).split(|b| *b == b'\n').collect()
}

/// Undoes what nginx did to a value.
fn unescape(escape: Escape, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = value;
    while let Some((&b, tail)) = rest.split_first() {
        rest = tail;
        let hex = |b: &[u8]| u8::from_str_radix(std::str::from_utf8(b).ok()?, 16).ok();
        let (byte, used) = match (escape, b, tail) {
            (Escape::Default, b'\\', [b'x', h @ ..]) => (hex(&h[..2]).unwrap(), 3),
            (Escape::Json, b'\\', [b'u', b'0', b'0', h @ ..]) => (hex(&h[..2]).unwrap(), 5),
            (Escape::Json, b'\\', [b'n', ..]) => (b'\n', 1),
            (Escape::Json, b'\\', [b'r', ..]) => (b'\r', 1),
            (Escape::Json, b'\\', [b't', ..]) => (b'\t', 1),
            (Escape::Json, b'\\', [b'b', ..]) => (8, 1),
            (Escape::Json, b'\\', [b'f', ..]) => (12, 1),
            (Escape::Json, b'\\', [c, ..]) => (*c, 1),
            _ => (b, 0),
        };
        out.push(byte);
        rest = &rest[used..];
    }
    out
}

/// What a line must say, each as far as the format carries it. Gives what is wrong.
fn compare(format: &AccessFormat, record: &AccessRecord, sent: &Sent) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: &str, good: bool, got: &dyn std::fmt::Debug| {
        if !good {
            wrong.push(format!("{what} {got:?}"));
        }
    };
    let text = |v: &[u8]| unescape(format.escape(), v);
    let time = record.time.map(|t| t.millis / 1000);
    check("time", time.is_some_and(|t| sent.time.0 <= t && t <= sent.time.1), &time);
    // `$msec` has no zone.
    let offset = record.time.and_then(|t| t.offset);
    check("offset", format.has(&Field::Msec) || offset == Some(OFFSET), &offset);
    // 444 and the like are not told to the client.
    check(
        "status",
        record.status.is_some() && sent.status.is_none_or(|s| record.status == Some(s)),
        &record.status,
    );
    check(
        "client",
        record.client == Some(sent.client.as_bytes()),
        &record.client.map(String::from_utf8_lossy),
    );
    if format.has(&Field::Request) {
        let got = record.request.map(text).unwrap_or_default();
        let good = got == sent.request || got.len() > 8000 && sent.request.starts_with(&got);
        check("request", good, &String::from_utf8_lossy(&got));
    }
    if format.has(&Field::Host) {
        check("host", record.vhost == Some(sent.host.as_bytes()), &record.vhost.map(String::from_utf8_lossy));
    }
    if format.has(&Field::RequestTime) {
        let good = record.request_time.is_some_and(|t| sent.took.0 <= t + 10 && t <= sent.took.1);
        check("request time", good, &record.request_time);
    }
    if let Some(statuses) = sent.upstream.filter(|_| format.has(&Field::UpstreamStatus)) {
        let list = String::from_utf8_lossy(record.upstream_status.unwrap_or_default());
        let got: Vec<&str> = list.split([',', ':']).map(str::trim).filter(|s| !s.is_empty()).collect();
        check("upstream statuses", got == statuses.iter().map(u16::to_string).collect::<Vec<_>>(), &got);
        if format.has(&Field::UpstreamAddr) {
            let list = record.upstream_addr.unwrap_or_default();
            let tries = list.split(|b| *b == b' ').filter(|w| w.len() > 1).count();
            check("upstream addresses", tries == statuses.len(), &String::from_utf8_lossy(list));
        }
    }
    if sent.agent.is_some() && format.has(&Field::UserAgent) {
        let got = record.user_agent.map(text);
        check("agent", got == sent.agent, &got.as_deref().map(String::from_utf8_lossy));
    }
    if sent.referer.is_some() && format.has(&Field::Referer) {
        let got = record.referer.map(text);
        check("referer", got == sent.referer, &got.as_deref().map(String::from_utf8_lossy));
    }
    wrong
}

/// With the format that nginx.conf gives for its file, every line says what was sent.
fn reads_what_was_sent(run: &Run, wrong: &mut Vec<String>) {
    for (name, log) in &run.logs {
        let file = format!("/{name}.log");
        let access_log = run.conf.access_logs.iter().find(|a| a.path.ends_with(&file)).unwrap();
        let given = run.conf.log_format(&access_log.format).unwrap();
        let escape = given.escape.as_deref().and_then(Escape::from_name);
        let format = AccessFormat::from_directive(&given.name, &given.text, escape).unwrap();
        let lines = lines(log);
        assert_eq!(lines.len(), run.sent.len(), "{name}");
        for (line, sent) in lines.iter().zip(&run.sent) {
            let problems = match format.parse(line) {
                Ok(record) => compare(&format, &record, sent),
                Err(e) => vec![e.to_string()],
            };
            note(wrong, &format!("{name}, as given"), &problems, line, sent);
        }
    }
}

fn note(wrong: &mut Vec<String>, whose: &str, problems: &[String], line: &[u8], sent: &Sent) {
    if !problems.is_empty() {
        let request = String::from_utf8_lossy(&sent.request[..sent.request.len().min(60)]).into_owned();
        let line = String::from_utf8_lossy(&line[..line.len().min(400)]);
        wrong.push(format!("{whose}: {request:?}: {}\n    {line}", problems.join("; ")));
    }
}

/// Without any hint, each file alone gives formats with which time, status and client are read.
fn learns_alone(run: &Run, wrong: &mut Vec<String>) {
    for (name, log) in &run.logs {
        let lines = lines(log);
        let learned = learn(&lines, &[]);
        if learned.kind != LogKind::Access {
            wrong.push(format!("{name}, learned: {:?}", learned.kind));
            continue;
        }
        let found: Vec<String> = learned.formats.iter().map(AccessFormat::definition).collect();
        let before = wrong.len();
        for (line, sent) in lines.iter().zip(&run.sent) {
            let mut problems = Vec::new();
            match learned.formats.iter().find_map(|f| f.parse(line).ok()) {
                None => problems.push("no learned format reads it".to_string()),
                Some(record) => {
                    let time = record.time.map(|t| t.millis / 1000);
                    if !time.is_some_and(|t| sent.time.0 <= t && t <= sent.time.1) {
                        problems.push(format!("time {time:?}"));
                    }
                    if record.status.is_none() || sent.status.is_some_and(|s| record.status != Some(s)) {
                        problems.push(format!("status {:?}", record.status));
                    }
                    if record.client != Some(sent.client.as_bytes()) {
                        problems.push(format!("client {:?}", record.client.map(String::from_utf8_lossy)));
                    }
                }
            }
            note(wrong, &format!("{name}, learned"), &problems, line, sent);
        }
        if wrong.len() > before {
            wrong.push(format!("{name} was learned as: {}\n    {}", learned.reason, found.join("\n    ")));
        }
    }
}

/// The records of the error log, which must all be records.
fn error_records<'a>(run: &'a Run, wrong: &mut Vec<String>) -> Vec<ErrorRecord<'a>> {
    let mut records = Vec::new();
    for split in RecordSplitter::new(&run.errors) {
        match parse_error(split.bytes) {
            Some(record) => records.push(record),
            None => wrong.push(format!("no error record: {}", String::from_utf8_lossy(split.bytes))),
        }
    }
    records
}

/// Each record's context is what was sent, and each failure is in its category.
fn errors_say_why(run: &Run, records: &[ErrorRecord], wrong: &mut Vec<String>) {
    let catalogue = Catalogue::builtin().unwrap();
    for record in records {
        let shown = || {
            let message = String::from_utf8_lossy(record.message);
            format!("{message}\n    {:?}", record.request.map(String::from_utf8_lossy))
        };
        if let Some(request) = record.request {
            let whole = |s: &&Sent| s.request == request || record.cut && s.request.starts_with(request);
            match run.sent.iter().find(whole) {
                None => wrong.push(format!("error log: a request that was not sent: {}", shown())),
                Some(sent) => {
                    if record.client != Some(sent.client.as_bytes()) {
                        wrong.push(format!("error log: client {:?}: {}", record.client, shown()));
                    }
                    let upstream = record.upstream.map(String::from_utf8_lossy);
                    if upstream.is_some_and(|u| !u.contains("://") || u.starts_with("http://forged")) {
                        wrong.push(format!("error log: upstream of {}", shown()));
                    }
                    let host = record.host.map(String::from_utf8_lossy).map(|h| h.to_ascii_lowercase());
                    if host.is_some_and(|h| h.split([':', '/']).next() != Some(sent.host) && h != "a.example")
                    {
                        wrong.push(format!("error log: host {:?}: {}", record.host, shown()));
                    }
                }
            }
        }
        if record.server.is_some_and(|s| s.contains(&b'"') || s.contains(&b' ')) {
            wrong.push(format!("error log: server {:?}", record.server.map(String::from_utf8_lossy)));
        }
        // Warnings of a configuration are not failures.
        if record.level <= Level::Error && catalogue.classify(record).is_none() {
            wrong.push(format!("error log: no category for {:?} {}", record.level, shown()));
        }
    }
    for sent in &run.sent {
        let Some(category) = sent.category else { continue };
        let about = |r: &&ErrorRecord| {
            // Before a request line is read, the log has none.
            let request = r.request.unwrap_or_default();
            r.client.is_some()
                && (sent.request == request
                    || (request.is_empty() || r.cut) && sent.request.starts_with(request))
        };
        let found: Vec<&str> = records
            .iter()
            .filter(about)
            .filter_map(|r| catalogue.classify(r))
            .map(|p| p.category.as_str())
            .collect();
        if !found.contains(&category) {
            let request = String::from_utf8_lossy(&sent.request[..sent.request.len().min(60)]);
            wrong.push(format!("error log: {category} expected for {request:?}, found {found:?}"));
        }
    }
}

/// Over syslog and in gzip the same lines come out as in the plain files.
fn same_through_frames(run: &Run) {
    let combined = &run.logs.iter().find(|l| l.0 == "combined").unwrap().1;
    let wanted = lines(combined);
    let mut unpacked = lines(&run.unpacked);
    // Each worker writes its buffer when it is full.
    unpacked.sort_unstable();
    let mut sorted = wanted.clone();
    sorted.sort_unstable();
    assert!(unpacked == sorted, "{} of {} lines in gzip", unpacked.len(), wanted.len());

    let heard: Vec<&[u8]> = run.heard.iter().map(Vec::as_slice).collect();
    let (framing, share) = framing::detect(&heard);
    let mut out = Vec::new();
    for line in &heard {
        let text = String::from_utf8_lossy(line);
        assert!(framing.unwrap(line, &mut out).is_some(), "not unwrapped: {text}");
    }
    assert_eq!((framing, share), (Framing::Syslog, 1.0));
    let payloads: Vec<Vec<u8>> =
        heard.iter().map(|d| framing.unwrap(d, &mut out).unwrap().payload.to_vec()).collect();
    let (errors, access): (Vec<&[u8]>, Vec<&[u8]>) =
        payloads.iter().map(Vec::as_slice).partition(|p| is_record_start(p));
    assert!(access == wanted, "{} of {} access lines over syslog", access.len(), wanted.len());
    for error in &errors {
        let text = String::from_utf8_lossy(error);
        assert!(memchr::memmem::find(&run.errors, error).is_some(), "not in the error log: {text}");
    }
    let on_connections = errors.iter().filter(|e| parse_error(e).unwrap().connection.is_some()).count();
    let in_file = RecordSplitter::new(&run.errors).filter_map(|s| parse_error(s.bytes)?.connection).count();
    assert_eq!(on_connections, in_file);
}

/// The error log's zone is found from the failures that both logs saw, whatever the access log's own offset.
fn finds_the_zone(run: &Run, records: &[ErrorRecord]) {
    let key = |client: &[u8], request: &[u8]| {
        let mut hasher = DefaultHasher::new();
        (client, request).hash(&mut hasher);
        hasher.finish()
    };
    let errors: Vec<Sighting> = records
        .iter()
        .filter(|r| r.upstream.is_some())
        .filter_map(|r| Some(Sighting { key: key(r.client?, r.request?), time: r.time }))
        .collect();
    let format = AccessFormat::by_name("combined").unwrap();
    let combined = &run.logs.iter().find(|l| l.0 == "combined").unwrap().1;
    let mut access: Vec<Sighting> = Vec::new();
    let mut first: Option<Second> = None;
    for line in lines(combined) {
        let record = format.parse(line).unwrap();
        let time = record.time.unwrap().millis.div_euclid(1000);
        first = first.or(Some(time));
        if record.status.is_some_and(|s| s >= 500) {
            let request = unescape(Escape::Default, record.request.unwrap_or_default());
            access.push(Sighting { key: key(record.client.unwrap(), &request), time });
        }
    }
    assert!(errors.len() > 8 && access.len() > 8, "{} {}", errors.len(), access.len());
    let plain = zone::infer(&access, &errors, &[], zone::Times::default);
    assert_eq!((plain.first_offset(), plain.sure), (OFFSET, true), "{}", plain.how);
    let agreeing = zone::infer(&access, &errors, &[(first.unwrap(), OFFSET)], zone::Times::default);
    assert_eq!((agreeing.first_offset(), agreeing.sure), (OFFSET, true), "{}", agreeing.how);
    // A container with UTC in its access log and local time in its error log.
    let other = zone::infer(&access, &errors, &[(first.unwrap(), 0)], zone::Times::default);
    assert_eq!((other.first_offset(), other.sure), (OFFSET, true), "{}", other.how);
}

#[test]
fn a_real_nginx_is_read_back() {
    let Some(run) = run() else { return };
    let mut wrong = Vec::new();
    reads_what_was_sent(&run, &mut wrong);
    learns_alone(&run, &mut wrong);
    let records = error_records(&run, &mut wrong);
    errors_say_why(&run, &records, &mut wrong);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    same_through_frames(&run);
    finds_the_zone(&run, &records);
}

#[test]
fn failures_of_a_real_nginx_itself_are_told() {
    let catalogue = Catalogue::builtin().unwrap();
    let mut wrong = Vec::new();
    for failure in failures::all() {
        let records: Vec<ErrorRecord> =
            RecordSplitter::new(&failure.log).filter_map(|split| parse_error(split.bytes)).collect();
        let failed: Vec<&ErrorRecord> = records.iter().filter(|r| r.level <= Level::Warn).collect();
        let found: Vec<&str> = failed
            .iter()
            .map(|r| catalogue.classify(r).map_or("no category", |p| p.category.as_str()))
            .collect();
        if !found.contains(&failure.category) || found.contains(&"no category") {
            let log = String::from_utf8_lossy(&failure.log);
            let Failure { what, category, .. } = failure;
            wrong.push(format!("{what}: {category} expected, found {found:?}\n{log}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
