//! The accounts once more, in rationals, from steps alone: accounts.md, and nothing of the engine.

use std::collections::BTreeMap;

use num_bigint::BigInt;

use super::world::{
    ACCOUNTS, ASSETS, CAPITAL_S1, FIRST_DAY, INSTRUMENTS, MAINTENANCE, PROTECTED_BTC, SHARE_S2,
    Step, assets_of,
};
use crate::exact::{Exact, abs, down, down_to, scaled as at, trade, up, whole, zero};

/// The asset that is protected.
const BTC: usize = 3;

/// Writes an exact decimal as people do.
fn text(value: &Exact) -> String {
    let units = (value * Exact::from_integer(BigInt::from(10).pow(12))).to_integer();
    let size = if units < BigInt::from(0) { -&units } else { units.clone() };
    let digits = format!("{size:013}");
    let (front, back) = digits.split_at(digits.len() - 12);
    let back = back.trim_end_matches('0');
    let sign = if units < BigInt::from(0) { "-" } else { "" };
    if back.is_empty() { format!("{sign}{front}") } else { format!("{sign}{front}.{back}") }
}

/// A holding, what it cost, and what was made of it.
#[derive(Clone)]
struct Held {
    qty: Exact,
    cost: Exact,
    realised: Exact,
    fees: Exact,
    funding: Exact,
}

impl Held {
    fn new() -> Self {
        Self { qty: zero(), cost: zero(), realised: zero(), fees: zero(), funding: zero() }
    }

    fn signed_cost(&self) -> Exact {
        if self.qty < zero() { -&self.cost } else { self.cost.clone() }
    }

    fn net(&self) -> Exact {
        &self.realised - &self.fees + &self.funding
    }

    /// Trades a signed quantity for a value; returns what was realised, rounded once against us.
    fn trade(&mut self, delta: &Exact, value: &Exact) -> Exact {
        let made = trade(&mut self.qty, &mut self.cost, delta, value);
        self.realised += &made;
        made
    }
}

/// Bases of measures.
#[derive(Clone, Default)]
struct Bases {
    started: bool,
    now: Option<Exact>,
    last: Option<Exact>,
    open: Option<Exact>,
    day_peak: Option<Exact>,
    week: Option<Exact>,
    peak: Option<Exact>,
}

impl Bases {
    fn observe(&mut self, value: Option<&Exact>) {
        self.now = value.cloned();
        let Some(value) = value else { return };
        if !self.started {
            self.started = true;
            for base in [&mut self.open, &mut self.day_peak, &mut self.week, &mut self.peak] {
                *base = Some(value.clone());
            }
        }
        self.last = Some(value.clone());
        for peak in [&mut self.day_peak, &mut self.peak] {
            if peak.as_ref().is_none_or(|peak| value > peak) {
                *peak = Some(value.clone());
            }
        }
    }

    fn roll(&mut self, value: Option<&Exact>, new_week: bool) {
        self.observe(value);
        let open = value.cloned().or_else(|| self.last.clone());
        self.open = open.clone();
        self.day_peak = open.clone();
        if new_week {
            self.week = open;
        }
    }

    fn flow(&mut self, after: &Exact) {
        if !self.started {
            return;
        }
        let before = self.last.clone().unwrap();
        for base in [&mut self.open, &mut self.day_peak, &mut self.week, &mut self.peak] {
            let old = base.clone().unwrap_or_else(zero);
            let scales = before > zero() && *after > zero();
            *base = Some(if scales { up(&(old * after / &before)) } else { after.clone() });
        }
        self.last = Some(after.clone());
        self.now = self.now.as_ref().map(|_| after.clone());
    }

    fn fall(&self, base: &Option<Exact>) -> String {
        let base = base.clone().unwrap_or_else(zero);
        match &self.now {
            Some(now) if base > zero() => {
                let fall = &base - now;
                let fall = if fall < zero() { zero() } else { fall };
                format!("{} of {}", text(&fall), text(&base))
            }
            _ => "na".to_owned(),
        }
    }
}

