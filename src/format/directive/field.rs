//! What one variable or key of a log format means to us. Only names are known here, not the shapes of values
//! (`access/shape.rs`) nor where a value goes (`access/store.rs`).

/// A value of an access-log line that the rest of the program can use, or the name of one it cannot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `$time_local`.
    TimeLocal,
    /// `$time_iso8601`.
    TimeIso8601,
    /// `$msec`.
    Msec,
    /// A time in any form we can read: `$time` of a map, a zone-less stamp, epoch milliseconds.
    Time,
    /// `$status`.
    Status,
    /// `$remote_addr`.
    RemoteAddr,
    /// `$remote_user`.
    RemoteUser,
    /// `$request`.
    Request,
    /// `$request_method`.
    RequestMethod,
    /// `$request_uri`, `$uri`.
    RequestUri,
    /// `$server_protocol`.
    ServerProtocol,
    /// `$host`, `$http_host`: what the client asked for.
    Host,
    /// `$server_name`: the block that answered; stands in where there is no [`Field::Host`].
    ServerName,
    /// `$server_port`.
    ServerPort,
    /// `$request_time`, in seconds.
    RequestTime,
    /// A request time in milliseconds: never nginx' own, but some maps and Lua loggers write it.
    RequestTimeMs,
    /// `$request_length`.
    RequestLength,
    /// `$upstream_addr`.
    UpstreamAddr,
    /// `$upstream_status`.
    UpstreamStatus,
    /// `$upstream_response_time`.
    UpstreamResponseTime,
    /// `$upstream_connect_time`.
    UpstreamConnectTime,
    /// `$upstream_header_time`.
    UpstreamHeaderTime,
    /// `$upstream_response_length`, `$upstream_bytes_sent`, `$upstream_bytes_received`.
    UpstreamLength,
    /// `$proxy_upstream_name`, `$proxy_host`.
    UpstreamName,
    /// `$body_bytes_sent`, `$bytes_sent`.
    BytesSent,
    /// `$http_user_agent`.
    UserAgent,
    /// `$http_referer`.
    Referer,
    /// `$http_x_forwarded_for`, `$proxy_add_x_forwarded_for`.
    ForwardedFor,
    /// `$connection`.
    Connection,
    /// `$request_id`, `$req_id`.
    RequestId,
    /// `$pipe`: `p` or `.`.
    Pipe,
    /// `$gzip_ratio`.
    GzipRatio,
    /// `$upstream_cache_status`.
    CacheStatus,
    /// `$protocol` of the stream module: `TCP` or `UDP`.
    Protocol,
    /// `$session_time` of the stream module: seconds.
    SessionTime,
    /// A variable we have no use for; it is read over.
    Other(String),
}

/// nginx' variable name, the field, and the word a reader of a report sees. The first name of a field is the one
/// written in definitions.
const VARIABLES: &[(&str, Field)] = &[
    ("time_local", Field::TimeLocal),
    ("time_iso8601", Field::TimeIso8601),
    ("msec", Field::Msec),
    ("time", Field::Time),
    ("status", Field::Status),
    ("remote_addr", Field::RemoteAddr),
    ("remote_user", Field::RemoteUser),
    ("request", Field::Request),
    ("request_method", Field::RequestMethod),
    ("request_uri", Field::RequestUri),
    ("uri", Field::RequestUri),
    ("document_uri", Field::RequestUri),
    ("filtered_request_uri", Field::RequestUri),
    ("server_protocol", Field::ServerProtocol),
    ("host", Field::Host),
    ("http_host", Field::Host),
    ("server_name", Field::ServerName),
    ("server_port", Field::ServerPort),
    ("request_time", Field::RequestTime),
    ("request_time_ms", Field::RequestTimeMs),
    ("request_length", Field::RequestLength),
    ("upstream_addr", Field::UpstreamAddr),
    ("upstream_status", Field::UpstreamStatus),
    ("upstream_response_time", Field::UpstreamResponseTime),
    ("upstream_connect_time", Field::UpstreamConnectTime),
    ("upstream_header_time", Field::UpstreamHeaderTime),
    ("upstream_response_length", Field::UpstreamLength),
    ("upstream_bytes_sent", Field::UpstreamLength),
    ("upstream_bytes_received", Field::UpstreamLength),
    ("proxy_upstream_name", Field::UpstreamName),
    ("proxy_host", Field::UpstreamName),
    ("body_bytes_sent", Field::BytesSent),
    ("bytes_sent", Field::BytesSent),
    ("http_user_agent", Field::UserAgent),
    ("http_referer", Field::Referer),
    ("filtered_http_referer", Field::Referer),
    ("http_x_forwarded_for", Field::ForwardedFor),
    ("proxy_add_x_forwarded_for", Field::ForwardedFor),
    ("connection", Field::Connection),
    ("request_id", Field::RequestId),
    ("datadog_trace_id", Field::RequestId),
    ("opentelemetry_trace_id", Field::RequestId),
    ("otel_trace_id", Field::RequestId),
    ("req_id", Field::RequestId),
    ("pipe", Field::Pipe),
    ("gzip_ratio", Field::GzipRatio),
    ("upstream_cache_status", Field::CacheStatus),
    ("protocol", Field::Protocol),
    ("session_time", Field::SessionTime),
];

