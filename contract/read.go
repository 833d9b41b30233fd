package contract

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NotReadyError says that an environment's stack cannot be built upon: it has never been brought up, or it was brought up by
// a program that did not know an output.
type NotReadyError struct {
	// Stack is the full name, `organization/project/stack`.
	Stack string
	// Missing are the outputs that the stack lacks; empty when the stack itself could not be read.
	Missing []string
	Cause   error
}

func (e *NotReadyError) Error() string {
	short := e.Stack[strings.LastIndex(e.Stack, "/")+1:]
	hint := fmt.Sprintf("run `pulumi up --stack %s` first", short)
	if e.Cause != nil {
		return fmt.Sprintf("stack %s cannot be read (%v): %s", e.Stack, e.Cause, hint)
	}
	return fmt.Sprintf("stack %s has no output %s: %s", e.Stack, strings.Join(e.Missing, ", "), hint)
}

func (e *NotReadyError) Unwrap() error { return e.Cause }

type stackName struct {
	Name string `pulumi:"name"`
}

// Read refers to an environment's stack by its full name (`organization/penguinshop/dev`) and returns its outputs. All of
// them are looked at before any is handed out, in a preview too, where Pulumi itself would take a missing one for unknown.
// The error is a *NotReadyError that names the stack and every missing output.
func Read(ctx *pulumi.Context, stack string, opts ...pulumi.ResourceOption) (Environment, error) {
	// The engine ends the program at a reference to a stack that is not there, before it could say what to do. It asks the
	// same question by a function first, whose failure comes back here.
	var found stackName
	if _, err := ctx.InvokePackageRaw("pulumi:pulumi:readStackOutputs", &stackName{Name: stack}, &found, ""); err != nil {
		return Environment{}, &NotReadyError{Stack: stack, Cause: err}
	}
	reference, err := pulumi.NewStackReference(ctx, stack, nil, opts...)
	if err != nil {
		return Environment{}, &NotReadyError{Stack: stack, Cause: err}
	}
	text := func(key string) (string, error) {
		details, err := reference.GetOutputDetails(key)
		if err != nil {
			return "", &NotReadyError{Stack: stack, Cause: err}
		}
		value, ok := details.Value.(string)
		if details.Value != nil && !ok {
			return "", fmt.Errorf("stack %s: output %s is a %T, it must be a string", stack, key, details.Value)
		}
		return value, nil
	}

	var e Environment
	if e.Strategy, err = text(KeyStrategy); err != nil {
		return Environment{}, err
	}
	if e.Strategy != "" && e.Strategy != BlueGreen && e.Strategy != Rolling {
		return Environment{}, fmt.Errorf("stack %s: output %s is %q; it must be %s or %s",
			stack, KeyStrategy, e.Strategy, BlueGreen, Rolling)
	}
	var missing []string
	for _, o := range Outputs() {
		if !o.known(e.Strategy) {
			continue
		}
		value, err := text(o.Key)
		switch {
		case err != nil:
			return Environment{}, err
		case value != "":
			o.put(&e, value, reference.GetStringOutput(pulumi.String(o.Key)))
		case o.needed(e.Strategy):
			missing = append(missing, o.Key)
		}
	}
	if len(missing) > 0 {
		return Environment{}, &NotReadyError{Stack: stack, Missing: missing}
	}
	return e, nil
}