/// A market that trades mark.
#[derive(Clone, Default)]
struct Marks {
    last: Option<Exact>,
    good: Option<Exact>,
    /// When its feed broke; none while it is whole.
    broken: Option<i64>,
    published: Option<(Exact, i64)>,
    /// What is known is what was published once: it is remembered, and marks nothing.
    lapsed: bool,
}

/// The books.
pub(super) struct Books {
    now: i64,
    day: i32,
    balances: BTreeMap<(usize, usize), Exact>,
    transit: Vec<Exact>,
    /// Positions: of an instrument, or of a base on the cash account under its first pair.
    held: BTreeMap<usize, Held>,
    day_base: BTreeMap<usize, Exact>,
    /// Ledgers by owner (2: nobody) and instrument.
    rows: BTreeMap<(usize, usize), Held>,
    marks: Vec<Marks>,
    usdc: Option<(Exact, i64)>,
    bases: Bases,
    strategies: [Bases; 2],
    allocated: [Option<Exact>; 2],
    fees: Exact,
    funding: Exact,
    begun: bool,
    pub(super) known: u64,
    pub(super) unknown: u64,
    pub(super) rolls: u64,
    pub(super) fundings: u64,
    pub(super) flows: u64,
}

/// Returns where the position of an instrument stands.
fn key(instrument: usize) -> usize {
    // The two pairs of BTC on the cash account are one position, valued in the first.
    if instrument == 2 { 0 } else { instrument }
}

/// Returns the position that an asset of the cash account is.
fn cash_key(account: usize, asset: usize) -> Option<usize> {
    match (account, ASSETS[asset]) {
        (0, "BTC") => Some(0),
        (0, "ETH") => Some(1),
        _ => None,
    }
}

impl Books {
    pub(super) fn new() -> Self {
        let traded = || (0..INSTRUMENTS.len()).filter(|at| INSTRUMENTS[*at].traded);
        let owners = || (0..3).flat_map(|owner| traded().map(move |at| (owner, at)));
        Self {
            now: i64::from(FIRST_DAY) * 86_400,
            day: FIRST_DAY,
            balances: BTreeMap::new(),
            transit: vec![zero(); ASSETS.len()],
            held: traded().map(|at| (key(at), Held::new())).collect(),
            day_base: traded().map(|at| (key(at), zero())).collect(),
            rows: owners().map(|row| (row, Held::new())).collect(),
            marks: vec![Marks::default(); INSTRUMENTS.len()],
            usdc: None,
            bases: Bases::default(),
            strategies: [Bases::default(), Bases::default()],
            allocated: [None, None],
            fees: zero(),
            funding: zero(),
            begun: false,
            known: 0,
            unknown: 0,
            rolls: 0,
            fundings: 0,
            flows: 0,
        }
    }

    fn balance(&self, account: usize, asset: usize) -> Exact {
        self.balances.get(&(account, asset)).cloned().unwrap_or_else(zero)
    }

    /// Balance without what is protected: at most all of it.
    fn usable(&self, account: usize, asset: usize) -> Exact {
        let total = self.balance(account, asset);
        if (account, asset) != (0, BTC) {
            return total;
        }
        let apart = at(PROTECTED_BTC, 9);
        let apart = if total < apart { total.clone() } else { apart };
        total - if apart < zero() { zero() } else { apart }
    }

    fn add(&mut self, account: usize, asset: usize, amount: &Exact) {
        *self.balances.entry((account, asset)).or_insert_with(zero) += amount;
    }

    fn mark(&self, instrument: usize, age: i64) -> Option<Exact> {
        let marks = &self.marks[instrument];
        if let Some((value, until)) = &marks.published
            && self.now <= *until
        {
            return Some(value.clone());
        }
        let fresh = marks.broken.is_none_or(|since| self.now <= since + age);
        marks.good.clone().filter(|_| fresh && !marks.lapsed)
    }

    fn last_mark(&self, instrument: usize) -> Option<Exact> {
        let marks = &self.marks[instrument];
        marks.published.as_ref().map(|(value, _)| value.clone()).or_else(|| marks.good.clone())
    }

