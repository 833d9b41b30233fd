package codebuild

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"
	"github.com/jmespath/go-jmespath"

	"github.com/penguinshop/delivery/sandbox/wire"
)

// The exit codes of the AWS command line (version 2).
const (
	exitUsage   = 252
	exitService = 254
	exitGeneral = 255
)

// Registry is what a build may ask of ECR: the operations of the SDK's client by which images are found, judged and pushed.
type Registry interface {
	DescribeImages(context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error)
	BatchGetImage(context.Context, *ecr.BatchGetImageInput, ...func(*ecr.Options)) (*ecr.BatchGetImageOutput, error)
	DescribeImageScanFindings(context.Context, *ecr.DescribeImageScanFindingsInput, ...func(*ecr.Options)) (*ecr.DescribeImageScanFindingsOutput, error)
	BatchCheckLayerAvailability(context.Context, *ecr.BatchCheckLayerAvailabilityInput, ...func(*ecr.Options)) (*ecr.BatchCheckLayerAvailabilityOutput, error)
	InitiateLayerUpload(context.Context, *ecr.InitiateLayerUploadInput, ...func(*ecr.Options)) (*ecr.InitiateLayerUploadOutput, error)
	UploadLayerPart(context.Context, *ecr.UploadLayerPartInput, ...func(*ecr.Options)) (*ecr.UploadLayerPartOutput, error)
	CompleteLayerUpload(context.Context, *ecr.CompleteLayerUploadInput, ...func(*ecr.Options)) (*ecr.CompleteLayerUploadOutput, error)
	PutImage(context.Context, *ecr.PutImageInput, ...func(*ecr.Options)) (*ecr.PutImageOutput, error)
}

// awsCLI answers the AWS commands that a build of this project needs, in the words of the AWS command line, from the sandbox's
// registry: each is an operation of Registry, whose input's fields are the command's options.
type awsCLI struct {
	session        wire.Session
	stdout, stderr io.Writer
}

// loginPassword is the one command that is no operation of ECR's.
const loginPassword = "get-login-password"

func (c *awsCLI) run(args []string) int {
	command := "aws " + strings.Join(args, " ")
	if len(args) < 2 || args[0] != "ecr" {
		return c.unknown(command)
	}
	operation := camel(args[1])
	method, known := reflect.TypeFor[Registry]().MethodByName(operation)
	var input reflect.Value
	switch {
	case args[1] == loginPassword:
		input = reflect.ValueOf(&struct{}{})
	case known:
		input = reflect.New(method.Type.In(1).Elem())
	default:
		return c.unknown(command)
	}
	look, err := parseOptions(args[2:], input)
	if err != nil {
		fmt.Fprintf(c.stderr, "%s: %v\n", command, err)
		return exitUsage
	}
	if args[1] == loginPassword {
		// A token as good as any: the sandbox's registry asks nobody who they are.
		fmt.Fprintln(c.stdout, rand.Text())
		return 0
	}
	output, err := c.call(operation, input)
	var missing smithy.InvalidParamsError
	var service smithy.APIError
	switch {
	case errors.As(err, &missing):
		fmt.Fprintf(c.stderr, "%s: %v\n", command, required(missing))
		return exitUsage
	case errors.As(err, &service):
		fmt.Fprintf(c.stderr, "\nAn error occurred (%s) when calling the %s operation: %s\n", service.ErrorCode(), operation, service.ErrorMessage())
		return exitService
	case err != nil:
		fmt.Fprintf(c.stderr, "\nCould not connect to the registry: %v\n", err)
		return exitGeneral
	}
	if err := look.print(c.stdout, document(output.Elem())); err != nil {
		fmt.Fprintf(c.stderr, "%s: %v\n", command, err)
		return exitUsage
	}
	return 0
}

func (c *awsCLI) unknown(command string) int {
	var known []string
	for registry, i := reflect.TypeFor[Registry](), 0; i < registry.NumMethod(); i++ {
		known = append(known, kebab(registry.Method(i).Name))
	}
	fmt.Fprintf(c.stderr, "the sandbox cannot answer %q: in a build it knows of aws ecr %s\n", command,
		strings.Join(append(known, loginPassword), ", "))
	return exitUsage
}

// call makes an operation's call, and the calls for its further pages, as the AWS command line does.
func (c *awsCLI) call(operation string, input reflect.Value) (reflect.Value, error) {
	client := reflect.ValueOf(ecr.NewFromConfig(wire.Config(c.session, "", wire.For[ecr.Client](ecr.ServiceID)))).MethodByName(operation)
	var all reflect.Value
	for {
		answer := client.Call([]reflect.Value{reflect.ValueOf(context.Background()), input})
		if err, _ := answer[1].Interface().(error); err != nil {
			return all, err
		}
		page := answer[0]
		if !all.IsValid() {
			all = page
		} else {
			for i := range page.Elem().NumField() {
				if part := page.Elem().Field(i); part.Kind() == reflect.Slice {
					all.Elem().Field(i).Set(reflect.AppendSlice(all.Elem().Field(i), part))
				}
			}
		}
		next := page.Elem().FieldByName("NextToken")
		if !next.IsValid() || next.IsNil() {
			return all, nil
		}
		input.Elem().FieldByName("NextToken").Set(next)
	}
}

