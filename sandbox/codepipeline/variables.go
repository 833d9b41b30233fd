package codepipeline

import (
	"fmt"
	"regexp"
)

// reference is one #{namespace.variable} in an action's configuration.
type reference struct{ namespace, variable string }

func (r reference) String() string { return "#{" + r.namespace + "." + r.variable + "}" }

var referenceSyntax = regexp.MustCompile(`#\{([A-Za-z0-9@_-]+)\.([A-Za-z0-9@_.-]+)\}`)

// variablesOf lists the references in text, in order.
func variablesOf(text string) []reference {
	var found []reference
	for _, match := range referenceSyntax.FindAllStringSubmatch(text, -1) {
		found = append(found, reference{match[1], match[2]})
	}
	return found
}

// resolve replaces every reference in the configuration by the value that an action gave. A variable that nobody gave fails
// the action, as in AWS, instead of becoming an empty string.
func resolve(configuration map[string]string, given map[string]map[string]string) (map[string]string, error) {
	resolved := make(map[string]string, len(configuration))
	for key, text := range configuration {
		var missing error
		resolved[key] = referenceSyntax.ReplaceAllStringFunc(text, func(found string) string {
			ref := variablesOf(found)[0]
			value, ok := given[ref.namespace][ref.variable]
			if !ok && missing == nil {
				missing = fmt.Errorf("%s uses %s, but no action that ran gave this variable", key, ref)
			}
			return value
		})
		if missing != nil {
			return nil, missing
		}
	}
	return resolved, nil
}