    /// What one unit of an asset is worth, by what is fresh, or by what was known last.
    fn rate(&self, asset: usize, any_age: bool) -> Option<Exact> {
        let of = |instrument| {
            let fresh = self.mark(instrument, 60);
            if any_age { fresh.or_else(|| self.last_mark(instrument)) } else { fresh }
        };
        match ASSETS[asset] {
            "USDT" => Some(whole(1)),
            "USD" => of(3).map(|mark| whole(1) / mark),
            "BNB" => of(6),
            "USDC" => {
                let (rate, since) = self.usdc.as_ref()?;
                (any_age || self.now - since <= 60).then(|| rate.clone())
            }
            _ => None,
        }
    }

    fn equity(&self) -> Option<Exact> {
        let mut sum = zero();
        for asset in 0..ASSETS.len() {
            let mut amount = self.transit[asset].clone();
            for account in 0..ACCOUNTS.len() {
                if cash_key(account, asset).is_none() {
                    amount += self.usable(account, asset);
                }
            }
            let mut counts = amount != zero();
            for (at, held) in &self.held {
                if assets_of(*at).1 != asset || held.qty == zero() {
                    continue;
                }
                counts = true;
                amount += &held.qty * self.mark(*at, 10)?;
                if INSTRUMENTS[*at].linear {
                    amount -= held.signed_cost();
                }
            }
            if counts {
                sum += down(&(down(&amount) * self.rate(asset, false)?));
            }
        }
        Some(sum)
    }

    fn capital(&self, strategy: usize) -> Option<Exact> {
        let mut sum = self.allocated[strategy].clone()?;
        for ((owner, instrument), row) in &self.rows {
            if *owner != strategy {
                continue;
            }
            let mut made = row.net();
            if row.qty != zero() {
                made += down(&(&row.qty * self.mark(*instrument, 10)?)) - row.signed_cost();
            }
            if made != zero() {
                sum += down(&(made * self.rate(assets_of(*instrument).1, false)?));
            }
        }
        Some(sum)
    }

    /// Takes the equity of now; at the first that is known, openings enter at their marks and
    /// strategies get their parts.
    fn observe(&mut self) {
        let equity = self.equity();
        self.take(equity.as_ref());
        if equity.is_some() { self.known += 1 } else { self.unknown += 1 }
    }

    fn take(&mut self, equity: Option<&Exact>) {
        if let Some(equity) = equity.filter(|_| !self.bases.started) {
            for place in self.held.keys().copied().collect::<Vec<_>>() {
                let row = self.rows[&(2, place)].clone();
                if row.qty != zero() {
                    let cost = up(&(abs(&row.qty) * self.mark(place, 10).unwrap()));
                    self.held.get_mut(&place).unwrap().cost += &cost - row.cost;
                    self.rows.get_mut(&(2, place)).unwrap().cost = cost;
                }
            }
            let parts = [at(CAPITAL_S1, 9), down(&(equity * at(SHARE_S2, 9)))];
            if &parts[0] + &parts[1] <= *equity {
                self.allocated = parts.map(Some);
            }
        }
        self.bases.observe(equity);
        self.observe_strategies();
    }

    fn observe_strategies(&mut self) {
        for strategy in 0..2 {
            let capital = self.capital(strategy);
            if self.allocated[strategy].is_some() {
                self.strategies[strategy].observe(capital.as_ref());
            }
        }
    }

