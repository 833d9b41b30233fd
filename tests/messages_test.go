package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gap stands in a message for what differs from one time to the next.
const gap = "…"

var verb = regexp.MustCompile(`%[-+#0-9.]*[a-zA-Z]`)

// wording is what an expression of text always says, with a gap for each part that is only known when it runs.
func wording(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.ParenExpr:
		return wording(e.X)
	case *ast.BinaryExpr:
		return wording(e.X) + wording(e.Y)
	case *ast.CallExpr:
		if name := called(e); name == "Sprintf" && len(e.Args) > 0 {
			return strings.ReplaceAll(verb.ReplaceAllString(wording(e.Args[0]), gap), "%%", "%")
		} else if name == "shorten" {
			return wording(e.Args[0])
		}
	}
	return gap
}

// called is the name of the function that a call names.
func called(e *ast.CallExpr) string {
	switch f := e.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// headlines are how the messages of outcomes begin.
var headlines = map[string]string{"Halted": "HALTED at " + gap + ": act now. ", "Frozen": "FROZEN at " + gap + ": decide now. "}

// silent are the texts of evidence that is well, which no message ends with, and of one whose other half is read by itself.
var silent = []string{"the probes do not reach the candidate: …", "… of … tasks run", "… failed", "… failed since the step began", "quiet"}

// messages are the texts with which shiftfn ends a job, or the reasons within them, as its source has them.
func messages(t *testing.T) []string {
	t.Helper()
	var found []string
	add := func(prefix string, e ast.Expr) {
		text := wording(e)
		if strings.Trim(text, gap+" .:;,()") != "" && !slices.Contains(silent, text) {
			found = append(found, prefix+text)
		}
	}
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			switch last := len(n.Args) - 1; called(n) {
			case "fail":
				add("", n.Args[last])
			case "end":
				outcome, _ := n.Args[0].(*ast.Ident)
				if len(n.Args) == 2 && outcome != nil && outcome.Name != "Superseded" {
					add(headlines[outcome.Name], n.Args[last])
				}
			case "Refuse", "Return", "Abandon":
				add("", n.Args[last])
			}
		case *ast.AssignStmt:
			if n.Tok != token.ASSIGN {
				return true // more behind a text that is told already
			}
			for i, to := range n.Lhs {
				if field, ok := to.(*ast.SelectorExpr); ok && slices.Contains([]string{"Text", "Mismatch", "refusal", "Reason"}, field.Sel.Name) && i < len(n.Rhs) {
					add("", n.Rhs[i])
				}
			}
		case *ast.KeyValueExpr:
			if name, ok := n.Key.(*ast.Ident); ok && slices.Contains([]string{"Text", "Refusal"}, name.Name) {
				add("", n.Value)
			}
		case *ast.FuncDecl:
			if !slices.Contains([]string{"count", "stranger", "astray", "Headline"}, n.Name.Name) || n.Body == nil {
				return true
			}
			prefix := map[string]string{"stranger": "the probes do not reach the candidate: ", "astray": "the probes do not reach the candidate: "}[n.Name.Name]
			ast.Inspect(n.Body, func(n ast.Node) bool {
				if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) > 0 {
					add(prefix, r.Results[0])
				}
				return true
			})
		}
		return true
	}
	for _, folder := range []string{"rollout", "controller", "handler", "adapter"} {
		files, err := filepath.Glob(filepath.Join(root, "shiftfn", folder, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			require.NoError(t, err)
			ast.Inspect(source, visit)
		}
	}
	return found
}

// documented are the messages that the runbook explains.
func documented(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## What shiftfn says, and what to do\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var all []string
	for line := range strings.Lines(section) {
		cell, found := strings.CutPrefix(line, "| `")
		if !found || strings.Contains(line, "(CodePipeline)") {
			continue
		}
		cell, _, _ = strings.Cut("`"+cell, " |")
		for i, text := range strings.Split(cell, "`") {
			if i%2 == 1 {
				all = append(all, text)
			}
		}
	}
	return all
}

// explains tells whether a row's message is that of the source: what it says stands there in the same order, whole up to
// where the row leaves something out.
func explains(row, message string) bool {
	at := 0
	for piece := range strings.SplitSeq(row, gap) {
		if piece = strings.TrimSpace(piece); piece == "" {
			continue
		}
		i := strings.Index(message[at:], piece)
		if i < 0 {
			return false
		}
		at += i + len(piece)
	}
	return len(strings.ReplaceAll(row, gap, "")) >= 6
}

func TestTheRunbookExplainsEveryMessageAndNoOther(t *testing.T) {
	said, rows := messages(t), documented(t)
	require.Greater(t, len(said), 40, "the source is not read as it should be")
	for _, message := range said {
		assert.True(t, slices.ContainsFunc(rows, func(row string) bool { return explains(row, message) }), "docs/operations.md does not explain: %s", message)
	}
	for _, row := range rows {
		assert.True(t, slices.ContainsFunc(said, func(message string) bool { return explains(row, message) }), "shiftfn does not say what docs/operations.md explains: %s", row)
	}
}
