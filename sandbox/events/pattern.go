package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"slices"
	"strings"
)

// Pattern says which events a rule takes. No library that imitates EventBridge's matching whole can be had for Go, so it is
// written out here, after the documentation.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
type Pattern struct{ root fields }

// fields must all match: an object of the pattern.
type fields struct {
	names []string
	of    map[string]node
	// either are the branches of $or, of which one must match.
	either []fields
}

// node is what a pattern says of one field: more fields below it, or filters of which one must match.
type node struct {
	below   *fields
	filters []filter
}

// filter judges the values of a field: each element of an array by itself, and none where the field is absent.
type filter func(values []any) bool

// ParsePattern reads a pattern, a JSON object, and names with its path what EventBridge does not know.
func ParsePattern(text string) (Pattern, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var declared map[string]any
	if err := decoder.Decode(&declared); err != nil {
		return Pattern{}, fmt.Errorf("the pattern is not a JSON object: %w", err)
	}
	if decoder.More() {
		return Pattern{}, errors.New("something follows the pattern")
	}
	if len(declared) == 0 {
		return Pattern{}, errors.New("the pattern is empty: name a field, such as source")
	}
	root, err := parseFields(declared, "")
	return Pattern{root}, err
}

func parseFields(declared map[string]any, path string) (fields, error) {
	f := fields{of: map[string]node{}}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		at := path + "." + name
		if name == "$or" {
			branches, ok := declared[name].([]any)
			if !ok || len(branches) < 2 {
				problems = append(problems, fmt.Errorf("%s: it is an array of two or more objects", at))
				continue
			}
			for i, branch := range branches {
				object, ok := branch.(map[string]any)
				if !ok {
					problems = append(problems, fmt.Errorf("%s[%d]: it is an object", at, i))
					continue
				}
				parsed, err := parseFields(object, fmt.Sprintf("%s[%d]", at, i))
				f.either, problems = append(f.either, parsed), append(problems, err)
			}
			continue
		}
		n, err := parseNode(declared[name], at)
		f.names, f.of[name], problems = append(f.names, name), n, append(problems, err)
	}
	return f, errors.Join(problems...)
}

func parseNode(declared any, at string) (node, error) {
	switch declared := declared.(type) {
	case map[string]any:
		if len(declared) == 0 {
			return node{}, fmt.Errorf("%s: the object is empty", at)
		}
		below, err := parseFields(declared, at)
		return node{below: &below}, err
	case []any:
		if len(declared) == 0 {
			return node{}, fmt.Errorf("%s: the array is empty", at)
		}
		var n node
		var problems []error
		for i, element := range declared {
			parsed, err := parseFilter(element)
			if err != nil {
				err = fmt.Errorf("%s[%d]: %w", at, i, err)
			}
			n.filters, problems = append(n.filters, parsed), append(problems, err)
		}
		return n, errors.Join(problems...)
	default:
		return node{}, fmt.Errorf("%s: a value stands in an array, such as [\"aws.cloudwatch\"]", at)
	}
}

// parseFilter reads one element of an array: a value to equal, or an object with one operator.
func parseFilter(declared any) (filter, error) {
	object, is := declared.(map[string]any)
	if !is {
		if _, list := declared.([]any); list {
			return nil, errors.New("arrays do not nest")
		}
		return each(func(value any) bool { return equal(value, declared) }), nil
	}
	if len(object) != 1 {
		return nil, errors.New("an operator stands alone in its object, such as {\"prefix\": \"prod-\"}")
	}
	for operator, operand := range object {
		if operator == "exists" {
			wanted, ok := operand.(bool)
			if !ok {
				return nil, errors.New("exists is true or false")
			}
			return func(values []any) bool { return wanted == (values != nil) }, nil
		}
		matches, err := parseOperator(operator, operand)
		return each(matches), err
	}
	return nil, nil
}

// each makes a filter of what is asked of one value: an array matches when one of its elements does.
func each(matches func(any) bool) filter {
	return func(values []any) bool { return slices.ContainsFunc(values, matches) }
}

func parseOperator(operator string, operand any) (func(any) bool, error) {
	switch operator {
	case "prefix", "suffix", "equals-ignore-case", "wildcard":
		return parseText(operator, operand)
	case "anything-but":
		return parseAnythingBut(operand)
	case "numeric":
		return parseNumeric(operand)
	case "cidr":
		text, _ := operand.(string)
		block, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("cidr is a block such as 10.0.0.0/24, not %v", operand)
		}
		return func(value any) bool {
			text, _ := value.(string)
			address, err := netip.ParseAddr(text)
			return err == nil && block.Contains(address)
		}, nil
	default:
		return nil, fmt.Errorf("%q is no operator: prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, cidr and exists are", operator)
	}
}

// parseText reads an operator on text. Prefix and suffix also take {"equals-ignore-case": "…"}.
func parseText(operator string, operand any) (func(any) bool, error) {
	fold := false
	if object, is := operand.(map[string]any); is && len(object) == 1 && (operator == "prefix" || operator == "suffix") {
		if inner, there := object["equals-ignore-case"]; there {
			operand, fold = inner, true
		}
	}
	wanted, ok := operand.(string)
	if !ok {
		return nil, fmt.Errorf("%s takes text, not %v", operator, operand)
	}
	if operator == "wildcard" {
		if strings.Contains(wanted, "**") {
			return nil, errors.New("wildcard: two asterisks follow each other")
		}
		parts := wildcardParts(wanted)
		return onText(func(text string) bool { return matchWildcard(parts, text) }), nil
	}
	if fold {
		wanted = strings.ToLower(wanted)
	}
	return onText(func(text string) bool {
		if fold {
			text = strings.ToLower(text)
		}
		switch operator {
		case "prefix":
			return strings.HasPrefix(text, wanted)
		case "suffix":
			return strings.HasSuffix(text, wanted)
		default:
			return strings.EqualFold(text, wanted)
		}
	}), nil
}