impl Field {
    /// The field of an nginx variable, named without its `$`.
    pub fn from_variable(name: &str) -> Self {
        let known = VARIABLES.iter().find(|(n, _)| *n == name);
        known.map_or_else(|| Self::Other(name.to_owned()), |(_, field)| field.clone())
    }

    /// The nginx variable, without its `$`.
    pub fn variable(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => known.wanted(),
        }
    }

    /// What a mismatch says was wanted here.
    pub fn wanted(&self) -> &'static str {
        VARIABLES.iter().find(|(_, f)| f == self).map_or("a value", |(n, _)| n)
    }

    /// Whether it is one of those we read over.
    pub fn is_other(&self) -> bool {
        matches!(self, Self::Other(_))
    }

    /// Whether this says when the request ended.
    pub fn is_time(&self) -> bool {
        matches!(self, Self::TimeLocal | Self::TimeIso8601 | Self::Msec | Self::Time)
    }
}

/// What a JSON key or a label means, by the names people give (`log_formats.md` and its like in the wild). Case,
/// `_`, `-`, `@` and camel case make no difference; of a nested key `a.b.c` the longest tail that is known counts,
/// so `http.response.status_code` and `nginx.status` are found, but `upstream.status` is not `status`.
pub fn by_key(path: &[u8]) -> Option<Field> {
    let segments: Vec<String> = path
        .split(|&b| b == b'.')
        .map(|s| {
            s.iter().filter(|b| b.is_ascii_alphanumeric()).map(|b| b.to_ascii_lowercase() as char).collect()
        })
        .collect();
    let aside = |s: &String| {
        ["upstream", "backend", "ssl", "tls", "geo", "geoip", "headers", "header", "cookie", "server", "k8s"]
            .contains(&s.as_str())
    };
    (0..segments.len()).find_map(|from| {
        let barred = segments[..from].iter().any(aside);
        if barred { None } else { by_word(&segments[from..].concat()) }
    })
}

