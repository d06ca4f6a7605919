#!/usr/bin/env python3
"""Oracle for the crash backtest: what must come out when bitmex_xbtusd_1m_2020H1 is run with crash.rules.

Written from the specification alone (accounts.md, decisions.md, rules-language.md, crash.rules, data/README.md); it shares no
code with the engine. Every amount is a fractions.Fraction; there is no float and no Decimal here.

    crash.py                         one JSON object
    crash.py --json-lines fills      every fill, one JSON object a line (also: orders, latches)
    crash.py --sensitivity           the object's main figures again under each other reading of an assumption
    crash.py --set NAME=VALUE        one other reading; --data FILE another copy of the file

Decimal strings are exact and canonical (no exponent, no trailing zeros); shares are rounded UP to 1e-9, money is exact on the
1e-9 grid (equity rounds down, but always lies on the grid here). Times are integer nanoseconds since the epoch, UTC.

ASSUMPTIONS. The numbers are those of README.md; the constants are in A below, and the engine must take the same ones.

 1 BAR_TIME            bar.time is the end of the bucket as written in the file, not the ts of the record. (They differ by 1 ns at
                       midnight, see 2; with the record's ts the long would open one bar early.)
 2 DAYROLL_TAKES_TS    record ts = max(previous + 1, own ts), and every record counts: the DayRoll carries the boundary itself,
                       so the bar that ends at 00:00:00 is recorded at +1 ns. The first bar (2020-01-01T00:00:00Z) has a DayRoll
                       before it too: 182 in all (only day_rolls depends on it).
 3 NEXT_BAR            the next bar of an order is the first bar RECORD whose ts is later than the order's arrival (decision +
                       2 ms), although that bucket opened up to 4 ms before. An order never meets the bar it was decided on.
 4 LIMIT_NEEDS         'trade at least one tick through': a buy needs low <= limit - tick, a sell high >= limit + tick. The open is
                       no trade here (it repeats the previous close and may lie outside low and high), so it alone fills nothing.
 5 LIMIT_PRICE         a limit that fills, fills at the better of limit and open; never with half a spread.
 6 LIMIT_OPEN_IS       a limit filled with the open at or through it is a taker (it met a market that was already there), else maker.
 7 IOC_BOUND           at_market: last good mark * (1 -/+ protect); the price floors for a buy, ceils for a sell, to the tick.
 8 IOC_FILL            at_market fills at open * (1 +/- half_spread), rounded to the tick against us (buy up, sell down), when that
                       is within the bound (equal counts as within); else all of it expires at that bar.
 9 VOLUME_SHARE        all our fills of a bar together <= floor_lot(volume / 10); volume = floor_lot(home_notional), None = 0. Zero
                       volume fills nothing, and an IOC expires at it. The rest of an IOC expires at the bar that filled a part.
10 REPORT              fills and ends are reported at the ts of the bar record + 2 ms; a fill enters once, with its balance,
                       fee and position together; the end of the order comes with its last fill (or 1 ns later: no difference).
11 FEE                 per fill, ceil(qty * price * rate) to 8 decimals, in USDT.
12 AVG_PRICE           position.avg_price is basis / quantity without rounding, and close <= avg * (1 - stop) is compared without
                       rounding. ('tick' rounds avg to the nearest 0.1, the price scale.)
13 PEAK                D = H = equity at the DayRoll; H rises at every event that changes equity (bar, fill), before the latches are
                       judged at that event. A bar's mark acts when its record enters; the fill made in that bar enters 2 ms later.
                       So max_drawdown (largest account.drawdown) holds the mark of the bar in which the stop-loss filled.
14 HELD                ts_true = first event with the condition true; it arms by a timer at exactly ts_true + 2 s. While it
                       waits it already refuses.
15 BREAKER_CANCELS     'then cancel_orders' cancels every open order of the account, working exits too (the exit target is then issued
                       again on the event of their end).
16 ENTER_PENDING       an enter is pending from its approval to the event that ends its order; a refused one is never pending, so
                       from flat there is one intent, and one refusal, a bar. Ignored enters are no verdicts.
17 EXIT_AGAIN          after the end of an exit the next one is decided on that very event, at the mark of then, with no regard to
                       whether the rule is still true; the rule being true meanwhile does nothing. Flat
                       includes dust (below one lot, or below 5 USDT at the last mark).
18 SIZE                size clip / close = floor_lot(clip / close). Caps: value = qty * max(price, mark); a cut is
                       floor_lot(bound / max(price, mark)).
19 SAME_TS             records of one ts: market data, then reports, then timers. (Only a ttl that ends on a bar would meet it.)
20 REFUSAL_CODE        both latches on: both are reduce_only, the first in the file is shown, DAILY_DRAWDOWN; from the DayRoll on
                       (its latch has ended, drawdown is 0) BREAKER_DAILY_LOSS.
"""

