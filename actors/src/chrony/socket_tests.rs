//! Tests of the client with a simulated chronyd.

#[path = "socket_file_tests.rs"]
mod file;

use std::os::unix::net::{SocketAddr, UnixDatagram as StdDatagram};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use nix::time::{ClockId, clock_gettime};

use super::super::{Address, Leap, MAX_BATCH, QueryErrorKind, Status, Tracking};
use super::*;

/// A timeout for replies that are expected. It is never waited for in full.
const LONG: Duration = Duration::from_secs(20);
/// A timeout for replies that are not expected.
const SHORT: Duration = Duration::from_millis(50);

impl ChronySocket {
    /// Sends one request and waits for its reply for at most `max_wait`.
    async fn query(&mut self, request: &Request, max_wait: Duration) -> Result<Reply, QueryError> {
        let requests = std::slice::from_ref(request);
        let mut replies = self.query_batch(requests, max_wait).await?;
        Ok(replies.pop().expect("one reply")?)
    }

    /// Sends `requests` and waits for their replies for at most `max_wait`.
    async fn query_batch(
        &mut self,
        requests: &[Request],
        max_wait: Duration,
    ) -> Result<Vec<Result<Reply, ParseError>>, QueryError> {
        let batch = self.submit(requests, max_wait).await?;
        self.complete(batch, max_wait).await
    }
}

struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "clockbound-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    fn chronyd(&self) -> PathBuf {
        self.0.join("chronyd.sock")
    }

    /// A socket at the path of chronyd's.
    fn listen(&self) -> StdDatagram {
        let _ = fs::remove_file(self.chronyd());
        let socket = StdDatagram::bind(self.chronyd()).expect("a socket");
        socket.set_read_timeout(Some(LONG)).expect("a timeout");
        socket
    }

    /// A chronyd that handles `count` requests with `answer` and exits.
    fn serve(
        &self,
        count: usize,
        mut answer: impl FnMut(&StdDatagram, &SocketAddr, u32, Request) + Send + 'static,
    ) -> JoinHandle<()> {
        let socket = self.listen();
        thread::spawn(move || {
            for _ in 0..count {
                let (sequence, request, client) = receive(&socket);
                answer(&socket, &client, sequence, request);
            }
        })
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a directory").flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A reply that contains this number.
fn numbered(ref_id: u32) -> Reply {
    Reply::Tracking(Tracking {
        ref_id,
        address: Address::Unspecified,
        stratum: 1,
        leap: Leap::Normal,
        ref_time_ns: 0,
        current_correction_s: 0.0,
        last_offset_s: 0.0,
        rms_offset_s: 0.0,
        freq_ppm: 0.0,
        resid_freq_ppm: 0.0,
        skew_ppm: 0.0,
        root_delay_s: 0.0,
        root_dispersion_s: 0.0,
        last_update_interval_s: 0.0,
    })
}

fn number_of(index: usize) -> u32 {
    u32::try_from(index).expect("a small index")
}

fn receive(socket: &StdDatagram) -> (u32, Request, SocketAddr) {
    let mut buffer = [0; MAX_REPLY_BYTES];
    let (length, client) = socket.recv_from(&mut buffer).expect("a request");
    let (sequence, request) = Request::parse(&buffer[..length]).expect("a known request");
    (sequence, request, client)
}

fn send(socket: &StdDatagram, client: &SocketAddr, packet: &[u8]) {
    socket.send_to_addr(packet, client).expect("sent");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}

#[test]
fn a_query_is_answered_and_dropping_the_socket_removes_its_file() {
    let dir = Directory::new();
    let chronyd = dir.serve(3, |socket, client, sequence, request| {
        send(
            socket,
            client,
            &numbered(sequence).encode(request.command(), sequence),
        );
    });
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        for _ in 0..3 {
            let reply = socket
                .query(&Request::Tracking, LONG)
                .await
                .expect("an answer");
            assert_eq!(reply, numbered(socket.sequence));
        }
        assert_eq!(
            dir.names().len(),
            2,
            "one socket for all queries: {:?}",
            dir.names()
        );
    });
    chronyd.join().expect("served");
    assert_eq!(dir.names(), ["chronyd.sock"]);
}

