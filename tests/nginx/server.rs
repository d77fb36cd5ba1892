//! A real nginx in a folder of its own, on free loopback ports, with a dozen log formats at once.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `combined` without its name, for the formats that start with it.
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// Name, `escape=`, text. Each format gets a log `NAME.log`; `COMBINED` stands for itself, `CUT` for the place where
/// one parameter ends and the next begins.
pub(crate) const FORMATS: &[(&str, &str, &str)] = &[
    ("main", "", r#"COMBINED "$http_x_forwarded_for""#),
    ("timed", "", "COMBINED $request_time $upstream_response_time $pipe"),
    (
        "upstreaminfo",
        "",
        "COMBINED $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr \
         $upstream_response_length $upstream_response_time $upstream_status $request_id",
    ),
    (
        "kv",
        "",
        r#"ts=$time_iso8601 client=$remote_addr host=$host request="$request" status=$status rt=$request_time ua="$http_user_agent" upstream="$upstream_addr" ustatus="$upstream_status" urt="$upstream_response_time""#,
    ),
    ("vhost", "", "$host COMBINED"),
    (
        "json",
        "json",
        r#"{"time":"$time_iso8601","remote_addr":"$remote_addr","host":"$host","request":"$request","status":"$status","request_time":"$request_time","upstream_addr":"$upstream_addr","upstream_status":"$upstream_status","http_user_agent":"$http_user_agent","http_referer":"$http_referer","x":"$http_x_odd"}"#,
    ),
    (
        "json_numbers",
        "json",
        r#"{"msec":$msec,"remote_addr":"$remote_addr","host":"$host","request":"$request","status":$status,"request_time":$request_time,"upstream_status":$upstream_status,"upstream_response_time":$upstream_response_time,"bytes":$body_bytes_sent}"#,
    ),
    (
        "json_unescaped",
        "",
        r#"{"@timestamp":"$time_iso8601","http":{"status_code":$status,"request":"$request","agent":"$http_user_agent"},"remote_addr":"$remote_addr","request_time":$request_time,"upstream_status":"$upstream_status"}"#,
    ),
    ("none", "none", "COMBINED"),
    (
        "ltsv",
        "",
        r"time:$time_local\thost:$remote_addr\treq:$request\tstatus:$status\tsize:$body_bytes_sent\tua:$http_user_agent\treferer:$http_referer\treqtime:$request_time\tapptime:$upstream_response_time\tvhost:$host",
    ),
    (
        "msec_first",
        "",
        r#"$msec $remote_addr $host $status $request_time "$request" "$upstream_addr" "$upstream_status" "$http_user_agent""#,
    ),
    (
        "iso",
        "",
        r#"$remote_addr - $remote_user [$time_iso8601] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time"#,
    ),
    (
        "labelled",
        "",
        r#"remote_addr="$remote_addr", [time_local=$time_local], request="$request", status="$status", Host="$host", request_time=$request_time, http_user_agent="$http_user_agent", upstream_addr="$upstream_addr", upstream_status="$upstream_status""#,
    ),
    (
        "piped",
        "",
        "$time_iso8601|$remote_addr|$host|$request|$status|$request_time|$upstream_addr|$upstream_status|$upstream_response_time",
    ),
    // The variable ends with its parameter.
    (
        "glued",
        "",
        r#"[$time_local] $remote_addr $host "$request" $status took=$request_timeCUTs to=$upstream_addr"#,
    ),
    (
        "tail",
        "",
        r#"COMBINED rt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" us=$upstream_status"#,
    ),
];

const CONF: &str = r"
daemon off;
@USER@
worker_processes 2;
pid @DIR@/nginx.pid;
env TZ;
error_log @DIR@/logs/error.log info;
error_log syslog:server=127.0.0.1:@SYSLOG@,tag=edge info;
events { worker_connections 128; }
http {
    client_body_temp_path @DIR@/tmp/body;
    proxy_temp_path @DIR@/tmp/proxy;
    fastcgi_temp_path @DIR@/tmp/fastcgi;
    uwsgi_temp_path @DIR@/tmp/uwsgi;
    scgi_temp_path @DIR@/tmp/scgi;
    include formats/*.conf;
    include upstreams.conf;
    server { # the first: it takes what names no host
        listen 127.0.0.1:@PORT@;
        @LISTEN6@
        server_name a.example;
        include server.conf;
    }
    server {
        listen 127.0.0.1:@PORT@;
        server_name b.example *.b.example;
        include server.conf;
    }
}
";

const UPSTREAMS: &str = r"
limit_req_zone $binary_remote_addr zone=limited:64k rate=1r/m;
upstream backend { server 127.0.0.1:@BACKEND@ max_fails=0; }
upstream refused { server 127.0.0.1:@DEAD@ max_fails=0; }
upstream retry { server 127.0.0.1:@DEAD@ max_fails=0; server 127.0.0.1:@BACKEND@ backup; }
upstream dead {
    zone dead 64k; # shared, so that both workers know
    server 127.0.0.1:@DEAD@ fail_timeout=60s;
    server 127.0.0.2:@DEAD@ fail_timeout=60s;
}
";

const SERVER: &str = r#"
root @DIR@/html;
access_log @DIR@/logs/packed.gz combined gzip buffer=4k flush=300ms;
access_log syslog:server=127.0.0.1:@SYSLOG@,tag=edge combined;
client_max_body_size 1k;
client_header_timeout 400ms;
proxy_read_timeout 800ms;
proxy_http_version 1.1;
resolver 127.0.0.1:@RESOLVER@ ipv6=off;
resolver_timeout 300ms;
set $proxy_upstream_name "pool-80";
set $proxy_alternative_upstream_name "";
location / { proxy_pass http://backend; }
location /refused { proxy_pass http://refused; }
location /abort { proxy_pass http://backend; proxy_read_timeout 10s; }
location /retry { proxy_pass http://retry; }
location /dead { proxy_pass http://dead; }
location /unresolved { set $name "backend.invalid"; proxy_pass http://$name; }
location /limited { limit_req zone=limited; proxy_pass http://backend; }
location /closed { return 444; }
location /static/ { }
location /handled { proxy_pass http://refused; error_page 502 = @fallback; }
location @fallback { proxy_pass http://backend; }
"#;

/// A running nginx.
#[derive(Debug)]
pub(crate) struct Nginx {
    folder: TempDir,
    child: Child,
    /// The port on 127.0.0.1.
    pub(crate) port: u16,
    /// The port on `::1`, where there is such an address.
    pub(crate) port6: Option<u16>,
}

/// What runs behind it.
pub(crate) struct Behind {
    pub(crate) backend: u16,
    pub(crate) resolver: u16,
    pub(crate) syslog: u16,
}

/// Where nginx is installed, if it is.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin", "/opt/homebrew/bin"];
    let mut folders = std::env::split_paths(&path).chain(usual.iter().map(PathBuf::from));
    folders.find_map(|f| Some(f.join("nginx")).filter(|p| p.is_file()))
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A port that refuses: one that no connection gets by itself, so that none meets its own other end.
fn dead_port() -> u16 {
    (1..1024).find(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err()).unwrap()
}

impl Nginx {
    /// Starts it with the zone `tz`; says why not, if it cannot be.
    pub(crate) fn start(tz: &str, behind: &Behind) -> Result<Self, String> {
        let program = program().ok_or("nginx is not installed")?;
        let mut last = String::new();
        // Between asking for a free port and listening on it, another process can take it.
        for _ in 0..3 {
            match Self::try_start(&program, tz, behind) {
                Ok(nginx) => return Ok(nginx),
                Err(e) => last = e,
            }
        }
        panic!("nginx does not start: {last}");
    }

    fn try_start(program: &Path, tz: &str, behind: &Behind) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let port6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok().map(|l| l.local_addr().unwrap().port());
        let dir = folder.path();
        for sub in ["logs", "tmp", "html/static/folder", "formats"] {
            fs::create_dir_all(dir.join(sub)).unwrap();
        }
        fs::write(dir.join("html/static/there"), "there\n").unwrap();
        let listen6 = port6.map_or(String::new(), |p| format!("listen [::1]:{p};"));
        // As root, workers would run as another user, who cannot read the folder.
        let root = fs::metadata(dir).unwrap().uid() == 0;
        let fill = |text: &str| {
            text.replace("@DIR@", dir.to_str().unwrap())
                .replace("@USER@", if root { "user root;" } else { "" })
                .replace("@PORT@", &port.to_string())
                .replace("@LISTEN6@", &listen6)
                .replace("@BACKEND@", &behind.backend.to_string())
                .replace("@DEAD@", &dead_port().to_string())
                .replace("@RESOLVER@", &behind.resolver.to_string())
                .replace("@SYSLOG@", &behind.syslog.to_string())
        };
        let mut logs = format!("access_log {}/logs/combined.log;\n", dir.display());
        for (name, escape, text) in FORMATS {
            let escape = if escape.is_empty() { String::new() } else { format!("escape={escape} ") };
            // In two pieces, as people write long formats.
            let text = text.replace("COMBINED", COMBINED);
            let middle = text[..text.len() / 2].rfind([' ', ',', '|', '\\']).unwrap();
            let (one, two) = text.split_once("CUT").unwrap_or(text.split_at(middle));
            let conf = format!("log_format {name} {escape}'{one}'\n    '{two}';\n");
            fs::write(dir.join(format!("formats/{name}.conf")), conf).unwrap();
            let _ = writeln!(logs, "access_log {}/logs/{name}.log {name};", dir.display());
        }
        fs::write(dir.join("nginx.conf"), fill(CONF)).unwrap();
        fs::write(dir.join("upstreams.conf"), fill(UPSTREAMS)).unwrap();
        fs::write(dir.join("server.conf"), fill(SERVER) + &logs).unwrap();

        let mut command = Command::new(program);
        command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf"));
        let help = Command::new(program).arg("-h").output().map_err(|e| e.to_string())?;
        if String::from_utf8_lossy(&help.stderr).contains("-e filename") {
            command.arg("-e").arg(dir.join("start.log"));
        }
        let output = fs::File::create(dir.join("stderr")).unwrap();
        command.env("TZ", tz).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).process_group(0);
        let child = command.spawn().map_err(|e| e.to_string())?;
        let mut nginx = Self { folder, child, port, port6 };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if nginx.child.try_wait().unwrap().is_some() {
                break;
            }
            // The pid file is written when the ports are open.
            if nginx.folder.path().join("nginx.pid").exists() && nginx.connects() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(fs::read_to_string(nginx.folder.path().join("stderr")).unwrap_or_default())
    }

    /// A connection without a word leaves no line in the access log.
    fn connects(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// The folder with configuration and logs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What stands in a log.
    pub(crate) fn log(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder().join("logs").join(name)).unwrap_or_default()
    }

    /// Stops it, so that all is written.
    pub(crate) fn stop(&mut self) {
        let pid = self.child.id().to_string();
        let kill = |signal: &str, whom: &str| {
            let _ = Command::new("kill").args([signal, "--", whom]).stderr(Stdio::null()).status();
        };
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        kill("-TERM", &pid);
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Its group: a master that is killed leaves its workers behind.
        kill("-KILL", &format!("-{pid}"));
        let _ = self.child.wait();
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}
