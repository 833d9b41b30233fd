// Package prices is what AWS asks for what the stacks are made of: one table, read by the plan of a stack and by the operator
// who looks at a running one.
package prices

import (
	_ "embed"
	"fmt"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed prices.yaml
var file []byte

// Price is one price in US dollars without tax, and the page that it was read from.
type Price struct {
	USD  float64 `yaml:"usd"`
	Page string  `yaml:"page"`
}

// Table is the prices of one region at one date.
type Table struct {
	// AsOf is the month in which the pages were read, such as 2025-11.
	AsOf string `yaml:"asOf"`
	// Region is the AWS region that the prices hold for.
	Region        string           `yaml:"region"`
	HoursPerMonth float64          `yaml:"hoursPerMonth"`
	Prices        map[string]Price `yaml:"prices"`
	// Assumed are the quantities and discounts that no declaration tells.
	Assumed struct {
		ImagesGB  float64 `yaml:"imagesGB"`
		ObjectsGB float64 `yaml:"objectsGB"`
		// SpotDiscount is the share of the price, 0 to 1, that Fargate Spot saves.
		SpotDiscount float64 `yaml:"spotDiscount"`
	} `yaml:"assumed"`
}

// Read returns the table that this package carries; a test holds it to its form.
var Read = sync.OnceValue(func() Table {
	var table Table
	if err := yaml.Unmarshal(file, &table); err != nil {
		panic(fmt.Sprintf("prices.yaml, which is part of this program: %v", err))
	}
	return table
})

// USD is a price by its name in the table. A name that the table lacks is a mistake of the program's and panics.
func (t Table) USD(name string) float64 {
	p, ok := t.Prices[name]
	if !ok {
		panic("prices.yaml has no price " + name)
	}
	return p.USD
}

// Month is the price of one hour, for a whole month.
func (t Table) Month(name string) float64 { return t.USD(name) * t.HoursPerMonth }

// FargateMonth is what one task on Fargate costs a month at its on-demand price. Sizes are in vCPU and GB.
func (t Table) FargateMonth(vcpu, gigabytes float64, arm bool) float64 {
	prefix := "fargateX86"
	if arm {
		prefix = "fargateArm"
	}
	return vcpu*t.Month(prefix+"VCPUHour") + gigabytes*t.Month(prefix+"GBHour")
}

// Capacity is one capacity provider of a service's strategy, as ECS has it.
type Capacity struct {
	Spot         bool
	Weight, Base float64
}

// SpotShare is the part of count tasks, 0 to 1, that a strategy places on Fargate Spot: first each provider's base, then the rest by
// weight.
func SpotShare(count float64, strategy []Capacity) float64 {
	var weights, spotWeight, base, spotBase float64
	for _, c := range strategy {
		weights, base = weights+c.Weight, base+c.Base
		if c.Spot {
			spotWeight, spotBase = spotWeight+c.Weight, spotBase+c.Base
		}
	}
	if count == 0 || weights+base == 0 {
		return 0
	}
	spot := min(spotBase, count)
	if weights > 0 {
		spot += max(0, count-base) * spotWeight / weights
	}
	return min(1, spot/count)
}
