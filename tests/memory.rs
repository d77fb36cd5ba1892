//! Memory is bounded by the span of a log and the variety of its failures, not by its size: hostile logs under a limit
//! on the address space.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../benches/hostile/mod.rs"]
mod hostile;

use std::fs;
use std::process::{Command, Stdio};

/// Mebibytes of address space; binary, stacks and maps of 8 MiB take a part of it.
const LIMIT: u32 = 400;

/// Every kind of log somebody wrote to do harm, with a report of it in each of two forms.
#[test]
fn hostile_logs_stay_below_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    for kind in hostile::KINDS {
        let file = folder.path().join("some.log");
        fs::write(&file, hostile::hostile(kind, 6 << 20)).unwrap();
        for form in ["json", "html"] {
            let script = format!(
                "ulimit -v {}; exec {} --threads 2 --format {form} {}",
                LIMIT * 1024,
                assert_cmd::cargo::cargo_bin!("downtime").display(),
                file.display()
            );
            let out =
                Command::new("sh").args(["-c", &script]).env_clear().stdin(Stdio::null()).output().unwrap();
            let err = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(out.status.code().is_some(), "{kind}: ended by a signal: {err}");
            assert!(out.status.success(), "{kind}, {form}: {err}");
            assert!(!out.stdout.is_empty(), "{kind}");
        }
    }
}
