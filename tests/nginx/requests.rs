//! Requests as they come from the net, ordinary and odd, over raw sockets; with what must stand in the logs.

use super::server::Nginx;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One access-log line to come.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// The request line as sent; the log may have less of one that is too long.
    pub(crate) request: Vec<u8>,
    /// What the client was answered, or what stands for no answer; `None` where the log may say what it likes.
    pub(crate) status: Option<u16>,
    pub(crate) client: &'static str,
    pub(crate) host: &'static str,
    /// The statuses of the tries; `None` where it is not known whether there was one.
    pub(crate) upstream: Option<&'static [u16]>,
    pub(crate) agent: Option<Vec<u8>>,
    pub(crate) referer: Option<Vec<u8>>,
    /// Milliseconds: at least and at most.
    pub(crate) took: (u32, u32),
    /// Seconds since 1970, around it.
    pub(crate) time: (i64, i64),
    /// The category of what the error log says about it.
    pub(crate) category: Option<&'static str>,
}

/// How to send it.
#[derive(Debug, Clone)]
struct Plan {
    request: Vec<u8>,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    /// Instead of request line, headers and body.
    raw: Option<Vec<u8>>,
    /// Closes so long after sending without reading; an early close of both ways.
    abort: Option<Duration>,
    /// Closes its own way after sending.
    shut: bool,
    v6: bool,
    host: &'static str,
    status: Option<u16>,
    /// The status in the log where the client gets none.
    unanswered: Option<u16>,
    upstream: Option<&'static [u16]>,
    category: Option<&'static str>,
    at_least: u32,
    lines: u32,
}

fn line(request: impl AsRef<[u8]>) -> Plan {
    Plan {
        request: request.as_ref().to_vec(),
        headers: vec![("Host", b"a.example".to_vec()), ("User-Agent", b"probe/1.0 (+x)".to_vec())],
        body: Vec::new(),
        raw: None,
        abort: None,
        shut: false,
        v6: false,
        host: "a.example",
        status: None,
        unanswered: None,
        upstream: None,
        category: None,
        at_least: 0,
        lines: 1,
    }
}

impl Plan {
    fn answers(self, status: u16, upstream: &'static [u16]) -> Self {
        Self { status: Some(status), upstream: Some(upstream), ..self }
    }

    fn because(self, category: &'static str) -> Self {
        Self { category: Some(category), ..self }
    }

