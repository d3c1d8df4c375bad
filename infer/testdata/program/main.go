// Command program reads the model that it is given and predicts its standard input,
// as values in text: all that a program with infer needs.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/qat-go/qat/infer"
)

func run() error {
	m, err := infer.Open(os.Args[1])
	if err != nil {
		return err
	}
	var x []float32
	for {
		var v float32
		if _, err := fmt.Scan(&v); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		x = append(x, v)
	}
	y, err := m.Predict(nil, x)
	if err != nil {
		return err
	}
	label, _, err := m.Label(y)
	if err != nil {
		return err
	}
	_, err = fmt.Println(label, y)
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
