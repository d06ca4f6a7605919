//! The values of a program before they have registers: shared, folded, with proven ranges.
//!
//! A node is made once for each distinct operation on the same operands, so what is written twice
//! is computed once. Operands are always older than what uses them: the order of making is an order
//! of computing. Each section (latches, caps, checks) has its own nodes except constants, because
//! the facts may change between the runs of two sections.

use std::collections::{BTreeMap, BTreeSet};

use crate::bounds::Bounds;
use crate::evaluate::op::{Code, Op, apply};
use crate::evaluate::{
    Input, Load, REGISTERS_MAX, Recall, Recalled, Registers, Section, Update, place,
};
use crate::value::Value;

/// LIMIT: nodes of one program before unused ones are dropped.
const NODES_MAX: usize = 60_000;

/// Name of a node.
pub(crate) type NodeId = u16;

/// What computes a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// A constant: the stored word of a value.
    Const(i128),
    /// A fact.
    Load(Input),
    /// What the block remembers.
    Recall(Recall),
    /// The result of series number so-and-so, over so many operands.
    Series(u16, u8),
    /// An operation.
    Op(Code),
}

#[derive(Clone, Copy, Debug)]
struct Node {
    section: u8,
    shape: Shape,
    args: [NodeId; 4],
    bounds: Bounds,
    age: Age,
}

/// Steps of a strategy after which a value is known, and after which no seed weighs in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Age {
    pub(crate) known: u64,
    pub(crate) settled: u64,
}

/// Why a program cannot be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// More registers than there are.
    TooLarge,
    /// Two scales are further apart than 38 decimals.
    TooFar,
}

/// All nodes of one program.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    shared: BTreeMap<(u8, Shape, [NodeId; 4]), NodeId>,
    section: u8,
    /// Roots that are read after another section has run.
    pub(crate) later: Vec<NodeId>,
    /// Steps of the trigger between two runs of each section; the first has one.
    pace: Vec<u64>,
    fault: Option<Fault>,
}

/// A program with registers.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) sections: Vec<Section>,
    pub(crate) registers: Registers,
    pub(crate) registers_used: usize,
    /// By section, the registers that other sections or answers read.
    pub(crate) held: Vec<Vec<u16>>,
    places: Vec<u16>,
}

impl Layout {
    /// Takes a section out.
    pub(crate) fn take_section(&mut self, section: u8) -> Section {
        self.sections.get_mut(usize::from(section)).map(std::mem::take).unwrap_or_default()
    }

    /// Returns the register of a node.
    pub(crate) fn place(&self, node: NodeId) -> u16 {
        self.places.get(usize::from(node)).copied().unwrap_or(0)
    }
}

impl Graph {
    /// Starts the next section: nothing but constants is shared with earlier ones.
    pub(crate) fn next_section(&mut self) {
        self.section = self.section.saturating_add(1);
    }

    /// Adds a section that runs once in so many steps, before the first one; returns its number.
    pub(crate) fn add_section(&mut self, steps: u64) -> u8 {
        if self.pace.is_empty() {
            self.pace.push(1);
        }
        let section = u8::try_from(self.pace.len()).unwrap_or(u8::MAX);
        self.pace.push(steps);
        section
    }

    /// Goes to a section, and returns the one left.
    pub(crate) fn go_to(&mut self, section: u8) -> u8 {
        std::mem::replace(&mut self.section, section)
    }

    /// Returns the section at hand.
    pub(crate) fn section(&self) -> u8 {
        self.section
    }

    fn steps(&self) -> u64 {
        self.pace.get(usize::from(self.section)).copied().unwrap_or(1)
    }