#[test]
fn replies_to_other_requests_are_ignored() {
    let dir = Directory::new();
    let chronyd = dir.serve(1, |socket, client, sequence, request| {
        let command = request.command();
        send(socket, client, b"noise");
        send(
            socket,
            client,
            &numbered(1).encode(command, sequence.wrapping_sub(1)),
        );
        send(socket, client, &numbered(2).encode(command + 1, sequence));
        send(socket, client, &numbered(3).encode(command, sequence));
    });
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        let reply = socket
            .query(&Request::Tracking, LONG)
            .await
            .expect("an answer");
        assert_eq!(reply, numbered(3));
    });
    chronyd.join().expect("served");
}

#[test]
fn a_late_reply_is_not_accepted_for_the_next_request() {
    let dir = Directory::new();
    let mut late = None;
    let chronyd = dir.serve(2, move |socket, client, sequence, request| {
        let reply = numbered(sequence).encode(request.command(), sequence);
        match late.take() {
            None => late = Some(reply),
            Some(late) => {
                send(socket, client, &late);
                send(socket, client, &reply);
            }
        }
    });
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        let err = socket
            .query(&Request::Tracking, SHORT)
            .await
            .expect_err("silence");
        assert_eq!(err.kind(), QueryErrorKind::Silent, "{err}");
        let reply = socket
            .query(&Request::Tracking, LONG)
            .await
            .expect("an answer");
        assert_eq!(reply, numbered(socket.sequence));
    });
    chronyd.join().expect("served");
}

#[test]
fn a_full_queue_is_reported_as_silence_and_does_not_block() {
    let dir = Directory::new();
    let hung = dir.listen();
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        // The kernel queues about ten datagrams.
        for _ in 0..30 {
            let err = socket
                .query(&Request::Tracking, Duration::from_millis(5))
                .await
                .expect_err("silence");
            assert_eq!(err.kind(), QueryErrorKind::Silent, "{err}");
        }
        hung.set_nonblocking(true).expect("set");
        let mut queued = 0;
        while hung.recv(&mut [0; MAX_REPLY_BYTES]).is_ok() {
            queued += 1;
        }
        assert!(
            (1..30).contains(&queued),
            "{queued} were queued: the queue was never full"
        );
    });
    let dir2 = dir.chronyd();
    drop(hung);
    let chronyd = dir.serve(1, |socket, client, sequence, request| {
        send(
            socket,
            client,
            &Reply::Null.encode(request.command(), sequence),
        );
    });
    block_on(async {
        let mut socket = ChronySocket::bind(&dir2).expect("bound");
        assert_eq!(
            socket
                .query(&Request::Tracking, LONG)
                .await
                .expect("an answer"),
            Reply::Null
        );
    });
    chronyd.join().expect("served");
}

#[test]
fn the_thread_runs_other_tasks_while_a_reply_is_missing() {
    let dir = Directory::new();
    let (answer_now, wait) = std::sync::mpsc::channel();
    let chronyd = dir.serve(1, move |socket, client, sequence, request| {
        wait.recv().expect("a signal to reply");
        send(
            socket,
            client,
            &numbered(7).encode(request.command(), sequence),
        );
    });
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        // The runtime has one thread, so this task starts only if the query does not block it.
        let other = tokio::spawn(async move { answer_now.send(()) });
        let reply = socket.query(&Request::Tracking, LONG).await;
        assert_eq!(reply.expect("an answer"), numbered(7));
        other.await.expect("ran").expect("sent");
    });
    chronyd.join().expect("served");
}

fn thread_cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("a clock")
        .into()
}

