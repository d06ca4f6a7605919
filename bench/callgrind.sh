#!/bin/sh
# Counts the instructions of four fixed workloads and compares them with instructions.toml.
#
#   bench/callgrind.sh            compares; exit code 1 when one is more than 2 % off
#   bench/callgrind.sh --update   writes instructions.toml anew
#
# A count does not depend on what else the machine does. It depends on the compiler and, through
# code that is chosen at run time, a little on the processor that valgrind shows. Without valgrind
# nothing is compared and the exit code is 0, which is said.
set -eu
cd "$(dirname "$0")/.."
table=bench/instructions.toml
band_percent=2

if ! command -v valgrind >/dev/null; then
    echo "instructions: valgrind is not installed; nothing was counted"
    exit 0
fi
cargo build --quiet --profile testrelease -p bench --bin workload
program=${CARGO_TARGET_DIR:-target}/testrelease/workload
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

status=0
: >"$scratch/table"
for name in limits session parsing append; do
    valgrind --tool=callgrind --callgrind-out-file="$scratch/out" --collect-atstart=no \
        --toggle-collect='workload::counted_*' "$program" "$name" >"$scratch/said" 2>"$scratch/log"
    count=$(awk '/^totals:/ { print $2 }' "$scratch/out")
    echo "$name = $count # $(cat "$scratch/said")" >>"$scratch/table"
    known=$(awk -v name="$name" '$1 == name { print $3 }' "$table" 2>/dev/null || true)
    verdict=$(awk -v now="$count" -v known="${known:-0}" -v band="$band_percent" 'BEGIN {
        if (known == 0) { print "is not in the table"; exit }
        change = (now - known) * 100 / known
        verdict = (change > band || change < -band) ? "OFF" : "ok"
        printf "%+.2f %% of %d, %s", change, known, verdict
    }')
    printf '%-8s %12s instructions, %s\n' "$name" "$count" "$verdict"
    case $verdict in
    *ok) ;;
    *) status=1 ;;
    esac
done

if [ "${1:-}" = --update ]; then
    {
        echo "# Instructions of the workloads of bench/src/bin/workload.rs, written by"
        echo "# bench/callgrind.sh --update: profile testrelease, $(rustc --version | cut -d' ' -f1-2)."
        cat "$scratch/table"
    } >"$table"
    exit 0
fi
if [ "$status" -ne 0 ]; then
    echo "instructions: a count has moved by more than $band_percent %; if that is meant," \
        "run bench/callgrind.sh --update and say why in the commit"
fi
exit "$status"
