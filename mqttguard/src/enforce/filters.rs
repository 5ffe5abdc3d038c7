use std::io;

use crate::netlink::{Family, Socket, attributes, text, word};

// linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h.
const RTM_NEWTFILTER: u16 = 44;
const RTM_GETTFILTER: u16 = 46;
const TC_H_INGRESS_OF_CLSACT: u32 = 0xffff_fff2;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_ID: u16 = 11;
/// struct tcmsg.
const TCMSG: usize = 20;

/// A filter on the ingress of an interface's clsact queueing discipline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Those with a lower one are asked first.
    pub(super) priority: u16,
    /// 0 for the head of a priority, which filters nothing.
    pub(super) handle: u32,
    /// `bpf`, `u32`, `flower` and so on.
    pub(super) kind: String,
    /// What its maker calls the program, for `bpf`.
    pub(super) name: String,
    /// The program's identifier, for `bpf`.
    pub(super) program: Option<u32>,
}

/// The filters on an interface, in the order in which they are asked; none if it has no clsact.
pub(super) fn ingress(index: u32) -> io::Result<Vec<Filter>> {
    let mut request = Vec::with_capacity(TCMSG);
    request.extend([0; 4]);
    request.extend(index.to_ne_bytes());
    request.extend([0; 4]);
    request.extend(TC_H_INGRESS_OF_CLSACT.to_ne_bytes());
    request.extend([0; 4]);
    let mut filters = Vec::new();
    let asked = Socket::open(Family::Route)?.dump(RTM_GETTFILTER, &request, |kind, body| {
        if kind == RTM_NEWTFILTER {
            filters.extend(Filter::parse(body).filter(|filter| filter.handle != 0));
        }
        Ok(())
    });
    match asked {
        // No queueing discipline there is no filter there.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => {
            return Ok(Vec::new());
        }
        asked => asked?,
    }
    filters.sort_by_key(|filter| filter.priority);
    Ok(filters)
}

impl Filter {
    fn parse(body: &[u8]) -> Option<Filter> {
        let (header, rest) = body.split_at_checked(TCMSG)?;
        let mut filter = Filter {
            handle: word(header, 8)?,
            priority: (word(header, 16)? >> 16) as u16,
            ..Filter::default()
        };
        for (kind, value) in attributes(rest) {
            match kind {
                TCA_KIND => filter.kind = text(value),
                TCA_OPTIONS => {
                    for (kind, value) in attributes(value) {
                        match kind {
                            TCA_BPF_NAME => filter.name = text(value),
                            TCA_BPF_ID => filter.program = word(value, 0),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if filter.kind != "bpf" {
            // Others number their options their own way.
            filter.name.clear();
            filter.program = None;
        }
        Some(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_make_the_parser_fail() {
        let mut body = vec![0u8; TCMSG];
        body[8] = 1;
        body[18] = 7;
        body.extend([8, 0, 1, 0, b'b', b'p', b'f', 0]);
        body.extend([12, 0, 2, 0, 8, 0, 11, 0, 42, 0, 0, 0]);
        let whole = Filter::parse(&body).unwrap();
        if cfg!(target_endian = "little") {
            assert_eq!((whole.kind.as_str(), whole.program), ("bpf", Some(42)));
            assert_eq!((whole.handle, whole.priority), (1, 7));
        }
        for end in 0..body.len() {
            assert_eq!(Filter::parse(&body[..end]).is_some(), end >= TCMSG);
            for byte in [0, 1, 3, 0x7f, 0xff] {
                let mut body = body.clone();
                body[end] = byte;
                let _ = Filter::parse(&body);
            }
        }
    }
}
