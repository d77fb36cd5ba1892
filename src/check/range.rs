//! Threshold ranges as the monitoring plugin guidelines define them.

use std::fmt;
use std::str::FromStr;

/// Values that are no cause for alarm, or with `@` those that are: `10` is 0 to 10, `10:` from 10 on, `~:10` up to 10,
/// `10:20` between, `@10:20` alarms inside. Both ends belong to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    low: f64,
    high: f64,
    inside: bool,
    text: String,
}

impl Range {
    /// Whether this value is a cause for alarm.
    pub fn alerts(&self, value: f64) -> bool {
        let within = self.low <= value && value <= self.high;
        within == self.inside
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no range; write 5, 5:, ~:5, 5:10 or @5:10");
        let number = |t: &str| {
            // `inf`, `nan` and exponents are numbers for Rust and none for a plugin.
            let plain = t.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
            t.parse::<f64>().ok().filter(|_| plain).ok_or_else(wrong)
        };
        let bare = text.strip_prefix('@');
        let body = bare.unwrap_or(text).trim_end_matches('%');
        let (low, high) = match body.split_once(':') {
            None => (0.0, number(body)?),
            Some((low, high)) => {
                let low = match low {
                    "~" => f64::NEG_INFINITY,
                    "" => 0.0,
                    low => number(low)?,
                };
                (low, if high.is_empty() { f64::INFINITY } else { number(high)? })
            }
        };
        if low > high {
            return Err(format!("'{text}' begins above its end"));
        }
        let text = text.replace('%', "");
        Ok(Self { low, high, inside: bare.is_some(), text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_the_guidelines() {
        for (text, alarms, fine) in [
            ("10", [-0.1, 10.1], [0.0, 10.0]),
            ("10:", [9.9, -1.0], [10.0, 1e9]),
            ("~:10", [10.1, 11.0], [-1e9, 10.0]),
            ("10:20", [9.9, 20.1], [10.0, 20.0]),
            ("@10:20", [10.0, 20.0], [9.9, 20.1]),
            ("2.5%", [2.6, 100.0], [0.0, 2.5]),
        ] {
            let range: Range = text.parse().unwrap();
            assert!(alarms.iter().all(|v| range.alerts(*v)), "{text}");
            assert!(!fine.iter().any(|v| range.alerts(*v)), "{text}");
        }
        for wrong in ["", "a", "5:4", "1e3", "nan", "inf", "~", "1:2:3", "@", "|"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }
}
