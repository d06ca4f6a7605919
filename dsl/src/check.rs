//! Names, units and `na`: from syntax trees to the one typed form.
//!
//! All files of a session are checked together. The result is a [`crate::typed::Program`] that
//! compiler, cost model and evaluator share; it means something only when there are no errors.
//! What the language has and this version does not execute is an error here: nothing that is
//! written is ever ignored. Called by the program's `rules check` and before every session.

use std::collections::BTreeMap;

use crate::ast::{self, File, Item};
use crate::diagnostics::{Diagnostic, Severity};
use crate::limits::{DIAGNOSTICS_MAX, SOURCES_MAX};
use crate::parse::{parse, suggest::nearest};
use crate::span::{Source, Span};
use crate::typed::{Invariant, Program};

/// What blocks have in common.
mod block;
/// All codes, with what they mean.
pub mod codes;
/// Whether two updates can happen at once.
mod exclusive;
/// Expressions.
mod expr;
/// What is probably not meant.
mod lints;
/// States, updates and windows.
mod memory;
/// Functions and fields.
pub(crate) mod names;
/// Parameters.
mod params;
/// Names, fields and calls in expressions.
mod path;
/// Cooldowns and throttles.
mod rate;
/// Risk blocks.
mod risk;
/// Names of a block.
mod scope;
/// Strategies.
mod strategy;
/// Tests in a file, and what they can give.
pub mod testing;
/// The unit algebra.
mod units;

#[cfg(test)]
mod tests;

use expr::{Place, Typing};
use names::Owner;
use scope::Scope;

/// What came out of some files.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The typed form; it means something only without errors.
    pub program: Program,
    /// Errors and warnings, by file, then by place; at most [`DIAGNOSTICS_MAX`] a file.
    pub diagnostics: Vec<Diagnostic>,
    /// Findings beyond the limit, which are only counted.
    pub omitted: usize,
    /// Errors in all, the omitted ones too.
    pub errors: usize,
}

impl Checked {
    /// Tells whether any file has an error: then nothing may be loaded.
    #[must_use]
    pub const fn has_errors(&self) -> bool {
        self.errors > 0
    }
}

/// Checks files together.
#[must_use]
pub fn check(sources: &[Source]) -> Checked {
    if sources.len() > SOURCES_MAX {
        let message = format!("more than {SOURCES_MAX} files");
        let fault = Diagnostic::error("R0110", Span::default(), message);
        return Checked { diagnostics: vec![fault], errors: 1, ..Checked::default() };
    }
    let mut session = Session::default();
    let mut files: Vec<(&Source, u16, File)> = Vec::new();
    for (index, source) in (0_u16..).zip(sources) {
        let parsed = parse(index, &source.text);
        session.is_whole = session.is_whole && parsed.diagnostics.is_empty();
        // A file that does not parse is not typed: what is missing would give errors of its own.
        let file = if parsed.diagnostics.is_empty() { parsed.file } else { File::default() };
        session.diagnostics.extend(parsed.diagnostics);
        files.push((source, index, file));
    }
    files.sort_by(|a, b| (&a.0.name, a.1).cmp(&(&b.0.name, b.1)));
    for (_, _, file) in &files {
        session.announce(file);
    }
    for (source, _, file) in &files {
        session.blocks(source, file);
    }
    for (_, _, file) in &files {
        session.claims(file);
    }
    session.finish(sources.len())
}

/// A block by name: where it stands and what it is.
struct Known<'t> {
    span: Span,
    is_risk: bool,
    scope: Option<Scope<'t>>,
    is_clean: bool,
}

/// All files of one check.
struct Session<'t> {
    program: Program,
    diagnostics: Vec<Diagnostic>,
    blocks: BTreeMap<String, Known<'t>>,
    /// Every file parsed: then a name that is not found is nowhere.
    is_whole: bool,
}

impl Default for Session<'_> {
    fn default() -> Self {
        Self {
            program: Program::default(),
            diagnostics: Vec::new(),
            blocks: BTreeMap::new(),
            is_whole: true,
        }
    }
}

impl<'t> Session<'t> {
    /// Collects the names of blocks: they are unique among all files.
    fn announce(&mut self, file: &File) {
        for item in &file.items {
            let (name, is_risk) = match item {
                Item::Risk { block, .. } => (&block.name, true),
                Item::Strategy(block) => (&block.name, false),
                Item::Test(_) | Item::Invariant(_) => continue,
            };
            if let Some(known) = self.blocks.get(&name.text) {
                let message = format!("block `{}` is declared twice", name.text);
                let fault = Diagnostic::error("R0206", name.span, message);
                self.diagnostics.push(fault.also(known.span, "first declared here"));
                continue;
            }
            let known = Known { span: name.span, is_risk, scope: None, is_clean: true };
            self.blocks.insert(name.text.clone(), known);
        }
    }

    fn blocks(&mut self, source: &'t Source, file: &File) {
        for item in &file.items {
            let before = self.diagnostics.len();
            let (name, scope) = match item {
                Item::Risk { block, hard } => {
                    let (typed, scope) =
                        risk::risk(block, *hard, &source.text, &mut self.diagnostics);
                    self.check_target(item);
                    self.program.risk.push(typed);
                    (&block.name.text, scope)
                }
                Item::Strategy(block) => {
                    let (typed, scope) =
                        strategy::strategy(block, &source.text, &mut self.diagnostics);
                    self.program.strategies.extend(typed);
                    (&block.name.text, scope)
                }
                Item::Test(_) | Item::Invariant(_) => continue,
            };
            let is_clean = !has_error(self.diagnostics.get(before..).unwrap_or(&[]));
            if let Some(known) = self.blocks.get_mut(name)
                && known.scope.is_none()
            {
                known.scope = Some(scope);
                known.is_clean = is_clean;
            }
        }
    }

