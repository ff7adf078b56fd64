//! The part of chronyd's command protocol, version 6, that a fake chronyd needs.
//!
//! It follows chrony's `candm.h` and shares no code with the daemon, so that an error in either is
//! detected.

/// Code of the tracking command.
pub const TRACKING_COMMAND: u16 = 33;

/// Code of the command that requests the report of one source.
pub const SOURCE_COMMAND: u16 = 15;

const TRACKING_REPLY: u16 = 5;
const SOURCE_REPLY: u16 = 3;
const NULL_REPLY: u16 = 1;
const INVALID_STATUS: u16 = 3;
const NO_SUCH_SOURCE_STATUS: u16 = 4;
const REQUEST_HEADER: usize = 20;
const FAMILY_IPV4: u16 = 1;

/// A request of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Command code.
    pub command: u16,
    /// Number of earlier attempts.
    pub attempt: u16,
    /// Repeated in the reply.
    pub sequence: u32,
    /// The number of the source, for [`SOURCE_COMMAND`].
    pub index: u32,
}

impl Request {
    /// Reads the header of a request.
    pub fn parse(packet: &[u8]) -> Option<Request> {
        let is_request = packet.len() >= REQUEST_HEADER && packet[..2] == [6, 1];
        is_request.then(|| Request {
            command: u16::from_be_bytes([packet[4], packet[5]]),
            attempt: u16::from_be_bytes([packet[6], packet[7]]),
            sequence: u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]),
            index: packet
                .get(REQUEST_HEADER..REQUEST_HEADER + 4)
                .map_or(0, |word| {
                    u32::from_be_bytes([word[0], word[1], word[2], word[3]])
                }),
        })
    }

    /// The reply to an unknown command.
    pub fn refuse(&self) -> Vec<u8> {
        self.header(NULL_REPLY, INVALID_STATUS)
    }

    /// The reply to a source number that does not exist.
    pub fn no_such_source(&self) -> Vec<u8> {
        self.header(NULL_REPLY, NO_SUCH_SOURCE_STATUS)
    }

    fn header(&self, reply: u16, status: u16) -> Vec<u8> {
        let mut packet = vec![6, 2, 0, 0];
        for word in [self.command, reply, status, 0, 0, 0] {
            packet.extend(word.to_be_bytes());
        }
        packet.extend(self.sequence.to_be_bytes());
        packet.extend([0; 8]);
        packet
    }
}

/// The fields of a tracking report; times in seconds, a positive correction means a slow clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Reference id.
    pub refid: u32,
    /// Distance from the reference clock.
    pub stratum: u16,
    /// 0 normal, 1 and 2 announce a leap second, 3 not synchronised.
    pub leap: u16,
    /// Seconds and nanoseconds since 1970.
    pub ref_time: (u64, u32),
    /// Offset of the system's clock.
    pub correction: f64,
    /// Frequency of the system's clock.
    pub frequency_ppm: f64,
    /// Residual frequency.
    pub residual_ppm: f64,
    /// Estimated error of the frequency.
    pub skew_ppm: f64,
    /// Round trip to the reference clock.
    pub root_delay: f64,
    /// Dispersion accumulated from the reference clock.
    pub root_dispersion: f64,
    /// Interval between the last two updates.
    pub update_interval: f64,
}

impl Report {
    /// A synchronised client of a stratum 1 server. Its last update is the beginning of the current
    /// fifth of a second, so that the replies to one batch of requests agree.
    pub fn healthy() -> Report {
        let now_ns = crate::time::truth::Truth::default().now_ns();
        let now_ns = now_ns - now_ns.rem_euclid(200_000_000);
        Report {
            refid: 0x5445_5354,
            stratum: 2,
            leap: 0,
            ref_time: (
                u64::try_from(now_ns / 1_000_000_000).expect("after 1970"),
                u32::try_from(now_ns % 1_000_000_000).expect("below a second"),
            ),
            correction: 10e-6,
            frequency_ppm: 1.0,
            residual_ppm: 0.0,
            skew_ppm: 0.1,
            root_delay: 200e-6,
            root_dispersion: 50e-6,
            update_interval: 1.0,
        }
    }