import argparse
import functools
import heapq
import json
import os
import subprocess
import sys
from fractions import Fraction as F
from types import SimpleNamespace

DATA = os.path.join(
    os.environ.get("SLUICE_DATA", os.path.join(os.path.dirname(__file__), "../../../shared/data")),
    "klines/bitmex_xbtusd_1m_2020H1.csv.zst",
)

# The readings in force (first of the values listed); `--set` changes one.
A = {
    "BAR_TIME": ("file_end", "record_ts"),                   # 1
    "DAYROLL_TAKES_TS": ("yes", "no"),                       # 2
    "NEXT_BAR": ("record_after_arrival", "open_after_arrival"),  # 3
    "LIMIT_NEEDS": ("low_high", "low_high_or_open"),         # 4
    "LIMIT_PRICE": ("open_if_better", "limit", "open_plus_half_spread"),  # 5
    "LIMIT_OPEN_IS": ("taker", "maker"),                     # 6
    "IOC_BOUND": ("ceil_sell", "floor_sell"),                # 7
    "IOC_FILL": ("tick_against", "price_scale_against", "no_half_spread"),  # 8
    "VOLUME_SHARE": ("10%", "all"),                          # 9
    "AVG_PRICE": ("exact", "tick"),                          # 12
    "PEAK": ("before_latches", "marks_only"),                # 13
    "BREAKER_CANCELS": ("all", "increasing"),                # 15
    "EXIT_AGAIN": ("on_end", "on_next_bar"),                 # 17
    "SAME_TS": ("market_first", "timers_first"),             # 19
}

# Facts: instrument, account, models.
SYMBOL = "bitmex:BTC_USDT.PERP"
TICK, LOT, MIN_NOTIONAL = F(1, 2), F(1, 10_000), F(5)
PRICE_UNIT = F(1, 10)                       # price scale 1
MAX_LEVERAGE, MAINTENANCE = F(3), F(5, 1000)
BALANCE = F(10_000)
MAKER, TAKER, FEE_UNIT = F(2, 10_000), F(5, 10_000), F(1, 10**8)
HALF_SPREAD, PROTECT = F(1, 10_000), F(50, 10_000)
MONEY = F(1, 10**9)
MS, S = 10**6, 10**9
BAR = 60 * S
DAY = 86_400 * S
ORDER_LATENCY = RESPONSE_LATENCY = 2 * MS

# crash.rules.
MAX_DAILY_DRAWDOWN, BREAKER_LOSS = F(5, 100), F(10, 100)
MAX_EXPOSURE = MAX_SYMBOL_EXPOSURE = F(2)
MAX_ORDER, COLLAR = F(20_000), F(1, 100)
START = 1_583_971_200 * S                   # 2020-03-12T00:00:00Z
CLIP, STOP_LOSS, ENTRY_TICKS, TTL, HELD = F(19_000), F(8, 100), 10, 600 * S, 2 * S


def floor_to(x, unit):
    return (x / unit).__floor__() * unit


def ceil_to(x, unit):
    return -((-x / unit).__floor__()) * unit


