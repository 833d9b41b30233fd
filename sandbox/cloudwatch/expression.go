package cloudwatch

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/scanner"
	"time"
)

// series is a metric-math value: numbers at moments (Unix seconds), or one number for every moment.
type series struct {
	at       map[int64]float64
	scalar   float64
	constant bool
}

func constant(v float64) series { return series{scalar: v, constant: true} }

// value returns the value at a moment, false where there is none.
func (s series) value(moment int64) (float64, bool) {
	if s.constant {
		return s.scalar, true
	}
	v, ok := s.at[moment]
	return v, ok
}

// sorted returns moments and values, oldest first.
func (s series) sorted() ([]time.Time, []float64) {
	var times []time.Time
	var values []float64
	for _, moment := range slices.Sorted(maps.Keys(s.at)) {
		times, values = append(times, time.Unix(moment, 0).UTC()), append(values, s.at[moment])
	}
	return times, values
}

// combine applies an operation at every moment that all operands have a value for. A result that is no number is left out, as
// CloudWatch leaves out a division by zero.
func combine(of func(...float64) float64, operands ...series) series {
	moments := map[int64]bool{}
	all := true
	for _, o := range operands {
		all = all && o.constant
		for moment := range o.at {
			moments[moment] = true
		}
	}
	if all {
		moments[0] = true
	}
	result := series{at: map[int64]float64{}}
next:
	for moment := range moments {
		values := make([]float64, len(operands))
		for i, o := range operands {
			v, ok := o.value(moment)
			if !ok {
				continue next
			}
			values[i] = v
		}
		if v := of(values...); !math.IsNaN(v) && !math.IsInf(v, 0) {
			result.at[moment] = v
		}
	}
	if v, ok := result.at[0]; all && ok {
		return constant(v)
	}
	return result
}

// expression is a parsed metric-math expression. It is evaluated with the series that its identifiers stand for, over the
// moments of the query's periods, oldest first.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
type expression struct {
	text  string
	root  node
	names []string // identifiers, in order of appearance
}

type node func(env environment) series

type environment struct {
	named   map[string]series
	moments []int64
}

// parseExpression reads + - * / ^, comparisons, AND, OR, parentheses, numbers, identifiers, and the functions IF, FILL, ABS,
// CEIL, FLOOR, and SUM, AVG, MIN, MAX of an array. Other functions are refused by name.
func parseExpression(text string) (expression, error) {
	p := &parser{expression: expression{text: text}}
	p.scanner.Init(strings.NewReader(text))
	p.scanner.Mode = scanner.ScanIdents | scanner.ScanFloats | scanner.ScanInts
	p.scanner.Error = func(*scanner.Scanner, string) {} // the parser reports what it does not expect
	p.next()
	root := p.or()
	if p.err == nil && p.token != scanner.EOF {
		p.fail("expected the end")
	}
	p.root = root
	return p.expression, p.err
}

type parser struct {
	expression
	scanner scanner.Scanner
	token   rune
	err     error
}

func (p *parser) next() { p.token = p.scanner.Scan() }

func (p *parser) fail(problem string) node {
	if p.err == nil {
		p.err = invalid("Error in expression '%s' at column %d: %s", p.text, p.scanner.Position.Column, problem)
	}
	return func(environment) series { return series{} }
}

