//! Variants: an engine with its settings.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlanError;

/// Which worker engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// `workers-threaded`
    Threaded,
    /// `workers-async`
    Async,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Engine::Threaded => "threaded",
            Engine::Async => "async",
        })
    }
}

impl Engine {
    /// The name of its worker binary with this allocator.
    #[must_use]
    pub fn binary(self, allocator: Allocator) -> String {
        match allocator {
            Allocator::Mimalloc => format!("workers-{self}"),
            Allocator::System => format!("workers-{self}-system"),
        }
    }
}

/// What runs the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Executor {
    /// Threaded: one OS thread per worker.
    Dedicated,
    /// Threaded: workers as resumable state on the threads of a rayon pool.
    Rayon,
    /// Async: tokio's work-stealing scheduler, one thread per CPU.
    MultiThread,
    /// Async: a runtime of one thread per CPU, each with its own workers and connections.
    ThreadPerCore,
}

/// Where an async worker burns CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CpuPlacement {
    /// On the runtime's thread that runs the worker.
    Inline,
    /// On tokio's pool for what blocks.
    SpawnBlocking,
    /// On a rayon pool with one thread per CPU.
    Rayon,
}

/// How workers come by connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connections {
    /// One per worker.
    Own,
    /// `pool_size` per dyno, one handed out per Redis step: r2d2 or bb8.
    Pool,
    /// Async only: `pool_size` multiplexed connections, each used by many workers at once.
    Shared,
}

/// What encodes and parses on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// A plain connection: the worker writes to its socket and reads from it.
    Direct,
    /// Threaded: redis-rs's blocking connection.
    Blocking,
    /// Async: redis-rs's multiplexed connection with its driver task.
    Multiplexed,
}

/// How long a worker keeps a connection out of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Checkout {
    /// For one Redis step.
    Step,
    /// From a task's first Redis step to its end.
    Task,
}

/// Which allocator a dyno's binary is built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Allocator {
    /// mimalloc.
    Mimalloc,
    /// The C library's.
    System,
}

impl std::fmt::Display for Allocator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Allocator::Mimalloc => "mimalloc",
            Allocator::System => "system",
        })
    }
}

/// An engine with its settings, validated: what cannot be combined does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// Unique in the plan.
    pub name: String,
    /// Which binary.
    pub engine: Engine,
    /// What runs the workers.
    pub executor: Executor,
    /// How workers come by connections.
    pub connections: Connections,
    /// What encodes and parses.
    pub client: Client,
    /// Connections of one dyno; `null` with `own`, where there is one per worker.
    pub pool_size: Option<u32>,
    /// How long a connection is kept; `null` but with `pool`.
    pub checkout: Option<Checkout>,
    /// Threads of the rayon pool; `null`: one per CPU with that executor, none with others.
    pub pool_threads: Option<u32>,
    /// Stack of a worker's thread, or of a thread of the rayon pool, KiB; `null` with async workers, which have none.
    pub stack_kib: Option<u32>,
    /// Where CPU is burnt; `null` with threads, which burn it themselves.
    pub cpu_placement: Option<CpuPlacement>,
    /// Which allocator the dyno is built with.
    pub allocator: Allocator,
}

impl Variant {
    /// Connections that one dyno of `workers` workers holds.
    #[must_use]
    pub fn connections_per_dyno(&self, workers: u32) -> u32 {
        self.pool_size.unwrap_or(workers)
    }
}

/// `[[variant]]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VariantInput {
    name: String,
    engine: Engine,
    executor: Option<Executor>,
    connections: Option<Connections>,
    client: Option<Client>,
    pool_size: Option<u32>,
    checkout: Option<Checkout>,
    pool_threads: Option<u32>,
    stack_kib: Option<u32>,
    cpu_placement: Option<CpuPlacement>,
    allocator: Option<Allocator>,
}

/// Connections of a pool unless the plan says otherwise: the worker count of the recorded runs on Performance-L.
const POOL_SIZE: u32 = 28;
/// Multiplexed connections unless the plan says otherwise.
const SHARED_SIZE: u32 = 1;
/// Stack of a thread unless the plan says otherwise: a document task uses under 32 KiB of it (measured), and the kernel
/// commits only what is touched.
const STACK_KIB: u32 = 256;
/// Less than that leaves a task no margin; more than that is nobody's need.
const STACK_KIB_RANGE: RangeInclusive<u32> = 64..=65_536;

