//! Formulas for mean waits in queues. Pure: times come out in the unit in which they go in.
//!
//! Variability is given as squared coefficients of variation, variance / mean^2: `ca2` of the gaps between arrivals, `cs2` of
//! service; 0 when even, 1 when exponential.

/// Probability that a task has to wait for one of `servers` that work at `load` erlangs (rate x mean service), with Poisson
/// arrivals and exponential service; `None` unless 0 <= `load` < `servers`.
///
/// Source: Erlang 1917, by the recursion of the loss formula B(c) = a B(c-1) / (c + a B(c-1)), and
/// C = B / (1 - rho (1 - B)).
#[must_use]
pub fn erlang_c(servers: u32, load: f64) -> Option<f64> {
    let utilisation = utilisation(servers, load)?;
    let lost = (1..=servers).fold(1.0, |lost, servers| load * lost / (f64::from(servers) + load * lost));
    Some(lost / (1.0 - utilisation * (1.0 - lost)))
}

/// Mean wait in M/M/c, a common queue with Poisson arrivals and exponential service: C s / (c - a). `None` as [`erlang_c`].
#[must_use]
pub fn mmc_wait(servers: u32, load: f64, service: f64) -> Option<f64> {
    Some(erlang_c(servers, load)? * service / (f64::from(servers) - load))
}

/// Mean wait in G/G/c, a common queue: that of M/M/c times (ca2 + cs2) / 2 (Allen 1990; Cunneen). Exact for M/M/c and, by
/// Pollaczek and Khinchine, for M/G/1. `None` as [`erlang_c`].
#[must_use]
pub fn common_queue_wait(servers: u32, load: f64, service: f64, ca2: f64, cs2: f64) -> Option<f64> {
    Some(mmc_wait(servers, load, service)? * (ca2 + cs2) / 2.0)
}

/// Mean wait in G/G/1 at `utilisation`: s rho / (1 - rho) (ca2 + cs2) / 2 g, where g = exp(-2 (1 - rho) (1 - ca2)^2 /
/// (3 rho (ca2 + cs2))) for arrivals that are smoother than Poisson, else 1 (Kingman 1961; Kraemer and Langenbach-Belz 1976).
/// `None` unless 0 <= `utilisation` < 1.
#[must_use]
pub fn own_queue_wait(utilisation: f64, service: f64, ca2: f64, cs2: f64) -> Option<f64> {
    let rho = self::utilisation(1, utilisation)?;
    let variability = ca2 + cs2;
    if rho == 0.0 || variability == 0.0 {
        return Some(0.0);
    }
    let smoother = if ca2 < 1.0 { -2.0 * (1.0 - rho) * (1.0 - ca2).powi(2) / (3.0 * rho * variability) } else { 0.0 };
    Some(service * rho / (1.0 - rho) * variability / 2.0 * smoother.exp())
}

/// What one of `queues` sees of arrivals that are given to them at random: splitting makes them more like Poisson.
#[must_use]
pub fn after_random_choice(ca2: f64, queues: u32) -> f64 {
    let queues = f64::from(queues.max(1));
    ca2 / queues + 1.0 - 1.0 / queues
}

/// What one of `queues` sees of arrivals that are given to them in turn: the sum of as many gaps as there are queues varies
/// less than one gap.
#[must_use]
pub fn after_turns(ca2: f64, queues: u32) -> f64 {
    ca2 / f64::from(queues.max(1))
}

/// load / servers, where that leaves a steady state.
fn utilisation(servers: u32, load: f64) -> Option<f64> {
    let utilisation = load / f64::from(servers);
    (0.0..1.0).contains(&utilisation).then_some(utilisation)
}

#[cfg(test)]
mod tests {
    use super::{after_random_choice, after_turns, common_queue_wait, erlang_c, mmc_wait, own_queue_wait};

    #[track_caller]
    fn check(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() <= 1e-4 * expected.max(1e-9), "{value} is not {expected}");
    }

    /// Closed forms for one and two servers, and the usual tables of Erlang C.
    #[test]
    fn probabilities_of_waiting() {
        for rho in [0.0, 0.1, 0.5, 0.9, 0.99] {
            check(erlang_c(1, rho), rho);
            check(erlang_c(2, 2.0 * rho), 2.0 * rho * rho / (1.0 + rho));
        }
        for (servers, load, expected) in [(5, 4.0, 0.554_113), (10, 8.0, 0.409_180), (3, 2.0, 4.0 / 9.0)] {
            check(erlang_c(servers, load), expected);
        }
        // Sums of factorials give out long before this; the recursion does not.
        assert!(erlang_c(10_000, 9_900.0).unwrap() < 0.5);
        for load in [-1.0, 5.0, 7.0, f64::NAN] {
            assert_eq!(erlang_c(5, load), None, "{load}");
        }
        assert_eq!(erlang_c(0, 0.0), None);
    }

    #[test]
    fn waits_in_textbook_queues() {
        // M/M/1: rho / (1 - rho) services; M/M/2: rho^2 / (1 - rho^2).
        check(mmc_wait(1, 0.8, 1.0), 4.0);
        check(mmc_wait(2, 1.6, 1.0), 0.64 / 0.36);
        // M/M/5 at 4 erlangs: C / (c - a).
        check(mmc_wait(5, 4.0, 10.0), 5.541_13);
        // M/D/1 waits half as long as M/M/1, and M/G/1 in between (Pollaczek, Khinchine).
        for (cs2, expected) in [(0.0, 2.0), (0.5, 3.0), (1.0, 4.0), (3.0, 8.0)] {
            check(common_queue_wait(1, 0.8, 1.0, 1.0, cs2), expected);
            check(own_queue_wait(0.8, 1.0, 1.0, cs2), expected);
        }
        check(common_queue_wait(2, 1.6, 1.0, 1.0, 0.0), 0.32 / 0.36);
        assert_eq!(own_queue_wait(1.0, 1.0, 1.0, 1.0), None);
        assert_eq!(common_queue_wait(2, 2.5, 1.0, 1.0, 1.0), None);
    }

    /// D/M/1 and E2/M/1 have exact answers, sigma / (1 - sigma) services with sigma = A*(1 - sigma): the approximation is
    /// made to come near them.
    #[test]
    fn smooth_arrivals_wait_less() {
        let root = |transform: fn(f64, f64) -> f64, rho: f64| (0..200).fold(0.5, |sigma, _| transform(sigma, rho));
        let even = |sigma: f64, rho: f64| (-(1.0 - sigma) / rho).exp();
        let erlang = |sigma: f64, rho: f64| (2.0 / (2.0 + rho.recip() * (1.0 - sigma))).powi(2);
        for rho in [0.5, 0.7, 0.9] {
            for (ca2, sigma) in [(0.0, root(even, rho)), (0.5, root(erlang, rho))] {
                let (exact, near) = (sigma / (1.0 - sigma), own_queue_wait(rho, 1.0, ca2, 1.0).unwrap());
                assert!((near / exact - 1.0).abs() < 0.09, "rho {rho}, ca2 {ca2}: {near}, exactly {exact}");
            }
        }
        assert_eq!(own_queue_wait(0.9, 1.0, 0.0, 0.0), Some(0.0));
    }

    #[test]
    fn arrivals_are_shared_out() {
        assert_eq!([after_turns(1.0, 28), after_turns(0.0, 28)], [1.0 / 28.0, 0.0]);
        assert_eq!([after_random_choice(1.0, 28), after_random_choice(0.0, 4)], [1.0, 0.75]);
    }
}
