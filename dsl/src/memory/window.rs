//! Rings of windows: buckets of a time, the last n, and orders that may be repeated.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::id::InstrumentId;
use model::order::Cause;
use model::time::Nanos;

use super::{OrderKey, Reach, expect_len, load_value, save_value};
use crate::limits::SAME_ORDERS_MAX;
use crate::value::Value;

/// Buckets that a window's length is divided into.
const BUCKETS: i64 = 64;
/// Buckets held: those of the length, and the one that its far end cuts.
const HELD: usize = 65;

/// One window's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ring {
    Timed(Timed),
    Last(Last),
    Same(Same),
}

/// Sums of what was added, and how much of it was unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    sum: i128,
    unknown: u32,
    overflow: bool,
}

/// Buckets of a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timed {
    width_ns: i64,
    /// Number of the newest bucket, counted from the epoch.
    head: i64,
    buckets: Vec<Tally>,
}

/// Counts events of a time, as a window does: at least its length, at most a 64th more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    ring: Timed,
}

impl Counter {
    /// Returns a counter over a length in nanoseconds.
    #[must_use]
    pub fn new(length_ns: i64) -> Self {
        Self { ring: Timed::new(length_ns) }
    }

    /// Counts one.
    pub fn add(&mut self, now: Nanos) {
        self.ring.add(now, Value::TRUE);
    }

    /// Returns how many were counted within the length before now.
    #[must_use]
    pub fn count(&self, now: Nanos) -> i64 {
        let count = self.ring.read(now).number().unwrap_or(i128::from(i64::MAX));
        i64::try_from(count).unwrap_or(i64::MAX)
    }
}

impl Image for Counter {
    fn save(&self, out: &mut ImageWriter) {
        self.ring.save(out);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.ring.load(from)
    }
}

impl Image for Timed {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.head);
        out.put_len(self.buckets.len());
        for bucket in &self.buckets {
            out.put(bucket.sum);
            out.put(bucket.unknown);
            out.put(bucket.overflow);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.head = from.take()?;
        expect_len(from, self.buckets.len())?;
        for bucket in &mut self.buckets {
            bucket.sum = from.take()?;
            bucket.unknown = from.take()?;
            bucket.overflow = from.take()?;
        }
        Ok(())
    }
}

/// The last n elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    values: Vec<Value>,
    /// Where the next one goes.
    next: usize,
    /// How many there are.
    held: usize,
}

/// Approved orders of a time, newest last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Same {
    length_ns: i64,
    orders: Vec<(Nanos, OrderKey)>,
    next: usize,
    held: usize,
}

impl Tally {
    fn add(&mut self, value: Value) {
        match value.number() {
            Some(number) => match self.sum.checked_add(number) {
                Some(sum) => self.sum = sum,
                None => self.overflow = true,
            },
            None => self.unknown = self.unknown.saturating_add(1),
        }
    }

    fn join(&mut self, other: Self) {
        match self.sum.checked_add(other.sum) {
            Some(sum) => self.sum = sum,
            None => self.overflow = true,
        }
        self.unknown = self.unknown.saturating_add(other.unknown);
        self.overflow |= other.overflow;
    }

    fn value(self) -> Value {
        if self.overflow {
            Value::na(Cause::Overflow)
        } else if self.unknown > 0 {
            Value::MISSING
        } else {
            Value::known(self.sum)
        }
    }
}

impl Timed {
    fn new(length_ns: i64) -> Self {
        let width_ns = length_ns.saturating_add(BUCKETS - 1).checked_div(BUCKETS).unwrap_or(1);
        Self { width_ns: width_ns.max(1), head: 0, buckets: vec![Tally::default(); HELD] }
    }

    /// Returns the number of the bucket of a moment.
    fn number(&self, now: Nanos) -> i64 {
        now.0.checked_div_euclid(self.width_ns).unwrap_or(0)
    }

    fn place(number: i64) -> usize {
        let held = i64::try_from(HELD).unwrap_or(1);
        usize::try_from(number.checked_rem_euclid(held).unwrap_or(0)).unwrap_or(0)
    }

    fn add(&mut self, now: Nanos, value: Value) {
        let number = self.number(now).max(self.head);
        let passed = usize::try_from(number.saturating_sub(self.head)).unwrap_or(HELD).min(HELD);
        for step in 0..passed {
            let empty = number.saturating_sub(i64::try_from(step).unwrap_or(0));
            if let Some(bucket) = self.buckets.get_mut(Self::place(empty)) {
                *bucket = Tally::default();
            }
        }
        self.head = number;
        if let Some(bucket) = self.buckets.get_mut(Self::place(number)) {
            bucket.add(value);
        }
    }

    fn read(&self, now: Nanos) -> Value {
        // Buckets that lie further back than the length count no more.
        let oldest = self.number(now).saturating_sub(BUCKETS);
        let mut all = Tally::default();
        for step in 0..HELD {
            let number = self.head.saturating_sub(i64::try_from(step).unwrap_or(0));
            if number < oldest {
                break;
            }
            if let Some(bucket) = self.buckets.get(Self::place(number)) {
                all.join(*bucket);
            }
        }
        all.value()
    }
}

