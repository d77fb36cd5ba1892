//! Small statistics, each a pure function with its source.
//!
//! Nothing here knows logs. Every function takes degenerate input (no values, shares of 0 and 1, NaN) without panic,
//! for the counts come from files nobody has checked.

/// Robust standard deviation of a normal sample is its median absolute deviation divided by this
/// (the 3/4 quantile of the normal; Hampel 1974).
pub const MAD_TO_SD: f64 = 0.674_489_75;

/// Median of a chi-square variable with one degree of freedom: what the median of squared residuals is compared with.
pub const CHI_SQUARE_1_MEDIAN: f64 = 0.454_936_4;

/// The `q` quantile (0 to 1) by nearest rank; reorders `values`. `None` when there are none.
pub fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let rank = ((last as f64) * q.clamp(0.0, 1.0)).round() as usize;
    let (_, value, _) = values.select_nth_unstable_by(rank.min(last), f64::total_cmp);
    Some(*value)
}

/// The median, the mean of the two middle values where their number is even; reorders `values`.
pub fn median(values: &mut [f64]) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp).unwrap_or(upper);
    Some(f64::midpoint(lower, upper))
}

/// The median of a handful of values, sorted by insertion, which at a dozen values spares the selection's overhead.
pub fn median_of_few(values: &mut [f64]) -> Option<f64> {
    for i in 1..values.len() {
        let v = values[i];
        let mut at = i;
        while at > 0 && values[at - 1] > v {
            values[at] = values[at - 1];
            at -= 1;
        }
        values[at] = v;
    }
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[values.len() / 2 - 1], upper) })
}

/// Median absolute deviation from the median; reorders and overwrites `values`.
pub fn mad(values: &mut [f64]) -> Option<f64> {
    let middle = median(values)?;
    for v in values.iter_mut() {
        *v = (*v - middle).abs();
    }
    median(values)
}

/// Log-odds, with shares of 0 and 1 kept finite.
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}

/// `x ln y` with `0 ln 0 = 0`.
pub fn xlogy(x: f64, y: f64) -> f64 {
    if x > 0.0 { x * y.max(f64::MIN_POSITIVE).ln() } else { 0.0 }
}

/// Kullback-Leibler divergence of a coin with share `p` from one with share `q`, in nats.
pub fn bernoulli_kl(p: f64, q: f64) -> f64 {
    let (p, q) = (p.clamp(0.0, 1.0), q.clamp(1e-12, 1.0 - 1e-12));
    xlogy(p, p / q) + xlogy(1.0 - p, (1.0 - p) / (1.0 - q))
}

/// One-sided log-likelihood ratio of `k` of `n` against the usual share `usual`: `n KL(k/n || usual)`, zero where the
/// share is not above the usual one (Kulldorff 1997, equation for the Bernoulli model).
pub fn excess_nats(n: f64, k: f64, usual: f64) -> f64 {
    if n <= 0.0 || k <= n * usual { 0.0 } else { n * bernoulli_kl((k / n).min(1.0), usual) }
}

/// Poisson log-likelihood ratio for `seen` where `expected` were due, zero where as many or more came.
pub fn shortfall_nats(seen: f64, expected: f64) -> f64 {
    if expected <= 0.0 || seen >= expected {
        return 0.0;
    }
    xlogy(seen, seen / expected) - (seen - expected)
}

/// Natural log of the Chernoff bound on `P(X >= k)` for a Poisson variable: `-(k ln(k/m) - k + m)` above the mean
/// (Boucheron, Lugosi, Massart 2013, section 2.2).
pub fn poisson_tail_ln(k: f64, mean: f64) -> f64 {
    if k <= mean { 0.0 } else { -(xlogy(k, k / mean.max(1e-300)) - k + mean) }
}

/// Nats below a value at which what is added to it lies below its last bit.
const NOTHING: f64 = -50.0;

/// `ln(e^a + e^b)` without overflow.
#[inline]
pub fn ln_add_exp(a: f64, b: f64) -> f64 {
    let (high, low) = if a >= b { (a, b) } else { (b, a) };
    // Most pairs are so far apart, and the two functions are all that this costs.
    if low == f64::NEG_INFINITY || low - high < NOTHING { high } else { add_near(high, low) }
}

