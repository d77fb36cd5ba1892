//! Parts of many hosts, put together elsewhere: the report is that of one run over everything.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::single_range_in_vec_init, reason = "one stretch of failures is a list of one")]

mod support;

use downtime::analysis::Options;
use downtime::parts;
use std::fs;
use std::path::{Path, PathBuf};
use support::{Traffic, json, options, report};

/// Three hosts: two share an outage, one has another zone, one has an error log alone beside it, one a stray file.
fn hosts(folder: &Path) -> Vec<PathBuf> {
    let make = |name: &str, traffic: &Traffic| {
        traffic.write(&folder.join(name));
        folder.join(name)
    };
    let one = make("web1", &Traffic::outage());
    let two = make("web2", &Traffic { seed: 2, ..Traffic::outage() });
    let three =
        make("web3", &Traffic { seed: 3, offset: -300, outages: vec![200..260], ..Traffic::default() });
    fs::write(two.join("notes.log"), "this is no log\n").unwrap();
    fs::write(three.join("empty.log"), "").unwrap();
    fs::write(three.join("access.log.bak"), "x").unwrap();
    vec![one, two, three]
}

fn by_folder(paths: &[PathBuf]) -> Options {
    Options { host_from: Some("folder".into()), ..options(paths) }
}

fn part(options: &Options, file: PathBuf) -> PathBuf {
    let (bytes, failures) = parts::scan(options, &()).unwrap();
    assert!(failures.is_empty(), "{failures:?}");
    fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn parts_make_the_report_of_one_run_over_everything() {
    let dir = tempfile::tempdir().unwrap();
    let paths = hosts(dir.path());
    let exclude = |o: Options| Options { exclude: vec!["/item/1*".into()], zone: Some(60), ..o };
    for change in [|o: Options| o, |o| Options { digest: true, ..o }, exclude] {
        let whole = report(&change(by_folder(&paths)));
        assert!(
            whole.incidents.iter().any(|i| i.scope.hosts.len() == 2),
            "the hosts must have something to join"
        );
        let of = |paths: &[PathBuf], name: &str| part(&change(by_folder(paths)), dir.path().join(name));
        let each: Vec<PathBuf> = (0..3).map(|i| of(&paths[i..=i], &format!("{i}.part"))).collect();
        let (merged, failures) = parts::merge(&each).unwrap();
        assert!(failures.is_empty());
        assert_eq!(String::from_utf8(json(&merged)), String::from_utf8(json(&whole)));
        // Two hosts in one part, and the other way round but for which zone is shown.
        let pair = [of(&paths[..2], "pair.part"), each[2].clone()];
        assert_eq!(json(&parts::merge(&pair).unwrap().0), json(&whole));
        assert_eq!(json(&parts::merge(&[of(&paths, "all.part")]).unwrap().0), json(&whole));
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let paths = hosts(dir.path());
    let one = part(&by_folder(&paths[..1]), dir.path().join("one"));
    let refused = |files: &[PathBuf]| parts::merge(files).unwrap_err().to_string();
    assert!(refused(&[one.clone(), one.clone()]).contains("two of the parts hold logs of the host web1"));
    let nameless = part(&options(&paths[..1]), dir.path().join("nameless"));
    assert!(refused(&[one.clone(), nameless]).contains("different options"));
    let other = Options { exclude: vec!["/x".into()], ..by_folder(&paths[1..2]) };
    let other = part(&other, dir.path().join("other"));
    assert!(refused(&[one.clone(), other]).contains("different options"));

    let good = fs::read(&one).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let file = dir.path().join("bad");
        fs::write(&file, bytes).unwrap();
        refused(&[file])
    };
    let version = "downtime-part\n".len();
    assert!(with(&|b| b[version] = 9).contains("of version 9"));
    assert!(with(&|b| b[version + 3] = b'9').contains("written by downtime 9"));
    assert!(with(&|b| *b.last_mut().unwrap() ^= 1).contains("damaged"));
    assert!(with(&|b| b.truncate(version + 20)).contains("damaged"));
    assert!(with(&|b| b.truncate(b.len() - 1)).contains("damaged"));
    assert!(with(&|b| b[0] = b'x').contains("is no part"));
}

/// As it is typed, and what is said where something is wrong.
#[test]
fn the_commands_work_together() {
    let dir = tempfile::tempdir().unwrap();
    hosts(dir.path());
    let run = |args: &[&str]| {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
        let out = command.env_clear().current_dir(dir.path()).args(args).output().unwrap();
        (
            out.status.code().unwrap(),
            String::from_utf8(out.stdout).unwrap(),
            String::from_utf8(out.stderr).unwrap(),
        )
    };
    for host in ["web1", "web2"] {
        let (code, out, err) = run(&["scan", "--host-from", "folder", host, "-o", &format!("{host}.part")]);
        assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    }
    let (code, merged, _) = run(&["merge", "web1.part", "web2.part", "--format", "json"]);
    let (_, whole, _) = run(&["--host-from", "folder", "web1", "web2", "--format", "json"]);
    assert_eq!((code, merged), (0, whole));
    assert_eq!(run(&["merge", "web1.part", "--exit-code", "-q"]).0, 1);
    assert_eq!(run(&["merge"]).0, 2);
    assert_eq!(run(&["scan", "web1"]).0, 2);
    let (code, _, err) = run(&["merge", "web1/access.log"]);
    assert!(code == 2 && err.contains("is no part"), "{code} {err}");
    let (code, _, err) = run(&["scan", "web1/access.log", "-o", "web1/access.log"]);
    assert!(code == 2 && err.contains("overwrite"), "{code} {err}");
}
