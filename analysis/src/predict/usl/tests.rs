use common::report::prediction::ScalabilityLaw;
use proptest::prelude::{ProptestConfig, prop_assert, proptest};

use super::{law, student_t, throughput};

#[track_caller]
fn near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance * expected.abs(), "{value} is not {expected}");
}

fn fitted(points: &[(f64, f64)]) -> ScalabilityLaw {
    law(points).unwrap()
}

/// Throughput of a Cisco benchmark by concurrency, with the coefficients in B. Schwartz, *Practical Scalability Analysis with
/// the Universal Scalability Law* (2015).
#[test]
fn the_published_coefficients_of_the_cisco_benchmark() {
    let throughputs = [
        955.16, 1878.91, 2688.01, 3548.68, 4315.54, 5130.43, 5931.37, 6531.08, 7219.8, 7867.61, 8278.71, 8646.7,
        9047.84, 9426.55, 9645.37, 9897.24, 10097.6, 10240.5, 10532.39, 10798.52, 11151.43, 11518.63, 11806.0,
        12089.37, 12075.41, 12177.29, 12211.41, 12158.93, 12155.27, 12118.04, 12140.4, 12074.39,
    ];
    let points: Vec<(f64, f64)> = (1..).map(f64::from).zip(throughputs).collect();
    let law = fitted(&points);
    near(law.sigma.value, 0.026_715_91, 1e-5);
    near(law.kappa.value, 7.690_945e-4, 1e-5);
    near(law.lambda_per_s.value, 995.6486, 1e-5);
    near(throughput(&law, 35.0), 12_341.745, 1e-5);
    near(law.peak_workers.unwrap(), 35.57, 1e-3);
    // Thirty-two points: every interval is narrow, and none reaches 0.
    for (coefficient, width) in [(law.sigma, 0.4), (law.kappa, 0.3), (law.lambda_per_s, 0.1)] {
        assert!(coefficient.low > coefficient.value * (1.0 - width), "{coefficient:?}");
        assert!(coefficient.high.unwrap() < coefficient.value * (1.0 + width), "{coefficient:?}");
    }
}

/// SPARCcenter 2000 in SPEC SDM 91, with the coefficients and standard errors that the R package `usl` (S. Moeding) publishes.
#[test]
fn the_published_coefficients_of_spec_sdm91() {
    let points =
        [(1.0, 64.9), (18.0, 995.9), (36.0, 1652.4), (72.0, 1853.2), (108.0, 1828.9), (144.0, 1775.0), (216.0, 1702.2)];
    let law = fitted(&points);
    near(law.sigma.value, 0.027_728_5, 1e-4);
    near(law.kappa.value, 0.000_104_4, 1e-3);
    near(law.lambda_per_s.value, 89.995_233, 1e-5);
    near(law.peak_workers.unwrap(), ((1.0 - 0.027_728_5) / 0.000_104_4f64).sqrt(), 1e-3);
    // Estimate +- 2.776 standard errors is 0.0024 to 0.0531 and 0.000049 to 0.00016: profiles are no symmetric copies of them,
    // but of their size.
    let width =
        |low: f64, high: Option<f64>, standard_error: f64| (high.unwrap() - low) / (2.0 * 2.776 * standard_error);
    for (coefficient, standard_error) in
        [(law.sigma, 0.009_121_7), (law.kappa, 0.000_019_9), (law.lambda_per_s, 14.213_489)]
    {
        let ratio = width(coefficient.low, coefficient.high, standard_error);
        assert!((0.7..1.8).contains(&ratio), "{coefficient:?}: {ratio}");
        assert!(coefficient.low > 0.0 && coefficient.low < coefficient.value);
    }
}

/// A ray tracer on up to 64 processors (Gunther 2007): without the constraint kappa would be negative. Coefficients as that R
/// package publishes them.
#[test]
fn a_coefficient_at_its_constraint() {
    let throughputs = [20.0, 78.0, 130.0, 170.0, 190.0, 200.0, 210.0, 230.0, 260.0, 280.0, 310.0];
    let processors = [1.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0, 32.0, 48.0, 64.0];
    let law = fitted(&processors.into_iter().zip(throughputs).collect::<Vec<_>>());
    near(law.sigma.value, 0.0578, 2e-3);
    near(law.lambda_per_s.value, 21.8488, 1e-4);
    assert_eq!((law.kappa.value, law.kappa.low, law.peak_workers), (0.0, 0.0, None));
    assert!((1e-6..1e-3).contains(&law.kappa.high.unwrap()), "{:?}", law.kappa);
}

#[test]
fn what_cannot_be_fitted() {
    let three = [(1.0, 10.0), (2.0, 19.0), (4.0, 35.0), (4.0, 36.0), (2.0, 19.5)];
    assert_eq!(law(&three), None);
    assert_eq!(law(&[(1.0, 10.0), (2.0, 0.0), (3.0, 20.0), (4.0, 25.0)]), None);
    assert_eq!(law(&[(1.0, 10.0), (2.0, f64::NAN), (3.0, 20.0), (4.0, 25.0)]), None);
    assert_eq!(law(&[]), None);
}

/// Perfect scaling has neither contention nor coherency, and no peak.
#[test]
fn a_straight_line() {
    let law = fitted(&[1.0, 2.0, 8.0, 32.0, 500.0].map(|workers| (workers, 7.0 * workers)));
    near(law.lambda_per_s.value, 7.0, 1e-9);
    assert!(law.sigma.value < 1e-9 && law.kappa.value < 1e-9, "{law:?}");
}

#[test]
fn quantiles_of_student() {
    for (freedom, expected) in
        [(1.0, 12.7062), (2.0, 4.3027), (3.0, 3.1824), (4.0, 2.7764), (10.0, 2.2281), (1e9, 1.96)]
    {
        near(student_t(freedom), expected, 2e-3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What is made by the law is found again, whatever its coefficients, and lies in its interval.
    #[test]
    fn made_by_the_law(lambda in 1.0..10_000f64, sigma in 0.0..0.5f64, kappa in 0.0..0.01f64) {
        let x = |workers: f64| lambda * workers / (1.0 + sigma * (workers - 1.0) + kappa * workers * (workers - 1.0));
        let found = fitted(&[1.0, 2.0, 4.0, 28.0, 100.0, 500.0].map(|workers| (workers, x(workers))));
        prop_assert!((found.lambda_per_s.value / lambda - 1.0).abs() < 1e-6);
        prop_assert!((found.sigma.value - sigma).abs() < 1e-6 * (1.0 + sigma) && (found.kappa.value - kappa).abs() < 1e-7);
    }

    /// Noise never makes a coefficient negative, nor an interval that leaves its estimate out.
    #[test]
    fn constraints_hold(noise in proptest::collection::vec(0.7..1.3f64, 6), sigma in 0.0..0.2f64) {
        let workers = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
        let points: Vec<(f64, f64)> =
            workers.into_iter().zip(noise).map(|(n, noise)| (n, noise * 100.0 * n / (1.0 + sigma * (n - 1.0)))).collect();
        let found = fitted(&points);
        for coefficient in [found.lambda_per_s, found.sigma, found.kappa] {
            prop_assert!(0.0 <= coefficient.low && coefficient.low <= coefficient.value);
            prop_assert!(coefficient.high.is_none_or(|high| high >= coefficient.value));
        }
    }
}
