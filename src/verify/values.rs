//! The numbers a sentence claims: shares, counts, statuses, lengths of time.

use super::clauses::tail;
use super::regex;
use super::times::{Length, Mention, Said, Unit};
use super::{Kind, Value};
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

struct Patterns {
    percent: Regex,
    all: Regex,
    half: Regex,
    requests: Regex,
    failed: Regex,
    good: Regex,
    count: Regex,
    rate: Regex,
    status: Regex,
    about: Regex,
    lasted: Regex,
    lasted_after: Regex,
    not_lasted: Regex,
    next: Regex,
    peak: Regex,
    clients: Regex,
    met: Regex,
    detect: Regex,
    detect_after: Regex,
    repair: Regex,
    repair_after: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    percent: regex(r"(?i)(\d{1,3}(?:\.\d+)?)\s?(?:%|percent\b|per cent\b)"),
    all: regex(
        r"(?i)\b(?:all|every)\s+(?:of\s+)?(?:the\s+|our\s+)?(?:incoming\s+|user\s+)?(?:requests?|traffic|calls|responses)\b",
    ),
    half: regex(r"(?i)\bhalf (?:of )?(?:the |our |all )?(?:requests|traffic|calls)\b"),
    requests: regex(r"(?i)\b(?:traffic|requests?|calls|queries|responses|error rate|failure rate)\b"),
    failed: regex(
        r"(?i)\b(?:fail\w*|affect\w*|error\w*|lost|dropp\w*|down|unserved|impact\w*|5\d\ds?|5xxs?|reject\w*|unavailable)\b",
    ),
    good: regex(
        r"(?i)\b(?:back|online|restor\w*|recover\w*|normal|availab(?:le|ility)|uptime|slo|sla|budget|cpu|memory|disk|canary|rollout|succe\w+|cache)\b",
    ),
    count: regex(
        r"(?ix)(?:^|[^\w.:/])(\d{1,3}(?:[,.\u{2009}\ ]\d{3})+|\d+)(k)?\s+
        (?:(?:\S+\s+){0,2}?(?:requests?|errors?|responses|failures|hits|calls)\b|(?:×\s?|x\s)?(?:[45]\d\d)s?\b)",
    ),
    rate: regex(r"(?i)^\s*(?:/|per\b|a (?:second|minute)|each|every|rps)"),
    status: regex(
        r"(?i)\b(?:http|status|code|error|errors?|returned|returning|responses?|with)\s+(?:code\s+)?([45]\d\d)\b|\b([45])xx\b|\b([45]\d\d)(?:s\b|\s+(?:errors?|responses?|bad gateway|gateway|service|internal|status)\b)",
    ),
    about: regex(
        r"(?i)(?:\b(?:around|about|approx(?:imately|\.)?|aprox\.?|circa|ca\.|roughly|nearly|almost|some|over|more than|under|less than)|[~≈])\s*(?:of\s+)?$",
    ),
    lasted: regex(
        r"(?i)(?:\b(?:last(?:ed|ing|s)|fail(?:ed|ing) for|duration|down ?time|down|unavailable|offline|unreachable|inaccessible|outage|disruption|disrupted|interrupt\w+|incident|period|total|impact\w*|degraded|degradation|affected|length)\b)(?:\s*\S+){0,5}?[\s:|(~≈]*$",
    ),
    lasted_after: regex(
        r"(?i)^[\s-]*(?:long\s+)?(?:of\s+)?(?:total\s+|full\s+|complete\s+|partial\s+)?(?:outages?|downtime|disruption|interruption|incident|unavailability|degradation)\b|^\s*of (?:downtime|unavailab)",
    ),
    not_lasted: regex(
        r"(?i)\b(?:after|within|every|each|in the (?:last|next)|last|next|timeouts?|interval|ttl|later|earlier|ago|until|took|takes?|detect\w*|notic\w*|repair\w*|resolv\w*|recover\w*|mitigat\w*|fix\w*|mtt[dr]|tt[dr]|alert\w*|respond\w*)\b\s*(?:\S+\s*){0,3}$",
    ),
    next: regex(
        r"(?i)\b(?:for|over|during|throughout) (?:the )?(?:next|following|first|entire|whole|full|total)\s+(?:about\s+|around\s+|roughly\s+|~)?$",
    ),
    peak: regex(
        r"(?i)\b(?:peak\w*|spik\w+|reach\w*|up to|as (?:high|many) as|at most|rose|climb\w*|jump\w*|max\w*|at (?:the|its) worst)\b",
    ),
    clients: regex(
        r"(?ix)(?:^|[^\w.:/])(\d{1,3}(?:[,.\u{2009}\ ]\d{3})+|\d+)(k)?\s+
        (?:(?:[a-z][\w-]*\s+){0,2}?)((?:ip\ ?)?addresses|ips|clients?|users?|customers?|visitors?|people|shoppers?)\b",
    ),
    met: regex(
        r"(?i)\b(?:affect\w*|impact\w*|hit|saw|seeing|got|received?|experienc\w+|unable|could not|couldn't|fail\w*|error\w*|lost|without service|5\d\ds?)\b",
    ),
    detect: regex(
        r"(?i)\b(?:time[ -]to[ -]detect(?:ion)?|mttd|ttd|detection (?:time|gap|delay)|(?:detected|noticed)(?: \S+){0,2} (?:after|within))\b[\s:|=(]*(?:was|is|of|about|around|~|≈|\s)*$",
    ),
    // `It took 4 minutes to notice`, `12 minutes until the first alert`.
    detect_after: regex(
        r"(?i)^\s*(?:passed |went by |elapsed )?(?:until|before|for us to|for the \S+ to|to)\s+(?:(?:we|it|anyone|anybody|someone|somebody|the|our|first|an?|was|were|team|on-?call|monitoring)\s+){0,4}(?:notic\w*|detect\w*|spott?\w*|discover\w*|alert\w*|alarm\w*|paged?|became aware)\b",
    ),
    repair_after: regex(
        r"(?i)^\s*(?:for us to|for the \S+ to|to)\s+(?:fix|repair|restore|recover|resolve|mitigate)\b",
    ),
    repair: regex(
        r"(?i)\b(?:time[ -]to[ -](?:repair|recover(?:y)?|resol(?:ve|ution)|restore|fix|mitigat(?:e|ion))|mttr|ttr|ttm|recovery time|(?:fixed|restored|recovered|resolved)(?: \S+){0,2} (?:after|within))\b[\s:|=(]*(?:was|is|of|about|around|~|≈|\s)*$",
    ),
});

