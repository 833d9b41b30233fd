// Command mutation plants bugs into the rules, one at a time, and reports those that no test catches.
//
//	go run ./tests/mutation [--packages "./shiftfn/rollout ./shiftfn/controller"] [--tests "./shiftfn/rollout ./shiftfn/controller"] [--survivors FILE]
//
// A survivor that is written down in the survivors' file, with its reason, is known; any other makes the run fail. So does a
// reason whose bug is caught or does not exist any more.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	packages := flag.String("packages", "./shiftfn/rollout ./shiftfn/controller", "the folders of the packages that bugs are planted into")
	tests := flag.String("tests", "./shiftfn/rollout ./shiftfn/controller", "the packages whose tests must catch them, the quickest first")
	survivors := flag.String("survivors", "tests/mutation/survivors.txt", "the known survivors, each with its reason")
	jobs := flag.Int("jobs", 2, "how many bugs are tried at once")
	only := flag.String("only", "", "try just the bugs whose description contains this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	known, err := readSurvivors(*survivors)
	if err == nil {
		err = run(ctx, strings.Fields(*packages), strings.Fields(*tests), known, *jobs, *only)
	}
	switch {
	case ctx.Err() != nil:
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

// bug is one planted change.
type bug struct {
	file string
	// what names the place and the change so that it outlives changes elsewhere: file, function, old → new, and its number
	// among those that read the same.
	what   string
	line   int
	source []byte
	fate   fate
}

type fate string

const (
	caught   fate = "caught"
	survived fate = "survived"
	invalid  fate = "does not compile"
)

func run(ctx context.Context, packages, tests []string, known map[string]string, jobs int, only string) error {
	var bugs []*bug
	for _, pkg := range packages {
		more, err := plant(pkg)
		if err != nil {
			return err
		}
		bugs = append(bugs, more...)
	}
	bugs = slices.DeleteFunc(bugs, func(b *bug) bool { return !strings.Contains(b.what, only) })
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var mu sync.Mutex
	var done int
	var failed error
	var workers sync.WaitGroup
	queue := make(chan *bug)
	for n := range max(1, jobs) {
		workers.Go(func() {
			own := filepath.Join(dir, strconv.Itoa(n))
			for b := range queue {
				f, err := try(ctx, b, own, tests)
				mu.Lock()
				b.fate = f
				if err != nil {
					failed = err
				}
				done++
				if f == survived || done%25 == 0 {
					fmt.Fprintf(os.Stderr, "%d of %d: %s %s\n", done, len(bugs), f, b.what)
				}
				mu.Unlock()
			}
		})
	}
	for _, b := range bugs {
		if ctx.Err() != nil {
			break
		}
		queue <- b
	}
	close(queue)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return report(bugs, known, only == "")
}

func report(bugs []*bug, known map[string]string, whole bool) error {
	count := map[fate]int{}
	var unknown, stale []string
	for _, b := range bugs {
		count[b.fate]++
		reason, argued := known[b.what]
		switch {
		case b.fate == survived && argued:
			fmt.Printf("known survivor   %s (line %d)\n                 because %s\n", b.what, b.line, reason)
		case b.fate == survived:
			unknown = append(unknown, fmt.Sprintf("%s (line %d)", b.what, b.line))
		case argued:
			stale = append(stale, fmt.Sprintf("%s: %s", b.what, b.fate))
		}
		delete(known, b.what)
	}
	if whole {
		for what := range known {
			stale = append(stale, what+": there is no such place any more")
		}
	}
	fmt.Printf("%d bugs planted: %d caught, %d survived, %d did not compile\n", len(bugs)-count[invalid], count[caught], count[survived], count[invalid])
	for _, what := range unknown {
		fmt.Println("SURVIVED         " + what)
	}
	for _, what := range stale {
		fmt.Println("no survivor      " + what)
	}
	if len(unknown)+len(stale) > 0 {
		return fmt.Errorf("%d bugs that no test catches, %d reasons for bugs that are no survivors", len(unknown), len(stale))
	}
	return nil
}

// try compiles the tests with the bug in place of the real file and runs them until one package fails.
func try(ctx context.Context, b *bug, dir string, tests []string) (fate, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	mutant, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	real, err := filepath.Abs(b.file)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{real: mutant}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(mutant, b.source, 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", err
	}
	for _, pkg := range tests {
		binary := filepath.Join(dir, "tests")
		if out, err := exec.CommandContext(ctx, "go", "test", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-c", "-o", binary, pkg).CombinedOutput(); err != nil {
			if bytes.Contains(out, []byte("mutant.go")) || bytes.Contains(out, []byte(filepath.Base(b.file)+":")) {
				return invalid, nil
			}
			return "", fmt.Errorf("%s: %s", b.what, out)
		}
		// A bug may make a test run for ever: that is caught as well.
		running, cancel := context.WithTimeout(ctx, 2*time.Minute)
		command := exec.CommandContext(running, binary, "-test.short", "-test.failfast")
		command.Dir = pkg
		err := command.Run()
		cancel()
		if err != nil {
			return caught, nil
		}
	}
	return survived, nil
}

func readSurvivors(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		what, reason, found := strings.Cut(line, " -- ")
		if !found || reason == "" {
			return nil, fmt.Errorf("%s:%d: a survivor is written as: place -- reason", path, i+1)
		}
		known[what] = reason
	}
	return known, nil
}

// plant lists every bug of the package, each with the whole changed file.
func plant(pkg string) ([]*bug, error) {
	files, err := filepath.Glob(filepath.Join(pkg, "*.go"))
	if err != nil {
		return nil, err
	}
	var bugs []*bug
	same := map[string]int{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		p := planter{set: set, tree: tree}
		p.plant = func(node ast.Node, old, new string, change, restore func()) {
			change()
			var source bytes.Buffer
			err := printer.Fprint(&source, set, tree)
			restore()
			if err != nil {
				return // the changed tree is no program
			}
			what := fmt.Sprintf("%s %s: %s → %s", filepath.Base(file), p.function, oneLine(old), oneLine(new))
			if same[what]++; same[what] > 1 {
				what = fmt.Sprintf("%s #%d", what, same[what])
			}
			bugs = append(bugs, &bug{file: file, what: what, line: set.Position(node.Pos()).Line, source: source.Bytes()})
		}
		p.file()
	}
	return bugs, nil
}

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 90 {
		text = string(runes[:89]) + "…"
	}
	return text
}

