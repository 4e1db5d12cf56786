//! The `job` task: one arithmetic operation on two numbers, as JSON
//! `{"type":"Add","args":{"a":1.5,"b":2.0,"request_id":"17"}}`.
//!
//! A division by zero is a handler that says no; what is no such JSON, or of another type, no attempt can help.

use serde::{Deserialize, Serialize};

use crate::plan;
use crate::random::{self, Stream};
use crate::step::Outcome;

/// The operations, as jobs are dealt out.
const OPERATIONS: [Operation; 4] = [Operation::Add, Operation::Subtract, Operation::Multiply, Operation::Divide];

/// What all jobs of a run share.
#[derive(Debug)]
pub struct JobWork {
    seed: u64,
    fail_share: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Message {
    #[serde(rename = "type")]
    operation: Operation,
    args: Args,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Args {
    a: f64,
    b: f64,
    /// Text on the wire, or null. Nobody reads it here.
    #[serde(skip_deserializing, serialize_with = "as_text")]
    request_id: u64,
}

fn as_text<S: serde::Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// Why a job can never be run.
pub const MALFORMED: &str = "malformed job";
/// The same.
pub const UNKNOWN: &str = "unknown type of job";

/// One job, read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Job(Message);

impl Job {
    /// Reads a job.
    ///
    /// # Errors
    /// [`MALFORMED`] or [`UNKNOWN`].
    pub fn parse(payload: &[u8]) -> Result<Job, &'static str> {
        let message: Message = serde_json::from_slice(payload).map_err(|_| MALFORMED)?;
        if message.operation == Operation::Unknown { Err(UNKNOWN) } else { Ok(Job(message)) }
    }

    /// What it comes to; nothing when it divides by zero.
    #[must_use]
    pub fn result(self) -> Option<f64> {
        let Args { a, b, .. } = self.0.args;
        match self.0.operation {
            Operation::Add => Some(a + b),
            Operation::Subtract => Some(a - b),
            Operation::Multiply => Some(a * b),
            Operation::Divide if b != 0.0 => Some(a / b),
            Operation::Divide | Operation::Unknown => None,
        }
    }

    /// How it ends.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        if self.result().is_some() { Outcome::Completed } else { Outcome::Rejected }
    }
}

impl JobWork {
    /// `seed` is the block's.
    #[must_use]
    pub fn new(task: &plan::Task, seed: u64) -> JobWork {
        JobWork { seed: random::stream(seed, Stream::Contents), fail_share: task.fail_share }
    }

    /// Job `index`.
    fn message(&self, index: u64) -> Message {
        let bits = random::mix(self.seed, index);
        // Halves up to 500: sums of results are exact.
        let operand = |of: u64| random::below(random::mix(bits, of), 1000) as f64 / 2.0;
        let fails = (random::mix(bits, 3) as f64) < self.fail_share * 2f64.powi(64);
        if fails {
            return Message { operation: Operation::Divide, args: Args { a: operand(1), b: 0.0, request_id: index } };
        }
        let operation = OPERATIONS[random::below(bits, 4) as usize];
        // Never 0, and a power of two, so that quotients are exact as well.
        let b = if operation == Operation::Divide {
            f64::from(1 << random::below(random::mix(bits, 2), 4))
        } else {
            operand(2)
        };
        Message { operation, args: Args { a: operand(1), b, request_id: index } }
    }

    /// The JSON of job `index`, appended to `entry`.
    pub fn write(&self, index: u64, entry: &mut Vec<u8>) {
        // Writing to a vector cannot fail, and neither numbers nor names are beyond JSON.
        let written = serde_json::to_writer(entry, &self.message(index));
        debug_assert!(written.is_ok());
    }

    /// Job `index`, as if it had been read.
    #[must_use]
    pub fn job(&self, index: u64) -> Job {
        Job(self.message(index))
    }

    /// What job `index` must come to; nothing when its handler says no.
    #[must_use]
    pub fn expected(&self, index: u64) -> Option<f64> {
        self.job(index).result()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Job, JobWork, MALFORMED, UNKNOWN};
    use crate::plan::{Task, TaskKind};
    use crate::step::Outcome;

    #[test]
    fn the_four_operations_and_what_no_attempt_can_help() {
        let run = |json: &str| Job::parse(json.as_bytes()).map(Job::result);
        let of = |operation: &str, a: f64, b: f64| {
            run(&format!(r#"{{"type":"{operation}","args":{{"a":{a},"b":{b},"request_id":"x"}}}}"#))
        };
        assert_eq!(of("Add", 1.5, 2.0), Ok(Some(3.5)));
        assert_eq!(of("Subtract", 1.5, 2.0), Ok(Some(-0.5)));
        assert_eq!(of("Multiply", 1.5, 2.0), Ok(Some(3.0)));
        assert_eq!(of("Divide", 1.0, 4.0), Ok(Some(0.25)));
        assert_eq!(of("Divide", 1.0, 0.0), Ok(None));
        assert_eq!(of("Power", 1.0, 4.0), Err(UNKNOWN));
        assert_eq!(run(r#"{"type":"Add","args":{"a":1,"b":2,"request_id":null}}"#), Ok(Some(3.0)));
        assert_eq!(run(r#"{"type":"Add","args":{"a":1,"b":2}}"#), Ok(Some(3.0)));
        for nonsense in ["", "{", "[]", "\"Add\"", r#"{"type":"Add"}"#, r#"{"type":"Add","args":{"a":"1","b":2}}"#] {
            assert_eq!(run(nonsense), Err(MALFORMED), "{nonsense}");
        }
    }

    #[test]
    fn so_many_of_them_fail_as_the_plan_says() {
        let task = Task { fail_share: 0.01, ..Task::of(TaskKind::Job) };
        let work = JobWork::new(&task, 1);
        let rejected = (0..100_000).filter(|&index| work.expected(index).is_none()).count();
        // Three standard deviations of a hundred thousand tosses.
        assert!((905..=1095).contains(&rejected), "{rejected}");
        assert!((0..1000).all(|index| JobWork::new(&Task::of(TaskKind::Job), 1).expected(index).is_some()));
    }

    proptest! {
        #[test]
        fn a_job_comes_to_what_is_expected_of_it(seed in any::<u64>(), index in any::<u64>()) {
            let task = Task { fail_share: 0.5, ..Task::of(TaskKind::Job) };
            let work = JobWork::new(&task, seed);
            let mut json = Vec::new();
            work.write(index, &mut json);
            let job = Job::parse(&json).unwrap();
            prop_assert_eq!(job.result(), work.expected(index));
            let expected = if work.expected(index).is_some() { Outcome::Completed } else { Outcome::Rejected };
            prop_assert_eq!(job.outcome(), expected);
        }
    }
}
