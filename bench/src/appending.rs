//! Appending 64-byte events to a journal, beside plainly copying them into mapped memory.
//!
//! The copy is the floor of any journal that keeps its records in memory the kernel can write out:
//! 64 bytes, one after the other, into a mapping whose pages have been given before. The append
//! writes 96 bytes of it (header and payload) and does the rest: order, record number, checksum.
//! Both fill new memory from front to end in every round, and neither is stopped by a page fault or
//! a segment roll.

use std::hint::black_box;
use std::path::Path;

use anyhow::ensure;
use memmap2::{MmapMut, MmapOptions};

use journal::{
    Identity, Keeper, LANE_INPUT, Options, Reader, RecordHeader, SinkKind, Writer, verify,
};
use model::event::{Event, Quote};
use model::id::{InstrumentId, Seq};
use model::num::{Price, Qty};
use model::time::Nanos;

use crate::clock::Clock;
use crate::compare::{Compared, Spread, in_turns};
use crate::random::Random;

/// Events of a round; with their headers 57.6 MB of a segment's 64 MiB.
pub const EVENTS: usize = 600_000;
/// Bytes of a segment: room for all events of a round.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Events that are appended over and over: 64 KiB.
const DISTINCT: usize = 1_024;

/// Returns the bytes of different events.
#[must_use]
pub fn events() -> Vec<[u8; 64]> {
    let mut random = Random::new(0x5111_CE03);
    let quote = |random: &mut Random| Quote {
        bid: Price(random.within(600_000, 640_000)),
        ask: Price(random.within(640_000, 680_000)),
        bid_qty: Qty(random.within(1, 9_000)),
        ask_qty: Qty(random.within(1, 9_000)),
        update_id: random.next_u64() >> 8,
    };
    let event = |number: usize| {
        let seq = Seq(u64::try_from(number).unwrap_or(0));
        let event = Event::new(seq, Nanos(0), InstrumentId(0), &quote(&mut random));
        model::codec::encode(&event)
    };
    (0..DISTINCT).map(event).collect()
}

/// Opens a journal in an empty folder. Its sealed segments are synced, as those of a live run are.
///
/// # Errors
/// The disk refuses.
pub fn open(dir: &Path, sink: SinkKind) -> anyhow::Result<(Writer, Keeper)> {
    let identity = Identity { run_id: 1, nonce: 0x5EED, ..Identity::ZERO };
    let options = Options { segment_bytes: SEGMENT_BYTES, sink, sync: true, identity };
    Ok(Writer::create(dir, &options)?)
}

/// Appends `count` events.
///
/// # Errors
/// The journal refuses.
pub fn append(writer: &mut Writer, events: &[[u8; 64]], count: usize) -> anyhow::Result<()> {
    let first = writer.last_seq();
    let numbers = first + 1..=first + u64::try_from(count)?;
    for (seq, event) in numbers.zip(events.iter().cycle()) {
        let ts_ns = i64::try_from(seq).unwrap_or(i64::MAX);
        let header = RecordHeader { seq, ts_ns, kind: 1, lane: LANE_INPUT, flags: 0 };
        writer.append(header, black_box(event))?;
    }
    Ok(())
}

/// Returns memory for `count` events whose pages have all been given.
///
/// # Errors
/// The system has no memory.
pub fn mapping(count: usize) -> anyhow::Result<MmapMut> {
    // Without huge pages, as the page cache has none: the journal shall meet the same number of
    // pages.
    let mut mapping = MmapOptions::new().len(count * 64).populate().map_anon()?;
    mapping.advise(memmap2::Advice::NoHugePage)?;
    mapping.fill(1);
    Ok(mapping)
}

/// Copies events to the end of the mapping.
pub fn copy(mapping: &mut MmapMut, events: &[[u8; 64]]) {
    let (slots, _) = mapping.as_chunks_mut::<64>();
    for (slot, event) in slots.iter_mut().zip(events.iter().cycle()) {
        *slot = *black_box(event);
    }
    black_box(mapping);
}

/// Appends `count` events below `dir`, seals, verifies and reads them back; returns the hash of
/// what was read.
///
/// # Errors
/// Something is not read back as it was appended.
pub fn check(dir: &Path, count: usize) -> anyhow::Result<String> {
    let place = dir.join("check");
    let events = events();
    let (mut writer, keeper) = open(&place, SinkKind::Mmap)?;
    let keeper = std::thread::Builder::new().spawn(move || keeper.run())?;
    append(&mut writer, &events, count)?;
    writer.seal()?;
    keeper.join().map_err(|_| anyhow::anyhow!("the keeper panicked"))?;
    verify(&place)?;
    let mut reader = Reader::open(&place)?;
    let mut hasher = blake3::Hasher::new();
    let mut read = 0;
    for expected in events.iter().cycle().take(count) {
        let Some(record) = reader.next()? else { break };
        ensure!(record.payload == expected, "record {read} is not what was appended");
        hasher.update(record.payload);
        read += 1;
    }
    ensure!(read == count, "{count} events were appended and {read} read");
    std::fs::remove_dir_all(place)?;
    Ok(hasher.finalize().to_hex().chars().take(16).collect())
}

/// Times both in turns, in folders below `dir`; picoseconds an event.
///
/// # Errors
/// The disk refuses.
pub fn compare(dir: &Path, rounds: usize) -> anyhow::Result<Compared> {
    let events = events();
    let count = u64::try_from(EVENTS)?;
    let place = dir.join("append");
    in_turns(
        rounds,
        || {
            let (mut writer, keeper) = open(&place, SinkKind::Mmap)?;
            let clock = Clock::start();
            append(&mut writer, &events, EVENTS)?;
            let took = clock.elapsed_ns();
            drop((writer, keeper));
            std::fs::remove_dir_all(&place)?;
            anyhow::Ok(took * 1_000 / count)
        },
        || {
            let mut mapping = mapping(EVENTS)?;
            let clock = Clock::start();
            copy(&mut mapping, &events);
            Ok(clock.elapsed_ns() * 1_000 / count)
        },
    )
}

/// Times appends over `segments` segments, with the keeper on a thread of its own and everything it
/// does (mapping, syncing, hashing) on the same disk; picoseconds an event.
///
/// # Errors
/// The disk refuses.
pub fn sustained(dir: &Path, rounds: usize, segments: usize) -> anyhow::Result<Spread> {
    let events = events();
    let place = dir.join("sustained");
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let (mut writer, keeper) = open(&place, SinkKind::Mmap)?;
        let keeper = std::thread::Builder::new().spawn(move || keeper.run())?;
        let clock = Clock::start();
        append(&mut writer, &events, EVENTS * segments)?;
        let took = clock.elapsed_ns();
        writer.seal()?;
        keeper.join().map_err(|_| anyhow::anyhow!("the keeper panicked"))?;
        std::fs::remove_dir_all(&place)?;
        measured.push(took * 1_000 / u64::try_from(EVENTS * segments)?);
    }
    Ok(Spread::of(&measured))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        check(dir.path(), 3_000).unwrap();
    }

    #[test]
    fn the_copy_fills_the_mapping_in_order() {
        let events = events();
        let mut mapping = mapping(DISTINCT + 3).unwrap();
        copy(&mut mapping, &events);
        assert_eq!(mapping[DISTINCT * 64..], events[..3].concat());
    }
}
