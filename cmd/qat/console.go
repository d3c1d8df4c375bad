package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// console is what a command says things through.
type console struct {
	io.Writer      // standard output
	terminal  bool // a person is looking at it
	quiet     bool // the result alone
	color     bool
	log       *slog.Logger // to standard error
}

// consoleKey is where a context keeps the console's flags.
type consoleKey struct{}

// consoleFlags are the flags that every command has.
type consoleFlags struct{ quiet, verbose, logJSON bool }

func (f *consoleFlags) register(cmd *cobra.Command) {
	cmd.PersistentFlags().BoolVarP(&f.quiet, "quiet", "q", false, "print the result alone, without progress")
	cmd.PersistentFlags().BoolVarP(&f.verbose, "verbose", "v", false, "log what is done on the way to standard error")
	cmd.PersistentFlags().BoolVar(&f.logJSON, "log-json", false, "log as JSON")
	cmd.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		cmd.SetContext(context.WithValue(cmd.Context(), consoleKey{}, f))
	}
}

// newConsole is the command's.
func newConsole(cmd *cobra.Command) *console {
	f, ok := cmd.Context().Value(consoleKey{}).(*consoleFlags)
	if !ok {
		f = &consoleFlags{}
	}
	c := &console{Writer: cmd.OutOrStdout(), quiet: f.quiet}
	to := c.Writer
	if o, ok := to.(*output); ok {
		to = o.Writer
	}
	if file, ok := to.(*os.File); ok {
		c.terminal = term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
	}
	c.color = c.terminal && wantsColor(os.LookupEnv)
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if f.logJSON {
		c.log = slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), options))
	} else {
		c.log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), options))
	}
	return c
}

// wantsColor follows https://no-color.org and terminals that have none.
func wantsColor(env func(string) (string, bool)) bool {
	if v, _ := env("NO_COLOR"); v != "" {
		return false
	}
	v, _ := env("TERM")
	return v != "dumb"
}

// strong is bold where there is color.
func (c *console) strong(text string) string {
	if !c.color {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}
