package main

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// config is a model's size.
type config struct {
	name                                       string
	batch, steps, embed, hidden, heads, layers int
}

var (
	small  = config{"S", 32, 8, 8, 64, 4, 2}
	medium = config{"M", 32, 60, 256, 256, 4, 4}
	large  = config{"L", 8, 128, 512, 512, 8, 6}
)

func (c config) flags() []string {
	var flags []string
	for _, f := range []struct {
		name  string
		value int
	}{{"window-size", c.steps}, {"embed-dim", c.embed}, {"hidden-size", c.hidden}, {"num-heads", c.heads}, {"num-layers", c.layers}} {
		flags = append(flags, "--"+f.name, strconv.Itoa(f.value))
	}
	return flags
}

// train is our training step.
func train(c config, mode string, dropout float64, threads int, env ...string) command {
	args := append([]string{*qat, "bench", "train", "--json", "--batch-size", strconv.Itoa(c.batch), "--quantize", mode,
		"--dropout", fmt.Sprint(dropout), "--threads", strconv.Itoa(threads), "--seconds", fmt.Sprint(*seconds)}, c.flags()...)
	return command{args, env}
}

// predict is our inference.
func predict(c config, mode string, batch, threads int, kernel string) command {
	args := append([]string{*qat, "bench", "infer", "--json", "--batch-size", strconv.Itoa(batch), "--quantize", mode,
		"--threads", strconv.Itoa(threads), "--seconds", fmt.Sprint(*seconds), "--kernel", kernel}, c.flags()...)
	return command{args, nil}
}

// torch is PyTorch's training step. Its allocator is told to keep its memory, without
// which it would look slower than it is.
func torch(name string, must float64, c config, mode string, dropout float64, trim, threads int) peer {
	args := []string{*python, "peer.py", "train", "--config", c.name, "--mode", mode, "--dropout", fmt.Sprint(dropout),
		"--trim", strconv.Itoa(trim), "--threads", strconv.Itoa(threads), "--seconds", fmt.Sprint(*seconds)}
	return peer{"PyTorch " + name, command{args, []string{
		"LD_LIBRARY_PATH=" + *openmp,
		"MALLOC_MMAP_THRESHOLD_=1073741824", "MALLOC_TRIM_THRESHOLD_=4294967296", "MALLOC_TOP_PAD_=67108864",
	}}, must}
}

// onnx is ONNX Runtime's inference.
func onnx(name string, must float64, c config, file string, batch, threads int) peer {
	args := []string{*ortRun, "-lib", *lib, "-model", filepath.Join(*models, c.name+"_"+file+".onnx"),
		"-batch", strconv.Itoa(batch), "-steps", strconv.Itoa(c.steps), "-embed", strconv.Itoa(c.embed), "-hidden", strconv.Itoa(c.hidden),
		"-threads", strconv.Itoa(threads), "-seconds", fmt.Sprint(*seconds)}
	return peer{"ONNX Runtime " + name, command{args, nil}, must}
}

// section is a table.
type section struct {
	title, about string
	comparisons  []comparison
}

// sections are made when they are asked for, after the flags are read.
var sections []section

func makeSections() {
	sections = []section{{
		"Training",
		"A step on a batch: forward, backward, AdamW; ternary weights with int8 activations unless it says float. PyTorch quantizes fake, as people write it.",
		[]comparison{
			{"M, 2 threads", train(medium, "ternary", 0.1, 2), []peer{
				torch("ternary", 0.40, medium, "ternary", 0.1, 0, 2),
				torch("ternary, last block trimmed", 0, medium, "ternary", 0.1, 1, 2),
				torch("float", 0, medium, "float", 0.1, 0, 2)}},
			{"M, 2 threads, dropout 0", train(medium, "ternary", 0, 2), []peer{
				torch("ternary, dropout 0", 0.60, medium, "ternary", 0, 0, 2),
				torch("ternary, dropout 0, last block trimmed", 0, medium, "ternary", 0, 1, 2)}},
			{"M, 1 thread", train(medium, "ternary", 0.1, 1), []peer{
				torch("ternary", 0.50, medium, "ternary", 0.1, 0, 1),
				torch("float", 0, medium, "float", 0.1, 0, 1)}},
			{"M, 1 thread, AVX2", train(medium, "ternary", 0.1, 1, "QAT_KERNEL=avx2"), []peer{
				torch("ternary (AVX-512)", 0.82, medium, "ternary", 0.1, 0, 1)}},
			{"M float, 2 threads", train(medium, "float", 0.1, 2), []peer{
				torch("float", 0.55, medium, "float", 0.1, 0, 2)}},
			{"M ternary against float, 2 threads", train(medium, "ternary", 0.1, 2), []peer{
				{"ours, float", train(medium, "float", 0.1, 2), 0.90}}},
			{"S, 1 thread", train(small, "ternary", 0.1, 1), []peer{
				torch("float", 0.20, small, "float", 0.1, 0, 1), torch("ternary", 0.20, small, "ternary", 0.1, 0, 1)}},
			{"L, 2 threads", train(large, "ternary", 0.1, 2), []peer{
				torch("float", 0.45, large, "float", 0.1, 0, 2), torch("ternary", 0.45, large, "ternary", 0.1, 0, 2)}},
		},
	}, {
		"Inference",
		"Sequences of a whole window, ternary unless it says otherwise; ONNX Runtime runs the same float model and its dynamically quantized form, as exported and with the last block trimmed as ours is.",
		[]comparison{
			{"M, batch 1, 1 thread", predict(medium, "ternary", 1, 1, "avx512"), []peer{
				onnx("int8", 0.60, medium, "int8", 1, 1), onnx("int8, trimmed", 0, medium, "int8_trim", 1, 1),
				onnx("float", 0.25, medium, "fp32", 1, 1), onnx("float, trimmed", 0, medium, "fp32_trim", 1, 1)}},
			{"M, batch 32, 1 thread", predict(medium, "ternary", 32, 1, "avx512"), []peer{
				onnx("int8", 0.50, medium, "int8", 32, 1), onnx("int8, trimmed", 0, medium, "int8_trim", 32, 1)}},
			{"M, batch 32, 2 threads", predict(medium, "ternary", 32, 2, "avx512"), []peer{
				onnx("int8", 0.50, medium, "int8", 32, 2), onnx("int8, trimmed", 0, medium, "int8_trim", 32, 2)}},
			{"S, batch 1, 1 thread", predict(small, "ternary", 1, 1, "avx512"), []peer{
				onnx("int8", 0.50, small, "int8", 1, 1), onnx("int8, trimmed", 0, small, "int8_trim", 1, 1), onnx("float", 0, small, "fp32", 1, 1)}},
			{"M, batch 1, 1 thread, AVX2", predict(medium, "ternary", 1, 1, "avx2"), []peer{
				onnx("int8 (AVX-512)", 1.20, medium, "int8", 1, 1)}},
			{"M binary, batch 32", predict(medium, "binary", 32, 1, "avx512"), []peer{{"ours, ternary", predict(medium, "ternary", 32, 1, "avx512"), 1.15}}},
			{"M int4, batch 32", predict(medium, "int4", 32, 1, "avx512"), []peer{{"ours, ternary", predict(medium, "ternary", 32, 1, "avx512"), 1.15}}},
			{"M int8, batch 32", predict(medium, "int8", 32, 1, "avx512"), []peer{{"ours, ternary", predict(medium, "ternary", 32, 1, "avx512"), 1.15}}},
		},
	}}
}
