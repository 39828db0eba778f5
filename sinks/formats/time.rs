//! Moments as schemas want them: RFC 3339 in UTC with microseconds, years of four digits.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

use crate::contract::{Event, read_moment};

/// 0001-01-01T00:00:00Z, in microseconds since 1970: RFC 3339 knows no year before 0.
const FIRST_US: i64 = -62_135_596_800_000_000;
/// 9999-12-30T00:00:00Z, within what jiff can tell, in microseconds since 1970.
const LAST_US: i64 = 253_402_128_000_000_000;

/// The moments that can be written.
pub(crate) const WRITABLE_US: std::ops::RangeInclusive<i64> = FIRST_US..=LAST_US;

/// When an event happened.
pub(crate) struct Moment<'e> {
    /// In microseconds since 1970, within the years that can be written.
    pub(super) us: i64,
    /// As the agent wrote it, where that is the very form we write.
    written: Option<&'e str>,
}

impl<'e> Moment<'e> {
    pub(crate) fn of(event: &'e Event<'_>) -> Self {
        let written = event.updated_time();
        match read_moment(written).filter(|us| WRITABLE_US.contains(us)) {
            Some(us) => Self { us, written: Some(written) },
            None => Self { us: event.time_us().clamp(FIRST_US, LAST_US), written: None },
        }
    }

    /// In milliseconds since 1970, rounded down.
    pub(super) fn ms(&self) -> i64 {
        ms(self.us)
    }

    /// In seconds since 1970, rounded down.
    pub(super) fn seconds(&self) -> i64 {
        self.us.div_euclid(1_000_000)
    }

    /// Whether nothing of what the agent wrote is lost by writing the moment.
    pub(super) fn is_as_written(&self) -> bool {
        self.written.is_some()
    }

    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self.written {
            Some(written) => out.extend_from_slice(written.as_bytes()),
            None => write(self.us, out),
        }
    }
}

/// A moment in milliseconds since 1970, rounded down.
pub(super) fn ms(moment_us: i64) -> i64 {
    moment_us.clamp(FIRST_US, LAST_US).div_euclid(1_000)
}

/// Appends a moment; beyond the years that can be written, the nearest that can.
pub(super) fn write(moment_us: i64, out: &mut Vec<u8>) {
    let moment = Timestamp::from_microsecond(moment_us.clamp(FIRST_US, LAST_US))
        .expect("jiff knows every moment between those two");
    let printer = DateTimePrinter::new().precision(Some(6));
    printer.print_timestamp(&moment, out).expect("a vector takes every write");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(moment_us: i64) -> String {
        let mut out = Vec::new();
        write(moment_us, &mut out);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn every_moment_has_four_digits_of_year_and_six_of_seconds() {
        assert_eq!(written(1_772_352_000_000_001), "2026-03-01T08:00:00.000001Z");
        assert_eq!(written(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(written(i64::MIN), "0001-01-01T00:00:00.000000Z");
        assert_eq!(written(i64::MAX), "9999-12-30T00:00:00.000000Z");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn what_is_written_is_read(moment_us in WRITABLE_US) {
            prop_assert_eq!(read_moment(&written(moment_us)), Some(moment_us));
        }
    }
}
