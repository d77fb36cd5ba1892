use super::*;
use proptest::prelude::*;

const CONF: &str = r#"
# comment with { and ; and "
error_log /var/log/nginx/error.log notice;
events { worker_connections 768; }
http {
    log_format main '$remote_addr [$time_local] "$request" '
                    "\"$http_referer\" ${status}x \d";
    log_format j escape=json '{"t":"$msec",' '"s":"$status"}';
    map $uri $log { default 1; access_log 0; "~^/h{1,2}" 0; }
    access_log /var/log/nginx/access.log main buffer=32k;
    init_by_lua_block {
        local t = { a = "}" } -- not the end }
        --[[ nor } this ]]
        local s = [==[ } ]] ]==]
    }
    include conf.d/*.conf;
    server {
        server_name example.com "~^(?<n>\w{1,3})$";
        location ~ "^/a{2}$" { access_log off; error_log syslog:server=10.0.0.1; }
        access_log /logs/$host.log if=$log;
        if ($a = "}") { return 200 "x;y}"; }
    }
}
stream { log_format main '$remote_addr $protocol'; server { access_log /s.log main; } }
"#;

#[test]
fn everything_about_logs_is_found() {
    let conf = walk(
        CONF.as_bytes(),
        Path::new("nginx.conf"),
        &Sources::Dump { prefix: PathBuf::new(), files: BTreeMap::new() },
    )
    .unwrap();
    let main = conf.log_format("main").unwrap();
    assert_eq!(main.text, r#"$remote_addr [$time_local] "$request" "$http_referer" ${status}x \d"#);
    assert!(!main.stream && conf.log_format("combined").is_some());
    let json = conf.log_format("j").unwrap();
    assert_eq!(
        (json.escape.as_deref(), json.text.as_str()),
        (Some("json"), r#"{"t":"$msec","s":"$status"}"#)
    );
    let logs: Vec<_> =
        conf.access_logs.iter().map(|l| (l.path.as_str(), l.format.as_str(), l.options.len())).collect();
    assert_eq!(
        logs,
        [
            ("/var/log/nginx/access.log", "main", 1),
            ("off", "combined", 0),
            ("/logs/$host.log", "combined", 1),
            ("/s.log", "main", 0)
        ]
    );
    assert_eq!(conf.access_logs[2].server_names, ["example.com", r"~^(?<n>\w{1,3})$"]);
    let errors: Vec<_> = conf.error_logs.iter().map(|l| (l.path.as_str(), l.level.as_str())).collect();
    assert_eq!(errors, [("/var/log/nginx/error.log", "notice"), ("syslog:server=10.0.0.1", "error")]);
    assert_eq!(conf.notes, Vec::<String>::new());
}

#[test]
fn includes_are_followed_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    write("nginx.conf", "http { include conf.d/*.conf; include missing.conf; include nginx.conf; }");
    write("conf.d/b.conf", "access_log /b.log;");
    write("conf.d/a.conf", "access_log /a.log; include loop.conf;");
    write("conf.d/.hidden.conf", "access_log /h.log;");
    write("loop.conf", "include conf.d/a.conf;");
    let conf = read(&dir.path().join("nginx.conf")).unwrap();
    let paths: Vec<_> = conf.access_logs.iter().map(|l| l.path.as_str()).collect();
    assert_eq!(paths, ["/a.log", "/b.log"]);
    assert_eq!(conf.notes.len(), 3, "{:?}", conf.notes);
    let error = read(&dir.path().join("none.conf")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
}

#[test]
fn a_dump_is_read_as_the_files_it_holds() {
    let dump = "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n# configuration file /etc/nginx/nginx.conf:\nhttp { include /etc/nginx/conf.d/*.conf; include mime.types; }\n\n# configuration file /etc/nginx/conf.d/a.conf:\nserver { server_name a; access_log /a.log; }\n# configuration file /etc/nginx/mime.types:\ntypes { text/html html; }\n";
    let conf = read_dump(dump.as_bytes()).unwrap();
    assert_eq!(
        (conf.access_logs[0].path.as_str(), &conf.access_logs[0].server_names[..]),
        ("/a.log", &["a".to_string()][..])
    );
    assert_eq!((conf.files.len(), conf.notes.len()), (3, 0));
}

#[test]
fn errors_say_where() {
    for (text, line) in [
        ("a {\n b;\n", 1),
        ("a;\n}\n", 2),
        ("a;\nb \"x\n", 2),
        ("a\n}", 1),
        ("log_format x;", 1),
        ("x_by_lua_block {\n\"", 1),
    ] {
        let error = read_dump(text.as_bytes()).unwrap_err();
        assert!(matches!(&error, Error::Config { line: l, .. } if *l == line), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), soup in "(a|\\$|\\{|\\}|;|\"|'|\\\\|#|\n| |x_by_lua_block|--|\\[\\[|\\]\\]|include \\*;){0,60}") {
        let _ = read_dump(&bytes);
        let _ = read_dump(soup.as_bytes());
    }
}
