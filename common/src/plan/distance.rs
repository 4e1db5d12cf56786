//! The network distance between dynos and server: names for usual ones, and what a plan may ask for.

use toml::{Table, Value};

use super::{PlanError, RedisSettings};

/// Distances by name, microseconds a round trip.
pub const PRESETS: [(&str, u32); 4] = [("loopback", 0), ("same-az", 200), ("heroku", 1_200), ("wan", 50_000)];
/// Ten seconds.
const RTT_US_MAX: u32 = 10_000_000;

/// Replaces names of distances in `redis.rtt_us` by their numbers: a plan is the same plan, whichever it was written with.
pub(super) fn name_to_number(plan: &mut Table) -> Result<(), PlanError> {
    let value = plan.get_mut("redis").and_then(Value::as_table_mut).and_then(|redis| redis.get_mut("rtt_us"));
    match value {
        Some(Value::Array(list)) => list.iter_mut().try_for_each(replace),
        Some(value) => replace(value),
        None => Ok(()),
    }
}

fn replace(value: &mut Value) -> Result<(), PlanError> {
    let Some(name) = value.as_str() else { return Ok(()) };
    match PRESETS.iter().find(|(preset, _)| *preset == name) {
        Some(&(_, rtt_us)) => *value = Value::Integer(rtt_us.into()),
        None => {
            let presets: Vec<String> = PRESETS.iter().map(|(name, rtt_us)| format!("{name} ({rtt_us})")).collect();
            let expected = format!("whole microseconds, or one of {}", presets.join(", "));
            return Err(PlanError::value("redis.rtt_us", format!("{name:?}"), expected));
        }
    }
    Ok(())
}

impl RedisSettings {
    /// Longest round trip that the asked distance makes of one that takes no time, seconds.
    #[must_use]
    pub fn distance_s_max(&self) -> f64 {
        (f64::from(self.rtt_us) + f64::from(self.jitter_us)) / 1e6
    }

    pub(super) fn validate_distance(&self) -> Result<(), PlanError> {
        if self.rtt_us > RTT_US_MAX {
            return Err(PlanError::value("redis.rtt_us", self.rtt_us, format!("microseconds from 0 to {RTT_US_MAX}")));
        }
        if self.jitter_us > self.rtt_us {
            let expected = format!("at most redis.rtt_us, which is {}", self.rtt_us);
            return Err(PlanError::value("redis.jitter_us", self.jitter_us, expected));
        }
        // AUTH and SELECT are part of opening a connection, and go the whole way.
        let timeouts = [
            ("redis.response_timeout_s", self.response_timeout_s),
            ("redis.connect_timeout_s", self.connect_timeout_s),
        ];
        for (key, timeout_s) in timeouts {
            if self.distance_s_max() >= timeout_s {
                let expected = format!(
                    "more than redis.rtt_us and redis.jitter_us, which are {} s together",
                    self.distance_s_max()
                );
                return Err(PlanError::value(key, timeout_s, expected));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::Plan;

    const MINIMAL: &str = "name = \"t\"\n[task]\nkind = \"document\"\n[load]\nrate_per_s = 100\nduration_s = 5\n[workers]\ncount = 1\n\
                           [[variant]]\nname = \"a\"\nengine = \"async\"\n";

    fn parse(sets: &[&str]) -> Result<Plan, String> {
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        Plan::parse(MINIMAL, &sets).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_and_its_number_are_the_same_plan() {
        let number = parse(&["redis.rtt_us=1200"]).unwrap();
        assert_eq!(parse(&["redis.rtt_us=heroku"]).unwrap(), number);
        assert_eq!((number.cells[0].settings.redis.rtt_us, number.cells[0].settings.redis.jitter_us), (1200, 0));
        assert_eq!(parse(&[]).unwrap().cells[0].settings.redis.rtt_us, 0);
        let swept = parse(&["redis.rtt_us=[\"loopback\", 200, \"heroku\", \"wan\"]"]).unwrap();
        let asked: Vec<u32> = swept.cells.iter().map(|cell| cell.settings.redis.rtt_us).collect();
        assert_eq!(asked, [0, 200, 1200, 50_000]);
        assert_eq!(swept.cells[2].parameters["redis.rtt_us"], 1200);
    }

    #[test]
    fn impossible_distances_are_refused() {
        for (sets, message) in [
            (
                ["redis.rtt_us=moon", "redis.jitter_us=0"],
                "redis.rtt_us = \"moon\": whole microseconds, or one of loopback (0), same-az (200), heroku (1200), wan (50000)",
            ),
            (["redis.rtt_us=-1", "redis.jitter_us=0"], "redis.rtt_us = -1: a whole number, not negative"),
            (
                ["redis.rtt_us=10000001", "redis.jitter_us=0"],
                "redis.rtt_us = 10000001: microseconds from 0 to 10000000",
            ),
            (["redis.rtt_us=200", "redis.jitter_us=201"], "redis.jitter_us = 201: at most redis.rtt_us, which is 200"),
            (["redis.rtt_us=0", "redis.jitter_us=1"], "redis.jitter_us = 1: at most redis.rtt_us, which is 0"),
            (["redis.rtt_us=1200", "redis.rtt_us=[1200, \"heroku\"]"], "redis.rtt_us = [1200, 1200]: every value once"),
            (
                ["redis.rtt_us=3000000", "redis.jitter_us=2000000"],
                "redis.response_timeout_s = 5: more than redis.rtt_us and redis.jitter_us, which are 5 s together",
            ),
        ] {
            assert_eq!(parse(&sets).map(|_| "a plan"), Err(message.to_owned()), "{sets:?}");
        }
        let far = ["redis.rtt_us=10000000", "redis.response_timeout_s=11", "redis.connect_timeout_s=11"];
        assert!(parse(&far).is_ok());
        assert_eq!(
            parse(&far[..2]).map(|_| "a plan"),
            Err("redis.connect_timeout_s = 1: more than redis.rtt_us and redis.jitter_us, which are 10 s together"
                .to_owned())
        );
    }
}
