//! What can go wrong around a run that nobody watches: a full disk, folders that cannot be written, files of others.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, or says why it is skipped"
)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{Traffic, text};

fn run(args: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("downtime")).env_clear().args(args).output().unwrap()
}

fn code(out: &Output) -> i32 {
    out.status.code().expect("ended by itself")
}

fn err(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n")
}

/// A file system of so many KiB, taken away when it is dropped.
struct Small(PathBuf);

impl Small {
    fn new(folder: &Path, kibibytes: u32) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={kibibytes}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        match mounted {
            Ok(out) if out.status.success() => Some(Self(folder.to_owned())),
            _ => {
                eprintln!("skipped: no file system can be mounted here (this needs root)");
                None
            }
        }
    }

    fn fill(&self) {
        let full = fs::write(self.0.join("ballast"), vec![1; 1 << 20]);
        assert!(full.is_err(), "it was to be full");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// State, report, metrics and part on a disk that is full: an error that names the file, the old one as it was, and
/// nothing half-written beside it; and with room again the next run says what the failed ones did not.
#[test]
fn a_full_disk_leaves_the_old_files() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    let made = Traffic::outage();
    let (access, logs_text) = (made.access(), logs.to_str().unwrap().to_owned());
    fs::create_dir(&logs).unwrap();
    fs::write(logs.join("access.log"), text(&access[..1200])).unwrap();
    let Some(small) = Small::new(&dir.path().join("small"), 256) else { return };
    let place = |name: &str| small.0.join(name).to_str().unwrap().to_owned();
    let (state, report, prom, part) = (place("state"), place("report"), place("prom"), place("part"));
    assert_eq!(code(&run(&["--state", &state, "--prometheus", &prom, "-o", &report, &logs_text])), 0);
    assert_eq!(code(&run(&["scan", "-o", &part, &logs_text])), 0);
    let files = [&state, &report, &prom, &part];
    let before: Vec<Vec<u8>> = files.iter().map(|f| fs::read(f).unwrap()).collect();
    let names = || -> Vec<_> {
        let mut all: Vec<_> = fs::read_dir(&small.0).unwrap().map(|e| e.unwrap().file_name()).collect();
        all.sort();
        all
    };
    small.fill();
    let there = names();
    fs::write(logs.join("access.log"), text(&access)).unwrap();
    let attempts: [(&[&str], &str); 4] = [
        (&["--state", &state, &logs_text], "small"),
        (&["-o", &report, &logs_text], "small/report"),
        (&["scan", "-o", &part, &logs_text], "small/part"),
        (&["--state", &state, "--prometheus", &prom, &logs_text], "small"),
    ];
    for (args, named) in attempts {
        let out = run(args);
        assert_eq!(code(&out), 1, "{args:?}: {}", err(&out));
        assert!(err(&out).contains(named) && err(&out).contains("space"), "{args:?}: {}", err(&out));
        assert_eq!(names(), there, "{args:?}");
        for (file, before) in files.iter().zip(&before) {
            assert!(fs::read(file).unwrap() == *before, "{args:?} changed {file}");
        }
    }
    fs::remove_file(small.0.join("ballast")).unwrap();
    let out = run(&["--state", &state, "--format", "brief", &logs_text]);
    assert_eq!((code(&out), String::from_utf8_lossy(&out.stdout).lines().count()), (0, 1), "{}", err(&out));
}

/// A folder that cannot be written is an error that names it; the news is printed all the same.
#[test]
fn a_folder_that_is_read_only_is_named() {
    let dir = tempfile::tempdir().unwrap();
    Traffic::outage().write(&dir.path().join("logs"));
    let logs = dir.path().join("logs").to_str().unwrap().to_owned();
    let Some(small) = Small::new(&dir.path().join("small"), 256) else { return };
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(&small.0).status().unwrap();
    assert!(remount.success());
    for (args, named) in [(["--state", "state"], "state"), (["-o", "report"], "report")] {
        let file = small.0.join(args[1]);
        let out = run(&[args[0], file.to_str().unwrap(), &logs]);
        assert_eq!(code(&out), 1, "{}", err(&out));
        assert!(err(&out).contains(named) && err(&out).contains("ead-only"), "{}", err(&out));
    }
}

