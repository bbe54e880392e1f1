//! MQTT topic names and filters, and a tree that finds which filters match a name.
//!
//! Belongs here: the rules of MQTT 3.1.1 section 4.7 (the same in MQTT 5), for the link and for the embedded broker.
//! Does not belong here: who subscribes (`broker`), which sensor a topic means (`mqtt::routes`).

use std::collections::HashMap;

/// The longest topic name or filter taken, in bytes. The protocol allows 65,535; sensors' topics are far shorter, and
/// each byte of a hostile filter would be held in memory.
pub const MAX_TOPIC_BYTES: usize = 1024;

/// The most levels a name or filter may have: bounds the depth of the tree and the recursion over it.
pub const MAX_LEVELS: usize = 64;

/// Why a text is no topic filter or name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// It is empty.
    #[error("a topic cannot be empty")]
    Empty,
    /// It is longer than [`MAX_TOPIC_BYTES`].
    #[error("a topic has at most {MAX_TOPIC_BYTES} bytes, found {0}")]
    TooLong(usize),
    /// It has more levels than [`MAX_LEVELS`].
    #[error("a topic has at most {MAX_LEVELS} levels")]
    TooDeep,
    /// It holds U+0000 or another control character.
    #[error("a topic cannot hold control characters")]
    Control,
    /// `+` or `#` is not alone in its level, or `#` is not last.
    #[error("`+` and `#` must fill a whole level, and `#` must be the last")]
    Wildcard,
    /// A name that is published to holds a wildcard.
    #[error("a topic name cannot hold `+` or `#`")]
    WildcardInName,
}

fn check_common(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > MAX_TOPIC_BYTES {
        return Err(TopicError::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(TopicError::Control);
    }
    if text.split('/').count() > MAX_LEVELS {
        return Err(TopicError::TooDeep);
    }
    Ok(())
}

/// Checks a filter to subscribe to.
pub fn check_filter(filter: &str) -> Result<(), TopicError> {
    check_common(filter)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let last = levels.peek().is_none();
        let fine = match level {
            "+" => true,
            "#" => last,
            other => !other.contains(['+', '#']),
        };
        if !fine {
            return Err(TopicError::Wildcard);
        }
    }
    Ok(())
}

/// Checks a name to publish to.
pub fn check_name(name: &str) -> Result<(), TopicError> {
    check_common(name)?;
    if name.contains(['+', '#']) { Err(TopicError::WildcardInName) } else { Ok(()) }
}

/// Whether a filter holds a wildcard.
pub fn has_wildcard(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

/// Whether a valid filter matches a name. Wildcards at the first level do not match names that begin with `$`
/// (MQTT-4.7.2-1).
pub fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match names.next() {
            Some(found) if level == "+" || level == found => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

/// Values filed under filters, found by the names that match them.
///
/// A lookup costs one map access per level and wildcard branch, whatever the number of filters.
#[derive(Debug)]
pub struct TopicTree<T> {
    root: Node<T>,
    count: usize,
}

#[derive(Debug)]
struct Node<T> {
    children: HashMap<Box<str>, Node<T>>,
    plus: Option<Box<Node<T>>>,
    /// Filed under a filter that ends here.
    here: Vec<T>,
    /// Filed under a filter that ends with `#` below here.
    rest: Vec<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { children: HashMap::new(), plus: None, here: Vec::new(), rest: Vec::new() }
    }
}

impl<T> Node<T> {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.plus.is_none() && self.here.is_empty() && self.rest.is_empty()
    }
}

impl<T> Default for TopicTree<T> {
    fn default() -> Self {
        Self { root: Node::default(), count: 0 }
    }
}

impl<T> TopicTree<T> {
    /// How many values are filed.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is filed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Files a value under a filter that [`check_filter`] has passed.
    pub fn insert(&mut self, filter: &str, value: T) {
        let mut node = &mut self.root;
        for level in filter.split('/') {
            node = match level {
                "#" => {
                    node.rest.push(value);
                    self.count += 1;
                    return;
                }
                "+" => node.plus.get_or_insert_default(),
                _ => node.children.entry(level.into()).or_default(),
            };
        }
        node.here.push(value);
        self.count += 1;
    }

    /// Takes out the values under exactly this filter that `pick` chooses; returns how many.
    pub fn remove(&mut self, filter: &str, pick: impl Fn(&T) -> bool) -> usize {
        let levels: Vec<&str> = filter.split('/').collect();
        let removed = remove_below(&mut self.root, &levels, &pick);
        self.count -= removed;
        removed
    }

