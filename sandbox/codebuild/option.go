package codebuild

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
)

// set puts an option's values into a field of an operation's input, in the AWS command line's notations: file:// and fileb://
// for what a file holds, Key=value,Key=value for a structure.
func set(field reflect.Value, values []string) error {
	switch kind := field.Type(); {
	case kind == reflect.TypeFor[[]byte]():
		path, isFile := strings.CutPrefix(values[0], "fileb://")
		if !isFile {
			return errors.New("write fileb:// and the file's path")
		}
		content, err := os.ReadFile(path)
		field.SetBytes(content)
		return err
	case kind.Kind() == reflect.Slice:
		list := reflect.MakeSlice(kind, len(values), len(values))
		for i, value := range values {
			if err := set(list.Index(i), []string{value}); err != nil {
				return err
			}
		}
		field.Set(list)
		return nil
	case kind.Kind() == reflect.Pointer:
		field.Set(reflect.New(kind.Elem()))
		return set(field.Elem(), values)
	case kind.Kind() == reflect.Struct:
		return setStructure(field, values[0])
	case kind.Kind() == reflect.String:
		text := values[0]
		if path, isFile := strings.CutPrefix(text, "file://"); isFile {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(content)
		}
		field.SetString(text)
		return nil
	case kind.Kind() == reflect.Int32 || kind.Kind() == reflect.Int64:
		number, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", values[0])
		}
		field.SetInt(number)
		return nil
	default:
		return fmt.Errorf("the sandbox cannot read a %s from the command line", kind)
	}
}

func setStructure(field reflect.Value, text string) error {
	var known []string
	for i := range field.NumField() {
		if f := field.Type().Field(i); f.IsExported() {
			known = append(known, strings.ToLower(f.Name[:1])+f.Name[1:]+"=…")
		}
	}
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(part, "=")
		member := field.FieldByName(camel(key))
		if !member.IsValid() || value == "" {
			return fmt.Errorf("write %s", strings.Join(known, " or "))
		}
		if err := set(member, []string{value}); err != nil {
			return err
		}
	}
	return nil
}
