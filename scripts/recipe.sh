#!/usr/bin/env bash
# Chooses the default recipe: trains each candidate with three seeds on the first
# four fifths of the digits' training part and measures it on the last fifth. The test
# part is never touched. The best mean stands first; docs/recipe.md keeps the result.
#
#   bash scripts/recipe.sh                  # every candidate: about fifteen minutes on two cores
#   bash scripts/recipe.sh --pooling mean   # one of your own
set -euo pipefail
cd "$(dirname "$0")/.."
qat=$(mktemp -d)/qat
go build -o "$qat" ./cmd/qat

try() {
  printf '%s  `%s`\n' "$("$qat" compare --split validation --modes ternary --seeds 3 --baselines=false "$@" | awk '/^ternary/ {print $2, $3, $4}')" "$*"
}

if [ $# -gt 0 ]; then
  try "$@"
  exit
fi

plain="--epochs 30 --positions learned --pooling last --dropout 0.1 --jitter 0 --scaling 0 --shift 0"
augmented="--jitter 0.1 --scaling 0.1 --shift 1"
{
  try $plain
  try $plain --positions none
  try $plain --positions rotary
  try $plain --epochs 60
  try $plain --jitter 0.1
  try $plain --scaling 0.1
  try $plain --shift 1
  try $plain $augmented
  try $plain $augmented --epochs 60
  try $plain $augmented --epochs 60 --positions rotary
  try $plain $augmented --epochs 60 --positions rotary --dropout 0.05
  try $plain $augmented --epochs 60 --positions rotary --pooling mean
} | sort -rn
