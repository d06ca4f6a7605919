//! What this host is, in a line: a latency is of its host.

/// Returns the processor, how many this process may use, the kernel, and whether all that is
/// virtual. What the system does not tell is called unknown.
pub(super) fn line() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let field = |name: &str| {
        let line = processor.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim())
    };
    let model = field("model name").unwrap_or("unknown processor");
    let virtual_machine = match field("flags") {
        Some(flags) if flags.split_whitespace().any(|flag| flag == "hypervisor") => ", virtual",
        Some(_) => "",
        None => ", bare or virtual unknown",
    };
    let cores = engine::topology::available_cores().len();
    let release = read("/proc/sys/kernel/osrelease");
    let kernel = if release.trim().is_empty() { "unknown" } else { release.trim() };
    format!("{model}, {cores} processors, kernel {kernel}{virtual_machine}")
}
