//! What a clause claims, by its words.
//!
//! The words are those of English postmortems in general. The first rule that fits wins, so that `outage detected`
//! is about the detection and `restarts begin` about restarts.

use super::regex;
use super::{Kind, Sight};
use regex::Regex;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

const TROUBLE: &str = r"(?:outages?|incidents?|downtime|disruptions?|interruptions?|degradations?|impact|brown-?outs?|failures?|problems?|issues?|unavailability|errors?|error rates?|timeouts?|5\d\ds?|5xxs?|50xs?|http 5\d\d(?: errors?)?|alarm)";
const SERVICE: &str = r"(?:services?|sites?|web ?sites?|traffic|systems?|everything|access|operations?|apps?|applications?|api|servers?|requests?|availability|functionality|pages?|users?|customers?|modules?|nginx|prox(?:y|ies)|platform|portal|shop|store|responses?)";

struct Rule {
    kind: Kind,
    words: Regex,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let end = format!(
        r"(?:\b{TROUBLE}\b(?:\s+\S+){{0,4}}?\s+(?:ended|ends|end|over|stopped|stop|ceased|cease|cleared|clear|subsided|subside|resolved|gone|recovered|finished|mitigated|fixed|disappear\w*|dropp?(?:ed|s)? to (?:zero|0|normal|baseline)|back to (?:zero|0|normal))\b)|(?:\b{SERVICE}\b(?:\s+\S+){{0,4}}?\s+(?:restored|recover(?:ed|s)|back|normal|resumed?|online|healthy|available again|reachable again|up again|is up|are up|was up|came up|comes up|returned?\b(?: to)?)\b)|\b(?:back (?:online|up|to normal|in (?:service|business)|in operation|to life)|all (?:systems )?(?:clear|green)|(?:end|last|conclusion) of (?:the )?(?:\S+ )?{TROUBLE}|(?:incident|impact|outage|downtime)[ _-]?ends?\b|last (?:failed request|{TROUBLE})|no (?:more|further) (?:\S+ )?{TROUBLE}|(?:full|complete|service|total)(?:ly)? (?:recovery|recovered|restored|restoration)|restoration of|normal (?:service|operation)s? (?:resumed|restored)|(?:resolved|mitigated|recovered)\b|up and running|came back|comes back|is back|was back|were back|are back|(?:fully |all |all systems )operational|operating normally|(?:works?|worked|working|available|reachable|responding|200s?|ok) again|all (?:services|systems|sites) (?:are |were )?(?:available|up|healthy|normal|operational))"
    );
    let start = format!(
        r"\b(?:start(?:s|ed|ing)?|began|begins?|begun)(?: to)? (?:fail\w*|return\w*|throw\w*|serv\w+ (?:errors?|5)|reject\w*|drop\w*|time? out|timing out|crash\w*|refus\w*|error\w*|(?:see(?:ing)?|get(?:ting)?|experienc\w+|receiv\w+|encounter\w*) (?:\S+ ){{0,2}}(?:errors?|5\d\ds?|5xxs?|time-?outs?|failures?))|(?:\b{TROUBLE}\b(?:\s+\S+){{0,3}}?\s+(?:began|begins?|begun|start(?:ed|s|ing)?|appear\w*|spik\w*|ris(?:e|es|ing)|rose|climb\w*|jump\w*|surg\w*|increas\w*|onset)\b)|\b(?:(?:start|beginning|onset|first signs?) of (?:the )?(?:\S+ )?{TROUBLE}|(?:incident|impact|outage|downtime|customer impact)[ _-]?(?:starts?|begins?|began|started|beginning|onset)\b|first (?:failed requests?|failing requests?|(?:\S+ )?{TROUBLE})|(?:spike|surge|increase|rise|jump|flood|wave) (?:in|of) (?:the )?(?:\S+ )?{TROUBLE})"
    );
    let rules: Vec<(Kind, String)> = vec![
        (
            Kind::Declared,
            String::from(
                r"\b(?:declar\w+|confirm\w*|verif(?:y|ied|ies)|validat\w+|monitoring shows|announc\w+|clos(?:ed|es|ing))\b.*\b(?:over|resolved|recover\w*|restor\w*|normal|healthy|all clear|back|fix\w*|clos\w*|end(?:ed)?|up|stable|work\w*)\b|\b(?:recovery|resolution|restoration|fix)\s+(?:is |was )?(?:confirmed|verified|declared|validated)|\b(?:incident|ticket|alert|issue) (?:is |was )?(?:closed|declared)"
            ),
        ),
        (
            Kind::Action,
            r"\b(?:look(?:s|ed|ing)? (?:\S+ )?(?:for|into|at|through)|(?:start\w*|began|begins?) (?:to |on |the )?(?:work|look|fix|repair|prepar|check|discuss|mitigat|recover)\w*|investigat\w+|debug\w*|troubleshoot\w*|triag\w+|analy[sz]\w+|examin\w+|began looking|start(?:s|ed)? looking)\b".into(),
        ),
        (
            Kind::Detected,
            r"\b(?:detected|detects|detection|detect(?:ed)? (?:at|by)|noticed|notices|notice\b|reported|reports?|reporting|alerted|alerts?|alerting|alarms?|paged|pages? (?:the |out|on)|pagerduty|complain\w*|spotted|discover(?:ed|s|y)|observed|observes|notified|first ticket|support tickets?|became aware|becomes aware|learn(?:ed|t) (?:of|about))\b".into(),
        ),
        (Kind::End, end),
        (Kind::Start, start),
        (
            Kind::Reload,
            r"\b(?:reload(?:ed|s|ing)?|re-?read(?:s|ing)? (?:its |the )?config\w*|sighup|-s reload)\b".into(),
        ),
        (
            Kind::Rollback,
            r"\b(?:roll(?:ed|s|ing)?[\s-]?back|rollback|revert(?:ed|s|ing)?|back(?:ed|s|ing)? out|undo(?:ne)?|undid|restor\w+ (?:the )?(?:\S+ ){0,2}(?:config\w*|file)|(?:old|previous|original|last good|known[- ]good) (?:\S+ )?config\w*(?: file)? (?:was |is )?(?:restored|back|put back|in place))\b".into(),
        ),
        (
            Kind::Restart,
            r"\b(?:re-?start(?:ed|s|ing)?|re-?boot(?:ed|s|ing)?|bounc(?:e|ed|es|ing)|(?:power|hard)[- ]cycl\w+|(?:nginx|prox(?:y|ies)|web ?server|openresty|angie|tengine) (?:is |was |were |has been |had been )?(?:start(?:ed|s)?|launched|brought up|up)\b|start(?:ed|s|ing)? (?:up )?(?:nginx|the proxy|the web ?server)|(?:nginx|prox(?:y|ies)|web ?server) (?:refus\w+|fail(?:s|ed)?|could not|can ?not|cannot|does not|did not|didn't) (?:to )?start\w*)\b".into(),
        ),
        (
            Kind::Stop,
            r"\b(?:(?:nginx|prox(?:y|ies)|web ?server|openresty|service) (?:is |was |were |has been |had been )?(?:stopped|stops|shut ?down|shuts down|killed|terminated)|(?:stop|stopped|shut(?:ting)? down|kill(?:ed)?|terminat(?:ed|e)) (?:nginx|the proxy|the web ?server|the service)|sigterm|sigquit)\b".into(),
        ),
        (
            Kind::Change,
            r"\b(?:config\w*|parameter|setting|upstreams?|nginx\.conf|file)\b(?:\s+\S+){0,5}?\s+(?:chang\w+|edit\w*|modif\w+|releas\w+|push\w*|deploy\w*|appl(?:y|ied|ies)|ship\w*|merg\w+|updat\w+|introduc\w+|rolled out|goes live|went (?:live|to)|live)\b|\b(?:chang\w+|edit\w*|modif\w+|releas\w+|push\w*|deploy\w*|appl(?:y|ied|ies|ying)|ship\w*|merg\w+|updat\w+|introduc\w+|roll\w* out)\b(?:\s+\S+){0,4}?\s+(?:config\w*|parameter|setting|nginx\.conf)\b|\bconfig\w* (?:change|update|release|push|edit)s?\b".into(),
        ),
        (
            Kind::Action,
            r"\b(?:backups?|back-ups?|data ?base|reconnect\w*|tests?|tested|testing|meeting|call|bridge|war ?room|page|escalat\w+|status page|email\w*|vendor|post-?mortem)\b".into(),
        ),
        (
            Kind::Deploy,
            r"\b(?:deploy(?:ed|s|ing|ment)?|releas(?:e|ed|es|ing)|roll(?:ed|s|ing)?[\s-]?out|rollout|shipp?(?:ed|s|ing)|push(?:ed|es)? (?:to|out|live)|went live|goes live|upgrad\w+|migrat\w+)\b".into(),
        ),
        (
            Kind::End,
            r"\b(?:restored|recover(?:ed|s|y)|ended|ends?\b|end(?: ?time| date)?\s*[:|]|until|healthy|mitigat(?:ed|ion)|fixed|fix (?:was |is )?(?:applied|deployed|live|in place)|normal|online|resumed|over\b|finish(?:ed|es)?)".into(),
        ),
        (
            Kind::Start,
            r"\b(?:(?:go(?:es)?|went|came|comes|taken|takes|took|knocked|brought|falls|fell)(?: \S+)? down\b|stopp?(?:ed|s)? (?:responding|working|serving|answering|coming)|becom(?:e|es|ing) (?:unavailable|unreachable|inaccessible|unresponsive)|became (?:unavailable|unreachable|inaccessible|unresponsive)|crash(?:ed|es)?\b|went offline|goes offline|dropp?(?:ed|s)? to (?:zero|0|nothing)|start(?:ed|s|ing)?(?: ?time| date)?\s*[:|]|(?:it|this|that|which|and|but|had|has)\s+(?:all\s+|first\s+)?(?:began|begun|started|starts|begins)(?:\s+(?:at|around|about|on|again|shortly)\b|\W*$))|^\W*(?:began|begun|started|starts?|begins?|beginning|onset|start time)\W*(?:(?:at|on|around|about)\b|\d|$)".into(),
        ),
        (
            Kind::Failing,
            r"\b(?:down\b|unavailable|unreachable|inaccessible|un(?:usable|responsive)|(?:could|can) ?not (?:be )?(?:used?|reach(?:ed)?|open(?:ed)?|load(?:ed)?|access(?:ed)?|log in|work|connect)|no(?:body| one) could|(?:did|does|is|are|was|were) ?(?:not|n[’']t) (?:answer|respond(?:ing)?|reachable|available|work(?:ing)?|load(?:ing)?)|not (?:responding|reachable|available|working)|no longer (?:responding|reachable|available|respond\w*)|offline|hang(?:s|ing)?|hung|fail(?:ed|s|ing)?\b|return(?:ed|s|ing)? (?:\S+ )?(?:errors?|5\d\d|5xx)|serv(?:ed|es|ing) (?:\S+ )?(?:errors?|5\d\d|5xx)|throw\w* (?:\S+ )?(?:errors?|5\d\d|5xx)|5\d\ds\b|50xs?\b|5xxs?\b|bad gateway|gateway time-?out|errors?\b|disrupt\w+|outage|degrad\w+|interrupt\w+)".into(),
        ),
    ];
    rules.into_iter().map(|(kind, words)| Rule { kind, words: regex(&format!("(?i){words}")) }).collect()
});

