#!/usr/bin/env bash
# Runs exported models in ONNX Runtime, holds their outputs to package infer's, and has
# the int8 files checked by onnx.checker. What it needs, it installs: ONNX Runtime from
# npm into WORKDIR (a temporary one by default), Debian's python3-onnx.
#
#   bash scripts/onnx.sh [WORKDIR]
set -euo pipefail
cd "$(dirname "$0")/.."
# need TOOL PACKAGE installs what is not there.
need() {
  command -v "$1" >/dev/null || { apt-get -qq update && apt-get -qq install -y "$2"; } >/dev/null 2>&1 ||
    { echo "ONNX Runtime cannot be run: $1 is missing, and installing the package $2 failed"; exit 1; }
}
need gcc gcc
need node nodejs
need npm npm
if [ $# -gt 0 ]; then
  mkdir -p "$1"
  work=$(cd "$1" && pwd)
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi

[ -d "$work/node_modules/onnxruntime-node" ] || npm install --prefix "$work" --silent --ignore-scripts onnxruntime-node@1.30.0
/usr/bin/python3 -c 'import onnx' 2>/dev/null ||
  { apt-get -qq update && apt-get -qq install -y python3-onnx; } >"$work/apt.out" 2>&1 ||
  { cat "$work/apt.out"; echo "onnx.checker cannot be run: installing the package python3-onnx failed, as above"; exit 1; }
lib=$(find "$work/node_modules/onnxruntime-node/bin" -path "*linux/$(node -p process.arch)*" -name 'libonnxruntime.so.1*' | head -1)
[ -n "$lib" ] || { echo "ONNX Runtime cannot be run: onnxruntime-node has no library for this system"; exit 1; }

files=$(mktemp -d "$work/files.XXXXXX")
go -C interop/onnx/ort vet .
CGO_ENABLED=1 go -C interop/onnx/ort test -count=1 . -lib "$lib" -keep "$files"
/usr/bin/python3 interop/onnx/check.py "$files"/*.onnx

# The example of docs/interop.md, as it stands there.
go build -o "$work/qat" ./cmd/qat
(cd "$work" && ./qat train -q -o qat-run >/dev/null && ./qat export qat-run --format onnx >/dev/null)
sed -n '/^## ONNX/,$p' docs/interop.md | sed -n '/^```js$/,/^```$/p' | sed '/^```/d' >"$work/example.js"
(cd "$work" && node example.js)