    /// Records why the program cannot be laid out; the first reason stands.
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.fault = self.fault.or(Some(fault));
    }

    /// Returns a known constant.
    pub(crate) fn number(&mut self, number: i128) -> NodeId {
        self.constant(Value::known(number))
    }

    /// Returns a constant.
    pub(crate) fn constant(&mut self, value: Value) -> NodeId {
        let bounds = Bounds::exact(value.number().unwrap_or(0));
        self.node(Shape::Const(value.raw()), [0; 4], bounds)
    }

    /// Returns a fact within a range.
    pub(crate) fn load(&mut self, input: Input, bounds: Bounds) -> NodeId {
        self.node(Shape::Load(input), [0; 4], bounds)
    }

    /// Returns what the block remembers, within a range.
    pub(crate) fn recall(&mut self, what: Recall, bounds: Bounds) -> NodeId {
        self.node(Shape::Recall(what), [0; 4], bounds)
    }

    /// Returns the result of a series over `inputs`, at most three, which adds so many runs of the
    /// section to the inputs' age.
    pub(crate) fn series(
        &mut self,
        index: u16,
        inputs: &[NodeId],
        bounds: Bounds,
        added: Age,
    ) -> NodeId {
        let mut args = [0; 4];
        for (slot, input) in args.iter_mut().zip(inputs) {
            *slot = *input;
        }
        let count = u8::try_from(inputs.len()).unwrap_or(0);
        let node = self.node(Shape::Series(index, count), args, bounds);
        let steps = self.steps();
        // A fact is known at the first run. That of a longer bar may come late: its first one is
        // not used unless it is whole.
        let first = if steps > 1 { steps.saturating_mul(2).saturating_sub(1) } else { 1 };
        if let Some(node) = self.nodes.get_mut(usize::from(node)) {
            let older =
                |age: u64, added: u64| age.max(first).saturating_add(added.saturating_mul(steps));
            node.age.known = older(node.age.known, added.known);
            node.age.settled = older(node.age.settled, added.settled);
        }
        node
    }

    /// Returns the age that the oldest node needs.
    pub(crate) fn age(&self) -> Age {
        let known = self.nodes.iter().map(|node| node.age.known).max().unwrap_or(0);
        let settled = self.nodes.iter().map(|node| node.age.settled).max().unwrap_or(0);
        Age { known, settled }
    }

    /// Returns the value of a constant node.
    pub(crate) fn known(&self, node: NodeId) -> Option<Value> {
        match self.nodes.get(usize::from(node))?.shape {
            Shape::Const(word) => Some(Value::of_raw(word)),
            Shape::Load(_) | Shape::Recall(_) | Shape::Series(..) | Shape::Op(_) => None,
        }
    }

    /// Returns what an operation is and what it reads.
    pub(crate) fn operation(&self, node: NodeId) -> Option<(Code, [NodeId; 4])> {
        let node = self.nodes.get(usize::from(node))?;
        match node.shape {
            Shape::Op(code) => Some((code, node.args)),
            Shape::Const(_) | Shape::Load(_) | Shape::Recall(_) | Shape::Series(..) => None,
        }
    }

    /// Returns the range of a node.
    pub(crate) fn bounds(&self, node: NodeId) -> Bounds {
        self.nodes.get(usize::from(node)).map_or(Bounds::ANY, |node| node.bounds)
    }

    /// Returns the result of an operation: folded when its operands are constants.
    pub(crate) fn op(&mut self, code: Code, args: &[NodeId], bounds: Bounds) -> NodeId {
        let known = |index: usize| args.get(index).and_then(|node| self.known(*node));
        let value = |index: usize| known(index).unwrap_or(Value::MISSING);
        if (0..args.len()).all(|index| known(index).is_some()) {
            let folded = apply(code, value);
            return self.constant(folded);
        }
        if code.is_strict()
            && let Some(na) = (0..args.len()).filter_map(known).find(|value| value.is_na())
        {
            return self.constant(na);
        }
        let mut operands = [0; 4];
        for (slot, arg) in operands.iter_mut().zip(args) {
            *slot = *arg;
        }
        self.node(Shape::Op(code), operands, bounds)
    }

    fn node(&mut self, shape: Shape, args: [NodeId; 4], bounds: Bounds) -> NodeId {
        let section = if matches!(shape, Shape::Const(_)) { 0 } else { self.section };
        if let Some(node) = self.shared.get(&(section, shape, args)) {
            return *node;
        }
        let Some(id) =
            u16::try_from(self.nodes.len()).ok().filter(|_| self.nodes.len() < NODES_MAX)
        else {
            self.fail(Fault::TooLarge);
            return 0;
        };
        // Places without an operand name node 0, which is never a series.
        let ages = || args.iter().filter_map(|arg| self.nodes.get(usize::from(*arg)));
        let age = Age {
            known: ages().map(|node| node.age.known).max().unwrap_or(0),
            settled: ages().map(|node| node.age.settled).max().unwrap_or(0),
        };
        self.nodes.push(Node { section, shape, args, bounds, age });
        self.shared.insert((section, shape, args), id);
        id
    }

    /// Gives registers to everything that the roots need, and to every series.
    ///
    /// # Errors
    /// The first fault recorded, or [`Fault::TooLarge`].
    pub(crate) fn lay_out(self, roots: &[NodeId]) -> Result<Layout, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let places = self.places(roots)?;
        let place = |node: NodeId| places.get(usize::from(node)).copied().flatten().unwrap_or(0);
        let count = usize::from(self.section).saturating_add(1).max(self.pace.len());
        let mut sections = vec![Section::default(); count];
        let mut constants = Vec::new();
        for (node, dst) in self.nodes.iter().zip(&places) {
            let Some(dst) = *dst else { continue };
            let Some(section) = sections.get_mut(usize::from(node.section)) else { continue };
            match node.shape {
                Shape::Const(word) => constants.push((dst, Value::of_raw(word))),
                Shape::Load(input) => {
                    let Bounds { lo, hi } = node.bounds;
                    let width = hi.abs_diff(lo);
                    if section.loads.is_empty() {
                        section.first = dst;
                    }
                    section.loads.push(Load { input, lo, width });
                }
                Shape::Recall(what) => {
                    let Bounds { lo, hi } = node.bounds;
                    section.recalls.push(Recalled { what, dst, lo, width: hi.abs_diff(lo) });
                }
                Shape::Series(series, count) => {
                    let [first, second, third, _] = node.args.map(place);
                    let inputs = match count {
                        1 => [first; 3],
                        2 => [first, second, second],
                        _ => [first, second, third],
                    };
                    section.updates.push(Update { after: section.ops.len(), series, inputs, dst });
                }
                Shape::Op(code) => {
                    section.ops.push(Op { code, dst, args: node.args.map(place) });
                }
            }
        }
        Ok(Layout {
            held: self.held(&places, roots),
            sections,
            registers: Registers::new(&constants),
            registers_used: places.iter().flatten().count(),
            places: places.iter().map(|place| place.unwrap_or(0)).collect(),
        })
    }

    /// Returns what outlives the run of its section: what nodes of others, or answers, read.
    fn held(&self, places: &[Option<u16>], roots: &[NodeId]) -> Vec<Vec<u16>> {
        let mut held = vec![BTreeSet::new(); self.pace.len()];
        let mut hold = |node: NodeId, reader: u8| {
            let Some(read) = self.nodes.get(usize::from(node)) else { return };
            let is_value = !matches!(read.shape, Shape::Const(_));
            if let (true, Some(Some(place))) = (is_value, places.get(usize::from(node)))
                && read.section != reader
                && let Some(list) = held.get_mut(usize::from(read.section))
            {
                list.insert(*place);
            }
        };
        for (node, place) in self.nodes.iter().zip(places) {
            if place.is_some() {
                for arg in node.args.iter().take(operands(node.shape)) {
                    hold(*arg, node.section);
                }
            }
        }
        for root in roots {
            hold(*root, 0);
        }
        for root in &self.later {
            hold(*root, u8::MAX);
        }
        held.into_iter().map(|places| places.into_iter().collect()).collect()
    }

    fn places(&self, roots: &[NodeId]) -> Result<Vec<Option<u16>>, Fault> {
        let mut used = vec![false; self.nodes.len()];
        let mark = |node: NodeId, used: &mut Vec<bool>| {
            if let Some(slot) = used.get_mut(usize::from(node)) {
                *slot = true;
            }
        };
        for root in roots {
            mark(*root, &mut used);
        }
        for (id, node) in self.nodes.iter().enumerate().rev() {
            let is_series = matches!(node.shape, Shape::Series(..));
            if is_series || used.get(id).copied().unwrap_or(false) {
                mark(u16::try_from(id).unwrap_or(0), &mut used);
                for arg in node.args.iter().take(operands(node.shape)) {
                    mark(*arg, &mut used);
                }
            }
        }
        let mut order: Vec<_> = (0..used.len()).collect();
        order.retain(|id| used.get(*id).copied().unwrap_or(false));
        // The facts of a section lie side by side, in the order in which they are read.
        order.sort_by_key(|id| match self.nodes.get(*id) {
            Some(Node { shape: Shape::Load(_), section, .. }) => (0, *section),
            _ => (1, 0),
        });
        if order.len() > REGISTERS_MAX {
            return Err(Fault::TooLarge);
        }
        let mut places = vec![None; used.len()];
        for (id, register) in order.into_iter().zip(0..) {
            if let Some(slot) = places.get_mut(id) {
                *slot = Some(place(register));
            }
        }
        Ok(places)
    }
}

