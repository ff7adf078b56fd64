//! Any bytes are read as a uevent of the kernel, and only the variable of VMGenID in a message with
//! a header is a new generation.
#![no_main]

use clockbound_actors::os::uevent::is_new_generation;
use libfuzzer_sys::fuzz_target;

const VARIABLE: &[u8] = b"NEW_VMGENID=1";

fuzz_target!(|data: &[u8]| {
    let is_new = is_new_generation(data);
    if is_new {
        assert!(data.contains(&b'@') && data.windows(VARIABLE.len()).any(|it| it == VARIABLE));
    }
    // A variable more at the end of a message with a header.
    if data
        .split(|&byte| byte == 0)
        .next()
        .is_some_and(|header| header.contains(&b'@'))
    {
        let message = [data, b"\0", VARIABLE].concat();
        assert!(is_new_generation(&message));
    } else {
        assert!(!is_new);
    }
});
