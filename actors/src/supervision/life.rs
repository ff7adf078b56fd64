//! A mailbox that outlives its actor.
//!
//! actix drops an actor that panics, together with its mailbox, and reports nothing. Here the
//! mailbox is created separately, before the actor, and the actor's future is polled inside
//! `catch_unwind`. After a panic the supervisor decides whether to restart. A restart resets the
//! same future and keeps the mailbox, so the addresses that other actors hold remain valid. The
//! next life handles the messages that are still queued.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use actix::dev::channel::{AddressReceiver, channel};
use actix::{Actor, Addr, ArbiterHandle, Context, Supervised};
use crossbeam_channel::Sender;
use tokio::sync::oneshot;

use super::actor_name::ActorName;
use super::crash_budget::Verdict;

/// The capacity of a mailbox, which also queues messages between two lives. Senders drop messages
/// that do not fit.
const MAILBOX_CAPACITY: usize = 16;

/// The payload of a panic.
type Panic = Box<dyn Any + Send>;

/// An actor's mailbox, which exists before, between and after its lives.
pub struct Mailbox<A: Actor> {
    receiver: AddressReceiver<A>,
}

/// Creates a mailbox, and the address that remains valid for all lives of its actor.
#[must_use]
pub fn mailbox<A: Actor<Context = Context<A>>>() -> (Addr<A>, Mailbox<A>) {
    let (sender, receiver) = channel(MAILBOX_CAPACITY);
    (Addr::new(sender), Mailbox { receiver })
}

/// The end of one life, reported to the supervisor.
pub struct LifeEnd {
    /// The actor.
    pub actor: ActorName,
    /// The panic's message; `None` if the actor stopped without a panic, which is a defect.
    pub panic: Option<String>,
    /// Receives the supervisor's decision. If it is dropped, the actor is not restarted.
    pub answer: oneshot::Sender<Verdict>,
}

/// Runs `actor` on `arbiter`, and restarts it as long as the supervisor at `ends` decides so.
///
/// The caller must keep an `Addr` of the mailbox: actix does not restart an actor without one.
pub fn supervise<A>(
    arbiter: &ArbiterHandle,
    name: ActorName,
    mailbox: Mailbox<A>,
    actor: A,
    ends: Sender<LifeEnd>,
) where
    A: Supervised + Actor<Context = Context<A>> + Send,
{
    arbiter.spawn_fn(move || {
        actix::spawn(lives(name, mailbox, actor, ends));
    });
}

async fn lives<A>(name: ActorName, mailbox: Mailbox<A>, actor: A, ends: Sender<LifeEnd>)
where
    A: Supervised + Actor<Context = Context<A>>,
{
    let mut life = Context::with_receiver(mailbox.receiver).into_future(actor);
    let mut end = until_panic(&mut life).await;
    while let Err(cause) = end {
        let (answer, verdict) = oneshot::channel();
        if ends
            .send(LifeEnd {
                actor: name,
                panic: Some(panic_message(cause.as_ref())),
                answer,
            })
            .is_err()
        {
            return;
        }
        let Ok(Verdict::Restart { pause }) = verdict.await else {
            return;
        };
        tokio::time::sleep(pause).await;
        // `restarting` is code of the actor and can panic, too. This counts as another crash.
        end = match catch_unwind(AssertUnwindSafe(|| life.restart())) {
            Ok(true) => until_panic(&mut life).await,
            Ok(false) => Ok(()),
            Err(cause) => Err(cause),
        };
    }
    // Fails if the process is already ending.
    let _ = ends.send(LifeEnd {
        actor: name,
        panic: None,
        answer: oneshot::channel().0,
    });
}

/// Polls `future` until it is ready, or until it panics.
async fn until_panic<F: Future<Output = ()> + Unpin>(future: &mut F) -> Result<(), Panic> {
    // This is unwind safe because `restart` rebuilds the actor before it is polled again.
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *future).poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}

fn panic_message(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
