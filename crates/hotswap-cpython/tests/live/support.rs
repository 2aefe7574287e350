use crate::harness::check;

#[test]
fn every_capability_is_available_on_the_versions_it_was_made_for() {
    check(
        r#"
import sys
FROM = {"moving suspended calls": (3, 11), "moving running calls": (3, 11)}
due = {name for name, _, _ in cpython.capabilities() if sys.version_info >= FROM.get(name, (3, 9))}
absent = [each for each in cpython.capabilities() if not each[1]]
assert due.isdisjoint(name for name, _, _ in absent), absent
assert all(available == (reason == "") for _, available, reason in cpython.capabilities())
assert FROM.keys() <= {name for name, _, _ in cpython.capabilities()}
"#,
    );
}
