//! Just enough WebSocket for a load generator: whole, small frames.

/// Appends one masked text frame.
pub(crate) fn masked_text(payload: &[u8], out: &mut Vec<u8>) {
    const MASK: [u8; 4] = [0x21, 0x43, 0x65, 0x87];
    head(0x80, payload.len(), out);
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m));
}

/// Appends one unmasked text frame.
pub(crate) fn text(payload: &[u8], out: &mut Vec<u8>) {
    head(0, payload.len(), out);
    out.extend_from_slice(payload);
}

fn head(mask_bit: u8, len: usize, out: &mut Vec<u8>) {
    out.push(0x81);
    match len {
        0..126 => out.push(mask_bit | len as u8),
        126..65_536 => {
            out.push(mask_bit | 0x7e);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 0x7f);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// The first whole frame of `bytes`: its payload (unmasked in place) and its length on the wire.
pub(crate) fn first(bytes: &mut [u8]) -> Option<(std::ops::Range<usize>, usize)> {
    let second = *bytes.get(1)?;
    let (len, mut at) = match second & 0x7f {
        126 => (
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
            4,
        ),
        127 => (
            u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize,
            10,
        ),
        short => (usize::from(short), 2),
    };
    let mask: Option<[u8; 4]> = if second & 0x80 == 0 {
        None
    } else {
        at += 4;
        Some(bytes.get(at - 4..at)?.try_into().ok()?)
    };
    if bytes.len() < at + len {
        return None;
    }
    if let Some(mask) = mask {
        for (byte, key) in bytes[at..at + len].iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
    }
    Some((at..at + len, at + len))
}
