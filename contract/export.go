package contract

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Export writes the environment's outputs as the stack's. It refuses an environment that leaves one out, because the stack's
// readers would find out only later.
func Export(ctx *pulumi.Context, e Environment) error {
	if e.Strategy != BlueGreen && e.Strategy != Rolling {
		return fmt.Errorf("contract: the strategy is %q; it must be %s or %s", e.Strategy, BlueGreen, Rolling)
	}
	var missing []string
	for _, o := range Outputs() {
		if o.needed(e.Strategy) && o.of(&e) == nil {
			missing = append(missing, o.Key)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("contract: the environment has no value for %s", strings.Join(missing, ", "))
	}
	for _, o := range Outputs() {
		if value := o.of(&e); value != nil && o.known(e.Strategy) {
			ctx.Export(o.Key, value)
		}
	}
	return nil
}
