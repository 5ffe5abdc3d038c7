//! DER (X.690 section 10) read strictly, as far as CMS and certificates need it.

/// Universal tags, with the bit for what is constructed.
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// What is yet to be read of a sequence of elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With its tag and length.
    pub(super) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// Its parts.
    pub(super) fn parts(&self) -> Reader<'a> {
        Reader::new(self.content)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Reader { rest }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element. None at the end, and where there is no DER.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
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
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let found = ahead.next().filter(|found| found.tag == tag)?;
        *self = ahead;
        Some(found)
    }

    /// All elements, if they are DER to the end and at most `most`.
    pub(super) fn all(mut self, most: usize) -> Option<Vec<Element<'a>>> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