func onText(matches func(string) bool) func(any) bool {
	return func(value any) bool {
		text, is := value.(string)
		return is && matches(text)
	}
}

// wildcardParts are the texts between the asterisks of a pattern; a backslash takes an asterisk or a backslash as it is.
func wildcardParts(pattern string) []string {
	parts := []string{""}
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern) && (pattern[i+1] == '*' || pattern[i+1] == '\\'):
			i++
			parts[len(parts)-1] += string(pattern[i])
		case pattern[i] == '*':
			parts = append(parts, "")
		default:
			parts[len(parts)-1] += string(pattern[i])
		}
	}
	return parts
}

func matchWildcard(parts []string, text string) bool {
	if len(parts) == 1 {
		return text == parts[0]
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}

// parseAnythingBut reads what a value must not be: a value, a list of them, or a text operator with one text or a list.
func parseAnythingBut(operand any) (func(any) bool, error) {
	var not []func(any) bool
	switch operand := operand.(type) {
	case map[string]any:
		if len(operand) != 1 {
			return nil, errors.New("anything-but takes one operator")
		}
		for operator, inner := range operand {
			if operator != "prefix" && operator != "suffix" && operator != "equals-ignore-case" && operator != "wildcard" {
				return nil, fmt.Errorf("anything-but takes prefix, suffix, equals-ignore-case or wildcard, not %q", operator)
			}
			for _, text := range list(inner) {
				matches, err := parseText(operator, text)
				if err != nil {
					return nil, err
				}
				not = append(not, matches)
			}
		}
	default:
		for _, value := range list(operand) {
			switch value.(type) {
			case string, json.Number:
			default:
				return nil, fmt.Errorf("anything-but takes texts and numbers, not %v", value)
			}
			not = append(not, func(other any) bool { return equal(other, value) })
		}
	}
	if len(not) == 0 {
		return nil, errors.New("anything-but takes a value")
	}
	return func(value any) bool {
		return !slices.ContainsFunc(not, func(matches func(any) bool) bool { return matches(value) })
	}, nil
}

func list(value any) []any {
	if values, is := value.([]any); is {
		return values
	}
	return []any{value}
}

// parseNumeric reads comparisons in pairs, such as [">", 0, "<=", 5], which must all hold.
func parseNumeric(operand any) (func(any) bool, error) {
	pairs, _ := operand.([]any)
	if len(pairs) == 0 || len(pairs)%2 != 0 {
		return nil, errors.New("numeric is a list of comparisons, such as [\">\", 0, \"<=\", 5]")
	}
	type comparison struct {
		sign  string
		bound *big.Float
	}
	var all []comparison
	for i := 0; i < len(pairs); i += 2 {
		sign, _ := pairs[i].(string)
		bound := number(pairs[i+1])
		if !slices.Contains([]string{"<", "<=", "=", ">", ">="}, sign) || bound == nil {
			return nil, fmt.Errorf("numeric: %v %v is no comparison; < <= = > >= with a number are", pairs[i], pairs[i+1])
		}
		all = append(all, comparison{sign, bound})
	}
	return func(value any) bool {
		n := number(value)
		return n != nil && !slices.ContainsFunc(all, func(c comparison) bool {
			switch order := n.Cmp(c.bound); c.sign {
			case "<":
				return order >= 0
			case "<=":
				return order > 0
			case "=":
				return order != 0
			case ">":
				return order <= 0
			default:
				return order < 0
			}
		})
	}, nil
}

func number(value any) *big.Float {
	text, is := value.(json.Number)
	if !is {
		return nil
	}
	n, _, err := big.ParseFloat(text.String(), 10, 128, big.ToNearestEven)
	if err != nil {
		return nil
	}
	return n
}

// equal compares two JSON values that are not arrays or objects; numbers by their value.
func equal(a, b any) bool {
	if x, y := number(a), number(b); x != nil && y != nil {
		return x.Cmp(y) == 0
	}
	return a == b
}

// Matches tells whether an event, a JSON object, is one that the pattern takes.
func (p Pattern) Matches(event []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(event))
	decoder.UseNumber()
	var object map[string]any
	return decoder.Decode(&object) == nil && p.root.match(object)
}

// match tells whether the fields match in an object; a nil one stands for an object that is absent. Of an array of objects, one
// must match by itself.
func (f fields) match(object map[string]any) bool {
	for _, name := range f.names {
		var leaves []any
		var inner []map[string]any
		if value, there := object[name]; there {
			leaves = []any{} // there, if only as an empty array
			for _, value := range list(value) {
				if below, is := value.(map[string]any); is {
					inner = append(inner, below)
				} else {
					leaves = append(leaves, value)
				}
			}
			if len(leaves) == 0 && len(inner) > 0 {
				leaves = nil // operators judge leaves, and here is none
			}
		}
		n := f.of[name]
		switch {
		case n.below == nil && !slices.ContainsFunc(n.filters, func(matches filter) bool { return matches(leaves) }),
			n.below != nil && len(inner) == 0 && !n.below.match(nil),
			n.below != nil && len(inner) > 0 && !slices.ContainsFunc(inner, n.below.match):
			return false
		}
	}
	return len(f.either) == 0 || slices.ContainsFunc(f.either, func(branch fields) bool { return branch.match(object) })
}
