#!/usr/bin/env bash
# Prints the README's table: every mode with seeds 0 to 4 by the default recipe,
# and two plain baselines, on the digits' given split. About ten minutes on two
# cores.
set -euo pipefail
cd "$(dirname "$0")/.."
go run ./cmd/qat compare --seeds 5