/// What a sentence claims in numbers. `entry` says that the sentence speaks of one time, at which a share is that of
/// an instant and not of the incident.
pub(super) fn of_sentence(
    text: &str,
    range: Range<usize>,
    mentions: &[Mention],
    entry: bool,
) -> Vec<(Kind, Value)> {
    let sentence = &text[range.clone()];
    let mut out = Vec::new();
    if !entry {
        out.extend(share(sentence).map(|value| (Kind::Share, value)));
    }
    let clients = clients(sentence);
    // `300 customers saw errors` counts customers.
    let told = match clients {
        Some(Value::Clients { count, .. }) => Some(count),
        _ => None,
    };
    let counted =
        count(sentence).filter(|v| !matches!(v, Value::Count { count, .. } if told == Some(*count)));
    out.extend(counted.map(|value| (Kind::Count, value)));
    out.extend(clients.map(|value| (Kind::Clients, value)));
    out.extend(status(sentence).map(|value| (Kind::Status, value)));
    for mention in mentions.iter().filter(|m| range.start <= m.start && m.end <= range.end) {
        if let Said::Length(length) = mention.what {
            let before = tail(&text[range.start..mention.start], 120);
            let after = &text[mention.end..range.end];
            out.extend(duration(before, after, length));
        }
    }
    out
}

fn share(sentence: &str) -> Option<Value> {
    let p = &*PATTERNS;
    // A peak is that of an instant, and who writes it does not say of how long a one.
    if !p.failed.is_match(sentence) || p.good.is_match(sentence) || p.peak.is_match(sentence) {
        return None;
    }
    if let Some(c) = p.percent.captures(sentence) {
        let all = c.get(0)?;
        if !p.requests.is_match(sentence) {
            return None;
        }
        let written = c.get(1)?.as_str();
        let percent: f64 = written.parse().ok().filter(|p| (0.0..=100.0).contains(p))?;
        let about = p.about.is_match(&sentence[..all.start()]);
        let decimals = written.split_once('.').map_or(0, |(_, d)| d.len().min(6) as i32);
        let slack = if about { 5.0 } else { 0.5 * 0.1_f64.powi(decimals) };
        return Some(Value::Share { share: percent / 100.0, slack: slack / 100.0 });
    }
    if p.all.is_match(sentence) {
        return Some(Value::Share { share: 1.0, slack: 0.005 });
    }
    p.half.is_match(sentence).then_some(Value::Share { share: 0.5, slack: 0.1 })
}