    pub(super) fn step(&mut self, step: &Step) {
        self.now += 1;
        if let Step::Open { account, asset, amount } = *step {
            return self.open(account, asset, &at(amount, 9));
        }
        if !std::mem::replace(&mut self.begun, true) {
            self.roll(FIRST_DAY);
        }
        match *step {
            Step::Open { .. } => {}
            Step::Mark { instrument, price } => {
                self.lapse(instrument);
                let price = at(price, INSTRUMENTS[instrument].price_decimals);
                let marks = &mut self.marks[instrument];
                marks.last = Some(price.clone());
                if marks.broken.is_none() {
                    marks.good = Some(price);
                    marks.lapsed = false;
                }
            }
            Step::Publish { instrument, mark } => {
                let mark = at(mark, INSTRUMENTS[instrument].price_decimals + 1);
                self.marks[instrument].published = Some((mark, self.now + 10));
            }
            Step::Gap { instrument } => {
                self.lapse(instrument);
                let marks = &mut self.marks[instrument];
                marks.broken = marks.broken.or(Some(self.now));
            }
            Step::Sync { instrument } => {
                self.lapse(instrument);
                let marks = &mut self.marks[instrument];
                marks.broken = None;
                if marks.last.is_some() {
                    marks.good = marks.last.clone();
                    marks.lapsed = false;
                }
            }
            Step::Wait { seconds } => self.now += seconds,
            Step::Rate { rate, .. } => self.usdc = Some((at(rate, 9), self.now)),
            Step::Fill { .. } => self.fill(step),
            Step::Flow { account, asset, amount, reason } => {
                self.flow(account, asset, &at(amount, 9), reason == 2);
            }
            Step::Funding { instrument, rate, mark } => self.fund(instrument, rate, mark),
            Step::Liquidate { instrument, fee } => self.liquidate(instrument, &at(fee, 9)),
            Step::Day { date } => self.roll(date),
        }
        self.observe();
    }

    /// A mark that was published is forgotten at the first event after its time.
    fn lapse(&mut self, instrument: usize) {
        let now = self.now;
        let marks = &mut self.marks[instrument];
        if let Some((value, _)) = marks.published.take_if(|(_, until)| *until < now)
            && marks.good.is_none()
        {
            marks.good = Some(value);
            marks.lapsed = true;
        }
    }

    fn open(&mut self, account: usize, asset: usize, amount: &Exact) {
        let before = self.usable(account, asset);
        self.add(account, asset, amount);
        let change = self.usable(account, asset) - before;
        if let Some(at) = cash_key(account, asset) {
            self.held.get_mut(&at).unwrap().qty += &change;
            self.rows.get_mut(&(2, at)).unwrap().qty += change;
        }
    }

    fn cross(&self, amount: &Exact, from: usize, to: usize, buy: bool) -> Option<Exact> {
        let round = |value: &Exact| if buy { up(value) } else { down(value) };
        if from == to {
            return Some(amount.clone());
        }
        let worth = round(&(amount * self.rate(from, true)?));
        Some(round(&(worth / self.rate(to, true)?)))
    }

    fn fill(&mut self, step: &Step) {
        let Step::Fill { strategy, instrument, buy, qty, price, fee, fee_asset } = *step else {
            return;
        };
        let spec = &INSTRUMENTS[instrument];
        let (base, quote) = assets_of(instrument);
        let (qty, price) = (at(qty, spec.qty_decimals), at(price, spec.price_decimals));
        let fee = at(fee, 9);
        let value = if buy { up(&(&qty * &price)) } else { down(&(&qty * &price)) };
        let in_kind = !spec.linear && buy && fee_asset == base;
        let kept = if in_kind { &qty - &fee } else { qty.clone() };
        let sign = whole(if buy { 1 } else { -1 });
        let own = assets_of(key(instrument)).1;
        let paid = if fee_asset == base {
            Some(up(&(&fee * &price)))
        } else {
            self.cross(&fee, fee_asset, quote, true)
        };
        // What cannot be valued by any rate ever seen cannot be booked.
        let Some((counted, paid)) = self.cross(&value, quote, own, buy).zip(paid) else { return };
        let Some(rate) = self.rate(quote, true) else { return };
        let apart = if in_kind { zero() } else { paid.clone() };
        let held = self.held.get_mut(&key(instrument)).unwrap();
        let made = held.trade(&(&kept * &sign), &counted);
        held.fees += &apart;
        let row = self.rows.get_mut(&(usize::from(strategy), instrument)).unwrap();
        row.trade(&(&kept * &sign), &value);
        row.fees += &apart;
        self.fees += up(&(paid * rate));
        let account = usize::from(spec.linear);
        self.add(account, fee_asset, &-fee);
        if spec.linear {
            self.add(account, quote, &made);
        } else {
            self.add(account, base, &(&qty * &sign));
            self.add(account, quote, &-(value * sign));
        }
    }

