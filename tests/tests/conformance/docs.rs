//! docs/conformance.md is what the code says.

use mqttguard_tests::conformance;

/// Set to write the document instead of comparing it.
const WRITE: &str = "MQTTGUARD_WRITE_DOCS";

#[test]
fn the_document_is_what_is_generated() {
    let path = conformance::workspace().join("docs/conformance.md");
    let generated = conformance::document().unwrap();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "docs/conformance.md is not what the tests say; write it anew with\n\
         {WRITE}=1 cargo test -p mqttguard-tests --test conformance the_document"
    );
}
