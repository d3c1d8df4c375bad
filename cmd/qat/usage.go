package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is the module's, as the go command saw it: a release, or a commit.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// noArgs refuses arguments, and at the root suggests the command that was meant.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasSubCommands():
		return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), didYouMean(args[0], commandNames(cmd)))
	}
	return fmt.Errorf("unexpected argument %q: %s takes flags alone", args[0], cmd.CommandPath())
}

// oneDir wants the directory of a run.
func oneDir(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d directories, want that of one run, as in: %s %s", len(args), cmd.CommandPath(), defaultDir)
	}
	return nil
}

// wanted is what the value of a flag must be, by the flag's type; of other types the
// value says it.
var wanted = map[string]string{
	"int": "a whole number", "uint64": "a whole number, 0 or more", "float64": "a number", "bool": "true or false", "duration": "a time such as 90s or 5m",
}

// explainFlag says what was wanted of a flag, and adds to the error of an unknown one
// those that are like it.
func explainFlag(cmd *cobra.Command, err error) error {
	var wrong *pflag.InvalidValueError
	if errors.As(err, &wrong) {
		flag := wrong.GetFlag()
		if want := wanted[flag.Value.Type()]; want != "" {
			return fmt.Errorf("--%s %q: want %s", flag.Name, wrong.GetValue(), want)
		}
		return fmt.Errorf("--%s: %w", flag.Name, wrong.Unwrap())
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	return fmt.Errorf("%w%s", err, didYouMean("--"+unknown.GetSpecifiedName(), names))
}

// didYouMean asks for those of names that are nearest to what was typed, if any is
// near.
func didYouMean(typed string, names []string) string {
	const near = 2 // letters that are wrong
	best := near
	var nearest []string
	for _, name := range names {
		d := distanceOf(typed, name)
		if strings.Contains(name, strings.TrimPrefix(typed, "--")) {
			d = min(d, near)
		}
		if d < best {
			best, nearest = d, nil
		}
		if d == best {
			nearest = append(nearest, name)
		}
	}
	if n := len(nearest); n == 0 || n > 3 { // what is near to much was not meant
		return ""
	}
	return ": did you mean " + strings.Join(nearest, " or ") + "?"
}

// commandNames are the commands under cmd.
func commandNames(cmd *cobra.Command) (names []string) {
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// distanceOf is how many letters to put in, take out or change make b of a.
func distanceOf(a, b string) int {
	row := make([]int, len(b)+1) // of a's beginning to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}

// helpCommand is qat help, which cobra's own does not fail for a command that there
// is not.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Say what a command does",
		Example: "  qat help train",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("no help for %q: it is no command%s", strings.Join(args, " "), didYouMean(args[0], commandNames(cmd.Root())))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// addCompletion adds cobra's commands for completion, with examples.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	i := slices.IndexFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == "completion" })
	all := root.Commands()[i]
	all.Short = "Write a script that completes commands and flags in a shell"
	all.Args, all.RunE = noArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	all.Example = `  source <(qat completion bash)
  qat completion fish > ~/.config/fish/completions/qat.fish`
	for _, c := range all.Commands() {
		c.Example = map[string]string{
			"bash":       "  source <(qat completion bash)",
			"zsh":        "  source <(qat completion zsh)",
			"fish":       "  qat completion fish | source",
			"powershell": "  qat completion powershell | Out-String | Invoke-Expression",
		}[c.Name()]
	}
}

// completeValues says what may stand behind flags.
func completeValues(cmd *cobra.Command, values map[string][]string, files map[string][]string, dirs ...string) {
	var errs []error
	for name, list := range values {
		errs = append(errs, cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)))
	}
	for name, extensions := range files {
		errs = append(errs, cmd.MarkFlagFilename(name, extensions...))
	}
	for _, name := range dirs {
		errs = append(errs, cmd.MarkFlagDirname(name))
	}
	if err := errors.Join(errs...); err != nil {
		panic(err) // a flag that there is not
	}
}