type planter struct {
	set      *token.FileSet
	tree     *ast.File
	function string
	plant    func(node ast.Node, old, new string, change, restore func())
}

func (p *planter) text(node ast.Node) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, p.set, node); err != nil {
		return fmt.Sprintf("%T", node)
	}
	return b.String()
}

func (p *planter) file() {
	for _, declaration := range p.tree.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		// What is only said to people is proven by reading it.
		if !ok || f.Body == nil || f.Name.Name == "String" || f.Name.Name == "words" {
			continue
		}
		p.function = f.Name.Name
		ast.Inspect(f.Body, p.visit)
	}
}

var swaps = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR, token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LAND: token.LOR, token.LOR: token.LAND, token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
}

var names = map[string]string{
	"Blue": "Green", "Green": "Blue", "Pass": "Fail", "Fail": "Pass", "true": "false", "false": "true", "min": "max", "max": "min",
	"Promoted": "RolledBack", "RolledBack": "Promoted", "Halted": "Frozen", "Frozen": "Halted", "Starting": "Probing", "Probing": "Shifting",
	"Weight": "Writing", "Writing": "Weight", "Since": "Started", "Started": "Since", "Turned": "Since", "Healthy": "Unhealthy", "Desired": "Running",
	"LeaseMine": "LeaseUnknown", "certain": "likely", "likely": "certain", "Grace": "Lag", "Reserve": "Hold", "Failures": "Unknowns", "Unknowns": "Failures",
	"whole": "sound", "sound": "whole", "late": "slow", "slow": "late", "baked": "late", "failed": "late", "idle": "live", "live": "idle", "Errors": "Requests", "Count": "WatchCount",
}

