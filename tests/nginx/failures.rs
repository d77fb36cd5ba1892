//! Failures of nginx itself: configurations it refuses, ports that are taken, workers that die, limits that are met.

use super::server::{Nginx, program};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What was done, the category it must have, and all that the error log then said.
pub(crate) struct Failure {
    pub(crate) what: &'static str,
    pub(crate) category: &'static str,
    pub(crate) log: Vec<u8>,
}

/// What is wrong, its category, and the configuration after `daemon off`.
const REFUSED: &[(&str, &str, &str)] = &[
    ("an unknown directive", "config.invalid", "events {} nonsense on;"),
    ("a block without its end", "config.invalid", "events {} http { server {"),
    (
        "a second location of a name",
        "config.invalid",
        "events {} http { server { location /a { } location /a { } } }",
    ),
    ("a variable nobody sets", "config.invalid", "events {} http { server { return 200 $nobody_sets; } }"),
    ("a zone without a size", "config.invalid", "events {} http { limit_req zone=none; server { } }"),
    ("no events", "config.invalid", "http { }"),
    ("a user that is not", "config.file_missing", "user no-such-user-here; events {}"),
    ("an included file that is not", "config.file_missing", "events {} http { include @DIR@/no/such.conf; }"),
    (
        "a log whose folder is not",
        "config.file_missing",
        "events {} http { access_log @DIR@/no/such.log; server { } }",
    ),
    (
        "a certificate that is not",
        "config.tls",
        "events {} http { server { listen 127.0.0.1:1 ssl; ssl_certificate @DIR@/no.pem; ssl_certificate_key @DIR@/no.pem; } }",
    ),
    (
        "a certificate that is none",
        "config.tls",
        "events {} http { server { listen 127.0.0.1:1 ssl; ssl_certificate @DIR@/c.conf; ssl_certificate_key @DIR@/c.conf; } }",
    ),
    ("TLS without a certificate", "config.tls", "events {} http { server { listen 127.0.0.1:1 ssl; } }"),
    ("a module that is not", "config.module", "load_module @DIR@/no.so; events {}"),
    (
        "an upstream that has no address",
        "config.dns",
        "events {} http { server { location / { proxy_pass http://backend.invalid; } } }",
    ),
];

const LIVE: &str = r"
daemon off;
@USER@
master_process on;
worker_processes 1;
@LIMIT@
pid @DIR@/nginx.pid;
error_log @DIR@/logs/error.log info;
events { worker_connections @CONNECTIONS@; }
http {
    access_log @LOG@;
    client_body_temp_path @DIR@/tmp/body;
    proxy_temp_path @DIR@/tmp/proxy;
    fastcgi_temp_path @DIR@/tmp/fastcgi;
    uwsgi_temp_path @DIR@/tmp/uwsgi;
    scgi_temp_path @DIR@/tmp/scgi;
    server { listen 127.0.0.1:@PORT@; return 200 ok; }
}
";

/// All failures, one after the other; none where nginx is not installed or cannot be told where to log.
pub(crate) fn all() -> Vec<Failure> {
    let Some(program) = program() else { return Vec::new() };
    let help = Command::new(&program).arg("-h").output().unwrap();
    if !String::from_utf8_lossy(&help.stderr).contains("-e filename") {
        return Vec::new();
    }
    let mut failures = Vec::new();
    for (what, category, conf) in REFUSED {
        let folder = tempfile::tempdir().unwrap();
        let log = start_in_vain(&program, folder.path(), "-t", conf);
        failures.push(Failure { what, category, log });
    }
    // A test of the configuration alone takes no port.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let conf = format!("events {{}} http {{ server {{ listen {}; }} }}", taken.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let log = start_in_vain(&program, folder.path(), "-q", &conf);
    failures.push(Failure { what: "a port that is taken", category: "config.bind", log });
    failures.extend(live());
    failures
}

/// Starts it with what it refuses; gives its words.
fn start_in_vain(program: &Path, folder: &Path, flag: &str, conf: &str) -> Vec<u8> {
    let dir = folder.to_str().unwrap();
    fs::create_dir(folder.join("logs")).unwrap();
    let conf = format!("daemon off; pid {dir}/nginx.pid;\n{}\n", conf.replace("@DIR@", dir));
    fs::write(folder.join("c.conf"), &conf).unwrap();
    let mut command = Command::new(program);
    command.arg(flag).arg("-p").arg(folder).arg("-e").arg(folder.join("start.log"));
    command.arg("-c").arg(folder.join("c.conf"));
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(!status.success(), "nginx takes {conf}");
    fs::read(folder.join("start.log")).unwrap()
}

fn live() -> Vec<Failure> {
    let start = |limit: &str, connections: &str, log: &str| {
        let fill = |text: &str| {
            text.replace("@LIMIT@", limit).replace("@CONNECTIONS@", connections).replace("@LOG@", log)
        };
        Nginx::start_with("UTC0", &fill(LIVE)).unwrap()
    };
    let mut failures = Vec::new();
    let mut add = |what, category, nginx: &Nginx, word: &str| {
        let begun = Instant::now();
        let log = || nginx.log("error.log");
        while memchr::memmem::find(&log(), word.as_bytes()).is_none() {
            let log = String::from_utf8_lossy(&log()).into_owned();
            assert!(begun.elapsed() < Duration::from_secs(6), "{what}: {word:?} is not in\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
        failures.push(Failure { what, category, log: log() });
    };

    let nginx = start("", "64", "off");
    for (what, signal) in [("a worker killed", "-KILL"), ("a worker that crashes", "-SEGV")] {
        Nginx::signal(signal, &nginx.worker().to_string());
        let word = if signal == "-KILL" { "exited on signal 9" } else { "exited on signal 11" };
        add(what, "process.crash", &nginx, word);
    }
    let conf = nginx.folder().join("nginx.conf");
    fs::write(&conf, fs::read_to_string(&conf).unwrap() + "nonsense on;\n").unwrap();
    Nginx::signal("-HUP", &nginx.master().to_string());
    add("a reload of what is refused", "config.invalid", &nginx, "unknown directive");
    drop(nginx);

    let nginx = start("", "5", "off");
    let held = hold(&nginx);
    add(
        "more connections than a worker may have",
        "resource.connections",
        &nginx,
        "worker_connections are not enough",
    );
    drop((held, nginx));

    let nginx = start("worker_rlimit_nofile 14;", "64", "off");
    let held = hold(&nginx);
    add("more files than a worker may have", "resource.files", &nginx, "(24: ");
    drop((held, nginx));

    if Path::new("/dev/full").exists() {
        let nginx = start("", "64", "/dev/full");
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, nginx.port)).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        add("a log on a full disk", "logging.failed", &nginx, "(28: ");
    }
    failures
}

/// Connections that say nothing.
fn hold(nginx: &Nginx) -> Vec<TcpStream> {
    (0..24).filter_map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, nginx.port)).ok()).collect()
}
