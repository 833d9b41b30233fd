// Package fidelity names what a caller asks of a service in the sandbox and the sandbox does not imitate, so that it is
// refused instead of ignored.
package fidelity

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Beyond returns the fields of an SDK struct that are set and not among the imitated ones, each as a path such as
// `LoadBalancers[0].LoadBalancerName`, in the struct's order. An imitated path names a field with all that is in it
// ("Tags"), or a field of the elements of a field ("LoadBalancers.TargetGroupArn").
func Beyond(input any, imitated ...string) []string {
	return beyond(reflect.ValueOf(input), "", "", imitated)
}

// Refusal is Beyond as one sentence, empty where everything is imitated.
func Refusal(input any, imitated ...string) string {
	fields := Beyond(input, imitated...)
	if len(fields) == 0 {
		return ""
	}
	return fmt.Sprintf("the sandbox does not imitate %s: leave it out", strings.Join(fields, ", "))
}

func beyond(value reflect.Value, plain, path string, imitated []string) []string {
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		if value.IsNil() {
			return nil
		}
		return beyond(value.Elem(), plain, path, imitated)
	case reflect.Slice:
		var fields []string
		for i := range value.Len() {
			fields = append(fields, beyond(value.Index(i), plain, fmt.Sprintf("%s[%d]", path, i), imitated)...)
		}
		return fields
	case reflect.Struct:
		var fields []string
		for _, field := range reflect.VisibleFields(value.Type()) {
			if !field.IsExported() || field.Anonymous || unset(value.FieldByIndex(field.Index)) {
				continue
			}
			name, at := join(plain, field.Name), join(path, field.Name)
			switch {
			case slices.Contains(imitated, name):
			case slices.ContainsFunc(imitated, func(i string) bool { return strings.HasPrefix(i, name+".") }):
				fields = append(fields, beyond(value.FieldByIndex(field.Index), name, at, imitated)...)
			default:
				fields = append(fields, at)
			}
		}
		return fields
	default:
		return nil
	}
}

// unset tells whether a field holds nothing that a request would carry.
func unset(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.Slice, reflect.Map:
		return value.Len() == 0
	default:
		return value.IsZero()
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
