//! The router's keys as Tasmota pins them.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

/// What no key has: SHA-1 of nothing. Tasmota ships with it for "none".
pub(super) const NOBODY: &str = "DA 39 A3 EE 5E 6B 4B 0D 32 55 BF EF 95 60 18 90 AF D8 07 09";

/// `INTEGER`, `BIT STRING` and `SEQUENCE` of X.690.
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// `rsaEncryption` (RFC 8017 appendix C) and, of `ecPublicKey`, the curve `secp256r1` (RFC 5480
/// section 2.1.1.1).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// What Tasmota compares `MqttFingerprint` with, from 8.4.0 on: SHA-1 of the key's kind and parts,
/// each behind its length in 32 bits. None for a key that it cannot verify.
///
/// `spki` is a `SubjectPublicKeyInfo` (RFC 5280 section 4.1).
pub fn fingerprint(spki: &[u8]) -> Option<String> {
    let (info, _) = value(spki, SEQUENCE)?;
    let (algorithm, rest) = value(info, SEQUENCE)?;
    let (bits, _) = value(rest, BIT_STRING)?;
    let key = bits.strip_prefix(&[0])?;
    let is = |oid: &[u8]| algorithm.windows(oid.len()).any(|part| part == oid);
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    let mut add = |part: &[u8]| -> Option<()> {
        digest.update(&u32::try_from(part.len()).ok()?.to_be_bytes());
        digest.update(part);
        Some(())
    };
    if is(RSA) {
        let (numbers, _) = value(key, SEQUENCE)?;
        let (modulus, rest) = value(numbers, INTEGER)?;
        let (exponent, _) = value(rest, INTEGER)?;
        // Its decoder leaves the sign out.
        let bare = |number: &'_ [u8]| number.iter().position(|byte| *byte != 0);
        add(b"ssh-rsa")?;
        add(exponent.get(bare(exponent)?..)?)?;
        add(modulus.get(bare(modulus)?..)?)?;
    } else if is(P256) {
        add(b"ecdsa-sha2-nistp256")?;
        add(key)?;
    } else {
        return None;
    }
    let digest = digest.finish();
    let digits: Vec<_> = digest.as_ref().iter().map(|b| format!("{b:02X}")).collect();
    Some(digits.join(" "))
}

/// What is in a DER value of this tag, and what follows it (X.690 section 8.1).
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // Long enough for any key.
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let add = |sum: usize, byte: &u8| (sum << 8) | usize::from(*byte);
            (bytes.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Both kinds of keys, and what another program makes of the same parts: an OpenSSH key is the
    /// same parts behind their lengths (RFC 4253 section 6.6, RFC 5656 section 3.1).
    #[test]
    fn a_fingerprint_is_of_the_parts_and_nothing_else() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        let found = fingerprint(&spki).unwrap();
        let point = &spki[spki.len() - 65..];
        let mut parts = 19u32.to_be_bytes().to_vec();
        parts.extend(b"ecdsa-sha2-nistp256");
        parts.extend(65u32.to_be_bytes());
        parts.extend(point);
        assert_eq!(found, sha1(&parts));

        // rustls's example: RFC 8017 numbers with a sign, e = 65537.
        let modulus = [&[0u8, 0xc1][..], &[0x55; 255]].concat();
        let integer = |bytes: &[u8]| tagged(INTEGER, bytes);
        let numbers = tagged(SEQUENCE, &[integer(&modulus), integer(&[1, 0, 1])].concat());
        let algorithm = tagged(SEQUENCE, &[tagged(0x06, RSA), vec![5, 0]].concat());
        let bits = tagged(BIT_STRING, &[vec![0], numbers].concat());
        let spki = tagged(SEQUENCE, &[algorithm, bits].concat());
        let mut parts = 7u32.to_be_bytes().to_vec();
        parts.extend(b"ssh-rsa");
        parts.extend([0, 0, 0, 3, 1, 0, 1]);
        parts.extend(256u32.to_be_bytes());
        parts.extend(&modulus[1..]);
        assert_eq!(fingerprint(&spki).unwrap(), sha1(&parts));

        for cut in 0..spki.len() {
            assert_eq!(fingerprint(&spki[..cut]), None, "{cut}");
        }
        assert_eq!(NOBODY, sha1(b""));
    }

    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut out = vec![tag];
        match length {
            0..128 => out.push(length as u8),
            128..256 => out.extend([0x81, length as u8]),
            _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
        }
        out.extend(content);
        out
    }

    fn sha1(bytes: &[u8]) -> String {
        let mut sum = Command::new("sha1sum")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut sum.stdin.take().unwrap(), bytes).unwrap();
        let said = sum.wait_with_output().unwrap().stdout;
        let digits = String::from_utf8(said[..40].to_vec())
            .unwrap()
            .to_uppercase();
        let pairs: Vec<_> = digits
            .as_bytes()
            .chunks(2)
            .map(|two| std::str::from_utf8(two).unwrap())
            .collect();
        pairs.join(" ")
    }
}
