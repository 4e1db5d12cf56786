//! Which values a plan may have. The machine is not asked.

use super::{PlanError, Repeat, Settings, Task, TaskKind, Workers};

/// Bounds that no machine exceeds and that keep arithmetic exact.
const RATE_MAX: f64 = 10_000_000.0;
const WORKERS_MAX: u32 = 1_000_000;
/// Fewer have no 97 % interval: 2 / 2^6 is above 3 %.
const EXTENDED_BLOCKS_MIN: u32 = 8;
/// The further the second look lies from the first, the less it has in common with it, and the more the two err together:
/// up to here it is 5 %.
const EXTENSION_MAX: u32 = 3;

/// A number above 0.
pub(super) fn positive(key: &str, value: f64, max: f64, unit: &str) -> Result<(), PlanError> {
    if value.is_finite() && value > 0.0 && value <= max {
        Ok(())
    } else {
        Err(PlanError::value(key, value, format!("{unit} above 0 and at most {max}")))
    }
}

/// A rate, above 0 unless it `may_be_0`.
pub(super) fn rate(key: &str, value: f64, may_be_0: bool) -> Result<(), PlanError> {
    match value {
        0.0 if may_be_0 => Ok(()),
        _ if may_be_0 && !(0.0..=RATE_MAX).contains(&value) => {
            Err(PlanError::value(key, value, format!("tasks a second from 0 to {RATE_MAX}")))
        }
        _ => positive(key, value, RATE_MAX, "tasks a second"),
    }
}

impl Repeat {
    pub(super) fn validate(&self) -> Result<(), PlanError> {
        if !(1..=10_000).contains(&self.blocks) {
            return Err(PlanError::value("repeat.blocks", self.blocks, "1 to 10000; 10 for a verdict"));
        }
        if let Some(extend_to) = self.extend_to {
            self.validate_extension(extend_to)?;
        }
        if !(self.margin > 0.0 && self.margin < 1.0) {
            return Err(PlanError::value("repeat.margin", self.margin, "a share above 0 and below 1, such as 0.03"));
        }
        Ok(())
    }

    fn validate_extension(&self, extend_to: u32) -> Result<(), PlanError> {
        let blocks = self.blocks;
        if blocks < EXTENDED_BLOCKS_MIN || !blocks.is_multiple_of(2) {
            let expected = format!(
                "an even number, {EXTENDED_BLOCKS_MIN} at least, where repeat.extend_to is set: a first look needs it"
            );
            return Err(PlanError::value("repeat.blocks", blocks, expected));
        }
        if !extend_to.is_multiple_of(2) || extend_to <= blocks || extend_to > EXTENSION_MAX * blocks {
            let expected = format!(
                "an even number above repeat.blocks = {blocks} and at most {EXTENSION_MAX} times as many, such as {}",
                2 * blocks
            );
            return Err(PlanError::value("repeat.extend_to", extend_to, expected));
        }
        Ok(())
    }
}

impl Settings {
    /// Every value by itself and with its neighbours.
    pub(super) fn validate(&self) -> Result<(), PlanError> {
        let Settings { task, load, workers, slo, redis, dyno: _, queue: _ } = self;
        load.validate()?;
        positive("task.payload_kb", task.payload_kb, 16_384.0, "kilobytes")?;
        task.validate()?;
        self.validate_queue()?;
        if task.kind == TaskKind::Replay && !task.prefill {
            let expected = "true: a replay is encoded for documents that are there";
            return Err(PlanError::value("task.prefill", task.prefill, expected));
        }
        if !(1..=100_000).contains(&task.list_max) {
            return Err(PlanError::value("task.list_max", task.list_max, "1 to 100000 flats"));
        }
        if !(1..=1_000).contains(&workers.dynos) {
            return Err(PlanError::value("workers.dynos", workers.dynos, "1 to 1000 processes"));
        }
        workers.validate()?;
        if let Some(p99) = slo.response_p99_ms {
            positive("slo.response_p99_ms", p99, 3_600_000.0, "milliseconds")?;
        }
        positive("slo.drain_within_s", slo.drain_within_s, 3_600.0, "seconds")?;
        positive("redis.connect_timeout_s", redis.connect_timeout_s, 3_600.0, "seconds")?;
        positive("redis.response_timeout_s", redis.response_timeout_s, 3_600.0, "seconds")?;
        positive("redis.checkout_timeout_s", redis.checkout_timeout_s, 3_600.0, "seconds")?;
        redis.validate_distance()
    }
}

