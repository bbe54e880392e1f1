//! Times and quantities as rules write them: `30m`, `57 degC`, `0.30 per h`, `8 degC per min`.
//!
//! The parser knows no such words. Outside texts and comments each is replaced by a name of ours before parsing, and
//! places in the parser's errors are turned back into those of the text that the author sees.
//!
//! A number with a letter right behind it is a time (`30m` is thirty minutes); with a blank between it is a quantity
//! (`30 m` is thirty metres).

use model::Unit;

use super::compile::Fault;

/// How the names begin; no rule may use it.
const MARK: &str = "__q";
/// The longest time, in seconds: a year.
const MAX_SECONDS: u64 = 366 * 86_400;

/// The language's loops, of which rules have none.
const LOOPS: [&str; 5] = ["map", "filter", "all", "exists", "exists_one"];

/// What a literal says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Literal {
    /// Milliseconds.
    Time(i64),
    Quantity(Quantity),
}

/// A number with a unit, or in a time, or both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantity {
    pub value: f64,
    pub unit: Option<&'static Unit>,
    pub per: Option<Per>,
}

/// The time of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Per {
    Second,
    Minute,
    Hour,
    Day,
}

impl Per {
    const ALL: [(&str, Per); 4] = [("s", Per::Second), ("min", Per::Minute), ("h", Per::Hour), ("d", Per::Day)];

    /// A number in this time, in an hour.
    pub fn in_hour(self, value: f64) -> f64 {
        match self {
            Per::Second => value * 3_600.0,
            Per::Minute => value * 60.0,
            Per::Hour => value,
            Per::Day => value / 24.0,
        }
    }

    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, per)| *per == self).map_or("", |(word, _)| word)
    }
}

/// The text as the parser takes it.
#[derive(Debug)]
pub(super) struct Prepared<'t> {
    text: &'t str,
    pub code: String,
    literals: Vec<(Literal, Edit)>,
}

/// Where a literal stands in both texts, in bytes.
#[derive(Debug, Clone, Copy)]
struct Edit {
    code: (usize, usize),
    text: (usize, usize),
}

impl<'t> Prepared<'t> {
    pub fn of(text: &'t str) -> Result<Self, Fault> {
        let mut scan = Scan { text, at: 0 };
        let mut made = Prepared { text, code: String::with_capacity(text.len()), literals: Vec::new() };
        let mut copied = 0;
        while scan.at < text.len() {
            let from = scan.at;
            let Some(literal) = scan.step().map_err(|(found, expected)| made.fault(from, found, expected))? else {
                continue;
            };
            made.code.push_str(&text[copied..from]);
            let begin = made.code.len();
            made.code.push_str(&format!("{MARK}{}", made.literals.len()));
            let edit = Edit { code: (begin, made.code.len()), text: (from, scan.at) };
            made.literals.push((literal, edit));
            copied = scan.at;
        }
        made.code.push_str(&text[copied..]);
        Ok(made)
    }

    /// What a name of ours stands for.
    pub fn literal(&self, name: &str) -> Option<Literal> {
        let number: usize = name.strip_prefix(MARK)?.parse().ok()?;
        Some(self.literals.get(number)?.0)
    }