/// Logs that belong to somebody else and cannot be opened are named, the others are read, and the state goes on with
/// them when they can be.
#[test]
fn a_log_of_another_owner_is_named_and_read_when_it_can_be() {
    if !is_root() {
        eprintln!("skipped: only root can give a file to another and then run as somebody else");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(dir.path(), open.clone()).unwrap();
    let logs = dir.path().join("logs");
    let made = Traffic::outage();
    made.write(&logs);
    fs::set_permissions(&logs, open).unwrap();
    let secret = logs.join("error.log");
    chown(&secret, Some(1), Some(1)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    // The binary may lie where nobody may go.
    let binary = dir.path().join("downtime");
    fs::copy(assert_cmd::cargo::cargo_bin!("downtime"), &binary).unwrap();
    let nobody = |state: bool| {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(&binary);
        command.env_clear().uid(65_534).gid(65_534);
        if state {
            command.arg("--state").arg(dir.path().join("state")).args(["--format", "json"]);
        }
        command.arg(&logs).output().unwrap()
    };
    let out = nobody(false);
    assert!(code(&out) == 1 && err(&out).contains("error.log"), "{}", err(&out));
    assert!(String::from_utf8_lossy(&out.stdout).contains("502"));
    let out = nobody(true);
    assert!(code(&out) == 1 && err(&out).contains("error.log"), "{}", err(&out));
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let out = nobody(true);
    assert_eq!((code(&out), err(&out).as_str()), (0, ""));
}

/// A bomb: much of one line, or of ordinary ones, in a small archive takes time but no memory: less than it unpacks to.
#[test]
fn an_archive_that_swells_takes_no_memory() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let lines = text(&Traffic::outage().access());
    for (name, block) in [("zeros", vec![b'0'; 1 << 20]), ("lines", lines)] {
        let file = dir.path().join(format!("{name}.log.gz"));
        let mut packed =
            flate2::write::GzEncoder::new(fs::File::create(&file).unwrap(), flate2::Compression::fast());
        packed.write_all(&text(&Traffic::outage().access())).unwrap();
        for _ in 0..(48 << 20) / block.len() {
            packed.write_all(&block).unwrap();
        }
        packed.finish().unwrap();
        // Each thread that allocates may reserve 64 MiB of addresses without using them (glibc's arenas), which are not
        // what is measured.
        let script = format!(
            "ulimit -v 100000; MALLOC_ARENA_MAX=1 exec {} --threads 1 --format json {}",
            assert_cmd::cargo::cargo_bin!("downtime").display(),
            file.display()
        );
        let out = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(code(&out), 0, "{name}: {}", err(&out));
    }
}

/// A set of more files than a process may have open at once.
#[test]
fn more_files_than_can_be_open_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let all = Traffic { seconds: 4200, ..Traffic::default() }.access();
    let size = all.len().div_ceil(400);
    for (at, part) in all.chunks(size).rev().enumerate() {
        let name = if at == 0 { "access.log".to_owned() } else { format!("access.log.{at}") };
        fs::write(logs.join(name), text(part)).unwrap();
    }
    let run = |more: &str| {
        let script = format!(
            "ulimit -n 200; exec {} --threads 2 --format json {more} {}",
            assert_cmd::cargo::cargo_bin!("downtime").display(),
            logs.display()
        );
        let out = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!((code(&out), err(&out).as_str()), (0, ""), "{more}");
        out.stdout
    };
    let report: serde_json::Value = serde_json::from_slice(&run("")).unwrap();
    assert_eq!(report["totals"]["requests"], all.len());
    // Runs that go on speak only of news, and there is none.
    assert!(run(&format!("--state {}", dir.path().join("state").display())).is_empty());
}
