package infer_test

import (
	"bytes"
	_ "embed"
	"fmt"
	"log"

	"github.com/qat-go/qat/infer"
)

//go:embed testdata/binary.qat
var file []byte

func ExampleRead() {
	model, err := infer.Read(bytes.NewReader(file))
	if err != nil {
		log.Fatal(err)
	}
	x := make([]float32, 9*model.Channels()) // nine steps, one behind another
	for i := range x {
		x[i] = float32(i%5) - 2
	}
	out, err := model.Predict(nil, x)
	if err != nil {
		log.Fatal(err)
	}
	label, _, err := model.Label(out)
	if err != nil {
		log.Fatal(err)
	}
	probabilities, err := model.Probabilities(nil, out)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, of %q: %.3f\n", label, model.Classes(), probabilities)
	// Output: none, of ["left" "none" "right"]: [0.355 0.470 0.175]
}
