//! What the TLS library's verifier does not say of a certificate (RFC 5280 section 4.1).

use crate::der::{
    BIT_STRING, BOOLEAN, CONTEXT_0, CONTEXT_3, INTEGER, OBJECT, OCTET_STRING, Reader, SEQUENCE, SET,
};
use crate::text::{clip, is_dangerous};

/// 2.5.29.15
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// 2.5.29.14
const KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x0e];
const MAX_EXTENSIONS: usize = 64;

/// Parts of a certificate that nobody has verified.
pub(super) struct Certificate<'a> {
    /// DER of the name, whole.
    pub(super) issuer: &'a [u8],
    /// The content of the number.
    pub(super) serial: &'a [u8],
    /// Object identifier and value.
    extensions: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Certificate<'a> {
    /// None if it is none.
    pub(super) fn read(der: &'a [u8]) -> Option<Certificate<'a>> {
        let mut signed = Reader::new(der).take(SEQUENCE)?.parts();
        let mut fields = signed.take(SEQUENCE)?.parts();
        // Version, and after the serial number the algorithm.
        fields.take(CONTEXT_0);
        let serial = fields.take(INTEGER)?.content;
        fields.take(SEQUENCE)?;
        let issuer = fields.take(SEQUENCE)?.whole;
        let mut extensions = Vec::new();
        while let Some(field) = fields.next() {
            if field.tag != CONTEXT_3 {
                continue;
            }
            let all = field.parts().take(SEQUENCE)?.parts().all(MAX_EXTENSIONS)?;
            for extension in all {
                let mut parts = extension.parts();
                let kind = parts.take(OBJECT)?.content;
                parts.take(BOOLEAN);
                extensions.push((kind, parts.take(OCTET_STRING)?.content));
            }
        }
        Some(Certificate {
            issuer,
            serial,
            extensions,
        })
    }

    fn extension(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        let mut all = self.extensions.iter();
        all.find(|(kind, _)| *kind == wanted)
            .map(|(_, value)| *value)
    }

    /// Whether it has a keyUsage with digitalSignature, bit 0, set.
    pub(super) fn may_sign(&self) -> bool {
        let value = self.extension(KEY_USAGE);
        let bits = value.and_then(|value| Reader::new(value).take(BIT_STRING));
        // Behind the number of unused bits.
        let first = bits.and_then(|bits| bits.content.get(1).copied());
        first.is_some_and(|byte| byte & 0x80 != 0)
    }

    /// Its subjectKeyIdentifier.
    pub(super) fn key_identifier(&self) -> Option<&'a [u8]> {
        let value = self.extension(KEY_IDENTIFIER)?;
        Some(Reader::new(value).take(OCTET_STRING)?.content)
    }
}

/// A subject as people write it, `CN=MUD signer, O=Acme`, fit to be shown: what of it is a common
/// name or an organisation (RFC 4519 sections 2.3, 2.19).
pub(super) fn subject(name: &[u8]) -> String {
    let mut shown = Vec::new();
    let mut sets = Reader::new(name);
    while let Some(set) = sets.take(SET) {
        let mut attributes = set.parts();
        while let Some(attribute) = attributes.take(SEQUENCE) {
            let mut parts = attribute.parts();
            let label = match parts.take(OBJECT).map(|kind| kind.content) {
                Some([0x55, 4, 3]) => "CN",
                Some([0x55, 4, 10]) => "O",
                _ => continue,
            };
            let value = parts.next().map(|value| value.content).unwrap_or_default();
            let mut value = String::from_utf8_lossy(value).into_owned();
            value.retain(|c| !is_dangerous(c));
            shown.push(format!("{label}={}", clip(&value)));
        }
    }
    match shown.is_empty() {
        true => "without a name".to_owned(),
        false => clip(&shown.join(", ")).into_owned(),
    }
}
