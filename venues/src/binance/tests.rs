//! Tests of the adapter: against the recorded vectors, against the venue's rules, against bytes.

mod bytes;
mod rules;
mod vectors;

use std::io::Read;
use std::path::{Path, PathBuf};

use assert_no_alloc::AllocDisabler;
use model::id::InstrumentId;
use model::num::{Price, Scale};

use super::{Frame, Parser, StreamSpec};

/// Lets a test forbid allocation on its thread.
#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

/// Returns the folder of recorded data and that of the vectors beside it; `None` (the test then
/// passes without a word) when they are not there, unless `SLUICE_REQUIRE_DATA` is `1`.
#[expect(clippy::disallowed_methods, reason = "tests find the recorded data by the environment")]
fn folders() -> Option<(PathBuf, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let named = std::env::var("SLUICE_DATA").ok().filter(|folder| !folder.is_empty());
    let data = root.join(named.unwrap_or("../shared/data".to_owned()));
    let vectors = data.join("../vectors/binance");
    if vectors.is_dir() {
        return Some((data, vectors));
    }
    let required = std::env::var("SLUICE_REQUIRE_DATA").is_ok_and(|value| value == "1");
    assert!(!required, "no recorded data at {}", data.display());
    None
}

/// Reads a text file, through gzip or zstd if its name says so; at most `limit` bytes of it, cut at
/// a line's end.
fn read(path: &Path, limit: u64) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap();
    let mut text = Vec::new();
    match path.extension().and_then(|end| end.to_str()) {
        Some("gz") => flate2::read::GzDecoder::new(file).take(limit).read_to_end(&mut text),
        Some("zst") => zstd::Decoder::new(file).unwrap().take(limit).read_to_end(&mut text),
        _ => file.take(limit).read_to_end(&mut text),
    }
    .unwrap();
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1);
    text.truncate(end);
    text
}

/// Returns the messages of a capture, without what stands before the JSON.
fn messages(text: &[u8]) -> Vec<&[u8]> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| &line[line.iter().position(|byte| *byte == b'{').unwrap()..]).collect()
}

/// Spot BTCUSDT and ETHUSDT of 2024: tick 0.01.
const SPOT: StreamSpec = StreamSpec {
    instrument: InstrumentId(0),
    price_scale: Scale::new(2).unwrap(),
    qty_scale: Scale::new(8).unwrap(),
    tick: Price(1),
    futures: false,
};

/// USD-margined futures of 2024, with so many decimals in their prices.
fn futures(decimals: u8) -> StreamSpec {
    let (price_scale, qty_scale) = (Scale::new(decimals).unwrap(), Scale::new(3).unwrap());
    StreamSpec { price_scale, qty_scale, futures: true, ..SPOT }
}

/// Reads a message both ways, checks that they agree, and returns it in words.
fn words(parser: &mut Parser, text: &[u8]) -> String {
    let general = format!("{:?}", parser.parse_general(text));
    assert_eq!(format!("{:?}", parser.parse(text)), general, "{}", String::from_utf8_lossy(text));
    general
}

fn is_other(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::Other)
}
