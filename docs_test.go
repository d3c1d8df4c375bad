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

// TestREADMEExamples holds the README's examples to examples that are compiled and run.
func TestREADMEExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for name, path := range map[string]string{"Example_trainingLoop": "example_test.go", "ExampleRead": "infer/example_test.go"} {
		body, imports := exampleOf(t, path, name)
		for _, i := range imports {
			assert.Contains(t, string(readme), i, "an import of %s", name)
		}
		assert.Contains(t, string(readme), "```go\n"+body+"\n```\n", name)
	}
}

// exampleOf is the body of an example, less its output, and the file's imports.
func exampleOf(t *testing.T, path, name string) (body string, imports []string) {
	t.Helper()
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, source, parser.ParseComments)
	require.NoError(t, err)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == name {
			body = string(source[fset.Position(f.Body.Lbrace).Offset+1 : fset.Position(f.Body.Rbrace).Offset])
		}
	}
	require.NotEmpty(t, body)
	body, _, _ = strings.Cut(body, "\t// Output:")
	var lines []string
	for l := range strings.SplitSeq(strings.Trim(body, "\n"), "\n") {
		lines = append(lines, strings.TrimPrefix(l, "\t"))
	}
	for _, spec := range file.Imports {
		imports = append(imports, spec.Path.Value)
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n"), imports
}

// TestCIRunsTheREADMEsTestCommand keeps the two from drifting apart.
func TestCIRunsTheREADMEsTestCommand(t *testing.T) {
	for _, file := range []string{"README.md", ".ci/run"} {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Contains(t, string(b), "go test ./...\n", file)
	}
}