    /// A chronyd without a reference.
    pub fn unsynchronised() -> Report {
        Report {
            refid: 0,
            stratum: 0,
            leap: 3,
            ref_time: (0, 0),
            correction: 0.0,
            root_delay: 1.0,
            root_dispersion: 1.0,
            ..Report::healthy()
        }
    }

    /// The reply to a request for this report's source: a selected server that has answered the
    /// last eight polls, with a new measurement for each `ref_time`.
    pub fn source_reply_to(&self, request: &Request) -> Vec<u8> {
        let mut packet = request.header(SOURCE_REPLY, 0);
        packet.extend(self.refid.to_be_bytes());
        packet.extend([0; 12]);
        // Padding; poll, stratum, state, mode, flags, reachability.
        for word in [FAMILY_IPV4, 0, 0, 1, 0, 0, 0, 0xff] {
            packet.extend(word.to_be_bytes());
        }
        // Since the last sample.
        packet.extend([0; 4]);
        // The measured offset identifies the measurement; the corrected offset is 0.
        let (seconds, nanoseconds) = self.ref_time;
        let thousandths = u16::try_from(seconds % 1_000).expect("below 1000");
        let measured = f64::from(thousandths) * 1e-6 + f64::from(nanoseconds) * 1e-15;
        packet.extend(float(measured));
        packet.extend(float(0.0));
        packet.extend(float(self.root_delay / 2.0 + self.root_dispersion));
        packet
    }

    /// The reply of a chronyd with this report and one source.
    pub fn answer_to(&self, request: &Request) -> Vec<u8> {
        match request.command {
            TRACKING_COMMAND => self.reply_to(request),
            SOURCE_COMMAND if request.index == 0 => self.source_reply_to(request),
            SOURCE_COMMAND => request.no_such_source(),
            _ => request.refuse(),
        }
    }

    /// The reply to a tracking request.
    pub fn reply_to(&self, request: &Request) -> Vec<u8> {
        let mut packet = request.header(TRACKING_REPLY, 0);
        packet.extend(self.refid.to_be_bytes());
        packet.extend([127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        packet.extend(FAMILY_IPV4.to_be_bytes());
        packet.extend([0; 2]);
        packet.extend(self.stratum.to_be_bytes());
        packet.extend(self.leap.to_be_bytes());
        packet.extend(self.ref_time.0.to_be_bytes());
        packet.extend(self.ref_time.1.to_be_bytes());
        let floats = [
            self.correction,
            0.0, // last offset
            0.0, // rms offset
            self.frequency_ppm,
            self.residual_ppm,
            self.skew_ppm,
            self.root_delay,
            self.root_dispersion,
            self.update_interval,
        ];
        floats.iter().for_each(|value| packet.extend(float(*value)));
        packet
    }
}

/// chrony's float: a signed 7-bit exponent above a signed 25-bit coefficient, with the value
/// `coefficient * 2^(exponent - 25)`.
///
/// It has no NaN; infinities become the largest values it can hold.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "masked to their width on purpose"
)]
pub fn float(value: f64) -> [u8; 4] {
    if value == 0.0 || value.is_nan() {
        return [0; 4];
    }
    let limit = f64::from((1 << 24) - 1);
    let mut exponent = 25_i32;
    let mut coefficient = value.clamp(-1e30, 1e30);
    while coefficient.abs() > limit {
        coefficient /= 2.0;
        exponent += 1;
    }
    while coefficient.abs() * 2.0 <= limit && exponent > -64 {
        coefficient *= 2.0;
        exponent -= 1;
    }
    if exponent > 63 {
        (exponent, coefficient) = (63, limit.copysign(value));
    }
    let coefficient = coefficient.round().clamp(-limit, limit) as i32;
    (((exponent as u32) << 25) | (coefficient as u32 & 0x01ff_ffff)).to_be_bytes()
}
