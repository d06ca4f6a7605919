//! The options of the simulated venue: what a latency is written as.

use std::path::Path;

use engine::setup::paper::{BarFill, LatencySetup, PaperSetup, QueueSetup};

use super::cli::RunArgs;
use super::data::duration_ns;
use super::exit::Failure;
use super::regular;

/// Begins the value of a latency that is drawn.
const HISTOGRAM: &str = "hist:";
/// LIMIT: bytes of a histogram of as many lines as there may be, with room for comments.
const HISTOGRAM_BYTES_MAX: usize = 1 << 20;

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
    let Some(drawn) = text.strip_prefix(HISTOGRAM) else {
        return Ok(LatencySetup::Constant { ns: duration(option, text)? });
    };
    let (file, seed) = match drawn.split_once(",seed=") {
        None => (drawn, seed),
        Some((file, digits)) => {
            let seed = digits.parse().map_err(|_| {
                Failure::usage(format!("{option} {text}: write the seed as a whole number"))
            })?;
            (file, seed)
        }
    };
    histogram(Path::new(file), seed)
        .map_err(|why| Failure::usage(format!("{option} {text}: {why}")))
}

/// Reads a histogram of latencies.
///
/// # Errors
/// Why it cannot be read, or which of its lines is none.
pub(super) fn histogram(path: &Path, seed: u64) -> Result<LatencySetup, String> {
    let name = path.display().to_string();
    let cannot = |why: &dyn std::fmt::Display| format!("cannot read the histogram {name}: {why}");
    let bytes = regular::read(path, HISTOGRAM_BYTES_MAX).map_err(|error| cannot(&error))?;
    if bytes.len() > HISTOGRAM_BYTES_MAX {
        return Err(cannot(&format!("it is larger than {HISTOGRAM_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| cannot(&"it is not UTF-8 text"))?;
    LatencySetup::histogram(&name, &text, seed).map_err(|error| error.to_string())
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