    /// Calls `found` with every value whose filter matches the name.
    pub fn for_each_match<'t>(&'t self, name: &str, found: &mut impl FnMut(&'t T)) {
        let is_system = name.starts_with('$');
        if !is_system {
            self.root.rest.iter().for_each(&mut *found);
        }
        let (level, rest) = split_level(name);
        if let Some(child) = self.root.children.get(level) {
            visit(child, rest, found);
        }
        if let (Some(child), false) = (&self.root.plus, is_system) {
            visit(child, rest, found);
        }
    }
}

fn split_level(name: &str) -> (&str, Option<&str>) {
    match name.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (name, None),
    }
}

fn visit<'t, T>(node: &'t Node<T>, name: Option<&str>, found: &mut impl FnMut(&'t T)) {
    // `a/#` also matches `a` (MQTT 3.1.1, 4.7.1.2).
    node.rest.iter().for_each(&mut *found);
    let Some(name) = name else {
        node.here.iter().for_each(&mut *found);
        return;
    };
    let (level, rest) = split_level(name);
    if let Some(child) = node.children.get(level) {
        visit(child, rest, found);
    }
    if let Some(child) = &node.plus {
        visit(child, rest, found);
    }
}

fn remove_below<T>(node: &mut Node<T>, levels: &[&str], pick: &impl Fn(&T) -> bool) -> usize {
    let take = |values: &mut Vec<T>| {
        let before = values.len();
        values.retain(|v| !pick(v));
        before - values.len()
    };
    match levels {
        [] => take(&mut node.here),
        ["#"] => take(&mut node.rest),
        ["+", rest @ ..] => {
            let Some(child) = &mut node.plus else { return 0 };
            let removed = remove_below(child, rest, pick);
            if child.is_empty() {
                node.plus = None;
            }
            removed
        }
        [level, rest @ ..] => {
            let Some(child) = node.children.get_mut(*level) else { return 0 };
            let removed = remove_below(child, rest, pick);
            if child.is_empty() {
                node.children.remove(*level);
            }
            removed
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(tree: &TopicTree<usize>, name: &str) -> Vec<usize> {
        let mut all = Vec::new();
        tree.for_each_match(name, &mut |v| all.push(*v));
        all.sort_unstable();
        all
    }

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, name, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/uptime", false),
            ("+/uptime", "$SYS/uptime", false),
            ("$SYS/#", "$SYS/uptime", true),
            ("a/b", "a/b", true),
            ("a/b", "a/B", false),
        ] {
            assert_eq!(matches(filter, name), expected, "{filter} {name}");
            let mut tree = TopicTree::default();
            tree.insert(filter, 1);
            assert_eq!(!found(&tree, name).is_empty(), expected, "tree {filter} {name}");
        }
    }

    #[test]
    fn bad_filters_and_names_are_refused() {
        assert_eq!(check_filter("a/#/b"), Err(TopicError::Wildcard));
        assert_eq!(check_filter("a/b+"), Err(TopicError::Wildcard));
        assert_eq!(check_filter(""), Err(TopicError::Empty));
        assert_eq!(check_filter("a\0"), Err(TopicError::Control));
        assert_eq!(check_filter(&"a/".repeat(80)), Err(TopicError::TooDeep));
        assert_eq!(check_name("a/+"), Err(TopicError::WildcardInName));
        assert!(check_filter("+/a//#").is_ok() && check_name("河/水位").is_ok());
    }

    #[test]
    fn removing_gives_the_memory_back() {
        let mut tree = TopicTree::default();
        tree.insert("a/+/c/#", 1);
        tree.insert("a/+/c/#", 2);
        assert_eq!(tree.remove("a/+/c/#", |v| *v == 1), 1);
        assert_eq!(found(&tree, "a/b/c"), [2]);
        assert_eq!(tree.remove("a/+/c/#", |_| true), 1);
        assert!(tree.is_empty() && tree.root.is_empty());
    }

    proptest! {
        /// The tree and the plain comparison agree on every set of filters.
        #[test]
        fn the_tree_agrees_with_plain_matching(
            filters in prop::collection::vec("([ab+]|)(/([ab+]|)){0,3}(/#)?", 1..20),
            name in "([ab$]|)(/([abc]|)){0,4}",
        ) {
            let filters: Vec<String> = filters.into_iter().filter(|f| check_filter(f).is_ok()).collect();
            let mut tree = TopicTree::default();
            for (i, f) in filters.iter().enumerate() {
                tree.insert(f, i);
            }
            prop_assume!(!name.is_empty());
            let plain: Vec<usize> = (0..filters.len()).filter(|i| matches(&filters[*i], &name)).collect();
            prop_assert_eq!(found(&tree, &name), plain);
            for (i, f) in filters.iter().enumerate() {
                prop_assert_eq!(tree.remove(f, |v| *v == i), 1);
            }
            prop_assert!(tree.root.is_empty());
        }
    }
}
