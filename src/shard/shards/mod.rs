//! The set of shards of a process: started together, each with a ready handshake, stopped together.

use std::fs::File;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::executor::{RuntimeKind, StartError, run, time_on_cpu};
use super::mailbox::{Mailbox, MailboxFull, Receiver, mailbox};
use super::spawn::{BusyTime, spawn, spawn_metered};

/// Messages that a shard's mailbox holds.
const MAILBOX: usize = 4096;
/// A shard's stack; converters recurse up to 1000 levels of JSON.
const STACK: usize = 8 << 20;

/// Something to start on a shard.
type Start = Box<dyn FnOnce() + Send>;

enum Message {
    Start(Start),
    Stop,
}

/// Sends work to one shard from any thread.
#[derive(Debug, Clone)]
pub struct ShardHandle {
    /// Number of the shard, from 0.
    pub index: usize,
    mailbox: Mailbox<Message>,
}

/// What a shard has to do, read from outside: it is not asked.
#[derive(Clone)]
pub struct ShardLoad {
    /// Number of the shard, from 0.
    pub index: usize,
    /// The thread's `schedstat`; none where the kernel keeps none.
    schedstat: Option<Arc<File>>,
    waiting: Arc<dyn Fn() -> usize + Send + Sync>,
}

impl std::fmt::Debug for ShardLoad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShardLoad({})", self.index)
    }
}

impl ShardLoad {
    /// CPU time of the shard's thread, the kernel's work for it included; `None` when it has ended.
    pub fn cpu_time(&self) -> Option<Duration> {
        time_on_cpu(self.schedstat.as_ref()?)
    }

    /// Messages that wait in the mailbox.
    pub fn waiting(&self) -> usize {
        (self.waiting)()
    }
}

impl ShardHandle {
    /// A handle of a shard that has ended: takes nothing.
    pub fn closed() -> Self {
        let (mailbox, _) = mailbox(1);
        // The one place is taken, so every further message is refused.
        drop(mailbox.send(Message::Stop));
        Self {
            index: usize::MAX,
            mailbox,
        }
    }

    /// Builds a future on the shard and runs it there, fenced like every spawned future.
    ///
    /// # Errors
    /// The shard's mailbox is full: it is stuck. Nothing was started.
    pub fn start<F, Fut>(&self, build: F) -> Result<(), MailboxFull<()>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        self.send(Box::new(move || drop(spawn(build()))))
    }

    /// As [`Self::start`]; the time of the future and of those that it starts is added to `busy`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_metered<F, Fut>(&self, busy: BusyTime, build: F) -> Result<(), MailboxFull<()>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        self.send(Box::new(move || drop(spawn_metered(build(), busy))))
    }

    fn send(&self, start: Start) -> Result<(), MailboxFull<()>> {
        self.mailbox
            .send(Message::Start(start))
            .map_err(|_| MailboxFull(()))
    }
}