    /// Warns of strategies that a risk block names and no file has.
    fn check_target(&mut self, item: &Item) {
        let Item::Risk { block, .. } = item else { return };
        for statement in &block.statements {
            let ast::StatementKind::Applies(Some(target)) = &statement.kind else { continue };
            for name in &target.strategies {
                let is_known = self.blocks.get(&name.text).is_some_and(|known| !known.is_risk);
                if is_known || !self.is_whole {
                    continue;
                }
                let message = format!("no strategy `{}` among these files", name.text);
                let fault = Diagnostic::warning("R0409", name.span, message);
                let names = self.blocks.iter().filter(|(_, known)| !known.is_risk);
                let fault = match nearest(&name.text, names.map(|(name, _)| name.as_str())) {
                    Some(meant) => fault.help(format!("did you mean `{meant}`?")),
                    None => fault,
                };
                self.diagnostics.push(fault);
            }
        }
    }

    /// Types tests and invariants, once every block is known.
    fn claims(&mut self, file: &File) {
        let mut names: BTreeMap<(&str, &str), Span> = BTreeMap::new();
        for item in &file.items {
            match item {
                Item::Test(test) => {
                    if self.is_block(&test.block) {
                        testing::test(test, &mut self.diagnostics);
                        self.program.tests.push(test.clone());
                    }
                }
                Item::Invariant(invariant) => {
                    let key = (invariant.block.text.as_str(), invariant.name.text.as_str());
                    if let Some(first) = names.insert(key, invariant.name.span) {
                        let message = format!("`{}` is declared twice", invariant.name.text);
                        let fault = Diagnostic::error("R0206", invariant.name.span, message);
                        self.diagnostics.push(fault.also(first, "first declared here"));
                    }
                    self.invariant(invariant);
                }
                Item::Risk { .. } | Item::Strategy(_) => {}
            }
        }
    }

    /// Reports a block that no file has.
    fn is_block(&mut self, name: &ast::Name) -> bool {
        if self.blocks.contains_key(&name.text) {
            return true;
        }
        if self.is_whole {
            let message = format!("unknown block `{}`", name.text);
            let fault = Diagnostic::error("R0221", name.span, message);
            let fault = match nearest(&name.text, self.blocks.keys().map(String::as_str)) {
                Some(meant) => fault.help(format!("did you mean `{meant}`?")),
                None => fault.help("a test or an invariant stands in the file of its block"),
            };
            self.diagnostics.push(fault);
        }
        false
    }

    fn invariant(&mut self, invariant: &ast::Invariant) {
        if !self.is_block(&invariant.block) {
            return;
        }
        let Some(known) = self.blocks.get_mut(&invariant.block.text) else { return };
        if !known.is_risk {
            let fault = Diagnostic::error(
                "R0317",
                invariant.block.span,
                "an invariant is about a risk block",
            );
            self.diagnostics.push(fault.also(known.span, "this is a strategy"));
            return;
        }
        let Some(scope) = known.scope.as_mut() else { return };
        let mut typing = Typing::new(scope, &mut self.diagnostics, Place::Invariant);
        let assumes: Vec<_> = invariant.assumes.iter().map(|expr| typing.condition(expr)).collect();
        let proves: Vec<_> = invariant.proves.iter().map(|expr| typing.condition(expr)).collect();
        let (Some(assumes), Some(proves)) =
            (assumes.into_iter().collect(), proves.into_iter().collect())
        else {
            return;
        };
        self.program.invariants.push(Invariant {
            name: invariant.name.text.clone(),
            block: invariant.block.text.clone(),
            assumes,
            proves,
            span: invariant.name.span,
        });
    }

    /// Runs the lints, sorts and cuts.
    fn finish(mut self, sources: usize) -> Checked {
        let mut out = std::mem::take(&mut self.diagnostics);
        let clean = |name: &String| {
            let known = self.blocks.get(name).filter(|known| known.is_clean);
            known.and_then(|known| known.scope.as_ref())
        };
        for block in &self.program.risk {
            if let Some(scope) = clean(&block.name).filter(|scope| scope.owner == Owner::Risk) {
                lints::risk(block, scope, &mut out);
            }
        }
        for strategy in &self.program.strategies {
            let scope = clean(&strategy.name).filter(|scope| scope.owner == Owner::Strategy);
            if let Some(scope) = scope {
                lints::strategy(strategy, scope, &mut out);
            }
        }
        self.program.risk.sort_by(|a, b| a.name.cmp(&b.name));
        cut(self.program, out, sources)
    }
}

/// Puts findings in order and keeps a bounded number of each file, errors first.
fn cut(program: Program, mut found: Vec<Diagnostic>, sources: usize) -> Checked {
    let errors = found.iter().filter(|found| found.severity == Severity::Error).count();
    found.sort_by_key(|found| (found.span().source, found.severity, found.span().start));
    let mut kept = vec![0_usize; sources.max(1)];
    let before = found.len();
    found.retain(|found| match kept.get_mut(usize::from(found.span().source)) {
        Some(count) if *count < DIAGNOSTICS_MAX => {
            *count = count.saturating_add(1);
            true
        }
        _ => false,
    });
    let omitted = before.saturating_sub(found.len());
    found.sort_by_key(|found| (found.span().source, found.span().start, found.severity));
    Checked { program, diagnostics: found, omitted, errors }
}

fn has_error(found: &[Diagnostic]) -> bool {
    found.iter().any(|found| found.severity == Severity::Error)
}
