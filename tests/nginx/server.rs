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
location /denied { deny all; }
location /private { auth_basic "x"; auth_basic_user_file @DIR@/users; }
location /loop { rewrite ^ /loop/again last; }
location /unix { proxy_pass http://unix:@DIR@/no.sock; }
location /nowhere { proxy_pass http://refused; error_page 502 = @nowhere; }
location /fastcgi { fastcgi_pass backend; }
location /port { set $port "99999"; proxy_pass http://127.0.0.1:$port; }
location /spool { client_body_in_file_only on; client_body_temp_path @DIR@/tmp/gone; proxy_pass http://backend; }
"#;

/// Modules that not every nginx has, and what stands in a server where they are.
const OPTIONAL: &[(&str, &str)] = &[
    ("ssl", "location /tls { proxy_pass https://backend; }\n"),
    ("auth_request", "location /asked { auth_request /refused; }\n"),
    ("dav", "location /put/ { dav_methods PUT; }\n"),
];

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
pub(crate) fn program() -> Option<PathBuf> {
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

/// Whether it was built with a module that not every nginx has.
fn has_module(program: &Path, module: &str) -> bool {
    let output = Command::new(program).arg("-V").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.split_whitespace().any(|w| w == format!("--with-http_{module}_module"))
}

/// A folder and ports for an nginx that is not started yet.
struct Prepared {
    folder: TempDir,
    port: u16,
    port6: Option<u16>,
}

impl Prepared {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["logs", "tmp"] {
            fs::create_dir_all(folder.path().join(sub)).unwrap();
        }
        let port6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok().map(|l| l.local_addr().unwrap().port());
        Self { folder, port: free_port(), port6 }
    }

    fn fill(&self, text: &str) -> String {
        let dir = self.folder.path();
        let listen6 = self.port6.map_or(String::new(), |p| format!("listen [::1]:{p};"));
        // As root, workers would run as another user, who cannot read the folder.
        let root = fs::metadata(dir).unwrap().uid() == 0;
        text.replace("@DIR@", dir.to_str().unwrap())
            .replace("@USER@", if root { "user root;" } else { "" })
            .replace("@PORT@", &self.port.to_string())
            .replace("@LISTEN6@", &listen6)
    }

    fn start(self, program: &Path, tz: &str) -> Result<Nginx, String> {
        let Self { folder, port, port6 } = self;
        let dir = folder.path();
        let mut command = Command::new(program);
        command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf"));
        let help = Command::new(program).arg("-h").output().map_err(|e| e.to_string())?;
        if String::from_utf8_lossy(&help.stderr).contains("-e filename") {
            command.arg("-e").arg(dir.join("start.log"));
        }
        let output = fs::File::create(dir.join("stderr")).unwrap();
        command.env("TZ", tz).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).process_group(0);
        let child = command.spawn().map_err(|e| e.to_string())?;
        let mut nginx = Nginx { folder, child, port, port6 };
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

    /// Starts it with one configuration of its own.
    pub(crate) fn start_with(tz: &str, conf: &str) -> Result<Self, String> {
        let program = program().ok_or("nginx is not installed")?;
        let mut last = String::new();
        for _ in 0..3 {
            let prepared = Prepared::new();
            fs::write(prepared.folder.path().join("nginx.conf"), prepared.fill(conf)).unwrap();
            match prepared.start(&program, tz) {
                Ok(nginx) => return Ok(nginx),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    fn try_start(program: &Path, tz: &str, behind: &Behind) -> Result<Self, String> {
        let prepared = Prepared::new();
        let dir = prepared.folder.path();
        for sub in ["html/static/folder", "formats"] {
            fs::create_dir_all(dir.join(sub)).unwrap();
        }
        fs::write(dir.join("html/static/there"), "there\n").unwrap();
        fs::write(dir.join("users"), "known:{PLAIN}right\n").unwrap();
        let fill = |text: &str| {
            prepared
                .fill(text)
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
        let mut server = fill(SERVER) + &logs;
        for (module, text) in OPTIONAL {
            if has_module(program, module) {
                server += &fill(text);
            }
        }
        fs::write(dir.join("nginx.conf"), fill(CONF)).unwrap();
        fs::write(dir.join("upstreams.conf"), fill(UPSTREAMS)).unwrap();
        fs::write(dir.join("server.conf"), server).unwrap();
        let nginx = prepared.start(program, tz)?;
        // Made at the start, so gone only afterwards.
        fs::remove_dir(nginx.folder().join("tmp/gone")).unwrap();
        Ok(nginx)
    }

    /// Whether locations that need this module are there.
    pub(crate) fn has(module: &str) -> bool {
        program().is_some_and(|p| has_module(&p, module))
    }

    /// The first process.
    pub(crate) fn master(&self) -> u32 {
        self.child.id()
    }

    /// Some worker, as soon as there is one.
    pub(crate) fn worker(&self) -> u32 {
        let master = self.master();
        for _ in 0..300 {
            let listed = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid="]).output().unwrap();
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            let pairs = listed.lines().filter_map(|line| {
                let (pid, parent) = line.trim().split_once(' ')?;
                Some((pid.parse::<u32>().ok()?, parent.trim().parse::<u32>().ok()?))
            });
            if let Some((pid, _)) = pairs.into_iter().find(|(_, parent)| *parent == master) {
                return pid;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no worker of {master}");
    }

    pub(crate) fn signal(signal: &str, whom: &str) {
        let _ = Command::new("kill").args([signal, "--", whom]).stderr(Stdio::null()).status();
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
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        Self::signal("-TERM", &pid);
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Its group: a master that is killed leaves its workers behind.
        Self::signal("-KILL", &format!("-{pid}"));
        let _ = self.child.wait();
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}
