package qat_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestREADMEExample holds the README's example to Example_trainingLoop, which is
// compiled and run.
func TestREADMEExample(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "example_test.go", source, parser.ParseComments)
	require.NoError(t, err)
	var body string
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Example_trainingLoop" {
			body = string(source[fset.Position(f.Body.Lbrace).Offset+1 : fset.Position(f.Body.Rbrace).Offset])
		}
	}
	require.NotEmpty(t, body)
	body, _, _ = strings.Cut(body, "\t// Output:")
	var lines []string
	for l := range strings.SplitSeq(strings.Trim(body, "\n"), "\n") {
		lines = append(lines, strings.TrimPrefix(l, "\t"))
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, spec := range file.Imports {
		if strings.HasSuffix(spec.Path.Value, `assert"`) || strings.HasSuffix(spec.Path.Value, `require"`) {
			continue
		}
		assert.Contains(t, string(readme), spec.Path.Value, "an import of the example")
	}
	assert.Contains(t, string(readme), "```go\n"+strings.TrimRight(strings.Join(lines, "\n"), "\n")+"\n```\n")
}

// TestCIRunsTheREADMEsTestCommand keeps the two from drifting apart.
func TestCIRunsTheREADMEsTestCommand(t *testing.T) {
	for _, file := range []string{"README.md", ".ci/run"} {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Contains(t, string(b), "go test ./...\n", file)
	}
}
