//! The options of the simulated venue: what a latency is written as.

use engine::setup::paper::{BarFill, LatencySetup, PaperSetup, QueueSetup};

use super::cli::RunArgs;
use super::data::duration_ns;
use super::exit::Failure;

/// Begins the value of a latency that is drawn.
const HISTOGRAM: &str = "hist:";

/// Returns the venue's constants. A histogram without a seed of its own takes the session's.
///
/// # Errors
/// [`Failure::Usage`] naming the option that does not say a latency, or the line of its file.
pub(super) fn constants(run: &RunArgs, seed: u64) -> Result<PaperSetup, Failure> {
    Ok(PaperSetup {
        order_latency: latency("--order-latency", &run.order_latency, seed)?,
        response_latency: latency("--response-latency", &run.response_latency, seed)?,
        queue: if run.queue == "prob" { QueueSetup::Prob } else { QueueSetup::Trades },
        bar_fill: if run.bar_fill == "close" { BarFill::Close } else { BarFill::Open },
    })
}

fn latency(option: &str, text: &str, seed: u64) -> Result<LatencySetup, Failure> {
    let Some(histogram) = text.strip_prefix(HISTOGRAM) else {
        return Ok(LatencySetup::Constant { ns: duration(option, text)? });
    };
    let (file, seed) = match histogram.split_once(",seed=") {
        None => (histogram, seed),
        Some((file, digits)) => {
            let seed = digits.parse().map_err(|_| {
                Failure::usage(format!("{option} {text}: write the seed as a whole number"))
            })?;
            (file, seed)
        }
    };
    let lines = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("{option} {text}: cannot read the histogram {file}: {error}"))
    })?;
    LatencySetup::histogram(file, &lines, seed)
        .map_err(|error| Failure::usage(format!("{option} {text}: {error}")))
}

fn duration(option: &str, text: &str) -> Result<i64, Failure> {
    /// LIMIT: longest simulated latency; more is no venue.
    const LATENCY_NS_MAX: i64 = 60_000_000_000;
    duration_ns(text).filter(|ns| *ns <= LATENCY_NS_MAX).ok_or_else(|| {
        Failure::usage(format!(
            "{option} {text}: write a duration up to 60s, e.g. 2ms or 500us, or hist:FILE for one \
             that is drawn"
        ))
    })
}
