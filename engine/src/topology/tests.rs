//! What is run on how many processors.

use super::*;

/// Wanted, wait, processors; then split, wait chosen, pinned, note, or refused.
type Row = (Topology, Option<Wait>, usize, Option<(bool, Wait, usize, bool)>);

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
