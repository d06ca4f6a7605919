//! Windows against a naive list, and the round trip of the image.

use model::time::SECOND_NS;
use proptest::prelude::*;

use super::*;

fn of(reach: Reach) -> Memory {
    let spec = MemorySpec {
        states: vec![StateSpec { initial: Value::known(7), reset: Reset::Daily, local: true }],
        windows: vec![WindowSpec { reach, local: false }],
    };
    Memory::new(&spec, 2)
}

fn copy(memory: &Memory, reach: Reach) -> Memory {
    let mut out = ImageWriter::default();
    memory.save(&mut out);
    let bytes = out.finish();
    let mut back = of(reach);
    let mut from = ImageReader::new(&bytes);
    back.load(&mut from).unwrap();
    from.finish().unwrap();
    back
}

#[test]
fn updates_of_one_event_are_committed_together() {
    let mut memory = of(Reach::Last(1));
    memory.stage(0, Value::known(9));
    assert_eq!(memory.state(0, 1), Value::known(7), "staged is not committed");
    memory.commit(1);
    assert_eq!((memory.state(0, 0), memory.state(0, 1)), (Value::known(7), Value::known(9)));
    assert!(memory.roll(false));
    assert_eq!(memory.state(0, 1), Value::known(7));
    assert_eq!(memory.state(5, 0), Value::MISSING);
}

#[test]
fn an_order_is_the_same_until_its_time_is_over_and_a_full_ring_is_unknown() {
    let mut memory = of(Reach::Same(SECOND_NS));
    let order = OrderKey { price: Price(5), ..OrderKey::default() };
    let other = OrderKey { price: Price(6), ..order };
    memory.add(0, 0, Nanos(SECOND_NS), Value::TRUE, Some(&order));
    let read = |memory: &Memory, at, key| memory.window(0, 0, Nanos(at), Some(key));
    assert_eq!(read(&memory, 2 * SECOND_NS - 1, &order), Value::known(1));
    assert_eq!(read(&memory, 2 * SECOND_NS - 1, &other), Value::known(0));
    assert_eq!(read(&memory, 2 * SECOND_NS, &order), Value::known(0));
    assert_eq!(memory.window(0, 0, Nanos(0), None), Value::MISSING, "no order at hand");
    for _ in 0..crate::limits::SAME_ORDERS_MAX {
        memory.add(0, 0, Nanos(3 * SECOND_NS), Value::TRUE, Some(&other));
    }
    assert_eq!(read(&memory, 3 * SECOND_NS, &order).cause(), Cause::Overflow);
    assert_eq!(read(&memory, 4 * SECOND_NS, &order), Value::known(0));
}

#[test]
fn what_was_added_unknown_makes_the_sum_unknown_until_it_has_passed() {
    let mut memory = of(Reach::Last(2));
    memory.add(0, 0, Nanos(1), Value::MISSING, None);
    memory.add(0, 0, Nanos(2), Value::known(4), None);
    assert_eq!(memory.window(0, 0, Nanos(3), None), Value::MISSING);
    memory.add(0, 0, Nanos(4), Value::known(5), None);
    assert_eq!(memory.window(0, 0, Nanos(4), None), Value::known(9));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A window holds all of its length, and nothing older than a 64th more.
    #[test]
    fn a_window_never_counts_too_little(
        length in 1_000_000_i64..10_000_000_000,
        steps in prop::collection::vec((0_i64..3_000_000_000, 1_i128..100), 1..60),
    ) {
        let reach = Reach::Time(length);
        let mut memory = of(reach);
        let mut now = 1_700_000_000_000_000_000_i64;
        let mut added: Vec<(i64, i128)> = Vec::new();
        for (step, value) in steps {
            now += step;
            memory.add(0, 0, Nanos(now), Value::known(value), None);
            added.push((now, value));
            let at = now + step / 2;
            let found = memory.window(0, 0, Nanos(at), None).number().unwrap();
            let width = (length + 63) / 64;
            let within = |limit: i64| -> i128 {
                added.iter().filter(|(moment, _)| at - moment < limit).map(|(_, v)| v).sum()
            };
            prop_assert!(found >= within(length), "{found} is too little");
            prop_assert!(found <= within(length + 2 * width), "{found} is too much");
        }
        prop_assert_eq!(copy(&memory, reach), memory);
    }

    #[test]
    fn the_last_are_the_last(
        count in 1_u32..9,
        values in prop::collection::vec(-9_i128..9, 1..40),
    ) {
        let reach = Reach::Last(count);
        let mut memory = of(reach);
        for (index, value) in values.iter().enumerate() {
            memory.add(0, 0, Nanos(1), Value::known(*value), None);
            let from = (index + 1).saturating_sub(usize::try_from(count).unwrap());
            let sum: i128 = values[from..=index].iter().sum();
            prop_assert_eq!(memory.window(0, 0, Nanos(1), None), Value::known(sum));
        }
        prop_assert_eq!(copy(&memory, reach), memory);
    }
}