/// The running shards.
#[derive(Debug)]
pub struct Shards {
    handles: Vec<ShardHandle>,
    loads: Vec<ShardLoad>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Shards {
    /// Starts one pinned thread per entry of `cpus` and waits until each is ready.
    ///
    /// # Errors
    /// The first shard that does not start; those already running are stopped.
    pub fn start(kind: RuntimeKind, cpus: &[usize]) -> Result<Self, StartError> {
        let mut shards = Self {
            handles: Vec::new(),
            loads: Vec::new(),
            threads: Vec::new(),
        };
        for (index, cpu) in cpus.iter().copied().enumerate() {
            if let Err(error) = shards.start_one(kind, index, cpu) {
                shards.stop(Duration::from_secs(1));
                return Err(error);
            }
        }
        Ok(shards)
    }

    fn start_one(&mut self, kind: RuntimeKind, index: usize, cpu: usize) -> Result<(), StartError> {
        let thread_error = |reason: String| StartError::Thread { cpu, reason };
        if !super::cpus::in_sysfs(cpu) {
            return Err(thread_error("there is no such CPU".to_owned()));
        }
        let name = format!("shard-{index}");
        let (mailbox, thread, schedstat) = launch(kind, name, Some(cpu), &thread_error)?;
        self.threads.push(thread);
        self.loads.push(ShardLoad {
            index,
            schedstat: schedstat.map(Arc::new),
            waiting: Arc::new(mailbox.gauge()),
        });
        self.handles.push(ShardHandle { index, mailbox });
        Ok(())
    }

    /// Handles of all shards, in order.
    pub fn handles(&self) -> &[ShardHandle] {
        &self.handles
    }

    /// What they have to do, in order.
    pub fn loads(&self) -> &[ShardLoad] {
        &self.loads
    }

    /// Ends the shards; futures still running on them are given up. Waits up to `limit` and says whether
    /// all threads ended.
    pub fn stop(self, limit: Duration) -> bool {
        for handle in &self.handles {
            // A full mailbox belongs to a stuck shard, which the process's end will end.
            drop(handle.mailbox.send(Message::Stop));
        }
        wait_for_end(&self.threads, limit)
    }
}

/// Waits for the end of threads, for up to `limit`, and says whether it came.
fn wait_for_end(threads: &[thread::JoinHandle<()>], limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let all_ended = || threads.iter().all(thread::JoinHandle::is_finished);
    while !all_ended() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
    all_ended()
}

/// One executor beside the shards: a thread of its own that is not pinned, for work that belongs to no task.
#[derive(Debug)]
pub struct SideThread {
    handle: ShardHandle,
    thread: thread::JoinHandle<()>,
}

impl SideThread {
    /// Starts a thread of that name and waits until it is ready.
    ///
    /// # Errors
    /// The thread can't be made, or the executor does not start.
    pub fn start(kind: RuntimeKind, name: &str) -> Result<Self, StartError> {
        let thread_error = |reason: String| StartError::SideThread {
            name: name.to_owned(),
            reason,
        };
        let (mailbox, thread, _) = launch(kind, name.to_owned(), None, &thread_error)?;
        let handle = ShardHandle {
            index: usize::MAX,
            mailbox,
        };
        Ok(Self { handle, thread })
    }

    /// For starting futures on it. Its index is that of no shard.
    pub fn handle(&self) -> &ShardHandle {
        &self.handle
    }

    /// Ends it; futures still running there are given up. Waits up to `limit` and says whether the thread
    /// has ended.
    pub fn stop(self, limit: Duration) -> bool {
        // A full mailbox belongs to a stuck thread, which the process's end will end.
        drop(self.handle.mailbox.send(Message::Stop));
        wait_for_end(&[self.thread], limit)
    }
}

type Launched = (Mailbox<Message>, thread::JoinHandle<()>, Option<File>);

/// Starts a thread with an executor and waits until it serves its mailbox; with it comes the thread's
/// `schedstat`.
fn launch(
    kind: RuntimeKind,
    name: String,
    cpu: Option<usize>,
    thread_error: &dyn Fn(String) -> StartError,
) -> Result<Launched, StartError> {
    let (sender, receiver) = mailbox(MAILBOX);
    let (ready, is_ready) = mpsc::sync_channel(1);
    let started = ready.clone();
    let body = move || {
        if cpu.is_none() {
            super::cpus::unpin_current_thread();
        }
        let schedstat = File::open("/proc/thread-self/schedstat").ok();
        let main = async move {
            drop(started.send(Ok(schedstat)));
            serve(&receiver).await;
        };
        if let Err(error) = run(kind, cpu, main) {
            drop(ready.send(Err(error)));
        }
    };
    let thread = thread::Builder::new()
        .name(name)
        .stack_size(STACK)
        .spawn(body)
        .map_err(|error| thread_error(error.to_string()))?;
    let schedstat = is_ready
        .recv()
        .map_err(|_| thread_error("the thread ended at once".to_owned()))??;
    Ok((sender, thread, schedstat))
}

async fn serve(receiver: &Receiver<Message>) {
    while let Some(message) = receiver.receive().await {
        match message {
            Message::Start(start) => start(),
            Message::Stop => return,
        }
    }
}

#[cfg(test)]
mod tests;
