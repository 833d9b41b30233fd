package standin

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// Args is the exported argument struct of a resource in a Pulumi Go SDK; its ElementType carries the property names.
type Args interface{ ElementType() reflect.Type }

// declared returns the Go field of each property that a tagged SDK struct declares.
func declared(t reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for f := range fieldsOf(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("pulumi"), ","); name != "" {
			fields[name] = f
		}
	}
	return fields
}

func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// check compares inputs with what the SDK declares for them: unknown names, missing required values, values of another kind.
func check(t reflect.Type, inputs resource.PropertyMap) []plugin.CheckFailure {
	var failures []plugin.CheckFailure
	refuse := func(path, reason string, args ...any) {
		failures = append(failures, plugin.CheckFailure{
			Property: resource.PropertyKey(path), Reason: fmt.Sprintf(reason, args...),
		})
	}
	var object func(path string, t reflect.Type, v resource.PropertyMap)
	var value func(path string, t reflect.Type, v resource.PropertyValue)
	object = func(path string, t reflect.Type, v resource.PropertyMap) {
		known := declared(t)
		for key, property := range v {
			if strings.HasPrefix(string(key), "__") {
				continue // the engine's own marks, such as __defaults
			}
			if f, ok := known[string(key)]; ok {
				value(path+string(key), f.Type, property)
			} else {
				refuse(path+string(key), "the package declares no such property; it has %s",
					strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			}
		}
		for name, f := range known {
			scalar := f.Type.Kind() == reflect.String || f.Type.Kind() == reflect.Int || f.Type.Kind() == reflect.Bool
			if _, given := v[resource.PropertyKey(name)]; scalar && !given {
				refuse(path+name, "a required property is missing")
			}
		}
	}
	value = func(path string, t reflect.Type, v resource.PropertyValue) {
		for v.IsSecret() {
			v = v.SecretValue().Element
		}
		if v.IsOutput() {
			if !v.OutputValue().Known {
				return
			}
			v = v.OutputValue().Element
		}
		if v.IsNull() || v.IsComputed() || v.ContainsUnknowns() && !v.IsObject() && !v.IsArray() {
			return
		}
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		ok := true
		switch t.Kind() {
		case reflect.String:
			ok = v.IsString()
		case reflect.Bool:
			ok = v.IsBool()
		case reflect.Int, reflect.Float64:
			ok = v.IsNumber()
		case reflect.Slice:
			if ok = v.IsArray(); ok {
				for i, element := range v.ArrayValue() {
					value(fmt.Sprintf("%s[%d]", path, i), t.Elem(), element)
				}
			}
		case reflect.Map:
			if ok = v.IsObject(); ok {
				for key, element := range v.ObjectValue() {
					value(path+"."+string(key), t.Elem(), element)
				}
			}
		case reflect.Struct:
			if ok = v.IsObject(); ok {
				object(path+".", t, v.ObjectValue())
			}
		}
		if !ok {
			refuse(path, "the package declares %s, the program gives %s", t.Kind(), v.TypeString())
		}
	}
	object("", t, inputs)
	slices.SortFunc(failures, func(a, b plugin.CheckFailure) int {
		return strings.Compare(string(a.Property), string(b.Property))
	})
	return failures
}
