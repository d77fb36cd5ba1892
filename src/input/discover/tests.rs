use super::*;
use crate::input::inflate::Packing;
use std::os::unix::fs::symlink;

fn tree(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{file}\n")).unwrap();
    }
    dir
}

fn names(found: &Discovered, dir: &tempfile::TempDir) -> Vec<String> {
    let root = dir.path().to_string_lossy().into_owned() + "/";
    found.sources.iter().map(|s| s.shown.replacen(&root, "", 1)).collect()
}

fn hosts(files: &[&str], arguments: &[&str], from: &str) -> Vec<Option<String>> {
    let dir = tree(files);
    let paths: Vec<PathBuf> = arguments.iter().map(|a| dir.path().join(a)).collect();
    let options = DiscoverOptions { host_from: HostFrom::parse(from).unwrap(), ..DiscoverOptions::default() };
    let found = discover(&paths, &options).unwrap();
    assert!(found.errors.is_empty());
    found.sources.into_iter().map(|s| s.host).collect()
}

fn some(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|n| (!n.is_empty()).then(|| (*n).to_owned())).collect()
}

#[test]
fn a_folder_is_searched_and_what_is_left_out_is_said() {
    let dir = tree(&[
        "b.log",
        "a.log",
        "sub/access.log.1",
        ".hidden",
        ".git/x.log",
        "nginx.conf",
        "logo.png",
        "map",
    ]);
    let at = |name: &str| dir.path().join(name);
    symlink(at("b.log"), at("aa.log")).unwrap();
    symlink(dir.path(), at("sub/loop")).unwrap();
    symlink(at("gone"), at("dangling.log")).unwrap();
    fs::hard_link(at("a.log"), at("z.log")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let found = discover(&[dir.path().to_owned(), at("missing")], &DiscoverOptions::default()).unwrap();
    let names = names(&found, &dir);
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(
        names.contains(&"b.log".into()) && names.contains(&"map".into()),
        "the real name wins: {names:?}"
    );
    let count = |reason| found.skipped.get(&reason).map_or(0, |s| s.count);
    assert_eq!((count(Reason::Twice), count(Reason::FolderTwice), count(Reason::Special)), (2, 1, 1));
    assert_eq!((count(Reason::Hidden), count(Reason::Name)), (2, 2));
    let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn globs_and_repeated_arguments() {
    let dir = tree(&["access.log", "access.log.1", "error.log", "x[1].log"]);
    let at = |name: &str| dir.path().join(name);
    let found =
        discover(&[at("access*"), at("access.log"), at("x[1].log")], &DiscoverOptions::default()).unwrap();
    assert_eq!(names(&found, &dir), ["access.log", "access.log.1", "x[1].log"]);
    assert_eq!(found.skipped[&Reason::Twice].count, 1);
    let found = discover(&[at("nothing*")], &DiscoverOptions::default()).unwrap();
    assert_eq!((found.sources.len(), found.errors.len()), (0, 1));
}

#[test]
fn too_many_files_are_refused_with_a_remedy() {
    let dir = tree(&["1.log", "2.log", "3.log"]);
    let options = DiscoverOptions { max_files: 2, ..DiscoverOptions::default() };
    let error = discover(&[dir.path().to_owned()], &options).unwrap_err().to_string();
    assert!(error.contains("more than 2 files") && error.contains("narrower"), "{error}");
    let deep = DiscoverOptions { max_depth: 1, ..DiscoverOptions::default() };
    let dir = tree(&["a/b/c/x.log", "a/y.log"]);
    let found = discover(&[dir.path().to_owned()], &deep).unwrap();
    assert_eq!((found.sources.len(), found.skipped[&Reason::TooDeep].count), (1, 1));
}

#[test]
fn packings_are_told_by_content_and_archives_are_refused() {
    let dir = tree(&["plain.gz"]);
    fs::write(dir.path().join("packed.log"), zstd::encode_all(&b"x\n"[..], 1).unwrap()).unwrap();
    fs::write(dir.path().join("logs"), b"PK\x03\x04....").unwrap();
    let found = discover(&[dir.path().to_owned()], &DiscoverOptions::default()).unwrap();
    let packings: Vec<_> = found.sources.iter().map(|s| s.packing).collect();
    assert_eq!(packings, [Packing::Zstd, Packing::Plain]);
    assert!(found.errors[0].to_string().contains("zip"));
}

#[test]
fn sibling_folders_with_the_same_names_are_hosts() {
    let two = ["logs/web1/access.log", "logs/web2/access.log", "logs/web2/old/access.log.1.gz"];
    assert_eq!(hosts(&two, &["logs"], "auto"), some(&["web1", "web2", "web2"]));
    assert_eq!(hosts(&two, &["logs/web1", "logs/web2"], "auto"), some(&["web1", "web2", "web2"]));
    assert_eq!(hosts(&two, &["logs/*/access.log"], "auto"), some(&["web1", "web2"]));
    assert_eq!(hosts(&two, &["logs"], "none"), some(&["", "", ""]));
    let long = ["web1/var/log/nginx/error.log", "web2/var/log/nginx/error.log", "readme.txt"];
    assert_eq!(hosts(&long, &["."], "auto"), some(&["", "web1", "web2"]));
    let nested = ["eu/web1/access.log", "eu/web2/access.log", "us/web1/access.log"];
    assert_eq!(hosts(&nested, &["."], "auto"), some(&["eu/web1", "eu/web2", "us/web1"]));
    // Given by name, even where the logs are called differently.
    let named = ["web1/web1.log", "web2/web2.log"];
    assert_eq!(hosts(&named, &["web1", "web2"], "auto"), some(&["web1", "web2"]));
}

#[test]
fn archives_and_vhosts_are_no_hosts() {
    let archive = ["nginx/access.log", "nginx/old/access.log.1", "nginx/archive/2026/03/access.log.2.gz"];
    assert_eq!(hosts(&archive, &["nginx"], "auto"), some(&["", "", ""]));
    assert_eq!(hosts(&archive, &["nginx", "nginx/old"], "auto"), some(&["", "", ""]));
    let dates = ["2026-03-01/access.log", "2026-03-02/access.log"];
    assert_eq!(hosts(&dates, &["."], "auto"), some(&["", ""]));
    let vhosts = ["shop/shop.access.log", "blog/blog.access.log"];
    assert_eq!(hosts(&vhosts, &["."], "auto"), some(&["", ""]));
    let beside = ["access.log", "blog/access.log", "shop/access.log"];
    assert_eq!(hosts(&beside, &["."], "auto"), some(&["", "", ""]));
}

#[test]
fn hosts_by_folder_template_and_expression() {
    let two = ["logs/web1/access.log", "logs/web2/nginx/access.log"];
    assert_eq!(hosts(&two, &["logs"], "folder"), some(&["web1", "nginx"]));
    assert_eq!(hosts(&two, &["logs"], "/logs/{host}/access.log"), some(&["web1", ""]));
    assert_eq!(hosts(&two, &["logs"], "logs/{host}"), some(&["web1", "web2"]));
    assert_eq!(hosts(&two, &["logs"], "logs/{host}/**/access.*"), some(&["", "web2"]));
    assert_eq!(hosts(&two, &["logs"], r"web(\d)"), some(&["1", "2"]));
    assert!(HostFrom::parse("web[").is_err() && HostFrom::parse("web1").is_err());
}
