//! Parameters: literal values of a declared type, inside their range, perhaps other values for
//! single symbols.

use model::symbol::Symbol;

use crate::ast::{self, ExprKind as Written, Literal, Type};
use crate::diagnostics::Diagnostic;
use crate::typed::{Asset, Expr, ExprKind, Param, Unit};

use super::expr::Typing;
use super::units::describe_fully;

impl Typing<'_, '_> {
    /// Types a parameter; a wrong one is reported and left out.
    pub(super) fn param(&mut self, param: &ast::Param, doc: &str) -> Option<Param> {
        let value = self.constant(&param.value, param.ty, None)?;
        let range = match &param.range {
            Some((low, high)) => {
                let low = self.constant(low, param.ty, Some(&value))?;
                let high = self.constant(high, param.ty, Some(&value))?;
                Some((low, high))
            }
            None => None,
        };
        self.check_range(param, &range)?;
        self.check_inside(&value, &range)?;
        let mut table: Vec<(Symbol, Expr)> = Vec::new();
        for (name, entry) in &param.table {
            let symbol = self.symbol(name)?;
            let entry = self.constant_for(entry, param.ty, Some(&value), Some(&symbol))?;
            self.check_inside(&entry, &range)?;
            if table.iter().any(|(known, _)| *known == symbol) {
                let message = format!("`{}` stands twice in this table", name.text);
                return self.fail(Diagnostic::error("R0206", name.span, message));
            }
            table.push((symbol, entry));
        }
        Some(Param {
            name: param.name.text.clone(),
            unit: value.unit.clone(),
            is_percent: param.ty == Type::Percent,
            value,
            range,
            table,
            doc: doc.to_owned(),
            span: param.name.span,
        })
    }

    /// Reads a symbol as far as this version knows its kind.
    pub(super) fn symbol(&mut self, name: &ast::Name) -> Option<Symbol> {
        match Symbol::parse(&name.text) {
            Ok(symbol) => Some(symbol),
            Err(_) if name.text.contains('.') => {
                let message = format!("`{}` expires: not supported by this version", name.text);
                self.fail(Diagnostic::error("R0904", name.span, message))
            }
            Err(error) => self.fail(Diagnostic::error("R0117", name.span, error.to_string())),
        }
    }

    /// Types a literal as a value of a type; `like` fixes the asset.
    pub(super) fn constant(
        &mut self,
        expr: &ast::Expr,
        ty: Type,
        like: Option<&Expr>,
    ) -> Option<Expr> {
        self.constant_for(expr, ty, like, None)
    }

    /// Types a literal as a value of a type; `like` fixes the asset, `symbol` whose value it is.
    fn constant_for(
        &mut self,
        expr: &ast::Expr,
        ty: Type,
        like: Option<&Expr>,
        symbol: Option<&Symbol>,
    ) -> Option<Expr> {
        let inner = if let Written::Neg(inner) = &expr.kind { inner } else { expr };
        let Written::Literal(literal) = &inner.kind else { return self.fail(not_literal(expr)) };
        let mut typed = self.infer(expr)?;
        let unit = match (ty, literal) {
            (Type::Percent, Literal::Number(n)) => {
                let number = model::decimal::format_trimmed(n.mantissa, n.decimals);
                let fault = Diagnostic::error("R0209", expr.span, "a percent needs its sign");
                return self.fail(fault.help(format!("write `{number}%` or `{number}bps`")));
            }
            (Type::Percent, Literal::Percent(_))
            | (Type::Num, Literal::Number(_) | Literal::Percent(_)) => Unit::Num,
            (Type::Int, Literal::Number(n)) if !n.point => Unit::Int,
            (Type::Bool, Literal::Bool(_)) => Unit::Bool,
            (Type::Duration, Literal::Duration(_)) => Unit::Duration,
            (Type::Time, Literal::Instant(_)) => Unit::Time,
            (Type::Money, Literal::Amount(_, asset)) => {
                Unit::Money(Asset::Named(asset.text.clone()))
            }
            (Type::Qty, Literal::Lots(_)) => Unit::Qty,
            (Type::Price, Literal::Ticks(_)) => Unit::Price,
            (Type::Qty, Literal::Amount(_, asset)) => {
                self.check_asset(asset, symbol, "base", |s| &s.base)?;
                Unit::Qty
            }
            (Type::Price, Literal::Amount(_, asset)) => {
                self.check_asset(asset, symbol, "quote", |s| &s.quote)?;
                Unit::Price
            }
            _ => {
                let (wanted, example) = form(ty);
                let found = describe_fully(&typed.unit);
                let message = format!("a parameter of type {wanted} cannot be {found}");
                let fault = Diagnostic::error("R0207", expr.span, message);
                return self.fail(fault.help(format!("write it as `{example}`")));
            }
        };
        typed.unit = unit;
        match like.map(|like| &like.unit) {
            Some(unit) if *unit != typed.unit => {
                let (a, b) = (describe_fully(unit), describe_fully(&typed.unit));
                let message = format!("cannot mix {a} with {b}");
                let fault = Diagnostic::error("R0208", expr.span, message);
                self.fail(fault.help("value, range and table of a parameter have one asset"))
            }
            _ => Some(typed),
        }
    }

