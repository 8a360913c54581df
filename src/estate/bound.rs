//! How large a rate may still be, after so many failures in so many trials.
//!
//! Two upper bounds, both one-sided. [`exact`] is for a look that was fixed beforehand: whoever looks again after more trials,
//! and stops when the number pleases, errs more often than it says. [`watched`] may be looked at after every trial, all
//! night long: the chance that it is *ever* below the true rate is at most `alpha`.

/// Both parameters of the beta distribution over which [`watched`] mixes: Jeffreys' prior. It leans towards rates near
/// nought, which is where limits are.
const PRIOR: f64 = 0.5;

/// Steps of a bisection: a double has no more digits.
const STEPS: usize = 60;

/// An upper bound that stays valid while people watch it: a confidence sequence.
///
/// Against the hypothesis that the rate is `p` or more stands a bet: the likelihood of what was seen under rates below
/// `p`, mixed by the prior cut off at `p`, over that under `p` itself. Under each rate of the hypothesis this ratio is a
/// non-negative supermartingale that begins at 1, because every rate below `p` loses on average, so it ever reaches
/// `1 / alpha` with a chance of at most `alpha` (Ville's inequality). The bound is the least `p` for which it has: from
/// there up it only grows.
///
/// Mixtures of this kind: H. Robbins, "Statistical Methods Related to the Law of the Iterated Logarithm", Annals of
/// Mathematical Statistics 41 (1970); for binomial rates S. Howard, A. Ramdas, J. `McAuliffe`, J. Sekhon, "Time-uniform,
/// nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021), section 3.
pub fn watched(failures: u64, trials: u64, alpha: f64) -> f64 {
    if failures >= trials {
        return 1.0;
    }
    let (k, n) = (failures as f64, trials as f64);
    crossing((k / n, 1.0), |p| ln_bet(k, n, p) >= -alpha.ln())
}

/// The logarithm of the bet against a rate of `p` or more.
fn ln_bet(k: f64, n: f64, p: f64) -> f64 {
    let (failed, passed) = (PRIOR + k, PRIOR + n - k);
    let mixed = ln_beta(failed, passed) + below(failed, passed, p).ln();
    let cut = ln_beta(PRIOR, PRIOR) + below(PRIOR, PRIOR, p).ln();
    mixed - cut - k * p.ln() - (n - k) * (-p).ln_1p()
}

/// The exact upper bound for one look: the rate at which so few failures have a chance of just `alpha`.
///
/// C. Clopper, E. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika
/// 26 (1934).
pub fn exact(failures: u64, trials: u64, alpha: f64) -> f64 {
    if failures >= trials {
        return 1.0;
    }
    let (k, n) = (failures as f64, trials as f64);
    // The chance of more than k failures is that of a beta distribution to be below p.
    crossing((k / n, 1.0), |p| below(k + 1.0, n - k, p) >= 1.0 - alpha)
}

/// The fewest trials in all with which `bound` is at most `limit`, if no more fail; none if there are more than a billion.
pub fn enough(failures: u64, limit: f64, bound: impl Fn(u64, u64) -> f64) -> Option<u64> {
    const MOST: u64 = 1_000_000_000;
    let reached = |trials| bound(failures, trials) <= limit;
    let mut most = failures + 1;
    while !reached(most) {
        most = most.checked_mul(2).filter(|trials| *trials <= MOST)?;
    }
    let mut least = most / 2;
    while most - least > 1 {
        let middle = least + (most - least) / 2;
        if reached(middle) {
            most = middle;
        } else {
            least = middle;
        }
    }
    Some(most)
}

/// Where `holds` begins to hold between two numbers; the upper one if it does nowhere.
fn crossing((mut low, mut high): (f64, f64), holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..STEPS {
        let middle = low.midpoint(high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The chance that a beta-distributed number is below `x`: the regularised incomplete beta function, by its continued
/// fraction (NIST Digital Library of Mathematical Functions, 8.17.22).
fn below(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return f64::from(u8::from(x >= 1.0));
    }
    // The fraction converges quickly on this side of the mean only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - below(b, a, 1.0 - x);
    }
    let front = a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b) - a.ln();
    front.exp() / fraction(a, b, x)
}

