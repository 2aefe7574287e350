use crate::harness::check;

#[test]
fn every_capability_is_available_on_the_versions_it_was_made_for() {
    check(
        r#"
absent = [each for each in cpython.capabilities() if not each[1]]
assert not absent, absent
assert all(reason == "" for _, _, reason in cpython.capabilities())
"#,
    );
}