def text(x):
    """A canonical decimal string; the value must be a finite decimal."""
    if x is None:
        return None
    x = F(x)
    sign, x = ("-", -x) if x < 0 else ("", x)
    digits = 0
    while x.denominator != 1:
        x, digits = x * 10, digits + 1
        assert digits <= 30, "no finite decimal"
    s = str(x.numerator).rjust(digits + 1, "0")
    return sign + (s if digits == 0 else s[:-digits] + "." + s[-digits:])


def share(x):
    return text(ceil_to(x, MONEY))


@functools.lru_cache(maxsize=None)
def price_of(word):
    p = F(word)
    assert p > 0 and (p / TICK).denominator == 1, word
    return p


def quantity_of(word):
    """home_notional, down to the lot; None is 0, and `9e-05` is what it means (decisions.md 1)."""
    if word == "None":
        return F(0)
    whole, _, part = word.partition(".")
    if whole.isdigit() and (part.isdigit() or not part):
        return F(int(whole + (part + "0000")[:4]), 10_000)
    return floor_to(F(word), LOT)


def read(path):
    out = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout.decode()
    lines = out.splitlines()
    assert lines[0].startswith("ts_ms,open,high,low,close,volume,trades,home_notional"), lines[0]
    bars = []
    for line in lines[1:]:
        c = line.split(",")
        o, h, l, k = map(price_of, c[1:5])
        assert l <= h, line
        bars.append((int(c[0]) * MS, o, h, l, k, quantity_of(c[7])))
    return bars


class Latch:
    """reduce_only CODE until … when … held 2s (accounts.md 13)."""

    def __init__(self, code, until, then_cancel):
        self.code, self.until, self.then_cancel = code, until, then_cancel
        self.on = False          # latched
        self.known = False       # last known value of the condition
        self.since = None        # waiting since
        self.log = []

    def acts(self):
        return self.on or self.since is not None


