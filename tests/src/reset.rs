//! The TCP reset that answers a segment, written down from RFC 9293, 3.10.7.1, and checksums as
//! receivers verify them.

/// The frame that answers this one: from the same host to the same device, by the same VLANs and
/// session. None if there is to be no answer.
pub fn answer(frame: &[u8]) -> Option<Vec<u8>> {
    let (to, from) = (&frame[..6], &frame[6..12]);
    // Groups of hosts.
    if to[0] & 1 != 0 || from[0] & 1 != 0 {
        return None;
    }
    let mut answer = [from, to].concat();
    let mut rest = &frame[12..];
    for _ in 0..2 {
        if let [0x81, 0x00, ..] | [0x88, 0xa8, ..] = rest {
            answer.extend(&rest[..4]);
            rest = &rest[4..];
        }
    }
    let (kind, rest) = rest.split_at(2);
    answer.extend(kind);
    let (is_v4, session, ip) = match kind {
        [0x08, 0x00] => (true, None, rest),
        [0x86, 0xdd] => (false, None, rest),
        _ => (rest[6..8] == [0x00, 0x21], Some(&rest[..8]), &rest[8..]),
    };
    let answer_ip = if is_v4 { v4(ip) } else { v6(ip) }?;
    if let Some(session) = session {
        answer.extend(&session[..4]);
        answer.extend((2 + answer_ip.len() as u16).to_be_bytes());
        answer.extend(&session[6..8]);
    }
    answer.extend(&answer_ip);
    // A frame that carried at least 46 bytes does so still.
    if ip.len() >= 46 {
        let padding = 46usize.saturating_sub(answer_ip.len());
        answer.resize(answer.len() + padding, 0);
    }
    Some(answer)
}

fn v4(ip: &[u8]) -> Option<Vec<u8>> {
    let header = &ip[..20];
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff;
    if header[0] != 0x45 || fragment != 0 || header[12] >= 224 || header[16] >= 224 {
        return None;
    }
    let (source, destination) = (&header[12..16], &header[16..20]);
    let total = match u16::from_be_bytes([header[2], header[3]]) {
        0 => 65_536,
        total => usize::from(total),
    };
    let segment = segment(ip.get(20..)?, total.checked_sub(20)?, destination, source)?;
    // Not to be fragmented, 64 hops, TCP.
    let mut answer = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0];
    answer.extend(destination);
    answer.extend(source);
    let checksum = checksum(&answer);
    answer[10..12].copy_from_slice(&checksum.to_be_bytes());
    answer.extend(segment);
    Some(answer)
}

fn v6(ip: &[u8]) -> Option<Vec<u8>> {
    let header = &ip[..40];
    if header[6] != 6 || header[8] == 0xff || header[24] == 0xff {
        return None;
    }
    let (source, destination) = (&header[8..24], &header[24..40]);
    let length = match u16::from_be_bytes([header[4], header[5]]) {
        0 => 65_536,
        length => usize::from(length),
    };
    let segment = segment(ip.get(40..)?, length, destination, source)?;
    let mut answer = vec![0x60, 0, 0, 0, 0, 20, 6, 64];
    answer.extend(destination);
    answer.extend(source);
    answer.extend(segment);
    Some(answer)
}

/// The answer to a segment of which the IP header says that it is this long.
fn segment(tcp: &[u8], length: usize, from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let (header, flags) = (usize::from(tcp[12] >> 4) * 4, tcp[13]);
    let (fin, syn, rst, ack) = (flags & 1, flags >> 1 & 1, flags & 4 != 0, flags & 16 != 0);
    if rst || header < 20 || length < header {
        return None;
    }
    let mut answer = [&tcp[2..4], &tcp[0..2]].concat();
    if ack {
        answer.extend(&tcp[8..12]);
        answer.extend([0, 0, 0, 0, 5 << 4, 0x04]);
    } else {
        let sequence = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
        let taken = (length - header) as u32 + u32::from(fin) + u32::from(syn);
        answer.extend([0; 4]);
        answer.extend(sequence.wrapping_add(taken).to_be_bytes());
        answer.extend([5 << 4, 0x14]);
    }
    answer.extend([0; 6]);
    let sum = checksum(&[from, to, &[0, 6, 0, 20], &answer].concat());
    answer[16..18].copy_from_slice(&sum.to_be_bytes());
    Some(answer)
}

/// The Internet checksum of an even number of bytes (RFC 1071); 0 if they have theirs in them
/// and it is right.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
