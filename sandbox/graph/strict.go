package graph

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Stack is the name of the stack that declared the resource, the second part of its URN.
func (r Resource) Stack() string {
	if parts := strings.Split(r.URN, ":"); len(parts) > 2 {
		return parts[2]
	}
	return ""
}

// Strict reads a resource as Decode does and refuses what it could only ignore: every input, however deep, that T has no
// field for is named in the error with its path. A service's record of a resource is so the list of what it imitates.
func Strict[T any](r Resource) (T, error) {
	var problems []error
	for _, path := range beyond(r.Inputs, reflect.TypeFor[T](), "") {
		problems = append(problems, fmt.Errorf("%s: the sandbox does not imitate the input %s of %s: leave it out", r.URN, path, r.Type))
	}
	if err := errors.Join(problems...); err != nil {
		var none T
		return none, err
	}
	return Decode[T](r)
}

// beyond returns the paths of the values that a struct of the type would not take, sorted.
func beyond(value any, into reflect.Type, path string) []string {
	for into.Kind() == reflect.Pointer {
		into = into.Elem()
	}
	var paths []string
	switch value := value.(type) {
	case map[string]any:
		if into.Kind() != reflect.Struct {
			return nil // a map or any takes every key
		}
		fields := jsonFields(into)
		for _, key := range slices.Sorted(maps.Keys(value)) {
			field, known := fields[key]
			switch {
			case known:
				paths = append(paths, beyond(value[key], field, path+key+".")...)
			case value[key] != nil:
				paths = append(paths, path+key)
			}
		}
	case []any:
		if into.Kind() != reflect.Slice {
			return nil
		}
		for i, element := range value {
			paths = append(paths, beyond(element, into.Elem(), fmt.Sprintf("%s[%d].", strings.TrimSuffix(path, "."), i))...)
		}
	}
	return paths
}

func jsonFields(of reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = field.Type
		}
	}
	return fields
}
