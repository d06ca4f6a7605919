//! A session that is killed, and down while days begin: it goes on with one roll, to the date at
//! hand, as the session that nobody killed.

use std::path::Path;

use engine::session::resume::{Rest, resume};
use journal::SinkKind;
use model::event::{Body, Event, Lane};

use super::table;
use crate::session::lab::{assert_replays, events, fused, journaled, split};
use crate::session::resume::behind;

/// Holds a position over three days, with a latch of the day and one that a person ends.
const TABLE: &str = "scenario down for three days
  rule reduce_only DAY until day_end when account.day_loss >= 0.1%
  rule reduce_only EVER until manual when account.day_loss >= 0.2%
  0 level bid 99.9 5
  0 level ask 100.0 5
  10 buy x 1 at 100.0 ioc
  20 level bid 60.0 5
  21 level bid 99.9 0
  22 level ask 60.2 5
  23 level ask 100.0 0
  30 buy y 1 at 60.2 ioc
  40 level bid 60.0 6
  3+5 level bid 60.0 7
  3+9 sell z 1 at 60.0 ioc exit
  3+20 buy w 1 at 60.2 ioc
  3+50 end";

/// Bytes of the segments that `journaled` writes.
const SEGMENT_BYTES: usize = 16 << 20;

fn rolls(events: &[Event]) -> Vec<i32> {
    let date = |event: &Event| match event.body() {
        Body::DayRoll(roll) => Some(roll.date.0),
        _ => None,
    };
    events.iter().filter_map(date).collect()
}

/// Leaves the first bytes of a journal, as a kill would.
fn killed(bytes: &[u8], length: usize, dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let mut left = bytes[..length].to_vec();
    left.resize(SEGMENT_BYTES, 0);
    std::fs::write(dir.join("00000000.slj"), left).unwrap();
}

#[test]
fn a_session_that_was_down_for_three_days_opens_one_day() {
    let table = table::read(TABLE).remove(0);
    let session = table.session();
    let scratch = tempfile::tempdir().unwrap();
    let whole = scratch.path().join("whole");
    let ran = journaled(&session, &mut table.source(), &whole, SinkKind::Pwrite, &fused());
    let (records, today) = (events(&whole), ran.summary.span.0.date().0);
    assert_eq!(rolls(&records), [today, today + 3]);
    let told = super::report::lines(&table, &session, &records);
    let has = |line: &str| assert!(told.iter().any(|one| one == line), "{line}: {told:#?}");
    has("22 latch DAY armed");
    has("30 refuse y DAY");
    has("3+0 latch DAY ended");
    has("3+9 approve z 1.000");
    has("3+20 refuse w EVER");
    let bytes = std::fs::read(whole.join("00000000.slj")).unwrap();
    let mut over_midnight = 0;
    for nth in 1..48_usize {
        let dir = scratch.path().join(format!("killed-{nth}"));
        killed(&bytes, bytes.len() * nth / 48 + nth, &dir);
        // Before the first message there is nothing to go on from.
        let Ok(resumed) = resume(&dir) else { continue };
        let from = resumed.session.snapshot().expect("a snapshot").clone();
        let mut source = table.source();
        let mut rest = Rest::of(&mut source, from.messages);
        let on = scratch.path().join(format!("on-{nth}"));
        let went = journaled(&resumed.session, &mut rest, &on, SinkKind::Pwrite, &split());
        let later = events(&on);
        for lane in [Lane::Input, Lane::Strategy, Lane::Risk, Lane::Execution, Lane::Egress] {
            let (ours, theirs) = (behind(&later, lane, 0), behind(&records, lane, from.seq.0));
            assert_eq!(ours, theirs, "{lane:?} from seq {} on", from.seq.0);
        }
        assert_eq!(went.summary.equity_end, ran.summary.equity_end);
        assert_replays(&on, &fused(), &went.summary.decisions_hash);
        if rolls(&later) == [today + 3] {
            over_midnight += 1;
        }
    }
    assert!(over_midnight > 5, "{over_midnight} were down over midnight");
}