/// Returns how many operands a node reads.
fn operands(shape: Shape) -> usize {
    match shape {
        Shape::Const(_) | Shape::Load(_) | Shape::Recall(_) => 0,
        Shape::Series(_, count) => usize::from(count),
        Shape::Op(code) => match code {
            Code::Neg | Code::Abs | Code::Not | Code::IsNa | Code::NonZero => 1,
            Code::Select | Code::TurnedSub => 3,
            Code::ScaledSub
            | Code::RatioBelow
            | Code::RatioAtMost
            | Code::RatioAbove
            | Code::RatioAtLeast
            | Code::CrossLess
            | Code::CrossLessEq
            | Code::CrossEqual
            | Code::CrossLessChecked
            | Code::CrossLessEqChecked
            | Code::CrossEqualChecked => 4,
            Code::Add
            | Code::AddChecked
            | Code::Sub
            | Code::SubChecked
            | Code::MulNarrow
            | Code::Mul
            | Code::MulChecked
            | Code::Scale
            | Code::AtMost
            | Code::AtLeast
            | Code::Max
            | Code::Min
            | Code::Less
            | Code::LessEq
            | Code::Equal
            | Code::NotEqual
            | Code::And
            | Code::Or
            | Code::Default
            | Code::Divide
            | Code::DivideDown => 2,
        },
    }
}
