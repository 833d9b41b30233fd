package stacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"go.yaml.in/yaml/v3"
)

// read returns the stack's config, whole and checked. The error is a *ConfigError with every problem.
func read(ctx *pulumi.Context) (Config, error) {
	p := &problems{project: ctx.Project()}
	var c Config
	if err := refuseUnknown(ctx, p); err != nil {
		return Config{}, err
	}
	byDefault := reflect.ValueOf(new(Config)).Elem()
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		field := fields.Field(i)
		fill(byDefault.Field(i), nil, field, key(field), &problems{})
		text, given := ctx.GetConfig(ctx.Project() + ":" + key(field))
		if !given {
			fill(reflect.ValueOf(&c).Elem().Field(i), nil, field, key(field), p)
			continue
		}
		value, err := parse(text, field.Type)
		if err != nil {
			p.add(key(field), err.Error(), example(field))
			continue
		}
		fill(reflect.ValueOf(&c).Elem().Field(i), value, field, key(field), p)
	}
	if c.Role == roleEnvironment || c.Role == roleShared {
		refuseForeign(c, byDefault.Interface().(Config), p)
	}
	check(ctx.Stack(), &c, p)
	if len(p.list) > 0 {
		slices.SortStableFunc(p.list, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
		return Config{}, &ConfigError{Stack: ctx.Stack(), Problems: p.list}
	}
	return c, nil
}

const (
	roleEnvironment = "env"
	roleShared      = "shared"
)

// key is the name that a field has in the file.
func key(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// keys are the names that a struct's fields have in the file.
func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, key(t.Field(i)))
	}
	return names
}

// refuseUnknown finds keys of the project that no field has. Pulumi hands a program single values only, so the names come
// from where Pulumi itself has them: the environment of a program that its CLI runs, or the stack's file.
func refuseUnknown(ctx *pulumi.Context, p *problems) error {
	names, err := given(ctx)
	if err != nil {
		return err
	}
	known := keys(reflect.TypeFor[Config]())
	for _, name := range names {
		own, found := strings.CutPrefix(name, ctx.Project()+":")
		if found && !slices.Contains(known, own) {
			p.add(own, "is not a key of this program", likely(own, known))
		}
	}
	return nil
}

func given(ctx *pulumi.Context) ([]string, error) {
	if text := os.Getenv(pulumi.EnvConfig); text != "" {
		var values map[string]any
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			return nil, fmt.Errorf("the config that Pulumi gives in %s: %w", pulumi.EnvConfig, err)
		}
		return slices.Sorted(maps.Keys(values)), nil
	}
	if ctx.RootDirectory() == "" {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(ctx.RootDirectory(), "Pulumi."+ctx.Stack()+".yaml"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the stack's config: %w", err)
	}
	var file struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("the file Pulumi.%s.yaml: %w", ctx.Stack(), err)
	}
	names := slices.Sorted(maps.Keys(file.Config))
	for i, name := range names {
		if !strings.Contains(name, ":") {
			names[i] = ctx.Project() + ":" + name
		}
	}
	return names, nil
}

// refuseForeign finds keys of the other role. Pulumi gives every stack the defaults of Pulumi.yaml, so a foreign key is wrong
// only when it says something else.
func refuseForeign(c, byDefault Config, p *problems) {
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		field := fields.Field(i)
		role := field.Tag.Get("role")
		if role == "" || role == c.Role || p.touched(key(field)) {
			continue
		}
		if !reflect.DeepEqual(reflect.ValueOf(c).Field(i).Interface(), reflect.ValueOf(byDefault).Field(i).Interface()) {
			p.add(key(field), fmt.Sprintf("belongs to stacks of role %s, and this one is of role %s: remove it", role, c.Role), "")
		}
	}
}

// parse reads a value as Pulumi hands it over: text for a string, a number or a boolean, JSON for the rest.
func parse(text string, t reflect.Type) (any, error) {
	switch t.Kind() {
	case reflect.String:
		return text, nil
	case reflect.Int, reflect.Float64:
		return json.Number(text), nil
	case reflect.Bool:
		value, err := strconv.ParseBool(text)
		if err != nil {
			return text, nil // fill says what is wrong
		}
		return value, nil
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("is %q, which is not %s", text, noun(t))
	}
	return value, nil
}