    /// A name of ours as the author wrote it.
    pub fn written(&self, name: &str) -> Option<&'t str> {
        let number: usize = name.strip_prefix(MARK)?.parse().ok()?;
        let (from, to) = self.literals.get(number)?.1.text;
        Some(&self.text[from..to])
    }

    /// A parser's message with the author's words in it.
    pub fn message(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for number in (0..self.literals.len()).rev() {
            let name = format!("{MARK}{number}");
            if let Some(written) = self.written(&name).filter(|_| message.contains(&name)) {
                message = message.replace(&name, written);
            }
        }
        message
    }

    /// Line and column in characters, both from 1, of a line and a column in bytes of the code.
    pub fn place(&self, line: usize, column: usize) -> (usize, usize) {
        let begin: usize = self.code.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let at = (begin + column.saturating_sub(1)).min(self.code.len());
        let mut shift = 0isize;
        for (_, Edit { code, text }) in &self.literals {
            if at < code.0 {
                break;
            }
            if at < code.1 {
                return self.char_place(text.0);
            }
            shift = text.1 as isize - code.1 as isize;
        }
        self.char_place(at.saturating_add_signed(shift))
    }

    fn char_place(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        (before.matches('\n').count() + 1, before[begin..].chars().count() + 1)
    }

    fn fault(&self, at: usize, found: String, expected: &str) -> Fault {
        let (line, column) = self.char_place(at);
        Fault { line, column, found, expected: expected.into() }
    }
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
}

