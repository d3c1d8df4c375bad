#!/usr/bin/env bash
# Measures a training step of this library's float mode against other Go libraries on the
# same model, in turns, and writes the table of docs/alternatives.md.
#
#   bash bench/alternatives.sh [WORKDIR [ROUNDS]]
set -euo pipefail
cd "$(dirname "$0")"
work=${1:-$(mktemp -d)}
rounds=${2:-3}
mkdir -p "$work"
go build -C .. -o "$work/qat" ./cmd/qat
go build -C alternatives -o "$work/gorgonia" ./gorgonia
go build -C alternatives -o "$work/gomlx" ./gomlx

# field NAME prints a number of a program's JSON.
field() { grep -o "\"$1\":[0-9.e+]*" | cut -d: -f2; }
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# row NAME BATCH STEPS EMBED HIDDEN LAYERS PROGRAMS... prints a row for each program.
row() {
  local size=(--batch-size "$2" --window-size "$3" --embed-dim "$4" --hidden-size "$5" --num-layers "$6")
  local flags=(-batch "$2" -steps "$3" -embed "$4" -hidden "$5" -layers "$6" -seconds 1) program i t
  rm -f "$work"/*.times
  for ((i = 0; i < rounds; i++)); do
    t=$("$work/qat" bench train --json --quantize float --dropout 0 --threads "$(nproc)" --seconds 1 "${size[@]}" | field median_ms)
    echo "$t" >>"$work/qat.times"
    for program in "${@:7}"; do
      "$work/$program" "${flags[@]}" >"$work/out"
      field median_ms <"$work/out" >>"$work/$program.times"
      awk -v ours="$t" -v theirs="$(field median_ms <"$work/out")" 'BEGIN { print ours / theirs }' >>"$work/$program.ratio.times"
      field alloc_bytes <"$work/out" >"$work/$program.bytes"
    done
  done
  for program in "${@:7}"; do
    awk -v name="$1" -v program="$program" -v ours="$(median <"$work/qat.times")" -v theirs="$(median <"$work/$program.times")" \
      -v ratio="$(median <"$work/$program.ratio.times")" -v bytes="$(cat "$work/$program.bytes")" \
      'BEGIN { printf "| %s | %.3g | %s | %.4g | %.3f | %.1f |\n", name, ours, program, theirs, ratio, bytes / 1e6 }'
  done
}

{
  echo "| step | ours, ms | other | theirs, ms | ratio | allocated, MB |"
  echo "|---|---|---|---|---|---|"
  row S 32 8 8 64 2 gorgonia gomlx
  row M 32 60 256 256 4 gorgonia
} >"$work/table"
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)
{
  sed '/^<!-- measured -->$/q' ../docs/alternatives.md
  echo
  echo "$cpu, $(nproc) CPUs; $(go env GOVERSION), Gorgonia 0.9.18, GoMLX 0.26.0 with its simplego backend. $(date '+%-d %B %Y')."
  echo
  cat "$work/table"
  echo
  sed -n '/^<!-- end -->$/,$p' ../docs/alternatives.md
} >"$work/page"
cp "$work/page" ../docs/alternatives.md
