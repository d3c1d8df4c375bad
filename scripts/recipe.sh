#!/usr/bin/env bash
# Chooses the default recipe: trains each candidate with three seeds on the first
# four fifths of the digits' training part and prints its mean accuracy on the last
# fifth. The test part is never touched.
#
#   bash scripts/recipe.sh                  # all candidates: about an hour on two cores
#   bash scripts/recipe.sh --pooling mean   # one of your own
set -euo pipefail
cd "$(dirname "$0")/.."
qat=$(mktemp -d)/qat
go build -o "$qat" ./cmd/qat

try() {
  printf '%-64s ' "$*"
  "$qat" compare --split validation --modes ternary --seeds 3 --baselines=false "$@" | awk '/^ternary/ {print $2, $3, $4}'
}

if [ $# -gt 0 ]; then
  try "$@"
  exit
fi

plain=(--jitter 0 --scaling 0 --shift 0 --epochs 30 --positions learned --pooling last)
try "${plain[@]}"
try "${plain[@]}" --positions none
try "${plain[@]}" --positions rotary
try "${plain[@]}" --pooling mean
try "${plain[@]}" --epochs 60
try "${plain[@]}" --jitter 0.1
try "${plain[@]}" --scaling 0.1
try "${plain[@]}" --shift 1
augmented=("${plain[@]}" --jitter 0.1 --scaling 0.1 --shift 1)
try "${augmented[@]}"
try "${augmented[@]}" --epochs 60
try "${augmented[@]}" --positions rotary
try "${augmented[@]}" --pooling mean
try "${augmented[@]}" --dropout 0.05
try "${augmented[@]}" --jitter 0.2 --scaling 0.2