#[inline(never)]
fn add_near(high: f64, low: f64) -> f64 {
    high + (low - high).exp().ln_1p()
}

/// Two-sided 95 % bounds of a Poisson mean after `seen` events, with its dispersion (square-root transform,
/// Anscombe 1948).
pub fn poisson_bounds(seen: f64, dispersion: f64) -> (f64, f64) {
    let (root, half) = (seen.max(0.0).sqrt(), 0.98 * dispersion.max(1.0).sqrt());
    ((root - half).max(0.0).powi(2), (root + half).powi(2))
}

/// The median of the last `N` values pushed. The values are kept sorted beside their order, so a push costs a dozen
/// moves and the median nothing.
#[derive(Debug, Clone)]
pub struct SlidingMedian<const N: usize> {
    ring: [f64; N],
    sorted: [f64; N],
    next: usize,
    kept: usize,
}

impl<const N: usize> Default for SlidingMedian<N> {
    fn default() -> Self {
        Self { ring: [0.0; N], sorted: [0.0; N], next: 0, kept: 0 }
    }
}

impl<const N: usize> SlidingMedian<N> {
    /// Takes in a value, and drops the one pushed `N` values before.
    pub fn push(&mut self, value: f64) {
        if N == 0 {
            return;
        }
        let mut at = if self.kept == N {
            let old = self.ring[self.next];
            // A NaN is equal to nothing: then the first place is as good as any.
            self.sorted.iter().position(|v| *v == old).unwrap_or(0)
        } else {
            self.kept += 1;
            self.kept - 1
        };
        self.sorted[at] = value;
        while at > 0 && self.sorted[at - 1] > value {
            self.sorted.swap(at, at - 1);
            at -= 1;
        }
        while at + 1 < self.kept && self.sorted[at + 1] < value {
            self.sorted.swap(at, at + 1);
            at += 1;
        }
        self.ring[self.next] = value;
        self.next = (self.next + 1) % N;
    }

    /// How many values are held, `N` at most.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// The median of the values held.
    pub fn median(&self) -> Option<f64> {
        let held = &self.sorted[..self.kept];
        let upper = *held.get(held.len() / 2)?;
        Some(if held.len() % 2 == 1 { upper } else { f64::midpoint(held[held.len() / 2 - 1], upper) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn order_statistics() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median_of_few(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median_of_few(&mut [9.0, 7.0, 8.0]), Some(8.0));
        assert_eq!(median_of_few(&mut []), None);
        assert_eq!(quantile(&mut [5.0, 1.0, 3.0], 1.0), Some(5.0));
        assert_eq!(mad(&mut [1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]), Some(1.0));
    }

    #[test]
    fn the_sliding_median_is_the_median_of_the_last() {
        let values: Vec<f64> = (0..200u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 28)).collect();
        let mut sliding = SlidingMedian::<12>::default();
        for (i, v) in values.iter().enumerate() {
            sliding.push(*v);
            let from = (i + 1).saturating_sub(12);
            assert_eq!(sliding.median(), median(&mut values[from..=i].to_vec()));
        }
    }

    #[test]
    fn likelihoods() {
        assert!(near(bernoulli_kl(0.5, 0.5), 0.0));
        assert!(near(excess_nats(10.0, 10.0, 0.1), 10.0 * 10f64.ln()));
        assert_eq!(excess_nats(100.0, 1.0, 0.05), 0.0);
        assert!(near(shortfall_nats(0.0, 24.0), 24.0));
        assert!(poisson_tail_ln(20.0, 2.0) < -25.0);
        assert!(near(ln_add_exp(0.0, 0.0), 2f64.ln()));
        assert!(ln_add_exp(f64::NEG_INFINITY, -3.0) == -3.0);
    }

    #[test]
    fn odd_input_stays_finite() {
        for v in [0.0, 1.0, 2.0, -1.0] {
            assert!(
                logit(v).is_finite() && bernoulli_kl(v, v).is_finite() && excess_nats(v, v, v).is_finite()
            );
        }
        let (lo, hi) = poisson_bounds(0.0, 1.0);
        assert!(lo == 0.0 && hi < 4.0);
        assert!(median(&mut [f64::NAN, 1.0, 2.0]).is_some());
    }
}