    fn flow(&mut self, account: usize, asset: usize, amount: &Exact, transfer: bool) {
        self.flows += 1;
        let cash = account == 0 && *amount < zero();
        if cash && self.balance(account, asset) + amount < zero() {
            return;
        }
        let before = self.equity();
        let usable = self.usable(account, asset);
        self.add(account, asset, amount);
        let change = self.usable(account, asset) - usable;
        if let Some(place) = cash_key(account, asset) {
            match self.last_mark(place).filter(|_| self.bases.started) {
                Some(mark) => {
                    let exact = abs(&change) * mark;
                    let value = if change > zero() { up(&exact) } else { down(&exact) };
                    self.held.get_mut(&place).unwrap().trade(&change, &value);
                    self.rows.get_mut(&(2, place)).unwrap().trade(&change, &value);
                }
                None => {
                    self.held.get_mut(&place).unwrap().qty += &change;
                    self.rows.get_mut(&(2, place)).unwrap().qty += &change;
                }
            }
        }
        if transfer {
            self.transit[asset] -= &change;
            return;
        }
        let after = self.equity().or_else(|| {
            let worth = up(&(&change * self.rate(asset, true)?));
            Some(self.bases.last.clone().unwrap_or_else(zero) + worth)
        });
        if let Some(after) = after {
            if before.is_some() {
                self.bases.observe(before.as_ref());
            }
            self.bases.flow(&after);
        }
    }

    fn fund(&mut self, instrument: usize, rate: i64, mark: i64) {
        self.fundings += 1;
        let mark = at(mark, INSTRUMENTS[instrument].price_decimals + 1);
        let per = mark * at(rate, 9);
        let held = self.held[&instrument].qty.clone();
        let quote = assets_of(instrument).1;
        if held == zero() {
            return;
        }
        let amount = down(&(-held * &per));
        let mut rest = amount.clone();
        for owner in 0..2 {
            let row = self.rows.get_mut(&(owner, instrument)).unwrap();
            let part = down(&(-row.qty.clone() * &per));
            row.funding += &part;
            rest -= part;
        }
        self.rows.get_mut(&(2, instrument)).unwrap().funding += rest;
        self.held.get_mut(&instrument).unwrap().funding += &amount;
        self.funding += up(&(&amount * self.rate(quote, true).unwrap()));
        self.add(1, quote, &amount);
    }

    fn liquidate(&mut self, instrument: usize, fee: &Exact) {
        let decimals = INSTRUMENTS[instrument].price_decimals;
        let Some(mark) = self.last_mark(instrument) else { return };
        let (price, qty) = (down_to(&mark, decimals), self.held[&instrument].qty.clone());
        if qty == zero() {
            return;
        }
        let quote = assets_of(instrument).1;
        let worth = |size: &Exact, bought: bool| {
            let exact = size * &price;
            if bought { up(&exact) } else { down(&exact) }
        };
        let total = worth(&abs(&qty), qty < zero());
        let held = self.held.get_mut(&instrument).unwrap();
        let made = held.trade(&-qty.clone(), &total);
        held.fees += fee;
        // What comes in for selling, and goes out for buying.
        let mut left = if qty < zero() { -total } else { total };
        let (mut open, mut paid) = (-qty, fee.clone());
        let gross: Exact = (0..3).map(|owner| abs(&self.rows[&(owner, instrument)].qty)).sum();
        for owner in 0..2 {
            let row = self.rows.get_mut(&(owner, instrument)).unwrap();
            let own = row.qty.clone();
            if own == zero() {
                continue;
            }
            let value = worth(&abs(&own), own < zero());
            let part = down(&(fee * abs(&own) / &gross));
            row.trade(&-own.clone(), &value);
            row.fees += &part;
            paid -= part;
            left -= if own < zero() { -value } else { value };
            open += own;
        }
        // What is left of quantity, money and fee is nobody's.
        let row = self.rows.get_mut(&(2, instrument)).unwrap();
        if open != zero() && (open > zero()) == (left < zero()) {
            row.trade(&open, &abs(&left));
        } else {
            row.realised += left;
            row.qty += open;
        }
        row.fees += paid;
        self.fees += up(&(fee * self.rate(quote, true).unwrap()));
        self.add(1, quote, &(made - fee));
    }

