//! `report.html` in a browser: quiet, offline, right, usable. Needs Chromium and time: part of `make verify`.

#[cfg(test)]
mod behaviour;
#[cfg(test)]
mod devtools;
#[cfg(test)]
#[expect(dead_code, reason = "the suite needs more of it")]
#[path = "../suite/page/sample.rs"]
mod sample;
#[cfg(test)]
#[expect(dead_code, reason = "the suite needs more of it")]
#[path = "../suite/support.rs"]
mod support;