/// The continued fraction `1 + d1/(1 + d2/(1 + ...))`, from the front by Lentz's method: the value is the product of the
/// ratios of successive convergents.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TERMS: u32 = 20_000;
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut value, mut numerator, mut denominator) = (1.0, 1.0, 0.0);
    for term in 1..=TERMS {
        let m = f64::from(term / 2);
        let partial = if term % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        denominator = 1.0 / away(1.0 + partial * denominator);
        numerator = away(1.0 + partial / numerator);
        let step = numerator * denominator;
        value *= step;
        if (step - 1.0_f64).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// The logarithm of the beta function.
fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The logarithm of the gamma function of a positive number, by Stirling's series, exact to a dozen digits.
fn ln_gamma(x: f64) -> f64 {
    // The series is for large numbers: small ones are moved there.
    let mut x = x;
    let mut moved = 0.0;
    while x < 12.0 {
        moved += x.ln();
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    let series = (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, expected: f64) {
        let off = (found - expected).abs();
        assert!(off <= 1e-9 * expected.abs().max(1e-3), "{found} {expected}");
    }

    #[test]
    fn special_functions_have_their_known_values() {
        near(ln_gamma(1.0), 0.0);
        near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln());
        near(ln_gamma(11.0), 3_628_800_f64.ln());
        for x in [0.001, 0.2, 0.5, 0.9] {
            near(below(1.0, 1.0, x), x);
            near(below(2.0, 1.0, x), x * x);
            near(below(1.0, 3.0, x), 1.0 - (1.0 - x).powi(3));
            near(
                below(0.5, 0.5, x),
                2.0 / std::f64::consts::PI * x.sqrt().asin(),
            );
        }
        // Far from the mean, and with many trials.
        near(
            below(1.0, 1e6, 1e-6),
            1.0 - (1e6 * (-1e-6_f64).ln_1p()).exp(),
        );
        assert!(below(5_000.0, 5_000.0, 0.5).mul_add(2.0, -1.0).abs() < 1e-9);
    }

    #[test]
    fn the_exact_bound_is_that_of_the_tables() {
        // No failure in n trials: 1 - 0.05^(1/n).
        for (trials, percent) in [(300, 0.993), (1_000, 0.299), (3_000, 0.0998)] {
            let bound = exact(0, trials, 0.05);
            near(bound, 1.0 - 0.05_f64.powf(1.0 / trials as f64));
            assert!((100.0 * bound - percent).abs() < 0.001, "{bound}");
        }
        // Clopper and Pearson, one-sided at 95 %.
        assert!((exact(1, 10, 0.05) - 0.394_163).abs() < 1e-6);
        assert!((exact(4, 311, 0.05) - 0.029_2).abs() < 1e-4);
        near(exact(3, 3, 0.05), 1.0);
        near(exact(0, 0, 0.05), 1.0);
    }

    #[test]
    fn a_bound_that_may_be_watched_is_wider_and_narrows() {
        for (failures, trials) in [(0, 10), (0, 300), (2, 1_930), (4, 311), (50, 1_000_000)] {
            let (watched, exact) = (
                watched(failures, trials, 0.05),
                exact(failures, trials, 0.05),
            );
            assert!(watched > exact, "{failures} of {trials}: {watched} {exact}");
            assert!(super::watched(failures, trials * 2, 0.05) < watched);
            assert!(super::watched(failures + 1, trials, 0.05) > watched);
        }
        near(watched(0, 0, 0.05), 1.0);
    }

    #[test]
    fn above_the_bound_the_bet_is_won_everywhere() {
        for (failures, trials) in [
            (0_u64, 1_u64),
            (0, 7),
            (1, 9),
            (3, 500),
            (40, 5_000),
            (900, 1_000),
        ] {
            let bound = watched(failures, trials, 0.05);
            let mut last = 0.0;
            for step in 1..200 {
                let p = bound + (1.0 - bound) * f64::from(step) / 200.0;
                let bet = ln_bet(failures as f64, trials as f64, p);
                assert!(
                    bet >= last - 1e-9 && bet >= 20_f64.ln() - 1e-9,
                    "{failures} {trials} {p}"
                );
                last = bet;
            }
        }
    }

    #[test]
    fn enough_is_just_enough() {
        let bound = |k, n| exact(k, n, 0.05);
        assert_eq!(enough(0, 0.01, bound), Some(299));
        assert_eq!(enough(1, 0.01, bound), Some(473));
        assert_eq!(enough(0, 1e-12, bound), None);
        let watched = |k, n| watched(k, n, 0.05);
        let trials = enough(0, 0.01, watched).unwrap();
        assert!((299..=598).contains(&trials), "{trials}");
    }
}