fn count(sentence: &str) -> Option<Value> {
    let p = &*PATTERNS;
    let c = p.count.captures_iter(sentence).find(|c| {
        let rest = c.get(0).map_or("", |m| &sentence[m.end()..]);
        // `502 errors` names a status, and `502 requests failed` a number.
        let digits = c.get(1).map_or("", |n| n.as_str());
        let after = c.get(0).zip(c.get(1)).map_or("", |(all, n)| &sentence[n.end()..all.end()]);
        let status = digits.len() == 3
            && digits.starts_with(['4', '5'])
            && ["error", "response"].iter().any(|w| after.trim_start().to_ascii_lowercase().starts_with(w));
        // `70 % of requests` and `5 minutes later errors` count no requests.
        let unit = after.trim_start().to_ascii_lowercase();
        let unit = ["%", "per", "min", "sec", "hour", "hrs", "day", "week", "am", "pm", "ms"]
            .iter()
            .any(|u| unit.starts_with(u));
        let year = digits.len() == 4 && digits.starts_with("20");
        !(status || unit || year || p.rate.is_match(rest))
    })?;
    let (all, digits) = (c.get(0)?, c.get(1)?);
    // Requests are counted by what became of them; `2,000 requests a day` or `9 requests were fine` say nothing.
    if !p.failed.is_match(sentence) || p.good.is_match(&sentence[digits.start()..all.end()]) {
        return None;
    }
    let plain: String = digits.as_str().chars().filter(char::is_ascii_digit).collect();
    let thousand = if c.get(2).is_some() { 1000 } else { 1 };
    let count = plain.parse::<u64>().ok()?.checked_mul(thousand)?;
    let about = p.about.is_match(&sentence[..digits.start()]);
    // 12k is written to the thousand; `about` is read as a tenth.
    let slack = if about { (count / 10).max(1) } else { thousand / 2 };
    let tail = &sentence[digits.end()..all.end()];
    let status =
        tail.split(|ch: char| !ch.is_ascii_digit()).find(|s| s.len() == 3).and_then(|s| s.parse().ok());
    Some(Value::Count { count, slack, status })
}

fn clients(sentence: &str) -> Option<Value> {
    let p = &*PATTERNS;
    let c = p.clients.captures(sentence)?;
    let (digits, who) = (c.get(1)?, c.get(3)?.as_str().to_ascii_lowercase());
    let rest = &sentence[c.get(0)?.end()..];
    let unit = sentence[digits.end()..].trim_start().to_ascii_lowercase();
    if ["%", "per", "min", "sec", "hour", "hrs", "day", "week", "ms"].iter().any(|u| unit.starts_with(u)) {
        return None;
    }
    if !p.met.is_match(sentence) || p.rate.is_match(rest) || p.peak.is_match(&sentence[..digits.start()]) {
        return None;
    }
    let plain: String = digits.as_str().chars().filter(char::is_ascii_digit).collect();
    let thousand = if c.get(2).is_some() { 1000 } else { 1 };
    let count = plain.parse::<u64>().ok()?.checked_mul(thousand)?;
    let about = p.about.is_match(&sentence[..digits.start()]);
    let slack = if about { (count / 10).max(1) } else { thousand / 2 };
    let people = !(who.starts_with("client") || who.starts_with("ip") || who == "addresses");
    Some(Value::Clients { count, slack, people })
}

fn status(sentence: &str) -> Option<Value> {
    let c = PATTERNS.status.captures(sentence)?;
    if let Some(class) = c.get(2) {
        let digit: u16 = class.as_str().parse().ok()?;
        return Some(Value::Status { status: digit * 100, class: true });
    }
    let status = c.get(1).or(c.get(3))?.as_str().parse().ok()?;
    Some(Value::Status { status, class: false })
}