impl VariantInput {
    fn resolve(self) -> Result<Variant, PlanError> {
        let refuse = |message: &str| PlanError::Variant { name: self.name.clone(), message: message.to_owned() };
        let connections = self.connections.unwrap_or(Connections::Pool);
        let pool_size = match (connections, self.pool_size) {
            (_, Some(0)) => return Err(refuse("pool_size = 0: no worker could ever reach Redis; at least 1")),
            (Connections::Own, Some(_)) => {
                return Err(refuse("connections = \"own\" means one per worker: leave pool_size out"));
            }
            (Connections::Own, None) => None,
            (Connections::Pool, size) => Some(size.unwrap_or(POOL_SIZE)),
            (Connections::Shared, size) => Some(size.unwrap_or(SHARED_SIZE)),
        };
        let checkout = match (connections, self.checkout) {
            (Connections::Pool, checkout) => Some(checkout.unwrap_or(Checkout::Step)),
            (_, None) => None,
            (_, Some(_)) => return Err(refuse("checkout belongs to connections = \"pool\": leave it out")),
        };
        let client = match (self.engine, connections, self.client) {
            (Engine::Threaded, Connections::Shared, _) => {
                return Err(refuse(
                    "connections = \"shared\" needs engine = \"async\": a blocking connection serves one worker at a time",
                ));
            }
            (Engine::Threaded, _, Some(Client::Multiplexed)) => {
                return Err(refuse(
                    "client = \"multiplexed\" needs engine = \"async\"; \"direct\" or \"blocking\" would do",
                ));
            }
            (Engine::Async, _, Some(Client::Blocking)) => {
                return Err(refuse(
                    "client = \"blocking\" would block the runtime's threads; \"direct\" or \"multiplexed\" would do",
                ));
            }
            (Engine::Async, Connections::Shared, Some(Client::Direct)) => {
                return Err(refuse(
                    "a direct connection serves one worker at a time; \"shared\" ones are \"multiplexed\"",
                ));
            }
            (Engine::Async, Connections::Shared, _) => Client::Multiplexed,
            (_, _, client) => client.unwrap_or(Client::Direct),
        };
        let executor = match (self.engine, self.executor) {
            (Engine::Threaded, None) => Executor::Dedicated,
            (Engine::Threaded, Some(executor @ (Executor::Dedicated | Executor::Rayon))) => executor,
            (Engine::Threaded, Some(_)) => {
                return Err(refuse(
                    "this executor needs engine = \"async\"; engine = \"threaded\" has \"dedicated\" and \"rayon\"",
                ));
            }
            (Engine::Async, Some(Executor::Dedicated | Executor::Rayon)) => {
                return Err(refuse(
                    "this executor needs engine = \"threaded\"; engine = \"async\" has \"multi-thread\" and \"thread-per-core\"",
                ));
            }
            (Engine::Async, executor) => executor.unwrap_or(Executor::MultiThread),
        };
        match (executor, self.pool_threads) {
            (Executor::Rayon, Some(1..)) | (_, None) => {}
            (Executor::Rayon, Some(0)) => return Err(refuse("pool_threads = 0: nobody would work; at least 1")),
            (_, Some(_)) => return Err(refuse("pool_threads belongs to executor = \"rayon\": leave it out")),
        }
        let stack_kib = match (self.engine, self.stack_kib) {
            (Engine::Threaded, size) => Some(size.unwrap_or(STACK_KIB)),
            (Engine::Async, None) => None,
            (Engine::Async, Some(_)) => {
                return Err(refuse("stack_kib needs engine = \"threaded\": an async worker has no stack of its own"));
            }
        };
        if let Some(size) = stack_kib.filter(|size| !STACK_KIB_RANGE.contains(size)) {
            let (least, most) = STACK_KIB_RANGE.into_inner();
            return Err(refuse(&format!("stack_kib = {size}: from {least} to {most}; a task needs up to 32")));
        }
        let cpu_placement = match (self.engine, self.cpu_placement) {
            (Engine::Threaded, None) => None,
            (Engine::Threaded, Some(_)) => {
                return Err(refuse("cpu_placement needs engine = \"async\": a thread burns its CPU itself"));
            }
            (Engine::Async, placement) => Some(placement.unwrap_or(CpuPlacement::Inline)),
        };
        let allocator = self.allocator.unwrap_or(Allocator::Mimalloc);
        let Self { name, engine, pool_threads, .. } = self;
        Ok(Variant {
            name,
            engine,
            executor,
            connections,
            client,
            pool_size,
            checkout,
            pool_threads,
            stack_kib,
            cpu_placement,
            allocator,
        })
    }
}

/// At least one, names unique and usable as file names.
pub(super) fn validate(inputs: Vec<VariantInput>) -> Result<Vec<Variant>, PlanError> {
    if inputs.is_empty() {
        return Err(PlanError::Key {
            key: "variant".to_owned(),
            message: "no [[variant]]; a plan compares at least one, such as engine = \"threaded\"".to_owned(),
        });
    }
    let mut variants: Vec<Variant> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let variant = input.resolve()?;
        let usable = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if variant.name.is_empty() || !variant.name.chars().all(usable) {
            let value = format!("{:?}", variant.name);
            return Err(PlanError::value("variant.name", value, "letters, digits, - and _ only"));
        }
        if variants.iter().any(|before| before.name == variant.name) {
            return Err(PlanError::value("variant.name", format!("{:?}", variant.name), "every variant its own name"));
        }
        variants.push(variant);
    }
    Ok(variants)
}
