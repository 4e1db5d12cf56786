//! Loadgen's own connection to the server: what the server counted, with loadgen's share taken out.

use std::collections::BTreeMap;

use redis::{Connection, ConnectionLike, RedisResult, Value};

use crate::redis_server::CommandStat;
use crate::redis_server::facts::{parse_commandstats, parse_info};

/// A connection that knows its own traffic.
pub struct Monitor {
    connection: Connection,
    bytes_sent: u64,
    bytes_received: u64,
    /// It once did not answer: a late answer would be taken for the next one, and every further question would only
    /// wait for another timeout.
    silent: bool,
}

/// The server's counters at one instant, loadgen's traffic taken out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServerWork {
    /// Calls and time by command.
    pub commands: BTreeMap<String, CommandStat>,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Keys thrown away for want of memory, since the server started; `None` where it does not say.
    pub evicted_keys: Option<u64>,
}

/// The server's CPU at one instant, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServerCpu {
    /// In user mode.
    pub user_s: f64,
    /// In the kernel.
    pub sys_s: f64,
}

impl Monitor {
    /// Takes over a connection.
    #[must_use]
    pub fn new(connection: Connection) -> Monitor {
        Monitor { connection, bytes_sent: 0, bytes_received: 0, silent: false }
    }

    fn ask(&mut self, packed: &[u8]) -> RedisResult<Value> {
        if self.silent {
            return Err(redis::RedisError::from((redis::ErrorKind::Io, "the server did not answer before")));
        }
        let answer = self.connection.req_packed_command(packed);
        self.silent = answer.is_err();
        answer
    }

    fn info(&mut self, sections: &[&str]) -> RedisResult<BTreeMap<String, String>> {
        let mut command = redis::cmd("INFO");
        command.arg(sections);
        let packed = command.get_packed_command();
        self.bytes_sent += packed.len() as u64;
        let text = match self.ask(&packed)? {
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::VerbatimString { text, .. } => text,
            other => redis::from_redis_value(other)?,
        };
        // $<length>\r\n<text>\r\n
        self.bytes_received += (text.len().to_string().len() + text.len() + 5) as u64;
        Ok(parse_info(&text))
    }

    /// Everything the server has done so far.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn work(&mut self) -> RedisResult<ServerWork> {
        // The server has read this request when it answers, and not yet counted the answer.
        let received_before = self.bytes_received;
        let info = self.info(&["commandstats", "stats"])?;
        let number = |name: &str| info.get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        Ok(ServerWork {
            commands: parse_commandstats(&info),
            bytes_in: number("total_net_input_bytes").wrapping_sub(self.bytes_sent),
            bytes_out: number("total_net_output_bytes").wrapping_sub(received_before),
            evicted_keys: info.get("evicted_keys").and_then(|text| text.parse().ok()),
        })
    }

    /// The server's CPU time so far.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn cpu(&mut self) -> RedisResult<ServerCpu> {
        let info = self.info(&["cpu"])?;
        let seconds = |name: &str| info.get(name).and_then(|text| text.parse().ok()).unwrap_or(0.0);
        Ok(ServerCpu { user_s: seconds("used_cpu_user"), sys_s: seconds("used_cpu_sys") })
    }

    /// Keys in the selected database and `used_memory` in bytes.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn size(&mut self) -> RedisResult<(u64, u64)> {
        let dbsize = redis::cmd("DBSIZE").get_packed_command();
        self.bytes_sent += dbsize.len() as u64;
        let keys: u64 = redis::from_redis_value(self.ask(&dbsize)?)?;
        // :<number>\r\n
        self.bytes_received += keys.to_string().len() as u64 + 3;
        let used = self.info(&["memory"])?.get("used_memory").and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok((keys, used))
    }
}

/// What loadgen has sent into a queue.
#[derive(Debug, Clone, Copy)]
pub struct Enqueuing {
    /// The command by which a task is put there.
    pub command: &'static str,
    /// Tasks.
    pub tasks: u64,
    /// Bytes of these, and of the answers.
    pub bytes_in: u64,
    /// As above.
    pub bytes_out: u64,
}

impl ServerWork {
    /// Without what loadgen did.
    #[must_use]
    pub fn without(mut self, own: &Enqueuing) -> ServerWork {
        if let Some(stat) = self.commands.get_mut(own.command) {
            // Its time by its share of the calls: the others put tasks back.
            let share = own.tasks.min(stat.calls) as f64 / stat.calls.max(1) as f64;
            stat.usec -= (stat.usec as f64 * share).round() as u64;
            stat.calls -= own.tasks.min(stat.calls);
        }
        // What is around it nobody else uses.
        for command in ["eval", "incrby"] {
            self.commands.remove(command);
        }
        self.commands.retain(|_, stat| stat.calls > 0);
        self.bytes_in = self.bytes_in.saturating_sub(own.bytes_in);
        self.bytes_out = self.bytes_out.saturating_sub(own.bytes_out);
        self
    }

    /// What was done since `earlier`, `INFO` left out: nobody but loadgen sends it.
    #[must_use]
    pub fn since(&self, earlier: &ServerWork) -> ServerWork {
        let commands = self
            .commands
            .iter()
            .filter(|(name, _)| *name != "info")
            .map(|(name, stat)| {
                let before = earlier.commands.get(name).copied().unwrap_or_default();
                let calls = stat.calls - before.calls.min(stat.calls);
                (name.clone(), CommandStat { calls, usec: stat.usec - before.usec.min(stat.usec) })
            })
            .filter(|(_, stat)| stat.calls > 0)
            .collect();
        ServerWork {
            commands,
            bytes_in: self.bytes_in.wrapping_sub(earlier.bytes_in),
            bytes_out: self.bytes_out.wrapping_sub(earlier.bytes_out),
            evicted_keys: self.evicted_keys,
        }
    }
}
