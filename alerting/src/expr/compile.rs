//! From CEL text to our tree: bounded before it is parsed, and everything wrong told with its place.

use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};
use cel::parser::PrattParser;
use model::Unit;

use super::kinds::{self, Misfit};
use super::literals::{Literal, Prepared};
use super::{Arith, Compare, Fact, Field, MAX_BYTES, MAX_NESTING, Match, Names, Node, Over, Span, units};

/// The most nodes of a tree; an expression of the longest length has fewer unless it is made to hurt.
const MAX_NODES: usize = 1_000;

/// The deepest tree and the longest chain of `&&` or `||`. Brackets are bounded before; this bounds `1 + 1 + 1 ...`,
/// which nests without any, so that whatever walks the tree may recurse.
const MAX_DEPTH: usize = 64;

/// The most calls upon the result of a bracket or of another call.
const MAX_CALLS_ON_CALLS: usize = 8;

/// One thing wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Line in the expression, from 1.
    pub line: usize,
    /// Column in the line, in characters, from 1; 0 when the whole is meant.
    pub column: usize,
    pub found: String,
    pub expected: String,
}

impl Fault {
    fn whole(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { line: 1, column: 0, found: found.into(), expected: expected.into() }
    }
}

pub(super) fn compile(text: &str, names: Names, unit: Option<&'static Unit>) -> Result<Node, Vec<Fault>> {
    bounded(text).map_err(|fault| vec![fault])?;
    let prepared = Prepared::of(text).map_err(|fault| vec![fault])?;
    let parser = PrattParser::new()
        .max_recursion_depth(4 * MAX_NESTING as u16)
        .max_expression_node_count(MAX_NODES)
        .error_reporting_limit(5);
    let tree = parser.parse(&prepared.code).map_err(|errors| {
        errors
            .errors
            .iter()
            .map(|error| {
                let place = |n: isize| usize::try_from(n).unwrap_or(0);
                let found = prepared.message(&error.msg.trim().replace('\n', " "));
                let (line, column) = prepared.place(place(error.pos.0).max(1), place(error.pos.1));
                Fault { line, column, found, expected: "a condition".into() }
            })
            .collect::<Vec<_>>()
    })?;
    let mut faults = Vec::new();
    let mut node = Compiler { names, depth: 0, prepared: &prepared, faults: &mut faults }.node(&tree);
    if let (Some(node), true) = (&mut node, faults.is_empty()) {
        let mut misfits: Vec<Misfit> = Vec::new();
        kinds::check_whole(node, &mut misfits);
        units::resolve(node, unit, &mut misfits);
        faults.extend(misfits.into_iter().map(|misfit| Fault::whole(misfit.found, misfit.expected)));
    }
    match node {
        Some(node) if faults.is_empty() => Ok(node),
        _ => Err(faults),
    }
}

/// Looks at the text alone: parsers of this language are known to be hurt by length and by nesting.
fn bounded(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(Fault::whole("nothing", "a condition"));
    }
    if text.len() > MAX_BYTES {
        return Err(Fault::whole(format!("{} bytes", text.len()), format!("at most {MAX_BYTES}")));
    }
    let (mut calls, mut closed) = (0usize, false);
    let (mut depth, mut deepest, mut quote, mut escaped, mut prefix) = (0usize, 0usize, None, false, 0usize);
    for c in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' => quote = Some(c),
                '(' | '[' | '{' | '?' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
        // Calls upon calls cost the parser the square of their number; no rule has a use for more than a few.
        calls += usize::from(quote.is_none() && closed && c == '.');
        closed = if c.is_whitespace() { closed } else { quote.is_none() && c == ')' };
        // Runs of prefix operators nest as brackets do.
        prefix = if quote.is_none() && matches!(c, '!' | '-') { prefix + 1 } else { 0 };
        deepest = deepest.max(depth + prefix);
    }
    if calls > MAX_CALLS_ON_CALLS {
        let found = format!("{calls} calls upon what others give");
        return Err(Fault::whole(found, format!("at most {MAX_CALLS_ON_CALLS}")));
    }
    if deepest > MAX_NESTING {
        return Err(Fault::whole(format!("nesting {deepest} deep"), format!("at most {MAX_NESTING}")));
    }
    Ok(())
}

struct Compiler<'f> {
    names: Names,
    depth: usize,
    prepared: &'f Prepared<'f>,
    faults: &'f mut Vec<Fault>,
}

