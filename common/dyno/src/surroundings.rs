//! What this process shares with others, as the kernel says.

use std::fs;

use common::wire::Surroundings;

/// Of this process. What the kernel does not say stays empty.
#[must_use]
pub fn read() -> Surroundings {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let of_boot = |namespace: &str| match boot_id.trim() {
        "" => String::new(),
        boot_id => {
            // `time:[4026531834]`. Kernels without such namespaces (of time: before 5.6) have no link, and one for all.
            let link = fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap_or_default();
            format!("{boot_id} {}", link.display())
        }
    };
    Surroundings { clock: of_boot("time"), processes: of_boot("pid"), network: of_boot("net") }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_process_shares_everything_with_itself() {
        let (one, other) = (read(), read());
        assert!(one.share_clock(&other) && one.share_processes(&other) && one.share_network(&other), "{one:?}");
    }
}
