//! The shorthand for readings, after promtool's: `1+2x3` is 1 3 5 7, `4x2` is 4 4 4, `_` is no reading and `_x3` three of
//! none. `true`, `false` and words stand for themselves; `!` after a value makes it bad, `?` uncertain.

use model::{Quality, Value};

use crate::problem::{Pos, Problems, shown};

/// The most readings of one series.
pub(super) const MAX_SAMPLES: usize = 200_000;

/// A reading of a series; none for a step without one.
pub(super) type Sample = Option<(Value, Quality)>;

/// Reads the shorthand; none when something is wrong, which is told.
pub(super) fn parse(text: &str, at: Pos, problems: &mut Problems) -> Option<Vec<Sample>> {
    let mut samples = Vec::new();
    for token in tokens(text) {
        if !add(&token, &mut samples) {
            let expected = "values as 1.5, 1+0.5x10, 3x4, _, _x3, true, 'a word', 3!";
            problems.add(at, shown(&token), expected);
            return None;
        }
        if samples.len() > MAX_SAMPLES {
            problems.add(at, format!("more than {MAX_SAMPLES} readings"), "fewer");
            return None;
        }
    }
    if samples.is_empty() {
        problems.add(at, "no value", "at least one, or _");
        return None;
    }
    Some(samples)
}

/// A single value of a list.
pub(super) fn value_of(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => match number(text) {
            Some(number) => Value::Number(number),
            None => Value::Text(text.to_owned()),
        },
    }
}

/// Words at blanks; a quoted one may hold blanks.
fn tokens(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let (mut token, mut quoted) = (String::new(), false);
    for c in text.chars() {
        if c == '\'' {
            quoted = !quoted;
        }
        if c.is_whitespace() && !quoted {
            if !token.is_empty() {
                all.push(std::mem::take(&mut token));
            }
        } else {
            token.push(c);
        }
    }
    if !token.is_empty() {
        all.push(token);
    }
    all
}

fn add(token: &str, samples: &mut Vec<Sample>) -> bool {
    let (body, times) = match token.rsplit_once('x') {
        Some((body, count)) if !body.is_empty() && !count.is_empty() && !count.ends_with('\'') => {
            match count.parse::<usize>() {
                Ok(times) => (body, Some(times)),
                Err(_) => (token, None),
            }
        }
        _ => (token, None),
    };
    let more = times.unwrap_or(0).min(MAX_SAMPLES);
    if body == "_" {
        samples.extend((0..times.map_or(1, |_| more)).map(|_| None));
        return true;
    }
    let (body, quality) = match (body.strip_suffix('!'), body.strip_suffix('?')) {
        (Some(body), _) => (body, Quality::Bad),
        (_, Some(body)) => (body, Quality::Uncertain),
        _ => (body, Quality::Good),
    };
    if let Some(word) = body.strip_prefix('\'') {
        let Some(word) = word.strip_suffix('\'') else { return false };
        samples.extend((0..=more).map(|_| Some((Value::Text(word.to_owned()), quality))));
        return true;
    }
    if let (Some((first, step)), Some(_)) = (slope(body), times) {
        // Reckoned in decimals as written, so that 0.1 ten times is 1.
        let decimals = decimals_of(body);
        let value = |n: usize| {
            let exact = first + step * n as f64;
            format!("{exact:.decimals$}").parse().unwrap_or(exact)
        };
        samples.extend((0..=more).map(|n| Some((Value::Number(value(n)), quality))));
        return true;
    }
    let is_word = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    match value_of(body) {
        Value::Text(word) if !is_word(&word) || word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            return false;
        }
        value => samples.extend((0..=more).map(|_| Some((value.clone(), quality)))),
    }
    true
}

/// `a+b` or `a-b`, the sign of the first number left to it.
fn slope(text: &str) -> Option<(f64, f64)> {
    let at = text.char_indices().skip(1).find(|(at, c)| {
        // The sign of an exponent is none.
        matches!(c, '+' | '-') && !text[..*at].ends_with(['e', 'E'])
    })?;
    let (first, step) = text.split_at(at.0);
    let step = number(step.strip_prefix('+').unwrap_or(step))?;
    Some((number(first)?, step))
}

fn decimals_of(text: &str) -> usize {
    let of = |part: &str| {
        part.split_once('.').map_or(0, |(_, after)| after.chars().take_while(char::is_ascii_digit).count())
    };
    if text.contains(['e', 'E']) {
        return 12;
    }
    text[1..].find(['+', '-']).map_or(of(text), |at| of(&text[..=at]).max(of(&text[at + 1..])))
}

fn number(text: &str) -> Option<f64> {
    let starts = text.strip_prefix('-').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    text.parse::<f64>().ok().filter(|number| starts && number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_series(text: &str) -> String {
        let mut problems = Problems::new("f");
        let Some(samples) = parse(text, Pos { line: 1, column: 1 }, &mut problems) else {
            return problems.into_list()[0].found.clone();
        };
        let word = |sample: &Sample| match sample {
            None => "_".to_owned(),
            Some((value, quality)) => {
                let mark = ["", "?", "!"][*quality as usize];
                match value {
                    Value::Number(number) => format!("{number}{mark}"),
                    Value::Bool(flag) => format!("{flag}{mark}"),
                    Value::Text(text) => format!("'{text}'{mark}"),
                }
            }
        };
        samples.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_shorthand_is_that_of_promtool() {
        for (text, means) in [
            ("1+2x3", "1 3 5 7"),
            ("-2+4x3", "-2 2 6 10"),
            ("1-2x3", "1 -1 -3 -5"),
            ("1x4", "1 1 1 1 1"),
            ("_x3 2", "_ _ _ 2"),
            ("_ 1.5", "_ 1.5"),
            ("2.9+0.1x3", "2.9 3 3.1 3.2"),
            ("0+0.1x10", "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1"),
            ("1e3 1e-3+1x1", "1000 0.001 1.001"),
            ("true falsex1", "true false false"),
            ("normal coveredx1 'black out'", "'normal' 'covered' 'covered' 'black out'"),
            ("3! 3.5?x1", "3! 3.5? 3.5?"),
            ("'max3' '3'", "'max3' '3'"),
        ] {
            assert_eq!(shown_series(text), means, "{text}");
        }
    }

    #[test]
    fn what_is_no_series_is_told() {
        for (text, found) in [
            ("", "no value"),
            ("1+", "`1+`"),
            ("1+2", "`1+2`"),
            ("1..2", "`1..2`"),
            ("'a", r"`\'a`"),
            ("--1", "`--1`"),
            ("1x999999999", "more than 200000 readings"),
            ("1x200000 1x200000", "more than 200000 readings"),
        ] {
            assert_eq!(shown_series(text), found, "{text}");
        }
    }
}
