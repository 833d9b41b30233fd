package stacks

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"strings"
)

// Row is one key of the config reference.
type Row struct {
	// Key is the path below the project's namespace: `service.cpu`, `environments[].name`.
	Key string
	// Type is string, integer, number, boolean, object, or "list of" one of them.
	Type string
	// Role is the role of the stacks that the key belongs to; empty for both.
	Role     string
	Required bool
	// Default is the value where the file is silent, as it would be written there; empty where there is none.
	Default string
	// Example is a right value.
	Example string
	// Range is what the value may be, where that is a range or a choice.
	Range string
	// Meaning is a sentence or two.
	Meaning string
}

// configSources are the files that hold the config's types, below the repository's root. Their comments are the meanings.
var configSources = []string{"stacks/config.go", "shiftfn/rollout/policy.go", "shiftfn/rollout/hours.go"}

// Reference lists every key of the config in the order of the types. root is the repository, whose comments it reads.
func Reference(root fs.FS) ([]Row, error) {
	meanings := map[string]string{}
	for _, name := range configSources {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, fmt.Errorf("the config reference is made of the comments in %s: %w", name, err)
		}
		if err := comments(name, text, meanings); err != nil {
			return nil, err
		}
	}
	return rows(reflect.TypeFor[Config](), "", "", meanings), nil
}

// comments reads the comment of every struct's field, as "Type.Field".
func comments(name string, text []byte, into map[string]string) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("the config reference: %w", err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		declared, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if of, ok := declared.Type.(*ast.StructType); ok {
			for _, field := range of.Fields.List {
				for _, ident := range field.Names {
					into[declared.Name.Name+"."+ident.Name] = sentence(ident.Name, field.Doc.Text())
				}
			}
		}
		return true
	})
	return nil
}

// sentence makes a field's comment one line. A comment in Go's manner ("Count is the number …") drops the field's name, for
// which the table has a column.
func sentence(name, comment string) string {
	text := strings.Join(strings.Fields(comment), " ")
	for _, verb := range []string{" is ", " are "} {
		if rest, found := strings.CutPrefix(text, name+verb); found && rest != "" {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return text
}

func rows(of reflect.Type, prefix, role string, meanings map[string]string) []Row {
	var all []Row
	for i := range of.NumField() {
		field := of.Field(i)
		is := field.Type
		if is.Kind() == reflect.Pointer {
			is = is.Elem()
		}
		row := Row{
			Key: prefix + key(field), Type: typeName(is), Role: role, Required: field.Tag.Get("required") == "true",
			Default: field.Tag.Get("default"), Example: example(field), Range: allowed(field),
			Meaning: meanings[of.Name()+"."+field.Name],
		}
		if own := field.Tag.Get("role"); own != "" {
			row.Role = own
		}
		all = append(all, row)
		switch {
		case is.Kind() == reflect.Struct:
			all = append(all, rows(is, row.Key+".", row.Role, meanings)...)
		case is.Kind() == reflect.Slice && is.Elem().Kind() == reflect.Struct:
			all = append(all, rows(is.Elem(), row.Key+"[].", row.Role, meanings)...)
		}
	}
	return all
}

// typeName is a type in the words of Pulumi's config schema; a list's says of what.
func typeName(of reflect.Type) string {
	switch of.Kind() {
	case reflect.String:
		return "string"
	case reflect.Int:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "list of " + typeName(of.Elem())
	default:
		return "object"
	}
}

// allowed is a field's range or choice.
func allowed(field reflect.StructField) string {
	if choices, ok := field.Tag.Lookup("oneof"); ok {
		return strings.ReplaceAll(choices, ",", ", ")
	}
	if least, ok := field.Tag.Lookup("min"); ok {
		return least + " to " + field.Tag.Get("max")
	}
	return ""
}
