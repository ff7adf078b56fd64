//! A mailbox that outlives its actor.
//!
//! actix drops an actor, with its mailbox, when it panics, and tells nobody. Here the mailbox is
//! made first, apart from the actor; the actor's future is polled inside `catch_unwind`; after a
//! panic the supervisor is asked, and the same future is put back to its beginning with the mailbox
//! and every peer's address as they were. Messages that waited are handled by the next life.

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

/// Messages that wait while an actor is between two lives; the senders drop what does not fit.
const MAILBOX_CAPACITY: usize = 16;

/// What a panic leaves behind.
type Panic = Box<dyn Any + Send>;

/// An actor's mailbox before, between and after its lives.
pub struct Mailbox<A: Actor> {
    receiver: AddressReceiver<A>,
}

/// Makes a mailbox and the address that stays valid for all lives of its actor.
#[must_use]
pub fn mailbox<A: Actor<Context = Context<A>>>() -> (Addr<A>, Mailbox<A>) {
    let (sender, receiver) = channel(MAILBOX_CAPACITY);
    (Addr::new(sender), Mailbox { receiver })
}

/// The end of one life, told to the supervisor.
pub struct LifeEnd {
    /// Whose life it was.
    pub actor: ActorName,
    /// The panic's message; `None` when the actor stopped of itself, which none should.
    pub panic: Option<String>,
    /// Where the supervisor's answer goes. Dropped unanswered: no next life.
    pub answer: oneshot::Sender<Verdict>,
}

/// Runs `actor` on `arbiter`, life after life, as long as the supervisor at `ends` grants another.
///
/// The caller keeps an `Addr` of the mailbox: without one there is nothing to restart for.
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
        // `restarting` is the actor's own code and may panic, too: that is a life that ended at
        // once.
        end = match catch_unwind(AssertUnwindSafe(|| life.restart())) {
            Ok(true) => until_panic(&mut life).await,
            Ok(false) => Ok(()),
            Err(cause) => Err(cause),
        };
    }
    // Nobody listens when the process is ending.
    let _ = ends.send(LifeEnd {
        actor: name,
        panic: None,
        answer: oneshot::channel().0,
    });
}

/// Polls `future` until it is ready, or until it panics.
async fn until_panic<F: Future<Output = ()> + Unpin>(future: &mut F) -> Result<(), Panic> {
    // Unwind safe because a life that panicked is rebuilt by `restart` before it is polled again.
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
