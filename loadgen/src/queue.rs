//! What the server holds of a queue: asked for when a run is over.

use std::collections::HashMap;

use common::keys;
use common::plan::{Queue, QueueKind};
use common::queue::{GROUP, IN_VAIN};
use common::report::{Left, Results};
use common::task::Tasks;
use redis::{Connection, RedisResult, Value};

/// What is left in the queue.
///
/// # Errors
/// The server does not answer.
pub fn left(connection: &mut Connection, kind: QueueKind) -> RedisResult<Left> {
    let delayed = redis::cmd("ZCARD").arg(keys::QUEUE_DELAYED).query(connection)?;
    let dead = redis::cmd("XLEN").arg(keys::QUEUE_DEAD).query(connection)?;
    let told: Vec<String> = redis::cmd("HVALS").arg(keys::QUEUE_TOLD).query(connection)?;
    let duplicates = told.iter().filter(|told| IN_VAIN.contains(&told.as_str())).count() as u64;
    let (visible, in_flight) = match kind {
        QueueKind::Stream => {
            let pending: Vec<Value> = redis::cmd("XPENDING").arg(keys::QUEUE).arg(GROUP).query(connection)?;
            let in_flight = pending.into_iter().next().map(redis::from_redis_value).transpose()?.unwrap_or(0);
            let groups: Vec<HashMap<String, Value>> =
                redis::cmd("XINFO").arg("GROUPS").arg(keys::QUEUE).query(connection)?;
            let ours = |group: &HashMap<String, Value>| {
                group
                    .get("name")
                    .is_some_and(|name| redis::from_redis_value_ref::<String>(name).is_ok_and(|name| name == GROUP))
            };
            let lag = groups.into_iter().find(ours).and_then(|mut group| group.remove("lag"));
            (lag.and_then(|lag| redis::from_redis_value(lag).ok()), in_flight)
        }
        QueueKind::List => {
            let visible: u64 = redis::cmd("LLEN").arg(keys::QUEUE).query(connection)?;
            // A list of each worker; those that hold nothing do not exist.
            let held: Vec<Vec<u8>> = redis::cmd("KEYS").arg("test:queue:held:*").query(connection)?;
            let mut in_flight = 0;
            for key in held {
                in_flight += redis::cmd("LLEN").arg(key).query::<u64>(connection)?;
            }
            (Some(visible), in_flight)
        }
    };
    Ok(Left { visible, in_flight, delayed, dead, duplicates })
}

/// The results that the server has kept, against what the tasks of `sent` must come to; `None` where the plan asks for none.
///
/// # Errors
/// The server does not answer.
pub fn results(
    connection: &mut Connection,
    queue: &Queue,
    tasks: &Tasks,
    sent: impl Iterator<Item = u64>,
) -> RedisResult<Option<Results>> {
    if !queue.record_results {
        return Ok(None);
    }
    let kept: HashMap<u64, String> = redis::cmd("HGETALL").arg(keys::QUEUE_RESULTS).query(connection)?;
    Ok(Some(compare(kept, tasks, sent)))
}

fn compare(mut kept: HashMap<u64, String>, tasks: &Tasks, sent: impl Iterator<Item = u64>) -> Results {
    let mut results = Results { expected: 0, right: 0, wrong: 0, missing: 0, sum: 0.0, sum_expected: 0.0 };
    // The result, and behind it who came to it.
    let number = |text: &str| text.split(' ').next().and_then(|text| text.parse::<f64>().ok());
    for index in sent {
        let text = kept.remove(&index);
        let Some(expected) = tasks.expected(index) else {
            results.wrong += u64::from(text.is_some());
            continue;
        };
        results.expected += 1;
        results.sum_expected += expected.unwrap_or(0.0);
        match text {
            None => results.missing += 1,
            Some(text) => {
                let value = number(&text);
                results.sum += value.unwrap_or(0.0);
                if value == expected { results.right += 1 } else { results.wrong += 1 }
            }
        }
    }
    results.wrong += kept.len() as u64;
    results
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use common::plan::Plan;
    use common::task::Tasks;

    use super::compare;

    #[test]
    fn every_result_is_right_wrong_or_missing() {
        let plan = "name = \"t\"\n[task]\nkind = \"job\"\nfail_share = 0.5\n[queue]\n[load]\nrate_per_s = 1\nduration_s = 1\n\
                    [workers]\ncount = 1\n[[variant]]\nname = \"a\"\nengine = \"async\"\n";
        let settings = Plan::parse(plan, &[]).unwrap().cells.remove(0).settings;
        let tasks = Tasks::new(&settings, 1, 0.0);
        let must = |index: u64| tasks.expected(index).map(|result| result.unwrap());
        let kept = || -> HashMap<u64, String> {
            (0..20).filter_map(|index| Some((index, format!("{} 0-a:1:0", must(index)?)))).collect()
        };
        let all = compare(kept(), &tasks, 0..20);
        assert!(all.expected > 2 && all.expected < 20 && all.right == all.expected, "{all:?}");
        assert_eq!((all.wrong, all.missing, all.sum), (0, 0, all.sum_expected));
        let mut damaged = kept();
        let some: Vec<u64> = (0..20).filter(|&index| must(index).is_some()).collect();
        let none = (0..20).find(|&index| must(index).is_none()).unwrap();
        damaged.remove(&some[0]);
        damaged.insert(some[1], "1e9 0-a:1:0".to_owned());
        damaged.insert(none, "1 0-a:1:0".to_owned());
        damaged.insert(99, "1 0-a:1:0".to_owned());
        let found = compare(damaged, &tasks, 0..20);
        assert_eq!((found.right, found.wrong, found.missing), (all.expected - 2, 3, 1));
        assert!(found.sum != found.sum_expected);
    }
}
