//! What machine this is, for whoever reads a figure, and the processor that a thread runs on.

use std::fs;

use anyhow::ensure;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

/// The machine; what cannot be read is "unknown".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Model of the processor.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// Frequency governor of the first processor.
    pub governor: String,
    /// True on a virtual machine, as far as the processor says so.
    pub is_virtual: bool,
    /// Load of the last minute when the figures were begun: above a few hundredths the machine was
    /// not ours alone.
    pub load: String,
    /// How the measuring program was built.
    pub profile: &'static str,
}

impl Host {
    /// Reads what there is to know.
    #[must_use]
    pub fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            line.split_once(':').map(|(_, value)| value.trim().to_owned())
        };
        let first_line = |path: &str| {
            let text = fs::read_to_string(path).ok()?;
            text.lines().next().map(str::to_owned)
        };
        let unknown = || "unknown".to_owned();
        let flags = field("flags").unwrap_or_default();
        let load = first_line("/proc/loadavg");
        Self {
            cpu: field("model name").unwrap_or_else(unknown),
            cores: cores().len(),
            kernel: first_line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            governor: first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .unwrap_or_else(unknown),
            is_virtual: flags.split(' ').any(|flag| flag == "hypervisor"),
            load: load
                .and_then(|line| line.split(' ').next().map(str::to_owned))
                .unwrap_or_else(unknown),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
        }
    }
}

/// Returns the processors that this thread may use, lowest first.
#[must_use]
pub fn cores() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// Does something on these processors only, and goes back to those of before.
///
/// # Errors
/// The system refuses them.
pub fn on<T>(cores: &[usize], work: impl FnOnce() -> T) -> anyhow::Result<T> {
    let before = self::cores();
    ensure!(pin(cores), "cannot run on the processors {cores:?}");
    let done = work();
    ensure!(pin(&before), "cannot go back to the processors {before:?}");
    Ok(done)
}

/// Lets this thread, and the processes it starts, run on these processors only. Returns false where
/// the system refuses.
#[must_use]
pub fn pin(cores: &[usize]) -> bool {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).is_ok()
}

/// Returns the resident memory of this process in KiB, 0 where it cannot be read.
#[must_use]
pub fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_on_some_processors_leaves_the_thread_on_those_of_before() {
        let before = cores();
        let last = *before.last().unwrap();
        assert_eq!(on(&[last], cores).unwrap(), [last]);
        assert_eq!(cores(), before);
        // Also where one stands in the other.
        on(&before[..1], || on(&[last], || ()).unwrap()).unwrap();
        assert_eq!(cores(), before);
    }
}
