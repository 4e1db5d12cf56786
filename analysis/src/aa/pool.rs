//! What the A/A benches of a host say together of a metric: all blocks that fit, in one pool.

use std::cell::RefCell;
use std::collections::BTreeMap;

use common::plan::{Engine, Metric, Settings};
use common::report::Run;
use common::report::aa::{AaBench, AaStore};
use common::report::comparison::AaPool;

use crate::aa::ALPHA;
use crate::contrast::{Pair, ratio};
use crate::stats::signed_rank::Walsh;
use crate::stats::spread;

/// So many blocks of each engine are pooled, the newest: enough for an interval of a twentieth of a block's scatter, and few
/// enough for the exact distribution.
const BLOCKS_MAX: usize = 200;

/// By metric and engines.
type Pools = BTreeMap<(Metric, Vec<Engine>), Option<AaPool>>;

/// The A/A benches that fit a cell: of its host, its version of Headroom and its scheduling.
#[derive(Debug, Default)]
pub(crate) struct Known<'a> {
    /// The newest first.
    benches: Vec<&'a AaBench>,
    /// Pools of metrics and engines that were asked for; they are the same for every cell length.
    pools: RefCell<Pools>,
}

impl<'a> Known<'a> {
    /// Of `store`, what fits `run`.
    pub(crate) fn of(store: Option<&'a AaStore>, run: &Run) -> Known<'a> {
        let benches = store.into_iter().filter(|store| store.host == run.host.fingerprint);
        let fits =
            |bench: &&AaBench| bench.headroom == run.versions.headroom && bench.scheduling == run.host.scheduling;
        let mut benches: Vec<&AaBench> = benches.flat_map(|store| &store.benches).filter(fits).collect();
        benches.reverse();
        Known { benches, pools: RefCell::default() }
    }

    /// Of `metric` for this pair; `None` unless there are A/A benches of the engines of both.
    pub(crate) fn about(&self, metric: Metric, pair: &Pair<'_>) -> Option<AaPool> {
        let mut engines = vec![pair.variants[pair.baseline].engine, pair.variants[pair.contender].engine];
        engines.dedup();
        let benches: Vec<&AaBench> =
            engines.iter().map(|&engine| self.newest(metric, engine)).collect::<Option<Vec<_>>>()?.concat();
        let pooled = *self
            .pools
            .borrow_mut()
            .entry((metric, engines))
            .or_insert_with(|| Some(AaPool { noise_floor: None, ..pool(&benches, metric)? }));
        let settings = pair.settings()?;
        let alike: Vec<&AaBench> = benches.into_iter().filter(|bench| is_alike(bench, settings)).collect();
        Some(AaPool { noise_floor: spread::sigma(&log_ratios(&alike, metric)), ..pooled? })
    }

    /// As many benches of `engine` as make at most [`BLOCKS_MAX`] blocks; `None` without any.
    fn newest(&self, metric: Metric, engine: Engine) -> Option<Vec<&'a AaBench>> {
        let mut blocks = 0;
        let of_engine = self.benches.iter().copied().filter(|bench| bench.engine == engine);
        let benches: Vec<&AaBench> = of_engine
            .filter(|bench| bench.metrics.contains_key(metric.name()))
            .take_while(|bench| {
                let first = blocks == 0;
                blocks += bench.blocks as usize;
                first || blocks <= BLOCKS_MAX
            })
            .collect();
        (!benches.is_empty()).then_some(benches)
    }
}

/// Whether its blocks scatter as those of these settings: the same work over the same time.
fn is_alike(bench: &AaBench, settings: &Settings) -> bool {
    let load = &settings.load;
    bench.task == settings.task.kind && (bench.duration_s, bench.warmup_s) == (load.duration_s, load.warmup_s)
}

/// All blocks of `benches` as one; `None` with fewer than six, of which there is no interval.
pub(super) fn pool(benches: &[&AaBench], metric: Metric) -> Option<AaPool> {
    let log_ratios = log_ratios(benches, metric);
    let walsh = Walsh::new(&log_ratios);
    let (centre, interval) = (walsh.estimate()?, walsh.interval(ALPHA)?);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Some(AaPool {
        benches: count(benches.len()),
        blocks: count(log_ratios.len()),
        ratio: ratio(Some(centre), Some(interval)),
        noise_floor: spread::sigma(&log_ratios),
    })
}

fn log_ratios(benches: &[&AaBench], metric: Metric) -> Vec<f64> {
    let of_metric = benches.iter().filter_map(|bench| bench.metrics.get(metric.name()));
    of_metric.flat_map(|metric| metric.log_ratios.iter().copied()).collect()
}
