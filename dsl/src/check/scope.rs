//! The names of one block: parameters, series and lets, what each means and who has used it.

use std::collections::{BTreeMap, BTreeSet};

use model::symbol::Symbol;

use crate::diagnostics::Diagnostic;
use crate::parse::suggest::nearest;
use crate::schema::{FIELDS, Field, When};
use crate::span::Span;
use crate::typed::{Expr, ExprKind, Let, Param, Series, State, StateUpdate, Step, Unit, Window};

use super::names::{self, Owner};

/// What a name of the block stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Parameter number so-and-so.
    Param(usize),
    /// Let number so-and-so.
    Let(usize),
    /// Series number so-and-so.
    Series(usize),
    /// State number so-and-so.
    State(usize),
    /// Its declaration is wrong and was reported: nothing more is said about it.
    Broken,
}

/// The most that an expression asks of the moment when it is read, with the field that asks it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// The field.
    pub(crate) field: Field,
    /// Where it stands.
    pub(crate) span: Span,
}

/// Names of one block.
#[derive(Debug)]
pub(crate) struct Scope<'t> {
    /// Whose.
    pub(crate) owner: Owner,
    /// Text of the file, for texts inside messages.
    pub(crate) text: &'t str,
    /// Parameters.
    pub(crate) params: Vec<Param>,
    /// Lets.
    pub(crate) lets: Vec<Let>,
    /// Per let, what it asks of the moment.
    pub(crate) reaches: Vec<Option<Reach>>,
    /// Series, hidden ones included.
    pub(crate) series: Vec<Series>,
    /// States.
    pub(crate) states: Vec<State>,
    /// Updates of states.
    pub(crate) updates: Vec<StateUpdate>,
    /// Windows that anything reads.
    pub(crate) windows: Vec<Window>,
    /// Order of evaluation.
    pub(crate) order: Vec<Step>,
    /// A strategy's symbols, or those that a risk block is limited to.
    pub(crate) symbols: Vec<Symbol>,
    /// The strategy wakes on closed bars.
    pub(crate) on_bars: bool,
    /// Their length in nanoseconds, where it is known.
    pub(crate) bar_ns: Option<i64>,
    /// Names declared so far.
    known: BTreeMap<String, (Binding, Span)>,
    /// Names declared anywhere in the block.
    all: BTreeMap<String, Span>,
    used: BTreeSet<String>,
}

impl<'t> Scope<'t> {
    /// An empty scope.
    pub(crate) fn new(owner: Owner, text: &'t str) -> Self {
        Self {
            owner,
            text,
            params: Vec::new(),
            lets: Vec::new(),
            reaches: Vec::new(),
            series: Vec::new(),
            states: Vec::new(),
            updates: Vec::new(),
            windows: Vec::new(),
            order: Vec::new(),
            symbols: Vec::new(),
            on_bars: false,
            bar_ns: None,
            known: BTreeMap::new(),
            all: BTreeMap::new(),
            used: BTreeSet::new(),
        }
    }

    /// Announces a name before anything is typed, so that a use above its place can be told from a
    /// slip; refuses a second one and names that the language uses.
    pub(crate) fn announce(&mut self, name: &str, span: Span) -> Option<Diagnostic> {
        if let Some(first) = self.all.get(name) {
            let fault = Diagnostic::error("R0206", span, format!("`{name}` is declared twice"));
            return Some(fault.also(*first, "first declared here"));
        }
        self.all.insert(name.to_owned(), span);
        let what = if Field::named(name).is_some() {
            "a field"
        } else if names::is_function(name) {
            "a function"
        } else {
            return None;
        };
        let message = format!("`{name}` is the name of {what}");
        Some(Diagnostic::error("R0206", span, message).help("choose another name"))
    }

    /// Binds a name; the first binding stands.
    pub(crate) fn bind(&mut self, name: &str, binding: Binding, span: Span) {
        self.known.entry(name.to_owned()).or_insert((binding, span));
    }

    /// Looks a name up and marks it as used.
    pub(crate) fn find(&mut self, name: &str) -> Option<(Binding, Span)> {
        let found = self.known.get(name).copied();
        if found.is_some() {
            self.used.insert(name.to_owned());
        }
        found
    }

