//! Topic filters and names, one a line, the first one the name: the tree finds exactly the filters that match it, and
//! removing them leaves nothing.
#![no_main]

use ingest::topic::{TopicTree, check_filter, check_name, matches};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let name = lines.next().unwrap_or_default();
    let filters: Vec<&str> = lines.filter(|line| check_filter(line).is_ok()).take(64).collect();
    if check_name(name).is_err() {
        return;
    }
    assert!(check_filter(name).is_ok() && matches(name, name));
    let mut tree = TopicTree::default();
    for (number, filter) in filters.iter().enumerate() {
        tree.insert(filter, number);
    }
    let mut found = Vec::new();
    tree.for_each_match(name, &mut |number: &usize| found.push(*number));
    found.sort_unstable();
    let expected: Vec<usize> = (0..filters.len()).filter(|number| matches(filters[*number], name)).collect();
    assert_eq!(found, expected, "{name:?} in {filters:?}");
    for (number, filter) in filters.iter().enumerate() {
        assert_eq!(tree.remove(filter, |filed| *filed == number), 1);
    }
    assert!(tree.is_empty());
    tree.for_each_match(name, &mut |number| panic!("{number} is still there"));
});
