//! What came out of a scenario, as the lines of its table.

use std::collections::{BTreeMap, BTreeSet};

use engine::session::Session;
use model::event::{Body, Event};
use model::id::{OrderNo, Seq};
use model::order::{Action, DoneReason, LatchState, Liquidity, Verdict};

use super::table::{PRICE_DECIMALS, QTY_DECIMALS, START, Table};

const MS: i64 = 1_000_000;
const DAY_MS: i64 = 86_400_000;

/// Sorts events by their lanes: between lanes the order of a file is that of its writers.
pub(super) fn by_lane(events: &[Event]) -> BTreeMap<u8, Vec<Event>> {
    let mut lanes: BTreeMap<u8, Vec<Event>> = BTreeMap::new();
    for event in events {
        lanes.entry(event.kind().lane() as u8).or_default().push(*event);
    }
    lanes
}

/// Returns a mantissa as text with all its decimals.
fn fixed(mantissa: i64, decimals: u8) -> String {
    let (sign, size) = (if mantissa < 0 { "-" } else { "" }, mantissa.unsigned_abs());
    let step = 10_u64.pow(decimals.into());
    format!("{sign}{}.{:0width$}", size / step, size % step, width = decimals.into())
}

/// Returns an amount of money as text, without zeros at its end.
fn money(nano: i128) -> String {
    let (sign, size) = (if nano < 0 { "-" } else { "" }, nano.unsigned_abs());
    let text = format!("{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn at(event: &Event) -> String {
    let ms = (event.ts.0 - START).div_euclid(MS);
    let (day, ms) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    if day == 0 { ms.to_string() } else { format!("{day}+{ms}") }
}

/// What is known while the events are told one after the other.
struct Teller<'a> {
    table: &'a Table,
    session: &'a Session,
    /// Orders asked for, by the seq of their request.
    names: BTreeMap<Seq, String>,
    /// Stops by their numbers.
    stops: BTreeMap<OrderNo, String>,
    /// The stop that came last, by whose it is and on which side.
    last: BTreeMap<(u16, u8), String>,
    refused: BTreeSet<OrderNo>,
    /// Days that opened; the first opens with the session.
    days: u32,
    rolled: Option<Seq>,
    totals: BTreeMap<u16, (i128, i128)>,
    position: Option<i64>,
    lines: Vec<String>,
}

