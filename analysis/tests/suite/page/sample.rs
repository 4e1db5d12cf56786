//! A comparison for the page: two cells, and names that would like to be more than text.

use common::plan::Plan;
use common::report::comparison::Comparison;
use common::report::{Run, Severity};

use crate::support::{PLAN, check, compare, is_async, runs, scale_cpu, scatter};

/// Ends a script, begins one, breaks out of attributes and out of comments, and turns text around.
pub(crate) const HOSTILE: &str =
    "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=2'>\"'--><!--\u{202e}&\u{2028}";

/// A sweep of two cells with published figures and a failed check.
pub(crate) fn sweep() -> Comparison {
    const PUBLISHED: &str =
        "[published]\nsource = \"a write-up\"\nresult = \"success\"\nsent = 201335\ntask_ms = 8.6\n";
    let plan = Plan::parse(&format!("{PLAN}{PUBLISHED}"), &["workers.count=[28, 100]".to_owned()]).unwrap();
    let runs = runs(&plan, |run: &mut Run| {
        scale_cpu(run, scatter(run, 0.03) * if is_async(run) { 0.85 } else { 1.0 });
        let failed = is_async(run) && run.cell.index == 1;
        run.validity.checks.push(check("steal", !failed, Severity::Warning));
    });
    compare(&plan, runs)
}

/// The same with [`HOSTILE`] wherever a user or a machine can put text.
pub(crate) fn hostile() -> Comparison {
    let mut comparison = sweep();
    let hostile = || HOSTILE.to_owned();
    comparison.plan = hostile();
    comparison.question = hostile();
    comparison.plan_toml.push_str(HOSTILE);
    comparison.forced = vec![hostile()];
    comparison.answer.sentence = hostile();
    comparison.answer.doubts.push(format!("forced: {HOSTILE}"));
    comparison.answer.notes.push(hostile());
    for headroom in &mut comparison.answer.headroom {
        headroom.parameters.insert(hostile(), serde_json::Value::String(hostile()));
        (headroom.variant, headroom.sentence) = (hostile(), hostile());
    }
    comparison.host.cpu_model = hostile();
    comparison.redis_server.origin = hostile();
    comparison.published[0].source = hostile();
    comparison.checks[0].remedy = hostile();
    for cell in &mut comparison.cells {
        cell.parameters.insert(hostile(), serde_json::Value::String(hostile()));
        cell.recommendation.sentence = hostile();
        let renamed = cell.variants[1].variant.name.clone();
        cell.variants[1].variant.name = hostile();
        cell.variants[1].checks_failed.insert(hostile(), 3);
        for contrast in cell.contrasts.iter_mut().filter(|contrast| contrast.contender == renamed) {
            contrast.contender = hostile();
            contrast.reason = hostile();
        }
    }
    comparison
}