class Engine:
    def __init__(self, bars, choice):
        self.c = SimpleNamespace(**{k: choice.get(k, v[0]) for k, v in A.items()})
        self.bars = bars
        self.queue, self.n = [], 0
        self.now = None
        # account
        self.W, self.P, self.basis = BALANCE, F(0), F(0)
        self.fees = self.realised = F(0)
        self.mark = self.mark_ts = None
        self.equity_known = BALANCE
        self.judged = None       # (equity, D, H) at the last judgement
        self.D = self.H = self.top = BALANCE
        self.max_drawdown = F(0)
        self.day = None
        self.rolls = 0
        self.dd = Latch("DAILY_DRAWDOWN", "day_end", False)
        self.br = Latch("BREAKER_DAILY_LOSS", "manual", True)
        self.latches = [self.dd, self.br]
        # strategy
        self.exiting = False     # the target of flat stands
        self.stop_signals = []
        self.flat_ts = None
        self.ignored = {"pending": 0, "open": 0}
        # orders, verdicts
        self.orders, self.open, self.fills = [], [], []
        self.refusals, self.cuts = {}, {}
        self.after_breaker = self.after_breaker_true = 0
        self.bars_seen = 0

    # ---- measures ------------------------------------------------------------------------------------------------------

    def good_mark(self):
        if self.mark is None or self.now > self.mark_ts + 2 * BAR:
            return None
        return self.mark

    def unrealised(self, m):
        return self.P * m - self.basis      # basis is signed: P * average entry

    def equity(self):
        if self.P == 0:
            return self.W
        m = self.good_mark()
        return None if m is None else floor_to(self.W + self.unrealised(m), MONEY)

    def flat(self):
        """Flat for exits and strategies: below one lot, or below the minimum notional at the last mark (dust)."""
        return self.P < LOT or self.P * self.mark < MIN_NOTIONAL

    def exposure(self, extra=None):
        """symbol.exposure = |P| m + max(inc_B, inc_S); one symbol, so the account's as well."""
        orders = self.open + ([extra] if extra else [])
        if self.P == 0 and not orders:
            return F(0)
        m = self.good_mark()
        if m is None:
            return None
        v = {True: F(0), False: F(0)}
        for o in orders:
            v[o.buy] += (o.qty - o.filled) * max(o.price, m)
        inc_b = max(F(0), v[True] - 2 * max(F(0), -self.P) * m)
        inc_s = max(F(0), v[False] - 2 * max(F(0), self.P) * m)
        return abs(self.P) * m + max(inc_b, inc_s)

    def reduces(self, buy, qty):
        s = sum((o.qty - o.filled for o in self.open if o.buy == buy), F(0))
        return (self.P < 0 and s + qty <= -self.P) if buy else (self.P > 0 and s + qty <= self.P)

    def margins(self, extra=None):
        m = self.good_mark()
        total = self.exposure(extra) / MAX_LEVERAGE
        for o in self.open + ([extra] if extra else []):
            if not o.reduces:
                total += (o.qty - o.filled) * max(o.price, m) * TAKER
        return ceil_to(total, MONEY)

    def free(self):
        m = self.good_mark()
        return max(F(0), self.W + min(F(0), self.unrealised(m)) - self.margins())

    # ---- latches -------------------------------------------------------------------------------------------------------

    def judge(self, fill=False):
        """After every event that changes an input: raise the peaks, then judge both conditions."""
        e = self.equity()
        if e is None:
            return                                    # na keeps the last known value, latches nothing
        if (e, self.D, self.H) == self.judged:
            return                                        # no input of a condition has changed
        self.equity_known = e
        if not (fill and self.c.PEAK == "marks_only"):
            self.H = max(self.H, e)
        self.top = max(self.top, e)
        self.max_drawdown = max(self.max_drawdown, (self.top - e) / self.top)
        if self.P != 0:
            assert e > abs(self.P) * self.mark * MAINTENANCE, "liquidation: not modelled, and must not happen here"
        for latch, base, limit in ((self.dd, self.H, MAX_DAILY_DRAWDOWN), (self.br, self.D, BREAKER_LOSS)):
            true = base > 0 and max(F(0), base - e) >= limit * base
            if true and not latch.known and not latch.on:
                latch.since = self.now
                latch.at_true = self.picture(e)
                self.push(self.now + HELD, "timer", ("latch", latch))
            if not true:
                latch.since = None
            latch.known = true
        self.judged = (e, self.D, self.H)

    def picture(self, e):
        return {"equity": text(e), "day_open": text(self.D), "day_peak": text(self.H),
                "day_loss": share(max(F(0), self.D - e) / self.D), "day_drawdown": share(max(F(0), self.H - e) / self.H),
                "mark": text(self.mark), "position": text(self.P)}

    def arm(self, latch):
        self.judge()
        if latch.since is None or self.now < latch.since + HELD:
            return                                    # the wait was broken, or a later one runs
        latch.log.append({"code": latch.code, "ts_true": latch.since, "ts": self.now, "at_true": latch.at_true,
                          "at_armed": self.picture(self.equity()), "ends": None})
        latch.on, latch.since = True, None
        if latch.then_cancel:
            for o in list(self.open):
                if self.c.BREAKER_CANCELS == "all" or not o.reduces:
                    self.cancel(o)

    def day_roll(self, boundary):
        e = self.equity()
        if e is None:
            e = self.equity_known                     # flagged in the engine
        self.D = self.H = e
        self.rolls += 1
        if self.dd.on:
            self.dd.on = False
            self.dd.log[-1]["ends"] = self.now
            self.dd.known = False
        self.judged = None
        self.judge()

    # ---- orders --------------------------------------------------------------------------------------------------------

    def push(self, ts, source, what):
        rank = {"report": 1, "cancel_arrives": 0, "timer": 2 if self.c.SAME_TS == "market_first" else -1}[source]
        self.n += 1
        heapq.heappush(self.queue, (ts, rank, self.n, source, what))

    def refuse(self, code):
        self.refusals.setdefault(code, []).append(self.now)

    def submit(self, kind, buy, qty, price, protected, ttl):
        """The risk stage on one intent: latches, caps, denies, built-in checks. Returns the approved order or None."""
        self.judge()                                  # judged again before every order
        m = self.good_mark()
        red = self.reduces(buy, qty)
        unknown = self.equity() is None
        for latch in self.latches:
            if latch.acts() and not red:
                self.refuse(latch.code)
                return None
        if unknown and not red:
            self.refuse(self.dd.code)                 # an unknown reduce_only acts on this order
            return None
        intent = qty
        if m is None:
            m_or_price = price
            bounds = [("MAX_ORDER_VALUE", MAX_ORDER)] if not red else []
        else:
            m_or_price = max(price, m)
            bounds = [("MAX_ORDER_VALUE", MAX_ORDER)]
            if not red:
                room = MAX_EXPOSURE * self.equity() - self.exposure()
                bounds.append(("MAX_EXPOSURE", max(room, F(0))))
                room = MAX_SYMBOL_EXPOSURE * self.equity() - self.exposure()
                bounds.append(("MAX_SYMBOL_EXPOSURE", max(room, F(0))))
        cut = None
        for code, bound in bounds:
            most = floor_to(bound / m_or_price, LOT)
            if most < qty:
                qty, cut = most, code
        below = qty < LOT or qty * price < MIN_NOTIONAL
        if below:
            self.refuse(cut if cut and intent * price >= MIN_NOTIONAL else "BELOW_MIN")
            return None
        order = SimpleNamespace(no=len(self.orders) + 1, kind=kind, buy=buy, qty=qty, price=price, ioc=protected, filled=F(0),
                                reduces=red, decided=self.now, arrives=self.now + ORDER_LATENCY, cancel_at=None,
                                ended=None, cut=cut, value=qty * m_or_price, left=qty)
        # denies: FEED_READY and ORDERS_READY hold in a backtest; PRICE_COLLAR against market.last; NO_BALANCE
        if not protected:
            aggression = (price - self.mark) / self.mark if buy else (self.mark - price) / self.mark
            if aggression > COLLAR:
                self.refuse("PRICE_COLLAR")
                return None
        if not red and self.margins(order) - self.margins() > self.free():
            self.refuse("NO_BALANCE")
            return None
        if not red:
            assert self.exposure(order) <= MAX_EXPOSURE * self.equity(), "invariant exposure"
            assert not self.br.acts(), "invariant breaker_allows_exits_only"
            self.after_breaker += self.br.on or bool(self.br.log)
            self.after_breaker_true += self.br.acts()
        self.orders.append(order)
        self.open.append(order)
        if cut:
            self.cuts[cut] = self.cuts.get(cut, 0) + 1
        if ttl:
            self.push(self.now + ttl, "timer", ("ttl", order))
        return order

    def cancel(self, order):
        if order.ended is None and order.cancel_at is None:
            order.cancel_at = self.now + ORDER_LATENCY
            self.push(order.cancel_at, "cancel_arrives", order)

    # ---- paper venue, bars ---------------------------------------------------------------------------------------------

    def meet(self, ts, bar):
        """Every order at the venue meets this bar; own orders share the volume by price, then by number."""
        end, o, h, l, k, volume = bar
        room = volume if self.c.VOLUME_SHARE == "all" else floor_to(volume / 10, LOT)
        at_venue = [x for x in self.open if x.ended is None and x.left > 0
                    and x.arrives < (ts if self.c.NEXT_BAR == "record_after_arrival" else end - BAR + 1)]
        at_venue.sort(key=lambda x: (-x.price if x.buy else x.price, x.no))
        for x in at_venue:
            price, maker = None, False
            if x.ioc:
                if self.c.IOC_FILL == "no_half_spread":
                    p = o
                else:
                    unit = TICK if self.c.IOC_FILL == "tick_against" else PRICE_UNIT
                    p = ceil_to(o * (1 + HALF_SPREAD), unit) if x.buy else floor_to(o * (1 - HALF_SPREAD), unit)
                if p <= x.price if x.buy else p >= x.price:
                    price = p
            else:
                through = l <= x.price - TICK if x.buy else h >= x.price + TICK
                at_open = o <= x.price if x.buy else o >= x.price
                if self.c.LIMIT_NEEDS == "low_high_or_open":
                    through = through or (at_open and o != x.price)
                if through:
                    price = x.price
                    if self.c.LIMIT_PRICE != "limit" and at_open:
                        price = o
                        if self.c.LIMIT_PRICE == "open_plus_half_spread":
                            price = min(x.price, ceil_to(o * (1 + HALF_SPREAD), TICK)) if x.buy else \
                                max(x.price, floor_to(o * (1 - HALF_SPREAD), TICK))
                    maker = not at_open or self.c.LIMIT_OPEN_IS == "maker"
            qty = min(x.left, room) if price is not None else F(0)
            if qty > 0:
                room -= qty
                x.left -= qty
                self.push(ts + RESPONSE_LATENCY, "report", ("fill", x, qty, price, maker, ts))
            if x.ioc or x.left == 0:
                x.left = F(0)
                self.push(ts + RESPONSE_LATENCY, "report", ("end", x))

    # ---- strategy ------------------------------------------------------------------------------------------------------

    def issue_exit(self):
        """at_market: an IOC limit at the last good mark moved by protect against us."""
        if self.flat():
            self.exiting = False
            return
        waiting = [x for x in self.open if x.kind == "HOLD"]
        if waiting:
            for x in waiting:
                self.cancel(x)
        if any(x.kind == "STOP_LOSS" for x in self.open):
            return
        bound = self.mark * (1 - PROTECT)
        bound = ceil_to(bound, TICK) if self.c.IOC_BOUND == "ceil_sell" else floor_to(bound, TICK)
        self.submit("STOP_LOSS", False, floor_to(self.P, LOT), bound, True, None)

    def on_bar(self, bar_time, close):
        """crash_hold. The enter is declared first; at most one enter a trigger; exit is a target."""
        want_enter = bar_time > START
        want_exit = False
        if not self.flat():
            avg = self.basis / self.P
            if self.c.AVG_PRICE == "tick":
                avg = floor_to(avg / PRICE_UNIT + F(1, 2), F(1)) * PRICE_UNIT
            want_exit = close <= avg * (1 - STOP_LOSS)
        if want_enter:
            if any(x.kind == "HOLD" for x in self.open):
                self.ignored["pending"] += 1
            elif not self.flat():
                self.ignored["open"] += 1
            else:
                self.submit("HOLD", True, floor_to(CLIP / close, LOT), close + ENTRY_TICKS * TICK, False, TTL)
        if want_exit:
            self.stop_signals.append(self.now)
        if (want_exit and not self.exiting) or (self.exiting and self.c.EXIT_AGAIN == "on_next_bar"):
            self.exiting = True
            self.issue_exit()

    # ---- reports -------------------------------------------------------------------------------------------------------

    def on_fill(self, x, qty, price, maker, bar_ts):
        fee = ceil_to(qty * price * (MAKER if maker else TAKER), FEE_UNIT)
        signed = qty if x.buy else -qty
        realised = F(0)
        if self.P == 0 or (self.P > 0) == x.buy:
            self.basis += signed * price
        else:
            assert self.P >= qty, "long only, and an exit never passes zero"
            out = ceil_to(self.basis * qty / self.P, MONEY)           # rounded once, against us
            realised = floor_to(qty * price - out, MONEY)
            self.basis -= out
        self.P += signed
        if self.P == 0:
            assert self.basis == 0
        x.filled += qty
        self.W += realised - fee
        self.fees += fee
        self.realised += realised
        self.fills.append({"ts": self.now, "bar_ts": bar_ts, "order": x.no, "rule": x.kind, "side": "buy" if x.buy else "sell",
                           "qty": text(qty), "price": text(price), "fee": text(fee), "fee_asset": "USDT",
                           "liquidity": "maker" if maker else "taker", "realised": text(realised), "position": text(self.P),
                           "balance": text(self.W)})
        if self.flat():
            self.flat_ts = self.now
        # the equations of accounts.md 17: 1, 3, 6
        assert self.W == BALANCE + self.realised - self.fees
        assert x.filled <= x.qty
        self.judge(fill=True)

    def on_end(self, x):
        x.ended = self.now
        self.open.remove(x)
        if x.kind == "STOP_LOSS" and self.exiting:
            if self.flat():
                self.exiting = False
            elif self.c.EXIT_AGAIN == "on_end":
                self.issue_exit()
        elif x.kind == "HOLD" and self.exiting:
            self.issue_exit()

    # ---- the tape ------------------------------------------------------------------------------------------------------

    def stamp(self, ts):
        self.now = ts if self.now is None else max(self.now + 1, ts)

    def roll_if_due(self, ts):
        day = ts // DAY
        if self.day is None or day > self.day:
            if self.c.DAYROLL_TAKES_TS == "yes":
                self.stamp(day * DAY)
                self.day = day
                self.day_roll(day * DAY)
            else:
                keep, self.now = self.now, day * DAY
                self.day = day
                self.day_roll(day * DAY)
                self.now = keep

    def run(self):
        for bar in self.bars:
            while self.queue and (self.queue[0][0] < bar[0] or self.queue[0][0] == bar[0] and self.queue[0][1] < 0):
                self.next_queued()
            self.roll_if_due(bar[0])
            self.stamp(bar[0])
            self.bars_seen += 1
            self.meet(self.now, bar)
            self.mark, self.mark_ts = bar[4], self.now
            self.judge()
            self.on_bar(bar[0] if self.c.BAR_TIME == "file_end" else self.now, bar[4])
        while self.queue and self.queue[0][0] <= self.now + RESPONSE_LATENCY:
            self.next_queued()                        # reports of the last bar; timers beyond the data do not run
        return self

    def next_queued(self):
        ts, _, _, source, what = heapq.heappop(self.queue)
        if source == "cancel_arrives":                # inside the venue: no record
            if what.ended is None and what.left > 0:
                what.left = F(0)
                self.push(ts + RESPONSE_LATENCY, "report", ("end", what))
            return
        if source == "timer" and what[0] == "ttl" and what[1].ended is not None:
            return
        self.roll_if_due(ts)
        self.stamp(ts)
        if what[0] == "fill":
            self.on_fill(*what[1:])
        elif what[0] == "end":
            self.on_end(what[1])
        elif what[0] == "ttl":
            self.cancel(what[1])
        elif what[0] == "latch":
            self.arm(what[1])

    # ---- results -------------------------------------------------------------------------------------------------------

    def result(self):
        def order(x):
            return {"order": x.no, "rule": x.kind, "ts": x.decided, "side": "buy" if x.buy else "sell", "qty": text(x.qty),
                    "price": text(x.price), "value": text(x.value), "ioc": x.ioc, "reduces": x.reduces, "cut_by": x.cut,
                    "filled": text(x.filled), "end_ts": x.ended}

        def latch(x):
            if not x.log:
                return None
            first = x.log[0]
            return {"ts_true": first["ts_true"], "ts": first["ts"], "equity": first["at_true"]["equity"],
                    "drawdown": first["at_true"]["day_drawdown"], "day_loss": first["at_true"]["day_loss"],
                    "day_peak": first["at_true"]["day_peak"], "day_open": first["at_true"]["day_open"],
                    "mark": first["at_true"]["mark"], "position": first["at_true"]["position"],
                    "equity_at_ts": first["at_armed"]["equity"], "drawdown_at_ts": first["at_armed"]["day_drawdown"],
                    "day_loss_at_ts": first["at_armed"]["day_loss"], "ends": first["ends"], "times_armed": len(x.log)}

        entries = [x for x in self.orders if x.kind == "HOLD"]
        exits = [x for x in self.orders if x.kind == "STOP_LOSS"]
        first_exit_fill = next((f["ts"] for f in self.fills if f["rule"] == "STOP_LOSS"), None)
        entry = None
        if entries:
            mine = [f for f in self.fills if f["order"] == entries[0].no]
            entry = order(entries[0]) | {"fills": mine}
        refused = {k: {"count": len(v), "first_ts": v[0], "last_ts": v[-1]} for k, v in sorted(self.refusals.items())}
        e = self.equity()
        shown = self.fills if len(self.fills) <= 12 else self.fills[:6] + self.fills[-6:]
        return {
            "symbol": SYMBOL, "bars": self.bars_seen, "fill_count": len(self.fills), "fills": shown, "entry": entry,
            "daily_drawdown": latch(self.dd), "breaker": latch(self.br),
            "increasing_orders_after_breaker": self.after_breaker,
            "stop_loss": {"first_ts": exits[0].decided if exits else None, "first_bound": text(exits[0].price) if exits else None,
                          "first_fill_ts": first_exit_fill, "flat_ts": self.flat_ts, "orders": len(exits),
                          "exit_orders": [order(x) for x in (exits if len(exits) <= 12 else exits[:6] + exits[-6:])]},
            "refusals": {k: v["count"] for k, v in refused.items()}, "refusal_times": refused,
            "equity_start": text(BALANCE), "equity_end": text(e), "fees": text(self.fees), "realised": text(self.realised),
            "position_end": text(self.P), "max_drawdown": share(self.max_drawdown),
            "orders": len(self.orders), "increasing_orders": len(entries), "cut_orders": self.cuts,
            "verdicts": len(self.orders) + sum(v["count"] for v in refused.values()),
            "ignored_enters": self.ignored, "stop_rule_true_bars": len(self.stop_signals), "day_rolls": self.rolls,
        }