impl Task {
    /// What only some kinds have.
    fn validate(&self) -> Result<(), PlanError> {
        let usual = Task::of(self.kind);
        let synthetic: &[TaskKind] = &[TaskKind::Synthetic];
        let permits = |permits: Option<u32>| permits.map_or_else(String::new, |permits| permits.to_string());
        let own: [(&str, String, String, &[TaskKind]); 6] = [
            (
                "task.redis_round_trips",
                self.redis_round_trips.to_string(),
                usual.redis_round_trips.to_string(),
                synthetic,
            ),
            ("task.cpu_us", self.cpu_us.to_string(), usual.cpu_us.to_string(), synthetic),
            ("task.sleep_ms", self.sleep_ms.to_string(), usual.sleep_ms.to_string(), synthetic),
            ("task.permits", permits(self.permits), permits(None), &[TaskKind::Synthetic, TaskKind::Order]),
            ("task.fail_share", self.fail_share.to_string(), usual.fail_share.to_string(), &[TaskKind::Job]),
            ("task.time_scale", self.time_scale.to_string(), usual.time_scale.to_string(), &[TaskKind::Order]),
        ];
        for (key, value, usual, kinds) in own {
            if value != usual && !kinds.contains(&self.kind) {
                let kinds: Vec<String> = kinds.iter().map(|kind| format!("{:?}", kind.name())).collect();
                let expected = format!("only task.kind = {} has it: leave it out", kinds.join(" or "));
                return Err(PlanError::value(key, value, expected));
            }
        }
        if !(0.0..=1.0).contains(&self.fail_share) {
            return Err(PlanError::value("task.fail_share", self.fail_share, "a share from 0 to 1"));
        }
        positive("task.time_scale", self.time_scale, 1_000.0, "a scale")?;
        if self.redis_round_trips > 1_000 {
            return Err(PlanError::value("task.redis_round_trips", self.redis_round_trips, "0 to 1000"));
        }
        if !(0.0..=1e6).contains(&self.cpu_us) {
            return Err(PlanError::value("task.cpu_us", self.cpu_us, "microseconds from 0 to 1000000"));
        }
        if !(0.0..=60_000.0).contains(&self.sleep_ms) {
            return Err(PlanError::value("task.sleep_ms", self.sleep_ms, "milliseconds from 0 to 60000"));
        }
        match self.permits {
            Some(0) => Err(PlanError::value("task.permits", 0, "at least 1: no task could ever begin")),
            _ => Ok(()),
        }
    }
}

impl Workers {
    fn validate(&self) -> Result<(), PlanError> {
        let count = |key: &str, count: u32| match count {
            1..=WORKERS_MAX => Ok(()),
            _ => Err(PlanError::value(key, count, format!("1 to {WORKERS_MAX} workers in a dyno"))),
        };
        let backlog_max = |key: &str, limit: u32| match limit {
            0 => Err(PlanError::value(key, limit, "at least 1 waiting task")),
            _ => Ok(()),
        };
        count("workers.count", self.count)?;
        backlog_max("workers.backlog_max", self.backlog_max)?;
        for (position, one) in self.overrides.iter().enumerate() {
            if one.dyno >= self.dynos {
                let expected = format!("dynos are counted from 0 and there are {}", self.dynos);
                return Err(PlanError::value("workers.override.dyno", one.dyno, expected));
            }
            if self.overrides[..position].iter().any(|before| before.dyno == one.dyno) {
                return Err(PlanError::value("workers.override.dyno", one.dyno, "one override for a dyno, not two"));
            }
            one.count.map_or(Ok(()), |own| count("workers.override.count", own))?;
            one.backlog_max.map_or(Ok(()), |own| backlog_max("workers.override.backlog_max", own))?;
        }
        Ok(())
    }
}
