#!/usr/bin/env python3
"""Oracle for the Binance books: an independent replay of the merged capture, each best price compared with the venue's bookTicker.

Shares no code with the engine; prices and quantities are exact integers (decimal text at 1e-8). One JSON object.

    books.py [--data FILE] [--json-lines compares|feeds]      FILE: `<local_ns>\\t<feed>\\t<json>` or `<local_ns> <json>`, .zst

THE COMPARISON RULE (decisions.md 17), for each feed on its own, in file order; nothing is ever compared by time:

 1 Book. Depth messages before the REST snapshot are buffered in order. The snapshot sets all levels and book id =
   lastUpdateId; then the buffer is applied, then each depth message as it comes. Quantities are absolute, 0 removes.
   spot: u <= book id: ignored ('old'). U > book id + 1: gap. Otherwise applied, book id = u.
   usdm: until the first one is applied: u < lastUpdateId: ignored ('old'); the first applied needs U <= lastUpdateId <= u, else
   gap. Afterwards pu must equal the book id (the u of the one before), else gap. Applied: book id = u.
   A gap invalidates the book: nothing is applied or compared until another snapshot.
 2 bookTicker with update id t (u in the message), book id b:
   t == b  compared at once with the best bid, bid quantity, best ask, ask quantity ('at_once'); all four must be equal.
   t >  b, or no snapshot yet: held, all of them, in order of arrival (measured: at most 281 a feed).
   t <  b  passed over ('late'): the book as it stood at t is no longer there.
 3 After each APPLIED depth message, once all its levels are in and book id = u: every held ticker with t == u is compared
   ('held'), every one with t < u is dropped ('inside': its moment lay within a batch, and the book never stood there).
   After the snapshot the same with lastUpdateId ('held' would be t == lastUpdateId: there is none in this capture).
   Old (ignored) depth messages release nothing.
 4 compared = at_once + held; unequal = those of them in which any of the four differs, or a side is empty.
   What is still held at the end is neither ('left').
"""

import argparse
import json
import os
import subprocess

DATA = os.path.join(
    os.environ.get("SLUICE_DATA", os.path.join(os.path.dirname(__file__), "../../../shared/data")),
    "raw_ws/merged_binance_4feeds_20240808_09.tsv.zst",
)
SCALE = 8


def exact(word):
    whole, _, part = word.partition(".")
    part = part.rstrip("0")
    assert len(part) <= SCALE and (whole + (part or "0")).isdigit(), word
    return int(whole + part.ljust(SCALE, "0"))


