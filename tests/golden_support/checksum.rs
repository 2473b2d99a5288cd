//! The checksum of POSIX `cksum`.

/// The checksum of `bytes`.
pub(crate) fn cksum(bytes: &[u8]) -> u32 {
    let table = table();
    let step = |sum: u32, byte: u8| (sum << 8) ^ table[usize::from((sum >> 24) as u8 ^ byte)];
    let mut sum = bytes.iter().fold(0, |sum, byte| step(sum, *byte));
    let mut length = bytes.len();
    while length > 0 {
        sum = step(sum, length as u8);
        length >>= 8;
    }
    !sum
}

fn table() -> [u32; 256] {
    const POLYNOMIAL: u32 = 0x04C1_1DB7;
    let mut table = [0; 256];
    for (byte, entry) in (0_u32..).zip(&mut table) {
        *entry = (0..8)
            .fold(byte << 24, |sum, _| (sum << 1) ^ if sum >> 31 == 1 { POLYNOMIAL } else { 0 });
    }
    table
}