static NEGATED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)(?:\b(?:not|no|never|without|nobody|none|neither|nothing|will|should|would|could|must|shall|going to|plan(?:s|ned)? to|scheduled(?: for| to)?|if|unless)|n[’']t)\s+(?:(?:yet|be|been|have|any|an?|the|fully|ever|get|it)\s+){0,2}$",
    )
});
static NOT: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)\b(?:not|never|nobody|cannot)\b|n[’']t\b"));
static SILENCE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:traffic|requests?)\b.*\b(?:dropp?\w*|stopp?\w*|ceas\w*|disappear\w*|vanish\w*|fell|zero|none)\b|\bno (?:traffic|requests?)\b",
    )
});
static ERRORS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:errors?|5\d\ds?|5xxs?|50xs?|failed requests?|failing requests?|bad gateway|time-?outs?|failures?)\b",
    )
});
static SOME_TROUBLE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:outages?|incidents?|downtime|disruptions?|interrupt\w+|down|unavailable|unreachable|offline|degrad\w+|impact\w*|affected|errors?|fail\w*|5\d\ds?|5xxs?|slow\w*|duration|window)\b",
    )
});
static OTHER_THING: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:data ?bases?|db|mysql|mariadb|postgres\w*|mongo\w*|redis|memcached?|tomcat|php(?:-fpm)?|app(?:lication)?s?(?: servers?)?|back-?ends?|pods?|containers?|kubernetes|kubelet|docker|vms?|virtual machines?|kafka|rabbitmq|queues?|jobs?|cron|gunicorn|puma|uwsgi|node)\b",
    )
});
static NGINX: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:nginx|prox(?:y|ies)|reverse[- ]proxy|web ?servers?|load ?balancers?|lbs?|ingress|openresty|angie|tengine)\b",
    )
});
static SUCCESS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:success\w*|complet\w+|done|finished|worked|fixed)\b"));

