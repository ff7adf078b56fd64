//! Reads the error bound from its file and parses it.

use std::path::Path;

use super::error::{MAX_BOUND_BYTES, PhcError};
use super::file::read_start;

/// The limit from which an error bound is implausible, in nanoseconds. These clocks are accurate to
/// microseconds, and the driver represents an unknown bound by all 32 bits set. If such a bound
/// were used, the published interval would be valid but useless, and no reason would be reported.
pub const MAX_PLAUSIBLE_NS: u32 = 1_000_000_000;

/// Reads the error bound, in nanoseconds, from the driver's file.
///
/// # Errors
/// [`PhcError::Missing`] or [`PhcError::Unreadable`] for the file, and the errors of
/// [`parse_error_bound`].
pub fn read_error_bound(path: &Path) -> Result<u32, PhcError> {
    parse_error_bound(&read_start(path, MAX_BOUND_BYTES as u64 + 1)?)
}

/// Parses an error bound in nanoseconds: decimal digits and an optional newline.
///
/// # Errors
/// [`PhcError::Empty`], [`PhcError::TooLong`], [`PhcError::NotANumber`], [`PhcError::Negative`],
/// [`PhcError::Zero`], [`PhcError::TooLarge`] or [`PhcError::Implausible`].
pub fn parse_error_bound(bytes: &[u8]) -> Result<u32, PhcError> {
    if bytes.len() > MAX_BOUND_BYTES {
        return Err(PhcError::TooLong);
    }
    let number = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if number.is_empty() {
        return Err(PhcError::Empty);
    }
    let text = || String::from_utf8_lossy(number).into_owned();
    let (minus, digits) = match number.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(PhcError::NotANumber { text: text() });
    }
    if minus {
        return Err(PhcError::Negative { text: text() });
    }
    let value = digits.iter().try_fold(0_u32, |value, digit| {
        value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))
    });
    match value {
        None => Err(PhcError::TooLarge { text: text() }),
        Some(0) => Err(PhcError::Zero),
        Some(bound_ns) if bound_ns >= MAX_PLAUSIBLE_NS => Err(PhcError::Implausible { bound_ns }),
        Some(bound_ns) => Ok(bound_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::super::PhcErrorKind::{self, *};
    use super::super::scratch::FakeSys;
    use super::*;
    use proptest::prelude::*;

    const TABLE: &[(&[u8], Result<u32, PhcErrorKind>)] = &[
        (b"1", Ok(1)),
        (b"1\n", Ok(1)),
        (b"21500\n", Ok(21_500)),
        (b"0000021500\n", Ok(21_500)),
        (b"999999999\n", Ok(999_999_999)),
        (b"1000000000\n", Err(Implausible)),
        (b"4294967295\n", Err(Implausible)),
        (b"4294967296\n", Err(TooLarge)),
        (b"9223372036854775807\n", Err(TooLarge)),
        (b"99999999999999999999999999999999", Err(TooLarge)),
        (b"99999999999999999999999999999999\n", Err(TooLong)),
        (b"00000000000000000000000000000000021500\n", Err(TooLong)),
        (b"", Err(Empty)),
        (b"\n", Err(Empty)),
        (b"\n\n", Err(NotANumber)),
        (b"0\n", Err(Zero)),
        (b"000\n", Err(Zero)),
        (b"-0\n", Err(Negative)),
        (b"-1\n", Err(Negative)),
        (b"-1000000\n", Err(Negative)),
        (b"-99999999999999999999\n", Err(Negative)),
        (b"-\n", Err(NotANumber)),
        (b"--1\n", Err(NotANumber)),
        (b"+1\n", Err(NotANumber)),
        (b" 1\n", Err(NotANumber)),
        (b"1 \n", Err(NotANumber)),
        (b"1\r\n", Err(NotANumber)),
        (b"1\n\n", Err(NotANumber)),
        (b"1\n2\n", Err(NotANumber)),
        (b"1\0", Err(NotANumber)),
        (b"1.5\n", Err(NotANumber)),
        (b"1e3\n", Err(NotANumber)),
        (b"0x10\n", Err(NotANumber)),
        (b"1_000\n", Err(NotANumber)),
        (b"NaN\n", Err(NotANumber)),
        (b"garbage\n", Err(NotANumber)),
        (b"\xff\xfe", Err(NotANumber)),
        ("\u{0661}\n".as_bytes(), Err(NotANumber)),
    ];

    #[test]
    fn each_content_is_a_bound_or_a_specific_error() {
        let sys = FakeSys::new();
        for (bytes, expected) in TABLE {
            let parsed = parse_error_bound(bytes).map_err(|err| err.kind());
            assert_eq!(parsed, *expected, "{:?}", String::from_utf8_lossy(bytes));
            let file = sys.write("phc_error_bound", bytes);
            let read = read_error_bound(&file).map_err(|err| err.kind());
            assert_eq!(read, *expected, "file {:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_missing_or_unreadable_file_is_an_error() {
        let sys = FakeSys::new();
        let file = sys.write("phc_error_bound", "1\n");
        let cases = [
            (sys.root().join("absent"), Missing),
            (file.join("below"), Missing),
            (sys.root().to_owned(), Unreadable),
        ];
        for (path, kind) in cases {
            let err = read_error_bound(&path).unwrap_err();
            assert_eq!(err.kind(), kind, "{err}");
        }
    }

    #[test]
    fn an_endless_file_is_read_up_to_the_limit() {
        let err = read_error_bound(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(err.kind(), TooLong);
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_bounds_are_in_range(
            bytes in proptest::collection::vec(any::<u8>(), 0..64)
        ) {
            if let Ok(bound_ns) = parse_error_bound(&bytes) {
                prop_assert!((1..MAX_PLAUSIBLE_NS).contains(&bound_ns));
            }
        }

        #[test]
        fn bounds_in_the_drivers_format_are_parsed(bound_ns in 1..MAX_PLAUSIBLE_NS) {
            let content = format!("{bound_ns}\n");
            prop_assert_eq!(parse_error_bound(content.as_bytes()).ok(), Some(bound_ns));
        }
    }
}