func (p *planter) visit(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.CallExpr:
		if s, ok := n.Fun.(*ast.SelectorExpr); ok {
			switch from, _ := s.X.(*ast.Ident); {
			case from != nil && (from.Name == "fmt" || from.Name == "strings" || from.Name == "strconv"), s.Sel.Name == "add":
				return false // words
			case s.Sel.Name == "Stable" && len(n.Args) == 0:
				// The colours swapped: ask for the candidate where the stable side is meant.
				old := n.Fun
				p.plant(n, p.text(n), p.text(s.X)+".Candidate.Other().Other()",
					func() { n.Fun = other(other(&ast.SelectorExpr{X: s.X, Sel: ast.NewIdent("Candidate")})) }, func() { n.Fun = old })
			}
		}
	case *ast.SelectorExpr:
		if n.Sel.Name == "Candidate" {
			old := n.Sel
			p.plant(n, p.text(n), p.text(n)+".Other()", func() { n.Sel = ast.NewIdent("Candidate.Other()") }, func() { n.Sel = old })
		}
	case *ast.BinaryExpr:
		if with, ok := swaps[n.Op]; ok && !said(n) {
			old := n.Op
			p.plant(n, p.text(n), p.text(n.X)+" "+with.String()+" "+p.text(n.Y), func() { n.Op = with }, func() { n.Op = old })
		}
	case *ast.IfStmt:
		p.negate(n.Cond, func(e ast.Expr) { n.Cond = e })
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			old := n.X
			p.plant(n, p.text(n), p.text(old), func() { n.X = &ast.UnaryExpr{Op: token.NOT, X: &ast.ParenExpr{X: old}} }, func() { n.X = old })
		}
	case *ast.CaseClause:
		for i, e := range n.List {
			if condition(e) {
				p.negate(e, func(e ast.Expr) { n.List[i] = e })
			}
		}
		p.drop(n.Body)
	case *ast.BlockStmt:
		p.drop(n.List)
	case *ast.BasicLit:
		if n.Kind == token.INT {
			old := n.Value
			if value, err := strconv.Atoi(strings.ReplaceAll(old, "_", "")); err == nil {
				p.plant(n, old, strconv.Itoa(value+1), func() { n.Value = strconv.Itoa(value + 1) }, func() { n.Value = old })
			}
		}
	case *ast.Ident:
		if with, ok := names[n.Name]; ok {
			old := n.Name
			p.plant(n, old, with, func() { n.Name = with }, func() { n.Name = old })
		}
	}
	return true
}

func other(e ast.Expr) ast.Expr {
	return &ast.SelectorExpr{X: &ast.CallExpr{Fun: e}, Sel: ast.NewIdent("Other")}
}

// said tells whether an addition joins texts.
func said(n *ast.BinaryExpr) bool {
	text := false
	ast.Inspect(n, func(node ast.Node) bool {
		if l, ok := node.(*ast.BasicLit); ok && l.Kind == token.STRING {
			text = n.Op == token.ADD
		}
		return true
	})
	return text
}

// condition tells whether a case is one of a switch without a value.
func condition(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return true
	case *ast.UnaryExpr:
		return e.Op == token.NOT
	case *ast.CallExpr:
		return true
	}
	return false
}

// negate turns a condition round, where no other bug does the same.
func (p *planter) negate(e ast.Expr, set func(ast.Expr)) {
	if b, ok := e.(*ast.BinaryExpr); ok && (b.Op == token.EQL || b.Op == token.NEQ) {
		return
	}
	if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.NOT {
		return
	}
	p.plant(e, p.text(e), "!("+p.text(e)+")", func() { set(&ast.UnaryExpr{Op: token.NOT, X: &ast.ParenExpr{X: e}}) }, func() { set(e) })
}

// drop leaves each statement out that can be left out.
func (p *planter) drop(list []ast.Stmt) {
	for i, s := range list {
		switch n := s.(type) {
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				continue
			}
		case *ast.ExprStmt, *ast.IncDecStmt:
		default:
			continue
		}
		old := list[i]
		p.plant(s, p.text(s), "nothing", func() { list[i] = &ast.EmptyStmt{Semicolon: s.Pos()} }, func() { list[i] = old })
	}
}