fn by_word(word: &str) -> Option<Field> {
    Some(match word {
        "time" | "timestamp" | "ts" | "date" | "datetime" | "t" | "eventtime" | "logtime" | "isotime"
        | "timeiso" | "localtime" | "timestamplocal" | "timelocal" | "timeiso8601" | "msec" | "timemsec"
        | "timestampms" | "iso8601" | "accesstime" | "logdate" | "requesttimestamp" | "timestampiso8601"
        | "when" => Field::Time,
        "status"
        | "response"
        | "statuscode"
        | "httpstatus"
        | "httpstatuscode"
        | "st"
        | "responsestatus"
        | "responsecode"
        | "httpresponsestatuscode"
        | "code"
        | "scstatus"
        | "returncode"
        | "responsestatuscode"
        | "httpcode" => Field::Status,
        "request" | "requestline" | "req" | "httprequest" | "requestfull" | "userreq" | "userrequest" => {
            Field::Request
        }
        "requestmethod" | "method" | "httpmethod" | "httprequestmethod" | "verb" | "reqmethod" => {
            Field::RequestMethod
        }
        "requesturi" | "uri" | "path" | "httpurl" | "url" | "requestpath" | "urlpath" | "urloriginal"
        | "requesturl" | "uripath" | "httpuri" | "httppath" | "requri" | "requrl" => Field::RequestUri,
        "serverprotocol" | "httpversion" | "requestprotocol" | "proto" | "protocol" => Field::ServerProtocol,
        "remoteaddr" | "remoteip" | "client" | "clientip" | "ip" | "sourceip" | "clientaddr"
        | "clientaddress" | "realip" | "remote" | "remotehost" | "remoteaddress" | "networkclientip"
        | "srcip" | "ipaddress" | "userip" | "lanip" | "visitorip" => Field::RemoteAddr,
        "httpxforwardedfor"
        | "xforwardedfor"
        | "forwardedfor"
        | "xff"
        | "proxyaddxforwardedfor"
        | "forwarded" => Field::ForwardedFor,
        "requesttime" | "reqtime" | "duration" | "responsetime" | "requestduration" | "elapsed"
        | "latency" | "rt" | "took" | "durationsec" | "durationseconds" | "elapsedtime" | "timetaken"
        | "requesttimes" | "requesttimesec" | "dur" | "reqduration" | "responseduration" | "totaltime"
        | "rtime" | "processtime" | "costtime" | "restime" | "restimes" => Field::RequestTime,
        "requesttimems" | "durationms" | "responsetimems" | "latencyms" | "elapsedms" | "reqtimems"
        | "rtms" | "requestdurationms" | "tookms" | "durationmillis" | "requesttimemillis"
        | "elapsedmillis" => Field::RequestTimeMs,
        "upstreamaddr" | "upstream" | "upstreamhost" | "upstreamaddress" | "backend" | "backendaddr"
        | "backendaddress" | "upstreamserver" | "upstreampeer" | "peer" | "peeraddr" | "peeraddress" => {
            Field::UpstreamAddr
        }
        "upstreamstatus" | "upstreamstatuscode" | "backendstatus" | "us" | "ustatus"
        | "upstreamhttpstatus" => Field::UpstreamStatus,
        "upstreamresponsetime"
        | "upstreamtime"
        | "upstreamrt"
        | "apptime"
        | "urt"
        | "ut"
        | "utime"
        | "upstreamresptime"
        | "backendtime"
        | "upstreamduration"
        | "upstreamlatency"
        | "backendresponsetime" => Field::UpstreamResponseTime,
        "upstreamconnecttime" | "uct" | "ct" | "upstreamconntime" => Field::UpstreamConnectTime,
        "upstreamheadertime" | "uht" | "upstreamheadtime" => Field::UpstreamHeaderTime,
        "upstreamresponselength" | "ul" | "upstreambytessent" | "upstreambytesreceived" => {
            Field::UpstreamLength
        }
        "upstreamname" | "proxyupstreamname" | "proxyhost" | "backendname" => Field::UpstreamName,
        "bodybytessent"
        | "bytes"
        | "bytessent"
        | "size"
        | "bodybytes"
        | "bodysize"
        | "responsesize"
        | "httpresponsebytes"
        | "httpresponsebodybytes"
        | "sent"
        | "sentbytes"
        | "bodysent"
        | "contentsize"
        | "bytesout"
        | "networkbyteswritten"
        | "responselength" => Field::BytesSent,
        "host" | "httphost" | "domain" | "vhost" | "site" | "requesthost" | "urldomain" | "hostheader"
        | "virtualhost" => Field::Host,
        "servername" | "sn" => Field::ServerName,
        "serverport" | "destport" => Field::ServerPort,
        "httpuseragent" | "useragent" | "agent" | "ua" | "useragentoriginal" | "httpuseragentstring" => {
            Field::UserAgent
        }
        "httpreferer" | "httpreferrer" | "referer" | "referrer" | "ref" | "httprequestreferrer" => {
            Field::Referer
        }
        "connection" | "connectionid" | "conn" | "connectionserial" => Field::Connection,
        "requestid" | "reqid" | "xrequestid" | "rid" | "httpxrequestid" => Field::RequestId,
        "remoteuser" | "user" | "username" | "authuser" => Field::RemoteUser,
        "requestlength" | "reqlen" | "requestsize" => Field::RequestLength,
        "upstreamcachestatus" | "cachestatus" | "cs" | "cache" => Field::CacheStatus,
        "gzipratio" => Field::GzipRatio,
        "pipe" => Field::Pipe,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_goes_there_and_back() {
        for (name, field) in VARIABLES {
            assert_eq!(Field::from_variable(name), *field);
            assert_eq!(Field::from_variable(field.variable()), *field);
        }
        assert_eq!(Field::from_variable("geoip_city"), Field::Other("geoip_city".into()));
    }

    #[test]
    fn keys_are_known_in_any_dress() {
        for (key, field) in [
            ("status", Some(Field::Status)),
            ("http.status_code", Some(Field::Status)),
            ("http.response.status_code", Some(Field::Status)),
            ("nginx.requestTime", Some(Field::RequestTime)),
            ("@timestamp", Some(Field::Time)),
            ("upstream.status", Some(Field::UpstreamStatus)),
            ("upstream.response_time", Some(Field::UpstreamResponseTime)),
            ("ssl.protocol", None),
            ("http.request.method", Some(Field::RequestMethod)),
            ("DURATION-MS", Some(Field::RequestTimeMs)),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(by_key(key.as_bytes()), field, "{key}");
        }
    }
}
