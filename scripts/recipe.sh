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
