package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/train"
)

// The files of a run directory that say how the run was made and how it went.
const (
	configFile     = "config.json"
	metricsFile    = "metrics.jsonl" // a line an epoch, as the run goes
	metricsCSVFile = "metrics.csv"
	reportFile     = "report.html"
)

// runConfig is config.json: everything as used, what the data decided filled in.
type runConfig struct {
	Command string         `json:"command"`
	Config  train.Config   `json:"config"`
	Data    dataset.Source `json:"data"`
}

func (c runConfig) write(dir string) error {
	return checkpoint.WriteFileAtomic(filepath.Join(dir, configFile), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(c)
	})
}

// readRunConfig reads a file that write wrote.
func readRunConfig(path string) (c runConfig, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if _, err := c.read(b); err != nil {
		return c, fmt.Errorf("%s%w", path, err)
	}
	return c, nil
}

// read reads what write wrote, or what somebody wrote or changed: a name that it does
// not know is an error. What a run wrote says everything. A file without a command is
// partial: it goes over what c has.
func (c *runConfig) read(b []byte) (partial bool, err error) {
	from := runConfig{}
	if err := decodeStrictly(b, &from); err != nil {
		return false, err
	}
	if from.Command == "" {
		return true, decodeStrictly(b, c)
	}
	*c = from
	return false, nil
}

// decodeStrictly decodes one JSON value and nothing else. Its errors begin with the
// place, to be put behind the file's name.
func decodeStrictly(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	at := d.InputOffset()
	if err == nil {
		if _, end := d.Token(); end == io.EOF {
			return nil
		}
		err = errors.New("saw more after the end, want one object")
	}
	var wrong *json.UnmarshalTypeError
	var malformed *json.SyntaxError
	switch {
	case errors.As(err, &wrong):
		want := wrong.Type.String()
		if wrong.Type.Kind() == reflect.Struct {
			want = "an object"
		}
		at, err = wrong.Offset, fmt.Errorf("%ssaw a %s, want %s", prefix(wrong.Field, ": "), wrong.Value, want)
	case errors.As(err, &malformed):
		at = malformed.Offset
	case errors.Is(err, io.EOF):
		return errors.New(": saw an empty file, want a JSON object")
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		// The decoder does not say where; the first of that name is likely it.
		name := strings.TrimPrefix(err.Error(), "json: unknown field ")
		at, err = int64(bytes.Index(b, []byte(name)))+1, fmt.Errorf("there is no setting %s", name)
	}
	before := b[:min(max(at-1, 0), int64(len(b)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	return fmt.Errorf(": line %d, column %d: %w", line, len(before)-bytes.LastIndexByte(before, '\n'), err)
}

// prefix is name with what stands behind it, if there is a name.
func prefix(name, behind string) string {
	if name == "" {
		return ""
	}
	return name + behind
}

// argsKey is where a context keeps the command line.
type argsKey struct{}

func withArgs(ctx context.Context, args []string) context.Context {
	return context.WithValue(ctx, argsKey{}, args)
}

// commandLine is the command as it was typed, quoted for a shell.
func commandLine(ctx context.Context) string {
	words := []string{"qat"}
	args, _ := ctx.Value(argsKey{}).([]string)
	for _, a := range args {
		words = append(words, shellQuote(a))
	}
	return strings.Join(words, " ")
}

// shellQuote quotes a word for a POSIX shell, if it needs that.
func shellQuote(s string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=,:+@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// metricsLog writes metrics.jsonl while a run goes on.
type metricsLog struct {
	f    *os.File
	have int // epochs written
}

// openMetrics replaces the file by the epochs that have ended, which cuts off what
// a killed run wrote after its last checkpoint, and leaves it open for the next.
func openMetrics(dir string, history []train.Epoch) (*metricsLog, error) {
	path := filepath.Join(dir, metricsFile)
	err := checkpoint.WriteFileAtomic(path, func(w io.Writer) error {
		for _, e := range history {
			writeJSON(w, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return &metricsLog{f, len(history)}, err
}

// add appends the epochs of history that are not in the file.
func (l *metricsLog) add(history []train.Epoch) error {
	for ; l.have < len(history); l.have++ {
		line, err := json.Marshal(history[l.have])
		if err != nil {
			return err
		}
		if _, err := l.f.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func (l *metricsLog) close() error { return l.f.Close() }

// writeMetricsCSV writes a row an epoch. What there is not is left empty; the
// flip rates have a column a weight.
func writeMetricsCSV(path string, weights []string, history []train.Epoch) error {
	head := []string{"epoch", "step", "learning_rate"}
	measures := func(prefix string) []string { return []string{prefix + "loss", prefix + "accuracy"} }
	if len(history) > 0 && history[0].Training.Regression() {
		measures = func(prefix string) []string {
			return []string{prefix + "loss", prefix + "rmse", prefix + "mae", prefix + "r2"}
		}
	}
	head = append(append(head, measures("")...), measures("validation_")...)
	for _, name := range weights {
		head = append(head, "flip_rate."+name)
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	values := func(m *train.Metrics) []string {
		switch {
		case m == nil:
			return make([]string, len(measures("")))
		case m.Regression():
			return []string{number(m.Loss), number(m.RMSE), number(m.MAE), number(m.R2)}
		}
		return []string{number(m.Loss), number(m.Accuracy)}
	}
	return checkpoint.WriteFileAtomic(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		errs := []error{c.Write(head)}
		for _, e := range history {
			row := []string{strconv.Itoa(e.Epoch), strconv.Itoa(e.Step), number(e.LearnRate)}
			row = append(append(row, values(&e.Training)...), values(e.Validation)...)
			for i := range weights {
				cell := ""
				if i < len(e.FlipRates) {
					cell = number(e.FlipRates[i])
				}
				row = append(row, cell)
			}
			errs = append(errs, c.Write(row))
		}
		c.Flush()
		return errors.Join(append(errs, c.Error())...)
	})
}
