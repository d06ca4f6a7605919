//! Names of instruments, strategies, orders and runs, as small integers.

/// Sequence number of an input record: stamped by the feed stage, +1, no gaps, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Dense index of an instrument in the session's table, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentId(pub u32);

/// Dense index of an asset in the session's table, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetId(pub u16);

/// Dense index of an account in the session's table, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u16);

/// Dense index of a strategy in the session's table, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StrategyId(pub u16);

/// Identity of a run: random for a live one, derived from data, rules and seed for a repeatable
/// one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u128);

/// Stands for every strategy where one could be named.
pub const ALL_STRATEGIES: StrategyId = StrategyId(u16::MAX);

/// The instrument of an event that concerns none.
pub const NO_INSTRUMENT: InstrumentId = InstrumentId(u32::MAX);

/// LIMIT: orders of one seq; the ordinal has 16 bits.
pub const ORDINALS_PER_SEQ: u64 = 1 << 16;

/// LIMIT: sequence numbers that an order number can hold: 48 bits, 770 years at 1e9 a day.
pub const SEQ_MAX: u64 = (1 << 48) - 1;

/// Marks the ordinal of a protective stop.
const STOP_BIT: u64 = ORDINALS_PER_SEQ >> 1;

/// Marks the ordinal of an exit that the engine made itself; what is below it is the instrument. A
/// step of the strategies puts out far fewer orders.
const ENGINE_ORDINAL: u16 = 0x4000;

/// Number of an order: the seq of the event that caused it, and its ordinal within that seq.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNo(u64);

impl Seq {
    /// Returns the next sequence number.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl OrderNo {
    /// Returns the number of the order with ordinal `ordinal` of `seq`.
    #[must_use]
    pub fn new(seq: Seq, ordinal: u16) -> Self {
        Self((seq.0.min(SEQ_MAX) << 16) | u64::from(ordinal))
    }

    /// Returns the number of the protective stop that begins with this order. No order has so many
    /// before it in its seq that the two could meet: a step puts out far fewer events.
    #[must_use]
    pub fn stop(self) -> Self {
        Self(self.0 | STOP_BIT)
    }

    /// Returns the number of the engine's own exit of an instrument at `seq`: at most one a step.
    #[must_use]
    pub fn engine(seq: Seq, instrument: InstrumentId) -> Self {
        let index = u16::try_from(instrument.0).unwrap_or(0) & !ENGINE_ORDINAL;
        Self::new(seq, ENGINE_ORDINAL | index)
    }

    /// Tells whether this is the number of an exit that the engine made itself.
    #[must_use]
    pub fn is_engine(self) -> bool {
        !self.is_stop() && self.ordinal() & ENGINE_ORDINAL != 0
    }

    /// Returns the instrument of an exit that the engine made itself.
    #[must_use]
    pub fn engine_instrument(self) -> InstrumentId {
        InstrumentId(u32::from(self.ordinal() & !ENGINE_ORDINAL))
    }

    /// Tells whether this is the number of a protective stop.
    #[must_use]
    pub fn is_stop(self) -> bool {
        self.0 & STOP_BIT != 0
    }

    /// Returns the seq of the event that caused the order.
    #[must_use]
    pub fn seq(self) -> Seq {
        Seq(self.0 >> 16)
    }

    /// Returns the ordinal within its seq, from 0.
    #[must_use]
    pub fn ordinal(self) -> u16 {
        // The mask leaves 16 bits.
        u16::try_from(self.0 & 0xFFFF).unwrap_or(0)
    }

    /// Returns the number as stored in records.
    #[must_use]
    pub fn raw(self) -> u64 {
        self.0
    }

    /// Returns the order number of a stored value.
    #[must_use]
    pub fn from_raw(raw: u64) -> Self {
        Self(raw)
    }
}

/// Returns the venue's client order id of an order: 18 characters of `[A-Z2-7]`, unique over the
/// run.
///
/// Five characters name the run (25 bits of its id), thirteen hold the 64 bits of the order number,
/// so the id is decodable and a resend can never become a second order. It is made at the egress
/// only and is part of no decision.
#[must_use]
pub fn client_order_id(run: RunId, order: OrderNo) -> String {
    let mut text = String::with_capacity(18);
    let run_bits = run.0 & 0x1FF_FFFF;
    push_base32(&mut text, run_bits, 5);
    push_base32(&mut text, u128::from(order.raw()), 13);
    text
}

/// Returns the order number inside a client order id, `None` when the text is not one of ours.
#[must_use]
pub fn order_of_client_id(run: RunId, text: &str) -> Option<OrderNo> {
    let (head, tail) = text.split_at_checked(5)?;
    let mut expected = String::new();
    push_base32(&mut expected, run.0 & 0x1FF_FFFF, 5);
    if head != expected || tail.len() != 13 {
        return None;
    }
    let mut raw = 0_u128;
    for byte in tail.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'2'..=b'7' => byte.wrapping_sub(b'2').wrapping_add(26),
            _ => return None,
        };
        raw = (raw << 5) | u128::from(digit);
    }
    u64::try_from(raw).ok().map(OrderNo)
}

fn push_base32(text: &mut String, value: u128, digits: u32) {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    for place in (0..digits).rev() {
        let shift = place.saturating_mul(5);
        let digit = usize::try_from((value >> shift) & 31).unwrap_or(0);
        text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'A')));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_order_ids_are_decodable_and_short() {
        for (seq, ordinal) in [(1, 0), (77, 3), (SEQ_MAX, u16::MAX)] {
            let order = OrderNo::new(Seq(seq), ordinal);
            assert_eq!((order.seq(), order.ordinal()), (Seq(seq), ordinal));
            let run = RunId(0x1234_5678_9abc_def0);
            let text = client_order_id(run, order);
            assert_eq!(text.len(), 18);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert_eq!(order_of_client_id(run, &text), Some(order));
            assert_eq!(order_of_client_id(RunId(1), &text), None, "another run's id is not ours");
        }
    }
}
