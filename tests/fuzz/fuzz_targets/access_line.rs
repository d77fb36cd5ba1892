//! Any bytes as a line of every known format, and of formats made up on the spot: no panic, no long run.
#![no_main]

use downtime::format::{AccessFormat, builtin};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KNOWN: LazyLock<Vec<AccessFormat>> =
    LazyLock::new(|| builtin::names().filter_map(AccessFormat::by_name).collect());

static MADE_UP: LazyLock<Vec<AccessFormat>> = LazyLock::new(|| {
    let texts = [
        r#"escape=none $remote_addr "$request" $status "$http_user_agent" [$time_local] $request_time"#,
        r#"$upstream_addr $upstream_status $upstream_response_time $msec $status$pipe "$request""#,
        "ts=$time_iso8601 st=$status req=\"$request\" up=\"$upstream_addr\" ut=\"$upstream_response_time\"",
        "time:$time_local\tstatus:$status\treq:$request\tua:$http_user_agent",
        r#"$foo $bar $request $baz $status $time_local"#,
    ];
    texts.iter().filter_map(|t| AccessFormat::from_directive("x", t, None).ok()).collect()
});

fuzz_target!(|line: &[u8]| {
    for format in KNOWN.iter().chain(MADE_UP.iter()) {
        let _ = format.parse(line);
    }
});
