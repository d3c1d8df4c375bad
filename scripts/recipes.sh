#!/usr/bin/env bash
# Holds the default recipe against others, with ternary weights: on the embedded digits
# (the last fifth of the training part held out, three seeds), and on four sets of the
# UEA/UCR archive, which lie in DIR as BasicMotions_TRAIN.ts and so on (a quarter of the
# training file held out, eight times). Test parts are never read. docs/recipes.md
# keeps the result.
#
#   bash scripts/recipes.sh DIR                  # every row: about a quarter of an hour on two cores
#   bash scripts/recipes.sh DIR --pooling last   # one of your own
set -euo pipefail
DIR=$(cd "${1:?name the folder of the .ts files}" && pwd)
shift
cd "$(dirname "$0")/.."
QAT=$(mktemp -d)/qat
export DIR QAT GOMAXPROCS=1
go build -o "$QAT" ./cmd/qat

# mean FLAGS... prints the mean accuracy over the seeds.
mean() {
  "$QAT" compare --modes ternary --baselines=false --json "$@" | grep -o '"mean":[0-9.e-]*' | head -n 1 | cut -d: -f2
}
# held_out SET SPLIT FLAGS... is mean on a part of a set's training file.
held_out() { mean --data "$DIR/$1_TRAIN.ts" --test-fraction 0.25 --split-seed "$2" --seeds 1 "${@:3}"; }
export -f mean held_out

row() {
  printf '| `%s` |' "${*:-the default}"
  # What is said of frames has no use for the digits.
  if digits=$(mean --split validation --seeds 3 "$@" 2>/dev/null); then
    awk -v a="$digits" 'BEGIN {printf " %.1f |", 100 * a}'
  else
    printf ' |'
  fi
  for set in BasicMotions GunPoint ItalyPowerDemand ArrowHead; do
    seq 0 7 | xargs -P 2 -I{} bash -c 'held_out "$@"' _ "$set" {} "$@" |
      awk '{s += $1} END {printf " %.1f |", 100 * s / NR}'
  done
  echo
}

if [ $# -gt 0 ]; then
  row "$@"
  exit
fi
echo "| | digits | BasicMotions | GunPoint | ItalyPowerDemand | ArrowHead |"
echo "|---|---|---|---|---|---|"
row
row --pooling last --positions rotary
row --pooling mean --positions learned
row --jitter 0 --scaling 0 --shift 0
row --frame 8 --hop 4