type Wrong = (String, &'static str);

impl Scan<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Passes one piece of the text; says which literal it was.
    fn step(&mut self) -> Result<Option<Literal>, Wrong> {
        match self.byte(0) {
            b'"' | b'\'' => self.pass_text(false),
            b'/' if self.byte(1) == b'/' => {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            }
            c if c.is_ascii_alphabetic() || c == b'_' => {
                let word = self.pass_word();
                if word.starts_with(MARK) {
                    return Err((format!("the name `{word}`"), "another name"));
                }
                // The parser would unroll loops inside loops before we see them.
                if self.byte(0) == b'(' && LOOPS.contains(&word.as_str()) {
                    return Err((format!("a loop (`{word}`)"), "operators, names and numbers"));
                }
                // After `x.` or as a prefix of a text a letter is no name.
                if matches!(self.byte(0), b'"' | b'\'')
                    && matches!(word.to_ascii_lowercase().as_str(), "r" | "rb" | "br")
                {
                    self.pass_text(true);
                }
            }
            c if c.is_ascii_digit() || (c == b'.' && self.byte(1).is_ascii_digit()) => return self.number(),
            _ => self.at += self.rest().chars().next().map_or(1, char::len_utf8),
        }
        Ok(None)
    }

    fn pass_word(&mut self) -> String {
        let end = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest().len());
        let word = self.rest()[..end].to_owned();
        self.at += end;
        word
    }

    /// To behind the closing quote, or to the end.
    fn pass_text(&mut self, raw: bool) {
        let quote = self.byte(0);
        let triple = self.byte(1) == quote && self.byte(2) == quote;
        let marks = if triple { 3 } else { 1 };
        self.at += marks;
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            if bytes[self.at] == b'\\' && !raw {
                self.at += 2;
                continue;
            }
            if bytes[self.at..].len() >= marks && bytes[self.at..self.at + marks].iter().all(|b| *b == quote) {
                self.at += marks;
                return;
            }
            self.at += 1;
        }
        self.at = bytes.len();
    }

    fn number(&mut self) -> Result<Option<Literal>, Wrong> {
        let begin = self.at;
        if self.byte(0) == b'0' && self.byte(1).eq_ignore_ascii_case(&b'x') {
            self.pass_word();
            return Ok(None);
        }
        self.digits();
        let whole = self.byte(0) != b'.' || !self.byte(1).is_ascii_digit();
        if !whole {
            self.at += 1;
            self.digits();
        }
        let signed = usize::from(matches!(self.byte(1), b'+' | b'-'));
        if self.byte(0).eq_ignore_ascii_case(&b'e') && self.byte(1 + signed).is_ascii_digit() {
            self.at += 1 + signed;
            self.digits();
        }
        let value = &self.text[begin..self.at];
        if self.byte(0).is_ascii_alphabetic() {
            let value = value.to_owned();
            let word = self.pass_word();
            return self.time(&value, &word, whole);
        }
        let Ok(value) = value.parse::<f64>() else { return Ok(None) };
        self.quantity(value)
    }

    fn digits(&mut self) {
        while self.byte(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    /// `30m`; the language's own `3u` is left to it.
    fn time(&self, value: &str, word: &str, whole: bool) -> Result<Option<Literal>, Wrong> {
        const EXPECTED: &str = "a time of at most 366d, as 30s, 5m, 2h or 1d, or a blank before a unit, as 30 m";
        let unit_s = match word {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "u" | "U" => return Ok(None),
            _ => return Err((format!("`{value}{word}`"), EXPECTED)),
        };
        let seconds = value.parse::<u32>().ok().filter(|_| whole).map(|count| u64::from(count) * unit_s);
        match seconds.filter(|seconds| (1..=MAX_SECONDS).contains(seconds)) {
            Some(seconds) => Ok(Some(Literal::Time(seconds as i64 * 1_000))),
            None => Err((format!("`{value}{word}`"), EXPECTED)),
        }
    }

    /// What may follow a number: a unit, `per` a time, both, or neither.
    fn quantity(&mut self, value: f64) -> Result<Option<Literal>, Wrong> {
        let number_end = self.at;
        let unit = self.unit()?;
        let before_per = self.at;
        self.blanks();
        let per = match self.rest().strip_prefix("per") {
            Some(rest) if self.at > before_per && rest.starts_with([' ', '\t', '\n']) => {
                self.at += 3;
                self.blanks();
                let word = self.pass_word();
                let known = Per::ALL.iter().find(|(name, _)| *name == word);
                Some(known.ok_or_else(|| (format!("`per {word}`"), "per s, min, h or d"))?.1)
            }
            _ => {
                self.at = before_per;
                None
            }
        };
        if unit.is_none() && per.is_none() {
            self.at = number_end;
            return Ok(None);
        }
        Ok(Some(Literal::Quantity(Quantity { value, unit, per })))
    }

    fn blanks(&mut self) {
        while matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn unit(&mut self) -> Result<Option<&'static Unit>, Wrong> {
        let number_end = self.at;
        self.blanks();
        let blank = self.at > number_end;
        if self.byte(0) == b'%' {
            self.at += 1;
            if self.operand_follows() {
                self.at = number_end;
                return Ok(None);
            }
            return Ok(Unit::find("%"));
        }
        let letters = |c: char| c.is_alphanumeric() || "°µμ³_".contains(c);
        let end = self.rest().find(|c| !letters(c)).unwrap_or(self.rest().len());
        let (word, behind) = self.rest().split_at(end);
        if word.is_empty() || !blank || matches!(word, "in" | "per") {
            self.at = number_end;
            return Ok(None);
        }
        // `m/s` whole, before `m` over something.
        let fraction = behind.strip_prefix('/').map(|low| end + 1 + low.find(|c| !letters(c)).unwrap_or(low.len()));
        for end in fraction.into_iter().chain([end]) {
            if let Some(unit) = Unit::find(&self.rest()[..end]) {
                self.at += end;
                return Ok(Some(unit));
            }
        }
        Err((format!("the unknown unit `{word}`"), "a unit, as m, degC, %, kPa or ug/m3"))
    }

    /// Whether `%` is the operator: something stands behind it that can be divided by.
    fn operand_follows(&self) -> bool {
        let rest = self.rest().trim_start();
        let per = rest.strip_prefix("per").is_some_and(|rest| rest.starts_with([' ', '\t']));
        let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
        !per && word != Some("in") && rest.starts_with(|c: char| c.is_alphanumeric() || "_(-.'\"[".contains(c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(text: &str) -> (String, Vec<Literal>) {
        let made = Prepared::of(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        (made.code.clone(), made.literals.iter().map(|(literal, _)| *literal).collect())
    }

    fn quantity(value: f64, unit: Option<&str>, per: Option<Per>) -> Literal {
        Literal::Quantity(Quantity { value, unit: unit.map(|name| Unit::find(name).unwrap()), per })
    }

    #[test]
    fn times_and_quantities_are_told_apart_by_the_blank() {
        assert_eq!(
            literals("avg(x, 30m) > 30 m"),
            ("avg(x, __q0) > __q1".into(), vec![Literal::Time(1_800_000), quantity(30.0, Some("m"), None)])
        );
        assert_eq!(literals("rate(x, 1h) >= 0.30 per h").1[1], quantity(0.3, None, Some(Per::Hour)));
        assert_eq!(literals("x >= 8.5e1 degC per min").1, [quantity(85.0, Some("degC"), Some(Per::Minute))]);
        assert_eq!(
            literals("x > 3 m/s && x < 75 µg/m³").1,
            [quantity(3.0, Some("m/s"), None), quantity(75.0, Some("ug/m3"), None)]
        );
    }

    #[test]
    fn percent_and_remainder_are_told_apart_by_what_follows() {
        for text in ["x > 80%", "x > 80 % && x < 3", "(x > 80 %)", "x > 80 % ? true : false", "80 % < x"] {
            assert_eq!(literals(text).1, [quantity(80.0, Some("%"), None)], "{text}");
        }
        for text in ["80 % x == 1", "80%7 == 3", "80 % (x) > 1", "80 % -3 == 2"] {
            assert_eq!(literals(text).1, [], "{text}");
        }
        assert_eq!(literals("rate(x, 1h) > 5 % per h").1[1], quantity(5.0, Some("%"), Some(Per::Hour)));
    }

    #[test]
    fn texts_comments_names_and_plain_numbers_are_left_alone() {
        for text in [
            "x == '5 m' && source.name == \"30m\"",
            "x == r'\\' && x != '''5 m's 3h'''",
            "x > 3 // for 30m, not 5 furlongs",
            "r.pm2_5 > 3 in [1, 2u, 0x1F]",
            "x1 > .5",
            "x > 1e3 && x < 2.5e-3",
        ] {
            assert_eq!(literals(text), (text.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn what_is_no_unit_is_told_with_its_place() {
        let fault = |text: &str| {
            let fault = Prepared::of(text).unwrap_err();
            (fault.line, fault.column, fault.found)
        };
        assert_eq!(fault("水位 > 3 furlongs"), (1, 6, "the unknown unit `furlongs`".into()));
        assert_eq!(fault("x > 1 &&\n avg(x, 3w) > 1"), (2, 9, "`3w`".into()));
        assert_eq!(fault("x > 1 per week").2, "`per week`");
        assert_eq!(fault("avg(x, 0s) > 1").2, "`0s`");
        assert_eq!(fault("avg(x, 9000h) > 1").2, "`9000h`");
        assert_eq!(fault("avg(x, 1.5h) > 1").2, "`1.5h`");
        assert_eq!(fault("__q0 > 1").2, "the name `__q0`");
    }

    #[test]
    fn places_come_back_over_what_was_replaced() {
        let made = Prepared::of("avg(x, 30m) > 3 degC &&\n é > 100000000h0").err();
        assert!(made.is_some());
        let text = "avg(x, 100m) >= 3 degC && 'é' == y)\n  && max(x, 2h) > z)";
        let made = Prepared::of(text).unwrap();
        for wanted in ["y)", "z)", "'é'", "&& 'é'"] {
            let at = made.code.find(wanted).unwrap();
            let line = made.code[..at].matches('\n').count() + 1;
            let begin = made.code[..at].rfind('\n').map_or(0, |end| end + 1);
            let place = made.place(line, at - begin + 1);
            let old = text.find(wanted).unwrap();
            let old_begin = text[..old].rfind('\n').map_or(0, |end| end + 1);
            assert_eq!(place, (line, text[old_begin..old].chars().count() + 1), "{wanted}");
        }
        assert_eq!(made.message("mismatched `__q0` and __q1"), "mismatched `100m` and 3 degC");
    }
}
