#!/usr/bin/env bash
# Holds exported ONNX models to ONNX Runtime, which runs them, and to the checker of the
# package onnx. Fetches both where they are not there: needs npm, a C compiler, Debian.
#
#   bash scripts/onnx.sh [WORKDIR [flags of go test]]
set -euo pipefail
cd "$(dirname "$0")/.."
work=${1:-$(mktemp -d)}
shift || true
mkdir -p "$work"
work=$(cd "$work" && pwd)

command -v npm >/dev/null || { apt-get -qq update && apt-get -qq install -y npm >"$work/apt.out"; }
[ -d "$work/node_modules/onnxruntime-node" ] || npm install --prefix "$work" --silent --ignore-scripts onnxruntime-node
/usr/bin/python3 -c 'import onnx' 2>/dev/null || { apt-get -qq update && apt-get -qq install -y python3-onnx >"$work/apt.out"; } ||
  { cat "$work/apt.out"; echo "python3-onnx is missing and cannot be installed"; exit 1; }

QAT_ONNXRUNTIME=$(find "$work/node_modules/onnxruntime-node/bin" -path '*linux/x64*' -name 'libonnxruntime.so.1*' | head -1) \
  go -C interop/onnx/ort test -count=1 "$@" .

go build -o "$work/qat" ./cmd/qat
for flags in "--quantize float" "--quantize binary --pooling mean" "--granularity channel --positions learned" \
  "--quantize int4 --positions none" "--quantize int8 --pooling mean --positions rotary" "--activations float --pooling last"; do
  "$work/qat" train -q --epochs 1 $flags -o "$work/run" >"$work/train.out"
  "$work/qat" export -q --no-check --format onnx "$work/run" -o "$work/model.onnx" >"$work/export.out"
  /usr/bin/python3 -c 'import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)' "$work/model.onnx"
  echo "checked: $flags"
done
