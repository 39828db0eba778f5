//! UUIDs of a rule of our own (RFC 9562, version 8): 128 bits of a hash, as destinations write ids.

/// Six of the bits give way to version and variant.
pub(crate) fn uuid(bits: u128) -> String {
    let mut bytes = bits.to_be_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn version_and_variant_are_told_and_the_rest_stays() {
        let id = uuid(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(id, "01234567-89ab-8def-8123-456789abcdef");
    }
}
