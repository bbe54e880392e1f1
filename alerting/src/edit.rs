//! Small changes to rule files that leave everything else as it was written.

use crate::problem::Problems;
use crate::rule::RuleStatus;
use crate::ruleset::RuleSet;
use crate::yaml::{self, Kind, Node, Style};
use model::RuleId;

/// The text with another status for its one rule; none for a text of another shape (several rules, a rule in braces): then
/// a person must write it.
pub fn with_status(text: &str, status: RuleStatus) -> Option<String> {
    let mut problems = Problems::new("");
    let root = yaml::parse(text, &mut problems)?;
    let Kind::Map(entries) = &root.kind else { return None };
    let (_, rules) = entries.iter().find(|(key, _)| key.text == "rules")?;
    let Kind::List(items) = &rules.kind else { return None };
    let [Node { kind: Kind::Map(rule), .. }] = items.as_slice() else { return None };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match rule.iter().find(|(key, _)| key.text == "status") {
        Some((_, node)) => {
            let Kind::Scalar(scalar) = &node.kind else { return None };
            if scalar.style != Style::Plain {
                return None;
            }
            let line = lines.get_mut(node.at.line.checked_sub(1)?)?;
            let begin: usize = line.chars().take(node.at.column.checked_sub(1)?).map(char::len_utf8).sum();
            if !line[begin..].starts_with(&scalar.text) {
                return None;
            }
            line.replace_range(begin..begin + scalar.text.len(), status.as_str());
        }
        None => {
            let (key, node) = rule.iter().find(|(key, _)| key.text == "id")?;
            let is_alone = rule.iter().all(|(other, _)| other.text == "id" || other.at.line != key.at.line);
            if !is_alone || node.at.line != key.at.line {
                return None;
            }
            let indent = " ".repeat(key.at.column.checked_sub(1)?);
            lines.insert(key.at.line, format!("{indent}status: {}", status.as_str()));
        }
    }
    Some(lines.join("\n") + "\n")
}

/// A rule as a file of its own, cut out of the file that holds it: what stands from its first line to the next rule's.
pub fn snippet(text: &str, rules: &RuleSet, id: &RuleId) -> Option<String> {
    let (file, begin, ..) = rules.place_of(id)?;
    let places = rules.ids().filter_map(|other| rules.place_of(other));
    let next = places.filter(|(other, line, ..)| *other == file && *line > begin).map(|(_, line, ..)| line).min();
    let lines: Vec<&str> = text.lines().collect();
    let end = next.map_or(lines.len(), |line| line - 1).min(lines.len());
    let mut own = lines.get(begin.checked_sub(1)?..end)?.to_vec();
    // What stands at the margin and is no item belongs to the file; comments before the next rule belong to it.
    if let Some(other) = own.iter().skip(1).position(|line| line.starts_with(|c: char| c.is_alphabetic())) {
        own.truncate(other + 1);
    }
    while own.last().is_some_and(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        own.pop();
    }
    Some(format!("version: 1\nrules:\n{}\n", own.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::READY;

    #[test]
    fn every_ready_rule_can_be_cut_out_and_moved_through_its_life() {
        let files: Vec<(String, String)> = READY.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        let all = RuleSet::load(&files).unwrap();
        for id in all.ids() {
            let (file, _, version, _) = all.place_of(id).unwrap();
            let text = &files.iter().find(|(name, _)| name == file).unwrap().1;
            let own = snippet(text, &all, id).unwrap();
            // Calendars may stand in another file.
            let calendars = "version: 1\ncalendars:\n  night: {zone: Asia/Shanghai, hours: [\"22:00-06:00\"]}\n";
            let load = |text: &str| {
                let files = [("own.yaml".to_owned(), text.to_owned()), ("c.yaml".to_owned(), calendars.to_owned())];
                RuleSet::load(&files).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
            };
            let alone = load(&own);
            assert_eq!(alone.len(), 1, "{own}");
            assert_eq!(alone.place_of(id).unwrap().2, version, "{own}");
            let mut moved = own.clone();
            for status in RuleStatus::ALL {
                moved = with_status(&moved, status).unwrap();
                let place = load(&moved);
                let (_, _, same, now) = place.place_of(id).unwrap();
                assert_eq!((same, now), (version, status), "{moved}");
            }
            assert_eq!(moved.lines().count(), own.lines().count() + 1);
        }
    }

    #[test]
    fn what_has_another_shape_is_left_to_a_person() {
        for text in ["", "rules: []", "version: 1\nrules: [{id: a, title: b}]\n", "rules:\n- id: a\n- id: b\n"] {
            assert_eq!(with_status(text, RuleStatus::Active), None, "{text}");
        }
        let quoted = "rules:\n- id: a\n  status: 'draft'\n";
        assert_eq!(with_status(quoted, RuleStatus::Active), None);
        let kept = "# why\nrules:\n- id: a # the first\n  status: draft   # not yet\n  title: b\n";
        let expected = kept.replace("draft ", "active ");
        assert_eq!(with_status(kept, RuleStatus::Active), Some(expected));
    }
}