// noun is what a person calls a type.
func noun(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

// fill puts a value, or the field's default where there is none, into the struct, and says what is wrong with it.
func fill(into reflect.Value, value any, field reflect.StructField, path string, p *problems) {
	if empty, ok := value.(map[string]any); into.Kind() == reflect.Pointer {
		if value == nil || ok && len(empty) == 0 {
			return
		}
		into.Set(reflect.New(into.Type().Elem()))
		fill(into.Elem(), value, field, path, p)
		return
	}
	if value == nil {
		switch text, ok := field.Tag.Lookup("default"); {
		case field.Tag.Get("required") == "true":
			p.add(path, "is missing", example(field))
			return
		case ok:
			var err error
			if value, err = parse(text, into.Type()); err != nil {
				panic(fmt.Sprintf("stacks: the default of %s %v", path, err)) // a tag in this package, which the tests read
			}
		case into.Kind() == reflect.Struct:
			value = map[string]any{}
		default:
			return
		}
	}
	wrong := func() {
		p.add(path, fmt.Sprintf("is %s, which is not %s", shown(value), noun(into.Type())), example(field))
	}
	switch into.Kind() {
	case reflect.Struct:
		object, ok := value.(map[string]any)
		if !ok {
			wrong()
			return
		}
		fillStruct(into, object, path, p)
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			wrong()
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(list), len(list)))
		for i, element := range list {
			at := fmt.Sprintf("%s[%d]", path, i)
			if element == nil {
				p.add(at, "is empty", example(field))
				continue
			}
			fill(into.Index(i), element, reflect.StructField{Tag: elementTag(field)}, at, p)
		}
	case reflect.Map:
		object, ok := value.(map[string]any)
		if !ok {
			wrong()
			return
		}
		into.Set(reflect.MakeMap(into.Type()))
		for _, name := range slices.Sorted(maps.Keys(object)) {
			text, ok := object[name].(string)
			if !ok {
				p.add(path+"."+name, fmt.Sprintf("is %s, which is not a text", shown(object[name])), `"`+fmt.Sprint(object[name])+`"`)
				continue
			}
			into.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(text))
		}
	case reflect.String:
		text, ok := value.(string)
		if !ok {
			wrong()
			return
		}
		into.SetString(text)
		oneOf(text, field, path, p)
	case reflect.Bool:
		yes, ok := value.(bool)
		if !ok {
			wrong()
			return
		}
		into.SetBool(yes)
	case reflect.Int, reflect.Float64:
		if !number(into, value) {
			wrong()
			return
		}
		inRange(into, field, path, p)
	}
}

func fillStruct(into reflect.Value, object map[string]any, path string, p *problems) {
	known := keys(into.Type())
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, name) {
			p.add(path+"."+name, "is not a key of "+path, likely(name, known))
		}
	}
	for i := range into.NumField() {
		field := into.Type().Field(i)
		fill(into.Field(i), object[key(field)], field, path+"."+key(field), p)
	}
}

func number(into reflect.Value, value any) bool {
	text, ok := value.(json.Number)
	if !ok {
		return false
	}
	if into.Kind() == reflect.Float64 {
		f, err := strconv.ParseFloat(text.String(), 64)
		into.SetFloat(f)
		return err == nil
	}
	n, err := strconv.Atoi(text.String())
	into.SetInt(int64(n))
	return err == nil
}

func oneOf(text string, field reflect.StructField, path string, p *problems) {
	tag, ok := field.Tag.Lookup("oneof")
	choices := strings.Split(tag, ",")
	if !ok || slices.Contains(choices, text) || text == "" && field.Tag.Get("required") == "" {
		return
	}
	p.add(path, fmt.Sprintf("is %q, which is not one of %s", text, strings.Join(choices, ", ")), example(field))
}

func inRange(value reflect.Value, field reflect.StructField, path string, p *problems) {
	low, bounded := field.Tag.Lookup("min")
	high := field.Tag.Get("max")
	if !bounded {
		return
	}
	least, _ := strconv.Atoi(low)
	most, _ := strconv.Atoi(high)
	if n := int(value.Int()); n < least || n > most {
		p.add(path, fmt.Sprintf("is %d, which is not within %d to %d", n, least, most), example(field))
	}
}

// example is a right value as it is written in the file.
func example(field reflect.StructField) string { return field.Tag.Get("example") }

// elementTag gives a list's element an example: the first of the list's own.
func elementTag(field reflect.StructField) reflect.StructTag {
	var elements []json.RawMessage
	if json.Unmarshal([]byte(example(field)), &elements) != nil || len(elements) == 0 {
		return ""
	}
	return reflect.StructTag(fmt.Sprintf("example:%q", elements[0]))
}

// shown is a value in an error message, short.
func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("a %T", value)
	}
	if len(text) > 60 {
		return string(text[:57]) + "..."
	}
	return string(text)
}

// likely names the known key that is nearest to a wrong one, or all of them.
func likely(name string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(k, name) || strings.HasPrefix(strings.ToLower(k), strings.ToLower(name)) {
			return k
		}
	}
	return "one of " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}