    fn roll(&mut self, date: i32) {
        self.rolls += 1;
        self.now = self.now.max(i64::from(date) * 86_400);
        let equity = self.equity();
        self.take(equity.as_ref());
        let week = |day: i32| (day + 3).div_euclid(7);
        let new_week = week(date) != week(self.day);
        self.day = date;
        for strategy in 0..2 {
            let capital = self.capital(strategy);
            self.strategies[strategy].roll(capital.as_ref(), new_week);
        }
        for place in self.held.keys().copied().collect::<Vec<_>>() {
            let made = self.made(place, true).unwrap_or_else(zero);
            self.day_base.insert(place, made);
        }
        self.bases.roll(equity.as_ref(), new_week);
    }

    fn made(&self, place: usize, any_age: bool) -> Option<Exact> {
        let held = &self.held[&place];
        if held.qty == zero() {
            return Some(held.net());
        }
        let fresh = self.mark(place, 10);
        let mark = if any_age { fresh.or_else(|| self.last_mark(place)) } else { fresh }?;
        Some(held.net() + down(&(&held.qty * mark)) - held.signed_cost())
    }

    /// Balance, unrealised profit, maintenance, and whether something is held, of the positions
    /// that are settled in an asset; but one.
    fn pool(&self, quote: usize, but: Option<usize>) -> Option<(Exact, Exact, Exact, bool)> {
        let (mut profit, mut margin, mut any) = (zero(), zero(), false);
        for (place, held) in &self.held {
            let own = INSTRUMENTS[*place].linear && assets_of(*place).1 == quote;
            if !own || Some(*place) == but || held.qty == zero() {
                continue;
            }
            any = true;
            let mark = self.mark(*place, 10)?;
            profit += down(&(&held.qty * &mark)) - held.signed_cost();
            margin += up(&(up(&(abs(&held.qty) * mark)) * at(MAINTENANCE, 9)));
        }
        Some((self.usable(1, quote), profit, margin, any))
    }

    fn liq_price(&self, place: usize) -> Option<Exact> {
        let held = &self.held[&place];
        if held.qty == zero() {
            return None;
        }
        let (wallet, profit, margin, _) = self.pool(assets_of(place).1, Some(place))?;
        let stands = wallet + profit - margin;
        let rate = at(MAINTENANCE, 9);
        let decimals = INSTRUMENTS[place].price_decimals + 1;
        let size = abs(&held.qty);
        let price = if held.qty > zero() {
            let under = down(&(size * (whole(1) - rate)));
            -down_to(&-((&held.cost - stands) / under), decimals)
        } else {
            let under = down(&(size * (whole(1) + rate)));
            down_to(&((stands + &held.cost) / under), decimals)
        };
        (price > zero()).then_some(price)
    }

    fn exposure(&self) -> Option<Exact> {
        let mut sum = zero();
        for (place, held) in &self.held {
            if held.qty != zero() {
                let worth = up(&(abs(&held.qty) * self.mark(*place, 10)?));
                sum += up(&(worth * self.rate(assets_of(*place).1, false)?));
            }
        }
        Some(sum)
    }

    /// Everything of an asset, at the mark of its first market, else at its rate.
    fn net_exposure(&self, asset: usize) -> Option<Exact> {
        let mut net = self.transit[asset].clone();
        for account in (0..ACCOUNTS.len()).filter(|at| cash_key(*at, asset).is_none()) {
            net += self.usable(account, asset);
        }
        let of_it: Vec<usize> =
            self.held.keys().copied().filter(|at| assets_of(*at).0 == asset).collect();
        net += of_it.iter().map(|at| self.held[at].qty.clone()).sum::<Exact>();
        if net == zero() {
            return Some(zero());
        }
        let worth = match of_it.first() {
            Some(at) => {
                let worth = up(&(abs(&net) * self.mark(*at, 10)?));
                up(&(worth * self.rate(assets_of(*at).1, false)?))
            }
            None => up(&(abs(&net) * self.rate(asset, false)?)),
        };
        Some(if net < zero() { -worth } else { worth })
    }

