//! A small simulator of access counts with truth: for tests only.
//!
//! Sessions of several requests, a day curve, a background of failures that drifts and partly comes in bursts of one
//! client. Written to be unkind to the detection in the ways the real logs were.

use crate::detect::Tick;

/// `splitmix64` (Steele, Lea, Flood 2014).
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let (u, v) = (self.share().max(1e-300), self.share());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let (limit, mut product, mut n) = ((-mean).exp(), self.share(), 0);
        while product > limit {
            product *= self.share();
            n += 1;
        }
        n
    }

    pub(crate) fn binomial(&mut self, n: u32, p: f64) -> u32 {
        if p <= 0.0 || n == 0 {
            0
        } else if p >= 1.0 {
            n
        } else if n > 50 && f64::from(n) * p > 10.0 && f64::from(n) * (1.0 - p) > 10.0 {
            let mean = f64::from(n) * p;
            (mean + (mean * (1.0 - p)).sqrt() * self.normal()).round().clamp(0.0, f64::from(n)) as u32
        } else if f64::from(n) * p < 10.0 {
            self.poisson(f64::from(n) * p).min(n)
        } else {
            n - self.poisson(f64::from(n) * (1.0 - p)).min(n)
        }
    }
}

/// A fault in a simulated log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub start: i64,
    pub end: i64,
    /// Failing share.
    pub share: f64,
    /// Traffic meanwhile, against the usual.
    pub traffic: f64,
}

/// A log to simulate.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub seed: u64,
    pub origin: i64,
    pub seconds: i64,
    /// Requests a second on average.
    pub rate: f64,
    /// Usual share of failures.
    pub background: f64,
    pub day_curve: bool,
    /// Requests of one session on average.
    pub session: f64,
    pub faults: Vec<Fault>,
}

impl Log {
    pub(super) fn new(seed: u64, seconds: i64, rate: f64) -> Self {
        let origin = 1_700_000_000;
        Self {
            seed,
            origin,
            seconds,
            rate,
            background: 0.0,
            day_curve: false,
            session: 1.0,
            faults: Vec::new(),
        }
    }

    pub(super) fn with(mut self, start: i64, end: i64, share: f64, traffic: f64) -> Self {
        self.faults.push(Fault { start, end, share, traffic });
        self
    }

    pub(super) fn ticks(&self) -> Vec<Tick> {
        let mut r = Random(self.seed);
        let n = self.seconds as usize;
        let mut requests = vec![0u32; n + 16];
        let (mut wobble, mut drift, mut burst) = (0.0f64, 0.0f64, 0u32);
        for t in 0..n {
            // First-order autoregressive wobble of traffic (20 %) and of the background's level.
            wobble = 0.995 * wobble + 0.02 * r.normal();
            let day = if self.day_curve {
                1.0 + 0.7 * (t as f64 / 86_400.0 * std::f64::consts::TAU).sin()
            } else {
                1.0
            };
            let rate = self.rate * day * wobble.exp();
            if self.session <= 1.0 {
                requests[t] += r.poisson(rate);
            } else {
                for _ in 0..r.poisson(rate / self.session) {
                    let size = 1 + r.poisson(self.session - 1.0);
                    if self.rate > 20.0 {
                        requests[t + (r.next() % 8) as usize] += size;
                    } else {
                        for _ in 0..size {
                            requests[t + (r.next() % 8) as usize] += 1;
                        }
                    }
                }
            }
        }
        let mut ticks = Vec::new();
        for (t, &n) in requests[..n].iter().enumerate() {
            drift = 0.9995 * drift + 0.01 * r.normal();
            let fault = self.faults.iter().find(|f| (f.start..f.end).contains(&(t as i64)));
            let mut n = fault.map_or(n, |f| if f.traffic < 1.0 { r.binomial(n, f.traffic) } else { n });
            let share = fault.map_or(self.background * 0.7 * drift.exp(), |f| f.share);
            let mut failed = r.binomial(n, share.min(1.0));
            if fault.is_none() {
                // Three tenths of the background come as one client's bursts of three on average.
                if r.share() < f64::from(n) * self.background * 0.1 {
                    burst += 1 + r.poisson(2.0);
                }
                if burst > 0 && r.share() < 0.5 {
                    (failed, n) = (failed + 1, n + 1);
                    burst -= 1;
                }
            }
            if n > 0 {
                ticks.push(Tick { second: self.origin + t as i64, good: n - failed, neutral: 0, failed });
            }
        }
        ticks
    }
}
