//! Fail points: places at which a test can crash or hang an actor.
//!
//! They are fail points of the crate [`fail`](https://docs.rs/fail). Without the feature
//! `fault-injection` a fail point compiles to nothing, and the crate is not linked. The names are
//! `<actor>.<point>`:
//!
//! | point | where |
//! |---|---|
//! | `started` | in `started`, when a life of the actor begins |
//! | `handler` | in the actor's handler of messages, or in its poll |
//! | `mid_write.LAYOUT` | in the middle of a write of this layout; `shm_publisher` only |

/// Declares a fail point.
macro_rules! fail_point {
    ($name:literal) => {
        #[cfg(feature = "fault-injection")]
        fail::fail_point!($name);
    };
}

pub(crate) use fail_point;

/// The fail point in a write of the layout of this name.
#[cfg(feature = "fault-injection")]
pub(crate) fn mid_write(layout: &str) {
    let name = match layout {
        "v1" => "shm_publisher.mid_write.v1",
        "v2" => "shm_publisher.mid_write.v2",
        "v3" => "shm_publisher.mid_write.v3",
        "native" => "shm_publisher.mid_write.native",
        _ => "shm_publisher.mid_write.diagnostics",
    };
    fail::fail_point!(name);
}

/// Configures fail points from datagrams at `path`, each of them `<name>=<actions>` with actions
/// such as `1*panic` and `pause`. An invalid datagram closes the socket.
///
/// # Errors
/// The socket cannot be bound, or the kernel refused the thread.
#[cfg(feature = "fault-injection")]
pub fn listen(path: &std::path::Path) -> std::io::Result<()> {
    let socket = std::os::unix::net::UnixDatagram::bind(path)?;
    let configure = |datagram: &[u8]| {
        let (name, actions) = std::str::from_utf8(datagram).ok()?.split_once('=')?;
        fail::cfg(name, actions).ok()
    };
    let mut buffer = [0; 128];
    std::thread::Builder::new()
        .name("fail_points".to_owned())
        .spawn(move || {
            while let Ok(length) = socket.recv(&mut buffer)
                && configure(&buffer[..length]).is_some()
            {}
        })?;
    Ok(())
}