/// The words of a block. What is asked of a stretch of it is worked out once: a sentence of nothing but times asks the same
/// of all of itself for each of them.
pub(super) struct Words<'a> {
    text: &'a str,
    kinds: RefCell<HashMap<Range<usize>, Option<Kind>>>,
    troubles: RefCell<HashMap<Range<usize>, bool>>,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, kinds: RefCell::default(), troubles: RefCell::default() }
    }

    /// What the clause at `range` claims.
    pub(super) fn kind(&self, range: &Range<usize>) -> Option<Kind> {
        let known = self.kinds.borrow().get(range).copied();
        known.unwrap_or_else(|| {
            let kind = kind(&self.text[range.clone()]);
            self.kinds.borrow_mut().insert(range.clone(), kind);
            kind
        })
    }

    /// Whether the clause at `range` speaks of trouble.
    pub(super) fn trouble(&self, range: &Range<usize>) -> bool {
        let known = self.troubles.borrow().get(range).copied();
        known.unwrap_or_else(|| {
            let trouble = trouble(&self.text[range.clone()]);
            self.troubles.borrow_mut().insert(range.clone(), trouble);
            trouble
        })
    }
}

/// What a clause claims; `None` when its words are of no kind that is known.
pub(super) fn kind(clause: &str) -> Option<Kind> {
    RULES.iter().find_map(|rule| {
        let found = rule.words.find_iter(clause).any(|m| {
            let before = &clause[..m.start()];
            // `was not restored` is no end; `not responding` is a beginning.
            let inside = matches!(rule.kind, Kind::End | Kind::Declared) && NOT.is_match(m.as_str());
            !inside && !NEGATED.is_match(before)
        });
        found.then_some(rule.kind)
    })
}

