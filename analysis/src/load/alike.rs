//! What two runs must have in common to be compared: where they ran, and on what.

use common::report::Run;

/// Something in which two runs differ that should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// What differs, as in `host` or `server`.
    what: &'static str,
    /// Of the run that does not fit.
    here: String,
    /// Of the other.
    there: String,
    /// What the other did with its own: `was made on`, `used`, `had`.
    verb: &'static str,
    why: &'static str,
    /// Whether it is about where dynos ran and what they had, which another `[dyno]` changes.
    pub(crate) of_dynos: bool,
}

impl Difference {
    /// Why the two are not compared; `other` names the one that the run does not fit.
    pub(crate) fn refusal(&self, other: &str) -> String {
        let Difference { what, here, there, verb, why, .. } = self;
        format!("{what} {here}, but {other} {verb} {there}; {why}")
    }

    /// That they are compared nevertheless.
    pub(crate) fn admission(&self) -> String {
        let Difference { what, here, there, .. } = self;
        format!("compared although the {what} of some is {here} and of others {there}")
    }
}

/// What keeps `run` from being compared with `first`, and, as far as dynos go, with `like`, which asks for the same dynos.
pub(crate) fn differences(run: &Run, first: &Run, like: &Run) -> Vec<Difference> {
    let host = |run: &Run| format!("{} ({})", run.host.fingerprint, run.host.cpu_model);
    let server = |run: &Run| format!("{} {}", run.redis_server.product, run.redis_server.version);
    let scheduling = |run: &Run| format!("{:?}", run.host.scheduling);
    let label = |run: &Run| format!("{:?}", run.dyno.as_ref().map_or("", |dyno| &dyno.label));
    let mut differences = Vec::new();
    if run.host.fingerprint != first.host.fingerprint {
        let (here, there) = (host(run), host(first));
        let why = "results of different hosts are not compared";
        differences.push(Difference { what: "host", here, there, verb: "was made on", why, of_dynos: false });
    }
    if server(run) != server(first) {
        let (here, there) = (server(run), server(first));
        let why = "results of different servers are not compared";
        differences.push(Difference { what: "server", here, there, verb: "used", why, of_dynos: false });
    }
    if scheduling(run) != scheduling(like) {
        let (here, there) = (scheduling(run), scheduling(like));
        let why = "where processes run and how they share CPUs is part of the cost";
        differences.push(Difference { what: "scheduling", here, there, verb: "had", why, of_dynos: true });
    }
    if label(run) != label(like) {
        let (here, there) = (label(run), label(like));
        differences.push(Difference {
            what: "dynos",
            here,
            there,
            verb: "had",
            why: "what dynos have is part of the cost",
            of_dynos: true,
        });
    }
    differences
}
