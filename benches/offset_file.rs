//! The mapped offset file: storing offsets, looking one up, and making them durable on a file system in
//! memory, so that no disk is waited for.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::hint::black_box;
use std::path::Path;

use common::cpu_time::{self, CpuTime};
use common::{Amount, set, stage};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::api::SourceMap;
use ringmain::shard::{RuntimeKind, run};
use ringmain::storage::OffsetStore;

/// Source partitions of a connector.
const PARTITIONS: usize = 64;
/// Where Linux has a file system in memory.
const IN_MEMORY: &str = "/dev/shm";

fn map(field: &str, value: serde_json::Value) -> SourceMap {
    SourceMap::from_iter([(field.to_owned(), value)])
}

/// Source partitions as FileStreamSource has them, with one offset each.
fn offsets(position: usize) -> Vec<(SourceMap, SourceMap)> {
    let entry = |index: usize| {
        let name = format!("/var/log/service/instance-{index:03}.log");
        (
            map("filename", name.into()),
            map("position", position.into()),
        )
    };
    (0..PARTITIONS).map(entry).collect()
}

fn put(store: &OffsetStore, offsets: &[(SourceMap, SourceMap)]) {
    let entries = offsets.iter().map(|(key, offset)| (key, Some(offset)));
    store.put("connector", black_box(entries)).unwrap();
}

fn offset_file(c: &mut Criterion<CpuTime>) {
    let in_memory = Path::new(IN_MEMORY).is_dir();
    let place = if in_memory {
        Path::new(IN_MEMORY)
    } else {
        &std::env::temp_dir()
    };
    let directory = tempfile::tempdir_in(place).unwrap();
    let store = OffsetStore::open_file(&directory.path().join("offsets")).unwrap();
    let offsets = offsets(1 << 40);
    let json = |map: &SourceMap| serde_json::to_string(map).unwrap().len();
    let bytes = offsets.iter().map(|(key, offset)| json(key) + json(offset));
    let amount = Amount {
        records: PARTITIONS,
        bytes: bytes.sum(),
    };
    let mut group = c.benchmark_group("offset_file");
    stage(&mut group, "put", amount, || put(&store, &offsets));
    stage(&mut group, "get", amount, || {
        for (key, _) in &offsets {
            assert!(store.get("connector", black_box(key)).is_some());
        }
    });
    set(&mut group, amount);
    let name = if in_memory {
        "put and flush in memory"
    } else {
        "put and flush to disk"
    };
    group.bench_function(name, |b| {
        b.iter_custom(|times| {
            let (store, offsets) = (store.clone(), offsets.clone());
            let flushing = async move {
                let before = cpu_time::used();
                for _ in 0..times {
                    put(&store, &offsets);
                    store.flush().await.unwrap();
                }
                cpu_time::used() - before
            };
            run(RuntimeKind::Epoll, None, flushing).unwrap()
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = offset_file
}
criterion_main!(benches);