class Feed:
    def __init__(self, futures):
        self.futures = futures
        self.bids, self.asks = {}, {}
        self.id = self.snapshot_id = None
        self.valid = self.first = False
        self.buffer, self.held = [], []
        self.n = dict.fromkeys(("messages", "snapshots", "snapshot_levels", "trades", "depth_messages", "depth_levels",
                                "depth_removals", "depth_buffered", "depth_old", "depth_applied", "depth_levels_applied", "gaps",
                                "book_tickers", "compared", "unequal", "at_once", "held", "inside", "late", "left", "held_most",
                                "crossed"), 0)
        self.last_trade = None
        self.trade_order = 0

    def snapshot(self, j):
        self.n["snapshots"] += 1
        self.n["snapshot_levels"] += len(j["bids"]) + len(j["asks"])
        self.bids = {exact(p): exact(q) for p, q in j["bids"]}
        self.asks = {exact(p): exact(q) for p, q in j["asks"]}
        self.id = self.snapshot_id = j["lastUpdateId"]
        self.valid = self.first = True
        self.release()
        waiting, self.buffer = self.buffer, []
        for d in waiting:
            self.apply(d)

    def depth(self, d):
        self.n["depth_messages"] += 1
        self.n["depth_levels"] += len(d["b"]) + len(d["a"])
        self.n["depth_removals"] += sum(exact(q) == 0 for _, q in d["b"] + d["a"])
        if self.snapshot_id is None:
            self.n["depth_buffered"] += 1
            self.buffer.append(d)
        else:
            self.apply(d)

    def apply(self, d):
        if not self.valid:
            return
        if self.futures and self.first:
            if d["u"] < self.snapshot_id:
                self.n["depth_old"] += 1
                return
            whole = d["U"] <= self.snapshot_id
        elif self.futures:
            whole = d["pu"] == self.id
        else:
            if d["u"] <= self.id:
                self.n["depth_old"] += 1
                return
            whole = d["U"] <= self.id + 1
        if not whole:
            self.n["gaps"] += 1
            self.valid = False
            return
        self.first = False
        for side, levels in ((self.bids, d["b"]), (self.asks, d["a"])):
            for p, q in levels:
                p, q = exact(p), exact(q)
                if q:
                    side[p] = q
                else:
                    side.pop(p, None)
        self.id = d["u"]
        self.n["depth_applied"] += 1
        self.n["depth_levels_applied"] += len(d["b"]) + len(d["a"])
        self.n["crossed"] += bool(self.bids and self.asks) and max(self.bids) >= min(self.asks)
        self.release()

    def release(self):
        stay = []
        for t in self.held:
            if t[0] > self.id:
                stay.append(t)
            elif t[0] == self.id:
                self.compare(t, "held")
            else:
                self.n["inside"] += 1
        self.held = stay

    def ticker(self, ts, d):
        self.n["book_tickers"] += 1
        t = (d["u"], exact(d["b"]), exact(d["B"]), exact(d["a"]), exact(d["A"]), ts)
        if self.snapshot_id is not None and not self.valid:
            return
        if self.id is None or t[0] > self.id:
            self.held.append(t)
            self.n["held_most"] = max(self.n["held_most"], len(self.held))
        elif t[0] == self.id:
            self.compare(t, "at_once")
        else:
            self.n["late"] += 1

    def compare(self, t, how):
        self.n["compared"] += 1
        self.n[how] += 1
        bid, ask = max(self.bids, default=None), min(self.asks, default=None)
        ours = (bid, self.bids.get(bid), ask, self.asks.get(ask))
        equal = ours == t[1:5]
        self.n["unequal"] += not equal
        if LINES == "compares":
            print(json.dumps({"feed": self.name, "ticker_ts": t[5], "u": t[0], "how": how, "equal": equal}))

    def trade(self, d):
        self.n["trades"] += 1
        self.trade_order += self.last_trade is not None and d["t"] <= self.last_trade
        self.last_trade = d["t"]


LINES = None


def main():
    global LINES
    p = argparse.ArgumentParser(description="Oracle for the Binance books.")
    p.add_argument("--data", default=DATA)
    p.add_argument("--json-lines", choices=["compares", "feeds"])
    a = p.parse_args()
    LINES = a.json_lines
    feeds, messages, bad, other, back, last = {}, 0, 0, 0, 0, 0
    lines = subprocess.Popen(["zstd", "-dc", a.data], stdout=subprocess.PIPE, text=True)
    for line in lines.stdout:
        line = line.rstrip("\n")
        if not line:
            continue
        messages += 1
        try:
            head, _, rest = line.partition("\t")
            if rest:
                name, _, body = rest.partition("\t")
            else:
                head, _, body = line.partition(" ")
                name = "usdm" if "usdm" in a.data else "spot"
            ts, j = int(head), json.loads(body)
            if name not in feeds:
                feeds[name] = Feed(name.startswith("usdm"))
                feeds[name].name = name
            f = feeds[name]
            if "lastUpdateId" in j and "stream" not in j:
                f.snapshot(j)
            else:
                kind, d = j["stream"].split("@")[1], j["data"]
                if kind == "depth":
                    f.depth(d)
                elif kind == "bookTicker":
                    f.ticker(ts, d)
                elif kind == "trade":
                    f.trade(d)
                else:
                    other += 1
            f.n["messages"] += 1
        except (ValueError, KeyError, IndexError, AssertionError):
            bad += 1
            continue
        back += ts <= last
        last = ts
    assert lines.wait() == 0
    for f in feeds.values():
        f.n["left"] = len(f.held)
        f.n["trade_ids_not_rising"] = f.trade_order
    if LINES == "feeds":
        for k, f in feeds.items():
            print(json.dumps({"feed": k} | f.n))
    elif LINES is None:
        total = {k: sum(f.n[k] for f in feeds.values()) for k in
                 ("snapshots", "trades", "depth_messages", "depth_levels", "depth_levels_applied", "snapshot_levels", "book_tickers",
                  "gaps", "compared", "unequal", "at_once", "held", "inside", "late", "left")}
        print(json.dumps({"messages": messages, "bad": bad, "other_streams": other, "ts_not_rising": back} | total |
                         {"feeds": {k: f.n for k, f in feeds.items()}}, indent=1))


if __name__ == "__main__":
    main()