#[test]
fn waiting_for_a_full_queue_uses_no_cpu_time_and_ends_when_it_drains() {
    let dir = Directory::new();
    let chronyd = dir.listen();
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        let other = StdDatagram::unbound().expect("a socket");
        other.set_nonblocking(true).expect("set");
        while other.send_to(b"noise", dir.chronyd()).is_ok() {}

        let before = thread_cpu_time();
        let max_wait = Duration::from_millis(300);
        let err = socket
            .query(&Request::Tracking, max_wait)
            .await
            .expect_err("silence");
        let spent = thread_cpu_time() - before;
        assert_eq!(err.kind(), QueryErrorKind::Silent, "{err}");
        assert!(spent < max_wait / 10, "{spent:?} of CPU time");

        // The queue is drained while the next request waits to be sent.
        let server = thread::spawn(move || {
            let mut buffer = [0; MAX_REPLY_BYTES];
            while chronyd.recv(&mut buffer).expect("noise") != Request::Tracking.encode(0).len() {}
        });
        let err = socket
            .query(&Request::Tracking, SHORT * 10)
            .await
            .expect_err("no answer");
        assert_eq!(err.kind(), QueryErrorKind::Silent, "{err}");
        server.join().expect("the request arrived");
    });
}

#[test]
fn the_socket_reconnects_when_chronyd_starts_stops_and_starts_again() {
    let dir = Directory::new();
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        let mut kind = async || {
            socket
                .query(&Request::Tracking, SHORT)
                .await
                .map_err(|err| err.kind())
        };
        assert_eq!(kind().await, Err(QueryErrorKind::Absent));
        drop(dir.listen());
        assert_eq!(kind().await, Err(QueryErrorKind::Refused));
        let listening = dir.listen();
        assert_eq!(kind().await, Err(QueryErrorKind::Silent));
        drop(listening);
        let chronyd = dir.serve(1, |socket, client, sequence, request| {
            send(
                socket,
                client,
                &numbered(4).encode(request.command(), sequence),
            );
        });
        let answer = socket
            .query(&Request::Tracking, LONG)
            .await
            .expect("an answer");
        assert_eq!(answer, numbered(4));
        chronyd.join().expect("served");
    });
}

#[test]
fn a_replaced_directory_gets_a_new_socket() {
    let dir = Directory::new();
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        fs::remove_dir_all(&dir.0).expect("removed");
        fs::create_dir(&dir.0).expect("made");
        let chronyd = dir.serve(1, |socket, client, sequence, request| {
            send(
                socket,
                client,
                &numbered(4).encode(request.command(), sequence),
            );
        });
        let answer = socket
            .query(&Request::Tracking, LONG)
            .await
            .expect("an answer");
        assert_eq!(answer, numbered(4));
        chronyd.join().expect("served");
        drop(socket);
        assert_eq!(dir.names(), ["chronyd.sock"]);
    });
}

#[test]
fn the_socket_works_after_a_query_is_dropped() {
    let dir = Directory::new();
    let arrived = std::sync::Arc::new(AtomicU32::new(0));
    let count = std::sync::Arc::clone(&arrived);
    let chronyd = dir.serve(2, move |socket, client, sequence, request| {
        count.fetch_add(1, Ordering::Relaxed);
        send(
            socket,
            client,
            &numbered(sequence).encode(request.command(), sequence),
        );
    });
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        {
            let mut query = std::pin::pin!(socket.query(&Request::Tracking, LONG));
            std::future::poll_fn(|cx| {
                // The query is dropped when the request has arrived, whether or not it was
                // answered.
                if arrived.load(Ordering::Relaxed) > 0 || query.as_mut().poll(cx).is_ready() {
                    return std::task::Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
        }
        let reply = socket
            .query(&Request::Tracking, LONG)
            .await
            .expect("an answer");
        assert_eq!(reply, numbered(socket.sequence));
    });
    chronyd.join().expect("served");
}

/// Receives `count` requests with their sequence numbers, and the client's address.
fn batch_of(socket: &StdDatagram, count: usize) -> (Vec<(u32, Request)>, SocketAddr) {
    let mut requests = Vec::new();
    loop {
        let (sequence, request, client) = receive(socket);
        requests.push((sequence, request));
        if requests.len() == count {
            return (requests, client);
        }
    }
}

#[test]
fn a_batch_is_sent_before_any_reply_and_its_replies_are_sorted() {
    let dir = Directory::new();
    let socket = dir.listen();
    let requests: Vec<_> = (0..7)
        .map(|index| Request::SourceData { index })
        .chain([Request::Tracking])
        .collect();
    let count = requests.len();
    let expected = requests.clone();
    let chronyd = thread::spawn(move || {
        let (received, client) = batch_of(&socket, count);
        let in_order: Vec<_> = received.iter().map(|(_, request)| *request).collect();
        assert_eq!(in_order, expected);
        // In reverse order, one twice, and one refused.
        for (at, (sequence, request)) in received.iter().enumerate().rev() {
            let reply = match at {
                3 => Reply::encode_refusal(request.command(), *sequence, Status::NO_SUCH_SOURCE),
                at => numbered(number_of(at)).encode(request.command(), *sequence),
            };
            send(&socket, &client, &reply);
            if at == 5 {
                send(&socket, &client, &reply);
            }
        }
    });
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        let replies = socket.query_batch(&requests, LONG).await.expect("replies");
        let expected: Vec<_> = (0..count)
            .map(|at| match at {
                3 => Err(ParseError::Status(Status::NO_SUCH_SOURCE)),
                at => Ok(numbered(number_of(at))),
            })
            .collect();
        assert_eq!(replies, expected);
    });
    chronyd.join().expect("served");
}

