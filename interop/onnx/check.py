"""Checks ONNX files by the reference checker: python3 check.py FILE..."""

import sys

import onnx

for path in sys.argv[1:]:
    onnx.checker.check_model(onnx.load(path), full_check=True)
print(f"onnx {onnx.__version__}: {len(sys.argv) - 1} files are valid")