    /// Looks a name up without reading it: what is only written is never used.
    pub(crate) fn binding(&self, name: &str) -> Option<Binding> {
        self.known.get(name).map(|(binding, _)| *binding)
    }

    /// Returns where a name is declared, also when that is further down.
    pub(crate) fn declared(&self, name: &str) -> Option<Span> {
        self.all.get(name).copied()
    }

    /// Tells whether a name was read by anything.
    pub(crate) fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    /// Returns the unit of a name, without marking it as used.
    pub(crate) fn unit(&self, name: &str) -> Option<&Unit> {
        match self.known.get(name)?.0 {
            Binding::Param(index) => self.params.get(index).map(|param| &param.unit),
            Binding::Let(index) => self.lets.get(index).map(|item| &item.value.unit),
            Binding::Series(index) => self.series.get(index).map(|series| &series.unit),
            Binding::State(index) => self.states.get(index).map(|state| &state.unit),
            Binding::Broken => None,
        }
    }

    /// Returns a name that was probably meant: of the block, or a field.
    pub(crate) fn suggest(&self, name: &str) -> Option<String> {
        let own = self.all.keys().map(String::as_str);
        let fields = FIELDS.iter().filter(|info| names::is_readable(self.owner, info.scope));
        nearest(name, own.chain(fields.map(|info| info.name))).map(str::to_owned)
    }

    /// Adds a series and returns its index; an equal one is shared.
    pub(crate) fn add_series(&mut self, series: Series) -> usize {
        let equal = |known: &Series| {
            known.indicator == series.indicator
                && known.inputs == series.inputs
                && known.length == series.length
                && known.frame == series.frame
        };
        if let Some(index) = self.series.iter().position(equal) {
            return index;
        }
        let index = self.series.len();
        self.series.push(series);
        self.order.push(Step::Series(index));
        index
    }

    /// Adds a window and returns its index; an equal one is shared.
    pub(crate) fn add_window(&mut self, window: Window) -> usize {
        let index = self.windows.iter().position(|known| *known == window);
        index.unwrap_or_else(|| {
            self.windows.push(window);
            self.windows.len().saturating_sub(1)
        })
    }

    /// Returns the length of the bars that a name of the block is of, if it is not the trigger's.
    pub(crate) fn frame(&self, kind: &ExprKind) -> Option<i64> {
        if let ExprKind::Series(index) = kind {
            self.series.get(*index)?.frame
        } else if let ExprKind::Let(index) = kind {
            self.lets.get(*index)?.frame
        } else {
            None
        }
    }

    /// Tells whether the value of a let keeps a series.
    pub(crate) fn keeps_series(&self, index: usize) -> bool {
        let mut open: Vec<&Expr> =
            self.lets.get(index).map(|item| &item.value).into_iter().collect();
        while let Some(expr) = open.pop() {
            if matches!(expr.kind, ExprKind::Series(_)) {
                return true;
            }
            if let ExprKind::Let(index) = expr.kind {
                open.extend(self.lets.get(index).map(|item| &item.value));
            }
            open.extend(names::children(expr));
        }
        false
    }

    /// Returns every field that an expression reads, through lets and series too. Without
    /// recursion: a chain of lets may be long.
    pub(crate) fn fields(&self, expr: &Expr) -> BTreeSet<Field> {
        let mut fields = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            if let ExprKind::Field(field, _) = &expr.kind {
                fields.insert(*field);
            } else if let ExprKind::Depth(_) = &expr.kind {
                fields.insert(Field::BookDepth);
            } else if let ExprKind::Let(index) = &expr.kind {
                if seen.insert((false, *index)) {
                    open.extend(self.lets.get(*index).map(|item| &item.value));
                }
            } else if let ExprKind::Series(index) = &expr.kind {
                if seen.insert((true, *index)) {
                    open.extend(self.series.get(*index).iter().flat_map(|series| &series.inputs));
                }
            } else {
                open.extend(names::children(expr));
            }
        }
        fields
    }
}

/// Orders moments by how much they ask.
pub(crate) const fn rank(when: When) -> u8 {
    match when {
        When::Always => 0,
        When::Order => 1,
        When::FinalOrder => 2,
        When::Fill | When::Closed => 3,
    }
}