    /// An amount that stands for a quantity or a price must be of the right asset, for every symbol
    /// that it can apply to; where symbols are not known, it cannot be used.
    fn check_asset(
        &mut self,
        asset: &ast::Name,
        symbol: Option<&Symbol>,
        what: &str,
        part: impl Fn(&Symbol) -> &String,
    ) -> Option<()> {
        let symbols: Vec<Symbol> = match symbol {
            Some(symbol) => vec![symbol.clone()],
            None => self.scope.symbols.clone(),
        };
        if symbols.is_empty() {
            let message = format!("`{}` is not known to be the {what} asset here", asset.text);
            let steps = if what == "base" { "lots" } else { "ticks" };
            let fault = Diagnostic::error("R0218", asset.span, message);
            let help = format!("the block applies to every symbol: write {steps}, or name symbols");
            return self.fail(fault.help(help));
        }
        match symbols.iter().find(|symbol| *part(symbol) != asset.text) {
            Some(symbol) => {
                let message = format!("`{}` is not the {what} asset of {symbol}", asset.text);
                let help = format!("the {what} asset is {}", part(symbol));
                self.fail(Diagnostic::error("R0218", asset.span, message).help(help))
            }
            None => Some(()),
        }
    }

    fn check_range(&mut self, param: &ast::Param, range: &Option<(Expr, Expr)>) -> Option<()> {
        let Some((low, high)) = range else { return Some(()) };
        if param.ty == Type::Bool {
            return self.fail(Diagnostic::error("R0219", low.span, "a truth has no range"));
        }
        match order(low, high) {
            Some(std::cmp::Ordering::Greater) => {
                let span = low.span.to(high.span);
                self.fail(Diagnostic::error("R0219", span, "the range is empty"))
            }
            Some(_) => Some(()),
            None => self.fail(unlike(low, high)),
        }
    }

    fn check_inside(&mut self, value: &Expr, range: &Option<(Expr, Expr)>) -> Option<()> {
        let Some((low, high)) = range else { return Some(()) };
        let (Some(below), Some(above)) = (order(value, low), order(value, high)) else {
            return self.fail(unlike(value, low));
        };
        if below.is_lt() || above.is_gt() {
            let span = low.span.to(high.span);
            let fault = Diagnostic::error("R0210", value.span, "value outside the allowed range");
            return self.fail(fault.also(span, "allowed"));
        }
        Some(())
    }
}

/// Orders two constants of one form.
pub(super) fn order(a: &Expr, b: &Expr) -> Option<std::cmp::Ordering> {
    match (&a.kind, &b.kind) {
        (
            ExprKind::Number { mantissa: x, decimals: p },
            ExprKind::Number { mantissa: y, decimals: q },
        ) => {
            let scale = *p.max(q);
            let at = |mantissa: &i128, decimals: &u8| {
                let power = model::num::pow10(scale.checked_sub(*decimals)?)?;
                mantissa.checked_mul(power)
            };
            Some(at(x, p)?.cmp(&at(y, q)?))
        }
        (ExprKind::Ticks(x), ExprKind::Ticks(y)) | (ExprKind::Lots(x), ExprKind::Lots(y)) => {
            Some(x.cmp(y))
        }
        _ => None,
    }
}

fn unlike(a: &Expr, b: &Expr) -> Diagnostic {
    Diagnostic::error("R0219", a.span, "value and range are written in different units")
        .also(b.span, "compared with this")
        .help("write both as steps, or both as amounts")
}

fn not_literal(expr: &ast::Expr) -> Diagnostic {
    Diagnostic::error("R0211", expr.span, "the value of a parameter is a literal")
        .help("compute with it in a `let`")
}

/// A type in words, with an example of its literals.
const fn form(ty: Type) -> (&'static str, &'static str) {
    match ty {
        Type::Int => ("int", "12"),
        Type::Num => ("num", "2.5"),
        Type::Bool => ("bool", "true"),
        Type::Price => ("price", "5 ticks"),
        Type::Qty => ("qty", "5 lots"),
        Type::Money => ("money", "500 USDT"),
        Type::Percent => ("percent", "5%"),
        Type::Duration => ("duration", "30s"),
        Type::Time => ("time", "@2026-01-05T10:00:00Z"),
    }
}
