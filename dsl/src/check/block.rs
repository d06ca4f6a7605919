//! What risk and strategy blocks have in common: parameters and lets, rule names, messages, and
//! the statements that this version does not execute.

use crate::ast::{self, Block, Name, StatementKind};
use crate::diagnostics::Diagnostic;
use crate::span::Span;
use crate::typed::{Expr, ExprKind, Let, RuleName, Step};

use super::expr::{Place, Typing};
use super::scope::{Binding, Scope};

/// Announces every name of the block, so that each can be told from a slip.
pub(super) fn announce(block: &Block, scope: &mut Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for statement in &block.statements {
        let name = if let StatementKind::Param(param) = &statement.kind {
            &param.name
        } else if let StatementKind::Let { name, .. }
        | StatementKind::Series { name, .. }
        | StatementKind::State { name, .. } = &statement.kind
        {
            name
        } else {
            continue;
        };
        diagnostics.extend(scope.announce(&name.text, name.span));
    }
}

/// Types the parameters of the block.
pub(super) fn params(block: &Block, scope: &mut Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for statement in &block.statements {
        let StatementKind::Param(param) = &statement.kind else { continue };
        let typed = Typing::new(scope, diagnostics, Place::Let).param(param, &statement.doc);
        let binding = match typed {
            Some(typed) => {
                scope.params.push(typed);
                Binding::Param(scope.params.len().saturating_sub(1))
            }
            None => Binding::Broken,
        };
        scope.bind(&param.name.text, binding, param.name.span);
    }
}

/// Types a `let`.
pub(super) fn add_let(
    name: &Name,
    value: &ast::Expr,
    place: Place,
    scope: &mut Scope<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut typing = Typing::new(scope, diagnostics, place);
    let mut typed = typing.infer(value);
    let reach = typing.reach;
    if typed.as_ref().is_some_and(|typed| matches!(typed.kind, ExprKind::Na)) {
        diagnostics.push(Diagnostic::error("R0217", value.span, "`na` of what unit?"));
        typed = None;
    }
    let Some(value) = typed else {
        scope.bind(&name.text, Binding::Broken, name.span);
        return;
    };
    let index = scope.lets.len();
    scope.lets.push(Let { name: name.text.clone(), value, frame: None, span: name.span });
    scope.reaches.push(reach);
    scope.order.push(Step::Let(index));
    scope.bind(&name.text, Binding::Let(index), name.span);
}

impl Typing<'_, '_> {
    /// Makes the name of a rule; what its message shows is typed like the rule itself.
    pub(super) fn rule_name(
        &mut self,
        code: &Name,
        doc: &str,
        message: Option<&Name>,
        span: Span,
    ) -> RuleName {
        let shown = message.map(|message| self.message(message)).unwrap_or_default();
        RuleName {
            code: code.text.clone(),
            doc: doc.to_owned(),
            message: message.map(|message| message.text.clone()),
            shown,
            span,
        }
    }

    /// Types the `{...}` of a message.
    fn message(&mut self, message: &Name) -> Vec<Expr> {
        let mut shown = Vec::new();
        // Behind the quote that opens the text.
        let base = usize::try_from(message.span.start).unwrap_or(0).saturating_add(1);
        let mut rest = message.text.as_str();
        let mut at = base;
        while let Some((before, behind)) = rest.split_once('{') {
            let start = at.saturating_add(before.len()).saturating_add(1);
            let Some((inner, next)) = behind.split_once('}') else {
                let fault =
                    Diagnostic::error("R0123", message.span, "`{` is not closed in the text");
                self.diagnostics.push(fault.help("write `}`"));
                return shown;
            };
            let end = start.saturating_add(inner.len());
            let text = self.scope.text;
            match crate::parse::parse_expression(message.span.source, text, start, end) {
                Some(expr) => shown.extend(self.infer(&expr)),
                None => {
                    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                    let span = Span { start: number(start), end: number(end), ..message.span };
                    let fault = Diagnostic::error("R0123", span, "no expression inside `{}`");
                    self.diagnostics.push(fault.help("write a field, a parameter or a `let`"));
                }
            }
            at = end.saturating_add(1);
            rest = next;
        }
        shown
    }
}

/// Points at the keyword of a statement.
pub(super) fn keyword(span: Span, word: &str) -> Span {
    let length = u32::try_from(word.len()).unwrap_or(0);
    Span { end: span.start.saturating_add(length).min(span.end.max(span.start)), ..span }
}

/// Refuses the second of something that a block has once.
pub(super) fn once<T>(
    slot: &mut Option<(T, Span)>,
    value: T,
    span: Span,
    word: &str,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if let Some((_, first)) = slot {
        let fault = Diagnostic::error("R0308", keyword(span, word), format!("a second `{word}`"));
        diagnostics.push(fault.also(keyword(*first, word), "the first stands here"));
        return;
    }
    *slot = Some((value, span));
}
