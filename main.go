// The penguinshop delivery: `pulumi up --stack dev|qa|prod|shared`.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/stacks"
)

func main() { pulumi.Run(stacks.Program) }
