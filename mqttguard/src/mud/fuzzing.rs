//! What the fuzz targets call: the readers of what makers serve, and what has to hold of all that they
//! let through.

use rustls_pki_types::UnixTime;

use super::cms::{self, Signature};
use super::file::{self, Description, MAX_ENTRIES};
use super::need;
use super::topics::{MAX_TOPICS, Topics};

/// The file that signatures are of: that of `testdata`, from whose signatures a fuzzer may start.
const LAMP: &[u8] = include_bytes!("testdata/lamp.json");

/// Reads any bytes as a file.
///
/// # Panics
///
/// When something is read that must not be.
pub fn file(bytes: &[u8]) {
    let found = match file::read(bytes) {
        Ok(found) => found,
        Err(error) => {
            // What is told of a file is of a length to be told.
            assert!(error.len() < 2048, "{} bytes of words", error.len());
            return;
        }
    };
    let ports = [1883];
    let needs = need::needs(&found, &ports);
    assert!(needs.len() <= MAX_ENTRIES);
    assert!(need::holes(&found, &ports).len() <= need::MAX_HOLES);
    need::is_tls_only(&found, &ports);

    assert_eq!(
        found.topics.requests().filter(|one| one.is_taken).count(),
        {
            let Topics { publish, subscribe } = found.topics.taken();
            assert!(publish.len() <= MAX_TOPICS && subscribe.len() <= MAX_TOPICS);
            for pattern in publish.iter().chain(&subscribe) {
                assert!(is_bound(pattern), "{pattern}");
            }
            publish.len() + subscribe.len()
        }
    );

    let stored =
        serde_json::to_vec(&found).map(|text| serde_json::from_slice::<Description>(&text));
    assert!(
        matches!(&stored, Ok(Ok(again)) if *again == found),
        "{stored:?} was stored as {found:?}"
    );
}

/// Whether a variable that is the device's own stands before all wildcards but the component of an
/// announcement, and nothing is the server's: told in another way than it is decided.
fn is_bound(pattern: &str) -> bool {
    let pattern = pattern.strip_prefix("homeassistant/+/").unwrap_or(pattern);
    let own = ["%d", "%u", "%m", "%n", "%x", "%y"];
    let plain = pattern.replace("%%", "");
    let first = own.iter().filter_map(|own| plain.find(own)).min();
    let wild = plain.find(['+', '#']).unwrap_or(plain.len());
    let client = plain.find("%c").unwrap_or(plain.len());
    !pattern.starts_with('$') && first.is_some_and(|first| first < wild.min(client))
}

/// Reads any bytes as a signature of a file.
///
/// # Panics
///
/// When something is taken for valid that is not.
pub fn signature(bytes: &[u8]) {
    // The time does not matter to who is not known.
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
    let found = cms::verify(LAMP, bytes, &[], now);
    assert!(
        matches!(found, Signature::Unknown { .. } | Signature::Invalid { .. }),
        "{found:?}"
    );
    let words = [found.signer(), found.why()];
    for words in words.into_iter().flatten() {
        assert!(words.len() < 2048, "{} bytes of words", words.len());
    }
}
