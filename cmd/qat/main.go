// Command qat trains quantized sequence transformers and evaluates them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit statuses.
const (
	statusOK          = 0
	statusFailed      = 1   // the work failed
	statusUsage       = 2   // the command line is wrong
	statusInterrupted = 130 // as a shell reports Ctrl-C
)

// run is main without the process: it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	out := &output{Writer: stdout}
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(withArgs(ctx, args))
	var failed *failure
	var stopped *interruption
	if err == nil && out.err != nil {
		err = work(fmt.Errorf("writing the output: %w", out.err))
	}
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &stopped):
		fmt.Fprintln(stderr, "qat:", stopped)
		return statusInterrupted
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "qat: interrupted; nothing was saved")
		return statusInterrupted
	case errors.As(err, &failed):
		fmt.Fprintln(stderr, "qat:", inFlags(failed.error))
		return statusFailed
	}
	fmt.Fprintf(stderr, "qat: %v\nRun 'qat --help' for the commands and flags.\n", inFlags(err))
	return statusUsage
}

// output remembers the first write that failed, so that a full disk is not success.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// optionName is how the library names an option in an error.
var optionName = regexp.MustCompile(`\bWith(HiddenSize|NumHeads|NumLayers|Dropout|Quantize|LayerMode|Granularity|Numerics|Activations|STE|Pooling|Positions|BatchSize|WindowSize)\b`)

// inFlags is an error's text with flags in place of the library's options.
func inFlags(err error) string {
	text := strings.TrimPrefix(err.Error(), "qat: ")
	return optionName.ReplaceAllStringFunc(text, func(name string) string {
		switch name {
		case "WithSTE":
			return "--ste"
		case "WithLayerMode":
			return "--quantize"
		}
		var flag strings.Builder
		flag.WriteByte('-')
		for _, r := range strings.TrimPrefix(name, "With") {
			if unicode.IsUpper(r) {
				flag.WriteByte('-')
			}
			flag.WriteRune(unicode.ToLower(r))
		}
		return flag.String()
	})
}

// failure is an error of the work, not of the command line.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// work wraps what a command does once its flags are judged.
func work(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "qat",
		Short: "Train quantized sequence transformers",
		Long: `qat trains small sequence transformers whose weights are quantized while they
train, to 1, 1.58, 4 or 8 bits.`,
		Example: `  qat train                          # ternary, on the embedded digits
  qat train --quantize int4 -o run4
  qat eval run4
  qat compare --modes float,ternary --seeds 3`,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	new(consoleFlags).register(root)
	root.AddCommand(trainCommand(), evalCommand(), compareCommand(), datasetsCommand())
	return root
}
