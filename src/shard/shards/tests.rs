//! Both runtimes keep the seam's promises.

use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::shard::{TaskEnd, affinity_cpus, blocking, probe_io_uring, sleep, spawn, timeout};

fn kinds() -> Vec<RuntimeKind> {
    let report = probe_io_uring();
    match report.io_uring_problem {
        None => vec![RuntimeKind::IoUring, RuntimeKind::Epoll],
        Some(problem) => {
            eprintln!("skipped: io_uring ({problem})");
            vec![RuntimeKind::Epoll]
        }
    }
}

fn on_each_runtime<T: Send + 'static, Fut: Future<Output = T> + 'static>(
    build: fn() -> Fut,
    check: impl Fn(T),
) {
    for kind in kinds() {
        let shards = Shards::start(kind, &affinity_cpus()[..1]).unwrap();
        let (sender, receiver) = mpsc::channel();
        shards.handles()[0]
            .start(move || async move { sender.send(build().await).unwrap() })
            .unwrap();
        check(receiver.recv_timeout(Duration::from_secs(10)).unwrap());
        assert!(shards.stop(Duration::from_secs(5)));
    }
}

#[test]
fn a_panic_ends_its_future_and_the_shard_lives_on() {
    on_each_runtime(
        || async {
            let end = spawn(async { panic!("first") }).join().await;
            let next = spawn(async { 7 }).join().await;
            (end, next)
        },
        |(end, next): (TaskEnd<()>, _)| {
            assert!(matches!(end, TaskEnd::Panicked(p) if p.0 == "first"));
            assert_eq!(next, TaskEnd::Done(7));
        },
    );
}

#[test]
fn a_cancelled_future_is_dropped_before_cancel_returns() {
    on_each_runtime(
        || async {
            let held = std::rc::Rc::new(());
            let inner = std::rc::Rc::clone(&held);
            let handle = spawn(async move {
                let _held = inner;
                std::future::pending::<()>().await;
            });
            sleep(Duration::from_millis(2)).await;
            let end = handle.cancel().await;
            (end, std::rc::Rc::strong_count(&held))
        },
        |(end, count)| {
            assert_eq!(end, TaskEnd::Cancelled);
            assert_eq!(count, 1);
        },
    );
}

#[test]
fn blocking_calls_return_values_and_panics() {
    on_each_runtime(
        || async {
            let value = blocking(|| 5).await.unwrap();
            let panic = blocking(|| -> u8 { panic!("inside") })
                .await
                .unwrap_err()
                .to_string();
            (value, panic)
        },
        |(value, panic)| {
            assert_eq!(value, 5);
            assert!(panic.contains("inside"), "{panic}");
        },
    );
}

#[test]
fn a_timeout_cuts_a_future_that_never_ends() {
    on_each_runtime(
        || async {
            timeout(Duration::from_millis(5), std::future::pending::<()>())
                .await
                .is_err()
        },
        |cut| assert!(cut),
    );
}

#[test]
fn a_connection_carries_bytes_and_a_refused_one_is_an_error() {
    on_each_runtime(
        || async {
            use futures_util::{AsyncReadExt, AsyncWriteExt};
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let echo = thread::spawn(move || {
                let (mut socket, _) = listener.accept().unwrap();
                std::io::copy(&mut socket.try_clone().unwrap(), &mut socket).unwrap();
            });
            let limit = Duration::from_secs(5);
            let mut stream = crate::shard::connect(address, limit).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            drop(stream);
            echo.join().unwrap();
            (answer, crate::shard::connect(address, limit).await.is_err())
        },
        |(answer, refused)| {
            assert_eq!(&answer, b"ping");
            assert!(refused);
        },
    );
}

#[test]
fn a_spawned_future_does_not_run_inside_of_spawn() {
    on_each_runtime(
        || async {
            let cell = std::rc::Rc::new(std::cell::RefCell::new(0));
            let theirs = std::rc::Rc::clone(&cell);
            let held = cell.borrow_mut();
            let handle = spawn(async move { *theirs.borrow_mut() += 1 });
            drop(held);
            handle.join().await;
            *cell.borrow()
        },
        |ran| assert_eq!(ran, 1),
    );
}

/// Keeps the thread busy; gives how long it took by the clock.
fn spin(time: Duration) -> Duration {
    let from = Instant::now();
    while from.elapsed() < time {
        std::hint::spin_loop();
    }
    from.elapsed()
}

#[test]
fn a_thread_beside_the_shards_has_its_name_runs_futures_on_any_cpu_and_ends() {
    for kind in kinds() {
        let beside = SideThread::start(kind, "beside").unwrap();
        let (sender, receiver) = mpsc::channel();
        let tell = move || async move {
            sleep(Duration::from_millis(1)).await;
            let name = thread::current().name().map(str::to_owned);
            sender.send((name, affinity_cpus())).unwrap();
        };
        beside.handle().start(tell).unwrap();
        let (name, cpus) = receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(name.as_deref(), Some("beside"));
        assert_eq!(cpus, affinity_cpus());
        assert!(beside.stop(Duration::from_secs(5)));
    }
}

/// How long a future runs beside the metered ones.
const NEIGHBOUR: Duration = Duration::from_millis(300);

/// CPU time of this thread so far.
fn own_cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanos = text.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanos)
}

#[test]
fn the_time_of_a_metered_future_and_of_those_that_it_starts_is_added_up_and_that_of_others_is_not()
{
    for kind in kinds() {
        let shards = Shards::start(kind, &affinity_cpus()[..1]).unwrap();
        let (sender, receiver) = mpsc::channel();
        let busy = BusyTime::default();
        let shard = &shards.handles()[0];
        shard
            .start_metered(busy.clone(), move || async move {
                let own = spin(Duration::from_millis(20));
                let child = spawn(async {
                    let first = spin(Duration::from_millis(20));
                    sleep(Duration::from_millis(50)).await;
                    first + spin(Duration::from_millis(20))
                });
                let TaskEnd::Done(childs) = child.join().await else {
                    panic!("the child ends well");
                };
                sender.send(own + childs).unwrap();
            })
            .unwrap();
        // A panic's backtrace takes its time, which is another future's.
        shard
            .start_metered(BusyTime::default(), || async {
                let failed: TaskEnd<()> = spawn(async { panic!("metered") }).join().await;
                assert!(matches!(failed, TaskEnd::Panicked(_)));
            })
            .unwrap();
        let (other, done) = mpsc::channel();
        shard
            .start(move || async move {
                spin(NEIGHBOUR);
                other.send(own_cpu_time()).unwrap();
            })
            .unwrap();
        let spun = receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        let until_then = done.recv_timeout(Duration::from_secs(10)).unwrap();
        // The neighbour's time is not in it, and there is little else that a poll does.
        let counted = busy.read();
        assert!(counted >= spun, "{counted:?} of {spun:?}");
        assert!(counted < spun + NEIGHBOUR, "{counted:?} of {spun:?}");
        let load = &shards.loads()[0];
        let spent = load.cpu_time().unwrap();
        assert!(spent >= until_then, "{spent:?}, {until_then:?} then");
        assert_eq!((load.index, load.waiting()), (0, 0));
        assert!(shards.stop(Duration::from_secs(5)));
    }
}