impl Last {
    fn new(count: u32) -> Self {
        let count = usize::try_from(count).unwrap_or(1).max(1);
        Self { values: vec![Value::FALSE; count], next: 0, held: 0 }
    }

    fn add(&mut self, value: Value) {
        let count = self.values.len();
        if let Some(slot) = self.values.get_mut(self.next) {
            *slot = value;
        }
        self.next = self.next.saturating_add(1);
        if self.next >= count {
            self.next = 0;
        }
        self.held = self.held.saturating_add(1).min(count);
    }

    fn read(&self) -> Value {
        let mut all = Tally::default();
        for value in self.values.iter().take(self.held) {
            all.add(*value);
        }
        all.value()
    }
}

impl Same {
    fn new(length_ns: i64) -> Self {
        let orders = vec![(Nanos(0), OrderKey::default()); SAME_ORDERS_MAX];
        Self { length_ns, orders, next: 0, held: 0 }
    }

    fn add(&mut self, now: Nanos, order: &OrderKey) {
        if let Some(slot) = self.orders.get_mut(self.next) {
            *slot = (now, *order);
        }
        self.next = self.next.saturating_add(1);
        if self.next >= SAME_ORDERS_MAX {
            self.next = 0;
        }
        self.held = self.held.saturating_add(1).min(SAME_ORDERS_MAX);
    }

    fn read(&self, now: Nanos, order: &OrderKey) -> Value {
        let mut count = 0_i128;
        let mut at = self.next;
        for _ in 0..self.held {
            at = at.checked_sub(1).unwrap_or(SAME_ORDERS_MAX - 1);
            let Some((moment, known)) = self.orders.get(at) else { break };
            if now.since(*moment) >= self.length_ns {
                return Value::known(count);
            }
            count = count.saturating_add(i128::from(known == order));
        }
        // All that is remembered is young: what was forgotten may be too.
        if self.held >= SAME_ORDERS_MAX { Value::na(Cause::Overflow) } else { Value::known(count) }
    }
}

impl Ring {
    pub(super) fn new(reach: Reach) -> Self {
        match reach {
            Reach::Time(length_ns) => Self::Timed(Timed::new(length_ns)),
            Reach::Last(count) => Self::Last(Last::new(count)),
            Reach::Same(length_ns) => Self::Same(Same::new(length_ns)),
        }
    }

    pub(super) fn bytes(reach: Reach) -> usize {
        match reach {
            Reach::Time(_) => HELD.saturating_mul(size_of::<Tally>()),
            Reach::Last(count) => {
                usize::try_from(count).unwrap_or(0).saturating_mul(size_of::<Value>())
            }
            Reach::Same(_) => SAME_ORDERS_MAX.saturating_mul(size_of::<(Nanos, OrderKey)>()),
        }
    }

    pub(super) fn add(&mut self, now: Nanos, value: Value, order: Option<&OrderKey>) {
        match self {
            Self::Timed(ring) => ring.add(now, value),
            Self::Last(ring) => ring.add(value),
            Self::Same(ring) => {
                if let Some(order) = order {
                    ring.add(now, order);
                }
            }
        }
    }

    pub(super) fn read(&self, now: Nanos, order: Option<&OrderKey>) -> Value {
        match self {
            Self::Timed(ring) => ring.read(now),
            Self::Last(ring) => ring.read(),
            Self::Same(ring) => order.map_or(Value::MISSING, |order| ring.read(now, order)),
        }
    }
}

impl Image for Ring {
    fn save(&self, out: &mut ImageWriter) {
        match self {
            Self::Timed(ring) => ring.save(out),
            Self::Last(ring) => {
                out.put_len(ring.values.len());
                out.put_len(ring.next);
                out.put_len(ring.held);
                for value in ring.values.iter().take(ring.held) {
                    save_value(*value, out);
                }
            }
            Self::Same(ring) => {
                out.put_len(ring.next);
                out.put_len(ring.held);
                for (moment, order) in ring.orders.iter().take(ring.held) {
                    out.put(*moment);
                    out.put(order.instrument.0);
                    out.put(order.strategy);
                    out.put(order.side);
                    out.put(order.price);
                    out.put(order.qty);
                }
            }
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        match self {
            Self::Timed(ring) => ring.load(from)?,
            Self::Last(ring) => {
                expect_len(from, ring.values.len())?;
                ring.next = from.take_len(ring.values.len())?;
                ring.held = from.take_len(ring.values.len())?;
                ring.values.fill(Value::FALSE);
                for value in ring.values.iter_mut().take(ring.held) {
                    *value = load_value(from)?;
                }
            }
            Self::Same(ring) => {
                ring.next = from.take_len(SAME_ORDERS_MAX)?;
                ring.held = from.take_len(SAME_ORDERS_MAX)?;
                ring.orders.fill((Nanos(0), OrderKey::default()));
                for (moment, order) in ring.orders.iter_mut().take(ring.held) {
                    *moment = from.take()?;
                    *order = OrderKey {
                        instrument: InstrumentId(from.take()?),
                        strategy: from.take()?,
                        side: from.take()?,
                        price: from.take()?,
                        qty: from.take()?,
                    };
                }
            }
        }
        Ok(())
    }
}
