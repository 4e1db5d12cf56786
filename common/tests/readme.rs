//! The README shows in what the two engines differ; it must not go stale. `make driver-diff` writes it anew.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test reads files and runs diff; the crate does not"
)]

use std::path::Path;
use std::process::Command;

const BEGIN: &str = "<!-- driver-diff:begin -->\n";
const END: &str = "<!-- driver-diff:end -->";
const DRIVERS: [&str; 2] = ["workers-threaded/src/driver.rs", "workers-async/src/driver.rs"];

/// The diff without its two header lines, which hold instants.
fn diff(root: &Path) -> String {
    let output = Command::new("diff").arg("-u").args(DRIVERS).current_dir(root).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "diff: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let body: Vec<&str> = text.lines().skip(2).collect();
    format!("```diff\n--- {}\n+++ {}\n{}\n```\n", DRIVERS[0], DRIVERS[1], body.join("\n"))
}

#[test]
fn the_readme_shows_the_present_difference_of_the_drivers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = root.join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has lost the mark where the diff begins");
    let (shown, after) = rest.split_once(END).expect("README.md has lost the mark where the diff ends");
    let diff = diff(root);
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{diff}{END}{after}")).unwrap();
    } else {
        assert_eq!(shown, diff, "the drivers have changed: run `make driver-diff` and look at what it writes");
    }
    assert!(diff.lines().count() <= 60, "the difference no longer fits on a screen: policy has crept into a driver");
}