// required names the options that an operation's input lacks.
func required(missing smithy.InvalidParamsError) error {
	var options []string
	for _, err := range missing.Errs() {
		if param := smithy.InvalidParamError(nil); errors.As(err, &param) {
			options = append(options, "--"+kebab(param.Field()[strings.LastIndexByte(param.Field(), '.')+1:]))
		}
	}
	return fmt.Errorf("the following arguments are required: %s", strings.Join(options, ", "))
}

// look is how a command prints its answer.
type look struct{ query, output string }

// parseOptions reads --name value or --name=value into the input's fields, and the options that every command has.
func parseOptions(options []string, input reflect.Value) (look, error) {
	l := look{output: "json"}
	for len(options) > 0 {
		option, value, joined := strings.Cut(options[0], "=")
		options = options[1:]
		values := []string{value}
		if !joined {
			n := slices.IndexFunc(options, func(s string) bool { return strings.HasPrefix(s, "--") })
			if n < 0 {
				n = len(options)
			}
			values, options = options[:n], options[n:]
		}
		name, isOption := strings.CutPrefix(option, "--")
		field := input.Elem().FieldByName(camel(name))
		global := map[string]*string{"query": &l.query, "output": &l.output, "region": new(string)}[name]
		switch {
		case !isOption || global == nil && !field.IsValid():
			return l, fmt.Errorf("the sandbox does not know the option %s here", option)
		case len(values) == 0, len(values) > 1 && (global != nil || field.Kind() != reflect.Slice):
			return l, fmt.Errorf("the option %s takes one value", option)
		case global != nil:
			*global = values[0]
		default:
			if err := set(field, values); err != nil {
				return l, fmt.Errorf("%s %s: %w", option, strings.Join(values, " "), err)
			}
		}
	}
	if l.output != "json" && l.output != "text" {
		return l, fmt.Errorf("--output %s: the sandbox prints json and text", l.output)
	}
	return l, nil
}

// print writes what the query (JMESPath) selects, as the AWS command line does.
func (l look) print(to io.Writer, document any) error {
	if l.query != "" {
		selected, err := jmespath.Search(l.query, document)
		if err != nil {
			return fmt.Errorf("bad value for --query %s: %w", l.query, err)
		}
		document = selected
	}
	if l.output == "json" {
		text, err := json.MarshalIndent(document, "", "    ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(to, "%s\n", text)
		return err
	}
	values, isList := document.([]any)
	if !isList {
		values = []any{document}
	}
	words := make([]string, len(values))
	for i, value := range values {
		switch value := value.(type) {
		case nil:
			words[i] = "None"
		case map[string]any, []any:
			return errors.New("--output text: the sandbox prints single values and lists of them; narrow --query, or use --output json")
		default:
			words[i] = fmt.Sprint(value)
		}
	}
	_, err := fmt.Fprintln(to, strings.Join(words, "\t"))
	return err
}

// document is an output as the AWS command line shows it: keys begin with a small letter, what is not set is left out.
func document(value reflect.Value) any {
	switch value.Kind() {
	case reflect.Pointer:
		return document(value.Elem())
	case reflect.Struct:
		if moment, ok := value.Interface().(time.Time); ok {
			return moment.UTC().Format("2006-01-02T15:04:05.000000-07:00")
		}
		fields := map[string]any{}
		for i := range value.NumField() {
			field := value.Type().Field(i)
			empty := slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, field.Type.Kind()) && value.Field(i).IsNil() ||
				field.Type.Kind() == reflect.String && value.Field(i).String() == ""
			if field.IsExported() && !empty && field.Name != "ResultMetadata" {
				fields[strings.ToLower(field.Name[:1])+field.Name[1:]] = document(value.Field(i))
			}
		}
		return fields
	case reflect.Slice:
		list := make([]any, value.Len())
		for i := range list {
			list[i] = document(value.Index(i))
		}
		return list
	case reflect.Map:
		entries := map[string]any{}
		for _, key := range value.MapKeys() {
			entries[key.String()] = document(value.MapIndex(key))
		}
		return entries
	case reflect.Int32, reflect.Int64:
		return float64(value.Int()) // the only numbers that JMESPath knows
	case reflect.String:
		return value.String()
	default:
		return value.Interface()
	}
}

// camel is an option's or a command's name as the SDK has it.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// kebab is the opposite of camel.
func kebab(name string) string {
	var b strings.Builder
	for i, letter := range name {
		if i > 0 && letter >= 'A' && letter <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteString(strings.ToLower(string(letter)))
	}
	return b.String()
}