    fn with(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.retain(|h| h.0 != name);
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    fn without_headers(self) -> Self {
        Self { headers: Vec::new(), ..self }
    }

    fn raw(self, bytes: impl AsRef<[u8]>) -> Self {
        Self { raw: Some(bytes.as_ref().to_vec()), headers: Vec::new(), ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut out = self.request.clone();
        out.extend_from_slice(b"\r\n");
        for (name, value) in &self.headers {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"Connection: close\r\n\r\n");
        out.extend_from_slice(&self.body);
        out
    }

    fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.headers.iter().find(|h| h.0 == name).map(|h| h.1.clone())
    }
}

fn plans(v6: bool) -> Vec<Plan> {
    let long = |n: usize| format!("GET /long/{} HTTP/1.1", "x".repeat(n));
    let quoted = |n: usize| format!("GET /quoted?{}", "\"\\".repeat(n));
    let hello: Vec<u8> = (0_u8..180).filter(|b| !b"\r\n".contains(b)).collect();
    let hello = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), &hello].concat();
    let mut high = b"GET /h\xc3\xa4\xff\xfe\x80?q=\xe2\x82\xac HTTP/1.1".to_vec();
    let mut out = vec![
        line("GET /ok HTTP/1.1").answers(200, &[200]),
        line("GET /ok?a=1&b=%20%22 HTTP/1.1").answers(200, &[200]),
        Plan { body: b"a=1".to_vec(), ..line("POST /ok/post HTTP/1.1").with("Content-Length", "3") }
            .answers(200, &[200]),
        line("HEAD /ok/head HTTP/1.1").answers(200, &[200]),
        line("GET /ok/old HTTP/1.0").answers(200, &[200]),
        line("GET /ok/nobody HTTP/1.0").without_headers().answers(200, &[200]),
        line("DELETE /ok/x HTTP/1.1").with("User-Agent", "").answers(200, &[200]),
        Plan { host: "b.example", ..line("GET /ok/b HTTP/1.1").with("Host", "B.example") }.answers(200, &[200]),
        Plan { host: "x.b.example", ..line("GET /ok/c HTTP/1.1").with("Host", "x.b.example:8080") }
            .answers(200, &[200]),
        Plan { host: "other.example", ..line("GET http://other.example/ok/absolute?x HTTP/1.1") }
            .answers(200, &[200]),
        line("GET /ok/quotes\"and\\back HTTP/1.1")
            .with("User-Agent", r#"a "quoted" \agent\ end\"#)
            .with("Referer", r#"http://x/"?q=\x22" 200 5 "-""#)
            .answers(200, &[200]),
        line("GET /ok/mimic HTTP/1.1\" HTTP/1.1")
            .with("User-Agent", "\" 502 0 \"-\" \"-")
            .with("Referer", "- [01/Jan/2020:00:00:00 +0000] \"GET / HTTP/1.1\" 500 1"),
        line("GET /ok/tabs HTTP/1.1")
            .with("User-Agent", b"tab\there \x01\x1b[31mred\x7f\x80\xff end")
            .with("X-Odd", b"\x02\x1f\"\\\x80"),
        line("GET /ok/user HTTP/1.1").with("Authorization", "Basic YSBbYl06Yw==").answers(200, &[200]),
        line("GET /ok/forwarded HTTP/1.1")
            .with("X-Forwarded-For", "203.0.113.7, 2001:db8::7, unknown")
            .answers(200, &[200]),
        line("GET /ok/labels?status=500&time:x HTTP/1.1")
            .with("User-Agent", "x status=\"500\", request_time=9.000, \"status\":\"500\"}")
            .answers(200, &[200]),
        line("GET /ok/pipes|200|0.1 HTTP/1.1").answers(200, &[200]),
        line(&high).answers(200, &[200]),
        line(b"GET /ok/\x01\x1b[0m HTTP/1.1"),
        line("GET /ok/blank in it HTTP/1.1"),
        line(long(7000)).answers(200, &[200]),
        line(long(9000)).because("client.too_large"),
        line(quoted(700)),
        Plan { unanswered: Some(200), ..line("GET /ok/nine") }.raw("GET /ok/nine\r\n"),
        line(&hello).raw(&hello).because("client.bad_request"),
        Plan { shut: true, unanswered: Some(400), ..line("").raw("\r\n") },
        line("garbage").raw("garbage\r\n\r\n").because("client.bad_request"),
        line("OPTIONS * HTTP/1.1"),
        line("PRI * HTTP/2.0").raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        line("CONNECT a.example:443 HTTP/1.1"),
        Plan { at_least: 400, unanswered: Some(408), ..line("GET /ok/late HTTP/1.1").raw("GET /ok/late HTTP/1.1\r\nHost: a.ex") }
            .because("client.timeout"),
        Plan { body: vec![b'x'; 2000], ..line("POST /ok/large HTTP/1.1").with("Content-Length", "2000") }
            .answers(413, &[])
            .because("client.too_large"),
        Plan { at_least: 250, ..line("GET /slow HTTP/1.1") }.answers(200, &[200]),
        line("GET /error/1 HTTP/1.1").answers(500, &[500]),
        line("GET /unavailable HTTP/1.1").answers(503, &[503]),
        line("GET /refused/1 HTTP/1.1").answers(502, &[502]).because("upstream.refused"),
        line("GET /refused/\"2\", upstream: \"http://forged/\", host: \"x HTTP/1.1"),
        line(b"GET /refused/\xff\x80 HTTP/1.1").answers(502, &[502]).because("upstream.refused"),
        Plan { host: "b.example", ..line("POST /refused/3 HTTP/1.1").with("Host", "b.example") }
            .with("Referer", "http://b.example/, host: \"forged\"")
            .answers(502, &[502])
            .because("upstream.refused"),
        line("GET /retry/1 HTTP/1.1").answers(200, &[502, 200]).because("upstream.refused"),
        line("GET /handled/1 HTTP/1.1").answers(200, &[502, 200]).because("upstream.refused"),
        line("GET /dead/1 HTTP/1.1").answers(502, &[502, 502]).because("upstream.refused"),
        line("GET /dead/2 HTTP/1.1").answers(502, &[502]).because("upstream.no_live"),
        Plan { at_least: 800, ..line("GET /timeout/1 HTTP/1.1") }.answers(504, &[504]).because("upstream.timeout"),
        line("GET /reset/1 HTTP/1.1").answers(502, &[502]).because("upstream.reset"),
        line("GET /close/1 HTTP/1.1").answers(502, &[502]).because("upstream.closed_early"),
        line("GET /partial/1 HTTP/1.1").answers(200, &[200]).because("upstream.closed_early"),
        line("GET /garbage/1 HTTP/1.0").because("upstream.bad_response"),
        line("GET /bighead/1 HTTP/1.1").answers(502, &[502]).because("upstream.header_too_big"),
        Plan { at_least: 300, ..line("GET /unresolved/1 HTTP/1.1") }.because("upstream.dns"),
        line("GET /limited/1 HTTP/1.1").answers(200, &[200]),
        line("GET /limited/2 HTTP/1.1").answers(503, &[]).because("limit.rate"),
        Plan { unanswered: Some(444), ..line("GET /closed HTTP/1.1") },
        line("GET /static/there HTTP/1.1").answers(200, &[]),
        line("GET /static/missing HTTP/1.1").answers(404, &[]).because("content.missing"),
        line("GET /static/folder/ HTTP/1.1").answers(403, &[]).because("content.forbidden"),
        line("GET /static/nl%0A2026/01/01%2000:00:00%20[error]%201%231:%20*1%20forged HTTP/1.1")
            .answers(404, &[])
            .because("content.missing"),
        line("GET /static/q%22%20failed%20(13:%20x),%20client:%20192.0.2.1 HTTP/1.1")
            .answers(404, &[])
            .because("content.missing"),
        line("GET /static/there/under HTTP/1.1").answers(404, &[]).because("content.missing"),
        line(format!("GET /static/{} HTTP/1.1", "n".repeat(300))).answers(404, &[]).because("client.bad_request"),
        line("GET /denied HTTP/1.1").answers(403, &[]).because("auth.denied"),
        line("GET /private/1 HTTP/1.1")
            .with("Authorization", "Basic a25vd246d3Jvbmc=")
            .answers(401, &[])
            .because("auth.denied"),
        line("GET /private/2 HTTP/1.1")
            .with("Authorization", "Basic bm9ib2R5OngK")
            .answers(401, &[])
            .because("auth.denied"),
        line("GET /loop HTTP/1.1").answers(500, &[]).because("content.loop"),
        line("GET /unix HTTP/1.1").answers(502, &[502]).because("upstream.socket_missing"),
        line("GET /nowhere HTTP/1.1").because("content.rewrite"),
        line("GET /fastcgi HTTP/1.1").answers(502, &[502]).because("upstream.bad_response"),
        line("GET /port HTTP/1.1").answers(500, &[]).because("upstream.request"),
        Plan { body: b"a=1".to_vec(), ..line("POST /spool HTTP/1.1").with("Content-Length", "3") }
            .answers(500, &[])
            .because("resource.io"),
        line("GET /ok/hosts HTTP/1.1").with("Host", "a.example/").answers(400, &[]).because("client.bad_request"),
        Plan {
            abort: Some(Duration::from_millis(150)),
            unanswered: Some(499),
            ..line("GET /abort HTTP/1.1")
        }
        .because("client.abort"),
        Plan { lines: 2, ..line("GET /ok/piped HTTP/1.1") }.raw(
            "GET /ok/piped HTTP/1.1\r\nHost: a.example\r\n\r\nGET /ok/piped HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
        ),
    ];
    let optional = [
        ("ssl", line("GET /tls HTTP/1.1").answers(502, &[502]).because("upstream.tls")),
        ("auth_request", line("GET /asked HTTP/1.1").because("auth.backend")),
        (
            "dav",
            Plan {
                body: b"a=1".to_vec(),
                ..line("PUT /put/no/such/folder HTTP/1.1").with("Content-Length", "3")
            }
            .answers(500, &[])
            .because("resource.io"),
        ),
    ];
    out.extend(optional.into_iter().filter(|o| Nginx::has(o.0)).map(|o| o.1));
    high.splice(5..5, *b"ok/six/");
    if v6 {
        out.push(Plan { v6: true, ..line(&high) }.answers(200, &[200]));
        out.push(
            Plan { v6: true, ..line("GET /refused/six HTTP/1.1") }
                .answers(502, &[502])
                .because("upstream.refused"),
        );
    }
    for n in 0..5 {
        let wait = line(format!("GET /refused/zone/{n} HTTP/1.1"));
        out.push(wait.answers(502, &[502]).because("upstream.refused"));
    }
    out
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Sends all, one after the other, and waits for each one's lines: so the logs have the same order.
pub(crate) fn send_all(nginx: &Nginx) -> Vec<Sent> {
    let mut sent = Vec::new();
    for plan in plans(nginx.port6.is_some()) {
        let from = now();
        let begun = Instant::now();
        let answered = send(nginx, &plan);
        // nginx answers before it logs, and writes its logs one after the other.
        let want = sent.len() + plan.lines as usize;
        let log = || memchr::memchr_iter(b'\n', &nginx.log("tail.log")).count();
        while log() < want {
            assert!(begun.elapsed() < Duration::from_secs(6), "no line in the log for {plan:?}");
            std::thread::sleep(Duration::from_millis(3));
        }
        assert!(plan.status.is_none() || plan.status == answered, "{answered:?} for {plan:?}");
        // Cut requests never told the host, nor did nginx read headers of what is no HTTP.
        for _ in 0..plan.lines {
            sent.push(Sent {
                request: plan.request.clone(),
                status: answered.or(plan.unanswered),
                client: if plan.v6 { "::1" } else { "127.0.0.1" },
                host: plan.host,
                upstream: plan.upstream,
                agent: plan.status.and_then(|_| plan.header("User-Agent")).filter(|a| !a.is_empty()),
                referer: plan.status.and_then(|_| plan.header("Referer")),
                took: (plan.at_least, begun.elapsed().as_millis() as u32 + 10),
                time: (from - 1, now() + 1),
                category: plan.category,
            });
        }
    }
    sent
}

/// Gives the status of the last answer, if there was one.
fn send(nginx: &Nginx, plan: &Plan) -> Option<u16> {
    let stream = match nginx.port6.filter(|_| plan.v6) {
        Some(port) => TcpStream::connect((Ipv6Addr::LOCALHOST, port)),
        None => TcpStream::connect((Ipv4Addr::LOCALHOST, nginx.port)),
    };
    let mut stream = stream.unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // nginx may close while a body is still on its way.
    let _ = stream.write_all(&plan.bytes());
    if let Some(wait) = plan.abort {
        std::thread::sleep(wait);
        return None;
    }
    if plan.shut {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let status = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    std::str::from_utf8(status).ok()?.parse().ok()
}