// accept takes the token where it is the one wanted: a rune, or a word in capitals.
func (p *parser) accept(token string) bool {
	if p.scanner.TokenText() != token {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(token string) {
	if !p.accept(token) {
		p.fail("expected " + token)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func apply(of func(...float64) float64, operands ...node) node {
	return func(env environment) series {
		values := make([]series, len(operands))
		for i, o := range operands {
			values[i] = o(env)
		}
		return combine(of, values...)
	}
}

func (p *parser) or() node {
	left := p.and()
	for p.err == nil && (p.accept("OR") || p.pair("|")) {
		left = apply(func(v ...float64) float64 { return truth(v[0] != 0 || v[1] != 0) }, left, p.and())
	}
	return left
}

func (p *parser) and() node {
	left := p.comparison()
	for p.err == nil && (p.accept("AND") || p.pair("&")) {
		left = apply(func(v ...float64) float64 { return truth(v[0] != 0 && v[1] != 0) }, left, p.comparison())
	}
	return left
}

// pair takes a doubled character, such as &&.
func (p *parser) pair(character string) bool {
	if !p.accept(character) {
		return false
	}
	p.expect(character)
	return true
}

func (p *parser) comparison() node {
	left := p.sum()
	var of func(a, b float64) bool
	switch {
	case p.accept(">"):
		of = func(a, b float64) bool { return a > b }
		if p.accept("=") {
			of = func(a, b float64) bool { return a >= b }
		}
	case p.accept("<"):
		of = func(a, b float64) bool { return a < b }
		if p.accept("=") {
			of = func(a, b float64) bool { return a <= b }
		}
	case p.pair("="):
		of = func(a, b float64) bool { return a == b }
	case p.accept("!"):
		p.expect("=")
		of = func(a, b float64) bool { return a != b }
	default:
		return left
	}
	return apply(func(v ...float64) float64 { return truth(of(v[0], v[1])) }, left, p.sum())
}

func (p *parser) sum() node {
	left := p.product()
	for p.err == nil {
		switch {
		case p.accept("+"):
			left = apply(func(v ...float64) float64 { return v[0] + v[1] }, left, p.product())
		case p.accept("-"):
			left = apply(func(v ...float64) float64 { return v[0] - v[1] }, left, p.product())
		default:
			return left
		}
	}
	return left
}

func (p *parser) product() node {
	left := p.power()
	for p.err == nil {
		switch {
		case p.accept("*"):
			left = apply(func(v ...float64) float64 { return v[0] * v[1] }, left, p.power())
		case p.accept("/"):
			left = apply(func(v ...float64) float64 { return v[0] / v[1] }, left, p.power())
		default:
			return left
		}
	}
	return left
}

func (p *parser) power() node {
	base := p.unary()
	if p.err == nil && p.accept("^") {
		return apply(func(v ...float64) float64 { return math.Pow(v[0], v[1]) }, base, p.power())
	}
	return base
}

func (p *parser) unary() node {
	if p.accept("-") {
		return apply(func(v ...float64) float64 { return -v[0] }, p.unary())
	}
	text := p.scanner.TokenText()
	switch p.token {
	case scanner.Int, scanner.Float:
		p.next()
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return p.fail(text + " is not a number")
		}
		return func(environment) series { return constant(number) }
	case scanner.Ident:
		p.next()
		if p.accept("(") {
			return p.call(text)
		}
		if !slices.Contains(p.names, text) {
			p.names = append(p.names, text)
		}
		return func(env environment) series { return env.named[text] }
	}
	if p.accept("(") {
		inner := p.or()
		p.expect(")")
		return inner
	}
	return p.fail("expected a number, an identifier, a function or a parenthesis")
}

func (p *parser) call(name string) node {
	switch name {
	case "SUM", "AVG", "MIN", "MAX":
		return p.over(name)
	case "ABS", "CEIL", "FLOOR":
		of := map[string]func(float64) float64{"ABS": math.Abs, "CEIL": math.Ceil, "FLOOR": math.Floor}[name]
		operand := p.or()
		p.expect(")")
		return apply(func(v ...float64) float64 { return of(v[0]) }, operand)
	case "IF":
		condition := p.or()
		p.expect(",")
		yes := p.or()
		p.expect(",")
		no := p.or()
		p.expect(")")
		return func(env environment) series { return choose(condition(env), yes(env), no(env)) }
	case "FILL":
		return p.fill()
	}
	return p.fail("the sandbox does not imitate the function " + name)
}

// over reads an array of series and combines those that have a value at a moment.
func (p *parser) over(name string) node {
	p.expect("[")
	operands := []node{p.or()}
	for p.err == nil && p.accept(",") {
		operands = append(operands, p.or())
	}
	p.expect("]")
	p.expect(")")
	return func(env environment) series {
		result := series{at: map[int64]float64{}}
		for _, moment := range env.moments {
			var values []float64
			for _, o := range operands {
				if v, ok := o(env).value(moment); ok {
					values = append(values, v)
				}
			}
			if len(values) == 0 {
				continue
			}
			var total float64
			for _, v := range values {
				total += v
			}
			result.at[moment] = map[string]float64{
				"SUM": total, "AVG": total / float64(len(values)), "MIN": slices.Min(values), "MAX": slices.Max(values),
			}[name]
		}
		return result
	}
}

// choose takes, at every moment that the condition has a value for, the value of one side, and none where that side has none.
func choose(condition, yes, no series) series {
	result := series{at: map[int64]float64{}}
	if condition.constant {
		if condition.scalar != 0 {
			return yes
		}
		return no
	}
	for moment, holds := range condition.at {
		side := no
		if holds != 0 {
			side = yes
		}
		if v, ok := side.value(moment); ok {
			result.at[moment] = v
		}
	}
	return result
}

// fill puts a number, or the value before (REPEAT), where a series has none.
func (p *parser) fill() node {
	filled := p.or()
	p.expect(",")
	repeat := p.accept("REPEAT")
	var with node
	if !repeat {
		with = p.or()
	}
	p.expect(")")
	return func(env environment) series {
		given, result := filled(env), series{at: map[int64]float64{}}
		last, known := 0.0, false
		for _, moment := range env.moments {
			v, ok := given.value(moment)
			switch {
			case ok:
				last, known = v, true
			case !repeat:
				v, ok = with(env).value(moment)
			case known:
				v, ok = last, true
			}
			if ok {
				result.at[moment] = v
			}
		}
		return result
	}
}
