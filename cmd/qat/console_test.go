package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWantsColor(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"TERM": "xterm"}, true},
		{map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		{map[string]string{"TERM": "xterm", "NO_COLOR": ""}, true},
		{map[string]string{"TERM": "dumb"}, false},
	} {
		assert.Equal(t, c.want, wantsColor(func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }), "%v", c.env)
	}
	assert.Equal(t, "x", (&console{}).strong("x"))
	assert.Equal(t, "\x1b[1mx\x1b[0m", (&console{color: true}).strong("x"))
}

func TestQuietAndVerbose(t *testing.T) {
	dir := t.TempDir()
	status, out, errs := command(append([]string{"train", "--quiet", "-o", dir}, quick...)...)
	require.Equal(t, statusOK, status)
	assert.Empty(t, errs)
	assert.True(t, strings.HasPrefix(out, "test accuracy"), out)
	assert.NotContains(t, out, "epoch ")
	status, result, errs := command("eval", dir, "-q")
	require.Equal(t, statusOK, status, errs)
	assert.True(t, strings.HasPrefix(out, result), "the same, and nothing more: %s", result)

	status, out, errs = command(append([]string{"train", "--quiet", "--json", "-o", t.TempDir()}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, 1, strings.Count(out, "\n"), "the result alone")

	status, _, errs = command(append([]string{"train", "-v", "--checkpoint-steps", "20", "-o", t.TempDir()}, quick...)...)
	require.Equal(t, statusOK, status)
	assert.Contains(t, errs, `level=INFO msg="saving a checkpoint"`)
	assert.Contains(t, errs, "step=20")
	status, _, errs = command(append([]string{"train", "-v", "--log-json", "--checkpoint-steps", "20", "-o", t.TempDir()}, quick...)...)
	require.Equal(t, statusOK, status)
	assert.Contains(t, errs, `"msg":"saving a checkpoint"`)
}
