//! Latches that a person clears: what is needed for it, and how long an allowance holds.

use model::event::{ClearStep, LatchCleared};
use model::order::ClearResult;

use super::*;
use crate::risk::clear::name_of;

const RULES: &str = "risk r soft { applies to all
    reduce_only LOST until manual when account.day_loss >= 3% }";
/// 1 % in units of 1e-9.
const PERCENT: i64 = 10_000_000;

impl Desk {
    fn clear(&mut self, allow: Option<i64>) -> ClearStep {
        self.clear_by(7, allow)
    }

    fn clear_by(&mut self, by: u16, allow: Option<i64>) -> ClearStep {
        let name = name_of("LOST");
        let (allows, allow) = (allow.is_some(), allow.unwrap_or(0));
        self.send(&LatchCleared { allow, name, text: 1, by, allows, money: false });
        let step = self.out.events().iter().find_map(|event| match event.body() {
            Body::ClearStep(step) => Some(step),
            _ => None,
        });
        step.expect("what came of it")
    }

    fn armed_by(&self) -> Option<i64> {
        self.out.events().iter().find_map(|event| match event.body() {
            Body::LatchChanged(latch) if latch.state == LatchState::Armed => Some(latch.limit),
            _ => None,
        })
    }
}

#[test]
fn an_allowance_for_a_day_holds_to_its_limit_and_ends_with_the_day() {
    let mut desk = Desk::new(RULES, 1_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 20, 350_000), yes(20, ""));
    desk.filled(Side::Buy, 20, 350_000);
    assert_eq!(desk.clear(None).result, ClearResult::NotArmed);
    // 0.020 at 2,000 less: 40 of 1,000.
    desk.quote(330_000);
    assert_eq!(desk.armed_by(), Some(3 * PERCENT));
    let still = desk.clear(None);
    let values = (still.observed, still.limit);
    assert_eq!((still.result, values), (ClearResult::StillTrue, (4 * PERCENT, 3 * PERCENT)));
    assert_eq!(desk.clear(Some(4 * PERCENT)).result, ClearResult::StillTrue, "not above it");
    assert_eq!(desk.ask(Side::Buy, 1, 330_000), no("LOST"), "what was refused cleared nothing");

    let step = desk.clear(Some(6 * PERCENT));
    let day_end = Nanos(86_400 * SECOND_NS);
    assert_eq!((step.result, step.allowed), (ClearResult::Cleared, 6 * PERCENT));
    assert_eq!(step.until, day_end);
    assert_eq!(desk.latches(), [("LOST".to_owned(), LatchState::Ended)]);
    assert_eq!(desk.ask(Side::Buy, 1, 330_000), yes(1, ""));
    // 62 of 1,000.
    desk.quote(319_000);
    assert_eq!(desk.armed_by(), Some(6 * PERCENT), "anew, by what was allowed");
    assert_eq!(desk.clear(Some(9 * PERCENT)).result, ClearResult::Cleared);

    // The next day begins with 938; 32 of that is above 3 % and below 9 %.
    desk.second = 86_400;
    desk.send(&DayRoll { date: Date(1) });
    desk.quote(319_000);
    assert_eq!(desk.armed_by(), None);
    desk.quote(303_000);
    assert_eq!(desk.armed_by(), Some(3 * PERCENT), "the rule's own limit again");
}

#[test]
fn a_latch_is_cleared_by_a_person_with_a_reason_and_in_its_own_unit() {
    let mut desk = Desk::new(RULES, 1_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 20, 350_000), yes(20, ""));
    desk.filled(Side::Buy, 20, 350_000);
    desk.quote(330_000);
    let name = name_of("LOST");
    let sound =
        LatchCleared { allow: 6 * PERCENT, name, text: 1, by: 7, allows: true, money: false };
    for (wrong, result) in [
        (LatchCleared { by: 0, ..sound }, ClearResult::Unsigned),
        (LatchCleared { text: 0, ..sound }, ClearResult::Unsigned),
        (LatchCleared { money: true, ..sound }, ClearResult::NoLimit),
        (LatchCleared { name: name_of("LAST"), ..sound }, ClearResult::NotArmed),
    ] {
        desk.send(&wrong);
        let told = desk.out.events().iter().any(|event| match event.body() {
            Body::ClearStep(step) => step.result == result,
            _ => false,
        });
        assert!(told, "{wrong:?}: {:?}", desk.out.events());
        assert_eq!(desk.latches(), [], "{wrong:?}");
    }
    // A loss that is over needs no allowance.
    desk.quote(349_000);
    assert_eq!(desk.clear(None).result, ClearResult::Cleared);
}

#[test]
fn an_allowance_of_a_hard_block_takes_two_people_and_its_end_one() {
    let mut desk = Desk::new(&RULES.replace("soft", "hard"), 1_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 20, 350_000), yes(20, ""));
    desk.filled(Side::Buy, 20, 350_000);
    desk.quote(330_000);
    for (by, percent) in [(7, 6), (7, 6), (8, 7), (7, 6)] {
        assert_eq!(desk.clear_by(by, Some(percent * PERCENT)).result, ClearResult::Asked);
        assert_eq!(desk.latches(), [], "one person allowed {percent} %");
    }
    assert_eq!(desk.clear_by(8, Some(6 * PERCENT)).result, ClearResult::Cleared);
    assert_eq!(desk.ask(Side::Buy, 1, 330_000), yes(1, ""));
    desk.quote(310_000);
    assert_eq!(desk.armed_by(), Some(6 * PERCENT));
    desk.quote(349_000);
    assert_eq!(desk.clear_by(7, None).result, ClearResult::Cleared, "it is over: nothing loosens");
}