#[test]
fn the_replies_to_the_largest_batch_are_queued() {
    let dir = Directory::new();
    let socket = dir.listen();
    block_on(async {
        let mut client = ChronySocket::bind(&dir.chronyd()).expect("bound");
        let requests = [Request::Tracking; MAX_BATCH];
        // The requests are queued, too, and no reply is read before all were sent.
        let batch = client.submit(&requests, LONG).await.expect("sent");
        let (received, address) = batch_of(&socket, MAX_BATCH);
        // Sending to a full queue fails.
        socket.set_nonblocking(true).expect("set");
        for (at, (sequence, request)) in received.iter().enumerate() {
            let reply = numbered(number_of(at)).encode(request.command(), *sequence);
            send(&socket, &address, &reply);
        }
        let replies = client.complete(batch, LONG).await.expect("replies");
        assert_eq!(replies.len(), MAX_BATCH);
    });
}

#[test]
fn a_batch_with_a_missing_reply_fails_and_its_replies_are_not_accepted_later() {
    let dir = Directory::new();
    let socket = dir.listen();
    let requests = [Request::SourceData { index: 0 }, Request::Tracking];
    let chronyd = thread::spawn(move || {
        let ((first, _), (last, _)) = {
            let (received, client) = batch_of(&socket, 2);
            let reply = numbered(1).encode(received[0].1.command(), received[0].0);
            send(&socket, &client, &reply);
            (received[0], received[1])
        };
        let (received, client) = batch_of(&socket, 2);
        let fresh = [received[0].0, received[1].0];
        assert!(!fresh.contains(&first) && !fresh.contains(&last));
        for (sequence, value) in [(first, 2), (last, 3), (fresh[0], 4), (fresh[1], 5)] {
            for request in requests {
                let reply = numbered(value).encode(request.command(), sequence);
                send(&socket, &client, &reply);
            }
        }
    });
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        let err = socket.query_batch(&requests, SHORT).await;
        let err = err.expect_err("a reply is missing");
        assert_eq!(err.kind(), QueryErrorKind::Silent, "{err}");
        let replies = socket.query_batch(&requests, LONG).await.expect("replies");
        assert_eq!(replies, [Ok(numbered(4)), Ok(numbered(5))]);
    });
    chronyd.join().expect("served");
}

#[test]
fn a_chronyd_restarted_between_two_queries_is_queried_without_an_error() {
    let dir = Directory::new();
    let serve = || {
        dir.serve(1, |socket, client, sequence, request| {
            let reply = numbered(sequence).encode(request.command(), sequence);
            send(socket, client, &reply);
        })
    };
    block_on(async {
        let mut socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        for _ in 0..3 {
            let chronyd = serve();
            let reply = socket.query(&Request::Tracking, LONG).await;
            assert_eq!(reply.expect("an answer"), numbered(socket.sequence));
            chronyd.join().expect("served");
        }
    });
}