impl Compiler<'_> {
    /// None when something below is wrong; it has been told.
    fn node(&mut self, expr: &IdedExpr) -> Option<Node> {
        if self.depth == MAX_DEPTH {
            return self.fault(format!("more than {MAX_DEPTH} operators inside each other"), "a shorter expression");
        }
        self.depth += 1;
        let node = self.node_below(expr);
        self.depth -= 1;
        node
    }

    fn node_below(&mut self, expr: &IdedExpr) -> Option<Node> {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Ident(name) if name == "x" && self.names == Names::All => Some(Node::X),
            Expr::Ident(name) => match self.prepared.literal(name) {
                Some(Literal::Quantity(quantity)) => Some(Node::Quantity(quantity)),
                Some(Literal::Time(_)) => {
                    let written = self.prepared.written(name).unwrap_or_default();
                    self.fault(format!("the time `{written}`"), "a time only as the last of a function, as avg(x, 10m)")
                }
                None => self.fault(format!("the name `{name}`"), self.known_names()),
            },
            Expr::Select(select) => {
                let path = path_of(expr);
                let fact = path.as_deref().and_then(|path| self.fact(path));
                match (fact, select.test) {
                    (Some(fact), true) => Some(Node::Has(fact)),
                    (Some(Fact::Reading(name)), false) => Some(Node::Reading(name)),
                    (Some(Fact::Limit(name)), false) => Some(Node::Limit(name)),
                    (Some(Fact::Tag(name)), false) => Some(Node::Tag(name)),
                    (None, _) => match path.as_deref() {
                        Some(["source", field]) if !select.test => self.field(field),
                        path => {
                            let shown =
                                path.map_or_else(|| "a field".to_owned(), |path| format!("`{}`", path.join(".")));
                            self.fault(shown, self.known_names())
                        }
                    },
                }
            }
            Expr::Call(call) => self.call(call),
            Expr::List(_) => self.fault("a list", "a list only behind `in`"),
            Expr::Comprehension(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.fault("a loop, map or message", "operators, names and numbers")
            }
        }
    }

    fn fault(&mut self, found: impl Into<String>, expected: impl Into<String>) -> Option<Node> {
        self.faults.push(Fault::whole(found, expected));
        None
    }

    fn known_names(&self) -> &'static str {
        match self.names {
            Names::All => "x, r.NAME, source.FIELD, source.tags.NAME or device.limits.NAME",
            Names::SourceOnly => "source.FIELD, source.tags.NAME or device.limits.NAME",
        }
    }

    fn literal(&mut self, literal: &LiteralValue) -> Option<Node> {
        match literal {
            LiteralValue::Boolean(b) => Some(Node::Bool(*b.inner())),
            LiteralValue::Double(n) if n.inner().is_finite() => Some(Node::Num(*n.inner())),
            LiteralValue::Int(n) => Some(Node::Num(*n.inner() as f64)),
            LiteralValue::UInt(n) => Some(Node::Num(*n.inner() as f64)),
            LiteralValue::String(text) => Some(Node::Text(text.inner().into())),
            LiteralValue::Double(_) | LiteralValue::Bytes(_) | LiteralValue::Null => {
                self.fault("a literal of another kind", "a number, a text, true or false")
            }
        }
    }

    fn fact(&self, path: &[&str]) -> Option<Fact> {
        match path {
            ["r", name] if self.names == Names::All => Some(Fact::Reading((*name).into())),
            ["device", "limits", name] => Some(Fact::Limit((*name).into())),
            ["source", "tags", name] => Some(Fact::Tag((*name).into())),
            _ => None,
        }
    }

    fn field(&mut self, name: &str) -> Option<Node> {
        match Field::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, field)) => Some(Node::Field(*field)),
            None => {
                let known: Vec<&str> = Field::ALL.iter().map(|(name, _)| *name).collect();
                self.fault(format!("`source.{name}`"), format!("source.tags.NAME or source. with {}", known.join(", ")))
            }
        }
    }

    fn call(&mut self, call: &CallExpr) -> Option<Node> {
        let compare = |c| move |ab| Node::Compare(c, ab);
        let arith = |a| move |ab| Node::Arith(a, ab);
        let matching = |m| move |ab| Node::Match(m, ab);
        match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
            (op::LOGICAL_NOT, None, [a]) => Some(Node::Not(Box::new(self.node(a)?))),
            (op::NEGATE, None, [a]) => Some(Node::Negate(Box::new(self.node(a)?))),
            (op::CONDITIONAL, None, [a, b, c]) => {
                let (a, b, c) = (self.node(a), self.node(b), self.node(c));
                Some(Node::If(Box::new((a?, b?, c?))))
            }
            (op::LOGICAL_AND, None, [first, rest @ ..]) => self.chain(first, rest, Node::And),
            (op::LOGICAL_OR, None, [first, rest @ ..]) => self.chain(first, rest, Node::Or),
            (op::EQUALS, None, [a, b]) => self.pair(a, b, compare(Compare::Eq)),
            (op::NOT_EQUALS, None, [a, b]) => self.pair(a, b, compare(Compare::Ne)),
            (op::LESS, None, [a, b]) => self.pair(a, b, compare(Compare::Lt)),
            (op::LESS_EQUALS, None, [a, b]) => self.pair(a, b, compare(Compare::Le)),
            (op::GREATER, None, [a, b]) => self.pair(a, b, compare(Compare::Gt)),
            (op::GREATER_EQUALS, None, [a, b]) => self.pair(a, b, compare(Compare::Ge)),
            (op::ADD, None, [a, b]) => self.pair(a, b, arith(Arith::Add)),
            (op::SUBSTRACT, None, [a, b]) => self.pair(a, b, arith(Arith::Sub)),
            (op::MULTIPLY, None, [a, b]) => self.pair(a, b, arith(Arith::Mul)),
            (op::DIVIDE, None, [a, b]) => self.pair(a, b, arith(Arith::Div)),
            (op::MODULO, None, [a, b]) => self.pair(a, b, arith(Arith::Rem)),
            (op::IN, None, [a, list]) => {
                let Expr::List(list) = &list.expr else { return self.fault("`in` without a list", "`in [..., ...]`") };
                let a = self.node(a);
                let items = self.all(&list.elements);
                Some(Node::In(Box::new(a?), items?))
            }
            ("startsWith", Some(a), [b]) => self.pair(a, b, matching(Match::Starts)),
            ("endsWith", Some(a), [b]) => self.pair(a, b, matching(Match::Ends)),
            ("contains", Some(a), [b]) => self.pair(a, b, matching(Match::Contains)),
            ("abs", None, [a]) => Some(Node::Abs(Box::new(self.node(a)?))),
            ("min" | "max", None, [a, time]) if self.time(time).is_some() => {
                self.over(call.func_name.as_str(), a, time)
            }
            ("avg" | "sum" | "count" | "rate" | "delta" | "changed" | "absent", None, [a, time]) => {
                self.over(call.func_name.as_str(), a, time)
            }
            ("changed", None, [a]) => {
                let reading = self.over_what(a, "changed")?;
                Some(Node::Over(Span { over: Over::Changed, reading, span_ms: 0 }))
            }
            ("avg" | "sum" | "count" | "rate" | "delta" | "absent", None, _) => {
                self.fault(format!("`{}` without a time", call.func_name), format!("{}(x, 10m)", call.func_name))
            }
            ("min", None, list @ [_, ..]) => Some(Node::Least(self.all(list)?)),
            ("max", None, list @ [_, ..]) => Some(Node::Greatest(self.all(list)?)),
            (name, _, _) => {
                let known = "an operator, abs, min, max, has, startsWith, endsWith, contains, or over a time avg, min, \
                             max, sum, count, rate, delta, changed, absent";
                self.fault(format!("`{name}`"), known)
            }
        }
    }

    /// The time that an argument is.
    fn time(&self, expr: &IdedExpr) -> Option<i64> {
        let Expr::Ident(name) = &expr.expr else { return None };
        match self.prepared.literal(name)? {
            Literal::Time(ms) => Some(ms),
            Literal::Quantity(_) => None,
        }
    }

    /// `avg(x, 10m)`.
    fn over(&mut self, name: &str, a: &IdedExpr, time: &IdedExpr) -> Option<Node> {
        let Some(span_ms) = self.time(time) else {
            return self.fault(format!("`{name}` over no time"), format!("a time, as {name}(x, 10m)"));
        };
        let over = Over::of(name)?;
        let reading = self.over_what(a, name)?;
        Some(Node::Over(Span { over, reading, span_ms }))
    }

    /// The reading over which a function runs; the inner none is the rule's own.
    fn over_what(&mut self, expr: &IdedExpr, function: &str) -> Option<Option<Arc<str>>> {
        let reading = match self.names {
            Names::SourceOnly => None,
            Names::All => match path_of(expr).as_deref() {
                Some(["x"]) => Some(None),
                Some(["r", name]) => Some(Some(Arc::from(*name))),
                _ => None,
            },
        };
        if reading.is_none() {
            let expected = match self.names {
                Names::All => "x or r.NAME",
                Names::SourceOnly => "no function over time in a selection",
            };
            self.fault(format!("`{function}` over something else"), expected);
        }
        reading
    }

    /// `a && b && c`, which the parser may give as one call of many.
    fn chain(&mut self, first: &IdedExpr, rest: &[IdedExpr], join: fn(Box<(Node, Node)>) -> Node) -> Option<Node> {
        if rest.len() >= MAX_DEPTH {
            return self.fault(format!("a chain of {} conditions", rest.len() + 1), format!("at most {MAX_DEPTH}"));
        }
        let first = self.node(first);
        let rest = self.all(rest);
        let mut whole = first?;
        for node in rest?.into_vec() {
            whole = join(Box::new((whole, node)));
        }
        Some(whole)
    }

    fn pair(&mut self, a: &IdedExpr, b: &IdedExpr, join: impl Fn(Box<(Node, Node)>) -> Node) -> Option<Node> {
        let (a, b) = (self.node(a), self.node(b));
        Some(join(Box::new((a?, b?))))
    }

    /// All of them, so that each fault is told.
    fn all(&mut self, list: &[IdedExpr]) -> Option<Box<[Node]>> {
        let nodes: Vec<Option<Node>> = list.iter().map(|expr| self.node(expr)).collect();
        nodes.into_iter().collect()
    }
}

/// `a.b.c` as its names.
fn path_of(expr: &IdedExpr) -> Option<Vec<&str>> {
    let mut path = Vec::new();
    let mut at = expr;
    loop {
        match &at.expr {
            Expr::Select(select) => {
                path.push(select.field.as_str());
                at = &select.operand;
            }
            Expr::Ident(name) => {
                path.push(name);
                path.reverse();
                return Some(path);
            }
            _ => return None,
        }
    }
}
