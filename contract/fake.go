package contract

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Fake is an environment with plausible values, for tests of programs that take one. It needs no stack.
func Fake(environment, strategy string) Environment {
	e := Environment{Strategy: strategy}
	values := FakeOutputs(environment, strategy)
	for _, o := range Outputs() {
		if value, ok := values[o.Key].(string); ok {
			o.put(&e, value, pulumi.String(value))
		}
	}
	return e
}

// FakeOutputs are the outputs of such an environment as a stack reference returns them: a test's mocks answer the type
// `pulumi:pulumi:StackReference` with {"outputs": FakeOutputs(…)}.
func FakeOutputs(environment, strategy string) map[string]any {
	values := map[string]any{}
	for _, o := range Outputs() {
		if o.needed(strategy) {
			values[o.Key] = sampleFor(environment, o)
		}
	}
	values[KeyStrategy] = strategy
	return values
}

// sampleFor puts an environment's name where the sample has that of dev.
func sampleFor(environment string, o Output) string {
	if o.Key == KeyEnvironment {
		return environment
	}
	return strings.NewReplacer("dev-", environment+"-", "-dev-", "-"+environment+"-").Replace(o.Sample)
}
