//! All codes of diagnostics, with what they mean: printed by `rules explain`, kept complete by a
//! test.
//!
//! R01xx is syntax, R02xx names and units, R03xx scope and order, R04xx warnings, R05xx binding to
//! an instrument, R09xx what this version does not execute. A code never changes its meaning.

/// Code, title, explanation; in the order of the codes.
pub const CODES: &[(&str, &str, &str)] = &[
    (
        "R0101",
        "the file does not begin with `rules 1`",
        "The first line names the version of the language, so that a later version can read the \
         file as it was meant.",
    ),
    (
        "R0102",
        "unknown word",
        "A keyword of the language was expected here. The help names the nearest one, or all \
         that may stand here.",
    ),
    (
        "R0103",
        "not closed",
        "A block or a bracket is opened and never closed, or closed without being open.",
    ),
    ("R0104", "not a name", "Names begin with a lower-case letter and are no reserved words."),
    (
        "R0105",
        "too deep",
        "Nesting, the height of an expression and its size have limits, so that no file makes \
         the checker slow. Name parts with `let`.",
    ),
    (
        "R0106",
        "something is missing",
        "An expression must follow, or an invariant has nothing to prove.",
    ),
    (
        "R0107",
        "a condition is missing",
        "`deny`, `halt`, `enter` and their like stand before `when` and a condition.",
    ),
    (
        "R0108",
        "not a unit",
        "Assets are upper case and stand one space behind the number: `10 USDT`. Steps are `2 \
         ticks` and `3 lots`.",
    ),
    (
        "R0109",
        "a documentation comment documents nothing",
        "`///` belongs to the item or the statement behind it; other comments begin with `//`.",
    ),
    (
        "R0110",
        "too large",
        "A file has at most 1 MiB, a statement 64 KiB, and a session at most 1,000 files.",
    ),
    (
        "R0111",
        "sign of another language",
        "Conditions are joined by `and`, `or` and `not`; equality is `==`.",
    ),
    (
        "R0112",
        "comparisons do not chain",
        "`a < b < c` would compare a truth with a value. `b in a..c` says both.",
    ),
    (
        "R0113",
        "not a number",
        "Digits stand on both sides of a point, `_` between digits, and a unit right behind the \
         number: `5%`, `30bps`, `2s`.",
    ),
    (
        "R0114",
        "hard or soft",
        "Every risk block says whether loosening it needs approvals (`hard`) or not (`soft`).",
    ),
    (
        "R0115",
        "forbidden character",
        "Outside texts and comments a file is ASCII; characters that reorder or hide text are \
         refused everywhere, because the file would not read as it runs.",
    ),
    ("R0116", "text does not end", "A text in quotes ends on its line."),
    ("R0117", "not expected", "The grammar goes on differently here; the message says how."),
    (
        "R0118",
        "number too large",
        "Numbers have at most 28 digits, 18 of them decimals; durations fit 292 years.",
    ),
    ("R0119", "no such time", "The calendar has no such date, or the day no such time."),
    ("R0120", "statement of another block", "Each kind of block has its own statements."),
    (
        "R0121",
        "`if` without `else`",
        "An expression has a value in both cases: `if c then a else b`.",
    ),
    ("R0122", "not a reason code", "Reason codes are upper case, such as `MAX_ORDER`."),
    ("R0123", "message cannot be read", "Between `{` and `}` of a message stands an expression."),
    ("R0201", "unknown name", "No parameter, `let`, series or field has this name."),
    ("R0202", "unknown field", "No field has this name."),
    (
        "R0203",
        "units cannot be compared",
        "Both sides of a comparison, both branches of `if` and both sides of `??` have the same \
         unit.",
    ),
    (
        "R0204",
        "units cannot be added",
        "Sums and differences have one unit; only a duration can be added to a time.",
    ),
    (
        "R0205",
        "units cannot be multiplied",
        "price times quantity is money, money by price is quantity, money by quantity is price, \
         anything times or by a number keeps its unit.",
    ),
    (
        "R0206",
        "name is taken",
        "A name is declared once, and is not the name of a field or a function.",
    ),
    ("R0207", "wrong unit", "This place takes one unit only; a condition is a truth."),
    ("R0208", "two assets", "Amounts of different assets never mix without a rate."),
    (
        "R0209",
        "percent without its sign",
        "A parameter of type percent is written with `%` or `bps`, so that 5 is never taken for \
         0.05.",
    ),
    (
        "R0210",
        "outside of the range",
        "The default of a parameter, and every value in its table, lies inside its range.",
    ),
    ("R0211", "not a literal", "The value of a parameter is written down, not computed."),
    ("R0212", "unknown function", "No function has this name."),
    ("R0213", "wrong arguments", "The function or field takes another number of values."),
    (
        "R0214",
        "comparison with na",
        "What is unknown equals nothing; `is na` asks whether it is unknown.",
    ),
    (
        "R0215",
        "unknown word of a field",
        "A field of words is compared with the words of its own list.",
    ),
    (
        "R0216",
        "an asset is needed",
        "`account.free` and its like are read for one asset; `order.pays` is an asset and no \
         value.",
    ),
    ("R0217", "na of no unit", "`na` takes its unit from what stands beside it."),
    (
        "R0218",
        "asset of another symbol",
        "An amount may stand for a quantity when its asset is the base, and for a price when it \
         is the quote, of every symbol of the block.",
    ),
    (
        "R0219",
        "bad range",
        "The low end is not above the high end, and both are written like the value.",
    ),
    ("R0220", "not whole", "Ticks and lots are counted in whole steps."),
    (
        "R0221",
        "unknown block",
        "Tests and invariants name a block of the files that are checked together.",
    ),
    (
        "R0301",
        "field of another scope",
        "Strategies are blind for accounts; risk blocks do not see bars.",
    ),
    (
        "R0302",
        "used above its declaration",
        "A `let` or series reads only what is declared above it.",
    ),
    (
        "R0303",
        "a cap reads the final order",
        "Caps decide the quantity, and the smallest wins whatever their order; so none may \
         depend on the quantity.",
    ),
    (
        "R0304",
        "a latch reads the order",
        "Latches are judged on every event, also when there is no order.",
    ),
    ("R0305", "the verdict is not known yet", "`order.approved` stands in invariants only."),
    ("R0306", "series in a risk block", "Indicators keep state for a strategy; risk reads fields."),
    (
        "R0307",
        "a statement is missing",
        "A risk block says to what it applies, a strategy what wakes it.",
    ),
    ("R0308", "written twice", "This statement or option stands once."),
    (
        "R0309",
        "a latch without an end",
        "A latch says how it ends, because one that cannot end stops the session for good.",
    ),
    ("R0310", "an incomplete enter", "`enter` says how much and at what price."),
    ("R0311", "options contradict", "Two options of the order exclude each other."),
    (
        "R0312",
        "bad trigger",
        "`on bar` and `on timer` have a length; only `on book` may be woken less often with \
         `every`.",
    ),
    (
        "R0313",
        "there are no bars",
        "`open`, `high`, `low`, `close`, `volume` and `bar.time` are of the bar that woke the \
         strategy.",
    ),
    (
        "R0314",
        "not a series",
        "`series` names a value that moves: one that reads a field or an indicator. Constants are \
         a `param` or a `let`.",
    ),
    (
        "R0315",
        "bad length",
        "The length of a series is a literal or a parameter, from 1 to 10,000.",
    ),
    ("R0317", "not about a risk block", "Invariants are proved of risk blocks."),
    (
        "R0318",
        "no time to live",
        "An order whose `ttl` is zero or less would end before it begins.",
    ),
    ("R0319", "not a state", "Only a `state` that the block declares can be updated."),
    (
        "R0320",
        "not heard of",
        "Risk blocks hear of orders, fills, round trips, rejects and timers; strategies of their \
         trigger and of their own fills.",
    ),
    (
        "R0321",
        "two updates at once",
        "All updates of one event happen together, so two of one state must exclude each other by \
         their conditions, provably.",
    ),
    (
        "R0322",
        "state cannot be na",
        "Only a state whose first value is `na` may become `na`; `??` gives another value.",
    ),
    (
        "R0323",
        "not a window",
        "`count`, `sum` and `rate` look at the streams orders, fills, closed, cancels, rejects \
         and messages, over a time or over the last so many.",
    ),
    (
        "R0324",
        "length is not constant",
        "How far back a window or a throttle reaches is a literal or a parameter without a \
         table: its memory is reserved before the first event.",
    ),
    ("R0325", "no such latch", "An update names the end of a latch of its own block."),
    (
        "R0326",
        "option does not fit",
        "`burst` is of orders and messages in a time; what happens on a timer is of no symbol.",
    ),
    (
        "R0327",
        "known only for a moment",
        "A fill and a round trip are known on their event only: in an update on it, and in the \
         `where` of a window over it.",
    ),
    (
        "R0328",
        "not a fact",
        "A test gives facts by the names of the fields, and settings of instrument, account and \
         market.",
    ),
    (
        "R0329",
        "wrong form",
        "A fact is given as a literal of its form; `na` makes a field unknown.",
    ),
    (
        "R0330",
        "not of longer bars",
        "`series ... on 15m` is of bars that are built from those that wake the strategy: their \
         length is a multiple, and the value reads their prices, parameters, and series on the \
         same length, nothing of the moment.",
    ),
    (
        "R0331",
        "which part",
        "`macd` and `bollinger` have several results: the part stands behind the call, as in \
         `macd(close, 12, 26, 9).signal`.",
    ),
    (
        "R0332",
        "how deep",
        "Depth of the book is read over a number of levels or within a share of the best price, \
         both written down.",
    ),
    (
        "R0333",
        "a window of no time",
        "`active @from..@to` says when a strategy opens and quotes; a window over midnight has its \
         end before its beginning.",
    ),
    ("R0401", "unused parameter", "Nothing reads it: changing it changes nothing."),
    ("R0402", "unused let", "Nothing reads it."),
    ("R0403", "unused series", "Nothing reads it, and it costs time on every trigger."),
    ("R0404", "`??` for nothing", "The left side is never `na`."),
    ("R0405", "never na", "The test has one answer only."),
    (
        "R0406",
        "an exit can be refused for its size",
        "A rule on size without `unless order.reduces` can hold a position that should be \
         closed.",
    ),
    (
        "R0407",
        "a cap can trap an exit",
        "A bound that moves can fall below the smallest order; without `unless order.reduces` \
         nothing gets out.",
    ),
    (
        "R0408",
        "reason code used twice",
        "A refusal names its code: two rules with one code cannot be told apart.",
    ),
    (
        "R0409",
        "unknown strategy",
        "The block applies to a strategy that none of these files has; it binds nothing.",
    ),
    (
        "R0410",
        "nothing leaves",
        "The strategy enters in a direction and has no rule that leaves it.",
    ),
    ("R0411", "said twice", "An earlier rule has the same condition."),
    ("R0412", "never true", "The rule can never fire."),
    ("R0413", "always true", "The rule fires on every event."),
    (
        "R0414",
        "value for another symbol",
        "The table of the parameter has a symbol on which the strategy does not run.",
    ),
    ("R0415", "unused state", "Nothing reads it."),
    (
        "R0416",
        "a rate can hold an exit back",
        "A cooldown or a throttle without `unless order.reduces` keeps a position open for as \
         long as it lasts.",
    ),
    ("R0417", "a test expects nothing", "It runs, and shows nothing."),
    (
        "R0420",
        "long and short at once",
        "Two enters of opposite sides have the same condition. At most one enter happens on a \
         trigger, the first declared, so the other never does.",
    ),
    (
        "R0501",
        "too many decimals",
        "A price or quantity has more decimals than the instrument; it is never rounded.",
    ),
    ("R0502", "amounts of two assets", "After binding, the assets of two amounts differ."),
    ("R0503", "no source", "No source of the session carries what this field needs."),
    ("R0504", "length of a series", "The length is not one that can be kept."),
    (
        "R0505",
        "short entry on a cash account",
        "A cash account cannot be short; `where shortable` makes the rule silent there.",
    ),
    ("R0506", "unknown asset", "The session does not know this asset."),
    (
        "R0507",
        "parameter outside of its range",
        "A value set from outside leaves the range in the file.",
    ),
    (
        "R0508",
        "program too large",
        "The block needs more registers than there are, or mixes numbers too far apart.",
    ),
    ("R0509", "over budget", "The block costs more operations than its `budget`."),
    (
        "R0902",
        "field not supported",
        "The language has this field; this version does not answer it.",
    ),
    (
        "R0903",
        "function not supported",
        "The language has this function; this version does not compute it.",
    ),
    (
        "R0904",
        "option not supported",
        "The language has this option or clause; this version does not execute it.",
    ),
    (
        "R0905",
        "form not supported",
        "The language has this form of expression; this version does not compute it.",
    ),
    ("R0906", "version not known", "The file is written for another version of the language."),
];

/// Returns title and explanation of a code.
#[must_use]
pub fn explain(code: &str) -> Option<(&'static str, &'static str)> {
    CODES.iter().find(|(known, ..)| *known == code).map(|(_, title, text)| (*title, *text))
}