fn duration(before: &str, after: &str, length: Length) -> Option<(Kind, Value)> {
    let p = &*PATTERNS;
    let lower = after.trim_start().to_ascii_lowercase();
    let about = p.about.is_match(before)
        || ["approx", "aprox", "or so", "(approx", "(aprox"].iter().any(|w| lower.starts_with(w));
    // Rounded or cut: off by less than a minute when written in minutes, by half its unit when written in coarser
    // ones. `about` doubles that, and is at least an eighth of the length.
    let unit = match length.unit {
        Unit::Hour | Unit::Day => length.unit.millis() / 2,
        unit => unit.millis(),
    };
    let slack = if about { (unit * 2).max(length.millis / 8) } else { unit - 1 };
    let value = Value::Length { millis: length.millis, slack };
    if p.detect.is_match(before) || p.detect_after.is_match(after) {
        return Some((Kind::TimeToDetect, value));
    }
    if p.repair.is_match(before) || p.repair_after.is_match(after) {
        return Some((Kind::TimeToRepair, value));
    }
    // `for the next two hours requests failed` begins where the sentence before it ended.
    let failed = || p.failed.is_match(before) || p.failed.is_match(after);
    if p.next.is_match(before) && failed() && !p.good.is_match(after) {
        return Some((Kind::Duration, value));
    }
    let lasted =
        p.lasted_after.is_match(after) || (p.lasted.is_match(before) && !p.not_lasted.is_match(before));
    lasted.then_some((Kind::Duration, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::times;

    fn values(text: &str) -> Vec<(Kind, Value)> {
        of_sentence(text, 0..text.len(), &times::scan(text), false)
    }

    #[test]
    fn shares_of_what_failed() {
        assert_eq!(
            values("The issue affected 100% of traffic"),
            [(Kind::Share, Value::Share { share: 1.0, slack: 0.005 })]
        );
        assert_eq!(values("All requests failed"), [(Kind::Share, Value::Share { share: 1.0, slack: 0.005 })]);
        assert_eq!(values("100% of traffic back online"), []);
        assert_eq!(values("the disk was 91 % full and requests failed on it; 12 GB cached memory"), []);
    }

    #[test]
    fn counts_and_statuses() {
        assert_eq!(
            values("988 requests failed"),
            [(Kind::Count, Value::Count { count: 988, slack: 0, status: None })]
        );
        assert_eq!(
            values("Clients got 1,234 502s in error"),
            [
                (Kind::Count, Value::Count { count: 1234, slack: 0, status: Some(502) }),
                (Kind::Status, Value::Status { status: 502, class: false })
            ]
        );
        assert_eq!(values("40 requests per second failed"), []);
        assert_eq!(values("5 minutes later errors were affected"), []);
        let found = values("about 70 % of requests failed for 3 minutes");
        assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::Share, Kind::Duration]);
        assert_eq!(
            values("answered with HTTP 503"),
            [(Kind::Status, Value::Status { status: 503, class: false })]
        );
        assert_eq!(values("5xx everywhere"), [(Kind::Status, Value::Status { status: 500, class: true })]);
    }

    #[test]
    fn clients_and_people_are_told_apart() {
        let clients = |count, slack, people| [(Kind::Clients, Value::Clients { count, slack, people })];
        assert_eq!(values("About 300 customers saw errors"), clients(300, 30, true));
        assert_eq!(values("160 client IPs were affected"), clients(160, 0, false));
        assert_eq!(values("1,200 users could not log in"), clients(1200, 0, true));
        assert_eq!(values("we have 40 users a minute and some failed"), []);
        assert_eq!(values("2 people joined the call"), []);
        assert_eq!(values("the error rate peaked at 85 % of requests"), []);
    }

    #[test]
    fn lengths_of_the_outage_and_no_others() {
        let length = |minutes: i64, slack: i64| Value::Length { millis: minutes * 60_000, slack };
        for (text, want) in [
            ("It lasted 4 minutes", (Kind::Duration, length(4, 59_999))),
            ("Duration: 1h 9m", (Kind::Duration, length(69, 59_999))),
            ("all modules were down for a period of 1 hour aprox", (Kind::Duration, length(60, 3_600_000))),
            ("For the next two hours all of it failed", (Kind::Duration, length(120, 1_800_000 - 1))),
            ("over the following 40 minutes users saw errors", (Kind::Duration, length(40, 59_999))),
            ("a 12-minute outage", (Kind::Duration, length(12, 59_999))),
            ("Time to detect: 5 min", (Kind::TimeToDetect, length(5, 59_999))),
            ("It took us 4 minutes to notice", (Kind::TimeToDetect, length(4, 59_999))),
            ("25 minutes passed before anybody noticed", (Kind::TimeToDetect, length(25, 59_999))),
            ("it was 12 minutes until the first alert", (Kind::TimeToDetect, length(12, 59_999))),
            ("We needed 9 minutes to restore the service", (Kind::TimeToRepair, length(9, 59_999))),
            ("MTTR 22 minutes", (Kind::TimeToRepair, length(22, 59_999))),
        ] {
            assert_eq!(values(text), [want], "{text}");
        }
        for text in [
            "For the next two hours we watched",
            "In the last two days",
            "retry every 5 minutes",
            "after 10 minutes we called",
            "a 60s timeout",
        ] {
            assert_eq!(values(text), [], "{text}");
        }
    }
}
