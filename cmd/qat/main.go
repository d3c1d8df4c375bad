// Command qat trains quantized sequence transformers and evaluates them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"

	"github.com/qat-go/qat/dataset"
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
	ctx, interrupts := withInterrupts(context.Background(), stderr)
	defer interrupts.stop()
	out := &output{Writer: stdout}
	root := rootCommand(out)
	root.SetArgs(args)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(withArgs(ctx, args))
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
	case errors.As(err, &failed):
		fmt.Fprintln(stderr, "qat:", inFlags(failed.error))
		if try := remedy(err); try != "" {
			fmt.Fprintln(stderr, "Try", try)
		}
		return statusFailed
	}
	fmt.Fprintf(stderr, "qat: %v\nRun '%s --help' for what it takes.\n", inFlags(err), cmd.CommandPath())
	return statusUsage
}

// remedy says by which flags to mend an error of the library, which does not know
// them; empty if there are none.
func remedy(err error) string {
	switch {
	case errors.Is(err, dataset.ErrOverlap):
		return "--group with the column of a subject or session, --split time, a --stride of the --window, or --split series --leak-overlaps for a number that is partly memory."
	case errors.Is(err, dataset.ErrLeak):
		return "--test with files of other subjects or sessions, or --leak-overlaps for a number that is partly memory."
	case errors.Is(err, dataset.ErrNoGroups):
		return "--group with the column of a subject or session."
	case errors.Is(err, dataset.ErrNothingToLearn):
		return "--label with the column of a class, or --target with one of numbers; of NumPy arrays, y."
	case errors.Is(err, dataset.ErrNumbers):
		return "--target with that column, in place of --label."
	case errors.Is(err, errRowIsSeries):
		return "--window with the number of rows of a window, if each row is a time step of a recording."
	}
	return ""
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

// misuse is an error of the command line that shows only in the work.
type misuse struct{ error }

func (m *misuse) Unwrap() error { return m.error }

// work wraps what a command does once its flags are judged.
func work(err error) error {
	var wrong *misuse
	if err == nil || errors.As(err, &wrong) {
		return err
	}
	return &failure{err}
}

// rootCommand is qat; it writes to out.
func rootCommand(out io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "qat",
		Short: "Train quantized sequence transformers",
		Long: `qat trains small sequence transformers whose weights are quantized while they
train, to 1, 1.58, 4 or 8 bits.`,
		Example: `  qat train                          # ternary, on the embedded digits
  qat train --quantize int4 -o run4
  qat train --data mine.csv --label activity --group session --window 60 --stride 15
  qat datasets mine.csv              # what it holds, and what train would do with it
  qat eval run4
  qat predict run4/model.qat --input new.csv
  qat inspect run4/model.qat
  qat compare --modes float,ternary --seeds 3`,
		Args:          noArgs,
		Version:       version(),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(out) // first of all: the commands for completion take it as it is
	new(consoleFlags).register(root)
	root.AddCommand(trainCommand(), evalCommand(), exportCommand(), importCommand(), predictCommand(), inspectCommand(), compareCommand(), datasetsCommand(), benchCommand())
	root.SetFlagErrorFunc(explainFlag)
	root.SetHelpCommand(helpCommand())
	addCompletion(root)
	return root
}