/// Whether the clause speaks of trouble, so that a range in it is the trouble's.
pub(super) fn trouble(clause: &str) -> bool {
    SOME_TROUBLE.is_match(clause)
}

/// How the beginning or end in a clause showed itself.
pub(super) fn sight(clause: &str) -> Sight {
    if SILENCE.is_match(clause) {
        Sight::Silence
    } else if ERRORS.is_match(clause) {
        Sight::Errors
    } else {
        Sight::Any
    }
}

/// Whether a clause names nginx (`Some(true)`), something else (`Some(false)`), or neither.
pub(super) fn about_nginx(clause: &str) -> Option<bool> {
    if NGINX.is_match(clause) {
        Some(true)
    } else if OTHER_THING.is_match(clause) {
        Some(false)
    } else {
        None
    }
}

/// Whether an act is said to have been done with success.
pub(super) fn succeeded(clause: &str) -> bool {
    SUCCESS.is_match(clause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_general_words() {
        for (clause, want) in [
            ("the service outage began", Kind::Start),
            ("service down is detected by a final user", Kind::Detected),
            ("look for error in server log files to detect the issue", Kind::Action),
            ("Alert all tech and engineering team", Kind::Detected),
            ("Try to restore last backup taken", Kind::Action),
            ("Successful configuration change rollback", Kind::Rollback),
            ("Server restarts begin", Kind::Restart),
            ("we carry out several tests", Kind::Action),
            ("100% of traffic back online", Kind::End),
            ("a configuration change was released to production", Kind::Change),
            ("first 502s", Kind::Start),
            ("502s everywhere", Kind::Failing),
            ("the site is down", Kind::Failing),
            ("started to work on it", Kind::Action),
            ("anyone else seeing errors?", Kind::Failing),
            ("it started at", Kind::Start),
            ("customers start seeing errors", Kind::Start),
            ("all systems operational", Kind::End),
            ("errors cleared", Kind::End),
            ("nginx reloaded", Kind::Reload),
            ("nginx started failing", Kind::Start),
            ("site goes down", Kind::Start),
            ("monitoring confirms recovery", Kind::Declared),
            ("users reported errors", Kind::Detected),
            ("service was restored", Kind::End),
            ("nginx was stopped", Kind::Stop),
            ("deployed v2.3", Kind::Deploy),
            ("Incident start", Kind::Start),
            ("Start:", Kind::Start),
            ("End |", Kind::End),
            ("no further errors", Kind::End),
            ("requests began failing", Kind::Start),
            ("pager alert fires", Kind::Detected),
            ("customers could reach the shop again; everything back to normal", Kind::End),
        ] {
            assert_eq!(kind(clause), Some(want), "{clause}");
        }
        for nothing in ["lunch", "the team ate", "service was not restored"] {
            assert_eq!(kind(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_a_restart_is_of() {
        assert_eq!(about_nginx("restarted the proxy"), Some(true));
        assert_eq!(about_nginx("restarted the database"), Some(false));
        assert_eq!(about_nginx("server restarts begin"), None);
    }
}
