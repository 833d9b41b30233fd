package logs

import (
	"fmt"
	"strings"
)

// compile reads a filter pattern for unstructured log events: terms and "quoted phrases" that must all occur, ?terms of which
// one must, -terms that must not. Letter case matters. The other syntaxes (JSON, space-delimited, regular expressions) are
// refused. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func compile(pattern string) (func(message string) bool, error) {
	pattern = strings.TrimSpace(pattern)
	if pattern != "" && strings.ContainsRune("{[%", rune(pattern[0])) {
		return nil, fmt.Errorf("filter pattern %s: the sandbox imitates patterns of terms only, such as ERROR \"not found\" -debug", pattern)
	}
	var all, any, none []string
	for rest := pattern; rest != ""; rest = strings.TrimSpace(rest) {
		list := &all
		switch rest[0] {
		case '?':
			list, rest = &any, rest[1:]
		case '-':
			list, rest = &none, rest[1:]
		}
		var term string
		if quoted, is := strings.CutPrefix(rest, `"`); is {
			end := strings.Index(quoted, `"`)
			if end < 0 {
				return nil, fmt.Errorf("filter pattern %s: a quotation mark is not closed", pattern)
			}
			term, rest = quoted[:end], quoted[end+1:]
		} else if space := strings.IndexAny(rest, " \t\n"); space >= 0 {
			term, rest = rest[:space], rest[space:]
		} else {
			term, rest = rest, ""
		}
		if term == "" {
			return nil, fmt.Errorf("filter pattern %s: a term is empty", pattern)
		}
		*list = append(*list, term)
	}
	return func(message string) bool {
		contains := func(term string) bool { return strings.Contains(message, term) }
		return every(all, contains) && !some(none, contains) && (len(any) == 0 || some(any, contains))
	}, nil
}

func every(terms []string, holds func(string) bool) bool {
	return !some(terms, func(term string) bool { return !holds(term) })
}

func some(terms []string, holds func(string) bool) bool {
	for _, term := range terms {
		if holds(term) {
			return true
		}
	}
	return false
}
