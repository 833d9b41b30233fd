package cloudwatch

import (
	"fmt"
	"slices"
	"strings"
	"text/scanner"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// compositeRule is a composite alarm's rule: ALARM, OK and INSUFFICIENT_DATA of other alarms, TRUE and FALSE, combined with
// AND, OR, NOT and parentheses. Alarms are named by name or ARN, with or without quotes.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
type compositeRule struct {
	text     string
	holds    func(stateOf func(alarm string) types.StateValue) bool
	children []string // names, in order of appearance
}

type rulePart = func(stateOf func(alarm string) types.StateValue) bool

// mostChildren and longestRule are AWS's limits of a rule.
const (
	mostChildren = 100
	longestRule  = 10_240
)

func parseRule(text string) (*compositeRule, error) {
	p := &ruleParser{compositeRule: compositeRule{text: text}}
	p.scanner.Init(strings.NewReader(text))
	p.scanner.Mode = scanner.ScanIdents | scanner.ScanStrings
	p.scanner.Error = func(*scanner.Scanner, string) {} // the parser reports what it does not expect
	// An alarm's name without quotes may have what an ARN has.
	p.scanner.IsIdentRune = func(c rune, i int) bool {
		return c > 0 && !strings.ContainsRune("()\" \t\r\n", c)
	}
	p.next()
	p.holds = p.or()
	switch {
	case p.err != nil:
	case p.token != scanner.EOF:
		p.fail("expected AND, OR or the end")
	case len(text) > longestRule:
		p.err = invalid("The alarm rule must not be longer than %d characters", longestRule)
	case len(p.children) > mostChildren:
		p.err = invalid("The alarm rule must not name more than %d alarms", mostChildren)
	}
	return &p.compositeRule, p.err
}

type ruleParser struct {
	compositeRule
	scanner scanner.Scanner
	token   rune
	err     error
}

func (p *ruleParser) next() { p.token = p.scanner.Scan() }

func (p *ruleParser) fail(problem string) rulePart {
	if p.err == nil {
		p.err = invalid("Error in AlarmRule '%s' at column %d: %s", p.text, p.scanner.Position.Column, problem)
	}
	return func(func(string) types.StateValue) bool { return false }
}

func (p *ruleParser) accept(word string) bool {
	if !strings.EqualFold(p.scanner.TokenText(), word) {
		return false
	}
	p.next()
	return true
}

func (p *ruleParser) expect(word string) {
	if !p.accept(word) {
		p.fail("expected " + word)
	}
}

func (p *ruleParser) or() rulePart {
	left := p.and()
	for p.err == nil && p.accept("OR") {
		a, b := left, p.and()
		left = func(of func(string) types.StateValue) bool { return a(of) || b(of) }
	}
	return left
}

func (p *ruleParser) and() rulePart {
	left := p.not()
	for p.err == nil && p.accept("AND") {
		a, b := left, p.not()
		left = func(of func(string) types.StateValue) bool { return a(of) && b(of) }
	}
	return left
}

func (p *ruleParser) not() rulePart {
	switch {
	case p.accept("NOT"):
		inner := p.not()
		return func(of func(string) types.StateValue) bool { return !inner(of) }
	case p.accept("("):
		inner := p.or()
		p.expect(")")
		return inner
	case p.accept("TRUE"):
		return func(func(string) types.StateValue) bool { return true }
	case p.accept("FALSE"):
		return func(func(string) types.StateValue) bool { return false }
	}
	for _, state := range []types.StateValue{types.StateValueAlarm, types.StateValueOk, types.StateValueInsufficientData} {
		if p.accept(string(state)) {
			return p.child(state)
		}
	}
	return p.fail("expected ALARM, OK, INSUFFICIENT_DATA, TRUE, FALSE, NOT or a parenthesis")
}

func (p *ruleParser) child(state types.StateValue) rulePart {
	p.expect("(")
	name := p.scanner.TokenText()
	if p.token == scanner.String {
		name = strings.Trim(name, `"`)
	}
	if p.token != scanner.String && p.token != scanner.Ident {
		return p.fail("expected the name or ARN of an alarm")
	}
	p.next()
	p.expect(")")
	if _, after, isARN := strings.Cut(name, ":alarm:"); isARN {
		name = after
	}
	if !slices.Contains(p.children, name) {
		p.children = append(p.children, name)
	}
	return func(of func(string) types.StateValue) bool { return of(name) == state }
}

// settle evaluates a composite alarm after the composite alarms that it watches: it is ALARM where its rule holds and OK where
// it does not. An alarm that watches itself by way of others sees its state of a minute before. The caller holds the lock.
func (s *Service) settle(name string, settled map[string]bool) {
	a := s.alarms[name]
	if a == nil || a.composite == nil || settled[name] {
		return
	}
	settled[name] = true
	var states []string
	for _, child := range a.composite.children {
		s.settle(child, settled)
		states = append(states, fmt.Sprintf("%s is %s", child, s.stateOf(child)))
	}
	value, word := types.StateValueOk, "does not hold"
	if a.composite.holds(s.stateOf) {
		value, word = types.StateValueAlarm, "holds"
	}
	s.become(a, value, fmt.Sprintf("%s: the alarm rule %s (%s)", a.arn, word, strings.Join(states, ", ")), "")
}

// stateOf is the state of the alarm of a name. The caller holds the lock.
func (s *Service) stateOf(name string) types.StateValue {
	if a := s.alarms[name]; a != nil {
		return a.state.Value
	}
	return types.StateValueInsufficientData
}
