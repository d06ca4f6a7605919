//! What is run on how many processors.

use super::*;

/// Wanted, wait, processors; then split, wait chosen, pinned, note, or refused.
type Row = (Topology, Option<Wait>, usize, Option<(bool, Wait, usize, bool)>);

#[test]
fn the_journal_takes_no_processor_from_a_stage() {
    use Wait::{Spin, SpinPark, SpinYield};
    // Topology and processors; then the stages', the journal's, how it waits and how the gate does.
    let rows = [
        (Topology::Fused, 1, &[][..], &[][..], SpinPark, SpinPark),
        (Topology::Fused, 2, &[0], &[1], SpinPark, SpinYield),
        (Topology::Fused, 3, &[0], &[1, 2], SpinYield, SpinYield),
        (Topology::Split, 2, &[], &[], SpinPark, SpinPark),
        (Topology::Split, 4, &[0, 1, 2, 3], &[], SpinPark, SpinPark),
        (Topology::Split, 5, &[0, 1, 2, 3], &[4], SpinPark, Spin),
        (Topology::Split, 6, &[0, 1, 2, 3], &[4, 5], SpinYield, Spin),
    ];
    for (wanted, count, stages, journal, journal_wait, gate_wait) in rows {
        let cores: Vec<usize> = (0..count).collect();
        let found = place(wanted, None, &cores).unwrap();
        assert_eq!(
            (&*found.cores, &*found.spare_cores),
            (stages, journal),
            "{wanted:?} on {count}"
        );
        let waits = (found.journal_wait, found.gate_wait);
        assert_eq!(waits, (journal_wait, gate_wait), "{wanted:?} on {count}");
    }
}

#[test]
fn spinning_threads_never_outnumber_processors() {
    let rows: [Row; 8] = [
        (Topology::Auto, None, 1, Some((false, Wait::SpinPark, 0, false))),
        (Topology::Auto, None, 2, Some((false, Wait::SpinPark, 1, false))),
        (Topology::Auto, None, 5, Some((true, Wait::Spin, 4, false))),
        (Topology::Auto, None, 4, Some((false, Wait::SpinPark, 1, false))),
        (Topology::Split, None, 2, Some((true, Wait::SpinPark, 0, true))),
        (Topology::Split, Some(Wait::Spin), 2, None),
        (Topology::Split, Some(Wait::SpinYield), 2, Some((true, Wait::SpinYield, 0, true))),
        (Topology::Fused, Some(Wait::Spin), 1, Some((false, Wait::Spin, 0, false))),
    ];
    for (wanted, wait, count, expected) in rows {
        let cores: Vec<usize> = (0..count).collect();
        let found = place(wanted, wait, &cores).ok();
        let found = found.map(|p| (p.split, p.wait, p.cores.len(), p.note.is_some()));
        assert_eq!(found, expected, "{wanted:?} {wait:?} on {count}");
    }
}

#[test]
fn an_unknown_topology_is_named() {
    let error = "spilt".parse::<Topology>().unwrap_err();
    assert_eq!(error.to_string(), "`spilt` is no topology; use split, fused or auto");
}
