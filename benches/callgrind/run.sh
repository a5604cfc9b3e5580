#!/bin/sh
# Instructions of one operation beside 1 and 100,000 topics, without what sets them up: two runs, of 1,000 and of 11,000
# times, and the difference between them. Needs valgrind.
#
#   benches/callgrind/run.sh [OPERATION...]
set -eu
cd "$(dirname "$0")"
cargo build --release --quiet
program=../target/release/sse-callgrind
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# OPERATION TOPICS TIMES
instructions() {
    valgrind --tool=callgrind --callgrind-out-file="$work/out" "$program" "$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
    sed -n 's/^summary: *//p; s/^totals: *//p' "$work/out" | head -n 1
}

# OPERATION TOPICS
each() {
    few=$(instructions "$1" "$2" 1000)
    many=$(instructions "$1" "$2" 11000)
    echo $(((many - few) / 10000))
}

[ $# -gt 0 ] || set -- publish handle subscribe subscribe-poll publish-evicting
printf '%-18s %12s %16s %8s\n' operation '1 topic' '100,000 topics' ratio
for operation; do
    one=$(each "$operation" 1)
    all=$(each "$operation" 100000)
    printf '%-18s %12s %16s %8s\n' "$operation" "$one" "$all" "$(awk "BEGIN { printf \"%.2f\", $all / $one }")"
done