def leaves(x, path=""):
    if isinstance(x, dict):
        return {k: v for key, y in x.items() for k, v in leaves(y, f"{path}{key}.").items()}
    if isinstance(x, list):
        return {k: v for i, y in enumerate(x) for k, v in leaves(y, f"{path}{i}.").items()}
    return {path[:-1]: x}


def main():
    p = argparse.ArgumentParser(description="Oracle for the crash backtest.")
    p.add_argument("--data", default=DATA)
    p.add_argument("--json-lines", choices=["fills", "orders", "latches"])
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="another reading of an assumption")
    p.add_argument("--sensitivity", action="store_true", help="main figures under each other reading, one a line")
    a = p.parse_args()
    choice = {}
    for word in a.set:
        name, _, value = word.partition("=")
        if name not in A or value not in A[name]:
            p.error(f"{word}: the readings are " + "; ".join(f"{k}={'|'.join(v)}" for k, v in A.items()))
        choice[name] = value
    bars = read(a.data)
    engine = Engine(bars, choice).run()
    result = engine.result()
    if a.json_lines == "fills":
        for f in engine.fills:
            print(json.dumps(f))
    elif a.json_lines == "orders":
        for x in engine.orders:
            print(json.dumps({"order": x.no, "rule": x.kind, "ts": x.decided, "qty": text(x.qty), "price": text(x.price),
                              "filled": text(x.filled), "end_ts": x.ended}))
    elif a.json_lines == "latches":
        for x in engine.dd.log + engine.br.log:
            print(json.dumps(x))
    elif a.sensitivity:
        for name, values in A.items():
            for value in values[1:]:
                other = Engine(bars, {name: value}).run().result()
                old, new = leaves(result), leaves(other)
                changed = {k: new.get(k) for k in sorted(old.keys() | new.keys())
                           if old.get(k) != new.get(k) and not k.startswith(("fills.", "entry.fills.", "stop_loss.exit_orders."))}
                print(json.dumps({"set": f"{name}={value}", "same": not changed, "changed": changed}))
                sys.stdout.flush()
    else:
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
