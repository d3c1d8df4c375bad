#!/usr/bin/env bash
# Holds the default recipe against others, with ternary weights: on the embedded digits
# (the last fifth of the training part held out, three seeds), and on four sets of the
# UEA/UCR archive, which lie in DIR as BasicMotions_TRAIN.ts and so on (a quarter of the
# training file held out, SPLITS times, 12 by default). Test parts are never read. Behind
# the accuracy stands the difference to the default on the same splits, with its 95%
# interval. docs/recipes.md keeps the result.
#
#   bash scripts/recipes.sh DIR                  # every row: under ten minutes on two cores
#   bash scripts/recipes.sh DIR --pooling last   # the default and one of your own
set -euo pipefail
DIR=$(cd "${1:?name the folder of the .ts files}" && pwd)
shift
cd "$(dirname "$0")/.."
TMP=$(mktemp -d)
export DIR TMP GOMAXPROCS=1
trap 'rm -rf "$TMP"' EXIT
go build -o "$TMP/qat" ./cmd/qat

# measure FLAGS... prints the accuracy on the part that is held out.
measure() {
  local run=$(mktemp -d -p "$TMP")
  "$TMP/qat" train -q --json -o "$run" "$@" | grep -o '"accuracy":[0-9.e-]*' | head -n 1 | cut -d: -f2
}
# after_float FLAGS... is measure of half of the epochs that began with the weights of a
# float run of the other half.
after_float() {
  local float=$(mktemp -d -p "$TMP") data=digits epochs
  [ "$1" != --data ] || data=$2
  epochs=$("$TMP/qat" datasets "$data" "${@:3}" | sed -n 's/^recipe *\([0-9]*\) epoch.*/\1/p')
  "$TMP/qat" train -q -o "$float" --quantize float --epochs $((epochs / 2)) "$@" >"$float/said"
  measure --init "$float" --epochs $((epochs - epochs / 2)) "$@"
}
# on SET NUMBER HOW FLAGS... measures on one seed of the digits, or one split of a set.
on() {
  if [ "$1" = digits ]; then
    "$3" --split validation --seed "$2" "${@:4}"
  else
    "$3" --data "$DIR/$1_TRAIN.ts" --test-fraction 0.25 --split-seed "$2" "${@:4}"
  fi
}
export -f measure after_float on

# row HOW FLAGS... prints a row of the table.
row() {
  local set last how=${1/measure/} line
  line=${*:2}
  [ "$how" = after_float ] && line='half the epochs by --quantize float, half by --init'
  printf '| %s |' "${line:-the default}"
  for set in digits BasicMotions GunPoint ItalyPowerDemand ArrowHead; do
    last=$([ $set = digits ] && echo 2 || echo $((${SPLITS:-12} - 1)))
    # What is said of frames has no use for the digits.
    if [ $set = digits ] && [[ " $* " = *" --frame "* ]]; then
      printf ' |'
      continue
    fi
    seq 0 "$last" | xargs -P 2 -I{} bash -c 'echo {} $(on "$0" {} "$@")' $set "$@" | sort -n >"$TMP/$set"
    [ $# -gt 1 ] || [ "$1" != measure ] || cp "$TMP/$set" "$TMP/$set.default"
    paste "$TMP/$set" "$TMP/$set.default" | awk '
      { sum += $2; d = $2 - $4; diff += d; squares += d * d }
      END {
        printf " %.1f", 100 * sum / NR
        if (squares > 0) {
          # The 0.975 quantile of Student by its degrees of freedom, within 1% from 5 on.
          f = NR - 1; z = 1.959964
          t = f == 2 ? 4.303 : z + (z^3 + z) / 4 / f + (5 * z^5 + 16 * z^3 + 3 * z) / 96 / f^2
          printf " (%+.1f ± %.1f)", 100 * diff / NR, 100 * t * sqrt((squares - diff * diff / NR) / f / NR)
        }
        printf " |"
      }'
  done
  echo
}

echo "| | digits | BasicMotions | GunPoint | ItalyPowerDemand | ArrowHead |"
echo "|---|---|---|---|---|---|"
row measure
if [ $# -gt 0 ]; then
  row measure "$@"
  exit
fi
row measure --pooling last --positions rotary
row measure --pooling mean --positions learned
row measure --jitter 0 --scaling 0 --shift 0
row measure --frame 8 --hop 4
row measure --quantize-warmup 0.25
row measure --quantize-warmup 0.5
row after_float