impl Teller<'_> {
    fn name(&self, order: OrderNo) -> String {
        let stop = self.stops.get(&order).cloned();
        let own = || self.names.get(&order.seq()).cloned();
        stop.or_else(own).unwrap_or_else(|| "venue".to_owned())
    }

    fn asset(&self, id: u16) -> &str {
        &self.session.setup.assets[usize::from(id)]
    }

    fn say(&mut self, event: &Event, text: &str) {
        self.lines.push(format!("{} {text}", at(event)));
    }

    fn tell(&mut self, event: &Event) {
        match event.body() {
            Body::OrderAsked(asked) if matches!(asked.action, Action::Enter | Action::Exit) => {
                let name = self.table.orders[self.names.len()].clone();
                self.names.insert(event.seq, name);
            }
            Body::Decision(decision) => {
                let order = OrderNo::new(event.seq, decision.ordinal);
                let (name, code) = (self.name(order), self.session.bound.code_name(decision.code));
                if decision.verdict == Verdict::Deny {
                    self.refused.insert(order);
                    return self.say(event, &format!("refuse {name} {code}"));
                }
                let cut = if decision.code.0 == 0 { String::new() } else { format!(" {code}") };
                let qty = fixed(decision.qty.0, QTY_DECIMALS);
                self.say(event, &format!("approve {name} {qty}{cut}"));
            }
            Body::CancelSent(cancel) => {
                let name = self.name(cancel.order);
                self.say(event, &format!("cancel {name}"));
            }
            Body::StopSent(stop) => {
                let key = (stop.strategy.0, stop.side as u8);
                if !stop.moves {
                    let first =
                        self.names.get(&stop.order.seq()).map(|name| format!("{name}.stop"));
                    let renewed = self.last.get(&key).map(|last| format!("{last}'"));
                    let name = first.or(renewed).unwrap_or_default();
                    self.stops.insert(stop.order, name.clone());
                    self.last.insert(key, name);
                }
                let verb = if stop.moves { "move" } else { "place" };
                let name = self.name(stop.order);
                let trigger = fixed(stop.trigger.0, PRICE_DECIMALS);
                self.say(event, &format!("{verb} {name} {trigger}"));
            }
            Body::LatchChanged(latch) => {
                let state = match latch.state {
                    LatchState::Waiting => "waits",
                    LatchState::Armed => "armed",
                    LatchState::Ended => "ended",
                };
                let code = self.session.bound.code_name(latch.code);
                self.say(event, &format!("latch {code} {state}"));
            }
            Body::DayRoll(_) => {
                self.days += 1;
                self.rolled = Some(event.seq).filter(|_| self.days > 1);
            }
            Body::RiskState(state) if self.rolled == Some(event.seq) => {
                let known = if state.known { "" } else { " unknown" };
                self.say(event, &format!("day equity {}{known}", money(state.equity.0)));
            }
            Body::BalanceChanged(balance) => {
                self.totals.insert(balance.asset.0, (balance.total.0, balance.locked.0));
            }
            Body::PositionChanged(position) => self.position = Some(position.qty.0),
            _ => self.report(event),
        }
    }

    /// Tells what the venue reports.
    fn report(&mut self, event: &Event) {
        match event.body() {
            Body::OrderAck(ack) => {
                let name = self.name(ack.order);
                self.say(event, &format!("ack {name}"));
            }
            Body::Fill(fill) => {
                let liquidity = match fill.liquidity {
                    Liquidity::Maker => "maker",
                    Liquidity::Taker => "taker",
                    Liquidity::Liquidation => "liquidation",
                };
                let text = format!(
                    "fill {} {} at {} {liquidity} fee {} {}",
                    self.name(fill.order),
                    fixed(fill.qty.0, QTY_DECIMALS),
                    fixed(fill.price.0, PRICE_DECIMALS),
                    money(fill.fee.into()),
                    self.asset(fill.fee_asset.0),
                );
                self.say(event, &text);
            }
            Body::OrderDone(done) if !self.refused.contains(&done.order) => {
                let (name, filled) = (self.name(done.order), fixed(done.filled.0, QTY_DECIMALS));
                let text = match done.reason {
                    DoneReason::Filled => format!("filled {name} {filled}"),
                    DoneReason::Cancelled => format!("cancelled {name} {filled}"),
                    DoneReason::Expired => format!("expired {name} {filled}"),
                    DoneReason::Rejected => {
                        let code = done.code.builtin_name().unwrap_or("NONE");
                        format!("rejected {name} {code}")
                    }
                };
                self.say(event, &text);
            }
            _ => {}
        }
    }
}

/// Returns the lines of a table that its events come to.
pub(super) fn lines(table: &Table, session: &Session, events: &[Event]) -> Vec<String> {
    let mut teller = Teller {
        table,
        session,
        names: BTreeMap::new(),
        stops: BTreeMap::new(),
        last: BTreeMap::new(),
        refused: BTreeSet::new(),
        days: 0,
        rolled: None,
        totals: BTreeMap::new(),
        position: None,
        lines: Vec::new(),
    };
    for event in events {
        teller.tell(event);
    }
    let mut lines = std::mem::take(&mut teller.lines);
    for (asset, (total, locked)) in &teller.totals {
        let name = teller.asset(*asset);
        let locked =
            if *locked == 0 { String::new() } else { format!(" locked {}", money(*locked)) };
        lines.push(format!("balance {} {name}{locked}", money(*total)));
    }
    if let Some(position) = teller.position {
        lines.push(format!("position {}", fixed(position, QTY_DECIMALS)));
    }
    lines
}
