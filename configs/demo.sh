#!/usr/bin/env bash
# Builds Ringmain and moves a sample file through the embedded log into another file.
# Everything it writes is in target/demo.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
cargo build --release --quiet
demo=$root/target/demo
rm -rf "$demo"
mkdir -p "$demo"
cd "$demo"

lines=200000
seq -f '{"id":%.0f,"text":"a line of the sample file","kept":true}' 1 $lines >test.txt
sed -e "s|^bootstrap.servers=.*|bootstrap.servers=embedded:$demo/log|" \
    -e "s|^offset.storage.file.filename=.*|offset.storage.file.filename=$demo/offsets|" \
    "$root/configs/connect-standalone-embedded.properties" >worker.properties
echo "listeners=http://127.0.0.1:0" >>worker.properties
cp "$root/configs/connect-file-source.properties" "$root/configs/connect-file-sink.properties" .

"$root/target/release/ringmain" standalone worker.properties \
    connect-file-source.properties connect-file-sink.properties &
worker=$!
trap 'kill $worker 2>/dev/null || true' EXIT
for _ in $(seq 300); do
    [ "$(wc -l <test.sink.txt 2>/dev/null || echo 0)" -ge $lines ] && break
    kill -0 $worker 2>/dev/null || { echo "the worker ended early" >&2; exit 1; }
    sleep 0.1
done
kill -TERM $worker
wait $worker
trap - EXIT

if cmp test.txt test.sink.txt; then
    echo "$(wc -l <test.sink.txt) lines went from test.txt through the log into test.sink.txt; the files are equal."
    echo "Look at $demo: the files, the worker's configuration, and the log's segments."
else
    echo "the files differ" >&2
    exit 1
fi