    /// Returns every figure by name, as text; `na` where it is unknown.
    pub(super) fn figures(&self) -> Vec<(String, String)> {
        let mut told: Vec<(String, String)> = Vec::new();
        let mut tell = |name: String, value: Option<Exact>| {
            told.push((name, value.map_or("na".into(), |value| text(&value))));
        };
        for (account, account_name) in ACCOUNTS.iter().enumerate() {
            for (asset, name) in ASSETS.iter().enumerate() {
                tell(format!("{account_name} {name}"), Some(self.balance(account, asset)));
            }
        }
        tell("equity".into(), self.bases.now.clone());
        tell("exposure".into(), self.exposure());
        for (asset, name) in ASSETS.iter().enumerate() {
            tell(format!("net {name}"), self.net_exposure(asset));
        }
        tell("fees".into(), Some(self.fees.clone()));
        tell("funding".into(), Some(self.funding.clone()));
        tell("capital s1".into(), self.capital(0));
        tell("capital s2".into(), self.capital(1));
        let traded = || INSTRUMENTS.iter().enumerate().filter(|(_, spec)| spec.traded);
        for (place, spec) in traded() {
            let held = &self.held[&key(place)];
            tell(format!("position {}", spec.name), Some(held.qty.clone()));
            tell(format!("basis {}", spec.name), Some(held.cost.clone()));
            for (owner, who) in ["s1", "s2", "nobody"].iter().enumerate() {
                let row = &self.rows[&(owner, place)];
                tell(format!("{who} {}", spec.name), Some(row.qty.clone()));
                tell(format!("{who} basis {}", spec.name), Some(row.cost.clone()));
                tell(format!("{who} net {}", spec.name), Some(row.net()));
            }
        }
        let bases = &self.bases;
        told.push(("day_loss".into(), bases.fall(&bases.open)));
        told.push(("day_drawdown".into(), bases.fall(&bases.day_peak)));
        told.push(("week_loss".into(), bases.fall(&bases.week)));
        told.push(("drawdown".into(), bases.fall(&bases.peak)));
        for (bases, name) in self.strategies.iter().zip(["s1", "s2"]) {
            told.push((format!("day_loss {name}"), bases.fall(&bases.open)));
            told.push((format!("drawdown {name}"), bases.fall(&bases.peak)));
        }
        for (place, spec) in traded() {
            told.push((format!("day_loss {}", spec.name), self.symbol_day_loss(key(place))));
            if spec.linear {
                told.push((format!("margin_ratio {}", spec.name), self.margin_ratio(place)));
            }
        }
        for (place, spec) in traded().filter(|(_, spec)| spec.linear) {
            let price = self.liq_price(place).map_or("na".into(), |price| text(&price));
            told.push((format!("liq_price {}", spec.name), price));
        }
        told
    }

    fn symbol_day_loss(&self, place: usize) -> String {
        let open = self.bases.open.clone().unwrap_or_else(zero);
        let quote = assets_of(place).1;
        let loss = self.made(place, false).zip(self.rate(quote, false)).map(|(made, rate)| {
            let made = down(&((made - &self.day_base[&place]) * rate));
            if made < zero() { -made } else { zero() }
        });
        match loss {
            Some(loss) if open > zero() => format!("{} of {}", text(&loss), text(&open)),
            _ => "na".to_owned(),
        }
    }

    fn margin_ratio(&self, place: usize) -> String {
        match self.pool(assets_of(place).1, None) {
            Some((.., false)) => "0 of 1".to_owned(),
            Some((wallet, profit, margin, true)) if &wallet + &profit > zero() => {
                format!("{} of {}", text(&margin), text(&(wallet + profit)))
            }
            _ => "na".to_owned(),
        }
    }
}
