//! Limits (`limit_req`): what they refuse as meant, and what they refuse to the public.

use crate::HALF;
use crate::site::{Hit, Site};

const LOOPS: &str = "203.0.113.9";

fn record(h: &Hit) -> (f64, String) {
    let text = format!(
        "[error] 9#9: *{} limiting requests, excess: 1.000 by zone \"z\", client: {}, server: a.example, \
         request: \"GET {} HTTP/1.1\", host: \"a.example\"",
        (h.at * 10.0) as u64,
        h.client,
        h.path
    );
    (h.at, text)
}

/// Fifteen hundred requests of one client in 75 seconds.
fn looping() -> impl Iterator<Item = Hit> {
    (0..1500).map(|i| Hit {
        at: HALF + 0.05 * f64::from(i),
        client: LOOPS.into(),
        path: "/api/stock".into(),
        status: 200,
        took: 0.01,
    })
}

/// Refuses what is chosen of a minute and a half, by number.
fn judged(site: &Site, mut hits: Vec<Hit>, incidents: usize, refused: impl Fn(usize, &Hit) -> bool) {
    for (n, h) in hits.iter_mut().enumerate() {
        if (HALF..HALF + 90.0).contains(&h.at) && refused(n, h) {
            h.status = 503;
        }
    }
    let errors: Vec<_> = hits.iter().filter(|h| h.status == 503).map(record).collect();
    let report = site.report(&hits, &errors);
    assert_eq!(report.incidents.len(), incidents, "{:#?} {:#?}", report.incidents, report.findings);
    if let Some(i) = report.incidents.first() {
        assert_eq!(i.cause.as_ref().unwrap().category, "limit.rate", "{:?}", i.cause);
    }
}

#[test]
fn a_limit_that_refuses_the_public_is_an_outage() {
    let site = Site { seed: 88, rate: 10.0, ..Site::default() };
    judged(&site, site.hits(), 1, |n, _| n % 5 > 0);
    let hits = site.hits().into_iter().chain(looping()).collect();
    judged(&site, hits, 0, |_, h| h.client == LOOPS);
}

/// Behind balancers the log knows two clients. As much is asked as ever, and a fifth of it is served: or a loop asks on top
/// of it.
#[test]
fn a_limit_met_by_the_few_clients_of_a_log_is_told_by_what_they_ask() {
    let site = Site { seed: 89, rate: 10.0, clients: 2, ..Site::default() };
    judged(&site, site.hits(), 1, |n, _| n % 5 > 0);
    // Two fifths of the usual are missing, and nothing came on top.
    judged(&site, site.hits(), 1, |n, _| n % 5 > 2);
    let hits: Vec<Hit> = site.hits().into_iter().chain(looping()).collect();
    judged(&site, hits, 0, |_, h| h.client == LOOPS);
    // One of the two loops, and is refused most of all that it asks.
    let mut hits = site.hits();
    let own = hits[0].client.clone();
    hits.extend(looping().map(|h| Hit { client: own.clone(), ..h }));
    judged(&site, hits, 0, |n, h| h.client == own && n % 8 > 0);
}
