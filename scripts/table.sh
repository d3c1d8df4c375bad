#!/usr/bin/env bash
# Prints the README's tables: every mode with seeds 0 to 4 by the default recipe, beside
# plain baselines: on the digits' given split, on a made-up recording of which two
# persons are held out, and, where DIR holds them as NAME_TRAIN.ts and NAME_TEST.ts, on
# four sets of the UEA/UCR archive. About five minutes on two cores.
#
#   bash scripts/table.sh [DIR]
set -euo pipefail
dir=${1:+$(cd "$1" && pwd)}
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
go build -o "$tmp/qat" ./cmd/qat

compare() { echo; echo "== $1"; "$tmp/qat" compare -q --seeds 5 "${@:2}"; }

for set in BasicMotions GunPoint ItalyPowerDemand ArrowHead; do
  [ -z "$dir" ] || compare "$set" --data "$dir/${set}_TRAIN.ts" --test "$dir/${set}_TEST.ts"
done
compare digits
go run ./scripts/recording >"$tmp/recording.csv"
compare recording --data "$tmp/recording.csv" --label activity --group session --window 60 --stride 15 --modes float,ternary
