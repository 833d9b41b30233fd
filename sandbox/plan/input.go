package plan

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// input reads a property by its path (`environment.privilegedMode`, `containers[0].name`); nil where there is none.
func input(r graph.Resource, path string) any {
	var value any = r.Inputs
	for _, step := range strings.FieldsFunc(path, func(c rune) bool { return c == '.' || c == '[' || c == ']' }) {
		switch at := value.(type) {
		case map[string]any:
			value = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				return nil
			}
			value = at[i]
		default:
			return nil
		}
	}
	return value
}

// text reads a property as text, empty where there is none.
func text(r graph.Resource, path string) string {
	switch value := input(r, path).(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

// number reads a property as a number, with a default where there is none. Some of AWS's numbers are declared as text.
func number(r graph.Resource, path string, otherwise float64) float64 {
	switch value := input(r, path).(type) {
	case float64:
		return value
	case string:
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			return n
		}
	}
	return otherwise
}

// list reads a property as a list of objects.
func list(r graph.Resource, path string) []map[string]any {
	array, _ := input(r, path).([]any)
	var objects []map[string]any
	for _, element := range array {
		if object, ok := element.(map[string]any); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// document reads a property that holds JSON, as text or as an object.
func document(r graph.Resource, path string) any {
	value := input(r, path)
	if encoded, ok := value.(string); ok {
		var decoded any
		if json.Unmarshal([]byte(encoded), &decoded) == nil {
			return decoded
		}
		return nil
	}
	return value
}

// texts reads a value that is one text or a list of them, as IAM's documents have it.
func texts(value any) []string {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		var all []string
		for _, element := range value {
			all = append(all, fmt.Sprint(element))
		}
		return all
	default:
		return nil
	}
}

// names tells whether a property of a resource holds another resource's identifier, ARN or name.
func names(r graph.Resource, path string, other graph.Resource) bool {
	value := text(r, path)
	if value == "" {
		return false
	}
	if value == other.ID {
		return true
	}
	for _, property := range []string{"arn", "name", "bucket"} {
		if value == fmt.Sprint(other.Outputs[property]) {
			return true
		}
	}
	return false
}
