//! DER (X.690 section 10), read strictly and written, as far as certificates, requests for them and
//! signatures need it.

/// Universal tags (X.680 section 8.4), with the bit for what is constructed.
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, constructed; [`CONTEXT_1`] to [`CONTEXT_3`] are the like.
pub(crate) const CONTEXT_0: u8 = 0xa0;
pub(crate) const CONTEXT_1: u8 = 0xa1;
pub(crate) const CONTEXT_2: u8 = 0xa2;
pub(crate) const CONTEXT_3: u8 = 0xa3;

/// What is yet to be read of a sequence of elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// One element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// With its tag and length.
    pub(crate) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// Its parts.
    pub(crate) fn parts(&self) -> Reader<'a> {
        Reader::new(self.content)
    }

    /// The bytes of a BIT STRING whose bits fill them.
    pub(crate) fn bytes(&self) -> Option<&'a [u8]> {
        match self.content.split_first()? {
            (0, bytes) if self.tag == BIT_STRING => Some(bytes),
            _ => None,
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Reader { rest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element. None at the end, and where there is no DER.
    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let whole = self.rest;
        let (&tag, rest) = whole.split_first()?;
        // Tags above 30, in more than one byte, are in nothing that is read here.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0usize, |length, byte| (length << 8) | usize::from(*byte));
                // The shortest form is the only one.
                if length < 0x80 || bytes.first() == Some(&0) {
                    return None;
                }
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        let size = whole.len().checked_sub(rest.len())?;
        Some(Element {
            tag,
            content,
            whole: whole.get(..size)?,
        })
    }

    /// The next element if it has this tag; else nothing is read.
    pub(crate) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let found = ahead.next().filter(|found| found.tag == tag)?;
        *self = ahead;
        Some(found)
    }

    /// The next element, if it has this tag and is the last.
    pub(crate) fn last(mut self, tag: u8) -> Option<Element<'a>> {
        self.take(tag).filter(|_| self.is_empty())
    }

    /// All elements, if they are DER to the end and at most `most`.
    pub(crate) fn all(mut self, most: usize) -> Option<Vec<Element<'a>>> {
        let mut found = Vec::new();
        while !self.is_empty() {
            if found.len() == most {
                return None;
            }
            found.push(self.next()?);
        }
        Some(found)
    }
}

/// An element with this tag and content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut encoded = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => encoded.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let length = length.iter().skip_while(|byte| **byte == 0);
            encoded.push(0x80 | u8::try_from(length.clone().count()).unwrap_or_default());
            encoded.extend(length);
        }
    }
    encoded.extend(content);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_and_overlong_elements_are_none() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x80],
            &[0x30, 0x81],
            &[0x30, 0x82, 1],
            &[0x30, 0x82, 0xff, 0xff, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(Reader::new(bytes).next().is_none(), "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let content = vec![7; length];
            let written = element(OCTET_STRING, &content);
            let read = Reader::new(&written).last(OCTET_STRING);
            let read = read.unwrap_or_else(|| panic!("{length} bytes"));
            assert_eq!((read.content, read.whole), (&content[..], &written[..]));
        }
    }

    #[test]
    fn a_bit_string_is_bytes_if_its_bits_fill_them() {
        let bytes = |der: &[u8]| Reader::new(der).next()?.bytes().map(<[u8]>::to_vec);
        assert_eq!(bytes(&[3, 2, 0, 7]), Some(vec![7]));
        assert_eq!(bytes(&[3, 2, 1, 6]), None, "a bit is left over");
        assert_eq!(bytes(&[3, 0]), None, "it does not say how many are");
        assert_eq!(bytes(&[4, 2, 0, 7]), None, "no BIT STRING");
    }

    #[test]
    fn the_last_has_nothing_behind_it() {
        assert!(Reader::new(&[2, 1, 5]).last(INTEGER).is_some());
        assert!(Reader::new(&[2, 1, 5, 0]).last(INTEGER).is_none());
        assert!(Reader::new(&[2, 1, 5]).last(SET).is_none());
    }

    #[test]
    fn only_the_shortest_length_is_one() {
        let read = |bytes: &[u8]| Reader::new(bytes).next().map(|found| found.content.len());
        assert_eq!(read(&[4, 1, 7]), Some(1));
        assert_eq!(read(&[4, 0x81, 1, 7]), None, "one byte is enough for 1");
        assert_eq!(read(&[4, 0x80, 0, 0]), None, "an indefinite length is BER");
        assert_eq!(read(&[4, 0x82, 0, 0x80]), None, "a leading zero");
        assert_eq!(
            read(&[4, 0x84, 0xff, 0xff, 0xff, 0xff]),
            None,
            "beyond the end"
        );
        assert_eq!(read(&[0x1f, 0x81, 1, 0]), None, "a long tag");
        let long = [&[4, 0x81, 0x80][..], &[0; 0x80]].concat();
        assert_eq!(read(&long), Some(0x80));
        for cut in 0..long.len() {
            assert_eq!(read(&long[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn what_is_optional_is_read_only_where_it_is() {
        let mut reader = Reader::new(&[2, 1, 5, 4, 0]);
        assert!(reader.take(OCTET_STRING).is_none());
        let number = reader.take(INTEGER).unwrap();
        assert_eq!((number.content, number.whole), (&[5][..], &[2, 1, 5][..]));
        assert!(reader.all(0).is_none());
        assert_eq!(reader.all(1).unwrap().len(), 1);
    }
}
