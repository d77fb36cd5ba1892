//! The formats known by name: nginx' own, those of distributions, panels, gateways and manuals. Definitions are
//! facts of the projects named. Learning tries them in this order, more usual first.

use crate::format::access::AccessFormat;
use crate::format::directive::Escape;
use std::sync::LazyLock;

/// `combined`, which most formats start with (`ngx_http_log_module.c`).
pub(crate) const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// Name and text; `COMBINED` stands for itself.
const FORMATS: &[(&str, &str)] = &[
    // nginx, Debian, Ubuntu, most panels.
    ("combined", "COMBINED"),
    // nginx.org packages, the Docker image, RHEL, h5bp.
    ("main", r#"COMBINED "$http_x_forwarded_for""#),
    ("common", r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#),
    // A family with one name and many orders.
    ("timed_combined", "COMBINED $request_time $upstream_response_time $pipe"),
    ("combined_plus", "COMBINED $request_time $upstream_response_time"),
    ("combined_plus_reversed", "COMBINED $upstream_response_time $request_time"),
    ("combined_gzip", "COMBINED $gzip_ratio"),
    ("combined_gzip_quoted", r#"COMBINED "$gzip_ratio""#),
    ("combined_time", "COMBINED $request_time"),
    ("combined_time_quoted", r#"COMBINED "$request_time""#),
    ("combined_rt", "COMBINED rt=$request_time"),
    // Missing where nginx answered itself, which tells it from the request's time.
    ("combined_upstream_time", "COMBINED $upstream_response_time"),
    ("combined_upstream", "COMBINED $request_time $upstream_response_time $upstream_addr $upstream_status"),
    ("main_time", r#"COMBINED "$http_x_forwarded_for" $request_time"#),
    ("main_timed", r#"COMBINED "$http_x_forwarded_for" $request_time $upstream_response_time"#),
    (
        "timed_host",
        r#"$remote_addr $host $remote_user [$time_local]  "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    ),
    // Behind a balancer that nginx does not know of: whom it names stands where others have the address.
    (
        "forwarded_combined",
        r#"$http_x_forwarded_for - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    ),
    (
        "forwarded_time",
        r#"$http_x_forwarded_for - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time"#,
    ),
    (
        "forwarded_time_quoted",
        r#"$http_x_forwarded_for - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$request_time""#,
    ),
    (
        "combined_iso",
        r#"$remote_addr - $remote_user [$time_iso8601] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    ),
    // ingress-nginx, HTTP and stream.
    (
        "upstreaminfo",
        "COMBINED $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr \
         $upstream_response_length $upstream_response_time $upstream_status $req_id",
    ),
    (
        "ingress_stream",
        "[$remote_addr] [$time_local] $protocol $status $bytes_sent $bytes_received $session_time",
    ),
    // nginx-proxy.
    // Before `vhost`, whose host could take the port in.
    ("vhost_combined", "$host:$server_port COMBINED"),
    ("vhost", "$host COMBINED"),
    // A peer has a port, which tells it from a client.
    ("vhost_upstream", r#"$host COMBINED "$upstream_addr""#),
    ("vhost_main", r#"$host COMBINED "$http_x_forwarded_for""#),
    // Nginx Proxy Manager.
    (
        "npm_proxy",
        r#"[$time_local] $upstream_cache_status $upstream_status $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] [Sent-to $server] "$http_user_agent" "$http_referer""#,
    ),
    (
        "npm_standard",
        r#"[$time_local] $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] "$http_user_agent" "$http_referer""#,
    ),
    (
        "npmplus",
        r#"[$time_local] $host $remote_addr $request_time "$request" $status $body_bytes_sent $bytes_sent $http_referer $http_user_agent"#,
    ),
    // AWS Elastic Beanstalk.
    ("healthd", r#"$msec"$uri"$status"$request_time"$upstream_response_time"$http_x_forwarded_for"#),
    // nginx Amplify.
    (
        "main_ext",
        r#"COMBINED "$http_x_forwarded_for" "$host" sn="$server_name" rt=$request_time ua="$upstream_addr" us="$upstream_status" ut="$upstream_response_time" ul="$upstream_response_length" cs=$upstream_cache_status"#,
    ),
    // Vendor documentation, without a blank before `rt=`; and as many correct it.
    (
        "upstream_time",
        r#"COMBINEDrt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time""#,
    ),
    (
        "upstream_time_spaced",
        r#"COMBINED rt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time""#,
    ),
    ("kong", r#"COMBINED kong_request_id: "$request_id""#),
    (
        "apisix",
        r#"$remote_addr - $remote_user [$time_local] $http_host "$request" $status $body_bytes_sent $request_time "$http_referer" "$http_user_agent" $upstream_addr $upstream_status $upstream_response_time "$upstream_scheme://$upstream_host$upstream_uri""#,
    ),
    (
        "gitlab",
        r#"$remote_addr - $remote_user [$time_local] "$request_method $filtered_request_uri $server_protocol" $status $body_bytes_sent "$filtered_http_referer" "$http_user_agent" $gzip_ratio"#,
    ),
    (
        "serverpilot",
        r#"COMBINED "$http_x_forwarded_for" $request_length $request_time "$upstream_response_length" "$upstream_response_time" "$host""#,
    ),
    (
        "netdata",
        r#"$host $server_port $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent $request_length $request_time $upstream_response_time "$http_referer" "$http_user_agent""#,
    ),
    (
        "datadog_text",
        r#"$remote_addr - $http_x_forwarded_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" "$datadog_trace_id" "$datadog_span_id""#,
    ),
    ("dogstream", r#"$time_local "$request" S=$status $bytes_sent T=$request_time R=$http_x_forwarded_for"#),
    (
        "ltsv",
        "time:$time_local\thost:$remote_addr\tforwardedfor:$http_x_forwarded_for\treq:$request\tstatus:$status\t\
         method:$request_method\turi:$request_uri\tsize:$body_bytes_sent\treferer:$http_referer\tua:$http_user_agent\t\
         reqtime:$request_time\tcache:$upstream_http_x_cache\truntime:$upstream_http_x_runtime\t\
         apptime:$upstream_response_time\tvhost:$host",
    ),
    (
        "labelled",
        r#"remote_addr="$remote_addr", [time_local=$time_local], request="$request", status="$status", http_referer="$http_referer", body_bytes_sent="$body_bytes_sent", Host="$host", sn="$server_name", request_time=$request_time, http_user_agent="$http_user_agent", http_x_forwarded_for="$http_x_forwarded_for", upstream_addr="$upstream_addr", upstream_status="$upstream_status", upstream_response_time="$upstream_response_time", upstream_connect_time="$upstream_connect_time", upstream_header_time="$upstream_header_time""#,
    ),
    (
        "puppet_upstream",
        "[$time_local] $remote_addr - $server_name  to: $upstream_addr: $request - upstream_response_time \
         $upstream_response_time msec $msec request_time $request_time sec",
    ),
    ("minimal", r#"$time $remote_addr $status "$request""#),
    (
        "stream",
        r#"$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time "$upstream_addr" "$upstream_bytes_sent" "$upstream_bytes_received" "$upstream_connect_time""#,
    ),
    (
        "stream_basic",
        "$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time",
    ),
    (
        "json_logstash",
        r#"{"time":"$time_local","remote_ip":"$remote_addr","remote_user":"$remote_user","request":"$request","response":"$status","bytes":"$body_bytes_sent","referrer":"$http_referer","agent":"$http_user_agent"}"#,
    ),
    (
        "json_analytics",
        r#"{"msec":"$msec","connection":"$connection","connection_requests":"$connection_requests","pid":"$pid","request_id":"$request_id","request_length":"$request_length","remote_addr":"$remote_addr","remote_user":"$remote_user","remote_port":"$remote_port","time_local":"$time_local","time_iso8601":"$time_iso8601","request":"$request","request_uri":"$request_uri","args":"$args","status":"$status","body_bytes_sent":"$body_bytes_sent","bytes_sent":"$bytes_sent","http_referer":"$http_referer","http_user_agent":"$http_user_agent","http_x_forwarded_for":"$http_x_forwarded_for","http_host":"$http_host","server_name":"$server_name","request_time":"$request_time","upstream":"$upstream_addr","upstream_connect_time":"$upstream_connect_time","upstream_header_time":"$upstream_header_time","upstream_response_time":"$upstream_response_time","upstream_response_length":"$upstream_response_length","upstream_cache_status":"$upstream_cache_status","ssl_protocol":"$ssl_protocol","ssl_cipher":"$ssl_cipher","scheme":"$scheme","request_method":"$request_method","server_protocol":"$server_protocol","pipe":"$pipe","gzip_ratio":"$gzip_ratio"}"#,
    ),
    (
        "logstash_json",
        r#"{"@timestamp":"$time_iso8601","@version":"1","remote_addr":"$remote_addr","body_bytes_sent":"$body_bytes_sent","request_time":"$request_time","upstream_addr":"$upstream_addr","upstream_status":"$upstream_status","upstream_response_time":"$upstream_response_time","status":"$status","uri":"$uri","query_strings":"$query_string","request_method":"$request_method","http_referrer":"$http_referer","http_host":"$http_host","scheme":"$scheme","http_user_agent":"$http_user_agent"}"#,
    ),
    (
        "observiq",
        r#"{"remote_addr":"$remote_addr","remote_user":"$remote_user","time_local":"$time_local","request":"$request","status":"$status","body_bytes_sent":"$body_bytes_sent","http_referer":"$http_referer","http_user_agent":"$http_user_agent","request_length":"$request_length","request_time":"$request_time","upstream_addr":"$upstream_addr","upstream_response_length":"$upstream_response_length","upstream_response_time":"$upstream_response_time","upstream_status":"$upstream_status","proxy_add_x_forwarded_for":"$proxy_add_x_forwarded_for","bytes_sent":"$bytes_sent","time_iso8601":"$time_iso8601"}"#,
    ),
    (
        "main_json",
        r#"{"@timestamp":"$time_iso8601","nginx":{"connection":$connection},"http":{"status_code":$status,"body_bytes_sent":$body_bytes_sent,"upstream_response_time":$upstream_response_time,"request_time":$request_time}}"#,
    ),
];

/// Other names for the same formats.
const ALIASES: &[(&str, &str)] = &[
    ("clf", "common"),
    ("default", "combined"),
    ("amplify", "main_ext"),
    ("ingress", "upstreaminfo"),
    ("ingress_nginx", "upstreaminfo"),
    ("nginx_proxy", "vhost_upstream"),
    ("npm", "npm_proxy"),
    ("beanstalk", "healthd"),
    ("datadog", "datadog_text"),
    ("puppet", "puppet_upstream"),
];

static COMPILED: LazyLock<Vec<AccessFormat>> = LazyLock::new(|| {
    let made = FORMATS.iter().filter_map(|(name, text)| {
        let escape = if name.contains("json") { Escape::Json } else { Escape::Default };
        AccessFormat::from_directive(name, &text.replace("COMBINED", COMBINED), Some(escape)).ok()
    });
    made.collect()
});

/// All formats, the more usual first.
pub(crate) fn all() -> &'static [AccessFormat] {
    &COMPILED
}

/// The names of the formats.
pub fn names() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|(name, _)| *name)
}

/// A format by its name or another name for it.
pub fn by_name(name: &str) -> Option<AccessFormat> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, real)| real);
    COMPILED.iter().find(|f| f.name() == name).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_compiles_and_writes_back() {
        assert_eq!(all().len(), FORMATS.len());
        for format in all() {
            let again = AccessFormat::from_directive("", &format.definition(), None).unwrap();
            assert_eq!(again.definition(), format.definition());
            assert_eq!((again.fields(), again.escape()), (format.fields(), format.escape()));
            assert!(format.is_usable(), "{}", format.name());
        }
        for (alias, _) in ALIASES {
            assert!(by_name(alias).is_some(), "{alias}");
        }
        assert!(by_name("no such format").is_none());
    }
}
