#!/usr/bin/env bash
# Measures the library against PyTorch and ONNX Runtime, and writes docs/performance.md.
# Needs Debian (python3-torch, python3-onnx, libopenblas0-openmp), npm, a C compiler.
#
#   bash bench/bench.sh [WORKDIR [flags of bench]]
set -euo pipefail
cd "$(dirname "$0")"
work=${1:-$(mktemp -d)}
shift || true
mkdir -p "$work"
work=$(cd "$work" && pwd)

/usr/bin/python3 -c 'import torch, onnx' 2>/dev/null || { apt-get -qq update && apt-get -qq install -y python3-torch python3-onnx; }
[ -d "$work/openblas" ] || (cd "$work" && apt-get -qq download libopenblas0-openmp && dpkg -x libopenblas0-openmp_*.deb openblas)
[ -d "$work/node_modules/onnxruntime-node" ] || npm install --prefix "$work" --silent --ignore-scripts onnxruntime-node
[ -d "$work/onnx" ] || /usr/bin/python3 peer.py export "$work/onnx"

go build -C .. -o "$work/qat" ./cmd/qat
go build -o "$work/ort" ./ort
go run . -qat "$work/qat" -ort "$work/ort" -models "$work/onnx" \
  -lib "$(find "$work/node_modules/onnxruntime-node/bin" -path '*linux/x64*' -name 'libonnxruntime.so.1*' | head -1)" \
  -openmp "$(dirname "$(find "$work/openblas" -name 'libblas.so.3' -o -name 'libopenblas.so.0' | head -1)")" \
  -o ../docs/performance.md "$@"
