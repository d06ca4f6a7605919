//! Files of what a venue tells beside its market: published marks, fundings, cash flows.
//!
//! ```text
//! local_ts,mark                          nanoseconds; a price in the quote asset
//! local_ts,rate,mark                     a share of the position's value (0.0001: 0.01 %)
//! local_ts,account,asset,amount,reason   units of the asset; - for what leaves
//! ```
//!
//! A mark may be finer than the instrument's prices: it is rounded to one decimal more than they
//! have. A funding without a mark is reported as such and never computed by another one.

use engine::setup::Setup;
use engine::source::Message;
use model::decimal::parse_mantissa;
use model::event::{Body, CashFlow, Funding, MarkPrice};
use model::id::{AccountId, AssetId};
use model::num::{MONEY_SCALE, Money, Price, RATE_SCALE, Rate};
use model::order::{FlowReason, InputFault};
use model::time::Nanos;

use super::cursor::{Cursor, Next};
use super::fields::{self, Columns, Row};
use super::klines::{fault_of, rounded};

/// Header line of files of marks.
pub(super) const MARKS_HEADER: &str = "local_ts,mark";
/// Header line of files of fundings.
pub(super) const FUNDINGS_HEADER: &str = "local_ts,rate,mark";
/// Header line of files of cash flows.
pub(super) const FLOWS_HEADER: &str = "local_ts,account,asset,amount,reason";

/// What each row is.
#[derive(Debug)]
enum Content {
    /// Marks, at so many decimals.
    Marks(u8),
    /// Fundings, their marks at so many decimals.
    Fundings(u8),
    /// Cash flows, among accounts and assets by id.
    Flows { accounts: Vec<String>, assets: Vec<String> },
}

/// The rows of one file.
#[derive(Debug)]
pub(super) struct Payments {
    columns: Columns,
    header: &'static str,
    content: Content,
}

impl Payments {
    fn new(header: &'static str, content: Content) -> Self {
        let names: Vec<&str> = header.split(',').collect();
        Self { columns: Columns::find_some(header.as_bytes(), &names), header, content }
    }

    /// Returns the rows of a file of marks.
    pub(super) fn marks(decimals: u8) -> Self {
        Self::new(MARKS_HEADER, Content::Marks(decimals))
    }

    /// Returns the rows of a file of fundings.
    pub(super) fn fundings(decimals: u8) -> Self {
        Self::new(FUNDINGS_HEADER, Content::Fundings(decimals))
    }

    /// Returns the rows of a file of cash flows, of no account yet.
    pub(super) fn flows() -> Self {
        let (accounts, assets) = (Vec::new(), Vec::new());
        Self::new(FLOWS_HEADER, Content::Flows { accounts, assets })
    }

    /// Names the accounts and assets of the session, which are known last.
    pub(super) fn of_session(&mut self, setup: &Setup) {
        if let Content::Flows { accounts, assets } = &mut self.content {
            *accounts = setup.accounts.iter().map(|account| account.name.clone()).collect();
            assets.clone_from(&setup.assets);
        }
    }

    /// Reads one line; false at the end.
    pub(super) fn read(&mut self, cursor: &mut Cursor, into: &mut Message) -> bool {
        match cursor.next(into) {
            Next::Line => {}
            Next::TooLong | Next::Failed => return true,
            Next::End => return false,
        }
        let line = cursor.line();
        if line == self.header.as_bytes() {
            cursor.uncount();
            return true;
        }
        let (instrument, mark) = (cursor.instrument(), into.updates.len());
        match self.row(line) {
            Ok((time_ns, body)) => {
                into.updates.push((instrument, body));
                if cursor.tick(into, time_ns) {
                    cursor.fault_before(mark, into, instrument, InputFault::ClockBack);
                }
            }
            Err((time_ns, fault)) => {
                if let Some(time_ns) = time_ns {
                    cursor.tick(into, time_ns);
                }
                cursor.fault(into, instrument, fault);
            }
        }
        true
    }

    /// Reads a row; what is wrong with it has its time, where that can be read.
    fn row(&self, line: &[u8]) -> Result<(i64, Body), (Option<i64>, InputFault)> {
        let row = self.columns.cut(line);
        let time_ns = fields::integer(row.at(0)).and_then(|ns| i64::try_from(ns).ok());
        let (Some(time_ns), true) = (time_ns, row.is_whole) else {
            return Err((None, InputFault::Malformed));
        };
        if !fields::is_time(time_ns) {
            return Err((None, InputFault::TooLarge));
        }
        let body = match &self.content {
            Content::Marks(decimals) => mark(row.at(1), *decimals)
                .map(|mark| Body::MarkPrice(MarkPrice { mark, venue_ts: Nanos(time_ns) })),
            Content::Fundings(decimals) => funding(&row, *decimals, time_ns),
            Content::Flows { accounts, assets } => flow(&row, accounts, assets),
        };
        body.map(|body| (time_ns, body)).map_err(|fault| (Some(time_ns), fault))
    }
}

/// Reads a mark to the nearest, halves to even.
fn mark(text: &[u8], decimals: u8) -> Result<Price, InputFault> {
    let mark = i64::try_from(rounded(text, decimals)?).map_err(|_| InputFault::TooLarge)?;
    if mark > 0 { Ok(Price(mark)) } else { Err(InputFault::NotPositive) }
}

fn funding(row: &Row<'_>, decimals: u8, time_ns: i64) -> Result<Body, InputFault> {
    let rate = Rate(parse_mantissa(row.at(1), RATE_SCALE).map_err(fault_of)?);
    if row.at(2).is_empty() {
        return Err(InputFault::NoMark);
    }
    let (mark, venue_ts) = (mark(row.at(2), decimals)?, Nanos(time_ns));
    Ok(Body::Funding(Funding { rate, mark, venue_ts, ..Funding::default() }))
}

/// Reads a cash flow. Of a session with one account the account need not be named.
fn flow(row: &Row<'_>, accounts: &[String], assets: &[String]) -> Result<Body, InputFault> {
    let place = |names: &[String], text: &[u8]| {
        let at = names.iter().position(|name| name.as_bytes() == text)?;
        u16::try_from(at).ok()
    };
    let account = match (row.at(1), accounts) {
        (b"", [_]) => Some(0),
        (name, _) => place(accounts, name),
    };
    let asset = place(assets, row.at(2));
    let (Some(account), Some(asset)) = (account, asset) else {
        return Err(InputFault::UnknownAccount);
    };
    let amount = parse_mantissa(row.at(3), MONEY_SCALE).map_err(fault_of)?;
    let reason = match (row.at(4), amount) {
        (b"deposit", 1..) => FlowReason::Deposit,
        (b"withdrawal", ..0) => FlowReason::Withdrawal,
        (b"transfer", _) => FlowReason::Transfer,
        (b"conversion", _) => FlowReason::Conversion,
        (b"adjustment", _) => FlowReason::Adjustment,
        // A deposit that takes, or a withdrawal that brings, is one or the other.
        _ => return Err(InputFault::Malformed),
    };
    let (account, asset, amount) = (AccountId(account), AssetId(asset), Money(amount.into()));
    Ok(Body::CashFlow(CashFlow { amount, account, asset, by: 0, reason }))
}
