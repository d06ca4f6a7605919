//! Which thread runs where: topologies, processors and pinning.
//!
//! `split` gives each stage a thread, `fused` runs all stages on one, `auto` takes `split` when
//! there are processors for every hot stage and one more. Spinning threads never outnumber
//! processors: an explicit `spin` that would is refused, everything else parks.

use crate::idle::Wait;

/// Hot threads of `split`: feed, strategy, risk and execution.
pub const HOT_STAGES: usize = 4;

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// By available processors.
    #[default]
    Auto,
    /// One thread a stage.
    Split,
    /// All stages on one thread.
    Fused,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// True for one thread a stage.
    pub split: bool,
    /// How stage threads wait.
    pub wait: Wait,
    /// How the journal thread waits.
    pub journal_wait: Wait,
    /// How the gate waits for the journal thread.
    pub gate_wait: Wait,
    /// Processors of feed, strategy, risk and execution (or of the one thread); empty: unpinned.
    pub cores: Vec<usize>,
    /// Processors that no stage has: the journal thread's, then the keeper's, or one for both;
    /// empty: unpinned.
    pub spare_cores: Vec<usize>,
    /// What a reader of latencies must know; none when each hot thread has its processor.
    pub note: Option<String>,
}

/// A wish that this host cannot grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// More spinning threads than processors.
    #[error(
        "{threads} spinning threads need {threads} processors and there are {cores}; use \
         --wait spin-park or --topology fused"
    )]
    TooFewCores {
        /// Threads that would spin.
        threads: usize,
        /// Processors that this process may use.
        cores: usize,
    },
    /// No such topology.
    #[error("`{0}` is no topology; use split, fused or auto")]
    Unknown(String),
}

impl std::str::FromStr for Topology {
    type Err = TopologyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "split" => Ok(Self::Split),
            "fused" => Ok(Self::Fused),
            other => Err(TopologyError::Unknown(other.to_owned())),
        }
    }
}

/// Returns the processors that this process may run on, lowest first.
#[must_use]
pub fn available_cores() -> Vec<usize> {
    let mut cores: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    cores.sort_unstable();
    cores
}

/// Pins the calling thread to a processor; where the system refuses, it runs unpinned.
pub fn pin(core: usize) -> bool {
    core_affinity::set_for_current(core_affinity::CoreId { id: core })
}

/// Lets other threads go before the calling one, where both want the same processor. Linux keeps
/// this a thread; where the system refuses, it changes nothing.
pub fn give_way() {
    /// A tenth of the share of a thread that does not give way.
    const NICE: i32 = 10;
    rustix::process::setpriority_process(None, NICE).ok();
}

/// Decides what to run on these processors.
///
/// # Errors
/// [`TopologyError::TooFewCores`] for an explicit `spin` that outnumbers the processors.
pub fn place(
    wanted: Topology,
    wait: Option<Wait>,
    cores: &[usize],
) -> Result<Placement, TopologyError> {
    let enough = cores.len() > HOT_STAGES;
    let split = match wanted {
        Topology::Split => true,
        Topology::Fused => false,
        Topology::Auto => enough,
    };
    let hot = if split { HOT_STAGES } else { 1 };
    let fits = hot < cores.len();
    if wait == Some(Wait::Spin) && hot > cores.len() {
        return Err(TopologyError::TooFewCores { threads: hot, cores: cores.len() });
    }
    let chosen = wait.unwrap_or(if fits && split { Wait::Spin } else { Wait::SpinPark });
    let note = (split && hot > cores.len()).then(|| {
        format!(
            "{HOT_STAGES} stage threads share {} processors and park: no latency figure",
            cores.len()
        )
    });
    let pinned = if hot <= cores.len() && cores.len() > 1 { hot } else { 0 };
    let (hot_cores, others) = cores.split_at_checked(pinned).unwrap_or_default();
    let spare_cores = if pinned > 0 { others.to_vec() } else { Vec::new() };
    // With a processor of its own the journal thread does not sleep: waking it would cost the one
    // that records a system call each time. One that the keeper needs too is not spun away.
    let journal_wait = if spare_cores.len() > 1 { Wait::SpinYield } else { Wait::SpinPark };
    // What the gate waits for is written by another processor within microseconds, and this one has
    // nothing else to do: sleeping would take longer.
    let brief = chosen == Wait::SpinPark && !spare_cores.is_empty();
    let gate_wait = if brief { Wait::SpinYield } else { chosen };
    let cores = hot_cores.to_vec();
    Ok(Placement { split, wait: chosen, journal_wait, gate_wait, cores, spare_cores, note })
}

#[cfg(test)]
mod tests;
