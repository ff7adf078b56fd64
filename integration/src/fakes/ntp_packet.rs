//! The few fields of an NTP packet that a scripted server needs (RFC 5905, figure 8).

/// Length of a packet without extensions.
pub const LENGTH: usize = 48;

const UNIX_EPOCH_IN_NTP: u64 = 2_208_988_800;
const CLIENT_MODE: u8 = 3;
const SERVER_MODE: u8 = 4;
const TRANSMIT: std::ops::Range<usize> = 40..48;

/// The fields of a reply.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// 0 normal, 1 and 2 announce a leap second, 3 not synchronised.
    pub leap: u8,
    /// Distance from the reference clock.
    pub stratum: u8,
    /// Reference id.
    pub refid: [u8; 4],
    /// Declared root delay in seconds.
    pub root_delay: f64,
    /// Declared root dispersion in seconds.
    pub root_dispersion: f64,
    /// When the request came in, nanoseconds since 1970.
    pub received_ns: i64,
    /// When the reply goes out, nanoseconds since 1970.
    pub transmitted_ns: i64,
}

/// A request that a client sends.
pub fn request() -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = 4 << 3 | CLIENT_MODE;
    packet[TRANSMIT].copy_from_slice(&0x1234_5678_9abc_def0_u64.to_be_bytes());
    packet
}

/// Whether these bytes are a request.
pub fn is_request(packet: &[u8]) -> bool {
    packet.len() >= LENGTH && packet[0] & 7 == CLIENT_MODE
}

/// Whether these bytes are a synchronised server's reply to [`request`].
pub fn is_good_reply(packet: &[u8]) -> bool {
    packet.len() >= LENGTH
        && packet[0] & 7 == SERVER_MODE
        && packet[0] >> 6 != 3
        && (1..16).contains(&packet[1])
        && packet[24..32] == request()[TRANSMIT]
}

/// The bytes of a reply to `request`.
pub fn reply(request: &[u8], reply: &Reply) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    let version = request[0] >> 3 & 7;
    packet[0] = reply.leap << 6 | version << 3 | SERVER_MODE;
    packet[1] = reply.stratum;
    packet[2] = request[2];
    packet[3] = (-24_i8).to_be_bytes()[0]; // precision: 60 ns
    packet[4..8].copy_from_slice(&short_format(reply.root_delay));
    packet[8..12].copy_from_slice(&short_format(reply.root_dispersion));
    packet[12..16].copy_from_slice(&reply.refid);
    packet[16..24].copy_from_slice(&timestamp(reply.received_ns - 1_000_000));
    packet[24..32].copy_from_slice(&request[TRANSMIT]);
    packet[32..40].copy_from_slice(&timestamp(reply.received_ns));
    packet[TRANSMIT].copy_from_slice(&timestamp(reply.transmitted_ns));
    packet
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests choose values that fit"
)]
fn short_format(seconds: f64) -> [u8; 4] {
    ((seconds * 65536.0).ceil() as u32).to_be_bytes()
}

fn timestamp(unix_ns: i64) -> [u8; 8] {
    let unix_ns = u64::try_from(unix_ns).expect("after 1970");
    let seconds = (unix_ns / 1_000_000_000 + UNIX_EPOCH_IN_NTP) & 0xffff_ffff;
    let fraction = ((unix_ns % 1_000_000_000) << 32) / 1_000_000_000;
    (seconds << 32 | fraction).to_be_bytes()
}
